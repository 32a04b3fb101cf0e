"""The notebooks that readers take from a chapter's page: the chapter, its code-along, its exercises and solutions.

Each starts with a cell that installs the book's package, in the version that the notebook was made for, where it is
missing: in Colab, or on a machine that has Python and nothing else.
"""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

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

if {missing}:
{install}
try:
    found = importlib.metadata.version("dlbook")
except importlib.metadata.PackageNotFoundError:
    found = "{version}"                                   # a copy of the book that is on the path
if found != "{version}":
    print(f"This notebook was made for dlbook {version}; you have {{found}}, so results may differ.")
"""
EXTRA = "chapters"                                             # of pyproject.toml: what only some chapters import
IMPORTED = re.compile(r"^\s*(?:from|import)\s+([A-Za-z_]\w*)", re.M)
FROM_REPOSITORY = """\
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", {source!r}], check=True)
    importlib.invalidate_caches()
"""
FROM_COPY = """\
    raise ModuleNotFoundError("this notebook needs {package}, not installed here: get a copy of "
                              "the book and run `pip install {folder}` with its folder, then run this cell again")
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
    source = read(chapter.exercises) if chapter.exercises.is_file() else None
    more = further(book.root, *filter(None, (notebook, source)))
    first = install_code(version(book.root), book.repository, more)
    yield "", _for_readers(first, _without_audits(notebook))
    if codealong.marked(notebook):
        yield "-code-along", _for_readers(first, codealong.code_along(notebook))
    if source:
        for suffix, kind, make in (
            ("-exercises", "tasks", task_notebook),
            ("-solutions", "solutions", solution_notebook),
        ):
            yield suffix, _for_readers(first, identified(make(source), source, chapter.id, kind, version(book.root)))


def identified(notebook: NotebookNode, source: NotebookNode, exercise: str, kind: str, number: str) -> NotebookNode:
    """The notebook, saying in its metadata which exercises it holds. kind: tasks or solutions."""
    notebook.metadata["dlbook"] = {"exercises": exercise, "kind": kind, "version": number, "source": digest(source)}
    return notebook


def digest(source: NotebookNode) -> str:
    """A short hash of what the cells of an exercise source say."""
    cells = [[cell.get("id", ""), cell.cell_type, cell.source] for cell in source.cells]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:12]


def _for_readers(first: str, notebook: NotebookNode) -> NotebookNode:
    notebook.cells.insert(0, new_code_cell(first, id=INSTALL_ID))
    return notebook


def further(root: Path, *notebooks: NotebookNode) -> list[str]:
    """The modules that the notebooks import and that come with the package's extra only, in alphabetical order."""
    path = root / "pyproject.toml"
    project = _project(path, path.stat().st_mtime_ns) if path.is_file() else {}
    listed = project.get("optional-dependencies", {}).get(EXTRA, [])
    known = {re.match(r"\w+", requirement)[0] for requirement in listed}          # mlflow-skinny is imported as mlflow
    cells = (cell.source for notebook in notebooks for cell in notebook.cells if cell.cell_type == "code")
    return sorted(known & {name for source in cells for name in IMPORTED.findall(source)})


def install_code(number: str, repository: str | None, more: Iterable[str] = ()) -> str:
    """The first cell: installs from the repository's tag of that version; says what to do where no address is known.

    more: modules of the package's extra that the notebook imports as well.
    """
    more = list(more)
    extra = f"[{EXTRA}]" if more else ""
    address = f"git+{repository.rstrip('/').removesuffix('.git')}.git@v{number}" if repository else ""
    needed, folder = " and ".join([f"the package dlbook {number}", *more]), f"'FOLDER{extra}'" if more else "FOLDER"
    step = (FROM_REPOSITORY.format(source=f"dlbook{extra} @ {address}") if address else
            FROM_COPY.format(package=needed, folder=folder))
    missing = f"not all(map(importlib.util.find_spec, {['dlbook', *more]!r}))" if more else \
        'importlib.util.find_spec("dlbook") is None'
    return INSTALL.format(version=number, install=step.rstrip("\n"), missing=missing)


def version(root: Path) -> str:
    """The package's version, as pyproject.toml gives it. Raises BookError where it gives none."""
    path = root / "pyproject.toml"
    if not path.is_file():
        return "0"
    try:
        return _project(path, path.stat().st_mtime_ns)["version"]
    except (KeyError, TypeError):
        raise BookError(f"{path.name} names no project version; expected version = \"…\" under [project]") from None


@lru_cache(maxsize=8)
def _project(path: Path, mtime_ns: int) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except ValueError:
        return {}


def _without_audits(notebook: NotebookNode) -> NotebookNode:
    """A copy of a chapter without what only the press needs."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for data in (output.get("data", {}), output.get("metadata", {})):
                data.pop(FIGURE_MIME, None)
    return notebook
