"""The quiz in its page: every kind answered right, wrong and partly, by keyboard, kept, and hard to break."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from press.render.html import render
from tests import quizbook
from tests.browser.conftest import Site, _served
from tests.browser.test_access import LOOKS, WIDER, look, violations

CHAPTER = "chapters/one/first.html"
KEY = "dlbook-progress"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The book whose quiz has every kind."""
    book = quizbook.write(tmp_path_factory.mktemp("asked") / "book")
    render(book, 2)
    yield from _served(book.output)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The book whose questions are hostile."""
    book = quizbook.write_hostile(tmp_path_factory.mktemp("hostile") / "book")
    render(book, 2)
    yield from _served(book.output)


def start(page: Page, site: Site, way: str = "url", seed: int = 7) -> Page:
    """The chapter's quiz, started, for the reader of this seed."""
    page.add_init_script(
        f"if (!localStorage.getItem('{KEY}')) localStorage.setItem('{KEY}', JSON.stringify("
        f"{{version: 2, seed: {seed}, erased: 0, settings: {{}}, answers: {{}}}}));"
    )
    page.goto(f"{getattr(site, way)}{CHAPTER}#q-one-single")
    expect(page.locator(".quiz-head")).to_be_visible()
    return page


def question(page: Page, name: str) -> Locator:
    return page.locator(f"#q-one-{name}")


def check(card: Locator) -> None:
    card.get_by_role("button", name="Check").click()


def verdict(card: Locator) -> str:
    return card.locator(".quiz-verdict").inner_text()


def stored(page: Page, name: str) -> dict:
    return json.loads(page.evaluate(f"localStorage.getItem('{KEY}')"))["answers"][f"one-{name}"]


# ---- answering ------------------------------------------------------------------------------------------------------


def choose(card: Locator, *texts: str) -> None:
    for box in card.locator(".quiz-option input").all():
        box.set_checked(False) if box.get_attribute("type") == "checkbox" else None
    for text in texts:
        card.locator(".quiz-option", has_text=text).locator("input").check()


def write(card: Locator, text: str) -> None:
    card.locator(".quiz-line, .quiz-lines").fill(text)


def arrange(card: Locator, *starts: str) -> None:
    """Put the entries that begin so into this order, with the buttons."""
    for text in starts:
        if (use := card.get_by_role("button", name=f"Use: {text}")).count():
            use.first.click()
    for place, text in enumerate(starts):
        button = card.get_by_role("button", name=f"Move up: {text}")
        while (
            card.locator("ol.quiz-order li").evaluate_all(
                "(all, t) => all.findIndex(li => li.querySelector('button').getAttribute("
                "'aria-label').startsWith('Move up: ' + t))",
                text,
            )
            > place
        ):
            button.first.click()


def pair(card: Locator, *rights: int) -> None:
    for select, right in zip(card.locator("select").all(), rights, strict=True):
        select.select_option(value=str(right))


def mark(card: Locator, x: float, y: float) -> None:
    box = card.locator(".quiz-board").bounding_box()
    card.locator(".quiz-board").click(position={"x": x * box["width"], "y": y * box["height"]})


CASES = [  # kind, how to answer, verdict, what is said, what is not
    (
        "single",
        lambda c: choose(c, "5"),
        "Not yet.",
        ["adds one too many", "Section 1.1"],
        ["forgets", "Eight halves", "explanation"],
    ),
    (
        "single",
        lambda c: choose(c, "82"),
        "Right.",
        ["Eight halves are four.", "explanation of one-single"],
        ["forgets"],
    ),
    (
        "multiple",
        lambda c: choose(c, "salt"),
        "Partly right: 50 %.",
        ["there is more to choose"],
        ["Pepper it is", "explanation"],
    ),
    (
        "multiple",
        lambda c: choose(c, "salt", "pepper", "glue"),
        "Partly right: 50 %.",
        ["Glue sticks."],
        ["Sand grinds", "Salt it is"],
    ),
    ("multiple", lambda c: choose(c, "glue"), "Not yet.", ["Glue sticks."], ["Paint"]),
    ("multiple", lambda c: choose(c, "salt", "pepper"), "Right.", ["Salt it is.", "Pepper it is."], ["Glue"]),
    ("number", lambda c: write(c, "9"), "Not yet.", ["Nine counts thrice."], ["Seven", "2.5"]),
    ("number", lambda c: write(c, "8"), "Not yet.", ["Section 1.1"], ["Nine", "Seven", "2.5"]),
    ("number", lambda c: write(c, "2,5"), "Right.", ["explanation of one-number"], ["significant"]),
    ("number", lambda c: write(c, "2500 ms"), "Right.", [], ["significant"]),
    ("text", lambda c: write(c, "Log-loss"), "Not yet.", ["The log loss has no corner."], ["hinge", "square"]),
    ("text", lambda c: write(c, " Hinge-Loss. "), "Right.", ["explanation of one-text"], ["corner"]),
    ("shape", lambda c: write(c, "10x64"), "Not yet.", ["Turned round."], ["axis", "(64, 10)"]),
    ("shape", lambda c: write(c, "torch.Size([64, 10])"), "Right.", ["explanation"], ["Turned"]),
    ("output", lambda c: write(c, "row 1\nrow 2"), "Not yet.", ["Counting starts at nought."], ["row 0", "Twice"]),
    ("output", lambda c: write(c, "row 0 \nrow 1\n"), "Right.", ["explanation"], ["nought"]),
    (
        "order",
        lambda c: arrange(c, "chop", "fry", "eat", "peel"),
        "Partly right: 75 %.",
        ["Think of the pan."],
        ["explanation"],
    ),
    ("order", lambda c: arrange(c, "peel", "chop", "fry", "eat"), "Right.", ["explanation"], ["pan"]),
    ("parsons", lambda c: arrange(c, "total = x"), "Not yet.", ["Set up, loop, print."], ["explanation"]),
    ("parsons", lambda c: arrange(c, "total = 0", "for x in xs:", "total += x"), "Partly right: 50 %.", ["Set up"], []),
    ("match", lambda c: pair(c, 1, 0, 2), "Partly right: 33 %.", ["Squares and cubes."], ["explanation"]),
    ("match", lambda c: pair(c, 1, 2, 0), "Not yet.", ["Squares and cubes."], ["explanation"]),
    ("match", lambda c: pair(c, 0, 1, 2), "Right.", ["explanation"], ["Squares"]),
    ("figure", lambda c: mark(c, 0.5, 0.5), "Not yet.", ["You marked the middle."], ["upper end", "Nothing"]),
    ("figure", lambda c: mark(c, 0.94, 0.06), "Right.", ["You marked the upper end."], ["middle"]),
    ("file", lambda c: mark(c, 0.5, 0.05), "Not yet.", ["The sea."], ["You marked"]),
    (
        "file",
        lambda c: mark(c, 0.2, 0.76),
        "Right.",
        ["You marked the blue place."],
        ["sea"],
    ),  # round on a wide picture
]


def test_every_kind_answered_right_wrong_and_partly(page: Page, asked: Site) -> None:
    start(page, asked)
    for kind, answer, expected, said, kept in CASES:
        card = question(page, kind)
        answer(card)
        expect(card.locator(".quiz-result")).to_be_empty()  # a changed answer takes the verdict away
        check(card)
        shown = card.locator(".quiz-result").inner_text().replace("\u00a0", " ")
        assert verdict(card) == expected, (kind, shown)
        assert all(text in shown for text in said) and not any(text in shown for text in kept), (kind, shown)
    assert stored(page, "single")["tries"] == 2 and stored(page, "single")["first"]["share"] == 0


def test_the_answer_comes_only_when_asked_for(page: Page, asked: Site) -> None:
    start(page, asked)
    card = question(page, "number")
    check(card)
    expect(card.locator(".quiz-result")).to_have_text("Answer first.")
    write(card, "9")
    check(card)
    expect(card.locator(".quiz-result")).not_to_contain_text("2.5")
    card.get_by_role("button", name="Show the answer").click()
    expect(card.locator(".quiz-key")).to_contain_text("2.5 s")
    expect(card.locator(".quiz-key")).to_contain_text("explanation of one-number")
    expect(card.locator(".quiz-result")).to_be_focused()
    card.get_by_role("button", name="Try again").click()
    expect(card.locator(".quiz-result")).to_be_empty()
    expect(card.locator(".quiz-line")).to_be_focused()


def test_the_same_answer_marked_twice_counts_once(page: Page, asked: Site) -> None:
    start(page, asked)
    card = question(page, "text")
    write(card, "MSE")
    check(card)
    check(card)
    assert stored(page, "text")["tries"] == 1
    card.get_by_label("unsure").check()
    check(card)
    assert (stored(page, "text")["tries"], stored(page, "text")["last"]["sure"]) == (2, False)


def test_another_variant_asks_other_numbers(page: Page, asked: Site) -> None:
    start(page, asked)
    card = question(page, "template")
    seen = set()
    for _ in range(4):
        prompt = card.locator(".quiz-prompt").inner_text()
        seen.add(prompt)
        a, b = (int(word.strip("?")) for word in prompt.split() if word.strip("?").isdigit())
        write(card, str(a + b))
        check(card)
        expect(card.locator(".quiz-result")).to_contain_text("That is the sum.")
        write(card, str(a * b))
        check(card)
        expect(card.locator(".quiz-result")).to_contain_text(f"It is {a * b}.")
        card.get_by_role("button", name="New variant").click()
        expect(card.locator(".quiz-line")).to_be_focused()
    assert len(seen) == 4


# ---- what is kept ---------------------------------------------------------------------------------------------------


def options(page: Page, name: str = "multiple") -> list[str]:
    return question(page, name).locator(".quiz-option").all_inner_texts()


def told(page: Page, kind: str) -> list[str]:
    """The lines of a question, less what was said of the last move."""
    said = question(page, kind).locator(".quiz-said").all_inner_texts()
    return [line for line in question(page, kind).inner_text().splitlines() if line and line not in said]


def test_order_follows_the_reader_and_a_reload_puts_everything_back(page: Page, asked: Site) -> None:
    start(page, asked)
    order = options(page)
    assert sorted(order) == ["glue", "paint", "pepper", "salt", "sand"] and order != [
        "salt",
        "pepper",
        "sand",
        "glue",
        "paint",
    ]
    assert question(page, "order").locator("ol li").all_inner_texts() != ["peel", "chop it", "fry it", "eat it"]
    for kind, answer, *_ in (CASES[3], CASES[7], CASES[12], CASES[14], CASES[16], CASES[18], CASES[20], CASES[23]):
        answer(question(page, kind))
        question(page, kind).get_by_label("unsure" if kind == "order" else "sure", exact=True).check()
        check(question(page, kind))
    kinds = {
        kind: told(page, kind)
        for kind in ("multiple", "number", "shape", "output", "order", "parsons", "match", "figure")
    }
    page.reload()
    expect(page.locator(".quiz-head")).to_be_visible()
    assert options(page) == order
    for kind, text in kinds.items():
        assert told(page, kind) == text, kind
    expect(question(page, "order").get_by_label("unsure")).to_be_checked()
    expect(question(page, "multiple").get_by_label("sure", exact=True)).to_be_checked()
    expect(question(page, "number").locator(".quiz-line")).to_have_value("8")
    expect(question(page, "figure").locator(".quiz-cross")).to_be_visible()


def test_readers_differ_in_their_order(open_page, asked: Site) -> None:
    orders = {tuple(options(start(open_page(), asked, seed=seed))) for seed in (7, 8, 9)}
    assert len(orders) > 1


def test_scores_by_outcome_all_at_the_end_and_practice(page: Page, asked: Site) -> None:
    start(page, asked)
    page.get_by_label("Mark all at the end").check()
    expect(page.get_by_role("button", name="Check")).to_have_count(0)
    choose(question(page, "single"), "82")
    choose(question(page, "multiple"), "salt")
    write(question(page, "text"), "MSE")
    page.get_by_role("button", name="Mark all").click()
    assert [verdict(question(page, kind)) for kind in ("single", "multiple", "text")] == [
        "Right.",
        "Partly right: 50 %.",
        "Not yet.",
    ]
    score = page.locator(".quiz-score")
    expect(score).to_be_focused()
    expect(score.locator("caption")).to_have_text("Your score: 1.5 of 3 answered, 12 in all.")
    rows = score.locator("tbody tr").all_inner_texts()
    assert [row.split("\t")[1:] for row in rows] == [["1 of 2", "5"], ["0.5 of 1", "1"], ["0 of 0", "3"]]
    page.get_by_role("button", name="Practise again").click()
    expect(question(page, "single").locator("input:checked")).to_have_count(0)
    choose(question(page, "single"), "5")
    write(question(page, "number"), "2.5")
    page.get_by_role("button", name="Mark all").click()
    assert verdict(question(page, "single")) == "Not yet."
    expect(score.locator("caption")).to_have_text("Your score: 1.5 of 3 answered, 12 in all.")


def test_two_tabs_and_cleared_storage_lose_nothing(page: Page, asked: Site) -> None:
    start(page, asked)
    other = page.context.new_page()
    other.goto(f"{asked.url}{CHAPTER}#q-one-single")
    write(question(page, "text"), "MSE")
    check(question(page, "text"))
    expect(other.locator(".quiz-score caption")).to_contain_text("0 of 1 answered")
    write(question(other, "shape"), "(64, 10)")
    check(question(other, "shape"))
    expect(page.locator(".quiz-score caption")).to_contain_text("1 of 2 answered")
    page.evaluate("localStorage.clear()")
    write(question(page, "number"), "2.5")
    check(question(page, "number"))
    assert {stored(page, name)["tries"] for name in ("text", "shape", "number")} == {1}


# ---- by keyboard ----------------------------------------------------------------------------------------------------


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, target: Locator) -> None:
    """Tab on until the target has the focus; every stop shows it."""
    for _ in range(30):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab does not reach {target}")


def test_the_keyboard_alone_answers_every_kind(page: Page, asked: Site) -> None:
    start(page, asked)
    card = question(page, "single")
    card.locator("input").first.focus()
    press(page, "ArrowDown", "ArrowDown", "Tab", "Space", "Tab", "Enter")  # choose, sure, check
    expect(card.locator(".quiz-verdict")).to_be_visible()
    assert stored(page, "single")["last"]["sure"] is True
    card = question(page, "multiple")
    tab_to(page, card.locator("input").first)
    press(page, "Space", "Tab", "Tab", "Space")
    tab_to(page, card.get_by_role("button", name="Check"))
    press(page, "Enter")
    assert len(stored(page, "multiple")["last"]["response"]) == 2
    card = question(page, "number")
    tab_to(page, card.locator(".quiz-line"))
    page.keyboard.type("2.5 s")
    tab_to(page, card.get_by_role("button", name="Check"))
    press(page, "Enter")
    assert verdict(card) == "Right."
    card = question(page, "order")
    tab_to(page, card.get_by_role("button", name="Move down").first)
    moved = page.evaluate("document.activeElement.getAttribute('aria-label')")
    press(page, "Enter")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == moved  # the focus goes along
    expect(card.locator(".quiz-said")).to_have_text("Now 2 of 4.")
    press(page, "Enter", "Enter")
    expect(card.locator("ol li").last).to_contain_text(moved.removeprefix("Move down: ").split()[0])
    card = question(page, "parsons")
    tab_to(page, card.get_by_role("button", name="Use").first)
    press(page, "Enter")
    expect(card.locator("ol li")).to_have_count(1)
    assert page.evaluate("document.activeElement.closest('ol') !== null")
    card = question(page, "match")
    tab_to(page, card.locator("select").first)
    for _ in range(3):
        press(page, "ArrowDown", "Tab")
    tab_to(page, card.get_by_role("button", name="Check"))
    press(page, "Enter")
    assert verdict(card) == "Partly right: 33 %."  # the first of the list, three times
    card = question(page, "figure")
    tab_to(page, card.locator(".quiz-board"))
    press(page, *["Shift+ArrowRight", "Shift+ArrowUp"] * 4, *["ArrowRight", "ArrowUp"] * 2)
    expect(card.locator(".quiz-said")).to_have_text("The mark is 94 % from the left and 6 % from the top.")
    tab_to(page, card.get_by_role("button", name="Check"))
    press(page, "Space")
    assert verdict(card) == "Right."
    card = question(page, "file")
    tab_to(page, card.locator("summary"))
    press(page, "Enter", "Tab", "Space")
    tab_to(page, card.get_by_role("button", name="Check"))
    press(page, "Enter")
    assert (
        "Nothing" not in card.locator(".quiz-result").inner_text()
        and "sea" not in card.locator(".quiz-result").inner_text()
    )


def test_what_changes_is_said_and_named(page: Page, asked: Site) -> None:
    start(page, asked)
    expect(page.locator(".quiz-result[aria-live=polite]")).to_have_count(12)
    expect(page.get_by_role("radiogroup", name="What is")).to_be_visible()
    expect(page.get_by_role("group", name="The prompt of one-multiple.")).to_be_visible()
    expect(page.get_by_role("textbox", name="The prompt of one-number.")).to_be_visible()
    expect(page.get_by_role("combobox", name="x^2")).to_be_visible()
    expect(page.get_by_role("application", name="A map with one blue and one orange place.")).to_be_visible()


# ---- for everyone ---------------------------------------------------------------------------------------------------


def test_axe_finds_nothing_before_and_after_answering(page: Page, asked: Site, axe: str) -> None:
    start(page, asked)
    answered = {kind: answer for kind, answer, *_ in CASES}
    wrong = {kind: answer for kind, answer, *_ in reversed(CASES)}
    for state in ({}, wrong, answered):
        for kind, answer in state.items():
            answer(question(page, kind))
            check(question(page, kind))
        if state is wrong:
            page.get_by_role("button", name="Show the answer").first.click()
            page.get_by_text("Name the place instead").first.click()
        for width, scheme in (LOOKS[0], LOOKS[3]):
            look(page, width, scheme)
            assert violations(page, axe) == [], (width, scheme, len(state))
            assert page.evaluate(WIDER) <= 0
    page.set_viewport_size({"width": 640, "height": 450})  # 1280 px at 200 %
    assert page.evaluate(WIDER) <= 0


def test_nothing_moves_for_readers_who_want_no_motion(phone: Page, asked: Site) -> None:
    start(phone, asked)
    choose(question(phone, "single"), "5")
    check(question(phone, "single"))
    assert phone.evaluate("document.querySelector('dl-quiz').getAnimations({ subtree: true }).length") == 0


def test_a_link_to_a_question_leads_there_after_the_quiz_has_started(page: Page, asked: Site) -> None:
    for name in ("order", "template"):
        page.goto("about:blank")
        page.goto(f"{asked.url}{CHAPTER}#q-one-{name}")
        expect(page.locator(".quiz-head")).to_be_attached()
        expect(question(page, name)).to_be_in_viewport()
        bottom = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        assert 0 < question(page, name).bounding_box()["y"] < 200 or bottom, name


def test_pages_from_a_folder_mark_too(page: Page, asked: Site) -> None:
    start(page, asked, "file")
    choose(question(page, "single"), "82")
    check(question(page, "single"))
    assert verdict(question(page, "single")) == "Right."


def test_without_script_the_answers_are_folded_one_by_one(open_page, asked: Site) -> None:
    page = open_page(java_script_enabled=False)
    for way in ("file", "url"):
        page.goto(f"{getattr(asked, way)}{CHAPTER}#q-one-number")
        card = question(page, "number")
        expect(card).to_contain_text("Give a number in s.")
        assert "Nine counts thrice" not in page.content()
        card.locator("summary").click()
        frame = card.frame_locator("iframe")
        expect(frame.get_by_text("Nine counts thrice.")).to_be_visible()
        expect(frame.get_by_text("Turned round.")).to_be_hidden()
        assert (
            "height" not in (card.locator("iframe").get_attribute("style") or "")
            and card.locator("iframe").bounding_box()["height"] > 100
        )
    page.goto(asked.url + CHAPTER.replace(".html", ".answers.html"))
    for text in ("Nine counts thrice.", "Turned round.", "Eight halves are four."):
        expect(page.get_by_text(text)).to_be_visible()


def test_keys_cannot_be_read_in_the_page_or_its_data(asked: Site) -> None:
    for name in (CHAPTER, CHAPTER.replace(".html", ".quiz.js")):
        source = (asked.folder / name).read_text("utf-8")
        assert not any(text in source for text in ("Eight halves", "hinge loss", "explanation of", "Nine counts"))


def test_paper_shows_the_questions_without_controls(page: Page, asked: Site) -> None:
    start(page, asked)
    choose(question(page, "single"), "5")
    check(question(page, "single"))
    page.emulate_media(media="print")
    for furniture in ("button", "select", ".quiz-option input", ".quiz-sure", ".quiz-result", ".quiz-head"):
        assert not any(part.is_visible() for part in page.locator(f"dl-quiz {furniture}").all()), furniture
    for text in ("sand", "fry it", "for x in xs:", "the prompt of one-match"):
        expect(page.locator("dl-quiz").get_by_text(text).first).to_be_visible()


def test_the_script_and_the_style_stay_small(asked: Site) -> None:
    assert (asked.folder / "assets/quiz.css").stat().st_size <= 6000
    assert (asked.folder / "assets/quiz.js").stat().st_size <= 30 * 1024


# ---- hostile texts --------------------------------------------------------------------------------------------------


def test_hostile_texts_come_out_as_text_and_break_nothing(page: Page, hostile: Site) -> None:
    page.add_init_script("globalThis.broken = () => { globalThis.isBroken = true; };")
    page.goto(f"{hostile.url}{CHAPTER}#q-two-single")
    expect(page.locator(".quiz-head")).to_be_visible()
    names = [question["id"] for question in quizbook.HOSTILE]
    assert page.locator("dl-quiz .question").evaluate_all("all => all.map(one => one.id.slice(2))") == names
    page.locator("#q-two-single input").first.check()
    page.locator("#q-two-text .quiz-line").fill("<b>")
    page.locator("#q-two-unit .quiz-line").fill("1," * 200)
    page.locator("#q-two-long input").first.check()
    for select in page.locator("select").all():
        select.select_option(index=1)
    page.locator("#q-two-spot .quiz-board").click()
    for button in page.get_by_role("button", name="Check").all():
        button.click()
    while (button := page.get_by_role("button", name="Show the answer")).count():
        button.first.click()
    expect(page.locator(".quiz-verdict")).to_have_count(len(names) - 1)  # of the order with strangers nothing is used
    shown = page.locator("dl-quiz").inner_text()
    for n in (1, 7, 8, 9, 12, 15, 20, 31):
        assert f"field {n} <script>broken()</script> </textarea></section> </iframe></details>" in shown, n
    for text in (
        "<img src=x onerror=broken()>",
        "</dl-quiz></div>",
        "* {display: none}",
        "); broken(); (",
        "]]>",
        quizbook.LONG,
    ):
        assert text in shown, text[:40]
    assert page.evaluate(
        "!globalThis.isBroken && document.querySelectorAll('dl-quiz :is(script, iframe, style)').length === 0"
    )
    expect(page.locator("#sec-first-exercises")).to_be_attached()
    assert page.evaluate(WIDER) <= 0
    page.goto(hostile.url + CHAPTER.replace(".html", ".answers.html"))
    assert page.locator(".answer").count() == len(names)
    assert page.evaluate(
        "!globalThis.isBroken && document.querySelectorAll('main :is(script, iframe, style, img)').length === 0"
    )
