"""Exercises: one source notebook with solutions becomes a task notebook, a solution notebook and a part of the page.

A task is a group of cells whose ids share a prefix: `<task>-task` (Markdown), `<task>-solution` or `<task>-answer`
(what the reader writes, between solution markers) and `<task>-check` (assertions). Cells with other ids belong to all.
The nbgrader metadata of these cells stays as it is.
"""

from __future__ import annotations

import copy
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from press import kernel
from press.book import Book, BookError, Chapter, Problem
from press.files import write_if_changed

CODE = re.compile(r"^(?P<indent>[ \t]*)### BEGIN SOLUTION[^\n]*\n.*?^[ \t]*### END SOLUTION[^\n]*\n?", re.M | re.S)
TEXT = re.compile(r"<!--\s*BEGIN SOLUTION\s*-->.*?<!--\s*END SOLUTION\s*-->", re.S)
MARKERS = re.compile(r"^[ \t]*(?:### (?:BEGIN|END) SOLUTION[^\n]*|<!--\s*(?:BEGIN|END) SOLUTION\s*-->)\n?", re.M)
HINT = re.compile(r"<details>\s*<summary>(?P<title>.*?)</summary>(?P<body>.*?)</details>", re.S)
HEADING = re.compile(r"^## (?P<title>.+?)\s*\{#(?P<label>exr-[\w-]+)\}\s*$", re.M)
ROLES = ("task", "solution", "answer", "check")
CELL_SECONDS = 60
FIGURE_MIME = "application/vnd.dlbook.figure+json"


@dataclass
class Task:
    """One exercise: its title, its label for cross-references, and its cells by role, in order."""

    name: str
    title: str = ""
    label: str = ""
    cells: dict[str, list[NotebookNode]] = field(default_factory=lambda: {role: [] for role in ROLES})

    @property
    def marks_itself(self) -> bool:
        return bool(self.cells["check"])


def read(path: Path) -> NotebookNode:
    """Read and validate a notebook. Raises BookError where it is none."""
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds for a broken file
        raise BookError(f"{path.name} is not a notebook ({type(error).__name__}); restore it") from None


def tasks(notebook: NotebookNode) -> list[Task]:
    """The notebook's tasks in order."""
    found: dict[str, Task] = {}
    for cell in notebook.cells:
        name, _, role = cell.get("id", "").rpartition("-")
        role = re.sub(r"\d+$", "", role)
        if not name or role not in ROLES:
            continue
        task = found.setdefault(name, Task(name))
        task.cells[role].append(cell)
        if role == "task" and (heading := HEADING.search(cell.source)):
            task.title, task.label = heading["title"], heading["label"]
    return list(found.values())


def task_notebook(notebook: NotebookNode) -> NotebookNode:
    """What a reader gets: each solution replaced by a stub that parses and says what to do, no outputs."""
    result = _bare(notebook)
    titles = {id(cell): task.title for task in tasks(result) for cells in task.cells.values() for cell in cells}
    for cell in result.cells:
        title = titles.get(id(cell), "this task").replace('"', "'")
        stub = rf'\g<indent>raise NotImplementedError("write your solution of: {_escape(title)}")' + "\n"
        cell.source = CODE.sub(stub, cell.source) if cell.cell_type == "code" else \
            TEXT.sub("*Write your answer here.*", cell.source)
    return result


def solution_notebook(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with the solutions in place, their markers taken out."""
    result = _bare(notebook)
    for cell in result.cells:
        cell.source = MARKERS.sub("", cell.source)
    return result


def _escape(text: str) -> str:
    return text.replace("\\", r"\\\\")


def _bare(notebook: NotebookNode) -> NotebookNode:
    result = copy.deepcopy(notebook)
    for cell in result.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return result


def markdown(notebook: NotebookNode) -> str:
    """The exercises as the book's Markdown: the task, its hint and its solution folded."""
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
    """Write every chapter's downloads and its exercises' Markdown under `_build/`, only where they differ."""
    for chapter in book:
        write_if_changed(book.build / "downloads" / f"{chapter.id}.ipynb", _download(read(chapter.notebook)))
        if chapter.exercises.is_file():
            source = read(chapter.exercises)
            write_if_changed(book.build / "exercises" / f"{chapter.id}.md", markdown(source))
            for name, make in (("exercises", task_notebook), ("solutions", solution_notebook)):
                target = book.build / "downloads" / f"{chapter.id}-{name}.ipynb"
                write_if_changed(target, nbformat.writes(make(source)) + "\n")


def _download(notebook: NotebookNode) -> str:
    """A chapter's notebook without what only the press needs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for data in (output.get("data", {}), output.get("metadata", {})):
                data.pop(FIGURE_MIME, None)
    return nbformat.writes(notebook) + "\n"


def faults(chapter: Chapter) -> Iterator[str]:
    """What is wrong with the form of the tasks, without running anything."""
    notebook = read(chapter.exercises)
    for task in tasks(notebook):
        if not task.title:
            yield f"task {task.name} has no cell that starts with ## Title {{#exr-…}}"
        work = task.cells["solution"] + task.cells["answer"]
        if not work or not all(MARKERS.search(cell.source) for cell in work):
            yield f"task {task.name} has no solution between BEGIN SOLUTION and END SOLUTION"
    for cell in task_notebook(notebook).cells:
        if cell.cell_type == "code" and (error := _syntax_error(cell.source)):
            yield f"cell {cell.id} of the task notebook does not parse: {error}"


def _syntax_error(source: str) -> str | None:
    try:
        compile(re.sub(r"^\s*[%!].*$", "pass", source, flags=re.M), "<cell>", "exec")
    except SyntaxError as error:
        return str(error)
    return None


def check(chapter: Chapter, folder: Path) -> list[Problem]:
    """Run the solutions (each check passes) and the unsolved tasks (each check fails); return what did otherwise.

    folder: the kernel's working folder.
    """
    name = str(chapter.exercises.relative_to(chapter.root))
    notebook = read(chapter.exercises)
    solved, unsolved = (_run(make(notebook), folder) for make in (solution_notebook, task_notebook))
    checks = {cell.id for task in tasks(notebook) for cell in task.cells["check"]}
    work = {cell.id for task in tasks(notebook) for cell in task.cells["solution"]}
    problems = [Problem(name, f"the solution stops with {error}", cell) for cell, error in solved.items() if error]
    problems += [Problem(name, "passes before the task is solved; make it fail there", cell)
                 for cell in checks if not unsolved.get(cell)]
    problems += [Problem(name, f"the unsolved notebook stops outside its checks with {error}", cell)
                 for cell, error in unsolved.items()
                 if error and cell not in checks and not (cell in work and error.startswith("NotImplementedError"))]
    return problems


def _run(notebook: NotebookNode, folder: Path) -> dict[str, str]:
    """Run all cells, whatever fails: cell id → "" or the error's first line."""
    sockets = kernel.socket_folder()
    client = NotebookClient(notebook, km=kernel.manager(sockets), timeout=CELL_SECONDS, allow_errors=True,
                            resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        return {"the whole": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
    finally:
        if client.km is not None:                  # nbclient has ended it already where it gave up
            run_sync(client.km.shutdown_kernel)(now=True)
        shutil.rmtree(sockets, ignore_errors=True)
    return {cell.id: next((f"{out.ename}: {out.evalue}".splitlines()[0] for out in cell.outputs
                           if out.output_type == "error"), "")
            for cell in notebook.cells if cell.cell_type == "code"}
