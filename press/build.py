"""The whole way from sources to book: export, compile, split, execute what changed, render."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from press import execute, exercises, fingerprint, quiz
from press.book import Book, BookError, Problem, ProblemsFound
from press.render import render


def build(book: Book, engine: str, formats: tuple[str, ...], console: Console) -> None:
    """Build the book into `_book/` and say which engine did it, how long it took and how to read it."""
    start = time.perf_counter()
    export(book.root)
    refresh(book, console)
    compile_sources(book)
    report = render(book, engine, formats)
    seconds = time.perf_counter() - start
    console.print(f"Built by {report.engine} in {seconds:.1f} s: {', '.join(formats)}, {report.written} pages new.",
                  highlight=False)
    console.print(f"Read it: open {book.output / 'index.html'} in a browser, or run `dlbook serve`.",
                  highlight=False, soft_wrap=True)


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


def compile_sources(book: Book) -> None:
    """Check the quizzes, then write what the pages include under `_build/`."""
    if problems := quiz.check(book):
        raise ProblemsFound(problems)
    quiz.compile_quizzes(book)
    exercises.compile_exercises(book)
