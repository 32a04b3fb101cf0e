"""After `make execute`: every chapter ran in this run, within its budget, and what it gave still meets the standard."""

from __future__ import annotations

import pytest

from press import audit, fingerprint
from press.book import load
from tests.conftest import ROOT

BOOK = load(ROOT)


@pytest.mark.parametrize("chapter", [pytest.param(chapter, id=chapter.id) for chapter in BOOK])
def test_the_executed_chapter_is_fresh_and_within_its_budget(chapter):
    subject = audit.Subject(BOOK, chapter)
    assert fingerprint.stale(chapter) is None
    assert list(audit.budget(subject)) == [] and list(audit.figures(subject)) == []
