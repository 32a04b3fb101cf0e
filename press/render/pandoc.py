"""Calling Pandoc: one function, which turns everything that Pandoc or a filter complains about into problems."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pypandoc

from press.book import BookError

MARK = "dlbook-problem\t"
FORMULA = re.compile(r"TeX math (?P<formula>.+?),? rendering as TeX:.*?(?: \^ (?P<why>unexpected .+?))?"
                     r"(?: expecting .*)?$", re.S)      # Pandoc lists all that it would have taken
EPOCH = "1577836800"        # the same for every build: documents carry no clock
MEMORY = ["+RTS", "-A64m", "-O64m", "-RTS"]     # a larger heap: fewer collections, a third of the time of a page


@dataclass(frozen=True)
class Complaint:
    """One line of complaint: the cell where it is known, what was said, and the formula that it is about."""

    cell: str | None
    message: str
    formula: str | None = None


@cache
def executable() -> str:
    """Where pandoc is. Raises BookError where it is not installed."""
    try:
        return pypandoc.get_pandoc_path()
    except OSError:
        raise BookError("pandoc is not installed; run make book, which installs the package pypandoc_binary") from None


def run(args: list[str], text: str | bytes, folder: Path, meta: dict[str, str] | None = None) -> tuple[str,
                                                                                                 list[Complaint]]:
    """Pandoc's standard output for this input, and its complaints.

    folder: the working folder. meta: metadata given to the filters as plain text.
    Raises BookError where pandoc fails without a complaint that can be placed.
    """
    command = [executable(), *MEMORY, *args, *(f"--metadata={key}:{value}" for key, value in (meta or {}).items())]
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run(command, input=data, capture_output=True, cwd=folder, check=False,
                          env=os.environ | {"LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": EPOCH})
    complaints = [_complaint(line) for line in _messages(done.stderr.decode("utf-8", "replace"))]
    if done.returncode and not complaints:
        raise BookError(f"pandoc stopped with exit status {done.returncode} and no message")
    return done.stdout.decode("utf-8"), complaints


def _messages(stderr: str) -> list[str]:
    """The messages of stderr; an indented line continues the one before."""
    messages: list[str] = []
    for line in stderr.splitlines():
        last = messages[-1] if messages else ""
        if last and not last.startswith(MARK) and (line[:1].isspace() or last.startswith("Error")):
            messages[-1] += " " + line.strip()
        elif line.strip():
            messages.append(line)
    return messages


def _complaint(line: str) -> Complaint:
    if line.startswith(MARK):
        cell, _, message = line.removeprefix(MARK).partition("\t")
        return Complaint(cell or None, message)
    if found := FORMULA.search(line):
        why = found["why"] or "something is missing or misspelt"
        told = "it ends too early" if why == "unexpected eof" else why
        return Complaint(None, f"the formula {found['formula']} does not read as TeX: {told}", found["formula"])
    return Complaint(None, "Pandoc: " + line.removeprefix("[WARNING] "))
