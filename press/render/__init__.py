"""Rendering: stored notebooks to a website, a PDF and an EPUB, with the engine that the machine has."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from press.book import Book, BookError

ENGINES = ("auto", "quarto", "pandoc")
FORMATS = ("html", "pdf", "epub")
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Report:
    """What a render did. pages: the addresses that changed; made: the sources read anew; total: all pages."""

    engine: str
    pages: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    total: int = 0
    seconds: float = 0.0

    @property
    def written(self) -> int:
        return len(self.pages)


def choose(engine: str = "auto") -> str:
    """The engine that will be used: Quarto where it is on the PATH, else the embedded one.

    Raises BookError for a name that is no engine, and for Quarto where it is missing.
    """
    here = shutil.which("quarto") is not None
    if engine not in ENGINES:
        raise BookError(f"engine {engine!r} is not known; expected one of {', '.join(ENGINES)}")
    if engine == "quarto" and not here:
        raise BookError("quarto is not on the PATH; install it from quarto.org, or use --engine pandoc")
    return ("quarto" if here else "pandoc") if engine == "auto" else engine


def render(book: Book, engine: str = "auto", to: Iterable[str] = ("html",), jobs: int | None = None,
           progress: Progress | None = None) -> Report:
    """Render the stored outputs into `_book/`.

    to: any of "html", "pdf", "epub". The documents come first: the site links those that are there.
    progress: called with the name of each source that is read. Raises BookError where a format is unknown,
    ProblemsFound with every fault of the sources; what was in `_book/` then stays.
    """
    wanted, used, started = list(to), choose(engine), time.perf_counter()
    if unknown := [name for name in wanted if name not in FORMATS]:
        raise BookError(f"format {unknown[0]!r} is not known; expected one of {', '.join(FORMATS)}")
    if "pdf" in wanted:
        from press.render import pdf
        pdf.render(book)
    if "epub" in wanted:
        from press.render import epub
        epub.render(book)
    report = _html(book, used, jobs, progress) if "html" in wanted else Report(used)
    return replace(report, seconds=time.perf_counter() - started)


def _html(book: Book, engine: str, jobs: int | None, progress: Progress | None) -> Report:
    if engine == "quarto":
        from press.render import quarto
        return quarto.render(book, jobs)
    from press.render import html
    return html.render(book, jobs, progress)
