"""What went wrong, in plain words: for each check what it found, for each cell why it stopped and where."""

from __future__ import annotations

import re

from press.exercises.source import bindings
from press.exercises.split import STUB
from press.marking.bench import Outcome
from press.marking.plan import Step
from press.marking.submission import Submission

LONGEST = 600
STOPPED = {"time": "was still running when its time was over ({limit})",
           "total time": "was running when the time for the whole task was over ({limit})",
           "memory": "used more memory than is allowed ({limit})",
           "output": "printed without end, or nearly so (more than 2 MB of text)",
           "death": "ended the program that ran it: {message}"}
HINTS = {
    "ModuleNotFoundError": "the book's own packages are all that the exercises need",
    "RecursionError": "a function calls itself without coming to an end",
    "MemoryError": "something is far larger than it should be: print shapes before you multiply",
    "SystemExit": "a notebook has no use for exit() or quit(): take the call out",
    "KeyboardInterrupt": "something in it interrupted the run: take that out",
    "StdinNotImplementedError": "nobody is there to type: take input() out",
    "SyntaxError": "Python cannot read the cell as it stands",
    "IndentationError": "look at how far lines are indented",
}


def of_check(outcome: Outcome, limit: str) -> str:
    """One sentence on a check that did not pass."""
    if outcome.kind != "ok" and outcome.kind != "error":
        return f"The check {_stopped(outcome, limit)}{_where(outcome)}."
    hidden = _is_hidden(outcome)
    label = "A hidden check: " if hidden else ""
    if outcome.name == "AssertionError" and not (
        outcome.place and outcome.place[0].kind == "own" and not outcome.message
    ):
        return label + _sentence(outcome.message or _asserted(outcome, hidden))
    if outcome.name == "NotImplementedError" and STUB in outcome.message:
        return "The place-holder is still there: replace the line that raises NotImplementedError by your solution."
    if outcome.name == "Unfinished":
        return "The check did not reach its end: something in your cells stopped it half-way."
    return label + f"The check stopped with {_error(outcome)}{_where(outcome)}.{_hint(outcome)}"


def of_own(outcome: Outcome, limit: str) -> str:
    """One sentence on a cell of the reader that did not run to its end."""
    cell = f"Your cell {outcome.step.id}" if not outcome.step.id.startswith("your ") else outcome.step.id.capitalize()
    if outcome.kind not in ("ok", "error"):
        return f"{cell} {_stopped(outcome, limit)}{_where(outcome)}."
    if outcome.name == "NotImplementedError" and STUB in outcome.message:
        return f"{cell} still has a place-holder{_where(outcome)}: replace that line by your solution."
    return f"{cell} stopped with {_error(outcome)}{_where(outcome)}.{_hint(outcome)}"


def elsewhere(outcome: Outcome, submission: Submission, own: list[Step]) -> str | None:
    """Where a missing name is defined in the notebook, if only in the cells of another task."""
    found = re.match(r"name '(\w+)' is not defined", outcome.message) if outcome.name == "NameError" else None
    mine = {step.source for step in own}
    if found and any(found[1] in bindings([cell.source]) for cell in submission.cells
                     if cell.kind == "code" and cell.source not in mine):
        return (
            f"{found[1]} is defined in another cell of your notebook, but each task runs by itself after the set-up: "
            "define or import it in this task's cell too."
        )
    return None


def plain(text: str, longest: int = LONGEST) -> str:
    """Text in one line and of bounded length."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest - 1] + "…"


def _sentence(text: str) -> str:
    text = plain(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!", "…")) else ".")


def _error(outcome: Outcome) -> str:
    return plain(f"{outcome.name}: {outcome.message}" if outcome.message else outcome.name)


def _stopped(outcome: Outcome, limit: str) -> str:
    return STOPPED[outcome.kind].format(limit=limit, message=outcome.message.removeprefix("the kernel "))


def _is_hidden(outcome: Outcome) -> bool:
    return bool(outcome.step.hidden and outcome.line and outcome.line > outcome.step.hidden)


def _asserted(outcome: Outcome, hidden: bool) -> str:
    """What the check asserted, where it has no message of its own."""
    if hidden or not outcome.line:
        return "it did not hold"
    return f"this did not hold: {_line(outcome.step, outcome.line)}"


def _line(step: Step, number: int) -> str:
    lines = step.source.splitlines()
    return plain(lines[number - 1], 160) if 0 < number <= len(lines) else ""


def _where(outcome: Outcome) -> str:
    """The reader's own line, where there is one; a hidden line is never shown."""
    if not outcome.place:
        return ""
    step, number = outcome.place
    if step.kind != "own":
        return "" if step.hidden and number > step.hidden else f", in the check's line {number}: {_line(step, number)}"
    return f", in line {number} of {step.id}: {_line(step, number)}"


def _hint(outcome: Outcome) -> str:
    return f" {_sentence(HINTS[outcome.name])}" if outcome.name in HINTS else ""
