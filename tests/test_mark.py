"""`dlbook mark`: marks that cannot be had for nothing, feedback that helps, notebooks that mean harm or are broken."""

from __future__ import annotations

import csv
import html
import io
import json
import os
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook, new_raw_cell
from rich.console import Console
from typer.testing import CliRunner

from press import downloads, marking
from press.book import BookError
from press.cli import app
from press.exercises import solution_notebook, task_notebook
from press.marking import guard, report
from press.marking.bench import ISOLATION
from press.marking.plan import Source
from press.marking.submission import Refused, read
from tests.conftest import code, text

SETTINGS = marking.Settings(marking.Limits(cell=40, chapter=120, memory=400), jobs=2, solutions=True)
SHORT = marking.Settings(marking.Limits(cell=5, chapter=120, memory=400), jobs=2)       # for cells that have no end
DAEMON = ("import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(600)\n"
          "    os._exit(0)\n")


def graded(worth: float | None, solution: bool, name: str) -> dict:
    """nbgrader's metadata: of a check worth some points, or of a solution."""
    entry = {
        "grade": worth is not None,
        "solution": solution,
        "locked": worth is not None and not solution,
        "task": False,
        "grade_id": name,
        "schema_version": 3,
    }
    return {"nbgrader": entry | ({"points": worth} if worth is not None else {})}


def exercise() -> NotebookNode:
    """Two tasks that mark themselves, one with hidden checks, and one for a person to read."""
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "P", "language": "python"}},
        cells=[
            text("# Exercises", "head"),
            code("import math\nlimit = 10", "setup"),
            text("## Double it {#exr-one-double}\n\nWrite `double`.", "double-task"),
            code(
                "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION\n",
                "double-solution",
                **graded(None, True, "double-solution"),
            ),
            code(
                "assert double(2) == 4, 'double(2) should be 4: add x to itself'",
                "double-check",
                **graded(2, False, "double-check"),
            ),
            code(
                "# Hidden checks run when the notebook is marked.\n### BEGIN HIDDEN TESTS\n"
                "assert double(limit) == 20, 'doubling must work for every number'\n### END HIDDEN TESTS\n",
                "double-check2",
                **graded(1, False, "double-check2"),
            ),
            text("## Halve it {#exr-one-halve}\n\nWrite `halve`.", "halve-task"),
            code(
                "half = None\n### BEGIN SOLUTION\nhalf = math.pi / 2\n### END SOLUTION\n",
                "halve-solution",
                **graded(None, True, "halve-solution"),
            ),
            code(
                "assert half is not None and abs(half - 1.5708) < 1e-3",
                "halve-check",
                **graded(2, False, "halve-check"),
            ),
            text("## Say it {#exr-one-say}\n\nExplain.", "say-task"),
            nbformat.v4.new_markdown_cell(
                "<!-- BEGIN SOLUTION -->\nIt doubles.\n<!-- END SOLUTION -->",
                id="say-answer",
                metadata=graded(3, True, "say-answer"),
            ),
        ],
    )


SOURCE = Source.of(exercise(), "part/one", "1.0")


def given(kind=task_notebook) -> NotebookNode:
    """What a reader downloads."""
    return downloads.identified(kind(exercise()), exercise(), "part/one", "tasks", "1.0")


def solved(*names: str, **cells: str) -> NotebookNode:
    """A reader's notebook: the named tasks solved (all if none is), then cells (`double_solution="…"`) replaced."""
    notebook = given()
    answers = {cell.id: cell.source for cell in solution_notebook(exercise()).cells if cell.id.endswith("-solution")
               and (not names or cell.id.removesuffix("-solution") in names)}
    answers |= {name.replace("_", "-"): source for name, source in cells.items()}
    for cell in notebook.cells:
        cell.source = answers.get(cell.id, cell.source)
    return notebook


def without(notebook: NotebookNode, *names: str) -> NotebookNode:
    notebook.cells = [cell for cell in notebook.cells if cell.id not in names]
    return notebook


def marked(
    folder: Path, settings: marking.Settings = SETTINGS, **notebooks: NotebookNode
) -> dict[str, marking.NotebookMark]:
    """Name → marks of the notebooks, marked together."""
    for name, notebook in notebooks.items():
        (folder / f"{name}.ipynb").write_text(nbformat.writes(notebook, version=nbformat.NO_CONVERT))
    return {mark.name.removesuffix(".ipynb"): mark for mark in marking.mark([folder], [SOURCE], settings)}


def task(mark: marking.NotebookMark, name: str) -> marking.TaskMark:
    return next(task for task in mark.tasks if task.name == name)


def said(mark: marking.NotebookMark, name: str) -> str:
    return "\n".join(report.told(task(mark, name)))


# ---- a day's work: one folder, marked once for all the tests that look at it ---------------------------------------

NOTEBOOKS = {
    "solved": solved, "untouched": given, "solutions": lambda: given(solution_notebook),
    "wrong": lambda: solved(double_solution="def double(x):\n    return 3 * x"),
    "memorised": lambda: solved("double", double_solution="def double(x):\n    return 4"),
    "raises": lambda: solved("double", double_solution="def double(x):\n    y = 1\n    return y / 0"),
    "syntax": lambda: solved("double", double_solution="def double(x):\n    return 2 *"),
    "borrowed": lambda: solved(double_solution="import operator as op\ndef double(x): return op.mul(2, x)",
                               halve_solution="half = op.truediv(math.pi, 2)"),
    "no_cells": lambda: without(solved(), "double-solution", "double-check"),
    "easy_checks": lambda: solved("double", double_solution="def double(x): return 0", double_check="assert True"),
    "new_setup": lambda: solved("double", setup="import math\nimport operator\nlimit = 2",
                                double_solution="def double(x): return operator.mul(2, x) if x == 2 else limit * x"),
    "as_text": lambda: without_code(solved("double"), "double-solution"),
    "answer_code": lambda: answer_as_code(solved()),
    "own_cells": lambda: with_own_cells(solved(double_solution="def double(x): return twice(x)")),
    "colab": lambda: as_colab(solved(double_solution="def double(x):\n    return x + x")),
    "old_format": lambda: old_format(solved()),
    "many": lambda: with_cells(solved(), 10_000),
}


def without_code(notebook: NotebookNode, name: str) -> NotebookNode:
    for i, cell in enumerate(notebook.cells):
        if cell.id == name:
            notebook.cells[i] = text(cell.source, name)
    return notebook


def answer_as_code(notebook: NotebookNode) -> NotebookNode:
    notebook.cells[-1] = code("raise SystemExit", "say-answer", **graded(3, True, "say-answer"))
    return notebook


def with_own_cells(notebook: NotebookNode) -> NotebookNode:
    at = next(i for i, cell in enumerate(notebook.cells) if cell.id == "double-solution")
    notebook.cells[at:at] = [new_code_cell("def twice(x):\n    return x + x"), new_code_cell("1 / 0")]
    return notebook


def as_colab(notebook: NotebookNode) -> NotebookNode:
    """Ids, metadata and outputs gone; only the text is left."""
    notebook.metadata = nbformat.from_dict({"colab": {"provenance": []}})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        del cell["id"]
    notebook.nbformat_minor = 0
    return notebook


def old_format(notebook: NotebookNode) -> NotebookNode:
    return nbformat.convert(as_colab(notebook), 3)


def with_cells(notebook: NotebookNode, count: int) -> NotebookNode:
    notebook.cells[4:4] = [new_raw_cell("noise") if i % 2 else new_code_cell(f"n = {i}") for i in range(count)]
    return notebook


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> dict[str, marking.NotebookMark]:
    return marked(tmp_path_factory.mktemp("day"), **{name: make() for name, make in NOTEBOOKS.items()})


@pytest.mark.parametrize("name", ["solved", "solutions", "own_cells", "colab", "old_format", "answer_code", "many"])
def test_what_is_right_gets_all_points(day, name):
    assert [(task.name, task.points, task.state) for task in day[name].tasks] == [
        ("double", 3, "done"), ("halve", 2, "done"), ("say", 0, "person")]
    assert day[name].worth == 5 and day[name].person == 3


def test_the_unsolved_notebook_gets_no_points_and_is_called_so(day):
    assert day["untouched"].points == 0
    assert [task.state for task in day["untouched"].tasks] == ["untouched", "untouched", "person"]


def test_a_wrong_answer_hears_what_is_wrong_and_costs_one_task(day):
    assert task(day["wrong"], "double").points == 0 and task(day["wrong"], "halve").points == 2
    assert "Double(2) should be 4: add x to itself." in said(day["wrong"], "double")


def test_hidden_checks_find_memorised_answers(day):
    found = task(day["memorised"], "double")
    assert (found.points, found.state) == (2, "partly")
    assert "A hidden check: Doubling must work for every number." in said(day["memorised"], "double")


def test_an_exception_is_told_with_its_line_in_the_readers_cell(day):
    assert "ZeroDivisionError: division by zero, in line 3 of double-solution: return y / 0" in said(
        day["raises"], "double"
    )
    assert "SyntaxError" in said(day["syntax"], "double") and "line 2 of double-solution" in said(
        day["syntax"], "double"
    )


def test_tasks_run_apart_and_a_borrowed_name_is_explained(day):
    assert task(day["borrowed"], "double").points == 3 and task(day["borrowed"], "halve").points == 0
    assert "op is defined in another cell of your notebook" in said(day["borrowed"], "halve")


def test_deleted_cells_cost_their_task_only_and_are_named(day):
    assert task(day["no_cells"], "double").state == "untouched" and task(day["no_cells"], "halve").points == 2
    assert "double-solution is missing" in said(day["no_cells"], "double")
    assert "double-check is missing; the book's own was used" in said(day["no_cells"], "double")


def test_changed_checks_are_replaced_and_told(day):
    assert task(day["easy_checks"], "double").points == 0
    assert "double-check was changed; the book's own was used" in said(day["easy_checks"], "double")


def test_a_changed_setup_runs_first_and_the_books_own_after_it(day):
    assert task(day["new_setup"], "double").points == 2                  # its import is there, its limit is not
    assert "setup was changed" in day["new_setup"].notes[0]


def test_a_solution_that_became_text_is_told(day):
    assert task(day["as_text"], "double").points == 0
    assert "has become a markdown cell" in said(day["as_text"], "double")


def test_written_answers_are_for_a_person_and_the_model_answer_is_told_on_demand(day):
    assert "Model answer: It doubles." in said(day["solved"], "say") and "none yet" in said(day["solved"], "say")
    assert task(day["solutions"], "say").answer == "It doubles."


def test_too_many_cells_are_passed_over_and_told(day):
    assert "only the last 60 and the given ones ran" in said(day["many"], "double")


# ---- notebooks that mean harm --------------------------------------------------------------------------------------

FAKE = "def double(x): return 0\n"
HOSTILE = {
    "loop": "def double(x):\n    while True: pass",
    "deaf": "def double(x):\n    while True:\n        try:\n            while True: pass\n"
    "        except BaseException: pass",
    "prints": "def double(x):\n    while True: print('double-check 2 of 2 passed' * 50)",
    "huge": FAKE + "print('x' * 100_000_000)",
    "memory": "def double(x):\n    kept = []\n    while True: kept.append(bytearray(20_000_000))",
    "leaves": FAKE + "import sys\nsys.exit(0)",
    "exits": FAKE + "raise SystemExit(0)",
    "dies": FAKE + "import os\nos._exit(0)",
    "kills": FAKE + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "exit_in_check": "def double(x): raise SystemExit(0)",
    "daemon": FAKE + DAEMON,
    "forks": "import os\ndef double(x):\n    if os.fork() == 0:\n        return 4\n    return 0",
    "builtins": FAKE
    + "import builtins\nbuiltins.abs = lambda x: 0\nbuiltins.AssertionError = type('E', (Exception,), {})\n"
    "builtins.all = lambda x: True\n",
    "imports": FAKE + "import builtins\nbuiltins.__import__ = lambda *a, **k: None",
    "shadows": FAKE + "limit = 0\nimport types\nmath = types.SimpleNamespace(pi=3)\nabs = lambda x: 0",
    "hooks": FAKE
    + "import ast\nclass Drop(ast.NodeTransformer):\n    def visit_Assert(self, node): return ast.Pass()\n"
    "get_ipython().ast_transformers.append(Drop())",
    "lines": FAKE + "get_ipython().input_transformers_post.append(lambda lines: ['pass\\n'])",
    "shell": FAKE + "from IPython.core.interactiveshell import ExecutionResult\nip = get_ipython()\n"
    "async def fake(*a, **k):\n    r = ExecutionResult(None)\n    r.result = None\n    return r\n"
    "ip.run_cell = fake\nip.run_cell_async = fake\ntype(ip).run_cell_async = lambda self, *a, **k: fake()",
    "replies": FAKE + "kernel = get_ipython().kernel\nasync def reply(*a, **k):\n    return {'status': 'ok', "
    "'execution_count': 9, 'user_expressions': {}, 'payload': []}\nkernel.do_execute = reply\n"
    "type(kernel).do_execute = reply",
    "lines_of_results": FAKE + 'print(\'{"token": "x", "status": "ok"}\')\nprint(\'passed: double-check\')',
    "cleans": FAKE + "get_ipython().run_line_magic('reset', '-f')",
    "asks": "def double(x):\n    return float(input('number? '))",
    "recursion": "def double(x): return double(x)",
    "writes": FAKE
    + "open('big', 'wb').truncate(10)\nfile = open('b', 'wb')\nfile.seek(900_000_000)\nfile.write(b'x')\nfile.flush()",
    "message": "def double(x): raise ValueError('<script>alert(1)</script>\\x1b[31m' + 'long ' * 10**6)",
    "trace": FAKE + "import sys, threading\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)",
}


WAYS_ROUND = {  # a wrong answer that a changed tool lets pass
    "builtin": "half = 99\nimport builtins\nbuiltins.abs = lambda x: 0",
    "shadow": "half = 99\nabs = lambda x: 0",
    "transformer": "half = 99\nimport ast\nclass Drop(ast.NodeTransformer):\n"
    "    def visit_Assert(self, node): return ast.Pass()\nget_ipython().ast_transformers.append(Drop())",
    "kernel": "half = 99\nkernel = get_ipython().kernel\nwas = kernel.do_execute\n"
    "async def do(code, *a, **k): return await was(code.replace('assert', 'None,'), *a, **k)\nkernel.do_execute = do",
    "event": "half = 99\nget_ipython().events.register('pre_run_cell', lambda info: globals().update(half=1.5708))",
}
BESIDE = ("deaf", "prints", "dies", "shell")                              # those that have the other task solved


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """(marks of the hostile notebooks, processes left behind)."""
    before = set(psutil.pids())
    notebooks = {
        name: solved("double", *["halve"] * (name in BESIDE), double_solution=cell) for name, cell in HOSTILE.items()
    }
    endless = {name: notebooks.pop(name) for name in ("loop", "deaf")}
    marks = marked(tmp_path_factory.mktemp("night"), **notebooks) | \
        marked(tmp_path_factory.mktemp("endless"), SHORT, **endless)
    left = [p for p in psutil.process_iter() if p.pid not in before and "DLBOOK_BADGE" in _environment(p)]
    return marks, left


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


@pytest.mark.parametrize("name", HOSTILE)
def test_harm_gets_no_points(night, name):
    marks = night[0][name]
    assert task(marks, "double").points == 0 and not marks.refused, said(marks, "double")
    assert task(marks, "double").state in ("wrong", "unmarked")


@pytest.mark.parametrize("name", BESIDE)
def test_harm_costs_one_task_only(night, name):
    assert task(night[0][name], "halve").points == 2


@pytest.fixture(scope="module")
def ways(tmp_path_factory) -> dict[str, marking.NotebookMark]:
    return marked(
        tmp_path_factory.mktemp("ways"),
        **{name: solved("halve", halve_solution=cell) for name, cell in WAYS_ROUND.items()},
    )


@pytest.mark.parametrize("name", WAYS_ROUND)
def test_a_changed_tool_lets_no_wrong_answer_pass(ways, name):
    assert task(ways[name], "halve").points == 0
    assert "another meaning" in said(ways[name], "halve") or "no check could be trusted" in said(ways[name], "halve")


def test_nothing_is_left_running(night):
    assert night[1] == []


@pytest.mark.parametrize(("name", "words"), [
    ("loop", "still running when its time was over (5 s), in line 2 of double-solution: while True: pass"),
    ("deaf", "still running when its time was over"), ("prints", "printed without end"),
    ("memory", "more memory than is allowed (400 MB)"), ("dies", "ended itself (exit status 0)"),
    ("leaves", "take the call out"), ("kills", "was killed"), ("recursion", "calls itself without coming to an end"),
    ("asks", "take input() out"), ("shadows", "gave"), ("builtins", "abs"), ("hooks", "IPython's ast_transformers"),
    ("replies", "no check could be trusted"), ("cleans", "no check could be trusted")])
def test_harm_is_named_in_plain_words(night, name, words):
    assert words in said(night[0][name], "double")


# ---- what is no notebook -------------------------------------------------------------------------------------------


def _language(name: str) -> NotebookNode:
    notebook = solved()
    notebook.metadata["kernelspec"] = {"name": "ir", "display_name": "R", "language": name}
    return notebook


BROKEN = {
    "prose": "Dear teacher, my notebook is attached.",
    "empty": "",
    "list": "[1, 2]",
    "number": "7",
    "deep": "[" * 100_000,
    "five": json.dumps({"nbformat": 5, "cells": []}),
    "two": json.dumps({"nbformat": 2, "worksheets": []}),
    "half": nbformat.writes(solved())[:500],
    "no_list": json.dumps({"nbformat": 4, "cells": {}}),
    "other": nbformat.writes(new_notebook(cells=[code("1 + 1", "a")])),
    "language": nbformat.writes(_language("R")),
    "odd_cells": json.dumps({"nbformat": 4, "cells": [1, None, {}, []]}),
    "three": json.dumps({"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [{"x": 1}]}]}),
    "crowd": json.dumps({"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "raw", "source": ""}] * 30_000}),
}


@pytest.fixture
def broken(tmp_path) -> Path:
    folder = tmp_path / "class"
    folder.mkdir()
    for name, content in BROKEN.items():
        (folder / f"{name}.ipynb").write_text(content)
    (folder / "bytes.ipynb").write_bytes(b"\xff\xfe\x00\x01")
    (folder / "large.ipynb").touch()
    os.truncate(folder / "large.ipynb", 200_000_000)
    (tmp_path / "secret.ipynb").write_text(nbformat.writes(solved()))
    (folder / "link.ipynb").symlink_to(tmp_path / "secret.ipynb")
    (folder / "loop.ipynb").symlink_to(folder / "loop.ipynb")
    (folder / "device.ipynb").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "folder.ipynb").mkdir()
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "old.ipynb").write_text("{}")
    return folder


def test_what_is_no_notebook_is_refused_in_one_sentence(broken):
    marks = marking.mark([broken], [SOURCE], SETTINGS)
    assert len(marks) == len(BROKEN) + 6
    for mark in marks:
        assert mark.refused and "\n" not in mark.refused and len(mark.refused) < 300 and mark.name in mark.refused


def test_a_path_that_is_not_there_is_one_sentence():
    with pytest.raises(BookError, match="is not there"):
        marking.mark([Path("nowhere.ipynb")], [SOURCE], SETTINGS)


def test_a_link_inside_the_folder_is_followed(tmp_path):
    (tmp_path / "a.ipynb").write_text(nbformat.writes(given()))
    (tmp_path / "b.ipynb").symlink_to(tmp_path / "a.ipynb")
    assert read(tmp_path / "b.ipynb", "b.ipynb", tmp_path).cells


def test_hidden_checks_never_reach_the_readers_notebook():
    assert "limit) == 20" not in nbformat.writes(task_notebook(exercise()))
    assert "limit) == 20" in nbformat.writes(solution_notebook(exercise()))


def test_without_exercises_there_is_one_sentence():
    with pytest.raises(BookError, match="--source"):
        marking.sources(None)


@pytest.mark.parametrize(
    ("limits", "jobs"), [((0, 1, 1), 1), ((1, -1, 1), 1), ((1, 1, float("nan")), 1), ((1, 1, 1), 0)]
)
def test_limits_that_make_no_sense_are_refused(limits, jobs):
    with pytest.raises(BookError, match="makes no sense"):
        marking.Settings(marking.Limits(*limits), jobs)


# ---- the guard, in this process ------------------------------------------------------------------------------------


def test_the_guard_puts_replaced_functions_back():
    kept = {"sqrt": __import__("math").sqrt}
    import math
    math.sqrt = abs
    try:
        assert guard._put_back(math, kept) == ["math.sqrt"] and math.sqrt(4) == 2
    finally:
        math.sqrt = kept["sqrt"]


# ---- reports -------------------------------------------------------------------------------------------------------

EVIL = "</textarea><script>alert('x')</script>&amp;[red]bold[/red]"


@pytest.fixture
def evil(night) -> list[marking.NotebookMark]:
    """Marks with hostile text in every field."""
    mark = night[0]["message"]
    tasks = tuple(
        type(t)(**{**vars(t), "title": EVIL, "answer": EVIL, "model": EVIL, "notes": (EVIL,)}) for t in mark.tasks
    )
    made = type(mark)(EVIL, EVIL, EVIL, tasks, (EVIL,))
    return [made, made, type(mark)("=cmd|' /C calc'!A0", refused=EVIL)]


def test_the_page_shows_hostile_text_as_text(evil):
    page = report.as_html(evil)
    assert "<script" not in page and "</textarea" not in page and html.escape("<script>alert", quote=False) in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_csv_has_a_row_per_notebook_and_no_formulas(evil):
    rows = list(csv.reader(io.StringIO(report.as_csv(evil))))
    assert len(rows) == 4 and len({len(row) for row in rows}) == 1 and rows[3][0].startswith("'=cmd")


def test_the_terminal_shows_markup_as_text(evil):
    console = Console(file=io.StringIO(), width=200)
    report.show(console, evil)
    report.show(console, evil[:1])
    assert "[red]bold" in console.file.getvalue()


def test_the_json_says_all_and_what_is_not_isolated(day):
    found = json.loads(report.as_json(list(day.values())))
    assert found["isolation"] == ISOLATION and "not a sandbox" in ISOLATION
    first = next(entry for entry in found["notebooks"] if entry["name"] == "memorised.ipynb")
    assert first["points"] == 2 and first["tasks"][0]["checks"][1]["worth"] == 1


def test_the_command_marks_a_folder_and_writes_reports(tmp_path):
    (tmp_path / "class").mkdir()
    source = tmp_path / "one.ipynb"
    source.write_text(nbformat.writes(downloads.identified(exercise(), exercise(), "part/one", "solutions", "1.0")))
    for name, notebook in (("ann", given()), ("bob", given())):
        (tmp_path / "class" / f"{name}.ipynb").write_text(nbformat.writes(notebook))
    (tmp_path / "class" / "eve.ipynb").write_text("no")
    files = [f"--{kind}={tmp_path / f'marks.{kind}'}" for kind in ("json", "html", "csv")]
    done = CliRunner().invoke(app, ["mark", str(tmp_path / "class"), f"--source={source}", *files])
    assert done.exit_code == 0, done.output
    assert "ann.ipynb" in done.output and "eve.ipynb is not a notebook" in done.output
    assert len((tmp_path / "marks.csv").read_text().splitlines()) == 4
    assert len(json.loads((tmp_path / "marks.json").read_text())["notebooks"]) == 3


def test_a_single_notebook_that_cannot_be_marked_is_an_error(tmp_path):
    (tmp_path / "a.ipynb").write_text("no")
    source = tmp_path / "s.ipynb"
    source.write_text(nbformat.writes(exercise()))
    done = CliRunner().invoke(app, ["mark", str(tmp_path / "a.ipynb"), f"--source={source}"])
    assert done.exit_code and isinstance(done.exception, BookError) and not isinstance(done.exception, Refused)
