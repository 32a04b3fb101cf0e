"""The notebooks that readers take from a chapter's page: the chapter, its code-along, its exercises and solutions.

Each starts with a cell that installs the book's package, in the version that the notebook was made for, where it is
missing: in Colab, or on a machine that has Python and nothing else.
"""

from __future__ import annotations

import copy
import hashlib
import json
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from press import codealong
from press.book import Book, BookError, Chapter
from press.exercises.source import FIGURE_MIME, read
from press.exercises.split import solution_notebook, task_notebook
from press.files import write_if_changed

INSTALL_ID = "install-dlbook"
INSTALL_MARK = "# Run this cell first. It makes sure that the book's package is here"
INSTALL = INSTALL_MARK + """ (version {version}).
import importlib.metadata
import importlib.util
import subprocess
import sys

if importlib.util.find_spec("dlbook") is None:
{install}
try:
    found = importlib.metadata.version("dlbook")
except importlib.metadata.PackageNotFoundError:
    found = "{version}"                                   # a copy of the book that is on the path
if found != "{version}":
    print(f"This notebook was made for dlbook {version}; you have {{found}}, so results may differ.")
"""
FROM_REPOSITORY = """\
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", {source!r}], check=True)
    importlib.invalidate_caches()
"""
FROM_COPY = """\
    raise ModuleNotFoundError("this notebook needs the package dlbook {version}, which is not installed here: get a "
                              "copy of the book and run `pip install FOLDER` with its folder, then run this cell again")
"""


def write_notebooks(book: Book, chapter: Chapter) -> list[Path]:
    """Write a chapter's notebooks to `_build/downloads/`, only where they differ; return their paths.

    `<chapter>.ipynb`, `-code-along` where cells are marked for it, `-exercises` and `-solutions` where there are some.
    """
    folder = book.build / "downloads"
    made = {folder / f"{chapter.id}{suffix}.ipynb": notebook for suffix, notebook in notebooks(book, chapter)}
    for path, notebook in made.items():
        write_if_changed(path, nbformat.writes(notebook) + "\n")
    return list(made)


def notebooks(book: Book, chapter: Chapter) -> Iterator[tuple[str, NotebookNode]]:
    """(suffix of the file's name, notebook) of each download of a chapter."""
    notebook = read(chapter.notebook)
    yield "", _for_readers(book, _without_audits(notebook))
    if codealong.marked(notebook):
        yield "-code-along", _for_readers(book, codealong.code_along(notebook))
    if chapter.exercises.is_file():
        source = read(chapter.exercises)
        for suffix, kind, make in (
            ("-exercises", "tasks", task_notebook),
            ("-solutions", "solutions", solution_notebook),
        ):
            yield suffix, _for_readers(book, identified(make(source), source, chapter.id, kind, version(book.root)))


def identified(notebook: NotebookNode, source: NotebookNode, exercise: str, kind: str, number: str) -> NotebookNode:
    """The notebook, saying in its metadata which exercises it holds. kind: tasks or solutions."""
    notebook.metadata["dlbook"] = {"exercises": exercise, "kind": kind, "version": number, "source": digest(source)}
    return notebook


def digest(source: NotebookNode) -> str:
    """A short hash of what the cells of an exercise source say."""
    cells = [[cell.get("id", ""), cell.cell_type, cell.source] for cell in source.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:12]


def _for_readers(book: Book, notebook: NotebookNode) -> NotebookNode:
    notebook.cells.insert(0, new_code_cell(install_code(version(book.root), book.repository), id=INSTALL_ID))
    return notebook


def install_code(number: str, repository: str | None) -> str:
    """The first cell: installs from the repository's tag of that version; says what to do where no address is known."""
    address = f"git+{repository.rstrip('/').removesuffix('.git')}.git@v{number}" if repository else ""
    step = FROM_REPOSITORY.format(source=f"dlbook @ {address}") if address else FROM_COPY.format(version=number)
    return INSTALL.format(version=number, install=step.rstrip("\n"))


def version(root: Path) -> str:
    """The package's version, as pyproject.toml gives it. Raises BookError where it gives none."""
    path = root / "pyproject.toml"
    return _version(path, path.stat().st_mtime_ns) if path.is_file() else "0"


@lru_cache(maxsize=8)
def _version(path: Path, mtime_ns: int) -> str:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))["project"]["version"]
    except (ValueError, KeyError, TypeError):
        raise BookError(f"{path.name} names no project version; expected version = \"…\" under [project]") from None


def _without_audits(notebook: NotebookNode) -> NotebookNode:
    """A copy of a chapter without what only the press needs."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for data in (output.get("data", {}), output.get("metadata", {})):
                data.pop(FIGURE_MIME, None)
    return notebook
