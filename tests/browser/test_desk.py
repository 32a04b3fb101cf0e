"""The reader's own pages: progress, recap quizzes and exams, courses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from lxml import html
from playwright.sync_api import Page, expect

from press import courses, downloads
from press.render.html import render
from tests import quizbook
from tests.browser.conftest import Site, _served
from tests.browser.test_access import LOOKS, WIDER, look, violations

DAY = 24 * 60 * 60 * 1000


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The book whose quiz has every kind, with two blueprints and a course."""
    book = quizbook.write(tmp_path_factory.mktemp("desk") / "book")
    for chapter in book:
        downloads.write_notebooks(book, chapter)
    courses.archives(book)
    render(book, 2)
    yield from _served(book.output)


def answer(page: Page, asked: Site, name: str, text: str) -> None:
    page.goto(f"{asked.url}chapters/one/first.html#q-one-{name}")
    page.locator(f"#q-one-{name} .quiz-line").fill(text)
    page.locator(f"#q-one-{name}").get_by_role("button", name="Check").click()


def row(page: Page, table: str, name: str) -> list[str]:
    return page.get_by_role("region", name=table).get_by_role("row", name=name).locator("td").all_inner_texts()


# ---- progress -------------------------------------------------------------------------------------------------------


def test_progress_shows_reviews_saves_adds_and_erases(page: Page, asked: Site, axe: str, tmp_path: Path) -> None:
    page.clock.install()
    answer(page, asked, "text", "MSE")
    answer(page, asked, "shape", "(64, 10)")
    page.goto(asked.url + "progress.html")
    assert row(page, "By part and chapter", "First & foremost") == ["2 of 12", "1", "1"]
    part = page.get_by_role("region", name="By part and chapter").get_by_role("row").nth(1)
    expect(part.get_by_role("rowheader")).to_have_text("Firsts")
    assert part.locator("td").all_inner_texts() == ["2 of 12", "1", "1"]
    assert row(page, "By course", "A course of cooking") == ["2 of 12", "1", "1"]
    page.get_by_text("outcomes").click()
    expect(page.get_by_role("link", name="question 1")).to_have_attribute(
        "href", f"{asked.url}chapters/one/first.html#q-one-single"
    )
    expect(page.get_by_text("Nothing to review today, 2 tomorrow.")).to_be_visible()
    page.clock.fast_forward(DAY + 1000)
    page.reload()
    expect(page.get_by_text("2 questions to review today")).to_be_visible()
    page.get_by_role("button", name="Review 2 questions now").click()
    expect(page.get_by_role("heading", name="To review today")).to_be_focused()
    page.locator("#q-one-text .quiz-line").fill("hinge loss")
    page.locator("#q-one-text").get_by_role("button", name="Check").click()
    expect(page.locator("#q-one-text .quiz-verdict")).to_have_text("Right.")
    for width, scheme in (LOOKS[0], LOOKS[3]):
        look(page, width, scheme)
        page.evaluate("scrollTo(0, 0)")
        assert violations(page, axe) == [] and page.evaluate(WIDER) <= 0
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_text("1 question to review today")).to_be_visible()
    assert row(page, "By part and chapter", "First & foremost") == ["2 of 12", "1", "1"]  # reviewed, and the score is the same
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my progress").click()
    download.value.save_as(tmp_path / "mine.json")
    page.get_by_role("button", name="Erase my progress").click()  # Playwright refuses dialogs: nothing goes
    assert row(page, "By part and chapter", "First & foremost")[0] == "2 of 12"
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Erase my progress").click()
    expect(page.get_by_text("Erased.")).to_be_visible()
    assert row(page, "By part and chapter", "First & foremost")[0] == "0 of 12"
    page.get_by_label("Add a file").set_input_files({"name": "x.json", "mimeType": "application/json", "buffer": b"{}"})
    expect(page.get_by_text("holds no progress of this book")).to_be_visible()
    page.get_by_label("Add a file").set_input_files(tmp_path / "mine.json")
    expect(page.get_by_text("the file holds answers to 2 questions")).to_be_visible()
    assert row(page, "By part and chapter", "First & foremost") == ["2 of 12", "1", "1"]


# ---- exams ----------------------------------------------------------------------------------------------------------


def test_an_exam_runs_against_the_clock_and_ends_with_a_report(page: Page, asked: Site, axe: str) -> None:
    page.clock.install()
    page.goto(asked.url + "exams/mock.html")
    page.get_by_label("Form").select_option("B")
    page.get_by_label("with the clock, 30 minutes").check()
    page.get_by_role("button", name="Begin the exam").click()
    expect(page.locator(".exam-time")).to_have_text("30:00 left")
    expect(page.locator(".question")).to_have_count(5)
    expect(page.get_by_role("button", name="Check")).to_have_count(0)
    page.clock.run_for(61_000)
    expect(page.locator(".exam-time")).to_have_text("28:59 left")
    page.locator("#q-one-number .quiz-line").fill("2.5")
    assert violations(page, axe) == []
    page.clock.run_for(29 * 60_000)
    report = page.locator(".quiz-score")
    expect(report).to_be_focused()
    expect(report).to_contain_text("Time is up. 3 of 11 points, 27 %, in 30 minutes; 4 left out.")
    expect(report).to_contain_text("What to read again")
    expect(page.locator("#q-one-number .quiz-verdict")).to_have_text("Right.")
    for width, scheme in (LOOKS[0], LOOKS[3]):
        look(page, width, scheme)
        page.evaluate("scrollTo(0, 0)")
        assert violations(page, axe) == [] and page.evaluate(WIDER) <= 0
    page.get_by_role("button", name="Another form").click()
    expect(page.get_by_role("button", name="Begin the exam")).to_be_visible()


def test_a_recap_marks_as_one_goes_and_leaves_the_score(page: Page, asked: Site) -> None:
    page.goto(asked.file + "exams/recap.html")
    page.get_by_role("button", name="Begin").click()
    expect(page.locator(".question")).to_have_count(3)
    card = page.locator(".question").first
    card.locator("input").first.fill("1") if card.locator(".quiz-line").count() else card.locator("input").first.check()
    card.get_by_role("button", name="Check").click()
    expect(card.locator(".quiz-verdict")).to_be_visible()
    page.get_by_role("button", name="See the report").click()
    expect(page.locator(".quiz-score")).to_contain_text("2 left out")
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(asked.file + "progress.html")
    assert row(page, "By part and chapter", "First & foremost")[0] == "0 of 12"


def test_exams_list_their_questions_without_script(open_page, asked: Site) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(asked.url + "exams/mock.html")
    expect(page.locator("dl-exam li a")).to_have_count(5)
    page.locator("dl-exam li a").first.click()
    assert "#q-one-" in page.url


# ---- courses --------------------------------------------------------------------------------------------------------


def lost(site: Site, folder: str) -> list[str]:
    """Links of the pages in a folder that lead nowhere."""
    ids: dict[Path, set[str]] = {}
    found = []
    for path in sorted((site.folder / folder).glob("*.html")):
        for link in html.parse(path).getroot().xpath("//main//a/@href"):
            name, _, anchor = link.partition("#")
            target = (path.parent / unquote(name)).resolve() if name else path
            if "://" in link or not target.is_file():
                found += [f"{path.name}: {link}"] * ("://" not in link)
            elif anchor and target.suffix == ".html":
                if target not in ids:
                    ids[target] = set(html.parse(target).getroot().xpath("//@id"))
                found += [f"{path.name}: {link}"] * (anchor not in ids[target])
    return found


def test_course_and_exam_links_of_the_book_land(site: Site, asked: Site) -> None:
    assert len(list((site.folder / "courses").glob("*.html"))) > 2
    assert [lost(place, folder) for place in (site, asked) for folder in ("courses", "exams")] == [[]] * 4
    broken = asked.folder / "courses" / "broken.html"
    broken.write_text("<main><a href='../nowhere.html'>x</a><a href='X.html#nothing'>y</a></main>")
    try:
        assert len(lost(asked, "courses")) == 2
    finally:
        broken.unlink()


def test_a_course_says_what_is_taught_and_what_is_missing(page: Page, asked: Site) -> None:
    page.goto(asked.url + "courses/X.html")
    expect(page.locator("#X01")).to_contain_text("First & foremost")
    expect(page.locator("#X01").get_by_role("link", name="12 questions")).to_be_visible()
    expect(page.locator("#X02")).to_contain_text("Still to be written: three/third")
    expect(page.locator("#X03")).to_contain_text("Every chapter serves this.")
