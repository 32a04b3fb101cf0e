"""Reading a notebook as plain JSON, and the `#|` options at the top of its code cells."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from press.book import Problem, ProblemsFound, load_yaml

CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( |$)", re.M)


def read(path: Path, name: str) -> dict[str, Any]:
    """The notebook as parsed JSON. name: the file's name in messages. Raises ProblemsFound with the one problem."""
    notebook, fault = _read(path)
    if fault:
        raise ProblemsFound([Problem(name, fault)])
    return notebook


def _read(path: Path) -> tuple[dict[str, Any], str | None]:
    """The notebook, or {} and what is wrong with the file."""
    try:
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
    except OSError as error:
        return {}, f"cannot be read ({error.strerror})"
    except UnicodeDecodeError as error:
        return {}, f"is not UTF-8 ({error}); save it as a notebook again"
    except ValueError as error:
        return {}, _no_json(text, error)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        return {}, "has no list of cells; expected a notebook of format 4.5"
    return notebook, None


def _no_json(text: str, error: ValueError) -> str:
    if not text.strip():
        return "is empty; restore its last version"
    if found := CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        return f"has an unresolved merge in line {line}; resolve it, or restore its last version"
    return f"is not valid JSON ({error}); mend it or restore its last version"


def options(source: str) -> dict[str, Any]:
    """A code cell's options. Raises ValueError with one sentence where they are no YAML."""
    lines = re.match(r"(?:#\|[^\n]*\n?)*", source)[0]
    try:
        given = load_yaml(re.sub(r"^#\| ?", "", lines, flags=re.M)) or {}
    except yaml.YAMLError as error:
        raise ValueError(unreadable(lines, error)) from None
    if not isinstance(given, dict):
        raise ValueError(f"the option {given!r} is not of the form key: value; write #| {str(given).split()[0]}: true")
    return given


def unreadable(lines: str, error: yaml.YAMLError) -> str:
    """What is wrong with `#|` lines that are no YAML, and what to do about it."""
    number = getattr(getattr(error, "problem_mark", None), "line", 0)
    line = (lines.splitlines() or [""])[min(number, lines.count("\n"))]
    key, _, value = line.removeprefix("#|").strip().partition(":")
    wanted = f'#| {key}: "{_escaped(value)}"' if value else "#| key: value"
    return f"its option line `{line}` does not read as YAML; put the text in quotes, as in `{wanted}`"


def _escaped(value: str) -> str:
    return value.strip().strip('"').replace("\\", "\\\\").replace('"', '\\"')


def near(name: str, known: Iterable[str]) -> str:
    """What somebody who wrote name may have meant, as the end of a sentence; the known names where nothing is near."""
    known = sorted(map(str, known))
    found = difflib.get_close_matches(name, known, 1, 0.6)
    return f"did you mean {found[0]}?" if found else f"expected one of {', '.join(known)}"
