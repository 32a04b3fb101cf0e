"""What of a reader's notebook runs for which task: the set-up, the reader's own cells, and the book's checks.

Checks and set-up always come from the source of the exercises, so that changed or deleted ones make no difference. A
reader's cells are known by their ids; where an editor has dropped these, by the task's heading and by their text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from nbformat import NotebookNode

from press.downloads import INSTALL_ID, INSTALL_MARK, digest
from press.exercises.source import HIDDEN, HIDDEN_MARKER, TEXT, Task, bindings, points, role, tasks
from press.exercises.split import PLACEHOLDER, solution_notebook, task_notebook
from press.marking.submission import Cell, Submission

OWN_CELLS = 60                               # of a task; nobody needs more, and each costs time
LABEL = re.compile(r"^#{1,6} .*\{#(exr-[\w-]+)\}\s*$", re.M)


@dataclass(frozen=True)
class Source:
    """The exercises of one chapter: as written, as readers get them, and their tasks."""

    exercise: str
    version: str
    full: NotebookNode
    given: NotebookNode = field(repr=False)
    tasks: tuple[Task, ...] = field(repr=False)

    @classmethod
    def of(cls, notebook: NotebookNode, exercise: str, version: str) -> Source:
        return cls(exercise, version, notebook, task_notebook(notebook), tuple(tasks(notebook)))

    @property
    def setup(self) -> list[NotebookNode]:
        """Code cells that belong to all tasks, as the source has them."""
        return [cell for cell in self.full.cells if cell.cell_type == "code" and role(cell.get("id", "")) is None
                and cell.get("id") != INSTALL_ID]

    @property
    def ids(self) -> set[str]:
        return {cell.id for cell in self.full.cells} - {INSTALL_ID}


@dataclass(frozen=True)
class Step:
    """One cell to run. kind: "setup", "own" (the reader's) or "check"; hidden: the line where hidden checks begin."""

    kind: str
    id: str
    source: str
    points: float = 0
    hidden: int | None = None


@dataclass
class TaskPlan:
    """What to run for one task, and what is to be said about it anyway. steps empty: nothing of it needs to run."""

    task: Task
    steps: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    untouched: bool = False
    answer: str | None = None                # the reader's written answer
    restored: tuple[str, ...] = ()           # names of the set-up that the checks rely on
    free: tuple[str, ...] = ()               # names that the task's own solution defines


@dataclass(frozen=True)
class Placed:
    """A reader's cell with its place: the id of the source's cell that it is, or None, and the task it stands in."""

    cell: Cell
    id: str | None
    task: str | None


def likeness(source: Source, submission: Submission) -> float:
    """The share of the source's cells that the notebook has, by their keys or their text; 0 to 1."""
    there = {key for cell in submission.cells for key in cell.keys} & source.ids
    texts = _by_text(source)
    there |= {texts[_plain(cell.source)] for cell in submission.cells if _plain(cell.source) in texts}
    return len(there) / max(1, len(source.ids))


def plans(source: Source, submission: Submission) -> tuple[list[TaskPlan], list[str]]:
    """(a plan for each task, what is to be said about the whole notebook)."""
    placed = list(_placed(source, submission))
    own_setup, notes = _own_setup(source, placed)
    if (made := submission.made_from.get("source")) and made != digest(source.full):
        notes.append("it was made from another version of these exercises; the current checks were used")
    return [_task_plan(source, task, placed, own_setup) for task in source.tasks], notes


# ---- which cell is which

def _placed(source: Source, submission: Submission) -> Iterator[Placed]:
    ids, texts = source.ids, _by_text(source)
    labels = {task.label: task.name for task in source.tasks}
    current: str | None = None
    for cell in submission.cells:
        known = next((key for key in cell.keys if key in ids), None) or texts.get(_plain(cell.source))
        heading = LABEL.search(cell.source) if cell.kind == "markdown" else None
        if known:
            current = (role(known) or (None, ""))[0]
        elif heading and heading[1] in labels:
            current = labels[heading[1]]
        yield Placed(cell, known, current)


def _by_text(source: Source) -> dict[str, str]:
    """The text of a cell → its id, for the cells whose text no other cell has."""
    found: dict[str, str] = {}
    for cell in source.given.cells:
        text = _plain(cell.source)
        found[text] = "" if text in found or not text else cell.id
    return {text: name for text, name in found.items() if name}


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


# ---- what runs

def _own_setup(source: Source, placed: list[Placed]) -> tuple[list[Step], list[str]]:
    """The reader's code from before the first task, where it is not the book's, and what to say about it."""
    steps, notes = [], []
    given = {cell.id: _plain(cell.source) for cell in source.given.cells}
    for place in placed:
        if place.task is None and place.cell.kind == "code" and not _installs(place.cell):
            if place.id is None:
                steps.append(Step("own", "your set-up", place.cell.source))
            elif _plain(place.cell.source) != given[place.id]:
                steps.append(Step("own", place.id, place.cell.source))
                notes.append(f"the cell {place.id} was changed; it ran first, then the book's own")
    return _few(steps, notes), notes


def _installs(cell: Cell) -> bool:
    return INSTALL_ID in cell.keys or cell.source.lstrip().startswith(INSTALL_MARK)


def _task_plan(source: Source, task: Task, placed: list[Placed], own_setup: list[Step]) -> TaskPlan:
    mine = [place for place in placed if place.task == task.name]
    plan = TaskPlan(task, answer=_answer(task, mine))
    if not task.marks_itself:
        return plan
    plan.notes += [*_tampering(source, task, mine), *_lost_work(task, mine)]
    own = _few(list(_own(task, mine)), plan.notes)
    plan.untouched = _is_untouched(source, task, own)
    if plan.untouched:
        return plan
    setup = [Step("setup", cell.id, cell.source) for cell in source.setup]
    plan.steps = [*own_setup, *setup, *own, *(_check(cell) for cell in task.cells["check"])]
    solved = [cell.source for cell in solution_notebook(source.full).cells if (role(cell.id) or ("",))[0] == task.name
              and cell.cell_type == "code"]
    plan.free = tuple(sorted(bindings(solved)))
    plan.restored = tuple(sorted(bindings(step.source for step in setup) - set(plan.free)))
    return plan


def _own(task: Task, mine: list[Placed]) -> Iterator[Step]:
    """The reader's code for a task, up to its last check cell: what comes behind it is a scratch pad."""
    checks = {cell.id for cell in task.cells["check"]}
    last = max((i for i, place in enumerate(mine) if place.id in checks), default=len(mine))
    for place in mine[:last]:
        kind = (role(place.id) or ("", ""))[1] if place.id else ""
        if (
            place.cell.kind == "code"
            and place.id not in checks
            and kind in ("", "solution")
            and place.cell.source.strip()
        ):
            yield Step("own", place.id or "your cell", place.cell.source)


def _few(steps: list[Step], notes: list[str]) -> list[Step]:
    """At most OWN_CELLS: the solution cells and the nearest before the end."""
    if len(steps) <= OWN_CELLS:
        return steps
    notes.append(f"it has {len(steps):,} cells of your own here; only the last {OWN_CELLS} and the given ones ran")
    return [step for i, step in enumerate(steps) if not step.id.startswith("your ") or i >= len(steps) - OWN_CELLS]


def _check(cell: NotebookNode) -> Step:
    marker = HIDDEN_MARKER.search(cell.source)
    line = cell.source.count("\n", 0, marker.start()) + 1 if marker else None
    return Step("check", cell.id, cell.source, points(cell), line)


def _is_untouched(source: Source, task: Task, own: list[Step]) -> bool:
    given = {cell.id: _plain(cell.source) for cell in source.given.cells}
    stubs = any(_plain(cell.source) != given[cell.id] for cell in task.cells["solution"])
    return not own or (stubs and all(given.get(step.id) == _plain(step.source) for step in own))


# ---- what is said

def _tampering(source: Source, task: Task, mine: list[Placed]) -> Iterator[str]:
    given = {cell.id: _plain(cell.source) for cell in source.given.cells}
    full = {cell.id: _plain(cell.source) for cell in solution_notebook(source.full).cells}
    there = {place.id: place.cell for place in mine if place.id}
    for cell in task.cells["check"]:
        if cell.id not in there:
            yield f"the check cell {cell.id} is missing; the book's own was used"
        elif _plain(there[cell.id].source) not in (given[cell.id], full[cell.id]) or there[cell.id].kind != "code":
            yield f"the check cell {cell.id} was changed; the book's own was used"


def _lost_work(task: Task, mine: list[Placed]) -> Iterator[str]:
    there = {place.id: place.cell for place in mine if place.id}
    some_code = any(place.id is None and place.cell.kind == "code" for place in mine)
    for cell in task.cells["solution"]:
        found = there.get(cell.id)
        if found is None and not some_code:
            yield f"the cell {cell.id} is missing; download the exercises again and copy your work into it"
        elif found is not None and found.kind != "code":
            yield f"the cell {cell.id} has become a {found.kind} cell, which does not run; make it a code cell again"


def _answer(task: Task, mine: list[Placed]) -> str | None:
    """The reader's written answer; "" where there is none yet, None where the task asks for none."""
    if not task.cells["answer"]:
        return None
    wanted = {cell.id for cell in task.cells["answer"]}
    found = [place.cell.source for place in mine if place.id in wanted]
    loose = [place.cell.source for place in mine if place.id is None and place.cell.kind == "markdown"
             and not LABEL.search(place.cell.source)]
    text = "\n\n".join(found or loose).strip()
    return "" if text.replace(PLACEHOLDER, "").strip() == "" else text


def model_answer(task: Task) -> str:
    """The source's own answer and solution, as a person who reads the notebook may want to see them."""
    parts = [match.group() for cell in task.cells["answer"] for match in TEXT.finditer(cell.source)]
    text = "\n\n".join(re.sub(r"<!--.*?-->", "", part, flags=re.S).strip() for part in parts)
    return text or "\n\n".join(HIDDEN.sub("", cell.source).strip() for cell in task.cells["answer"])
