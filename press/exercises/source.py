"""The source of a chapter's exercises: its tasks, and what is wrong with their form.

A task is a group of cells whose ids share a prefix: `<task>-task` (Markdown), `<task>-solution` or `<task>-answer`
(what the reader writes, between solution markers) and `<task>-check` (assertions, hidden ones between their markers).
More cells of a kind are numbered: `<task>-check2`. Cells with other ids, such as the set-up, belong to all tasks.
Markers and metadata are those of nbgrader (https://nbgrader.readthedocs.io), which takes the sources as they are.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from press.book import BookError, Chapter

CODE = re.compile(r"^(?P<indent>[ \t]*)### BEGIN SOLUTION[^\n]*\n.*?^[ \t]*### END SOLUTION[^\n]*\n?", re.M | re.S)
TEXT = re.compile(r"<!--\s*BEGIN SOLUTION\s*-->.*?<!--\s*END SOLUTION\s*-->", re.S)
MARKERS = re.compile(r"^[ \t]*(?:### (?:BEGIN|END) SOLUTION[^\n]*|<!--\s*(?:BEGIN|END) SOLUTION\s*-->)\n?", re.M)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS[^\n]*\n.*?^[ \t]*### END HIDDEN TESTS[^\n]*\n?", re.M | re.S)
HIDDEN_MARKER = re.compile(r"^[ \t]*### (?:BEGIN|END) HIDDEN TESTS", re.M)
HEADING = re.compile(r"^## (?P<title>.+?)\s*\{#(?P<label>exr-[\w-]+)\}\s*$", re.M)
GRADE_ID = re.compile(r"[A-Za-z0-9_-]+")
ROLES = ("task", "solution", "answer", "check")
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


def role(cell_id: str) -> tuple[str, str] | None:
    """(task, role) that a cell's id names, None for a cell that belongs to all tasks."""
    name, _, kind = cell_id.rpartition("-")
    kind = re.sub(r"\d+$", "", kind)
    return (name, kind) if name and kind in ROLES else None


def tasks(notebook: NotebookNode) -> list[Task]:
    """The notebook's tasks in order."""
    found: dict[str, Task] = {}
    for cell in notebook.cells:
        if not (place := role(cell.get("id", ""))):
            continue
        name, kind = place
        task = found.setdefault(name, Task(name))
        task.cells[kind].append(cell)
        if kind == "task" and (heading := HEADING.search(cell.source)):
            task.title, task.label = heading["title"], heading["label"]
    return list(found.values())


def grading(cell: NotebookNode) -> dict[str, Any]:
    """A cell's nbgrader metadata, {} where it has none."""
    found = cell.get("metadata", {}).get("nbgrader")
    return found if isinstance(found, dict) else {}


def points(cell: NotebookNode) -> float:
    """The points that a cell is worth."""
    return float(grading(cell).get("points", 0))


def faults(chapter: Chapter) -> Iterator[str]:
    """What is wrong with the form of a chapter's tasks, without running anything."""
    from press.exercises.split import task_notebook
    notebook = read(chapter.exercises)
    for task in tasks(notebook):
        yield from _task_faults(task)
    yield from _metadata_faults(notebook)
    yield from _dependences(notebook)
    for cell in task_notebook(notebook).cells:
        if cell.cell_type == "code" and (error := _syntax_error(cell.source)):
            yield f"cell {cell.id} of the task notebook does not parse: {error}"


def _task_faults(task: Task) -> Iterator[str]:
    if not task.title:
        yield f"task {task.name} has no cell that starts with ## Title {{#exr-…}}"
    work = task.cells["solution"] + task.cells["answer"]
    if not work or not all(MARKERS.search(cell.source) for cell in work):
        yield f"task {task.name} has no solution between BEGIN SOLUTION and END SOLUTION"
    if task.cells["solution"] and not task.marks_itself:
        yield f"task {task.name} has no {task.name}-check; write a cell with that id, whose assertions mark it"
    for cell in task.cells["check"]:
        if HIDDEN_MARKER.search(HIDDEN.sub("", cell.source)):
            yield f"cell {cell.id} has a BEGIN or END HIDDEN TESTS without its partner"


# ---- nbgrader's metadata, schema version 3

def _metadata_faults(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        kind = (role(cell.get("id", "")) or ("", ""))[1]
        if kind in ("solution", "answer", "check"):
            yield from (f"cell {cell.id} {fault}" for fault in _grading_faults(cell, kind))
    twice = [
        name for name, n in Counter(grading(cell).get("grade_id") for cell in notebook.cells).items() if n > 1 and name
    ]
    yield from (f"two cells have the grade_id {name}" for name in twice)


def _grading_faults(cell: NotebookNode, kind: str) -> Iterator[str]:
    """How a cell's metadata differ from what nbgrader expects of a cell of that kind."""
    given = grading(cell)
    if given.get("schema_version") != 3 or not GRADE_ID.fullmatch(str(given.get("grade_id", ""))):
        yield "has no nbgrader metadata of schema version 3 with a grade_id"
        return
    wanted = {"task": False, "solution": kind != "check", "locked": kind == "check"} | \
        ({"grade": kind == "check"} if kind != "answer" else {})
    yield from (f"has {key}: {str(given.get(key)).lower()} in its nbgrader metadata; expected {str(value).lower()}"
                for key, value in wanted.items() if given.get(key) is not value)
    worth = given.get("points")
    if given.get("grade") and not (isinstance(worth, int | float) and worth > 0):
        yield f"is worth {worth!r} points; expected a number above 0"


# ---- each task runs by itself

def _dependences(notebook: NotebookNode) -> Iterator[str]:
    """Names that a task takes from another task's cells; a task must run with the set-up alone."""
    mine: dict[str, list[str]] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            mine.setdefault((role(cell.id) or ("", ""))[0], []).append(cell.source)
    bound = {name: bindings(sources) for name, sources in mine.items()}
    common = bound.pop("", set()) | set(dir(builtins)) | {"display", "get_ipython"}
    for task, own in bound.items():
        for name in sorted(uses(mine[task]) - own - common):
            for other in (other for other in bound if other != task and name in bound[other]):
                yield f"task {task} uses {name}, which only task {other} defines; each task must run by itself"


def bindings(sources: Iterable[str]) -> set[str]:
    """Names that cells define: by assignment, import, def, class, for, with, except; of functions their own too."""
    return {name for source in sources for node in _nodes(source) for name in _bound(node)}


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler) and node.name:
        yield node.name


def uses(sources: Iterable[str]) -> set[str]:
    """Names that cells read."""
    return {node.id for source in sources for node in _nodes(source)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _nodes(source: str) -> Iterator[ast.AST]:
    try:
        yield from ast.walk(ast.parse(without_magics(source)))
    except (SyntaxError, ValueError, RecursionError):
        return


def without_magics(source: str) -> str:
    """The code with lines that only IPython understands replaced, so that lines keep their numbers."""
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.M)


def _syntax_error(source: str) -> str | None:
    try:
        compile(without_magics(source), "<cell>", "exec")
    except SyntaxError as error:
        return str(error)
    return None
