"""The reader's answers survive what browsers do to them: reloads, two tabs, full, blocked, corrupt or older storage."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from press import modules
from tests.browser.conftest import ROOT

KEY = "dlbook-progress"
DAY = 24 * 60 * 60 * 1000
OPEN = "})();"


@pytest.fixture(scope="module")
def browsing(browser) -> Iterator[object]:
    """Pages that hold the book's script and nothing else."""
    script = modules.join(ROOT / "theme" / "quiz", "progress")
    shown = script[:script.rindex(OPEN)] + "Object.assign(globalThis, { store, merge, nextBox, due, dump, load, erase });" + OPEN
    made = browser.new_context()
    made.route("**", lambda route: route.fulfill(content_type="text/html", body=f"<script>{shown}</script>"))
    yield made
    made.close()


@pytest.fixture
def context(browsing, request) -> Iterator[tuple[object, str]]:
    """A site of its own, so that its storage is empty."""
    yield browsing, f"http://test-{abs(hash(request.node.name))}.test/"
    for tab in browsing.pages:
        tab.close()


def opened(context, before: str = ""):
    """A tab with the page's store. before: JavaScript that runs before the page's own."""
    browsing, address = context
    tab = browsing.new_page()
    if before:
        tab.add_init_script(before)
    tab.goto(address)
    return tab


def record(tab, name: str, share: float, at: int = 1000, digest: str = "h", sure: bool | None = True, practice: bool = False):
    answer = {"share": share, "at": at, "sure": sure, "response": 1, "variant": 0, "practice": practice}
    tab.evaluate("([name, digest, answer]) => store.record(name, digest, answer)", [name, digest, answer])


def known(tab, name: str, digest: str = "h"):
    return tab.evaluate("([name, digest]) => store.get(name, digest)", [name, digest])


def trouble(tab) -> str:
    return tab.evaluate("store.trouble")


def test_an_answer_is_there_after_a_reload(context):
    tab = opened(context)
    record(tab, "one", 0.5)
    tab.reload()
    assert known(tab, "one")["last"]["share"] == 0.5
    assert trouble(tab) == ""


def test_an_edited_question_asks_again_and_the_others_keep_their_answers(context):
    tab = opened(context)
    record(tab, "one", 1)
    record(tab, "two", 1)
    assert known(tab, "one", "edited") is None
    assert known(tab, "two")["last"]["share"] == 1


def test_two_tabs_keep_what_each_of_them_recorded(context):
    first, second = opened(context), opened(context)
    record(first, "one", 1, at=1000)
    record(second, "two", 0, at=2000)
    record(first, "three", 1, at=3000)
    stored = json.loads(first.evaluate("key => localStorage.getItem(key)", KEY))
    assert set(stored["answers"]) == {"one", "two", "three"}
    second.wait_for_function("() => store.get('three', 'h') && store.get('one', 'h')")
    first.wait_for_function("() => store.get('two', 'h')")


def test_of_a_question_answered_in_two_tabs_the_later_answer_and_the_earlier_first_try_count(context):
    tab = opened(context)
    a = {"version": 2, "seed": 1, "erased": 0, "settings": {}, "answers": {"one": entry(0.2, 1000)}}
    b = {"version": 2, "seed": 2, "erased": 0, "settings": {}, "answers": {"one": entry(1.0, 2000)}}
    for pair in ([a, b], [b, a]):
        both = tab.evaluate("([a, b]) => merge(a, b)", pair)["answers"]["one"]
        assert (both["first"]["share"], both["last"]["share"]) == (0.2, 1.0)


def entry(share: float, at: int) -> dict:
    answer = {"share": share, "at": at, "sure": None, "response": 1, "variant": 0, "practice": False}
    return {"hash": "h", "first": answer, "last": answer, "tries": 1, "box": 1, "due": at + DAY, "seen": at}


def test_full_storage_loses_nothing_before_the_page_is_closed_and_says_so(context):
    tab = opened(context)
    record(tab, "one", 1)
    tab.evaluate("""() => { let text = "x".repeat(1 << 20), i = 0;
        while (text.length) { try { localStorage.setItem("filler" + i++, text); } catch { text = text.slice(0, text.length >> 1); } } }""")
    record(tab, "two", 1)
    assert "full" in trouble(tab) and known(tab, "two")["last"]["share"] == 1
    assert set(json.loads(tab.evaluate("dump(store)"))["answers"]) == {"one", "two"}
    assert set(json.loads(tab.evaluate("key => localStorage.getItem(key)", KEY))["answers"]) == {"one"}
    tab.evaluate("() => { for (const key of Object.keys(localStorage)) if (key.startsWith('filler')) localStorage.removeItem(key); }")
    record(tab, "three", 1)
    assert trouble(tab) == ""
    assert set(json.loads(tab.evaluate("key => localStorage.getItem(key)", KEY))["answers"]) == {"one", "two", "three"}


def test_blocked_storage_still_marks_and_says_so(context):
    tab = opened(context, "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });")
    record(tab, "one", 1)
    assert known(tab, "one")["last"]["share"] == 1
    assert "until you close it" in trouble(tab)


@pytest.mark.parametrize("text", ["{", "[]", '"x"', '{"version": "two", "answers": {}}', '{"version": 2}', "null"])
def test_what_cannot_be_read_is_set_aside_and_the_reader_is_told(context, text):
    tab = opened(context, f"if (!localStorage.getItem('{KEY}')) localStorage.setItem('{KEY}', {json.dumps(text)});")
    assert "set aside" in trouble(tab)
    assert tab.evaluate("localStorage.getItem('dlbook-progress-unreadable')") == text
    record(tab, "one", 1)
    assert known(tab, "one")["last"]["share"] == 1


def test_one_broken_entry_costs_only_itself(context):
    state = {"version": 2, "seed": 3, "settings": {}, "answers": {"one": entry(1, 1000), "two": {"hash": 5}, "three": None}}
    tab = opened(context, f"localStorage.setItem('{KEY}', {json.dumps(json.dumps(state))});")
    assert tab.evaluate("Object.keys(store.state.answers)") == ["one"]


def test_an_older_record_is_carried_over(context):
    old = {"version": 1, "answers": {"one": {"hash": "h", "share": 1, "at": 1000}}}
    tab = opened(context, f"localStorage.setItem('{KEY}', {json.dumps(json.dumps(old))});")
    found = known(tab, "one")
    assert (found["last"]["share"], found["box"], found["due"]) == (1, 1, 1000 + DAY)


def test_a_record_of_a_newer_edition_is_left_as_it_is(context):
    new = json.dumps({"version": 99, "answers": {"one": {"shape": "unknown"}}})
    tab = opened(context, f"if (!localStorage.getItem('{KEY}')) localStorage.setItem('{KEY}', {json.dumps(new)});")
    record(tab, "two", 1)
    assert "newer edition" in trouble(tab)
    assert tab.evaluate("key => localStorage.getItem(key)", KEY) == new
    assert known(tab, "two")["last"]["share"] == 1


def test_a_downloaded_file_brings_the_answers_to_another_browser(context):
    tab = opened(context)
    record(tab, "one", 0.5, at=1000)
    record(tab, "two", 1, at=2000)
    file = tab.evaluate("dump(store)")
    tab.evaluate("erase(store)")
    record(tab, "three", 1, at=10**14)
    assert tab.evaluate("text => load(store, text)", file) == 2
    tab.reload()
    assert set(tab.evaluate("Object.keys(store.state.answers)")) == {"one", "two", "three"}


@pytest.mark.parametrize(("text", "words"), [("hello", "holds no progress"), ('{"version": 99, "answers": {}}', "newer edition"),
                                             ('{"answers": {}}', "holds no progress")])
def test_a_file_of_something_else_is_refused_in_a_sentence_and_changes_nothing(context, text, words):
    tab = opened(context)
    record(tab, "one", 1)
    said = tab.evaluate("text => { try { load(store, text); return ''; } catch (error) { return error.message; } }", text)
    assert words in said and known(tab, "one")


def test_erased_in_one_tab_is_erased_in_the_other(context):
    first, second = opened(context), opened(context)
    record(first, "one", 1)
    second.wait_for_function("() => store.get('one', 'h')")
    first.evaluate("erase(store)")
    record(second, "two", 1, at=10**14)
    stored = json.loads(first.evaluate("key => localStorage.getItem(key)", KEY))
    assert set(stored["answers"]) == {"two"}


def test_practice_moves_the_boxes_and_leaves_the_score(context):
    tab = opened(context)
    record(tab, "one", 1, at=1000)
    record(tab, "one", 0, at=2000, practice=True)
    found = known(tab, "one")
    assert (found["last"]["share"], found["first"]["share"], found["box"], found["due"]) == (1, 1, 1, 2000 + DAY)


def test_the_boxes_follow_leitner(context):
    tab = opened(context)
    boxes, box = [], 0
    for _ in range(7):
        box = tab.evaluate("box => nextBox(box, 1, true)", box)
        boxes.append(box)
    assert boxes == [1, 2, 3, 4, 5, 6, 6]
    days = [tab.evaluate("box => due(box, 0)", box) / DAY for box in range(1, 7)]
    assert days == [1, 2, 4, 8, 16, 32]
    assert tab.evaluate("[nextBox(4, 1, false), nextBox(4, 0.5, true), nextBox(0, 1, false)]") == [4, 1, 1]
