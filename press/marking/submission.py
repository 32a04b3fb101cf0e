"""Reading a reader's notebook, which may be anything: what cannot be marked is refused in one sentence."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from press.book import BookError

SIZE_LIMIT = 100_000_000                     # bytes; a notebook with its figures has a few million
CELL_LIMIT = 20_000
PYTHON = re.compile(r"i?python3?|ipykernel.*|", re.I)
SKIPPED = {".ipynb_checkpoints", "__MACOSX"}


class Refused(BookError):
    """A notebook that cannot be marked, with the reason."""


@dataclass(frozen=True)
class Cell:
    """One cell of a reader's notebook. keys: what may name it: its id, its grade_id, the id that Colab keeps."""

    kind: str
    source: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Submission:
    """A reader's notebook, as far as marking needs it. made_from: the `dlbook` entry of its metadata."""

    path: Path
    name: str
    cells: tuple[Cell, ...]
    made_from: dict[str, Any]


def find(paths: Iterable[Path]) -> Iterator[tuple[Path, str, Path | None]]:
    """(path, name to show, folder it must stay in) of each notebook; folders are searched.

    Raises Refused for a path that is not there.
    """
    for path in paths:
        if path.is_dir():
            found = (
                p for p in path.rglob("*.ipynb") if not SKIPPED & {*p.parts} and (p.is_symlink() or not p.is_dir())
            )
            yield from ((p, str(p.relative_to(path)), path) for p in sorted(found))
        elif path.exists() or path.is_symlink():
            yield path, path.name, None
        else:
            raise Refused(f"{path} is not there; expected a notebook or a folder of notebooks")


def read(path: Path, name: str, folder: Path | None = None) -> Submission:
    """Read a notebook of format 3 or 4, forgiving what marking does not need. Raises Refused."""
    notebook = _notebook(_text(path, name, folder), name)
    metadata = notebook.get("metadata") if isinstance(notebook.get("metadata"), dict) else {}
    _check_language(metadata, name)
    cells = notebook["cells"]
    if len(cells) > CELL_LIMIT:
        raise Refused(f"{name} has {len(cells):,} cells; at most {CELL_LIMIT:,} are read")
    made_from = metadata.get("dlbook")
    return Submission(path, name, tuple(_cell(cell) for cell in cells if isinstance(cell, dict)),
                      made_from if isinstance(made_from, dict) else {})


def _text(path: Path, name: str, folder: Path | None) -> str:
    try:
        if path.is_symlink() and folder and not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise Refused(
                f"{name} is a link to a file outside the folder, which is not followed; put the notebook itself there"
            )
        size = path.stat().st_size
        if not path.is_file():
            raise Refused(f"{name} is not a file; expected a notebook")
        if size > SIZE_LIMIT:
            raise Refused(f"{name} has {size / 1e6:.0f} MB, more than the {SIZE_LIMIT / 1e6:.0f} MB that are read; "
                          "clear its outputs and save it again")
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            return file.read().decode("utf-8-sig")
    except (OSError, RuntimeError) as error:                     # a loop of links is a RuntimeError on some Pythons
        raise Refused(f"{name} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    except UnicodeDecodeError:
        raise Refused(f"{name} is not UTF-8 text; expected a notebook as Jupyter or Colab saves it") from None


def _notebook(text: str, name: str) -> dict[str, Any]:
    """The notebook as parsed JSON with a list of cells."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "its JSON is nested too deeply" if isinstance(error, RecursionError) else f"not valid JSON: {error}"
        raise Refused(f"{name} is not a notebook ({reason}); save it again in Jupyter or Colab") from None
    major = found.get("nbformat") if isinstance(found, dict) else None
    if major == 3:
        found = _from_three(text, name)
    elif major != 4:
        raise Refused(
            f"{name} is not a notebook of format 4 (it says {str(major)[:20]!r}); save it again in Jupyter or Colab"
        )
    if not isinstance(found.get("cells"), list):
        raise Refused(f"{name} has no list of cells; save it again in Jupyter or Colab")
    return found


def _from_three(text: str, name: str) -> dict[str, Any]:
    try:
        return nbformat.reads(text, as_version=4)
    except Exception as error:                                   # nbformat raises many kinds for a broken file
        raise Refused(f"{name} is a notebook of format 3 that cannot be converted ({type(error).__name__}); "
                      "save it again in Jupyter") from None


def _check_language(metadata: dict[str, Any], name: str) -> None:
    for key, part in (("kernelspec", "language"), ("language_info", "name"), ("kernelspec", "name")):
        entry = metadata.get(key)
        language = entry.get(part) if isinstance(entry, dict) else None
        if isinstance(language, str):
            if (
                not PYTHON.fullmatch(language)
                and part != "name"
                or key == "language_info"
                and not PYTHON.fullmatch(language)
            ):
                raise Refused(f"{name} is a notebook for {language[:30]}; expected Python")
            return


def _cell(cell: dict[str, Any]) -> Cell:
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
    graded = metadata.get("nbgrader") if isinstance(metadata.get("nbgrader"), dict) else {}
    keys = (cell.get("id"), graded.get("grade_id"), metadata.get("id"))
    return Cell(str(cell.get("cell_type")), text, tuple(dict.fromkeys(key for key in keys if isinstance(key, str))))
