"""The PDF: the whole book through Pandoc's Typst writer, set by Typst as a tagged PDF (PDF/UA-1)."""

from __future__ import annotations

import re
from pathlib import Path

import typst

from press.book import Book, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc, whole

STYLE = "theme/print"
NOTICE = "Text under CC BY 4.0, code under the MIT licence. Set by Typst from the book's notebooks."
SOURCE = "whole.typ"
STANDARD = "ua-1"       # tags, reading order, alternative text: Typst stops where one of them is missing


def render(book: Book, jobs: int = 2) -> Path:
    """Write `_book/book.pdf` where it is not up to date. Raises ProblemsFound; the old PDF then stays."""
    target = book.output / "book.pdf"
    joined = whole.assemble(book, "typst", jobs)
    stamp, key = book.build / "typst" / "book.key", whole.digest(joined.key, _head(book), *_style(book))
    if target.is_file() and stamp.is_file() and stamp.read_text() == key:
        return target
    source = book.build / "typst" / SOURCE
    write_if_changed(source, _source(book, joined))
    _compile(book, source, target)
    write_if_changed(stamp, key)
    return target


def _style(book: Book) -> list[bytes]:
    return [path.read_bytes() for path in sorted((book.root / STYLE).glob("*.typ"))]


def _source(book: Book, joined: whole.Whole) -> str:
    out, complaints = pandoc.run(["--from", "json", "--to", "typst", "--wrap=none", "--syntax-highlighting=idiomatic"],
                                 joined.document, book.root)
    if complaints:
        raise ProblemsFound(Problem("the PDF", c.message, c.cell) for c in complaints)
    return _head(book) + out


def _head(book: Book) -> str:
    values = {"title": book.title, "subtitle": book.subtitle, "author": book.author, "notice": NOTICE}
    given = ", ".join(f"{name}: {whole.string(value)}" for name, value in values.items())
    return f'#import "/{STYLE}/book.typ": *\n#show: book.with({given})\n\n'


def _compile(book: Book, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("book.pdf.part")
    try:
        part.write_bytes(typst.compile(source, root=book.root, ignore_system_fonts=True, pdf_standards=[STANDARD]))
    except typst.TypstError as error:
        raise ProblemsFound([_placed(error, source.read_text(encoding="utf-8"))]) from None
    part.replace(target)


def _placed(error: typst.TypstError, text: str) -> Problem:
    """Typst's complaint with the file and cell whose mark stands last above the line that it names."""
    message = " ".join([f"Typst cannot set the PDF: {error.message}", *error.hints])
    line = re.search(rf"{re.escape(SOURCE)}:(\d+)", error.diagnostic)
    above = "\n".join(text.split("\n")[: int(line[1])]) if line else ""
    marks = re.findall(r"^// cell: ([^\t\n]+)\t(.*)$", above, re.M)
    file, cell = marks[-1] if marks else ("the PDF", None)
    return Problem(file, message, cell)
