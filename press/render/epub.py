"""The EPUB: the whole book through Pandoc's EPUB 3 writer, MathML inside, one file a chapter."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import typst

from press.book import Book, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc, whole

STYLE = "theme/print"
ABOUT = {"toc-title": "Contents", "accessModes": ["textual", "visual"], "accessModeSufficient": ["textual"],
         "accessibilityFeatures": ["alternativeText", "MathML", "readingOrder", "structuralNavigation",
                                   "tableOfContents"],
         "accessibilityHazards": ["none"],
         "accessibilitySummary": "Every picture has alternative text, and formulas are MathML."}
LICENCE = "Text under CC BY 4.0, code under the MIT licence."


def render(book: Book, jobs: int = 2) -> Path:
    """Write `_book/book.epub` where it is not up to date. Raises ProblemsFound; the old EPUB then stays."""
    target = book.output / "book.epub"
    joined = whole.assemble(book, "epub", jobs)
    stamp, key = book.build / "epub" / "book.key", whole.digest(joined.key, str(_meta(book)), str(ABOUT), *_style(book))
    if target.is_file() and stamp.is_file() and stamp.read_text() == key:
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("part.epub")
    _, complaints = pandoc.run(_arguments(book, part), joined.document, book.root, _meta(book))
    if complaints:
        part.unlink(missing_ok=True)
        raise ProblemsFound(Problem("the EPUB", c.message, c.cell) for c in complaints)
    part.replace(target)
    write_if_changed(stamp, key)
    return target


def _style(book: Book) -> list[bytes]:
    return [(book.root / STYLE / name).read_bytes() for name in ("epub.css", "cover.typ", "cover-card.typ")]


def _arguments(book: Book, target: Path) -> list[str]:
    return ["--from", "json", "--to", "epub3", "--mathml", "--toc", "--toc-depth=3", "--split-level=2",
            f"--metadata-file={_about(book)}", f"--css={book.root / STYLE / 'epub.css'}",
            f"--epub-cover-image={_cover(book)}", f"--output={target}"]


def _about(book: Book) -> Path:
    """What metadata on the command line cannot say, as a file: lists, and the day of the newest run."""
    notebooks = (json.loads(chapter.notebook.read_bytes()) for chapter in book.chapters.values())
    days = sorted(day for each in notebooks if (day := each["metadata"].get("dlbook", {}).get("date")))
    path = book.build / "epub" / "about.json"
    write_if_changed(path, json.dumps(ABOUT | ({"date": days[-1]} if days else {})))
    return path


def _cover(book: Book) -> Path:
    """The title card as a picture."""
    path = book.build / "epub" / "cover.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(typst.compile(
        book.root / STYLE / "cover-card.typ", root=book.root, format="png", ppi=180, ignore_system_fonts=True,
        sys_inputs={"title": book.title, "subtitle": book.subtitle, "author": book.author}))
    return path


def _meta(book: Book) -> dict[str, str]:
    """No clock in it; the identifier follows from the title, so that devices know the next build as the same book."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"dlbook:{book.title}")
    return {"title": book.title, "subtitle": book.subtitle, "author": book.author,
            "lang": book.config.get("lang", "en-GB"), "rights": LICENCE, "identifier": f"urn:uuid:{name}"}
