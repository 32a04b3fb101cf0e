"""The PDF: the whole book through Pandoc's Typst writer, set by Typst as a tagged PDF (PDF/UA-1)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typst

from press.book import Book, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc, whole

STYLE = "theme/print"
NOTICE = "Text under CC BY 4.0, code under the MIT licence. Set by Typst from the book's notebooks."
SOURCE = "whole.typ"
PASSES = 8              # of placing figures; each settles one more figure of every chapter
NARROW = "node_modules/@fontsource/iosevka-charon-mono/files/iosevka-charon-mono-latin-{}-normal.woff"
WEIGHTS = (400, 700)
STANDARD = "ua-1"       # tags, reading order, alternative text: Typst stops where one of them is missing


def render(book: Book, jobs: int = 2) -> Path:
    """Write `_book/book.pdf` where it is not up to date. Raises ProblemsFound; the old PDF then stays."""
    target = book.output / "book.pdf"
    joined = whole.assemble(book, "typst", jobs)
    stamp, key = book.build / "typst" / "book.key", whole.digest(joined.key, _head(book), *_style(book), *_packed(book))
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


def _packed(book: Book) -> list[bytes]:
    """The narrow type of code as npm packs it; nothing where it is not installed."""
    files = [book.root / NARROW.format(weight) for weight in WEIGHTS]
    return [path.read_bytes() for path in files if path.is_file()]


def _fonts(book: Book) -> Path:
    """The folder of that type, unpacked for Typst; empty where it is not installed."""
    from fontTools.ttLib import TTFont
    folder = book.build / "typst" / "fonts"
    folder.mkdir(parents=True, exist_ok=True)
    for weight in WEIGHTS:
        packed, target = book.root / NARROW.format(weight), folder / f"{weight}.ttf"
        if packed.is_file():
            font = TTFont(packed, recalcTimestamp=False)
            font.flavor = None
            font.save(target)
        else:
            target.unlink(missing_ok=True)
    return folder


def _compile(book: Book, source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("book.pdf.part")
    fonts = _fonts(book)
    setting = {"root": book.root, "ignore_system_fonts": True, "font_paths": [fonts]}
    given = {"narrow": "yes" if any(fonts.iterdir()) else "no"}
    try:
        given["moved"] = " ".join(_moved(source, setting, given))
        part.write_bytes(typst.compile(source, pdf_standards=[STANDARD], sys_inputs=given, **setting))
    except typst.TypstError as error:
        raise ProblemsFound([_placed(error, source.read_text(encoding="utf-8"))]) from None
    part.replace(target)


def _moved(source: Path, setting: dict[str, Any], given: dict[str, str]) -> list[str]:
    """Labels of the figures that do not fit where they are written and must move to the head of a page.

    Moving one changes where the later ones of its chapter stand, so each pass settles the first of every chapter.
    """
    moved: list[str] = []
    for _ in range(PASSES):
        found = list(_first_misfits(_places(source, setting, given | {"moved": " ".join(moved)})))
        if not found:
            break
        moved += found
    return moved


def _places(source: Path, setting: dict[str, Any], given: dict[str, str]) -> list[dict[str, Any]]:
    """Where each figure that may move stands; none where the book cannot be set: the compiler then names the fault."""
    try:
        return json.loads(typst.query(source, "<dl-place>", field="value", sys_inputs=given, **setting))
    except RuntimeError:
        return []


def _first_misfits(places: list[dict[str, Any]]) -> Iterator[str]:
    """The first figure of each chapter that does not fit; a figure's label starts with fig- and its chapter's name."""
    seen = set()
    for place in places:
        chapter = place["id"].split("-")[1]
        if not place["fits"] and chapter not in seen:
            seen.add(chapter)
            yield place["id"]


def _placed(error: typst.TypstError, text: str) -> Problem:
    """Typst's complaint with the file and cell whose mark stands last above the line that it names."""
    message = " ".join([f"Typst cannot set the PDF: {error.message}", *error.hints])
    line = re.search(rf"{re.escape(SOURCE)}:(\d+)", error.diagnostic)
    above = "\n".join(text.split("\n")[: int(line[1])]) if line else ""
    marks = re.findall(r"^// cell: ([^\t\n]+)\t(.*)$", above, re.M)
    file, cell = marks[-1] if marks else ("the PDF", None)
    return Problem(file, message, cell)
