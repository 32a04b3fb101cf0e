"""The EPUB: the whole book through Pandoc's EPUB 3 writer, MathML inside, one file a chapter."""

from __future__ import annotations

from pathlib import Path

from press.book import Book, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc, whole

STYLE = "theme/print/epub.css"
LICENCE = "Text under CC BY 4.0, code under the MIT licence."


def render(book: Book, jobs: int = 2) -> Path:
    """Write `_book/book.epub` where it is not up to date. Raises ProblemsFound; the old EPUB then stays."""
    target = book.output / "book.epub"
    joined = whole.assemble(book, "epub", jobs)
    style = (book.root / STYLE).read_text(encoding="utf-8")
    stamp, key = book.build / "epub" / "book.key", whole.digest(joined.key, style, book.title, book.subtitle)
    if target.is_file() and stamp.is_file() and stamp.read_text() == key:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("part.epub")
    _, complaints = pandoc.run(_arguments(book, part), joined.document, book.root, _meta(book))
    if complaints:
        raise ProblemsFound(Problem("the EPUB", c.message, c.cell) for c in complaints)
    part.replace(target)
    write_if_changed(stamp, key)
    return target


def _arguments(book: Book, target: Path) -> list[str]:
    return ["--from", "json", "--to", "epub3", "--mathml", "--toc", "--toc-depth=2", "--split-level=1",
            f"--css={book.root / STYLE}", f"--output={target}"]


def _meta(book: Book) -> dict[str, str]:
    return {"title": book.title, "subtitle": book.subtitle, "author": book.author, "lang": "en-GB", "rights": LICENCE}
