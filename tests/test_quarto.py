"""Rendering with Quarto: what the press adds to it, and what it says where Quarto is missing, old or complains."""

from __future__ import annotations

import os
import re
import shutil
import stat
from pathlib import Path

import pytest
from lxml import html

from press.book import BookError, ProblemsFound
from press.render import mend, quarto, render, sheets
from tests import kitchen

needs_quarto = pytest.mark.skipif(not shutil.which("quarto"), reason="engine not present")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """The kitchen book by Quarto, what lay in its folder before, and the report of a second render."""
    book = kitchen.write(tmp_path_factory.mktemp("quarto"))
    before = sources(book)
    render(book, "quarto")
    return book, before, render(book, "quarto")


def sources(book) -> set[str]:
    skipped = {"_build", "_book", "node_modules"}
    return {str(path.relative_to(book.root)) for path in book.root.rglob("*")
            if path.relative_to(book.root).parts[0] not in skipped}


def references(folder: Path, kind: str) -> list[tuple[str, str, str]]:
    """(page, label, words) of every cross-reference."""
    pages = {path: html.fromstring(path.read_bytes()) for path in sorted(folder.rglob("chapters/**/*.html"))}
    return [(path.name, a.get("href").partition("#")[2], " ".join(a.text_content().replace("\xa0", " ").split()))
            for path, page in pages.items() for a in page.xpath(f'//main//a[contains(@class, "{kind}")]')
            if a.get("href").partition("#")[2]]


def stand_in(folder: Path, monkeypatch, script: str) -> None:
    """A command `quarto` that does what the shell script says."""
    path = folder / "quarto"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


# ---- Quarto itself --------------------------------------------------------------------------------------------------


@needs_quarto
def test_every_reference_reads_as_on_the_embedded_engine(rendered, tmp_path):
    other = kitchen.write(tmp_path)
    render(other, "pandoc")
    ours, theirs = references(other.output, "xref"), references(rendered[0].output, "quarto-xref")
    assert len(theirs) > 12
    assert set(theirs) <= set(ours)


@needs_quarto
def test_nothing_is_written_beside_the_sources(rendered):
    assert sources(rendered[0]) == rendered[1]


@needs_quarto
def test_an_unchanged_book_is_not_rendered_again(rendered):
    assert (rendered[2].pages, rendered[2].made) == ([], [])


@needs_quarto
def test_a_change_of_engine_leaves_nothing_behind(rendered):
    book = rendered[0]
    render(book, "pandoc")
    assert not (book.output / "site_libs").exists() and not (book.output / "search.json").exists()
    render(book, "quarto")
    assert (book.output / "site_libs").is_dir()
    assert not (book.output / "chapters/one/first_files/fig-first-line.svg").exists()


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_a_fault_of_the_sources_is_found_before_quarto_runs(tmp_path, monkeypatch):
    book = kitchen.write(tmp_path / "book")
    stand_in(tmp_path, monkeypatch, f'[ "$1" = --version ] && echo 1.8.0 || touch {tmp_path}/ran')
    path = book.chapters["two/second"].notebook
    path.write_text(path.read_text("utf-8").replace("@eq-first-norm", "@eq-first-nowhere"), encoding="utf-8")
    with pytest.raises(ProblemsFound, match=r"second\.ipynb.*eq-first-nowhere is no label"):
        render(book, "quarto")
    assert not (tmp_path / "ran").exists()


def test_an_old_quarto_is_one_sentence(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "echo 1.3.450")
    with pytest.raises(BookError, match=r"Quarto is version 1\.3\.450; the book needs 1\.7 or newer"):
        quarto.require()


def test_a_broken_quarto_is_one_sentence(tmp_path, monkeypatch):
    stand_in(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(BookError, match="did not answer with a version"):
        quarto.require()


@pytest.mark.parametrize(("script", "said"), [
    ("echo 'WARN: Unable to resolve link target: lost.qmd' >&2", "lost.qmd"),
    ("echo 'ERROR: the theme is missing' >&2; echo 'Stack trace:' >&2; echo ' at x' >&2; exit 1",
     "ERROR: the theme is missing$")])
def test_what_quarto_complains_of_stops_the_build(tmp_path, monkeypatch, script, said):
    book = kitchen.write(tmp_path / "book")
    stand_in(tmp_path, monkeypatch, f'[ "$1" = --version ] && echo 1.8.0 && exit; {script}')
    with pytest.raises(BookError, match=rf"Quarto could not render the book: .*{said}"):
        render(book, "quarto")
    assert not book.output.exists()


# ---- mending --------------------------------------------------------------------------------------------------------


def test_a_style_sheet_keeps_what_pages_use():
    css = '@charset "x";.a{b:c}.gone,.a.aa-e{f:"}"}@media print{.gone{g:h}}@media all{.a:not(.gone) p{i:j}}p{k:l}'
    kept = '@charset "x";.a{b:c}.a.aa-e{f:"}"}@media all{.a:not(.gone) p{i:j}}p{k:l}'
    assert sheets.cut(css, {"a", "aa-", "e"}) == kept


def test_a_sheet_over_another_keeps_every_kind_of_property_that_differs():
    light = "a{color:red;margin:0}@media print{b{border:0;--x:1}}c{background:url('a;b')}"
    dark = "a{color:blue;margin:0}@media print{b{border:0;--x:2}}c{background:url('a;b')}d{color:red}"
    assert sheets.over(dark, light) == "a{color:blue}@media print{b{--x:2}}d{color:red}"
    assert sheets.over(light, light) == ""


def test_words_of_the_prose_keep_no_rule(tmp_path):
    (tmp_path / "page.html").write_text('<p class="a b">prose</p><script>add("c")</script>')
    assert {"a", "b", "c"} <= sheets.vocabulary(tmp_path) and "prose" not in sheets.vocabulary(tmp_path)


def test_a_page_leads_to_files_not_folders():
    assert 'href="../../index.html"' in mend.page('<a href="../../">Book</a>', "chapters/a/b.html")


def test_an_equations_number_leaves_its_tex():
    number = '<mspace width="2.0em"></mspace><mo stretchy="false" form="prefix">(</mo><mi>A</mi><mi>.</mi><mn>1</mn>' \
             '<mo stretchy="false" form="postfix">)</mo>'
    text = ('<span id="eq-x"><math display="block"><semantics><mrow><mi>y</mi>' + number + '</mrow>'
            r'<annotation encoding="application/x-tex">y \qquad(A.1)</annotation></semantics></math></span>')
    assert mend.page(text, "a.html") == (
        '<span id="eq-x" class="equation"><math display="block"><semantics><mrow><mi>y</mi></mrow>'
        '<annotation encoding="application/x-tex">y</annotation></semantics></math>'
        '<span class="equation-number">(A.1)</span></span>')


def test_a_listing_has_the_marks_of_the_embedded_engine():
    text = '<pre class="sourceCode python"><code class="sourceCode python"><span id="cb1-1"><a href="#cb1-1"></a>' \
           '<span class="cf">if</span> a <span class="op">&lt;</span> b:</span></code></pre>'
    assert mend.page(text, "a.html") == ('<pre class="sourceCode python"><code class="sourceCode python">'
                                         '<b>if</b> a &lt; b:</code></pre>')
