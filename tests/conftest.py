"""Fixtures that several rooms' tests share."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from press import book as model

ROOT = Path(__file__).resolve().parents[1]
os.environ.update(model.data_folder(ROOT))
FRONT = """---
outcomes:
  - {id: derive, text: "Derive it.", lines: [X01]}
  - {id: build, text: "Build it.", lines: [X02]}
  - {id: judge, text: "Judge it.", lines: [X02]}
prerequisites: ["Nothing"]
---"""


@pytest.fixture(scope="session")
def book() -> model.Book:
    """The real book."""
    return model.load(ROOT)


@pytest.fixture
def small_book(tmp_path: Path):
    """A book of one chapter, `part/one`; returns a function that writes its notebook's cells and loads the model."""
    (tmp_path / "_quarto.yml").write_text("book:\n  title: Small\n  chapters:\n    - part: Part\n"
                                          "      chapters: [chapters/part/one.ipynb]\n")
    (tmp_path / "syllabus.yml").write_text("lines:\n  - {id: X01, text: a, covers: [part/one]}\n"
                                           "  - {id: X02, text: b, covers: [all]}\n")
    (tmp_path / "references.bib").write_text("")
    (tmp_path / "dlbook").mkdir()

    def write(*cells, front: str = FRONT) -> model.Book:
        head = [new_raw_cell(front, id="front"), new_markdown_cell("# One {#sec-one}", id="title")]
        write_notebook(tmp_path / "chapters/part/one.ipynb", *head, *cells)
        return model.load(tmp_path)

    return write


def write_notebook(path: Path, *cells) -> Path:
    """Write a valid notebook of these cells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def code(source: str, name: str, **metadata):
    return new_code_cell(source, id=name, metadata=metadata)


def text(source: str, name: str):
    return new_markdown_cell(source, id=name)
