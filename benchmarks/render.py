"""How long the embedded engine takes: 40 chapters to a finished site with its search index, and one changed chapter.

The book's own chapters are copied round-robin into a temporary book, their labels renamed, until there are 40.
Plain Pandoc on the same notebooks, one after another, stands beside it as the reference for the machine.

    python benchmarks/render.py [--chapters 40] [--jobs 2]
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import yaml

from press import book as model
from press import exercises, quiz
from press.book import Book, Chapter
from press.render import html, pandoc

LABEL = re.compile(r"\{#((?:sec|fig|tbl|eq|thm|lem|def|exm|exr)-[\w-]+)|#\| label: ([\w-]+)")
LINKED = ("theme", "filters", "node_modules", "dlbook", "syllabus.yml", "references.bib", "references.qmd", "index.qmd")
READER = "ipynb+citations+fenced_divs+bracketed_spans+footnotes+header_attributes+link_attributes+implicit_figures"


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--chapters", type=int, default=40)
    args.add_argument("--jobs", type=int, default=2)
    given = args.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        book = copied(model.load(), Path(folder), given.chapters)
        for name, seconds in measure(book, given.jobs):
            print(f"{name:<58}{seconds:8.2f} s")


def measure(book: Book, jobs: int):
    """(what, seconds) for each case."""
    yield f"{len(book.chapters)} chapters, everything, {jobs} jobs", html.render(book, jobs).seconds
    yield "nothing changed", html.render(book, jobs).seconds
    _change(next(iter(book)))
    report = html.render(book, jobs)
    yield f"one chapter changed ({len(report.made)} read anew)", report.seconds
    yield f"plain Pandoc, {len(book.chapters)} notebooks one after another", plain(book)


def plain(book: Book) -> float:
    """Seconds of Pandoc's own notebook reader and html writer, no filters, no index, no checks."""
    start = time.perf_counter()
    for chapter in book:
        subprocess.run([pandoc.executable(), "--from", READER, "--to", "html5", "--mathml", "--output",
                        str(book.root / "plain.html"), str(chapter.notebook)], check=True, capture_output=True)
    return time.perf_counter() - start


def copied(real: Book, root: Path, count: int) -> Book:
    """A book of count chapters: the real ones, then copies of them with labels of their own."""
    for name in LINKED:
        if (real.root / name).exists():
            (root / name).symlink_to(real.root / name)
    chapters = list(real)
    ids = [_copy(chapters[i % len(chapters)], root, i // len(chapters)) for i in range(max(count, len(chapters)))]
    config = real.config | {"book": real.config["book"] | {"chapters": _entries(real, ids)}}
    (root / "_quarto.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    book = model.load(root)
    quiz.compile_quizzes(book)
    exercises.compile_exercises(book)
    return book


def _entries(real: Book, ids: list[str]) -> list:
    appendix = {chapter.id for chapter in real if chapter.is_appendix}
    return ["index.qmd", {"part": "Chapters", "chapters": [f"chapters/{i}.ipynb" for i in ids if i not in appendix]},
            "references.qmd"]


def _copy(chapter: Chapter, root: Path, round_: int) -> str:
    """Copy a chapter's notebook, quiz, exercises and data; from the second round on under another name."""
    new = chapter.id if not round_ else f"{chapter.id}-{round_}"
    for folder, source in (("chapters", chapter.notebook), ("quizzes", chapter.quiz), ("exercises", chapter.exercises)):
        target = root / folder / f"{new}{source.suffix}"
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_renamed(source.read_text(encoding="utf-8"), chapter, round_), encoding="utf-8")
    for extra in chapter.notebook.parent.iterdir():
        if extra.is_file() and extra.suffix != ".ipynb":
            shutil.copy(extra, root / "chapters" / Path(new).parent / extra.name)
    return new


def _renamed(text: str, chapter: Chapter, round_: int) -> str:
    """The text with the chapter's labels renamed, and its quiz's question ids."""
    if not round_:
        return text
    sources = [path for path in (chapter.notebook, chapter.exercises) if path.is_file()]
    whole = "".join(path.read_text(encoding="utf-8") for path in sources)
    names = sorted({a or b for a, b in LABEL.findall(whole)}, key=len, reverse=True)
    pattern = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, names))})(?![\w-])") if names else None
    return pattern.sub(rf"\1-{round_}", text) if pattern else text


def _change(chapter: Chapter) -> None:
    """Add a sentence to a chapter."""
    notebook = json.loads(chapter.notebook.read_text(encoding="utf-8"))
    cell = {"cell_type": "markdown", "id": "added", "metadata": {}, "source": ["A sentence that was not there before."]}
    chapter.notebook.write_text(json.dumps(notebook | {"cells": [*notebook["cells"], cell]}), encoding="utf-8")


if __name__ == "__main__":
    main()
