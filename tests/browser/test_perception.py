"""The two explorables of seeing/perception, driven by the keyboard alone."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOOK = ("html { --paper: #fff; --ink: #1d2126; --ink-soft: #585e66; --rule: #dcd6c8; --font-ui: sans-serif; "
        "--c1: #1a6bdc; --c2: #bf4a00; background: var(--paper); color: var(--ink) } [hidden] { display: none !important }"
        "@media (prefers-color-scheme: dark) { html { --paper: #14171c; --ink: #e4e1d9; --ink-soft: #a5abb4; "
        "--c1: #8fbcf0; --c2: #f2a473 } }")


@pytest.fixture
def show(open_page, tmp_path):
    """A function that opens a page holding one explorable, inlined as the press does it."""

    def shown(name: str, **options):
        script = (ROOT / f"theme/explorables/{name}.js").read_text(encoding="utf-8")
        file = tmp_path / f"{name}.html"
        file.write_text(f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
                        f"<title>{name}</title><style>{LOOK}</style><main><h1>{name}</h1><div class=explorable>"
                        f"<dl-{name}><p>fallback</p></dl-{name}></div></main><script type=module>{script}</script>",
                        encoding="utf-8")
        page = open_page(**({"viewport": {"width": 360, "height": 740}} | options))
        page.goto(file.as_uri())
        return page

    return shown


def status(page) -> str:
    return page.inner_text("[role=status]")


def search(page, kind: str, answer=lambda present: present) -> None:
    """Take one search of twelve displays, by keys."""
    page.focus(f"[data-start={kind}]")
    page.keyboard.press("Enter")
    for left in reversed(range(12)):
        page.wait_for_function("document.querySelector('dl-popout').trial !== null")
        present = page.evaluate("document.querySelector('dl-popout').trial.present")
        page.keyboard.press("j" if answer(present) else "f")
        page.wait_for_function(f"document.querySelector('dl-popout').queue.length <= {left}")
    page.wait_for_selector(".dl-result:not([hidden])")


def judge(page, answer) -> None:
    """Take the twelve judgements, by keys; answer: a function of the true percentage."""
    page.focus(".dl-start")
    page.keyboard.press("Enter")
    for _ in range(12):
        truth = page.evaluate("document.querySelector('dl-judgement').trial.truth")
        page.keyboard.type(str(answer(truth)))
        page.keyboard.press("Enter")


def test_a_search_is_taken_by_keys_and_shown_as_numbers(show):
    page = show("popout")
    search(page, "feature")
    assert "Now search by two features" in status(page)
    search(page, "conjunction")
    rows = page.locator("tbody tr")
    assert rows.count() == 2
    for row in rows.all():
        cells = row.locator("td").all_inner_texts()
        assert all(0 < float(cell) < 60_000 for cell in cells[:3]) and re.fullmatch(r"-?\d+\.\d", cells[3]) and cells[4] == "0"
    assert page.locator(".dl-result polyline").count() == 2


def test_a_display_holds_what_it_says(show):
    page = show("popout")
    page.focus("[data-start=conjunction]")
    page.keyboard.press("Enter")
    for _ in range(12):
        page.wait_for_function("document.querySelector('dl-popout').trial !== null")
        trial = page.evaluate("document.querySelector('dl-popout').trial")
        orange = page.locator(".dl-stage circle[style*='--c2']").count()
        assert page.locator(".dl-stage > *").count() == trial["size"] and orange == trial["present"]
        page.keyboard.press("j" if trial["present"] else "f")
        page.wait_for_function("document.querySelector('dl-popout').trial === null")


def test_wrong_answers_are_counted_and_not_timed(show):
    page = show("popout")
    search(page, "feature", answer=lambda present: not present)
    assert page.locator("tbody td").all_inner_texts() == ["–", "–", "–", "–", "12"]
    assert "too few right answers" in status(page)


def test_keys_do_nothing_between_displays(show):
    page = show("popout")
    page.focus("[data-start=feature]")
    page.keyboard.press("j")
    assert page.evaluate("document.querySelector('dl-popout').answers.length") == 0


def test_perfect_judgements_score_minus_three(show):
    page = show("judgement")
    page.evaluate("document.querySelector('dl-judgement').start()")
    page.evaluate("""() => { const e = document.querySelector('dl-judgement');
        for (const t of [e.trial, ...e.queue]) t.truth = Math.round(t.truth); }""")
    for _ in range(12):
        page.keyboard.type(str(page.evaluate("document.querySelector('dl-judgement').trial.truth")))
        page.keyboard.press("Enter")
    assert "-3.00 ± 0.00" in page.inner_text("tbody").replace("−", "-")


def test_judgements_are_taken_by_keys_and_set_beside_the_published_ones(show):
    page = show("judgement")
    judge(page, lambda truth: max(1, round(truth) - 10))
    table = page.inner_text("table")
    assert "0.51 to 1.32" in table and "0.97" in table and "Cleveland and McGill 1984" in table
    assert page.locator(".dl-result svg rect").count() == 4 and page.locator(".dl-result svg circle").count() == 2
    assert status(page).startswith("Done.") and page.evaluate("document.activeElement.textContent") == "Once more"


def test_the_published_factors_are_the_chapter_s(show):
    source = (ROOT / "theme/explorables/judgement.js").read_text(encoding="utf-8")
    published = re.search(r"PUBLISHED = \{ length: \[([\d., ]+)\], angle: \[([\d., ]+)\]", source)
    chapter = json.loads((ROOT / "chapters/seeing/perception.ipynb").read_text(encoding="utf-8"))
    code = "".join("".join(cell["source"]) for cell in chapter["cells"])
    assert f'"length": ({published[1]}), "angle": ({published[2]})' in code
    assert math.isclose(2**1.32, 2.5, abs_tol=0.01) and math.isclose(2**0.97, 1.96, abs_tol=0.01)


@pytest.mark.parametrize("typed", ["", "0", "101", "ten"])
def test_an_answer_outside_one_to_a_hundred_is_not_taken(show, typed):
    page = show("judgement")
    page.focus(".dl-start")
    page.keyboard.press("Enter")
    page.keyboard.type(typed)
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('dl-judgement').queue.length") == 11


def test_ratios_lie_where_the_experiment_s_did(show):
    page = show("judgement")
    page.focus(".dl-start")
    page.keyboard.press("Enter")
    trials = page.evaluate("(() => { const e = document.querySelector('dl-judgement'); return [e.trial, ...e.queue]; })()")
    assert sorted(t["kind"] for t in trials) == ["angle"] * 4 + ["length"] * 4 + ["position"] * 4
    for t in trials:
        assert 17 < t["truth"] <= 83.3 and math.isclose(t["truth"], 100 * t["values"][t["b"]] / t["values"][t["a"]])


@pytest.mark.parametrize("name", ["popout", "judgement"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_explorables_fit_a_telephone_and_pass_axe(show, axe, name, scheme):
    page = show(name, color_scheme=scheme, reduced_motion="reduce")
    if name == "judgement":
        judge(page, lambda truth: 50)
    else:
        search(page, "feature")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.is_hidden("text=fallback")
    page.evaluate(axe)
    violations = page.evaluate("axe.run('main').then(result => result.violations.map(v => `${v.id}: ${v.nodes[0].html}`))")
    assert violations == []


@pytest.mark.parametrize("name", ["popout", "judgement"])
def test_the_fallback_stays_without_script(show, name):
    assert show(name, java_script_enabled=False).is_visible("text=fallback")
