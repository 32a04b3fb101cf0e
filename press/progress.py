"""What `dlbook execute` shows while it runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


@dataclass
class Lines:
    """One line when a chapter starts and one when it ends: for logs, pipes and CI."""

    console: Console
    began: dict[str, float] = field(default_factory=dict)

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def start(self, name: str, cells: int, estimate: float | None) -> None:
        """A chapter's kernel starts. estimate: seconds of its last run, None where there was none."""
        self.began[name] = time.monotonic()
        self.say(f"{name}: {cells} cells{f', about {estimate:.0f} s' if estimate else ''}")

    def cell(self, name: str, done: int, memory: float) -> None:
        """done cells of the chapter have run; memory: MB in use now."""

    def end(self, name: str, text: str) -> None:
        """The chapter is over; text says how, in one line."""
        self.began.pop(name, None)
        self.say(f"{name}: {text}")


class Bars(Lines):
    """A bar per running chapter: cell, elapsed and estimated time, memory."""

    def __init__(self, console: Console):
        super().__init__(console)
        self.bars: dict[str, TaskID] = {}
        self.estimates: dict[str, float | None] = {}
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=20), TextColumn("cell {task.completed}/{task.total}"),
            TimeElapsedColumn(), TextColumn("{task.fields[left]}"), TextColumn("{task.fields[memory]:.0f} MB"),
            console=console, transient=True)

    def __enter__(self) -> Bars:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.progress.stop()

    def start(self, name: str, cells: int, estimate: float | None) -> None:
        self.began[name], self.estimates[name] = time.monotonic(), estimate
        self.bars[name] = self.progress.add_task(name, total=cells, left=self._left(name), memory=0)

    def cell(self, name: str, done: int, memory: float) -> None:
        self.progress.update(self.bars[name], completed=done, memory=memory, left=self._left(name))

    def end(self, name: str, text: str) -> None:
        if name in self.bars:
            self.progress.remove_task(self.bars.pop(name))
        super().end(name, text)

    def _left(self, name: str) -> str:
        estimate = self.estimates[name]
        return f"of about {estimate:.0f} s" if estimate else ""


def display(console: Console) -> Lines:
    """Bars where the console is a terminal, else lines."""
    return Bars(console) if console.is_terminal else Lines(console)
