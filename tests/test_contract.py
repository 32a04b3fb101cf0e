"""The contract of a page (markdown.md), on every engine that this machine has: one test per cell of its page column.

The faults, the incremental build and the safety of `_book/` are the embedded engine's own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from lxml import html
from nbformat.v4 import new_code_cell, new_output

from press import book as model
from press import glossary
from press.book import BookError, ProblemsFound
from press.quiz import page as quiz_page
from press.render import html as embedded
from press.render import render
from press.render.highlight import marked
from tests import kitchen

QUARTO = shutil.which("quarto")
ENGINES = ["pandoc", pytest.param("quarto", marks=pytest.mark.skipif(not QUARTO, reason="quarto is not on the PATH"))]


@pytest.fixture(scope="session")
def pandoc_book(tmp_path_factory):
    """The kitchen-sink book, rendered by the embedded engine."""
    book = kitchen.write(tmp_path_factory.mktemp("pandoc"))
    render(book, "pandoc")
    return book


@pytest.fixture(scope="session")
def quarto_book(tmp_path_factory):
    """The same book, rendered by Quarto."""
    book = kitchen.write(tmp_path_factory.mktemp("quarto"))
    render(book, "quarto")
    return book


@pytest.fixture(scope="session", params=ENGINES)
def site(request):
    """A rendered site's folder; `engine` says by which engine."""
    return request.getfixturevalue(f"{request.param}_book").output


@pytest.fixture(scope="session")
def first(site):
    """The page that has everything."""
    return parsed(site / "chapters/one/first.html")


@pytest.fixture
def on_pandoc(site):
    return not (site / "site_libs").is_dir()


def parsed(path: Path):
    return html.fromstring(path.read_bytes())


def main(page):
    return page.xpath("//main")[0]


def words(element) -> str:
    """What a reader sees: no scripts, no TeX annotations, single spaces."""
    parts = element.xpath(".//text()[not(ancestor::script or ancestor::style or ancestor::annotation)]")
    return " ".join("".join(parts).replace("\xa0", " ").split())


def by_id(page, name):
    found = page.xpath(f'//*[@id="{name}"]')
    assert len(found) == 1, f"{len(found)} elements have the id {name}"
    return found[0]


def link_text(page, ending: str) -> list[str]:
    """The texts of the links in the main part whose address ends so."""
    return [words(a) for a in main(page).xpath(".//a[@href]") if a.get("href").endswith(ending)]


def cell_with(page, text: str):
    """The innermost `.cell` that shows this text."""
    return next(div for div in page.xpath('//div[contains(concat(" ", @class, " "), " cell ")]') if text in words(div))


# ---- headings and navigation ----------------------------------------------------------------------------------------


def test_headings_are_numbered_by_chapter(first):
    headings = [words(h) for h in main(first).xpath(".//h2 | .//h3")]
    assert "1.1 Setting the table" in headings
    assert "1.1.1 A deeper level" in headings
    assert re.match(r"(1 )?First & foremost", words(first.xpath("//h1")[0]))


def test_appendices_are_numbered_by_letter(site):
    page = parsed(site / "chapters/appendix/extra.html")
    assert "A.1 Inside" in [words(h) for h in main(page).xpath(".//h2")]


def test_heading_anchors_are_the_ids_in_the_source(first):
    assert words(by_id(first, "sec-first-table")).startswith("1.1 Setting the table")


def test_table_of_contents_lists_the_sections(first):
    assert first.xpath('//nav//a[contains(@href, "#sec-first-table")]')


def test_navigation_names_parts_and_chapters(first):
    text = " ".join(words(nav) for nav in first.xpath("//nav"))
    assert all(name in text for name in ("Firsts", "Seconds", "First & foremost", "Second helping", "Extra"))


def test_previous_and_next_follow_the_order_of_the_book(first):
    near = {rel: first.xpath(f'//link[@rel="{rel}"]/@href') for rel in ("prev", "next")}
    assert near["prev"] and near["prev"][0].endswith("index.html")
    assert near["next"] and near["next"][0].endswith("two/second.html")


# ---- mathematics ----------------------------------------------------------------------------------------------------


def test_formulas_are_mathml_that_keeps_its_tex(first):
    assert len(main(first).xpath(".//*[local-name()='math']")) >= 4
    sources = first.xpath("//*[local-name()='annotation']/text() | //*[local-name()='math']/@data-tex")
    assert any(r"\lVert \mathbf{w} \rVert^2" in source for source in sources)


def test_formulas_need_no_script(first):
    assert not [s for s in first.xpath("//script/@src") if "mathjax" in s.lower() or "katex" in s.lower()]


def test_equations_are_numbered(first):
    assert "(1.1)" in words(by_id(first, "eq-first-norm")).replace(" ", "")


# ---- cross-references -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("label", "text"), [
    ("#fig-first-line", "Figure 1.1"), ("#tbl-first-frame", "Table 1.1"), ("#eq-first-norm", "Equation 1.1"),
    ("#thm-first-salt", "Theorem 1.1"), ("#sec-first-table", "Section 1.1"), ("#exr-first-boil", "Exercise 1.1")])
def test_cross_references_within_a_chapter(first, label, text):
    assert text in link_text(first, label)


@pytest.mark.parametrize(("label", "text"), [
    ("two/second.html#fig-second-dot", "Figure 2.1"), ("two/second.html#sec-second-end", "Section 2.1"),
    ("appendix/extra.html#sec-extra", "Appendix A")])
def test_cross_references_across_chapters(first, label, text):
    assert text in link_text(first, label) or text in link_text(first, label.partition("#")[0])


# ---- titled blocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("label", "title"), [
    ("thm-first-salt", "Theorem 1.1 (The salt theorem)"), ("lem-first-a", "Lemma 1.1"),
    ("def-first-b", "Definition 1.1 (Pinch)"), ("exm-first-c", "Example 1.1")])
def test_theorems_have_number_and_title(first, label, title):
    assert words(by_id(first, label)).startswith(title)


def test_theorem_titles_are_no_sections(first):
    assert not [h for h in main(first).xpath(".//h2 | .//h3") if "salt theorem" in words(h)]


def test_proofs_are_marked(first):
    proof = main(first).xpath('.//div[contains(@class, "proof")]')[0]
    assert words(proof).startswith("Proof. Taste it.")


@pytest.mark.parametrize(("kind", "title", "body"), [
    ("note", "Note", "Plain note."), ("warning", "Hot T", "Titled warning."), ("tip", "Folded tip", "Tip inside."),
    ("important", "Important", "Important."), ("caution", "Caution", "Caution.")])
def test_callouts(first, kind, title, body):
    box = main(first).xpath(f'.//*[contains(concat(" ", @class, " "), " callout-{kind} ")]')[0]
    assert title.replace(" T", "") in words(box) and body in words(box)


def test_a_collapsed_callout_can_be_opened(first, on_pandoc):
    box = main(first).xpath('.//*[contains(concat(" ", @class, " "), " callout-tip ")]')[0]
    assert box.tag == "details" if on_pandoc else box.xpath('.//*[@aria-controls]')


def test_check_holds_the_cell_below_and_its_result(first):
    box = main(first).xpath('.//div[contains(concat(" ", @class, " "), " check ")]')[0]
    text = words(box)
    assert text.startswith("Checked Doubling is adding")
    assert "assert double(2) == 2 + 2" in text and "both give 4" in text


def test_reading_note(first):
    assert words(main(first).xpath('.//div[contains(@class, "reading")]')[0]).startswith("Reading this figure Position")


def test_tabs_show_all_panels_without_script(first):
    text = words(main(first))
    assert "Panel of the hand." in text and "Panel of the library." in text


def test_tabs_are_named(first, on_pandoc):
    if on_pandoc:
        names = first.xpath("//dl-tabs/section/@aria-label")
    else:
        names = [words(tab) for tab in first.xpath('//*[@role="tab"]')]
    assert names[:2] == ["By hand", "By library"]


# ---- cells ----------------------------------------------------------------------------------------------------------


def test_figure_has_number_caption_and_alt_text(first):
    figure = by_id(first, "fig-first-line")
    assert figure.xpath(".//img/@alt") == ['A "straight" line & its \\slope']
    assert re.search(r"Figure 1.1: The line rises over \[0, 1\), see . and Rosenblatt \(1958\)", words(figure))


def test_figure_is_a_file_of_the_site(site, first):
    source = by_id(first, "fig-first-line").xpath(".//img/@src")[0]
    assert (site / "chapters/one" / source).read_bytes().startswith(b"<svg")


def test_margin_figure(site):
    page = parsed(site / "chapters/two/second.html")
    figure = by_id(page, "fig-second-dot")
    classes = " ".join(figure.xpath("./@class | ancestor::div/@class | .//@class"))
    assert "column-margin" in classes


def test_data_frame_is_an_accessible_table(first, on_pandoc):
    table = first.xpath('//table[contains(., "Adelie")]')[0]
    heads = [words(th) for th in table.xpath(".//th")]
    assert "height (cm)" in heads and "Adelie" in heads
    assert words(table.xpath(".//td[contains(., 'a <')]")[0]) == "a < b & c"
    if on_pandoc:
        assert {th.get("scope") for th in table.xpath(".//th")} == {"col", "row"}


def test_table_has_its_caption(first):
    caption = first.xpath('//caption[contains(., "Heights")] | //figcaption[contains(., "Heights")]')[0]
    assert words(caption) == "Table 1.1: Heights of penguins."


def test_echo_false_hides_the_code_and_keeps_the_output(first):
    text = words(main(first))
    assert "shown_output" in text and "hidden_code" not in text


def test_code_fold_folds_the_code(first):
    fold = main(first).xpath('.//details[.//code[contains(., "folded_code")]]')
    assert len(fold) == 1 and words(fold[0]).startswith("Code") and fold[0].get("open") is None


def test_output_false_drops_the_output(first):
    text = words(main(first))
    assert "dropped()" in text and "dropped_output" not in text


def test_include_false_drops_the_cell(first):
    text = words(main(first))
    assert "never_there" not in text and "never_output" not in text


def test_directives_are_never_shown(first):
    text = words(main(first))
    assert "#|" not in text and "default_exp" not in text


def test_exported_cell_names_its_module_and_links_the_package(first):
    cell = cell_with(first, "def double")
    assert "dlbook.first" in words(cell)
    assert cell.xpath('.//a[@href="../../api/first.html#double"]')


def test_terminal_codes_and_progress_bars_are_left_out(on_pandoc, first):
    if on_pandoc:
        text = words(cell_with(first, "long_run"))
        assert "red text" in text and "it/s" not in text and "HBox" not in text and "[31m" not in text


def test_waived_rules_are_shown_with_their_reason(first):
    assert "zero-bars: there are no bars" in words(cell_with(first, "plot(secret=1)"))


# ---- citations, quiz, explorable, links, the rest -------------------------------------------------------------------


def test_citations_name_and_link_the_work(first):
    text = words(by_id(first, "sec-first-table"))
    assert re.search(r"\(Rosenblatt 1958, (p\. )?3; Minsky (and|&) Papert 1969\)", text)
    assert re.search(r"Minsky (and|&) Papert \(1969\) say so", text)
    assert [a for a in main(first).xpath(".//a/@href") if a.endswith("#ref-rosenblatt1958perceptron")]


def test_bibliography_links_dois(site):
    page = parsed(site / "references.html")
    entry = by_id(page, "ref-rosenblatt1958perceptron")
    assert entry.xpath('.//a[@href="https://doi.org/10.1037/h0042519"]')


def test_a_term_leads_to_its_entry_and_the_entry_back(site, first):
    term = by_id(first, "term-sink")
    assert term.tag in ("dfn", "span") and words(term) == "sink"
    assert term.xpath(".//a/@href") == ["../../glossary.html#entry-sink"]
    page = parsed(site / "glossary.html")
    entries = [words(entry) for entry in main(page).xpath(".//dt")]
    assert entries == ["sink", "water"]
    assert words(main(page).xpath(".//dd")[0]).startswith("A sink is a basin with a tap, of volume")
    assert main(page).xpath('.//dt[.//*[@id="entry-sink"] or @id="entry-sink"]')
    assert main(page).xpath(".//dd//a/@href")[0].removeprefix("./") == "chapters/one/first.html#term-sink"


def test_quiz_shows_questions_with_folded_answers(site, first):
    question = by_id(first, "q-first-salt")
    assert question.xpath(".//*[local-name()='math']")
    fold = question.xpath(".//details")[0]
    name, _, place = fold.xpath(".//iframe/@src")[0].partition("#")
    answer = by_id(parsed(site / "chapters/one" / name), place)
    assert "That adds one too many." in words(answer) and fold.get("open") is None


def test_quiz_resolves_its_references(site, first):
    answer = by_id(parsed(site / "chapters/one/first.answers.html"), "a-first-salt")
    links = {words(a): a.get("href") for part in (by_id(first, "q-first-salt"), answer) for a in part.xpath(".//a")}
    assert links.keys() >= {"Equation 1.1", "Theorem 1.1", "Section 1.1"}
    assert links["Theorem 1.1"] == "first.html#thm-first-salt"


def test_no_key_of_the_quiz_is_readable_in_the_page(site, first):
    source = (site / "chapters/one/first.html").read_text(encoding="utf-8")
    data = (site / "chapters/one/first.quiz.js").read_text(encoding="utf-8")
    for key in ("That adds one too many.", "One is missing.", "right: true", "quiz-fragment"):
        assert key not in source and key not in data
    assert first.xpath("//dl-quiz[@src='first.quiz.js']//*[@id='q-first-count']")


def test_the_quiz_brings_its_data_beside_the_page(site):
    packed = re.search(r'dlbookQuiz\("([^"]+)"\)', (site / "chapters/one/first.quiz.js").read_text("utf-8"))[1]
    made = quiz_page.unpack(packed)
    assert [question["id"] for question in made["questions"]] == ["first-salt", "first-count"]
    first, *_ = made["questions"][0]["variants"]
    assert "<math" in first["prompt"] and 'href="#eq-first-norm"' in first["prompt"]
    assert [option["right"] for option in first["options"]] == [True, False, False]
    assert "Section" in made["questions"][0]["section"] and "fragment" not in json.dumps(made)


def test_exercises_show_tasks_with_folded_hints_and_solutions(first):
    task = by_id(first, "exr-first-boil")
    assert words(task).startswith("Exercise 1.1 (Boil water)")
    assert ["Hint", "Solution"] == [words(s) for s in task.xpath(".//details/summary")]


def test_explorable_keeps_its_fallback_and_brings_its_script_and_data(first):
    element = first.xpath("//dl-kitchen")[0]
    assert "The fallback of the explorable." in words(element)
    data = element.xpath('.//script[@type="application/json"]')[0]
    assert json.loads(data.text) == {"text": "</script><b>"}
    assert [s for s in first.xpath('//script[@type="module"]') if "dl-kitchen" in (s.text or "")]


def test_links_to_notebooks_become_links_to_pages(first):
    assert "the end" in link_text(first, "two/second.html#sec-second-end")
    assert "the second chapter" in link_text(first, "two/second.html")


def test_footnotes_lists_images_and_details(first):
    body = main(first)
    assert "A footnote with" in words(body)
    assert body.xpath(".//ol/li//ul/li[contains(., 'nested')]")
    assert body.xpath('.//img[@alt="A hand-drawn dot"]')
    assert "Hidden words." in words(body.xpath(".//details[summary[contains(., 'More')]]")[0])


# ---- every page -----------------------------------------------------------------------------------------------------


def test_outcomes_stand_at_the_top(first):
    text = words(main(first))
    assert text.index("Cook with") < text.index("Setting the table")


def test_reading_and_running_time(first):
    assert re.search(r"Reading time \d+ min · runs in 12 s on a CPU", words(main(first)))


def test_execution_record_stands_at_the_foot(first):
    text = words(main(first))
    assert "3 May 2026 in 12 s on Test CPU" in text and "2.13.0" in text
    assert text.index("Test CPU") > text.index("Boil water")


@pytest.mark.parametrize("suffix", ["", "-exercises", "-solutions"])
def test_notebooks_can_be_downloaded(site, first, suffix):
    name = f"../../downloads/one/first{suffix}.ipynb"
    assert main(first).xpath(f'.//a[@href="{name}"]')
    nbformat.validate(nbformat.read(site / f"downloads/one/first{suffix}.ipynb", as_version=4))


def test_repository_links_come_from_the_config(first):
    links = first.xpath("//a/@href")
    assert "https://colab.research.google.com/github/example/kitchen/blob/notebooks/one/first.ipynb" in links
    assert [a for a in links if a.startswith("https://github.com/example/kitchen/") and "issues" in a]


def test_nothing_is_loaded_from_another_host(site):
    for path in site.rglob("*.html"):
        page = parsed(path)
        loaded = page.xpath("//script/@src | //img/@src | //iframe/@src | //link[not(@rel='canonical')]/@href")
        assert not [url for url in loaded if urlsplit(url).netloc], path.name


def test_every_link_of_the_site_lands(site):
    pages = {path: parsed(path) for path in site.rglob("*.html") if "pagefind" not in path.parts}
    ids = {path.resolve(): set(page.xpath("//@id")) for path, page in pages.items()}
    lost = [f"{path.relative_to(site)}: {url}" for path, page in pages.items() for url in page.xpath("//a/@href")
            if not _lands(path, url, ids)]
    assert not lost


def _lands(path: Path, url: str, ids: dict) -> bool:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc or url in ("#", ""):
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    target = target / "index.html" if target.is_dir() else target
    fragment = unquote(parts.fragment)
    return target.is_file() and (not fragment or target not in ids or fragment in ids[target])


def test_ids_are_unique_on_every_page(site):
    for path in site.rglob("chapters/**/*.html"):
        ids = parsed(path).xpath("//body//@id")
        assert len(ids) == len(set(ids)), path.name


def test_weight_without_figures(site, on_pandoc):
    """The page and what it loads at once: style, scripts, the fonts that it preloads."""
    page = site / "chapters/one/first.html"
    tree = parsed(page)
    loaded = tree.xpath('//script/@src | //link[@rel="stylesheet" or @rel="preload"]/@href')
    files = {(page.parent / url).resolve() for url in loaded if not urlsplit(url).netloc}
    weight = page.stat().st_size + sum(path.stat().st_size for path in files)
    assert weight <= (300_000 if on_pandoc else 1_100_000)


# ---- the embedded engine's search, package pages, hostile text ------------------------------------------------------


def test_search_index_for_file_addresses(pandoc_book):
    text = (pandoc_book.output / "search-index.js").read_text("utf-8")
    entries = json.loads(text.removeprefix("globalThis.dlbookSearch = ").rstrip(";\n"))
    found = next(e for e in entries if e["url"] == "chapters/one/first.html#sec-first-deep")
    assert found["title"] == "First & foremost" and found["section"] == "A deeper level"
    assert "nested" in found["text"] and "<" not in text.partition("= ")[2].replace("\\u003c", "")


def test_search_index_for_servers(pandoc_book):
    entry = json.loads((pandoc_book.output / "pagefind/pagefind-entry.json").read_text())
    assert sum(language["page_count"] for language in entry["languages"].values()) == 4


def test_package_page_links_the_section_that_explains_it(pandoc_book):
    page = parsed(pandoc_book.output / "api/first.html")
    item = by_id(page, "double")
    assert "double(x: int) -> int" in words(item) and "Twice x, by Equation 1.1. Source: Theorem 1.1." in words(item)
    assert item.xpath('.//a[@href="../chapters/one/first.html#sec-first-deep"]')
    assert item.xpath('.//a[@href="../chapters/one/first.html#thm-first-salt"]')


def test_an_unknown_label_in_a_docstring_fails_the_build(fresh):
    module = fresh.root / "dlbook/first.py"
    module.write_text(module.read_text("utf-8").replace("eq-first-norm", "eq-first-form"), encoding="utf-8")
    with pytest.raises(ProblemsFound, match="dlbook/first.py: a docstring names eq-first-form"):
        embedded.render(fresh)


def test_titles_are_shown_not_run(pandoc_book):
    text = (pandoc_book.output / "index.html").read_text("utf-8")
    assert "Kitchen &amp; &lt;sink&gt;" in text and "<sink>" not in text


def test_listings_are_marked_up_and_read_the_same():
    code = '@dataclass\nclass A(B):\n    """Doc "x" # no"""\n'
    code += '    def f(self, n: int = 0x1F):  # c < d\n        return f"{n}\\"" + .5'
    text = marked(code)
    assert html.fromstring(f"<pre>{text}</pre>").text_content() == code
    for kind, token in (("i", '"""Doc "x" # no"""'), ("c-c", "# c &lt; d"), ("c-n", "f"),
                        ("b", "def"), ("b", "return"), ("c-n", "@dataclass"), ("i", 'f"{n}\\""')):
        assert f"<{kind}>{token}</{kind}>" in text


# ---- faults: file and cell are named, the old book stays ------------------------------------------------------------


@pytest.fixture
def fresh(pandoc_book, tmp_path):
    """A copy of the rendered book that a test may break."""
    root = tmp_path / "book"
    shutil.copytree(pandoc_book.root, root, symlinks=True)
    return model.load(root)


def with_cell(book: model.Book, cell) -> model.Book:
    path = book.chapters["two/second"].notebook
    notebook = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(notebook | {"cells": [*notebook["cells"], cell]}), encoding="utf-8")
    return book


FIGURE = new_output("display_data", data={"image/svg+xml": kitchen.SVG.format("x")})
FAULTS = {
    "unknown label": (kitchen.text("See @fig-nowhere.", "bad"), "fig-nowhere"),
    "unknown key": (kitchen.text("See [@nobody1900nothing].", "bad"), "nobody1900nothing"),
    "broken page link": (kitchen.text("[x](../two/missing.ipynb)", "bad"), "missing.ipynb"),
    "broken anchor": (kitchen.text("[x](../one/first.ipynb#sec-none)", "bad"), "sec-none"),
    "broken download": (kitchen.text("[x](../../downloads/one/none.ipynb)", "bad"), "none.ipynb"),
    "missing picture": (kitchen.text("![A dot](gone.png)", "bad"), "gone.png"),
    "picture of another host": (kitchen.text("![A dot](https://example.org/a.png)", "bad"), "another host"),
    "picture without alt text": (kitchen.text("![](../one/dot.png)", "bad"), "alt text"),
    "figure without alt text": (new_code_cell("#| label: fig-bad\n#| fig-cap: C\nplot()", id="bad", outputs=[FIGURE]),
                                "fig-alt"),
    "figure that was never drawn": (new_code_cell("#| label: fig-bad\n#| fig-alt: a\nplot()", id="bad"), "execute"),
    "label used twice": (kitchen.text("$$x$$ {#eq-first-norm}", "bad"),
                         "eq-first-norm is defined in chapters/one/first.ipynb, cell section too"),
    "label misspelt": (kitchen.text("See @eq-first-nrm.", "bad"), "no label of the book; did you mean @eq-first-norm?"),
    "id used twice": (kitchen.text("[a]{#same} [b]{#same}", "bad"), "same stands twice on the page, first in cell bad"),
    "caption that Quarto cannot read": (new_code_cell("#| label: fig-bad\n#| fig-alt: a\n#| fig-cap: In [0, 1)\nplot()",
                                                      id="bad", outputs=[FIGURE]), "bracket"),
    "odd label": (new_code_cell("#| label: \"fig-<b> x\"\nplot()", id="bad", outputs=[FIGURE]), "fig-<b> x"),
    "unknown option": (new_code_cell("#| fig-capt: x\nplot()", id="bad"), "fig-capt"),
    "option that is no YAML": (new_code_cell("#| fig-cap: \"x\nplot()", id="bad"), "quoted scalar"),
    "bare directive": (new_code_cell("#| export\nx = 1", id="bad"), "export: true"),
    "formula that Pandoc cannot set": (kitchen.text("$\\nosuchmacro{x}$", "bad"),
                                       "the formula \\nosuchmacro{x} does not read as TeX: unexpected control seq"),
    "formula that ends too early": (kitchen.text("$\\frac{1}{2$", "bad"),
                                    "the formula \\frac{1}{2 does not read as TeX: it ends too early"),
    "unclosed block": (kitchen.text("::: {.callout-note}\nNever closed.", "bad"), "nclosed"),
    "check without a cell": (kitchen.text("::: {.check}\nNothing follows.\n:::", "bad"), ".check"),
    "unknown explorable": (kitchen.text("::: {.explorable name=\"none\"}\nx\n:::", "bad"), "none.js"),
    "missing data of an explorable": (kitchen.text('::: {.explorable name="kitchen" data="no.json"}\nx\n:::', "bad"),
                                      "no.json"),
    "script in the text": (kitchen.text("<script>alert(1)</script>", "bad"), "<script>"),
    "export without a module": (new_code_cell("#| export: true\ndef f(): pass", id="bad"), "default_exp"),
    "id of another cell": (kitchen.text("Twice.", "title"), "its own"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_names_file_and_cell_and_keeps_the_old_book(fresh, name):
    cell, message = FAULTS[name]
    before = snapshot(fresh.output)
    with pytest.raises(ProblemsFound) as caught:
        embedded.render(with_cell(fresh, cell))
    found = [p for p in caught.value.problems if message in p.message]
    assert found, str(caught.value)
    assert found[0].file == "chapters/two/second.ipynb" and found[0].cell == cell.id
    assert snapshot(fresh.output) == before


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_several_faults_are_reported_together(fresh):
    with_cell(with_cell(fresh, kitchen.text("@fig-nowhere", "bad")), kitchen.text("[@nobody1900nothing]", "worse"))
    with pytest.raises(ProblemsFound) as caught:
        embedded.render(fresh)
    assert {problem.cell for problem in caught.value.problems} == {"bad", "worse"}


@pytest.mark.parametrize(("content", "reason"), [
    ("{ not json", "not a notebook"), ("[]", "format 4"), ('{"cells": [], "nbformat": 4, "metadata": {}}', "empty"),
    ('{"cells": 3, "nbformat": 4}', "format 4"), ("", "not a notebook"), ("\udcff", "not a notebook")])
def test_broken_notebook_is_one_sentence(fresh, content, reason):
    fresh.chapters["two/second"].notebook.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ProblemsFound) as caught:
        embedded.render(fresh)
    found = [p for p in caught.value.problems if p.file == "chapters/two/second.ipynb"]
    assert len(found) == 1 and reason in found[0].message and "\n" not in str(found[0])


def test_notebook_without_a_title(fresh):
    kitchen.notebook(fresh.chapters["two/second"].notebook, [kitchen.text("No heading.", "only")])
    with pytest.raises(ProblemsFound, match=r"second\.ipynb.*has no title"):
        embedded.render(fresh)


def test_script_in_a_title_never_reaches_a_page(fresh):
    kitchen.notebook(fresh.chapters["appendix/extra"].notebook, [
        kitchen.text("# <b onclick=x>Bold</b> title {#sec-extra}\n\n## Inside {#sec-extra-inside}", "title")])
    embedded.render(fresh)
    text = (fresh.output / "chapters/appendix/extra.html").read_text("utf-8")
    assert "<b onclick" not in text and "&lt;b onclick=x&gt;" in text


def test_broken_bibliography_is_one_sentence(fresh):
    (fresh.root / "references.bib").write_text(kitchen.BIB + kitchen.BIB)
    with pytest.raises(BookError, match=r"references\.bib has two entries"):
        embedded.render(fresh)


# ---- only what changed ----------------------------------------------------------------------------------------------


def test_nothing_is_made_anew_when_nothing_changed(fresh):
    embedded.render(fresh)
    before = snapshot(fresh.output)
    report = embedded.render(fresh)
    assert (report.pages, report.made) == ([], [])
    assert snapshot(fresh.output) == before


def test_a_changed_chapter_rewrites_its_page_alone(fresh):
    embedded.render(fresh)
    report = embedded.render(with_cell(fresh, kitchen.text("One more sentence.", "more")))
    assert report.made == ["chapters/two/second.ipynb"]
    assert report.pages == ["chapters/two/second.html"]
    assert "One more sentence." in (fresh.output / "chapters/two/second.html").read_text("utf-8")


def test_a_moved_label_changes_the_pages_that_refer_to_it(fresh):
    embedded.render(fresh)
    cells = kitchen.second()
    cells.insert(2, new_code_cell("#| label: fig-second-new\n#| fig-alt: New\nplot()", id="new", outputs=[FIGURE]))
    kitchen.notebook(fresh.chapters["two/second"].notebook, cells)
    report = embedded.render(fresh)
    assert set(report.made) == {"chapters/one/first.ipynb", "chapters/two/second.ipynb"}
    page = parsed(fresh.output / "chapters/one/first.html")
    assert link_text(page, "#fig-second-dot") == ["Figure 2.2"]


def test_a_changed_quiz_rewrites_its_page(fresh):
    embedded.render(fresh)
    path = fresh.build / "quizzes/one/first.md"
    path.write_text(path.read_text("utf-8").replace("How many pinches?", "How many spoons?"), encoding="utf-8")
    assert embedded.render(fresh).pages == ["chapters/one/first.html"]


def test_a_changed_work_rewrites_the_pages_that_cite_it(fresh):
    embedded.render(fresh)
    bib = fresh.root / "references.bib"
    bib.write_text(bib.read_text("utf-8").replace("year = {1969}", "year = {1988}"), encoding="utf-8")
    assert set(embedded.render(fresh).made) == {"chapters/one/first.ipynb", "references.qmd"}


def test_a_chapter_taken_out_disappears(fresh):
    config = fresh.root / "_quarto.yml"
    text = config.read_text("utf-8")
    cells = [c for c in kitchen.first() if c["id"] not in ("section",)]
    kitchen.notebook(fresh.chapters["one/first"].notebook, cells)
    config.write_text(text.replace("  appendices:\n  - chapters/appendix/extra.ipynb\n", ""), encoding="utf-8")
    front = nbformat.read(fresh.chapters["one/first"].notebook, as_version=4)
    assert front.cells and "extra" not in config.read_text("utf-8")
    quiz = fresh.build / "quizzes/one/first.md"
    quiz.write_text(re.sub(r"@(eq|sec)-first-(norm|table)", "it", quiz.read_text("utf-8")), encoding="utf-8")
    for path in (fresh.chapters["two/second"].notebook, fresh.root / "dlbook/first.py"):
        path.write_text(re.sub(r",? (and|by) @?eq-first-norm", "", path.read_text("utf-8")), encoding="utf-8")
    book = model.load(fresh.root)
    glossary.compile_glossary(book)
    embedded.render(book)
    assert not (fresh.output / "chapters/appendix").exists()


def test_a_deleted_book_is_built_again(fresh):
    shutil.rmtree(fresh.output)
    embedded.render(fresh)
    assert (fresh.output / "chapters/one/first_files/fig-first-line.svg").is_file()
    assert (fresh.output / "pagefind/pagefind.js").is_file()


def test_no_temporary_file_is_left(pandoc_book):
    assert not [path for path in pandoc_book.output.rglob("*.part")]


def test_an_unknown_engine_or_format_is_one_sentence(pandoc_book, monkeypatch):
    with pytest.raises(BookError, match="engine 'word' is not known"):
        render(pandoc_book, "word")
    with pytest.raises(BookError, match="format 'doc' is not known"):
        render(pandoc_book, "pandoc", ["doc"])
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(BookError, match="quarto is not on the PATH"):
        render(pandoc_book, "quarto")
