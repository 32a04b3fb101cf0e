"""The book model: parts, chapters and the files that belong to a chapter, read from `_quarto.yml` once."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

CONFIG = "_quarto.yml"
APPENDIX = "Appendices"
PART_KEYS = {"part", "chapters"}
BOOK_KEYS = ("title", "subtitle", "author", "repo-url", "chapters", "appendices")  # those that the press reads
SOURCES = {"chapters": "ipynb", "exercises": "ipynb", "quizzes": "yml"}
BLUEPRINTS = "blueprints"                   # beside the chapters' quizzes, a folder that is no part of the book


def load_yaml(text: str | bytes) -> Any:
    """What YAML says, by the C parser where there is one: ten times as fast. Raises yaml.YAMLError."""
    return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class BookError(Exception):
    """One sentence for the reader of the terminal: what was given, what was expected, what to do."""


@dataclass(frozen=True)
class Problem:
    """A fault in a source, with its place. Problems of one pass are collected and reported together.

    cell: the cell's id, or the name of another kind of place, which `what` tells, such as "question".
    """

    file: str
    message: str
    cell: str | None = None
    what: str = "cell"

    def __str__(self) -> str:
        place = f"{self.file}, {self.what} {self.cell}" if self.cell else self.file
        return f"{place}: {self.message}"


class ProblemsFound(BookError):
    """Raised once a pass is over, with every problem that it met."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Chapter:
    """One chapter: its place in the book and the paths that belong to it.

    id: "foundations/perceptron", the path under chapters/. number: "1", "2", … or "A", "B", … in the appendices.
    """

    id: str
    number: str
    part: str
    root: Path

    @property
    def slug(self) -> str:
        return self.id.split("/")[-1]

    @property
    def is_appendix(self) -> bool:
        return self.number.isalpha()

    @property
    def notebook(self) -> Path:
        return self.root / "chapters" / f"{self.id}.ipynb"

    @property
    def exercises(self) -> Path:
        return self.root / "exercises" / f"{self.id}.ipynb"

    @property
    def quiz(self) -> Path:
        return self.root / "quizzes" / f"{self.id}.yml"

    @property
    def url(self) -> str:
        """The page, relative to the site's root, the same on both engines."""
        return f"chapters/{self.id}.html"

    @property
    def source(self) -> str:
        """The notebook, relative to the project's root: the name used in messages."""
        return f"chapters/{self.id}.ipynb"


@dataclass(frozen=True)
class Part:
    title: str
    chapters: tuple[Chapter, ...]


@dataclass(frozen=True)
class Book:
    """The whole book, as `_quarto.yml` orders it."""

    root: Path
    title: str
    subtitle: str
    author: str
    repository: str | None
    parts: tuple[Part, ...]
    config: dict = field(repr=False, hash=False)

    def __iter__(self) -> Iterator[Chapter]:
        return (chapter for part in self.parts for chapter in part.chapters)

    @cached_property
    def chapters(self) -> dict[str, Chapter]:
        return {chapter.id: chapter for chapter in self}

    @property
    def build(self) -> Path:
        """Where intermediate files go; never committed."""
        return self.root / "_build"

    @property
    def output(self) -> Path:
        """Where the finished book goes; never committed."""
        return self.root / "_book"

    def unlisted(self) -> list[str]:
        """Files of chapters, quizzes and exercises that the book leaves out: `_quarto.yml` lists no such chapter."""
        there = ((folder, path) for folder, kind in SOURCES.items() for path in self.root.glob(f"{folder}/*/*.{kind}"))
        return sorted(str(path.relative_to(self.root)) for folder, path in there if path.parent.name != BLUEPRINTS
                      and str(path.relative_to(self.root / folder).with_suffix("")) not in self.chapters)

    def select(self, names: Iterable[str] = ()) -> list[Chapter]:
        """The named chapters in the book's order, all where no name is given.

        A name is an id ("foundations/perceptron"), a slug ("perceptron") or a path to the notebook.
        Raises BookError for a name that no chapter has.
        """
        wanted = {self._find(name).id for name in names}
        return [chapter for chapter in self if not wanted or chapter.id in wanted]

    def _find(self, name: str) -> Chapter:
        key = name.removesuffix(".ipynb").removeprefix("./").removeprefix("chapters/")
        found = [c for c in self if key in (c.id, c.slug) or Path(name).resolve() == c.notebook.resolve()]
        if len(found) == 1:
            return found[0]
        if (self.root / "chapters" / f"{key}.ipynb").is_file():
            raise BookError(f"chapters/{key}.ipynb is there, but {CONFIG} does not list it; add it to its part")
        known = ", ".join(self.chapters)
        raise BookError(f"chapter {name!r} is not one of this book's chapters; expected one of: {known}")


def find_root(start: Path | None = None) -> Path:
    """The nearest folder at or above start that holds `_quarto.yml`."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return folder
    raise BookError(f"no {CONFIG} in {start} or above it; run the command inside the book's folder")


def data_folder(root: Path) -> dict[str, str]:
    """What to add to the environment: DLBOOK_DATA, where it is not set and shared data lie beside the project."""
    shared = root.parent / "shared" / "data"
    return {} if os.environ.get("DLBOOK_DATA") or not shared.is_dir() else {"DLBOOK_DATA": str(shared)}


def load(root: Path | None = None) -> Book:
    """Read the book model. Raises BookError where `_quarto.yml` is missing, broken or names a missing file."""
    root = find_root(root)
    config = _read(root / CONFIG)
    head = config["book"]
    _check_keys(head)
    parts = tuple(_parts(root, head))
    missing = [c.source for part in parts for c in part.chapters if not c.notebook.is_file()]
    if missing:
        raise BookError(f"{CONFIG} lists {', '.join(missing)}, which is not there; write it or take the line out")
    return Book(root, head.get("title", ""), head.get("subtitle", ""), str(head.get("author", "")),
                head.get("repo-url"), parts, config)


def _read(path: Path) -> dict:
    try:
        config = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{path.name} is not readable as YAML ({error}); mend it first") from None
    if not isinstance(config, dict) or not isinstance(config.get("book"), dict) \
            or not isinstance(config["book"].get("chapters"), list):
        raise BookError(f"{path.name} has no book: chapters: list; expected a Quarto book project")
    return config


def _check_keys(head: dict) -> None:
    """Refuse a misspelt key, which would leave a part or the appendices out in silence. Quarto has more keys."""
    for entry in (entry for entry in head["chapters"] if isinstance(entry, dict)):
        if unknown := sorted(map(str, entry.keys() - PART_KEYS)):
            name = entry.get("part", "a part")
            raise BookError(f"{CONFIG}: {name} has the unknown key {unknown[0]!r}; expected part and chapters")
        if "part" not in entry:
            raise BookError(f"{CONFIG} has chapters without a part; write part: and its title above them")
    for name in map(str, head.keys() - set(BOOK_KEYS)):
        if near := difflib.get_close_matches(name, BOOK_KEYS, 1, 0.85):
            raise BookError(f"{CONFIG}: book has the unknown key {name!r}; did you mean {near[0]}?")


def _parts(root: Path, head: dict) -> Iterator[Part]:
    number = 0
    for entry in head["chapters"]:
        if isinstance(entry, dict) and "part" in entry:
            ids = [_id(item) for item in entry.get("chapters") or []]
            chapters = tuple(Chapter(name, str(number + i), entry["part"], root) for i, name in enumerate(ids, 1))
            number += len(ids)
            yield Part(entry["part"], chapters)
    ids = [_id(item) for item in head.get("appendices") or []]
    if ids:
        yield Part(APPENDIX, tuple(Chapter(name, chr(ord("A") + i), APPENDIX, root) for i, name in enumerate(ids)))


def _id(entry: str) -> str:
    if not (isinstance(entry, str) and entry.startswith("chapters/") and entry.endswith(".ipynb")):
        raise BookError(f"{CONFIG} lists {entry!r}; expected a path such as chapters/part/chapter.ipynb")
    return entry.removeprefix("chapters/").removesuffix(".ipynb")
