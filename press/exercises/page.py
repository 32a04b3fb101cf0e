"""The exercises as a part of the chapter's page: each task with its hint and its solution folded."""

from __future__ import annotations

import re

from nbformat import NotebookNode

from press.book import Book
from press.exercises.source import HEADING, MARKERS, Task, read, tasks
from press.files import write_if_changed

HINT = re.compile(r"<details>\s*<summary>(?P<title>.*?)</summary>(?P<body>.*?)</details>", re.S)


def markdown(notebook: NotebookNode) -> str:
    """The exercises as the book's Markdown."""
    return "\n".join(_task_markdown(task) for task in tasks(notebook))


def _task_markdown(task: Task) -> str:
    text = "\n\n".join(cell.source for cell in task.cells["task"])
    text = HINT.sub(_fold, HEADING.sub("", text))
    solution = "\n\n".join(_solution_part(cell) for role in ("solution", "answer") for cell in task.cells[role])
    checked = "\n\n*Its check cell marks it: download the notebook.*" if task.marks_itself else ""
    return (f"::::: {{#{task.label}}}\n\n## {task.title}\n\n{text.strip()}{checked}\n\n"
            f":::: {{.exercise-fold .exercise-solution title=\"Solution\"}}\n\n{solution}\n\n::::\n\n:::::\n")


def _fold(hint: re.Match[str]) -> str:
    return f"\n:::: {{.exercise-fold title=\"{hint['title'].strip()}\"}}\n{hint['body'].strip()}\n::::\n"


def _solution_part(cell: NotebookNode) -> str:
    source = MARKERS.sub("", cell.source).strip()
    return f"```python\n{source}\n```" if cell.cell_type == "code" else source


def compile_exercises(book: Book) -> None:
    """Write the Markdown of all exercises and every chapter's downloads under `_build/`, where they differ."""
    from press import downloads
    for chapter in book:
        if chapter.exercises.is_file():
            write_if_changed(book.build / "exercises" / f"{chapter.id}.md", markdown(read(chapter.exercises)))
        downloads.write_notebooks(book, chapter)
