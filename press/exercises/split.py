"""The two notebooks that a source becomes: the tasks, and the solutions. nbgrader's metadata stay as they are."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

from nbformat import NotebookNode

from press.book import BookError
from press.exercises.source import CODE, HIDDEN, MARKERS, TEXT, role, tasks

STUB = "write your solution of: "
MARKER = re.compile(r"^(?:[^\n]*?(?:#|<!--))?[ \t]*(?P<side>BEGIN|END)[ _-]*(?P<what>SOLUTION|HIDDEN[ _-]*TESTS?)"
                    r"[^\n]*$", re.M | re.I)                # in any spelling that somebody may have meant as one
PLACEHOLDER = "*Write your answer here.*"


def task_notebook(notebook: NotebookNode) -> NotebookNode:
    """What a reader gets: each solution a stub that parses and says what to do, no hidden checks, no outputs."""
    if leaks := [f"cell {cell}: {said}" for cell, said in _left(notebook)]:
        raise BookError(f"the task notebook would hold a solution: {'; '.join(leaks)}")
    result = bare(notebook)
    titles = {id(cell): task.title for task in tasks(result) for cells in task.cells.values() for cell in cells}
    for cell in result.cells:
        title = titles.get(id(cell), "this task").replace('"', "'")
        cell.source = _unsolved(cell.source, title) if cell.cell_type == "code" else TEXT.sub(PLACEHOLDER, cell.source)
    return result


def leaking(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """(cell, what is wrong) where the solution or a hidden check would stay in the task notebook of a source."""
    yield from _left(notebook)
    yield from ((cell.id, f"has no {_pair('BEGIN', 'SOLUTION', cell.cell_type)}, so that all of it would be given away")
                for cell in notebook.cells if (role(cell.get("id", "")) or ("", ""))[1] in ("solution", "answer")
                and not MARKER.search(cell.source))


def _left(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Markers without their partners, or misspelt."""
    for cell in notebook.cells:
        kept = HIDDEN.sub("", CODE.sub("", cell.source)) if cell.cell_type == "code" else TEXT.sub("", cell.source)
        if left := MARKER.search(kept):
            yield cell.get("id", "?"), _unpaired(left, cell.cell_type)


def _unpaired(left: re.Match[str], kind: str) -> str:
    side, what = left["side"].upper(), "SOLUTION" if left["what"].upper() == "SOLUTION" else "HIDDEN TESTS"
    wanted, partner = (_pair(name, what, kind) for name in (side, "END" if side == "BEGIN" else "BEGIN"))
    said = left.group().strip()
    return f"{wanted} has no {partner}" if said.startswith(wanted) else f"`{said}` is no marker; write {wanted}"


def _pair(side: str, what: str, kind: str) -> str:
    return f"### {side} {what}" if kind == "code" else f"<!-- {side} {what} -->"


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
