"""What the executor costs beside plain nbclient, as `jupyter nbconvert --execute` runs a notebook.

Both run the same notebook of many quick cells, turn about. Printed: the median time of each, and the median ratio.
Usage: python benchmarks/execute.py [CELLS [ROUNDS]]
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import v4
from rich.console import Console

from press.book import load
from press.execute import execute
from press.fingerprint import stale


def make(folder: Path, cells: int) -> Path:
    """A book of one chapter of that many cells, half of them printing; returns its notebook."""
    path = folder / "chapters/a/one.ipynb"
    path.parent.mkdir(parents=True)
    codes = ["import numpy as np", *(f"x = np.arange({i})\n{'print(x.sum())' * (i % 2)}" for i in range(cells))]
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(code, id=f"c{i}") for i, code in enumerate(codes)]), path)
    (folder / "_quarto.yml").write_text(
        "book:\n  title: T\n  chapters:\n    - part: A\n      chapters: [chapters/a/one.ipynb]\n")
    return path


def plain(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}).execute()
    nbformat.write(notebook, path.with_suffix(".out"))


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main(cells: int = 100, rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder), cells)
        book, console = load(Path(folder)), Console(file=StringIO())
        times = [(seconds(lambda: plain(path)),
                  seconds(lambda: execute(book, everything=True, device="cpu", console=console)))
                 for _ in range(rounds + 1)][1:]                 # the first round fills the disk's cache
        fresh = seconds(lambda: stale(next(iter(book))))
    ours, theirs = (statistics.median(column) for column in zip(*((b, a) for a, b in times), strict=True))
    ratio = statistics.median(b / a for a, b in times)
    print(f"{cells} cells, {rounds} rounds: nbclient {theirs:.2f} s, dlbook execute {ours:.2f} s, ratio {ratio:.2f}; "
          f"to see that nothing changed {1000 * fresh:.1f} ms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
