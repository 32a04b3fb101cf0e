"""What became of every question: what the teacher who exports is told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from press.quiz.export.entries import Entry


@dataclass
class Report:
    """rows: (kind, what it became, remark) → ids of the questions. left: id → why it is not in the files.

    platforms: what the systems that read the format do with a kind, or with all of it.
    """

    format: str
    rows: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    platforms: dict[str, str] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def became(self, entry: Entry, what: str, remark: str = "") -> None:
        self.rows.setdefault((entry.question.kind, what, remark), []).append(entry.id)

    def leave(self, entry: Entry, reason: str) -> None:
        """The question is not in the files."""
        self.rows.setdefault((entry.question.kind, "left out", reason), []).append(entry.id)
        self.left[entry.id] = reason

    def note(self, notes: Iterable[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]

    @property
    def table(self) -> list[tuple[str, int, str, str]]:
        """Kind, number of questions, exported as, remark; in the order of the kinds' first questions."""
        return [(kind, len(ids), what, remark) for (kind, what, remark), ids in self.rows.items()]

    @property
    def lines(self) -> list[str]:
        """What a table has no place for: left out, remarks, what the platforms do, the files."""
        return [*(f"{name}: left out, {reason}" for name, reason in self.left.items()), *self.notes,
                *(f"{kind}: {words}" for kind, words in self.platforms.items()), *(f"Wrote {f}" for f in self.files)]
