"""The whole way from sources to book: export, compile, split, execute what changed, render."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from press import courses, execute, exercises, fingerprint, glossary, lint, notebooks, quiz
from press.book import Book, BookError, Problem, ProblemsFound
from press.files import alone, write_if_changed
from press.render import Report, render
from press.render.pages import digest


def build(book: Book, engine: str, formats: tuple[str, ...], console: Console) -> None:
    """Build the book into `_book/` and say which engine did it, how long it took and how to read it."""
    start = time.perf_counter()
    with alone(book):
        report = _steps(book, engine, formats, console)
    seconds = time.perf_counter() - start
    console.print(f"Built by {report.engine} in {seconds:.1f} s: {', '.join(formats)}, {report.written} pages new.",
                  highlight=False)
    console.print(f"Read it: open {book.output / 'index.html'} in a browser, or run {_command()} serve.",
                  highlight=False, markup=False, soft_wrap=True)


def _steps(book: Book, engine: str, formats: tuple[str, ...], console: Console) -> Report:
    check_sources(book)
    for path in book.unlisted():
        console.print(left_out(path), highlight=False, markup=False, soft_wrap=True)
    _unless_unchanged(book, "export", EXPORTED, lambda: export(book.root))
    refresh(book, console)
    _unless_unchanged(book, "quiz", ("quizzes", *EXPORTED, "syllabus.yml"), lambda: check_quizzes(book))
    compile_sources(book)
    return render(book, engine, formats)


def left_out(path: str) -> str:
    """What is said of a file of a chapter that the book does not have."""
    return f"{path} is there, but _quarto.yml lists no such chapter: it is left out of the book."


def _command() -> str:
    """How this command is called from here: its name where the PATH finds it, else its path."""
    here = Path(sys.executable).with_name("dlbook")
    found = shutil.which("dlbook")
    if found and os.path.realpath(found) == os.path.realpath(here):
        return "dlbook"
    return os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here)


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


def check_sources(book: Book) -> None:
    """Read every notebook of the folder before nbdev does, which would not name it. Raises ProblemsFound."""
    paths = (path for path in sorted(book.root.glob("chapters/**/*.ipynb")) if path.parent.name[0] != ".")
    found = [problem for path in paths for problem in _unread(path, str(path.relative_to(book.root)))]
    if found or (found := lint.problems(book)):
        raise ProblemsFound(found)


def _unread(path: Path, name: str) -> list[Problem]:
    try:
        notebooks.read(path, name)
    except ProblemsFound as error:
        return error.problems
    return []


def export(root: Path) -> None:
    """Export the chapters' code into `dlbook/`. Raises BookError with nbdev's last line.

    nbdev writes pyproject.toml anew each time; where it says the same as before, its time stays too.
    """
    project = root / "pyproject.toml"
    before, times = project.read_bytes(), project.stat()
    command = [Path(sys.executable).with_name("nbdev-export")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True)
    if project.read_bytes() == before:
        os.utime(project, ns=(times.st_atime_ns, times.st_mtime_ns))
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"nbdev-export ended with exit status {done.returncode}"]
        raise BookError(f"the chapters' code could not be exported: {said[-1]}")


def refresh(book: Book, console: Console) -> None:
    """Execute the chapters whose stored outputs are no longer true for the profile and device they were made with.

    Raises ProblemsFound with the cell and the line at which each chapter failed.
    """
    stale = [chapter for chapter in book if fingerprint.stale(chapter)]
    failed = [result for result in execute.execute(book, stale, console=console) if not result.ok] if stale else []
    if failed:
        raise ProblemsFound(Problem(book.chapters[result.chapter].source, _failure(result), result.cell)
                            for result in failed)


def _failure(result: execute.Result) -> str:
    line = f"line {result.line}: " if result.line else ""
    return line + (result.message or "failed") + (f" (report: {result.report})" if result.report else "")


def check_quizzes(book: Book) -> None:
    """Recompute every key. Raises ProblemsFound."""
    if problems := quiz.check(book):
        raise ProblemsFound(problems)


def compile_sources(book: Book) -> None:
    """Write what the pages include under `_build/`."""
    quiz.compile_quizzes(book)
    exercises.compile_exercises(book)
    courses.archives(book)
    glossary.compile_glossary(book)
