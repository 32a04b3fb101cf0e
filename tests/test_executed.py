"""After `make execute`: every chapter ran in this run, and what it gave still meets the standard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from press import audit, fingerprint
from press.book import load
from tests.conftest import ROOT

BOOK = load(ROOT)


@pytest.mark.parametrize("chapter", [pytest.param(chapter, id=chapter.id) for chapter in BOOK])
def test_the_executed_chapter_is_fresh_and_its_figures_pass(chapter):
    subject = audit.Subject(BOOK, chapter)
    assert fingerprint.stale(chapter) is None
    assert list(audit.figures(subject)) == []
    ran = datetime.fromtimestamp(chapter.notebook.stat().st_mtime, UTC)
    assert datetime.now(UTC) - ran < timedelta(hours=2), "make execute did not run this chapter"
