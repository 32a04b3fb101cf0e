"""The PDF: the whole book through Pandoc's Typst writer, set by Typst."""

from __future__ import annotations

from pathlib import Path
from string import Template

import typst

from press.book import Book, BookError, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc, whole

TEMPLATE = "theme/print/book.typ"
NOTICE = "Text under CC BY 4.0, code under the MIT licence. Set by Typst from the book's notebooks."


def render(book: Book, jobs: int = 2) -> Path:
    """Write `_book/book.pdf` where it is not up to date. Raises ProblemsFound; the old PDF then stays."""
    target = book.output / "book.pdf"
    joined = whole.assemble(book, "typst", jobs)
    template = (book.root / TEMPLATE).read_text(encoding="utf-8")
    stamp, key = book.build / "typst" / "book.key", whole.digest(joined.key, template, book.title, book.subtitle)
    if target.is_file() and stamp.is_file() and stamp.read_text() == key:
        return target
    source = book.build / "typst" / "book.typ"
    write_if_changed(source, _source(book, joined, template))
    _compile(book, source, target)
    write_if_changed(stamp, key)
    return target


def _source(book: Book, joined: whole.Whole, template: str) -> str:
    out, complaints = pandoc.run(["--from", "json", "--to", "typst", "--wrap=none", "--syntax-highlighting=idiomatic"],
                                 joined.document, book.root)
    if complaints:
        raise ProblemsFound(Problem("the PDF", c.message, c.cell) for c in complaints)
    # Typst reads absolute paths from its root, the project's folder.
    body = out.replace(f'image("{book.root}/', 'image("/')
    values = {"title": book.title, "subtitle": book.subtitle, "author": book.author, "notice": NOTICE, "body": body}
    return _Slots(template).safe_substitute(values)


class _Slots(Template):
    """`$name$`, as in Pandoc's own templates; the text that is put in is left alone."""

    pattern = r"\$(?:(?P<named>title|subtitle|author|notice|body)|(?P<braced>(?!))|(?P<escaped>(?!))|(?P<invalid>(?!)))\$"


def _compile(book: Book, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("book.pdf.part")
    try:
        part.write_bytes(typst.compile(source, root=book.root, ignore_system_fonts=True))
    except typst.TypstError as error:
        raise BookError(f"Typst could not set the PDF: {error}") from None
    part.replace(target)
