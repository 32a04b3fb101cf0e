"""Pages can be read by everyone: axe finds nothing, nothing scrolls sideways, all works from the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Site

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
         "rules": {"region": {"enabled": True}}}
EVERYTHING = "chapters/one/first.html"
LOOKS = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")]
WIDER = "document.documentElement.scrollWidth - innerWidth"


def violations(page: Page, axe: str) -> list[str]:
    """What axe finds on the page as it is now, one line each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    found = page.evaluate("rules => axe.run(document, {...rules, resultTypes: ['violations']})", RULES)["violations"]
    return [f"{item['id']}: {node['target']} {node['failureSummary'][:300]}" for item in found for node in item["nodes"]]


def look(page: Page, width: int, scheme: str) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=scheme)


def test_axe_finds_a_fault_that_is_there(page: Page, sink: Site, axe: str) -> None:
    page.goto(sink.url)
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"data:,\">"
                  "<p style=\"color:#999;background:#fff\">pale</p>')")
    found = "\n".join(violations(page, axe))
    assert "image-alt" in found and "color-contrast" in found


@pytest.mark.parametrize("kind", [EVERYTHING, "chapters/two/second.html", "index.html", "references.html",
                                  "api/first.html", "404.html"])
def test_every_kind_of_page_passes_axe_in_both_themes_and_widths(kind: str, page: Page, sink: Site, axe: str) -> None:
    if kind not in sink.pages:
        pytest.skip(f"the book has no {kind}")
    page.goto(sink.url + kind)
    for width, scheme in LOOKS:
        look(page, width, scheme)
        assert violations(page, axe) == [], (width, scheme)


@pytest.mark.whole
@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_every_page_of_the_book_passes_axe(width: int, scheme: str, page: Page, site: Site, axe: str) -> None:
    look(page, width, scheme)
    found = []
    for name in site.pages:
        page.goto(site.url + name)
        found += [f"{name}: {line}" for line in violations(page, axe)]
    assert found == []


def wide(page: Page, place: Site) -> list[str]:
    """The pages that scroll sideways on a phone."""
    look(page, 360, "light")
    found = []
    for name in place.pages:
        page.goto(place.url + name)
        page.evaluate("document.fonts.ready")
        if page.evaluate(WIDER) > 0:
            found.append(name)
    return found


def test_no_kind_of_page_scrolls_sideways_on_a_phone(page: Page, sink: Site) -> None:
    assert wide(page, sink) == []


@pytest.mark.whole
def test_no_page_of_the_book_scrolls_sideways_on_a_phone(page: Page, site: Site) -> None:
    assert wide(page, site) == []


def test_what_is_wide_scrolls_inside_itself_and_takes_the_focus(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    look(page, 360, "light")
    page.evaluate("document.querySelector('main pre').firstElementChild.append('x'.repeat(200))")
    page.set_viewport_size({"width": 340, "height": 800})
    block = page.locator("main pre").first
    expect(block).to_have_attribute("tabindex", "0")
    expect(block).to_have_attribute("aria-label", "Code")
    assert page.evaluate(WIDER) <= 0


# ---- keyboard -------------------------------------------------------------------------------------------------------


def assert_focus_shows(page: Page) -> None:
    """The focused element has an outline and is on screen."""
    style = page.evaluate("(() => { const e = document.activeElement, s = getComputedStyle(e), r = "
                          "e.getBoundingClientRect(); return [s.outlineStyle, parseFloat(s.outlineWidth), r.bottom, r.top]; })()")
    assert style[0] != "none" and style[1] >= 2 and style[2] > 0 and style[3] < 900, style


def test_the_skip_link_comes_first_and_leads_to_the_text(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the text")).to_be_focused()
    assert_focus_shows(page)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_every_stop_of_the_tab_key_is_seen(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    page.add_style_tag(content="*, *::before { transition: none !important; }")
    stops = set()
    for _ in range(45):
        page.keyboard.press("Tab")
        assert_focus_shows(page)
        stops.add(page.evaluate("document.activeElement.outerHTML.slice(0, 150)"))
    assert len(stops) > 25


def test_the_drawer_opens_traps_and_closes(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    look(page, 360, "light")
    menu, contents = page.get_by_role("button", name="Contents"), page.locator("#contents")
    expect(contents).to_be_hidden()
    menu.focus()
    page.keyboard.press("Enter")
    expect(contents).to_be_visible()
    expect(menu).to_have_attribute("aria-expanded", "true")
    expect(contents.locator("[aria-current=page]")).to_be_focused()
    for _ in range(40):
        page.keyboard.press("Tab")
        assert not page.evaluate("document.activeElement.closest('main, .foot') !== null")
    page.keyboard.press("Escape")
    expect(contents).to_be_hidden()
    expect(menu).to_be_focused()


def test_the_tabs_follow_the_aria_pattern(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    first, second = page.get_by_role("tab", name="By hand"), page.get_by_role("tab", name="By library")
    first.focus()
    expect(page.get_by_role("tabpanel", name="By hand")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(second).to_be_focused()
    expect(second).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("Panel of the library.")).to_be_visible()
    expect(page.get_by_text("Panel of the hand.")).to_be_hidden()
    for key, focused in (("ArrowRight", first), ("End", second), ("Home", first), ("ArrowLeft", second)):
        page.keyboard.press(key)
        expect(focused).to_be_focused()


# ---- without script -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [1280, 360])
def test_a_page_without_script_is_whole(width: int, open_page, sink: Site) -> None:
    page = open_page(java_script_enabled=False, viewport={"width": width, "height": 800})
    page.goto(sink.file + EVERYTHING)
    for words in ("Panel of the hand.", "Panel of the library.", "The fallback of the explorable."):
        expect(page.get_by_text(words)).to_be_visible()
    page.get_by_role("link", name="Contents").click() if width == 360 else None
    expect(page.get_by_role("navigation", name="Book").get_by_role("link", name="First & foremost")).to_be_visible()
    expect(page.get_by_role("navigation", name="Previous and next").get_by_role("link").first).to_be_visible()
    expect(page.get_by_role("button", name="Dark theme")).to_have_count(0)


def test_paper_shows_the_text_and_no_furniture(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    page.emulate_media(media="print", color_scheme="dark")
    for furniture in (".bar", "#contents", ".leaves", ".skip", ".copy >> nth=0", ".tab-list"):
        expect(page.locator(furniture)).to_be_hidden()
    for words in ("Panel of the hand.", "Panel of the library."):
        expect(page.get_by_text(words)).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
