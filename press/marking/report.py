"""Marks for people and programs: tables on the terminal, JSON, CSV, and a page that needs nothing but itself."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from press.files import write_if_changed
from press.marking.bench import ISOLATION
from press.marking.marks import STATES, NotebookMark, TaskMark

PAGE = Path(__file__).with_name("report.html")
SIGNS = {"done": "✓", "partly": "½", "wrong": "✗", "untouched": "–", "unmarked": "!", "person": "?"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def show(console: Console, marks: list[NotebookMark]) -> None:
    """Print one notebook task by task, several as a table for the class."""
    for mark in marks if len(marks) == 1 else []:
        _show_one(console, mark)
    if len(marks) > 1:
        _show_class(console, marks)
    console.print(f"\n{ISOLATION}", style="dim", markup=False, highlight=False)


def _show_one(console: Console, mark: NotebookMark) -> None:
    if mark.refused:
        console.print(mark.refused, markup=False, highlight=False)
        return
    table = Table("task", "marks", "feedback", title=f"{escape(mark.name)} · exercises of {escape(mark.exercise)}",
                  title_justify="left", show_lines=True)
    table.columns[1].no_wrap = True
    for task in mark.tasks:
        table.add_row(escape(task.title), f"{SIGNS[task.state]} {amount(task)}", escape("\n".join(told(task))))
    console.print(table)
    console.print(summary(mark), markup=False, highlight=False)
    for note in mark.notes:
        console.print(f"Note: {note}", markup=False, highlight=False)


def _show_class(console: Console, marks: list[NotebookMark]) -> None:
    for exercise, rows in by_exercise(marks).items():
        table = Table("notebook", "marks", "for a person", *(str(n) for n, _ in enumerate(rows[0].tasks, 1)), "notes",
                      title=f"Exercises of {escape(exercise)}", title_justify="left")
        for mark in rows:
            table.add_row(
                escape(mark.name),
                f"{mark.points:g} of {mark.worth:g}",
                f"{mark.person:g}",
                *(f"{SIGNS[task.state]} {task.points:g}" for task in mark.tasks),
                escape("; ".join(mark.notes)),
            )
        console.print(table)
        console.print("; ".join(f"{n}: {task.title}" for n, task in enumerate(rows[0].tasks, 1)), markup=False,
                      highlight=False)
    for mark in marks:
        if mark.refused:
            console.print(mark.refused, markup=False, highlight=False)


def by_exercise(marks: Iterable[NotebookMark]) -> dict[str, list[NotebookMark]]:
    """Exercise → its notebooks that could be marked, in order."""
    found: dict[str, list[NotebookMark]] = {}
    for mark in marks:
        if not mark.refused:
            found.setdefault(mark.exercise, []).append(mark)
    return found


def amount(task: TaskMark) -> str:
    """A task's marks in words: "2 of 3"."""
    return f"{task.points:g} of {task.worth:g}" if task.worth else "–"


def told(task: TaskMark) -> list[str]:
    """All that there is to say about a task, the most important first."""
    lines = ["Not attempted."] if task.state == "untouched" else []
    lines += [*task.feedback, *(check.feedback for check in task.checks if check.feedback)]
    lines += [f"Note: {note}." for note in task.notes]
    if task.answer is not None:
        worth = f", worth {task.person:g}" if task.person else ""
        lines.append(
            f"Written answer{worth}: "
            + (f"{len(task.answer.split())} words, for a person to read." if task.answer else "none yet.")
        )
    if task.model:
        lines.append(f"Model answer: {task.model}")
    return list(dict.fromkeys(lines)) or [f"{STATES[task.state][0].upper()}{STATES[task.state][1:]}."]


def summary(mark: NotebookMark) -> str:
    """The notebook's marks in one line."""
    person = f"; {mark.person:g} more are for a person to give" if mark.person else ""
    return f"{mark.points:g} of {mark.worth:g} points by machine{person} ({mark.seconds:g} s)."


def as_json(marks: list[NotebookMark]) -> str:
    """All marks, with what isolates them and what doesn't."""
    return json.dumps({"isolation": ISOLATION, "notebooks": [mark.as_dict() for mark in marks]}, ensure_ascii=False,
                      indent=1) + "\n"


def as_csv(marks: list[NotebookMark]) -> str:
    """A row per notebook, a column per task. A text that a spreadsheet would run gets a quote."""
    names = list(dict.fromkeys(name for mark in marks for name in _columns(mark)))
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(["notebook", "exercises", "points", "of", "for a person", "notes", *names])
    for mark in marks:
        given = _columns(mark)
        totals = ["", "", ""] if mark.refused else [f"{value:g}" for value in (mark.points, mark.worth, mark.person)]
        rows.writerow([_harmless(mark.name), mark.exercise, *totals, _harmless(mark.refused or "; ".join(mark.notes)),
                       *(given.get(name, "") for name in names)])
    return out.getvalue()


def _columns(mark: NotebookMark) -> dict[str, str]:
    return {f"{mark.exercise}: {task.name}": f"{task.points:g}" for task in mark.tasks if task.worth}


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def as_html(marks: list[NotebookMark]) -> str:
    """One page with everything, escaped, without scripts or anything from elsewhere."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.globals |= {"told": told, "amount": amount, "summary": summary, "signs": SIGNS, "states": STATES}
    template = environment.from_string(PAGE.read_text(encoding="utf-8"))
    return template.render(marks=marks, groups=by_exercise(marks), isolation=ISOLATION)


def write(
    marks: list[NotebookMark], json_file: Path | None, html_file: Path | None, csv_file: Path | None
) -> Iterator[Path]:
    """Write the reports that are asked for; yields each file's path."""
    for path, make in ((json_file, as_json), (html_file, as_html), (csv_file, as_csv)):
        if path:
            write_if_changed(path, make(marks).encode("utf-8", "replace").decode("utf-8"))
            yield path
