"""Course paths: the lines of each course of `syllabus.yml`, what teaches and tests them, and what is still missing."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from press.book import Book, BookError, Chapter, load_yaml
from press.exercises import read, tasks
from press.front import Front
from press.quiz import load
from press.quiz.source import Question

EVERYWHERE = "all"  # a line that the book as a whole serves
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Line:
    """What a course teaches. covers: the chapters that must teach it, or "all"."""

    id: str
    text: str
    covers: tuple[str, ...]


@dataclass(frozen=True)
class Course:
    """A university's course. letter: "A"; lines: in its own order."""

    letter: str
    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Taught:
    """What a chapter offers for a line: sections by label, questions and exercises."""

    chapter: Chapter
    sections: tuple[str, ...]
    questions: tuple[Question, ...]
    exercises: int


def courses(book: Book) -> list[Course]:
    """The courses of `syllabus.yml`, none where it names none. Raises BookError where a line names no course."""
    path = book.root / "syllabus.yml"
    raw = load_yaml(path.read_bytes()) if path.is_file() else {}
    if not raw.get("courses"):
        return []
    lines = [Line(line["id"], line["text"], tuple(line["covers"])) for line in raw["lines"]]
    if strange := [line.id for line in lines if line.id[0] not in raw["courses"]]:
        raise BookError(f"syllabus.yml: line {strange[0]} belongs to none of the courses {', '.join(raw['courses'])}")
    return [Course(letter, title, tuple(line for line in lines if line.id[0] == letter))
            for letter, title in raw["courses"].items()]


class Paths:
    """The course pages of a book. labels: label → {"text": "Section 1.3", "title", "url"}, of the whole book."""

    def __init__(self, book: Book, labels: dict[str, dict[str, str]]):
        self.book, self.labels = book, labels
        self.courses = courses(book)
        wanted = {name for course in self.courses for line in course.lines for name in line.covers}
        self.fronts = {chapter.id: Front.of(chapter) for chapter in book if chapter.id in wanted}
        self.quizzes = {chapter.id: load(chapter.quiz).questions for chapter in book if chapter.quiz.is_file()}
        self.tasks = {c.id: len(tasks(read(c.exercises))) for c in book if c.exercises.is_file()}

    def chapters(self, course: Course) -> list[Chapter]:
        """The chapters of the book that the course needs, in the book's order."""
        wanted = {name for line in course.lines for name in line.covers}
        return [chapter for chapter in self.book if chapter.id in wanted]

    @cached_property
    def missing(self) -> dict[str, list[str]]:
        """Line → the chapters that must teach it and are not in the book, or in it and serve it by no outcome."""
        return {line.id: [name for name in line.covers if name != EVERYWHERE and not self._serves(name, line)]
                for course in self.courses for line in course.lines}

    def _serves(self, name: str, line: Line) -> bool:
        return name in self.fronts and any(line.id in outcome.lines for outcome in self.fronts[name].outcomes)

    def taught(self, line: Line) -> Iterator[Taught]:
        """What the book's chapters offer for the line, in the line's order."""
        for name in line.covers:
            if self._serves(name, line):
                outcomes = {outcome.id for outcome in self.fronts[name].outcomes if line.id in outcome.lines}
                asked = [q for q in self.quizzes.get(name, []) if line.id in q.lines or q.outcome in outcomes]
                sections = dict.fromkeys(q.section for q in asked if q.section in self.labels)
                ordered = sorted(sections, key=lambda label: _number(self.labels[label]["text"]))
                yield Taught(self.book.chapters[name], tuple(ordered), tuple(asked), self.tasks.get(name, 0))

    def covered(self, course: Course) -> int:
        """How many of the course's lines every chapter that must teach them serves."""
        return sum(not self.missing[line.id] for line in course.lines)

    def rows(self, course: Course) -> list[dict[str, Any]]:
        """The course's lines as the template `course.html` shows them; addresses from the site's root."""
        return [{"id": line.id, "text": line.text[:1].upper() + line.text[1:], "missing": self.missing[line.id],
                 "everywhere": EVERYWHERE in line.covers, "taught": [self._row(taught) for taught in self.taught(line)]}
                for line in course.lines]

    def _row(self, taught: Taught) -> dict[str, Any]:
        chapter = taught.chapter
        offers = [(f"{chapter.url}#q-{taught.questions[0].id}", _count(len(taught.questions), "question"))
                  ] if taught.questions else []
        if taught.exercises:
            offers.append((self._first(chapter, "exr")["url"], _count(taught.exercises, "exercise")))
        return {"number": chapter.number, "title": self._first(chapter, "sec")["title"], "url": chapter.url,
                "sections": [self.labels[label] for label in taught.sections], "offers": offers,
                "notebook": f"downloads/{chapter.id}.ipynb"}

    def _first(self, chapter: Chapter, kind: str) -> dict[str, str]:
        """The chapter's first label of a kind: its own heading, its first exercise."""
        found = (label for label in self.labels.values()
                 if label["kind"] == kind and label["url"].startswith(f"{chapter.url}#"))
        return min(found, key=lambda label: _number(label["text"]))


def pages(book: Book, labels: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Each course's page and the one that lists them: id, title, template and what it shows."""
    if not courses(book):
        return
    every = Paths(book, labels)
    rows = [{"letter": course.letter, "title": course.title, "covered": every.covered(course),
             "lines": len(course.lines)} for course in every.courses]
    yield "courses/index", "Courses", "courses.html", {"courses": rows}
    for course in every.courses:
        zipped = f"downloads/course-{course.letter}.zip" if every.chapters(course) else ""
        yield f"courses/{course.letter}", course.title, "course.html", {
            "course": course, "covered": every.covered(course), "lines": every.rows(course), "archive": zipped}


def archives(book: Book) -> None:
    """Write the notebooks of each course into `_build/archives/course-<letter>.zip`."""
    for course in courses(book):
        wanted = {name for line in course.lines for name in line.covers}
        if chapters := [chapter for chapter in book if chapter.id in wanted]:
            archive(chapters, book.build / "downloads", book.build / "archives" / f"course-{course.letter}.zip")


def _number(text: str) -> list[int | str]:
    """"Section 1.10" after "Section 1.9"."""
    return [int(part) if part.isdigit() else 0 for part in text.split("\u00a0")[-1].split(".")]


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def archive(chapters: list[Chapter], folder: Path, target: Path) -> None:
    """All notebooks of the chapters as a zip, the same bytes for the same notebooks. folder: `_build/downloads`."""
    files = sorted(path for chapter in chapters for path in (folder / chapter.id).parent.glob(f"{chapter.slug}*.ipynb")
                   if path.stem.removeprefix(chapter.slug) in ("", "-code-along", "-exercises", "-solutions"))
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as made:
        for path in files:
            made.writestr(zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH), path.read_bytes(),
                          zipfile.ZIP_DEFLATED)
    part.replace(target)
