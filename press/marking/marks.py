"""Marks: of a check, a task, a notebook. What a person has to read is listed, and never marked by machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from press.exercises.source import points
from press.kernel import Limits
from press.marking import words
from press.marking.bench import Outcome, Run
from press.marking.plan import TaskPlan, model_answer
from press.marking.submission import Submission

STATES = {"done": "right", "partly": "partly right", "wrong": "not right yet", "untouched": "not attempted",
          "unmarked": "could not be marked", "person": "for a person to read"}


@dataclass(frozen=True)
class CheckMark:
    """One check cell: its points out of its worth, and what it found."""

    id: str
    points: float
    worth: float
    feedback: str = ""


@dataclass(frozen=True)
class TaskMark:
    """One task. state: a key of STATES. person: points that a person gives for the written answer.

    notes: what is not about right or wrong, such as changed checks; answer: the reader's; model: the book's.
    """

    name: str
    title: str
    state: str
    checks: tuple[CheckMark, ...] = ()
    feedback: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    person: float = 0
    answer: str | None = None
    model: str | None = None

    @property
    def points(self) -> float:
        return sum(check.points for check in self.checks)

    @property
    def worth(self) -> float:
        return sum(check.worth for check in self.checks)


@dataclass(frozen=True)
class NotebookMark:
    """One notebook. refused: why it could not be marked at all; then it has no tasks."""

    name: str
    exercise: str = ""
    version: str = ""
    tasks: tuple[TaskMark, ...] = ()
    notes: tuple[str, ...] = ()
    refused: str | None = None
    seconds: float = field(default=0.0, compare=False)

    @property
    def points(self) -> float:
        return sum(task.points for task in self.tasks)

    @property
    def worth(self) -> float:
        return sum(task.worth for task in self.tasks)

    @property
    def person(self) -> float:
        return sum(task.person for task in self.tasks)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields, with the sums."""
        tasks = [asdict(task) | {"points": task.points, "worth": task.worth} for task in self.tasks]
        return asdict(self) | {"tasks": tasks, "points": self.points, "worth": self.worth, "person": self.person}


def task_mark(plan: TaskPlan, run: Run | None, submission: Submission, limits: Limits, solutions: bool) -> TaskMark:
    """The mark of a task from what happened on the bench; run None: nothing of it ran."""
    checks = _checks(plan, run, limits)
    notes = plan.notes + _changed(run)
    if run and run.fault:
        notes.append(_fault(run))
    return TaskMark(
        plan.task.name,
        plan.task.title,
        _state(plan, run, checks),
        tuple(checks),
        tuple(_feedback(plan, run, submission, limits)),
        tuple(words.plain(note) for note in notes),
        sum(map(points, plan.task.cells["answer"])),
        plan.answer,
        model_answer(plan.task) if solutions else None,
    )


def _checks(plan: TaskPlan, run: Run | None, limits: Limits) -> list[CheckMark]:
    outcomes = {outcome.step.id: outcome for outcome in run.outcomes if outcome.step.kind == "check"} if run else {}
    return [_check(cell.id, points(cell), outcomes.get(cell.id), run, limits) for cell in plan.task.cells["check"]]


def _check(name: str, worth: float, outcome: Outcome | None, run: Run | None, limits: Limits) -> CheckMark:
    if outcome is None or (run and run.fault):
        return CheckMark(
            name, 0, worth, "" if run is None or run.fault else "Not run: what came before had been stopped."
        )
    passed = outcome.kind == "ok"
    return CheckMark(
        name, worth if passed else 0, worth, "" if passed else words.of_check(outcome, _limit(outcome, limits))
    )


def _feedback(plan: TaskPlan, run: Run | None, submission: Submission, limits: Limits) -> list[str]:
    """What the reader's own cells did, where they did not run to their end."""
    if run is None:
        return []
    own = [step for step in plan.steps if step.kind == "own"]
    bad = [outcome for outcome in run.outcomes if outcome.kind != "ok"]
    told = [words.of_own(outcome, _limit(outcome, limits)) for outcome in bad if outcome.step.kind == "own"]
    hints = [hint for outcome in bad if (hint := words.elsewhere(outcome, submission, own))]
    return list(dict.fromkeys(told + hints))


def _limit(outcome: Outcome, limits: Limits) -> str:
    return {"time": f"{limits.cell or 0:g} s", "total time": f"{limits.chapter or 0:g} s",
            "memory": f"{limits.memory or 0:g} MB"}.get(outcome.kind, "")


def _changed(run: Run | None) -> list[str]:
    if not run or not run.changed:
        return []
    more = f" and {len(run.changed) - 6} more" if len(run.changed) > 6 else ""
    return [f"your cells gave {', '.join(run.changed[:6])}{more} another meaning; the checks ran with the original"]


def _fault(run: Run) -> str:
    failed = next((outcome for outcome in run.outcomes if outcome.step.kind == "setup" and outcome.kind != "ok"), None)
    detail = f" ({failed.name or failed.kind}: {words.plain(failed.message, 200)})" if failed else ""
    return f"{run.fault}{detail}"


def _state(plan: TaskPlan, run: Run | None, checks: list[CheckMark]) -> str:
    if not plan.task.marks_itself:
        return "person"
    if run is None:
        return "untouched"
    if run.fault:
        return "unmarked"
    got, worth = sum(check.points for check in checks), sum(check.worth for check in checks)
    return "done" if got == worth else "partly" if got else "wrong"
