"""Marking readers' exercise notebooks: each task by itself, within limits, against the book's own checks.

submission: reading what may be anything; plan: which cell is which, and what runs; bench and guard: running it; words
and marks: what it means; report: table, JSON, HTML, CSV.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from press import downloads
from press.book import Book, BookError
from press.exercises.source import read as read_source
from press.kernel import Limits
from press.marking.bench import Run, environment, run_task
from press.marking.marks import NotebookMark, TaskMark, task_mark
from press.marking.plan import Source, TaskPlan, likeness, plans
from press.marking.submission import Refused, Submission, find, read

__all__ = ["Limits", "NotebookMark", "Refused", "Settings", "TaskMark", "mark", "sources"]
LIKE = 0.3  # the share of an exercise's cells that a notebook must have to be taken for it


@dataclass(frozen=True)
class Settings:
    """limits: cell and chapter in seconds, of a cell and of a task; memory in MB. root: the book's folder, if any.

    jobs: tasks at a time. solutions: tell the model answers.
    """

    limits: Limits
    jobs: int
    root: Path | None = None
    solutions: bool = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise BookError(f"--jobs {self.jobs} makes no sense; give 1 or more")
        if any(
            limit is not None and not limit > 0 for limit in (self.limits.cell, self.limits.chapter, self.limits.memory)
        ):
            raise BookError(
                "a limit of zero or less makes no sense here; notebooks of others are never run without one"
            )


def sources(book: Book | None, path: Path | None = None) -> list[Source]:
    """The exercises that notebooks are held against: those of the book, or the one at path (a source, or solutions).

    Raises BookError where there are none.
    """
    if path is not None:
        notebook = read_source(path)
        made = notebook.metadata.get("dlbook") or {}
        found = [Source.of(notebook, str(made.get("exercises") or path.stem), str(made.get("version") or ""))]
    else:
        chapters = [chapter for chapter in book or () if chapter.exercises.is_file()]
        found = [Source.of(read_source(c.exercises), c.id, downloads.version(book.root)) for c in chapters]
    if not any(task.marks_itself for source in found for task in source.tasks):
        raise BookError(
            "there are no exercises to mark against; run this in the book's folder, or give --source and the "
            "chapter's exercise source or solution notebook"
        )
    return found


def mark(paths: Iterable[Path], known: list[Source], settings: Settings,
         said: Callable[[NotebookMark], None] = lambda mark: None) -> list[NotebookMark]:
    """Mark notebooks and folders of them; what cannot be read is a NotebookMark with the reason. said: after each."""
    return asyncio.run(_all(list(find(paths)), known, settings, said))


async def _all(found: list[tuple[Path, str, Path | None]], known: list[Source], settings: Settings,
               said: Callable[[NotebookMark], None]) -> list[NotebookMark]:
    gate = asyncio.Semaphore(settings.jobs)
    ahead = asyncio.Semaphore(2 * settings.jobs)                         # notebooks held in memory at a time
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_notebook(*place, known, settings, gate, ahead, said)) for place in found]
    return [task.result() for task in tasks]


async def _notebook(
    path: Path,
    name: str,
    folder: Path | None,
    known: list[Source],
    settings: Settings,
    gate: asyncio.Semaphore,
    ahead: asyncio.Semaphore,
    said: Callable[[NotebookMark], None],
) -> NotebookMark:
    async with ahead:
        began = time.monotonic()
        try:
            submission = await asyncio.to_thread(read, path, name, folder)
            result = await _marked(submission, _source(submission, known), settings, gate, began)
        except Refused as error:
            result = NotebookMark(name, refused=str(error))
        said(result)
        return result


async def _marked(submission: Submission, source: Source, settings: Settings, gate: asyncio.Semaphore,
                  began: float) -> NotebookMark:
    made, notes = plans(source, submission)
    env = environment(settings.root, max(1, (os.cpu_count() or 1) // settings.jobs))
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(_run(plan, env, settings.limits, gate)) for plan in made]
    marks = tuple(task_mark(plan, run.result(), submission, settings.limits, settings.solutions)
                  for plan, run in zip(made, runs, strict=True))
    return NotebookMark(submission.name, source.exercise, source.version, marks, tuple(notes),
                        seconds=round(time.monotonic() - began, 1))


async def _run(plan: TaskPlan, env: dict[str, str], limits: Limits, gate: asyncio.Semaphore) -> Run | None:
    if not plan.steps:
        return None
    async with gate:
        return await run_task(plan, env, limits)


def _source(submission: Submission, known: list[Source]) -> Source:
    """The exercises that a notebook belongs to: by what its metadata say, else by its cells. Raises Refused."""
    named = [source for source in known if source.exercise == submission.made_from.get("exercises")]
    best = max(named or known, key=lambda source: likeness(source, submission))
    if named or likeness(best, submission) >= LIKE:
        return best
    raise Refused(f"{submission.name} holds none of the exercises known here ({', '.join(s.exercise for s in known)}); "
                  "expected an exercise notebook from a chapter's page")
