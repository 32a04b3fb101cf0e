"""The notation page: each name in code is one that the book's code uses."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

ROWS = [line for line in (ROOT / "notation.qmd").read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not re.match(r"\| symbol|\|-", line)]


def names() -> set[str]:
    """Every identifier of the package: definitions, arguments, variables, attributes."""
    found: set[str] = set()
    for path in (ROOT / "dlbook").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= {value for field in ("id", "arg", "attr", "name") if isinstance(value := getattr(node, field, None), str)}
    return found


@pytest.mark.parametrize("row", ROWS)
def test_a_name_in_code_is_in_the_code(row):
    cells = [cell.strip() for cell in row[1:-1].split("|")]
    assert len(cells) == 4, row
    assert set(re.findall(r"`(\w+)`", cells[2])) <= names()


def test_the_page_has_its_rows():
    assert len(ROWS) > 25
