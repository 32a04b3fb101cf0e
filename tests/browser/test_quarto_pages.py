"""Quarto's pages, where the machine has Quarto: axe finds nothing, they work from file:// and from the keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from press.render import render
from tests import kitchen
from tests.browser.conftest import Site, _served, copied
from tests.browser.test_access import EVERYTHING, LOOKS, WIDER, look, violations
from tests.browser.test_reading import CLIPBOARD, search

HEAVIEST = 1_000_000                                                # bytes of a page with its style and scripts
WEIGHT = """[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(e => e.entryType === "navigation" || ["script", "link"].includes(e.initiatorType) && !/woff2?$/.test(e.name))
    .reduce((sum, e) => sum + e.decodedBodySize, 0)"""        # the page, its style sheets and scripts
EXPLORABLES = {"perceptron": "foundations/perceptron", "digit": "vision/cnn", "popout": "seeing/perception",
               "judgement": "seeing/perception"}

if not shutil.which("quarto"):
    pytest.skip("engine not present", allow_module_level=True)


@pytest.fixture(scope="module")
def quarto_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The kitchen book by Quarto."""
    book = kitchen.write(tmp_path_factory.mktemp("quarto") / "book")
    render(book, "quarto")
    yield from _served(book.output)


@pytest.fixture(scope="module")
def quarto_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The real book by Quarto."""
    book = copied(tmp_path_factory.mktemp("quarto-book"))
    render(book, "quarto")
    yield from _served(book.output)


@pytest.mark.parametrize("name", [EVERYTHING, "chapters/two/second.html", "index.html", "references.html",
                                  "api/first.html"])
def test_every_kind_of_page_passes_axe(name: str, page: Page, quarto_sink: Site, axe: str) -> None:
    for width, scheme in LOOKS:
        look(page, width, scheme)
        page.goto(quarto_sink.url + name)
        assert violations(page, axe) == [], (width, scheme)
        assert page.evaluate(WIDER) <= 0, (width, scheme)


def test_colours_follow_the_readers_system(page: Page, quarto_sink: Site) -> None:
    papers = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(quarto_sink.url)
        papers[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert papers == {"light": "rgb(253, 252, 248)", "dark": "rgb(20, 23, 28)"}


def test_pages_use_the_books_fonts(page: Page, quarto_sink: Site) -> None:
    page.goto(quarto_sink.url + EVERYTHING)
    page.evaluate("document.fonts.ready")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family)")
    assert {"Book Serif", "Book Sans", "Book Math"} <= {name.strip('"') for name in loaded}


def test_tabs_callouts_and_explorables_work_from_file_addresses(page: Page, quarto_sink: Site) -> None:
    page.goto(quarto_sink.file + EVERYTHING)
    page.get_by_role("tab", name="By library").click()
    expect(page.get_by_text("Panel of the library.")).to_be_visible()
    head = page.locator(".callout-tip .callout-header")
    head.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Tip inside.")).to_be_visible()
    assert page.evaluate("customElements.get('dl-kitchen') !== undefined")
    expect(page.get_by_role("button", name="Copy code").first).to_be_attached()


def test_an_equation_is_copied_as_tex_without_its_number(page: Page, quarto_sink: Site) -> None:
    page.add_init_script(CLIPBOARD)
    page.goto(quarto_sink.url + EVERYTHING)
    page.get_by_role("button", name="Copy equation as TeX").first.press("Enter")
    page.wait_for_function("copied !== ''")
    assert page.evaluate("copied") == r"\lVert \mathbf{w} \rVert^2 = \sum_i w_i^2"


@pytest.mark.parametrize("way", ["url", "file"])
def test_a_sentence_is_found(way: str, page: Page, quarto_sink: Site) -> None:
    page.goto(getattr(quarto_sink, way) + "references.html")
    search(page, "Salt is salty")
    expect(page.get_by_role("dialog").get_by_role("link").first).to_contain_text("A deeper level")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_every_page_of_the_book_passes_axe_and_keeps_its_width(width: int, scheme: str, page: Page, quarto_site: Site,
                                                               axe: str) -> None:
    look(page, width, scheme)
    found = []
    for name in quarto_site.pages:
        page.goto(quarto_site.url + name)
        page.evaluate("document.fonts.ready")
        found += [f"{name}: {line}" for line in violations(page, axe)]
        found += [f"{name} is {over} px too wide"] if (over := page.evaluate(WIDER)) > 0 else []
    assert found == []


def test_every_page_of_the_book_is_light(page: Page, quarto_site: Site) -> None:
    for name in quarto_site.pages:
        page.goto(quarto_site.url + name)
        page.wait_for_load_state("load")
        assert 0 < page.evaluate(WEIGHT) < HEAVIEST, name


@pytest.mark.parametrize("name", EXPLORABLES)
def test_explorables_start_on_a_phone(name: str, phone: Page, quarto_site: Site) -> None:
    phone.goto(f"{quarto_site.file}chapters/{EXPLORABLES[name]}.html")
    element = phone.locator(f"dl-{name}")
    expect(element.get_by_role("button").first).to_be_visible()
    expect(element.locator(".explorable-fallback")).to_be_hidden()
    before = element.inner_html()
    element.get_by_role("button").first.press("Enter")
    phone.wait_for_function("([name, before]) => document.querySelector(name).innerHTML !== before",
                            arg=[f"dl-{name}", before])
