"""Code-alongs: what is blanked parses, says what to write, and fails the check behind it; the rest stands."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator

import nbformat
import pytest
from nbformat import NotebookNode

from press import book as model
from press import codealong
from press.exercises.source import uses
from press.kernel import Failure, Kernel, Limits
from press.marking.bench import environment
from tests.conftest import ROOT, code, text

BOOK = model.load(ROOT)
MAIN = [
    pytest.param(chapter, id=chapter.id) for chapter in BOOK if codealong.marked(nbformat.read(chapter.notebook, 4))
]
FUNCTION = '''#| label: fig-x
#| codealong: true
import math


@cached
def area(
    radius: float,
) -> float:
    """The area of a disc.

    radius: in metres.
    """
    # square first
    square = radius ** 2

    def inner(x):   # not kept
        return x
    return math.pi * square


# the numbers
a, (b, c) = 1, (2, 3)
for i in range(3):
    total = i
total += 1
print(total)
'''
LEFT = '''#| label: fig-x
import math


@cached
def area(
    radius: float,
) -> float:
    """The area of a disc.

    radius: in metres.
    """
    # square first
    raise NotImplementedError("your turn: write area")


# Your turn.
# the numbers
a = ...
b = ...
c = ...
total = ...
'''
CLASS = '''#| codealong: true
class Box:
    """A box."""

    side: float
    unit: str = "m"

    @property
    def volume(self) -> float:
        return self.side ** 3
'''


def read(chapter) -> NotebookNode:
    return nbformat.read(chapter.notebook, 4)


def test_a_skeleton_keeps_heads_docstrings_comments_imports_and_names():
    assert codealong.skeleton(FUNCTION) == LEFT


def test_a_class_keeps_its_fields_and_loses_its_methods():
    left = codealong.skeleton(CLASS)
    assert 'unit: str = "m"' in left and "@property" in left and "side ** 3" not in left
    compile(left, "<cell>", "exec")


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "%matplotlib inline\nx = 1",
        "def f(): return 1",
        "async def f():\n    pass",
        "class A: pass",
        "x: int = 1",
        "with open('x') as f:\n    y = f.read()",
        "",
        "# only",
    ],
)
def test_every_skeleton_parses(source):
    compile(codealong.without_magics(codealong.skeleton("#| codealong: true\n" + source)), "<cell>", "exec")


def test_only_marked_cells_are_blanked_and_outputs_go():
    marked, plain = code("#| codealong: true\nx = 41 + 1", "a"), code("y = x\n#| codealong: true", "b")
    plain.outputs = [nbformat.v4.new_output("stream", text="1")]
    made = codealong.code_along(nbformat.v4.new_notebook(cells=[marked, plain]))
    assert made.cells[0].source == "# Your turn.\nx = ...\n" and made.cells[1].source == plain.source
    assert made.cells[1].outputs == [] and plain.outputs and marked.source.endswith("41 + 1")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([code("#| codealong: true\nx = 1", "a")], "no .check behind it"),
        (
            [code("#| codealong: true\nx = 1", "a"), text("::: {.check}\nIt.\n:::", "t"), code("assert y", "c")],
            "no .check behind it",
        ),
        ([code("#| codealong: true\nimport math", "a")], "leaves all of it"),
        ([code("#| codealong: true\nx = = 1", "a")], "does not parse"),
    ],
)
def test_marks_that_make_no_sense_are_named(cells, words):
    found = list(codealong.faults(nbformat.v4.new_notebook(cells=cells)))
    assert len(found) == 1 + (words == "leaves all of it") and words in found[0] and "cell a" in found[0]


@pytest.mark.parametrize("chapter", MAIN)
def test_a_chapters_marks_are_sound(chapter):
    notebook = read(chapter)
    assert list(codealong.faults(notebook)) == []
    assert (2 if chapter.is_appendix else 4) <= len(codealong.marked(notebook)) <= 8


def test_every_chapter_that_is_not_of_the_workshop_has_a_code_along():
    assert {chapter.id for chapter in BOOK if not chapter.is_appendix} <= {param.id for param in MAIN}


def test_the_first_blank_fails_its_check_and_the_original_passes(tmp_path):
    assert verdicts(BOOK.chapters["appendix/data"], tmp_path) == ["fails", "passes"]      # `make whole` tries them all


def verdicts(chapter, folder) -> list[str]:
    """Whether the check behind the first marked cell passes with the cell blank, and with the original."""
    notebook = read(chapter)
    return asyncio.run(_verdicts(notebook, codealong.marked(notebook)[0].id, folder))


async def _verdicts(notebook: NotebookNode, name: str, folder) -> list[str]:
    at = next(i for i, cell in enumerate(notebook.cells) if cell.id == name)
    original, later = notebook.cells[at], notebook.cells[at + 1:]
    check = codealong.check_of(original, later)
    cells = needed([cell for cell in notebook.cells[:notebook.cells.index(check)] if cell.cell_type == "code"], check)
    where = next(i for i, cell in enumerate(cells) if cell.id == name)
    blank = code(codealong.skeleton(original.source), name)
    async with Kernel(notebook, folder, environment(ROOT, 2), Limits(120, 300, 4096)) as kernel:
        for cell in cells[:where]:
            await kernel.run(cell, 0)
        return [await verdict(kernel, [cell, *cells[where + 1:], check]) for cell in (blank, original)]


def needed(cells: list[NotebookNode], check: NotebookNode) -> list[NotebookNode]:
    """The cells before a check that define what it uses, and what these use, in order."""
    wanted, found = uses([check.source]), []
    for cell in reversed(cells):
        if wanted & set(defined(cell.source)):
            found.insert(0, cell)
            wanted = wanted - set(defined(cell.source)) | uses([cell.source])
    return found


def defined(source: str) -> Iterator[str]:
    """Names that a cell's own lines define, those that it imports with them."""
    yield from codealong._defined(source)
    for node in ast.parse(codealong.without_magics(source)).body:
        for alias in getattr(node, "names", []) if isinstance(node, ast.Import | ast.ImportFrom) else []:
            yield (alias.asname or alias.name).partition(".")[0]


async def verdict(kernel: Kernel, cells: list[NotebookNode]) -> str:
    """Whether the last of the cells passes; those before it may fail."""
    told = "passes"
    for cell in cells:
        try:
            await kernel.run(cell, 0)
            told = "passes"
        except Failure:
            told = "fails"
    return told
