"""What the page's elements do: theme, search, contents, copying."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from press import assets
from tests.browser.conftest import ROOT, Site

EVERYTHING = "chapters/one/first.html"
THEME = "document.documentElement.dataset.theme"
PAPER = "getComputedStyle(document.documentElement).backgroundColor"
BLOCKED = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
CLIPBOARD = "globalThis.copied = ''; navigator.clipboard.writeText = async text => { globalThis.copied = text; };"


def rgb(colour: str) -> str:
    return f"rgb({', '.join(str(int(colour[i:i + 2], 16)) for i in (1, 3, 5))})"


def paper(theme: str) -> str:
    return rgb(json.loads((ROOT / "theme" / "colours.json").read_text())[theme]["paper"])


# ---- theme ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("script", [True, False])
def test_the_system_chooses_the_theme(scheme: str, script: bool, open_page, sink: Site) -> None:
    page = open_page(color_scheme=scheme, java_script_enabled=script)
    page.goto(sink.url)
    expect(page.locator("html")).to_have_css("background-color", paper(scheme))


def test_the_switch_is_remembered_and_can_be_taken_back(page: Page, sink: Site) -> None:
    page.goto(sink.url)
    switch = page.get_by_role("button", name="Dark theme")
    switch.click()
    expect(switch).to_have_attribute("aria-pressed", "true")
    page.goto(sink.url + EVERYTHING)
    expect(page.locator("html")).to_have_css("background-color", paper("dark"))
    page.get_by_role("button", name="Dark theme").click()
    page.reload()
    assert page.evaluate(THEME) is None
    page.emulate_media(color_scheme="dark")
    expect(page.locator("html")).to_have_css("background-color", paper("dark"))


def test_the_remembered_theme_is_there_before_the_first_paint(page: Page, sink: Site) -> None:
    page.goto(sink.url)
    page.get_by_role("button", name="Dark theme").click()
    page.route("**/book.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.reload()
    assert page.evaluate(THEME) == "dark"


def test_blocked_storage_stops_nothing(page: Page, sink: Site) -> None:
    page.add_init_script(BLOCKED)
    page.goto(sink.url)
    page.get_by_role("button", name="Dark theme").click()
    expect(page.locator("html")).to_have_css("background-color", paper("dark"))


def test_the_categorical_colours_stand_out_on_both_papers() -> None:
    tokens = json.loads((ROOT / "theme" / "colours.json").read_text())
    palette = json.loads((ROOT / "theme" / "palette.json").read_text()).values()
    for theme, colours in (("light", palette), ("dark", map(assets.lighter, palette))):
        for colour in colours:
            assert contrast(colour, tokens[theme]["paper"]) >= 3, (theme, colour)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_and_code_have_enough_contrast(theme: str) -> None:
    tokens = json.loads((ROOT / "theme" / "colours.json").read_text())[theme]
    names = ["ink", "ink-soft", "accent", "brand", "good", "bad", "warn", "note"] + [n for n in tokens if "code-" in n]
    for name in names:
        for ground in ("paper", "surface"):
            assert contrast(tokens[name], tokens[ground]) >= 4.5, (name, ground)


@pytest.mark.parametrize(("theme", "name"), [("light", "quarto-light.scss"), ("dark", "quarto-dark.scss")])
def test_quartos_pages_have_the_same_colours(theme: str, name: str) -> None:
    tokens = json.loads((ROOT / "theme" / "colours.json").read_text())[theme]
    palette = json.loads((ROOT / "theme" / "palette.json").read_text()).values()
    text = (ROOT / "theme" / name).read_text()
    assert dict(re.findall(r"^\$([\w-]+): (#\w+);", text, re.M)) == tokens
    shown = palette if theme == "light" else map(assets.lighter, palette)
    assert re.findall(r"\d: (#\w+)", text) == list(shown)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two colours '#rrggbb'."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# ---- search ---------------------------------------------------------------------------------------------------------


def search(page: Page, words: str) -> None:
    page.keyboard.press("/")
    field = page.get_by_role("searchbox", name="Search the book")
    expect(field).to_be_focused()
    field.fill(words)


@pytest.mark.parametrize("way", ["url", "file"])
def test_a_sentence_is_found_by_keyboard(way: str, page: Page, sink: Site) -> None:
    page.goto(getattr(sink, way) + "references.html")
    search(page, "Salt is salty")
    hits = page.get_by_role("dialog").get_by_role("link")
    expect(hits.first).to_contain_text("A deeper level")
    expect(hits.locator("mark").first).to_be_visible()
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("section")
    page.keyboard.press("ArrowDown")
    expect(hits.first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/chapters/one/first\.html#sec-first-deep"))


@pytest.mark.parametrize("way", ["url", "file"])
def test_an_empty_search_says_so_and_escape_leaves(way: str, page: Page, sink: Site) -> None:
    page.goto(getattr(sink, way) + "index.html")
    search(page, "<b>zyzzyva")
    expect(page.get_by_role("dialog").get_by_role("status")).to_have_text("Nothing found for “<b>zyzzyva”")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Search the book")).to_be_visible()


def test_a_slash_in_a_field_is_a_slash(page: Page, sink: Site) -> None:
    page.goto(sink.url)
    search(page, "a")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_have_value("a/")


def test_the_book_itself_is_searched(page: Page, site: Site) -> None:
    page.goto(site.file + "index.html")
    search(page, "perceptron")
    expect(page.get_by_role("dialog").get_by_role("link").first).to_be_visible()


# ---- contents and copying -------------------------------------------------------------------------------------------


def test_the_contents_follow_the_reading(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    toc = page.get_by_role("navigation", name="On this page")
    for name, link in (("sec-first-quiz", "Quiz"), ("sec-first-table", "Setting the table")):
        page.evaluate("id => document.getElementById(id).scrollIntoView()", name)
        expect(toc.get_by_role("link", name=link)).to_have_attribute("aria-current", "location")
        expect(toc.locator("[aria-current]")).to_have_count(1)


def test_a_link_to_a_section_shows_its_heading_below_the_bar(phone: Page, site: Site) -> None:
    phone.goto(site.url + "chapters/foundations/losses.html")
    sections = phone.evaluate("[...document.querySelectorAll('section[id^=sec-]')].map(section => section.id)")
    assert len(sections) > 5
    bar = phone.locator("header.bar").bounding_box()
    for name in (sections[1], sections[len(sections) // 2]):
        phone.goto(f"{site.url}chapters/foundations/losses.html#{name}")
        heading = phone.locator(f"#{name} > :is(h2, h3)").first
        expect(heading).to_be_in_viewport(ratio=1)
        assert heading.bounding_box()["y"] >= bar["y"] + bar["height"]


def test_code_is_copied_as_it_stands(page: Page, sink: Site) -> None:
    page.add_init_script(CLIPBOARD)
    page.goto(sink.url + EVERYTHING)
    page.get_by_role("button", name="Copy code").first.click()
    expect(page.get_by_text("Copied").first).to_be_visible()
    assert page.evaluate("copied") == 'def double(x: int) -> int:\n    """Twice `x`."""\n    return 2 * x'


def test_an_equation_is_copied_as_tex(page: Page, sink: Site) -> None:
    page.add_init_script(CLIPBOARD)
    page.goto(sink.url + EVERYTHING)
    button = page.get_by_role("button", name="Copy equation as TeX").first
    button.focus()
    expect(button).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    page.wait_for_function("copied !== ''")
    assert page.evaluate("copied") == r"\lVert \mathbf{w} \rVert^2 = \sum_i w_i^2"


def test_copied_text_keeps_its_formulas_as_tex(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    copied = page.evaluate("""() => {
        const text = [...document.querySelectorAll("main p")].find(p => p.querySelector("math[data-tex]:not([display])"));
        getSelection().selectAllChildren(text);
        const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer(), cancelable: true, bubbles: true});
        document.dispatchEvent(event);
        return [event.clipboardData.getData("text/plain"), text.querySelector("math[data-tex]:not([display])").dataset.tex];
    }""")
    assert f"${copied[1]}$" in copied[0] and len(copied[0]) > len(copied[1]) + 2


def test_a_formula_of_one_letter_is_copied_as_tex_too(page: Page, sink: Site) -> None:
    page.goto(sink.url + EVERYTHING)
    copied = page.evaluate("""() => {
        getSelection().selectAllChildren(document.getElementById("term-sink").parentElement);
        const event = new ClipboardEvent("copy", {clipboardData: new DataTransfer(), cancelable: true, bubbles: true});
        document.dispatchEvent(event);
        return event.clipboardData.getData("text/plain");
    }""")
    assert "of volume $V$" in copied


@pytest.mark.parametrize("way", ["url", "file"])
def test_the_books_own_fonts_are_used(way: str, page: Page, sink: Site) -> None:
    page.goto(getattr(sink, way) + EVERYTHING)
    page.evaluate("document.fonts.ready")
    loaded = page.evaluate("[...document.fonts].filter(f => f.status === 'loaded').map(f => f.family.replaceAll('\"', ''))")
    assert {"Book Serif", "Book Sans", "Book Mono", "Book Math"} <= set(loaded)


def test_style_and_script_stay_light(sink: Site) -> None:
    assert sum((sink.folder / "assets" / name).stat().st_size for name in ("book.css", "book.js")) <= 80_000


def open_all(page: Page, place: Site) -> None:
    """Open every page from the server and from its folder; the page's fixture fails where one errs."""
    for name in place.pages:
        for way in (place.url, place.file):
            page.goto(way + name)
            expect(page.locator("main h1")).to_have_count(1)


def test_no_kind_of_page_errs_on_any_address(page: Page, sink: Site) -> None:
    open_all(page, sink)


@pytest.mark.whole
def test_no_page_of_the_book_errs_on_any_address(page: Page, site: Site) -> None:
    open_all(page, site)
