"""After `make execute`: every chapter ran in this run, and what it gave, its exercises and its code-along hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from press import audit, codealong, fingerprint
from press.book import load
from tests.conftest import ROOT
from tests.test_codealong import verdicts

BOOK = load(ROOT)
CHAPTERS = [pytest.param(chapter, id=chapter.id) for chapter in BOOK]
pytestmark = pytest.mark.whole


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_executed_chapter_is_fresh_and_its_figures_pass(chapter):
    subject = audit.Subject(BOOK, chapter)
    assert fingerprint.stale(chapter) is None
    assert list(audit.figures(subject)) == []
    ran = datetime.fromtimestamp(chapter.notebook.stat().st_mtime, UTC)
    assert datetime.now(UTC) - ran < timedelta(hours=2), "make execute did not run this chapter"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_solutions_pass_their_checks_and_unsolved_tasks_fail_them(chapter):
    assert audit.solutions(audit.Subject(BOOK, chapter)) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_first_blank_of_the_code_along_fails_its_check_and_the_original_passes(chapter, tmp_path):
    assert verdicts(chapter, tmp_path) == ["fails", "passes"]
