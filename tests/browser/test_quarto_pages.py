"""Quarto's pages, where the machine has Quarto: axe finds nothing, they work from file:// and from the keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from press.render import render
from tests import kitchen
from tests.browser.conftest import Site, _served
from tests.browser.test_access import EVERYTHING, LOOKS, WIDER, look, violations

if not shutil.which("quarto"):
    pytest.skip("engine not present", allow_module_level=True)


@pytest.fixture(scope="module")
def quarto_sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The kitchen book by Quarto."""
    book = kitchen.write(tmp_path_factory.mktemp("quarto") / "book")
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
