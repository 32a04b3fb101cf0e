"""The quizzes for other systems: Moodle XML, QTI 2.1 and 3.0, GIFT, Anki, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from press.book import Book, BookError, Chapter
from press.quiz.export import anki, gift, moodle, qti, qti3, sheet
from press.quiz.export.entries import Entry, collect, texts
from press.quiz.export.job import Job
from press.quiz.export.prose import Prose
from press.quiz.export.report import Report
from press.render import pages

VARIANTS = 10

__all__ = ["FORMATS", "VARIANTS", "Report", "export"]


@dataclass(frozen=True)
class Format:
    """write: the files by name. media: what stands before a picture's name. platforms: what the systems do."""

    write: Callable[[Job], dict[str, bytes]]
    media: str
    platforms: dict[str, str]


FORMATS = {name: Format(module.write, module.MEDIA, module.PLATFORMS) for name, module in {
    "moodle": moodle, "qti": qti, "qti3": qti3, "gift": gift, "anki": anki, "csv": sheet}.items()}


def export(book: Book, chapters: Iterable[Chapter], to: str, folder: Path | None = None, variants: int = VARIANTS,
           feedback: bool = True) -> Report:
    """Write the chapters' questions for another system into folder, `_build/export` if none is given.

    variants: how many of a template's are exported. feedback: False leaves out what needs response rules of its own
    (QTI only). Raises BookError for an unknown format, or where no chapter has a quiz.
    """
    if to not in FORMATS:
        raise BookError(f"{to!r} is no format of an export; expected one of: {', '.join(FORMATS)}")
    labels = pages.prepare(book).labels
    entries = list(collect(book, chapters, labels, variants))
    if not entries:
        raise BookError("none of these chapters has a quiz; name a chapter that has one")
    job = Job(book, entries, _prose(book, entries, labels, FORMATS[to].media), Report(to), feedback)
    files = FORMATS[to].write(job)
    job.report.note(note for prose in job.prose.values() for note in prose.notes)
    job.report.platforms = FORMATS[to].platforms
    job.report.files = _saved(files, folder or book.build / "export")
    return job.report


def _prose(book: Book, entries: list[Entry], labels: dict, media: str) -> dict[str, Prose]:
    """The texts of each chapter, converted together."""
    works, site = pages.works(book), book.config["book"].get("site-url")
    chapters = {entry.chapter.id: entry.chapter for entry in entries}
    return {name: Prose(chapter, chain.from_iterable(texts(e.question) for e in entries if e.chapter.id == name),
                        labels, works, site.rstrip("/") if site else None, media) for name, chapter in chapters.items()}


def _saved(files: dict[str, bytes], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        part = folder / f"{name}.part"
        part.write_bytes(data)
        part.replace(folder / name)
    return [folder / name for name in files]
