"""The two notebooks that a source becomes: the tasks, and the solutions. nbgrader's metadata stay as they are."""

from __future__ import annotations

import copy

from nbformat import NotebookNode

from press.exercises.source import CODE, HIDDEN, MARKERS, TEXT, tasks

STUB = "write your solution of: "
PLACEHOLDER = "*Write your answer here.*"


def task_notebook(notebook: NotebookNode) -> NotebookNode:
    """What a reader gets: each solution a stub that parses and says what to do, no hidden checks, no outputs."""
    result = bare(notebook)
    titles = {id(cell): task.title for task in tasks(result) for cells in task.cells.values() for cell in cells}
    for cell in result.cells:
        title = titles.get(id(cell), "this task").replace('"', "'")
        cell.source = _unsolved(cell.source, title) if cell.cell_type == "code" else TEXT.sub(PLACEHOLDER, cell.source)
    return result


def _unsolved(source: str, title: str) -> str:
    stub = f'raise NotImplementedError("{STUB}{_escape(title)}")'
    return HIDDEN.sub("", CODE.sub(lambda found: f"{found['indent']}{stub}\n", source))


def _escape(text: str) -> str:
    return text.replace("\\", r"\\")


def solution_notebook(notebook: NotebookNode) -> NotebookNode:
    """The same notebook with the solutions in place, their markers taken out; hidden checks stay, with theirs."""
    result = bare(notebook)
    for cell in result.cells:
        cell.source = MARKERS.sub("", cell.source)
    return result


def bare(notebook: NotebookNode) -> NotebookNode:
    """A copy without outputs and counts."""
    result = copy.deepcopy(notebook)
    for cell in result.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return result
