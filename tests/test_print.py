"""The PDF and the EPUB, on the small book of tests/kitchen.py: one test per cell of the contract's third column."""

from __future__ import annotations

import posixpath
import re
import shutil
import zipfile
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from lxml import etree
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from pypdf import PdfReader
from pypdf.generic import IndirectObject

from press import book as model
from press.book import ProblemsFound
from press.render import epub, pdf
from tests import kitchen

X = {"h": "http://www.w3.org/1999/xhtml", "m": "http://www.w3.org/1998/Math/MathML", "o": "http://www.idpf.org/2007/opf",
     "d": "http://purl.org/dc/elements/1.1/"}
EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
WEB = "# Welcome {#sec-welcome .unnumbered}\n\nStart with @sec-first.\n\n::: {.web-only}\nPress a key to search.\n:::\n\n" \
      "## How to read\n\nA second part of it.\n"


def printed(root: Path) -> model.Book:
    """The kitchen-sink book in this folder, with a tabset, a wide table, long code and a web-only part."""
    kitchen.write(root)
    (root / "index.qmd").write_text(WEB, encoding="utf-8")
    wide = "".join(f"<td>1234567.890{i}</td>" for i in range(10))
    table = new_output("execute_result", data={"text/html": f"<table><tr>{wide}</tr></table>"}, execution_count=1)
    add(root, new_code_cell("wide", id="wide", outputs=[table]),
        new_code_cell("call(" + ", ".join(f"name_{i}" for i in range(30)) + f", '{'x' * 150}', the_end)", id="long"))
    return model.load(root)


def add(root: Path, *cells) -> None:
    """Put cells at the end of the second chapter."""
    path = root / "chapters/two/second.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells += cells
    nbformat.write(notebook, path)


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    made = printed(tmp_path_factory.mktemp("print"))
    pdf.render(made)
    epub.render(made)
    return made


@pytest.fixture
def copy(book, tmp_path):
    """The same book in a folder of its own, with what was built."""
    shutil.copytree(book.root, tmp_path / "book", symlinks=True)
    return model.load(tmp_path / "book")


@pytest.fixture(scope="session")
def reader(book):
    return PdfReader(book.output / "book.pdf")


@pytest.fixture(scope="session")
def pages(reader):
    """The text of each page, spaces made single."""
    return [" ".join(page.extract_text().replace("\xa0", " ").split()) for page in reader.pages]


@pytest.fixture(scope="session")
def text(pages):
    return " ".join(pages)


@pytest.fixture(scope="session")
def files(book):
    with zipfile.ZipFile(book.output / "book.epub") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="session")
def trees(files):
    """Every XML file of the EPUB, parsed: one that is not well-formed fails here."""
    return {name: etree.fromstring(data) for name, data in files.items() if name.endswith((".xhtml", ".opf", ".ncx", ".svg"))}


@pytest.fixture(scope="session")
def chapter(trees):
    """The chapter that has everything."""
    return next(tree for tree in trees.values() if tree.xpath("//*[@id='sec-first']"))


def words(element) -> str:
    parts = element.xpath(".//text()[not(ancestor::m:annotation)]", namespaces=X)
    return " ".join("".join(parts).replace("\xa0", " ").replace("\u2002", " ").split())


def outline(entries) -> list:
    """Titles of the bookmarks, nested."""
    return [outline(entry) if isinstance(entry, list) else entry.title for entry in entries]


def links(reader) -> list:
    return [note.get_object() for page in reader.pages for note in page.get("/Annots", [])
            if note.get_object()["/Subtype"] == "/Link"]


def tags(reader) -> list:
    """Every element of the structure tree as (role, alternative text)."""
    found, waiting = [], [reader.trailer["/Root"]["/StructTreeRoot"]]
    while waiting:
        item = waiting.pop()
        item = item.get_object() if isinstance(item, IndirectObject) else item
        if isinstance(item, list):
            waiting += item
        elif isinstance(item, dict):
            found.append((item.get("/S"), item.get("/Alt")))
            waiting.append(item.get("/K"))
    return found


def page_with(pages: list[str], part: str) -> int:
    return next(i for i, text in enumerate(pages) if part in text)


# ---- the PDF, row by row --------------------------------------------------------------------------------------------


def test_pdf_headings_carry_the_book_s_numbers(text):
    assert "Chapter 1 First & foremost" in text and "1.1 Setting the table" in text
    assert "1.1.1 A deeper level" in text and "Appendix A Extra" in text


def test_pdf_contents_list_parts_chapters_and_sections(pages):
    contents = pages[1]
    assert contents.startswith("Contents") and "1.1 Setting the table" in contents
    assert contents.index("Firsts") < contents.index("First & foremost") < contents.index("Seconds")


def test_pdf_equations_are_set_and_numbered(text, book):
    assert "(1.1)" in text and "(A.1)" in text
    assert "norm" in (book.build / "typst/whole.typ").read_text() and "\\lVert" not in text


def test_pdf_cross_references_read_as_numbers(text):
    for words in ("Figure 1.1", "Table 1.1", "Equation 1.1", "Theorem 1.1", "Section 1.1", "Exercise 1.1", "Figure 2.1",
                  "Section 2.1", "Appendix A"):
        assert words in text
    assert "@" not in text.replace("@ ", "")


def test_pdf_theorems_are_titled_and_numbered(text):
    assert "Theorem 1.1 (The salt theorem)" in text and "Lemma 1.1" in text
    assert "Definition 1.1 (Pinch)" in text and "Example 1.1" in text
    assert re.search(r"Proof\. Taste it\.\s*∎", text)


def test_pdf_figures_have_their_caption(text):
    assert "Figure 1.1: The line rises over [0, 1)" in text and "Figure 2.1: A dot." in text


def test_pdf_pictures_have_their_alternative_text(reader):
    alts = [alt for role, alt in tags(reader) if role == "/Figure"]
    assert 'A "straight" line & its \\slope' in alts and "One dot" in alts and None not in alts


def test_pdf_tables_have_header_cells_and_caption(text, reader):
    assert "Table 1.1: Heights of penguins." in text and "a < b & c" in text
    assert "/TH" in [role for role, _ in tags(reader)]


def test_pdf_hides_shows_and_drops_as_the_cell_says(text):
    assert "hidden_code" not in text and "shown_output" in text
    assert "folded_code()" in text
    assert "dropped()" in text and "dropped_output" not in text
    assert "never_there" not in text and "never_output" not in text


def test_pdf_shows_no_option_directive_or_progress(text):
    assert "#|" not in text and "default_exp" not in text and "it/s" not in text and "Exported as" not in text


def test_pdf_callouts_are_boxed_with_their_titles(text):
    for words in ("Note Plain note.", "Titled warning.", "Folded tip Tip inside.", "Important Important.", "Caution Caution."):
        assert words in text


def test_pdf_checks_hold_their_cell(text):
    assert re.search(r"Checked Doubling is adding: the cell compares both\. assert double\(2\) == 2 \+ 2 .*both give 4", text)


def test_pdf_reading_notes_are_titled(text):
    assert "Reading this figure Position on a common scale (Minsky and Papert 1969)" in text


def test_pdf_tab_panels_stand_one_after_another(text):
    assert "By hand Panel of the hand. By library Panel of the library." in text


def test_pdf_terms_are_bold_and_lead_to_the_glossary(text, pages, reader):
    glossary = page_with(pages, "What runs from a tap")
    chapter = page_with(pages, "It holds dish water.")
    assert "A sink is a basin with a tap, of volume" in pages[glossary]
    assert f"First & foremost (page {page_number(pages[chapter])})" in pages[glossary]
    assert {glossary, chapter} <= inner_targets(reader)


def page_number(page: str) -> str:
    """The number at the foot of a page."""
    return page.split()[-1]


def test_pdf_citations_lead_to_the_bibliography(text, pages, reader):
    assert "(Rosenblatt 1958, p. 3; Minsky and Papert 1969), and Minsky and Papert (1969) say so" in text
    references = page_with(pages[2:], "Psychological Review") + 2
    assert "ref-rosenblatt1958perceptron" in reader.named_destinations or references in inner_targets(reader)


def inner_targets(reader) -> set[int]:
    """Numbers of the pages that links within the document lead to."""
    found = set()
    for link in links(reader):
        target = link.get("/Dest") or link.get("/A", {}).get("/D")
        if target is not None and not isinstance(target, str):
            found.add(reader.get_page_number(target.get_object()[0].get_object()))
    return found


def test_pdf_bibliography_links_its_dois(reader):
    addresses = [link["/A"].get("/URI") for link in links(reader) if "/A" in link]
    assert "https://doi.org/10.1037/h0042519" in addresses


def test_pdf_quiz_stands_in_the_chapter_and_its_key_at_the_end(pages):
    asked, answered = page_with(pages, "How many pinches?"), page_with(pages, "That forgets the square.")
    assert "That forgets" not in pages[asked] and answered == len(pages) - 1
    last = pages[answered]
    assert last.index("1 First & foremost") < last.index("Question 1 ") < last.index("Question 2 ")
    assert f"answers (page {answered + 1})" in " ".join(pages)


def test_pdf_exercises_have_their_hint_and_their_solution_at_the_end(pages):
    task = page_with(pages, "Boil it.")
    assert "Hint Use heat." in pages[task] and "heat = 100" not in pages[task]
    assert "Exercise 1.1 (Boil water) heat = 100" in pages[-1]


def test_pdf_explorables_leave_their_text_and_say_where_they_move(text):
    assert "The fallback of the explorable." in text and "web edition: chapters/one/first.html" in text
    assert "</script>" not in text


def test_pdf_links_between_chapters_name_the_page(text, pages):
    second = page_with(pages, "Chapter 2 Second helping") + 1
    assert f"the end (page {second})" in text and f"the second chapter (page {second})" in text


def test_pdf_footnotes_lists_images_and_details_are_there(text):
    assert "A footnote with" in text and "nested" in text and "A hand-drawn dot" in text and "Hidden words." in text


def test_pdf_shows_outcomes_and_the_record_of_the_run(text):
    assert "What you will be able to do" in text and "Taste it." in text
    assert "last ran on 3 May 2026" in text and "Python 3.11.7 · PyTorch 2.13.0" in text


# ---- the PDF as a book ----------------------------------------------------------------------------------------------


def test_pdf_says_what_it_is(reader):
    assert reader.metadata.title == "Kitchen & <sink>" and reader.metadata.author == "A. Cook"
    assert reader.trailer["/Root"]["/Lang"] == "en-GB"


def test_pdf_bookmarks_nest_chapters_in_parts(reader):
    titles = outline(reader.outline)
    assert titles[titles.index("Firsts") + 1][0].endswith("First & foremost")


def test_pdf_claims_universal_access(book):
    assert b"pdfuaid:part" in (book.output / "book.pdf").read_bytes()


def test_pdf_formulas_carry_their_tex(reader):
    assert "a < b" in [alt for role, alt in tags(reader) if role == "/Formula"]


def test_pdf_index_is_a_preface_without_the_web_s_parts(text):
    assert "Preface Start with Chapter 1" in text and "Press a key" not in text and "Welcome" not in text


def test_pdf_lines_and_tables_stay_on_the_page(reader):
    width, ends = float(reader.pages[0].mediabox.width), []

    def visit(text, cm, tm, font, size):
        letter = 0.6 if "Mono" in (font or {}).get("/BaseFont", "") else 0.4       # em: exact, and less than the mean
        ends.append((cm[0] * tm[4] + cm[4] + letter * size * abs(cm[0] * tm[0]) * len(text.strip()), text))
    for page in reader.pages:
        page.extract_text(visitor_text=visit)
    assert max(ends)[0] < width - 40, max(ends)
    text = " ".join(text for _, text in ends)
    assert "the_end" in text and "1234567.8909" in text


def set_alone(book: model.Book, text: str) -> list[str]:
    """The text of the pages that the book's style makes of this Typst, behind the title and the contents."""
    source = book.root / "_build/typst/alone.typ"
    source.write_text(pdf._head(book) + text, encoding="utf-8")
    pdf._compile(book, source, book.root / "alone.pdf")
    return [page.extract_text() for page in PdfReader(book.root / "alone.pdf").pages][2:]


BAR = 'bytes("<svg xmlns=\\"http://www.w3.org/2000/svg\\" width=\\"9\\" height=\\"250\\"/>")'
FIGURE = f'#dl-figure("fig-one-tall", "{{}}", image({BAR}, alt: "A bar."), [The caption.])'


def test_pdf_figures_that_do_not_fit_move_and_the_text_closes_up(copy):
    pages = set_alone(copy, "#pagebreak()\n#v(180mm)\n" + FIGURE.format("free") + "\nThe text behind it.")
    assert "The text behind it." in pages[0] and "The caption." in pages[1]


def test_pdf_figures_that_fit_stay_where_they_are_written(copy):
    pages = set_alone(copy, "#pagebreak()\nBefore.\n" + FIGURE.format("free") + "\nAfter.")
    words = "".join(pages)
    assert words.index("Before.") < words.index("The caption.") < words.index("After.")


def test_pdf_figures_in_a_box_stay_in_it(copy):
    pages = set_alone(copy, "#pagebreak()\n#v(180mm)\n" + FIGURE.format("fixed") + "\nThe text behind it.")
    assert "The text behind it." in pages[1]


def test_pdf_marks_the_lines_of_code_that_go_on(pages):
    broken = pages[page_with(pages, "the_end")]
    assert broken.count("↪") >= 2 and "↪" not in pages[page_with(pages, "folded_code()")]


def typefaces(document: Path) -> str:
    fonts = [font for page in PdfReader(document).pages for font in page["/Resources"].get("/Font", {}).values()]
    return " ".join(font.get_object()["/BaseFont"] for font in fonts)


def test_pdf_sets_code_in_the_narrow_type_where_npm_installed_it(book):
    if not (book.root / pdf.NARROW.format(400)).is_file():
        pytest.skip("the type is not in node_modules; run npm ci")
    assert "IosevkaCharonMono" in typefaces(book.output / "book.pdf").replace("-", "")


def test_pdf_sets_code_in_typst_s_own_type_without_npm(copy):
    (copy.root / "node_modules").unlink(missing_ok=True)
    faces = typefaces(pdf.render(copy))
    assert "Iosevka" not in faces and "DejaVuSansMono" in faces


def test_pdf_part_pages_list_their_chapters(pages):
    part = next(page for page in pages[2:] if page.startswith("Firsts"))
    assert re.search(r"1 ?First & foremost ?\d", part)


def test_pdf_small_tables_stay_whole_beside_their_caption(copy):
    rows = ", ".join(f"[cell {i}]" for i in range(20))
    pages = set_alone(copy, f"#pagebreak()\n#v(220mm)\n#figure(table({rows}), caption: [Above it.])")
    page = pages[page_with(pages, "Above it.")]
    assert "cell 0" in page and "cell 19" in page


# ---- the EPUB -------------------------------------------------------------------------------------------------------


def test_epub_is_well_formed_and_starts_with_its_type(files, trees):
    assert next(iter(files)) == "mimetype" and files["mimetype"] == b"application/epub+zip"
    assert len([name for name in trees if name.endswith(".xhtml")]) > 8


def test_epub_manifest_lists_every_file_once(files, trees):
    listed = [posixpath.normpath(posixpath.join("EPUB", unquote(item.get("href"))))
              for item in trees["EPUB/content.opf"].xpath("//o:manifest/o:item", namespaces=X)]
    there = {name for name in files if name.startswith("EPUB/") and name != "EPUB/content.opf"}
    assert sorted(listed) == sorted(there)


def test_epub_marks_the_files_with_mathml(files, trees):
    for item in trees["EPUB/content.opf"].xpath("//o:manifest/o:item[contains(@href, '.xhtml')]", namespaces=X):
        has = b"<math" in files["EPUB/" + item.get("href")]
        assert has == ("mathml" in item.get("properties", ""))


def test_epub_links_and_ids_lead_somewhere(trees):
    ids = {name: tree.xpath("//@id") for name, tree in trees.items()}
    for name, found in ids.items():
        assert len(found) == len(set(found)), name
    for name, tree in trees.items():
        for target in tree.xpath("//h:a/@href", namespaces=X):
            if not re.match(r"[a-z]+:", target):
                path, _, anchor = target.partition("#")
                file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
                assert file in ids and (not anchor or anchor in ids[file]), f"{name} → {target}"


def test_epub_images_have_alternative_text_and_are_there(files, trees):
    images = [(name, image) for name, tree in trees.items() for image in tree.xpath("//h:img", namespaces=X)]
    assert len(images) >= 3
    for name, image in images:
        assert image.get("alt") and posixpath.normpath(posixpath.join(posixpath.dirname(name), image.get("src"))) in files


def test_epub_contents_name_parts_chapters_and_sections(trees):
    nav = trees["EPUB/nav.xhtml"].xpath("//h:nav", namespaces=X)[0]
    assert nav.get(EPUB_TYPE) == "toc"
    part = next(li for li in nav.xpath("./h:ol/h:li", namespaces=X) if words(li.find("h:a", X)) == "Firsts")
    chapter = part.find("h:ol/h:li", X)
    assert words(chapter.find("h:a", X)) == "1 First & foremost"
    assert "1.1 Setting the table" in words(chapter)


def test_epub_says_what_it_is(trees):
    head = trees["EPUB/content.opf"].find("o:metadata", X)
    assert head.findtext("d:title", namespaces=X) == "Kitchen & <sink>" and head.findtext("d:creator", namespaces=X) == "A. Cook"
    assert head.findtext("d:language", namespaces=X) == "en-GB"
    assert head.findtext("d:identifier", namespaces=X) == "urn:uuid:f51bc0f5-ff30-53b0-aeb2-32ba26095159"


def test_epub_says_what_readers_of_all_kinds_can_use(trees):
    said = {(meta.get("property"), meta.text) for meta in trees["EPUB/content.opf"].iterfind(".//o:meta", X)}
    assert {("schema:accessMode", "visual"), ("schema:accessibilityFeature", "MathML"),
            ("schema:accessibilityFeature", "alternativeText")} <= said


def test_epub_is_dated_by_its_newest_run(trees):
    assert trees["EPUB/content.opf"].findtext(".//d:date", namespaces=X).startswith("2026-05-03")


def test_epub_contents_are_called_so(trees):
    assert words(trees["EPUB/nav.xhtml"].xpath("//h:nav/h:h1", namespaces=X)[0]) == "Contents"


def test_epub_footnotes_can_pop_up(chapter):
    reference = next(a for a in chapter.iterfind(".//h:a", X) if a.get(EPUB_TYPE) == "noteref")
    note = chapter.xpath(f"//*[@id='{reference.get('href').partition('#')[2]}']")[0]
    assert note.tag.endswith("aside") and note.get(EPUB_TYPE) == "footnote" and "A footnote with" in words(note)


def test_epub_preface_is_one_file(trees):
    preface = next(tree for tree in trees.values() if tree.xpath("//h:h1[.='Preface']", namespaces=X))
    assert "A second part of it." in words(preface)


def test_epub_wide_tables_have_a_frame_of_their_own(chapter):
    assert all("table-frame" in table.getparent().get("class", "") for table in chapter.iterfind(".//h:table", X))


def test_epub_has_a_cover(files, trees):
    cover = trees["EPUB/content.opf"].xpath("//o:item[@properties='cover-image']/@href", namespaces=X)
    assert files["EPUB/" + cover[0]].startswith(b"\x89PNG")


def test_epub_headings_and_references_carry_the_numbers(chapter):
    text = words(chapter)
    assert "1.1 Setting the table" in text and "(1.1)" in text
    for expected in ("Figure 1.1", "Table 1.1", "Equation 1.1", "Theorem 1.1", "Exercise 1.1", "Section 2.1", "Appendix A"):
        assert expected in text


def test_epub_formulas_are_mathml(chapter):
    assert len(chapter.xpath("//m:math", namespaces=X)) >= 3
    assert chapter.xpath("//*[@id='eq-first-norm']//m:math[@display='block']", namespaces=X)


def test_epub_long_formulas_between_words_have_a_frame_that_scrolls(chapter):
    framed = chapter.xpath("//*[@class='wide-math']//m:annotation/text()", namespaces=X)
    assert framed == ["(a + b)^5 = a^5 + 5a^4b + 10a^3b^2 + 10a^2b^3 + 5ab^4 + b^5"]


def test_epub_figures_and_tables_have_captions_and_header_cells(chapter):
    figure = chapter.xpath("//*[@id='fig-first-line']//h:figure", namespaces=X)[0]
    assert words(figure.find("h:figcaption", X)).startswith("Figure 1.1: The line rises")
    table = chapter.xpath("//*[@id='tbl-first-frame']//h:table", namespaces=X)[0]
    assert words(table.find("h:caption", X)) == "Table 1.1: Heights of penguins." and table.xpath(".//h:th", namespaces=X)


def test_epub_hides_shows_and_drops_as_the_cell_says(chapter):
    text = words(chapter)
    assert "hidden_code" not in text and "shown_output" in text and "folded_code()" in text
    assert "dropped()" in text and "dropped_output" not in text and "never_there" not in text


def test_epub_blocks_are_boxed_with_their_titles(chapter):
    for name, title in (("theorem-thm", "Theorem 1.1 (The salt theorem)"), ("callout-warning", "Hot"), ("check", "Checked"),
                        ("reading", "Reading this figure"), ("explorable", "Interactive"), ("tab-panel", "By hand")):
        block = chapter.xpath(f"//*[contains(concat(' ', @class, ' '), ' {name} ')]", namespaces=X)[0]
        assert words(block).startswith(title)


def test_epub_key_and_solutions_stand_at_the_end(trees, chapter):
    key = next(tree for tree in trees.values() if tree.xpath("//*[@id='key-one-first']"))
    assert "Question 1 " in words(key) and "That forgets the square." in words(key) and "heat = 100" in words(key)
    assert "That forgets" not in words(chapter) and "heat = 100" not in words(chapter)


def test_epub_cites_and_lists_works(trees, chapter):
    assert any("ref-rosenblatt1958perceptron" in target for target in chapter.xpath("//h:a/@href", namespaces=X))
    assert any(tree.xpath("//h:a[@href='https://doi.org/10.1037/h0042519']", namespaces=X) for tree in trees.values())


# ---- building -------------------------------------------------------------------------------------------------------


def test_the_same_sources_give_the_same_bytes(book, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    again = printed(tmp_path)
    for made, name in ((pdf.render(again), "book.pdf"), (epub.render(again), "book.epub")):
        assert made.read_bytes() == (book.output / name).read_bytes()


@pytest.mark.parametrize("form", [pdf, epub])
def test_an_unchanged_book_is_left_alone(copy, form, monkeypatch):
    def refuse(*_args):
        raise AssertionError("made again")
    monkeypatch.setattr(form, "_source" if form is pdf else "_arguments", refuse)
    form.render(copy)


@pytest.mark.parametrize("form", [pdf, epub])
def test_a_changed_chapter_is_set_again(copy, form):
    add(copy.root, new_markdown_cell("A sentence more.", id="more"))
    before = (copy.output / f"book.{form.__name__.rpartition('.')[2]}").read_bytes()
    assert form.render(copy).read_bytes() != before


@pytest.mark.parametrize("form", [pdf, epub])
@pytest.mark.parametrize("source, fault", [("$\\fooo{x}$", "fooo"), ("![A dot](away.png)", "away.png"),
                                           ("See @fig-nowhere.", "fig-nowhere"), ("Says @nobody2000.", "nobody2000")])
def test_a_fault_names_file_and_cell_and_leaves_the_old_document(copy, form, source, fault):
    suffix = form.__name__.rpartition(".")[2]
    before = (copy.output / f"book.{suffix}").read_bytes()
    add(copy.root, new_markdown_cell(source, id="faulty"))
    with pytest.raises(ProblemsFound) as caught:
        form.render(copy)
    problem = caught.value.problems[0]
    assert (problem.file, problem.cell) == ("chapters/two/second.ipynb", "faulty") and fault in problem.message
    assert (copy.output / f"book.{suffix}").read_bytes() == before
    assert not list(copy.output.glob("*part*"))


def test_a_fault_of_typst_names_file_and_cell(copy):
    add(copy.root, new_markdown_cell("![A dot](broken.png)", id="broken"), new_markdown_cell("After.", id="after"))
    (copy.root / "chapters/two/broken.png").write_bytes(b"no picture")
    before = (copy.output / "book.pdf").read_bytes()
    with pytest.raises(ProblemsFound, match=r"chapters/two/second\.ipynb.*broken.*Typst cannot set the PDF"):
        pdf.render(copy)
    assert (copy.output / "book.pdf").read_bytes() == before
