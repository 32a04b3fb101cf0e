"""The whole way from sources to book stops with a sentence that names the place, and one build runs at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from press import build as building
from press import execute
from press.book import BookError, ProblemsFound
from press.files import alone
from tests.conftest import ROOT, code, text

PROJECT = '[project]\nname = "small"\nversion = "0"\n\n[tool.nbdev]\nlib_name = "dlbook"\nlib_path = "dlbook"\n' \
          'nbs_path = "chapters"\ntst_flags = "notest"\nput_version_in_init = false\n'


@pytest.fixture
def project(small_book):
    """A small book that nbdev can export."""
    def write(*cells):
        book = small_book(*cells)
        (book.root / "pyproject.toml").write_text(PROJECT)
        return book
    return write


def build(book) -> str:
    """Build the website of a book, away from the event loop that a browser of other tests keeps; what was printed."""
    console = Console(file=StringIO(), width=200)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(building.build, book, "pandoc", ("html",), console).result()
    return console.file.getvalue()


def dlbook(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the command in a folder."""
    env = {name: value for name, value in os.environ.items() if name != "DLBOOK_DATA"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "press.cli", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env)


def test_a_chapter_that_fails_ends_the_build_with_file_cell_and_line(project):
    with pytest.raises(ProblemsFound) as caught:
        build(project(code("x = 1\nx / 0", "divide")))
    assert str(caught.value).startswith("chapters/part/one.ipynb, cell divide: line 2: ZeroDivisionError: division by")


def test_a_notebook_that_does_not_read_is_named_before_the_export(project):
    book = project()
    (book.root / "chapters/part/draft.ipynb").write_text("")
    with pytest.raises(ProblemsFound, match=r"^chapters/part/draft.ipynb: is empty; restore its last version$"):
        build(book)


def test_a_slip_of_a_source_ends_the_build(project):
    with pytest.raises(ProblemsFound, match="one ::: too many"):
        build(project(text(":::", "slip")))


def test_an_export_leaves_the_time_of_pyproject_as_it_was(project):
    book = project(code("#| default_exp: one", "module"), code("#| export: true\nx = 1", "x"))
    path = book.root / "pyproject.toml"
    building.export(book.root)                                   # brings it into nbdev's own form
    os.utime(path, (1e9, 1e9))
    building.export(book.root)
    assert path.stat().st_mtime == 1e9 and "x = 1" in (book.root / "dlbook/one.py").read_text()


def test_a_second_build_is_refused_in_one_sentence_and_the_lock_ends_with_its_process(project):
    book = project()
    with alone(book):
        done = dlbook(book.root, "build")
        assert done.returncode == 1
        assert done.stderr == "dlbook: another dlbook is building this book; wait until it is done, or stop it\n"
    with alone(book):
        assert (book.build / "lock").is_file()


def test_a_file_that_the_book_leaves_out_is_told(project, monkeypatch):
    monkeypatch.setattr(building, "render", lambda *rest: building.Report("pandoc"))
    book = project()
    for folder, name in (("quizzes", "two.yml"), ("exercises", "two.ipynb")):
        (book.root / folder / "part").mkdir(parents=True)
        (book.root / folder / "part" / name).write_text("")
    shown = build(book)
    for name in ("quizzes/part/two.yml", "exercises/part/two.ipynb"):
        assert f"{name} is there, but _quarto.yml lists no such chapter: it is left out of the book." in shown
    assert f"{name} is there" not in dlbook(book.root, "quiz", "check").stdout
    assert "quizzes/part/two.yml is there, but" in dlbook(book.root, "quiz", "check").stdout


def test_the_last_line_names_a_command_that_is_there(project, monkeypatch):
    monkeypatch.setattr(building, "render", lambda *rest: building.Report("pandoc"))
    monkeypatch.setenv("PATH", "/nowhere")
    command = build(project()).rsplit(", or run ", 1)[1].removesuffix(" serve.\n")
    assert Path(command).is_file() and os.access(command, os.X_OK)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    assert building._command() == "dlbook"


def test_the_data_beside_the_project_are_found_by_every_command(tmp_path, monkeypatch):
    file = tmp_path / "shared/data/MNIST/raw/train-images-idx3-ubyte.gz"
    for path in (file, tmp_path / "book/_quarto.yml"):
        path.parent.mkdir(parents=True)
        path.write_text("wrong")
    shown = dlbook(tmp_path / "book", "data", "verify", "mnist").stdout
    assert "train-images-idx3-ubyte.gz  is cut short: 5 bytes" in shown
    monkeypatch.delenv("DLBOOK_DATA", raising=False)
    assert execute.data_folder(tmp_path / "book") == {"DLBOOK_DATA": str(tmp_path / "shared/data")}
    monkeypatch.setenv("DLBOOK_DATA", "elsewhere")
    assert execute.data_folder(tmp_path / "book") == {}


def test_help_and_version_have_their_usual_names(tmp_path):
    assert "Usage: dlbook" in dlbook(tmp_path, "-h").stdout.replace("python -m press.cli", "dlbook")
    assert dlbook(tmp_path, "--version").stdout.startswith("dlbook ")


def test_the_defaults_of_limits_are_shown_as_they_are(tmp_path):
    shown = " ".join(dlbook(tmp_path, "execute", "--help").stdout.replace("│", " ").split())
    for quick, full in zip(execute.TIMES["quick"], execute.TIMES["full"], strict=True):
        assert f"{quick}; full: {full}" in shown


def test_no_jobs_at_all_are_refused(project):
    done = dlbook(project().root, "render", "--jobs", "0")
    assert done.returncode == 2 and "--jobs" in done.stderr


def test_an_error_of_the_export_is_told_in_its_own_words(project, monkeypatch):
    book = project()
    done = subprocess.CompletedProcess([], 1, "", "A\nbad: x\n")
    monkeypatch.setattr(subprocess, "run", lambda *rest, **settings: done)
    with pytest.raises(BookError, match="could not be exported: bad: x"):
        building.export(book.root)
