"""One export at work: the questions, their chapters' texts, and the report."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from lxml import etree

from press.book import Book, Chapter
from press.quiz import marking
from press.quiz.export.entries import Entry, texts
from press.quiz.export.pictures import Picture
from press.quiz.export.prose import Prose
from press.quiz.export.report import Report
from press.quiz.source import Number

EPOCH = (1980, 1, 1, 0, 0, 0)       # the only date in a file, so that the same questions make the same bytes


@dataclass
class Job:
    """entries: in the book's order. prose: by chapter's id. feedback: whether it may need rules of its own."""

    book: Book
    entries: list[Entry]
    prose: dict[str, Prose]
    report: Report
    feedback: bool = True

    def of(self, entry: Entry) -> Prose:
        return self.prose[entry.chapter.id]

    def pictures(self, entry: Entry) -> list[Picture]:
        """The pictures in a question's texts."""
        return self.of(entry).pictures(*texts(entry.question))

    def chapters(self) -> Iterator[tuple[Chapter, list[Entry]]]:
        for _, found in groupby(self.entries, key=lambda entry: entry.chapter.id):
            part = list(found)
            yield part[0].chapter, part


def categories(job: Job) -> Iterator[tuple[list[str], list[Entry]]]:
    """The entries by Moodle's categories: book, chapter, section, and one for each template, so that Moodle can draw a
    variant. The path is in plain names."""
    for _, entries in job.chapters():
        for section, found in sections(entries):
            path = [job.book.title, entries[0].title, section]
            singles = [entry for entry in found if not entry.variant]
            yield from [(path, singles)] if singles else []
            yield from (([*path, name], variants) for name, variants in templates(found))


def templates(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The templates' ids, each with its variants."""
    variants = (entry for entry in entries if entry.variant)
    for name, found in groupby(variants, key=lambda entry: entry.id.rpartition("-v")[0]):
        yield name, list(found)


def sections(entries: Iterable[Entry]) -> Iterator[tuple[str, list[Entry]]]:
    """The entries by section, sections in the order of their first question."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.section, []).append(entry)
    yield from found.items()


def element(tag: str, *children: etree._Element | None, text: str | None = None, **attributes: str) -> etree._Element:
    """An element with its children; attributes as given, an underscore at the end cut off."""
    made = etree.Element(tag, {name.rstrip("_"): value for name, value in attributes.items()})
    made.text = text
    made.extend(child for child in children if child is not None)
    return made


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive without clock or machine in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(info, data)
    return out.getvalue()


def slips(question: Number, report: Report) -> Iterator[tuple[float, str]]:
    """The wrong numbers with their feedback; one that is no number is told of in the report."""
    for wrong in question.wrong:
        values = marking.readings(question, str(wrong.answer))
        if values:
            yield values[0], wrong.feedback
        else:
            report.note([f"{question.id}: the wrong answer {wrong.answer!r} is no number; its feedback is left out"])
