"""One exercise source gives a task notebook that fails its checks, a solution notebook that passes, and a page part."""

from __future__ import annotations

import pytest

from press import exercises
from tests.conftest import code, text, write_notebook

TASK = text("## Double it {#exr-one-double}\n\nWrite `double`.\n\n"
            "<details><summary>Hint</summary>\n\nAdd.\n\n</details>", "double-task")
SOLUTION = code("def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n", "double-solution")
CHECK = code("assert double(2) == 4, 'double(2) should be 4: add x to itself'", "double-check")
SETUP = code("import math", "setup")
EXPLAIN = text("## Say it {#exr-one-say}\n\nExplain.", "say-task")
ANSWER = text("<!-- BEGIN SOLUTION -->\nIt doubles.\n<!-- END SOLUTION -->", "say-answer")


@pytest.fixture
def chapter(small_book):
    def write(*cells):
        found = small_book().chapters["part/one"]
        write_notebook(found.exercises, *cells)
        return found
    return write


def test_the_task_notebook_has_stubs_and_no_solution(chapter):
    source = exercises.read(chapter(SETUP, TASK, SOLUTION, CHECK, EXPLAIN, ANSWER).exercises)
    sources = "\n".join(cell.source for cell in exercises.task_notebook(source).cells)
    assert "2 * x" not in sources and "It doubles" not in sources
    assert 'raise NotImplementedError("write your solution of: Double it")' in sources


def test_the_solution_notebook_has_no_markers(chapter):
    source = exercises.read(chapter(TASK, SOLUTION, CHECK, EXPLAIN, ANSWER).exercises)
    sources = "\n".join(cell.source for cell in exercises.solution_notebook(source).cells)
    assert "SOLUTION" not in sources and "2 * x" in sources and "It doubles." in sources


def test_a_title_with_quotes_and_backslashes_still_gives_a_stub_that_parses(chapter):
    task = text(r'## The "\alpha" rule {#exr-one-double}', "double-task")
    assert list(exercises.faults(chapter(task, SOLUTION, CHECK))) == []


def test_the_page_shows_task_hint_and_folded_solution(chapter):
    page = exercises.markdown(exercises.read(chapter(TASK, SOLUTION, CHECK).exercises))
    assert "{#exr-one-double}" in page and 'title="Hint"' in page and "return 2 * x" in page


def test_sound_exercises_pass_and_fail_where_they_should(chapter, tmp_path):
    assert exercises.check(chapter(SETUP, TASK, SOLUTION, CHECK, EXPLAIN, ANSWER), tmp_path) == []


def test_what_is_wrong_with_exercises_is_named_by_cell(chapter, tmp_path):
    broken = code(SOLUTION.source.replace("2 * x", "3 * x"), "double-solution")
    idle = code("assert True", "idle-check")
    idle_task, idle_work = text("## Idle {#exr-one-idle}", "idle-task"), code(
        "### BEGIN SOLUTION\ny = 1\n### END SOLUTION", "idle-solution")
    found = exercises.check(chapter(TASK, broken, CHECK, idle_task, idle_work, idle), tmp_path)
    assert {(p.cell, p.message.split(";")[0].split(" with")[0]) for p in found} == {
        ("double-check", "the solution stops"), ("idle-check", "passes before the task is solved")}


def test_a_task_without_solution_markers_is_a_fault(chapter):
    bare = code("def double(x): return 2 * x", "double-solution")
    assert any("BEGIN SOLUTION" in fault for fault in exercises.faults(chapter(TASK, bare, CHECK)))
