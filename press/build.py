"""The whole way from sources to book: export, compile, split, execute what changed, render."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from press import execute, exercises, fingerprint, quiz
from press.book import Book, BookError, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import render
from press.render.pages import digest


def build(book: Book, engine: str, formats: tuple[str, ...], console: Console) -> None:
    """Build the book into `_book/` and say which engine did it, how long it took and how to read it."""
    start = time.perf_counter()
    _unless_unchanged(book, "export", EXPORTED, lambda: export(book.root))
    refresh(book, console)
    _unless_unchanged(book, "quiz", ("quizzes", *EXPORTED, "syllabus.yml"), lambda: check_quizzes(book))
    compile_sources(book)
    report = render(book, engine, formats)
    seconds = time.perf_counter() - start
    console.print(f"Built by {report.engine} in {seconds:.1f} s: {', '.join(formats)}, {report.written} pages new.",
                  highlight=False)
    console.print(f"Read it: open {book.output / 'index.html'} in a browser, or run `dlbook serve`.",
                  highlight=False, soft_wrap=True)


EXPORTED = ("chapters", "dlbook")


def _unless_unchanged(book: Book, name: str, sources: tuple[str, ...], step: Callable[[], None]) -> None:
    """Take a step, unless it went well before on the very same sources."""
    mark = book.build / f"{name}.key"
    if mark.is_file() and mark.read_text() == _state(book.root, sources):
        return
    step()
    write_if_changed(mark, _state(book.root, sources))


def _state(root: Path, sources: tuple[str, ...]) -> str:
    places = (root / name for name in sources)
    files = (path for place in places for path in (place.rglob("*") if place.is_dir() else [place]))
    kept = sorted(path for path in files if path.suffix in (".ipynb", ".py", ".yml") and path.parent.name[0] != ".")
    return digest(*(part for path in kept for part in (str(path.relative_to(root)), path.read_bytes())))


def export(root: Path) -> None:
    """Export the chapters' code into `dlbook/`, leaving no module behind that no chapter exports any more."""
    command = [Path(sys.executable).with_name("nbdev-export")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise BookError(f"the chapters' code could not be exported: {done.stderr.strip().splitlines()[-1]}")


def refresh(book: Book, console: Console) -> None:
    """Execute the chapters whose stored outputs are no longer true for the profile and device they were made with."""
    stale = [chapter for chapter in book if fingerprint.stale(chapter)]
    failed = [result for result in execute.execute(book, stale, console=console) if not result.ok] if stale else []
    if failed:
        raise ProblemsFound(Problem(result.chapter.source, result.message) for result in failed)


def check_quizzes(book: Book) -> None:
    """Recompute every key. Raises ProblemsFound."""
    if problems := quiz.check(book):
        raise ProblemsFound(problems)


def compile_sources(book: Book) -> None:
    """Write what the pages include under `_build/`."""
    quiz.compile_quizzes(book)
    exercises.compile_exercises(book)
