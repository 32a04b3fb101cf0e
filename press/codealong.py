"""Code-alongs: a chapter as a notebook whose marked cells are blank, to be written live; the checks behind them stay.

A cell is marked by the option `#| codealong: true`. What is left of it is a skeleton: of functions and classes their
heads, docstrings, fields and comments; of other code its imports, its comments and the names that it must define.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

from press.exercises.source import uses, without_magics
from press.exercises.split import bare

OPTION = re.compile(r"^#\|[ \t]*codealong:[ \t]*true[ \t]*\n?", re.M)
OPTIONS = re.compile(r"(?:#\|[^\n]*\n?)*")
CHECK = re.compile(r"^:{3,} *\{\.check", re.M)
KEPT = ast.Import | ast.ImportFrom
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
YOURS = "# Your turn."


def is_marked(cell: NotebookNode) -> bool:
    """Whether a code-along leaves this cell blank."""
    return cell.cell_type == "code" and bool(OPTION.search(OPTIONS.match(cell.source)[0]))


def marked(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that a code-along leaves blank."""
    return [cell for cell in notebook.cells if is_marked(cell)]


def code_along(notebook: NotebookNode) -> NotebookNode:
    """The notebook with its marked cells blanked, without outputs."""
    result = bare(notebook)
    result.metadata.pop("dlbook", None)  # the record of a run that this notebook had not
    for cell in result.cells:
        if is_marked(cell):
            cell.source = skeleton(cell.source)
    return result


def skeleton(source: str) -> str:
    """What is left of a blanked cell: code that parses, and fails or stays undone until it is written.

    Raises SyntaxError where the cell is no Python.
    """
    options = OPTION.sub("", OPTIONS.match(source)[0])
    code = source[OPTIONS.match(source).end():]
    return (options + "\n".join(_block(_Text(code), ast.parse(without_magics(code)).body, 0))).rstrip() + "\n"


class _Text:
    """A cell's lines and its whole-line comments (line number → text); lines count from 1, as ast's do."""

    def __init__(self, code: str):
        self.lines = code.splitlines()
        tokens = tokenize.generate_tokens(io.StringIO(without_magics(code)).readline)
        self.comments = {token.start[0]: token.string for token in tokens
                         if token.type == tokenize.COMMENT and not token.line[:token.start[1]].strip()}

    def span(self, first: int, last: int) -> list[str]:
        """Lines first to last, both included."""
        return self.lines[first - 1:last]

    def notes(self, first: int, last: int, indent: int) -> list[str]:
        return [" " * indent + self.comments[n] for n in range(first, last + 1) if n in self.comments]


def _block(text: _Text, body: Sequence[ast.stmt], indent: int) -> list[str]:
    """The skeleton of a cell's or a class's statements."""
    lines: list[str] = []
    before = ""
    for group in _groups(body):
        kind = _kind(group[0])
        wide = not indent and "definition" in (kind, before)
        lines += [""] * ((2 if wide else 1) if lines or indent else 0) + _part(text, group, kind, indent)
        before = kind
    return lines


def _part(text: _Text, group: list[ast.stmt], kind: str, indent: int) -> list[str]:
    if kind == "definition":
        return _definition(text, group[0], indent)
    if kind == "kept" or indent:                                         # a class keeps its fields
        return text.span(_first(group[0]), group[-1].end_lineno)
    return _plain(text, group)


def _groups(body: Sequence[ast.stmt]) -> Iterator[list[ast.stmt]]:
    """Definitions one by one; imports, and other statements, as long as they follow one another."""
    run: list[ast.stmt] = []
    for node in body:
        if run and (_kind(node) == "definition" or _kind(node) != _kind(run[0])):
            yield run
            run = []
        run.append(node)
    if run:
        yield run


def _kind(node: ast.stmt) -> str:
    return "definition" if isinstance(node, FUNCTION | ast.ClassDef) else "kept" if isinstance(node, KEPT) else "plain"


def _first(node: ast.stmt) -> int:
    """The line where a statement starts, its decorators included."""
    return min([node.lineno, *(found.lineno for found in getattr(node, "decorator_list", []))])


def _definition(text: _Text, node: ast.stmt, indent: int) -> list[str]:
    """A function's or class's head and docstring, then what is left of its body."""
    if isinstance(node, ast.ClassDef) and _shares_line(text, node.body[0]):
        return text.span(_first(node), node.end_lineno)
    told = ast.get_docstring(node) is not None and not _shares_line(text, node.body[0])
    head = text.span(_first(node), node.body[0].end_lineno) if told else _bare_head(text, node)
    if isinstance(node, ast.ClassDef):
        return head + _block(text, node.body[told:], indent + 4)
    notes = text.notes(_first(node) + len(head), node.end_lineno, indent + 4)
    return head + notes + [" " * (indent + 4) + f'raise NotImplementedError("your turn: write {node.name}")']


def _bare_head(text: _Text, node: ast.stmt) -> list[str]:
    """The lines of a def or class up to its body, also where both stand in one line."""
    body = node.body[0]
    if not _shares_line(text, body):
        return text.span(_first(node), max(node.lineno, _first(body) - 1))
    return [*text.span(_first(node), body.lineno - 1), _before(text, body).rstrip()]


def _shares_line(text: _Text, node: ast.stmt) -> bool:
    return bool(_before(text, node).strip())


def _before(text: _Text, node: ast.stmt) -> str:
    """What stands in a statement's first line before it; ast counts columns in bytes."""
    return text.lines[node.lineno - 1].encode()[:node.col_offset].decode()


def _plain(text: _Text, group: list[ast.stmt]) -> list[str]:
    """Comments, and the names to define."""
    first, last = _comments_above(text, _first(group[0])), group[-1].end_lineno
    names = dict.fromkeys(name for node in group for name in _names(node))
    return [YOURS, *text.notes(first, last, 0), *(f"{name} = ..." for name in names)]


def _comments_above(text: _Text, first: int) -> int:
    while first - 1 in text.comments:
        first -= 1
    return first


def _names(node: ast.stmt) -> Iterator[str]:
    """Names that a statement defines for the cells after it; a loop's own variable is none."""
    if isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.If | ast.With | ast.AsyncWith | ast.Try):
        blocks = [*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
        yield from (name for inner in blocks for name in _names(inner))
    for target in getattr(node, "targets", [node.target] if isinstance(node, ast.AnnAssign) else []):
        yield from (found.id for found in ast.walk(target)
                    if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store))


# ---- what is wrong with a chapter's marks

def faults(notebook: NotebookNode) -> Iterator[str]:
    """Marked cells whose skeleton does not parse, is all of the cell, or that no check behind them would notice."""
    for number, cell in enumerate(notebook.cells):
        if is_marked(cell):
            yield from (f"cell {cell.id} {fault}" for fault in _cell_faults(cell, notebook.cells[number + 1:]))


def _cell_faults(cell: NotebookNode, later: Sequence[NotebookNode]) -> Iterator[str]:
    try:
        left = skeleton(cell.source)
        compile(without_magics(left), cell.id, "exec")
    except SyntaxError as error:
        yield f"is marked for the code-along and its skeleton does not parse ({error})"
        return
    if left.strip() == OPTION.sub("", cell.source).strip():
        yield "is marked for the code-along, which leaves all of it; unmark it"
    if check_of(cell, later) is None:
        yield "is marked for the code-along, and no .check behind it uses what it defines; mark another or add a check"


def check_of(cell: NotebookNode, later: Sequence[NotebookNode]) -> NotebookNode | None:
    """The first code cell of a `.check` behind a cell that uses what the cell defines, None where there is none."""
    defined = set(_defined(cell.source))
    for text, code in zip(later, later[1:], strict=False):
        if text.cell_type == "markdown" and CHECK.search(text.source) and code.cell_type == "code" \
                and uses([code.source]) & defined:
            return code
    return None


def _defined(source: str) -> Iterator[str]:
    """Names that a cell defines for later cells, what it imports left out."""
    for node in ast.parse(without_magics(source)).body:
        yield from [node.name] if _kind(node) == "definition" else _names(node)
