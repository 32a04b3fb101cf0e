"""One exercise source gives a task notebook that fails its checks, a solution notebook that passes, and a page part."""

from __future__ import annotations

import subprocess
import sys

import jsonschema
import nbformat
import pytest
from nbformat.v4 import new_markdown_cell

from press import book as model
from press import downloads, exercises, lint
from press.book import BookError
from press.exercises.source import grading
from tests.conftest import ROOT, code, text, write_notebook

TASK = text("## Double it {#exr-one-double}\n\nWrite `double`.\n\n"
            "<details><summary>Hint</summary>\n\nAdd.\n\n</details>", "double-task")
HIDDEN = "### BEGIN HIDDEN TESTS\nassert double(-3) == -6, 'negative numbers too'\n### END HIDDEN TESTS\n"


def graded(name: str, points: float | None = None) -> dict:
    """nbgrader's metadata of a check that is worth points, or of a solution."""
    entry = {"grade": points is not None, "solution": points is None, "locked": points is not None, "task": False,
             "grade_id": name, "schema_version": 3}
    return {"nbgrader": entry | ({"points": points} if points is not None else {})}


SOLUTION = code("def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n", "double-solution",
                **graded("double-solution"))
CHECK = code("assert double(2) == 4, 'double(2) should be 4: add x to itself'\n" + HIDDEN, "double-check",
             **graded("double-check", 2))
SETUP = code("import math", "setup")
EXPLAIN = text("## Say it {#exr-one-say}\n\nExplain.", "say-task")
ANSWER = new_markdown_cell("<!-- BEGIN SOLUTION -->\nIt doubles.\n<!-- END SOLUTION -->", id="say-answer",
                           metadata=graded("say-answer"))


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
    assert "2 * x" not in sources and "It doubles" not in sources and "HIDDEN" not in sources and "-3" not in sources
    assert 'raise NotImplementedError("write your solution of: Double it")' in sources


BEGIN, END = "    ### BEGIN SOLUTION\n", "    ### END SOLUTION\n"


@pytest.mark.parametrize(("change", "said"), [
    ((END, ""), "### BEGIN SOLUTION has no ### END SOLUTION"),
    ((BEGIN, ""), "### END SOLUTION has no ### BEGIN SOLUTION"),
    ((BEGIN, "    ## BEGIN SOLUTION\n"), "`## BEGIN SOLUTION` is no marker; write ### BEGIN SOLUTION"),
    ((BEGIN, "    ###BEGIN SOLUTION\n"), "`###BEGIN SOLUTION` is no marker; write ### BEGIN SOLUTION"),
    (("    ### BEGIN SOLUTION\n    return", "    return 0  # Begin Solution\n    return"),
     "`return 0  # Begin Solution` is no marker; write ### BEGIN SOLUTION"),
    ((BEGIN, "    # begin_solution\n"), "`# begin_solution` is no marker; write ### BEGIN SOLUTION"),
])
def test_a_slip_of_a_marker_that_would_give_the_solution_away_is_refused(chapter, change, said):
    slipped = code(SOLUTION.source.replace(*change), "double-solution", **SOLUTION.metadata)
    found = chapter(SETUP, TASK, slipped, CHECK)
    with pytest.raises(BookError) as caught:
        exercises.task_notebook(exercises.read(found.exercises))
    assert str(caught.value) == f"the task notebook would hold a solution: cell double-solution: {said}"
    assert told(found, said)


def test_a_solution_without_markers_is_a_slip_of_the_source(chapter):
    bare = code("def double(x):\n    return 2 * x\n", "double-solution", **SOLUTION.metadata)
    assert told(chapter(SETUP, TASK, bare, CHECK), "has no ### BEGIN SOLUTION, so that all of it would be given away")


def told(found, said: str) -> bool:
    """Whether the sources' check names the cell and says this of it."""
    return f"exercises/part/one.ipynb, cell double-solution: {said}" in map(str, lint.chapter_problems(found))


@pytest.mark.parametrize(("cell", "said"), [
    (text("<!-- BEGIN SOLUTION -->\nIt doubles.", "say-answer"),
     "<!-- BEGIN SOLUTION --> has no <!-- END SOLUTION -->"),
    (code("### BEGIN HIDDEN TESTS\nassert 1", "say-check"), "### BEGIN HIDDEN TESTS has no ### END HIDDEN TESTS"),
    (code("### BEGIN HIDDEN TEST\nassert 1\n### END HIDDEN TEST", "say-check"),
     "`### BEGIN HIDDEN TEST` is no marker; write ### BEGIN HIDDEN TESTS"),
])
def test_answers_and_hidden_checks_are_not_given_away_either(chapter, cell, said):
    assert list(exercises.leaking(exercises.read(chapter(cell).exercises))) == [(cell.id, said)]


def test_a_misspelt_name_of_a_check_leaves_its_task_without_one(chapter):
    misnamed = code(CHECK.source, "double-chek", **CHECK.metadata)
    found = list(exercises.faults(chapter(SETUP, TASK, SOLUTION, misnamed)))
    assert found == ["task double has no double-check; write a cell with that id, whose assertions mark it"]


def test_words_that_only_sound_like_a_marker_are_no_slip(chapter):
    prose = text("In the end, solutions differ.\n\nEnd. Solution follows.", "say-task")
    source = exercises.read(chapter(prose).exercises)
    assert list(exercises.leaking(source)) == []


def test_the_solution_notebook_has_no_solution_markers_and_keeps_the_hidden_checks(chapter):
    source = exercises.read(chapter(TASK, SOLUTION, CHECK, EXPLAIN, ANSWER).exercises)
    sources = "\n".join(cell.source for cell in exercises.solution_notebook(source).cells)
    assert "SOLUTION" not in sources and "2 * x" in sources and "It doubles." in sources and HIDDEN in sources


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


def test_sound_exercises_have_no_fault_of_form(chapter):
    assert list(exercises.faults(chapter(SETUP, TASK, SOLUTION, CHECK, EXPLAIN, ANSWER))) == []


@pytest.mark.parametrize(("cell", "words"), [
    (code(CHECK.source, "double-check"), "has no nbgrader metadata"),
    (code(CHECK.source, "double-check", **graded("double check", 1)), "has no nbgrader metadata"),
    (code(CHECK.source, "double-check", **graded("double-check")), "expected true"),
    (code(CHECK.source, "double-check", **graded("double-check", 0)), "expected a number above 0"),
    (code(CHECK.source, "double-check", **graded("double-solution", 1)), "two cells have the grade_id"),
    (code("### BEGIN HIDDEN TESTS\nassert 1", "double-check", **graded("double-check", 1)), "without its partner")])
def test_faulty_metadata_and_markers_are_named(chapter, cell, words):
    assert any(words in fault for fault in exercises.faults(chapter(TASK, SOLUTION, cell)))


def test_a_task_that_needs_another_task_is_a_fault(chapter):
    more = text("## Twice {#exr-one-twice}", "twice-task")
    work = code(
        "### BEGIN SOLUTION\nfour = double(2)\n### END SOLUTION\n", "twice-solution", **graded("twice-solution")
    )
    found = list(exercises.faults(chapter(TASK, SOLUTION, CHECK, more, work)))
    assert "task twice uses double, which only task double defines; each task must run by itself" in found


def test_a_hidden_check_that_passes_before_the_task_is_solved_is_a_fault(chapter, tmp_path):
    idle = code(
        "### BEGIN HIDDEN TESTS\nassert True\n### END HIDDEN TESTS\n", "double-check2", **graded("double-check2", 1)
    )
    found = exercises.check(chapter(TASK, SOLUTION, CHECK, idle), tmp_path)
    assert [(p.cell, p.message.split(" before")[0]) for p in found] == [("double-check2", "passes")]


NBGRADER_3 = {  # nbgrader/nbgraderformat/v3.json, nbgrader 0.9.6 (BSD licence)
    "type": "object",
    "required": ["schema_version", "grade", "locked", "solution"],
    "additionalProperties": False,
    "properties": {
        "schema_version": {"type": "integer", "minimum": 3, "maximum": 3},
        "grade": {"type": "boolean"},
        "locked": {"type": "boolean"},
        "solution": {"type": "boolean"},
        "task": {"type": "boolean"},
        "grade_id": {"type": "string", "pattern": "^[a-zA-Z0-9_\\-]*$"},
        "points": {"type": "number", "minimum": 0},
        "checksum": {"type": "string", "minLength": 32, "maxLength": 32},
        "cell_type": {"enum": ["raw", "code", "markdown"]},
    },
}
CHAPTERS = [pytest.param(chapter, id=chapter.id) for chapter in model.load(ROOT) if chapter.exercises.is_file()]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_sources_are_what_nbgrader_expects(chapter):
    graded = [grading(cell) for cell in exercises.read(chapter.exercises).cells if grading(cell)]
    for entry in graded:
        jsonschema.validate(entry, NBGRADER_3)
        assert ("points" in entry) == entry["grade"]
    assert len({entry["grade_id"] for entry in graded}) == len(graded)


# ---- downloads -----------------------------------------------------------------------------------------------------


def test_every_notebook_of_a_chapter_is_written_once_and_starts_with_the_install_cell(small_book):
    book = small_book(
        code("#| codealong: true\nx = 1", "x"), text("::: {.check}\nIt is.\n:::", "c"), code("assert x", "a")
    )
    found = book.chapters["part/one"]
    write_notebook(found.exercises, SETUP, TASK, SOLUTION, CHECK)
    paths = downloads.write_notebooks(book, found)
    assert [path.name for path in paths] == ["one.ipynb", "one-code-along.ipynb", "one-exercises.ipynb",
                                             "one-solutions.ipynb"]
    before = [path.stat().st_mtime_ns for path in downloads.write_notebooks(book, found)]
    for path, time in zip(paths, before, strict=True):
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        assert notebook.cells[0].id == downloads.INSTALL_ID and path.stat().st_mtime_ns == time


def test_exercise_notebooks_say_which_exercises_they_are(small_book):
    book = small_book()
    write_notebook(book.chapters["part/one"].exercises, SETUP, TASK, SOLUTION, CHECK)
    made = dict(downloads.notebooks(book, book.chapters["part/one"]))["-exercises"].metadata["dlbook"]
    assert made["exercises"] == "part/one" and len(made["source"]) == 12


def run_install(source: str, tmp_path, installed: str | None) -> subprocess.CompletedProcess:
    """Run an install cell where dlbook is missing, or of a given version; pip only writes down its arguments."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text("import sys; print('pip', *sys.argv[1:])")
    if installed:
        (tmp_path / "dlbook.py").touch()
        info = tmp_path / f"dlbook-{installed}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dlbook\nVersion: {installed}\n")
    return subprocess.run([sys.executable, "-S", "-c", source], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(tmp_path)})


def test_the_install_cell_installs_the_exact_version_where_the_package_is_missing(tmp_path):
    done = run_install(downloads.install_code("1.2.3", "https://example.org/book/"), tmp_path, None)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "pip install --quiet dlbook @ git+https://example.org/book.git@v1.2.3"


def test_the_install_cell_brings_what_only_some_chapters_import_where_it_is_missing(tmp_path):
    source = downloads.install_code("1.2.3", "https://example.org/book", ["optuna", "wandb"])
    (tmp_path / "optuna.py").touch()
    done = run_install(source, tmp_path, "1.2.3")
    assert done.stdout.strip() == "pip install --quiet dlbook[chapters] @ git+https://example.org/book.git@v1.2.3"
    (tmp_path / "wandb.py").touch()
    whole = subprocess.run([sys.executable, "-S", "-c", source], cwd=tmp_path, capture_output=True, text=True,
                           env={"PYTHONPATH": str(tmp_path)})
    assert (whole.returncode, whole.stdout) == (0, "")


def test_what_a_notebook_imports_beyond_the_package_is_found_in_its_cells(small_book):
    book = small_book(code("import numpy as np\nfrom optuna import create_study\n", "search"),
                      code("def log():\n    import mlflow\n", "log"), text("import wandb", "prose"))
    (book.root / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n[project.optional-dependencies]\n'
                                              'chapters = ["optuna>=4", "mlflow-skinny>=3,<4", "wandb"]\n')
    assert downloads.further(book.root, downloads.read(book.chapters["part/one"].notebook)) == ["mlflow", "optuna"]


def test_the_install_cell_names_no_made_up_address(tmp_path):
    done = run_install(downloads.install_code("1.2.3", None), tmp_path, None)
    assert "pip install FOLDER" in done.stderr and "http" not in done.stderr


@pytest.mark.parametrize(("installed", "words"), [("1.2.3", ""), ("1.0", "made for dlbook 1.2.3; you have 1.0")])
def test_the_install_cell_is_harmless_where_the_package_is_installed(tmp_path, installed, words):
    done = run_install(downloads.install_code("1.2.3", "https://example.org/book"), tmp_path, installed)
    assert (
        done.returncode == 0 and "pip" not in done.stdout and words in done.stdout and bool(done.stdout) == bool(words)
    )
