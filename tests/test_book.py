"""The book itself: its package is its export, its outputs are true, its quizzes, exercises and chapters hold."""

from __future__ import annotations

import filecmp
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from press import audit, exercises, fingerprint, quiz
from press.book import BookError, load
from tests.conftest import ROOT

BOOK = load(ROOT)
CHAPTERS = [pytest.param(chapter, id=chapter.id) for chapter in BOOK]


def same_files(left: Path, right: Path) -> list[str]:
    """Names of the Python files that differ between two folders, or stand in one only."""
    names = {path.relative_to(folder) for folder in (left, right) for path in folder.rglob("*.py")}
    return sorted(str(name) for name in names if not ((left / name).is_file() and (right / name).is_file()
                                                      and filecmp.cmp(left / name, right / name, shallow=False)))


@pytest.fixture(scope="module")
def fresh_export(tmp_path_factory) -> Path:
    """The package as the chapters export it now, in a folder of its own."""
    folder = tmp_path_factory.mktemp("export")
    shutil.copytree(ROOT / "chapters", folder / "chapters", ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    subprocess.run([Path(sys.executable).with_name("nbdev-export")], cwd=folder, check=True, capture_output=True)
    return folder / "dlbook"


def test_the_package_is_what_the_chapters_export(fresh_export):
    assert same_files(fresh_export, ROOT / "dlbook") == []


def test_a_module_that_no_chapter_exports_would_be_noticed(fresh_export, tmp_path):
    shutil.copytree(ROOT / "dlbook", tmp_path / "dlbook")
    (tmp_path / "dlbook/stray.py").write_text("x = 1\n")
    assert "stray.py" in same_files(fresh_export, tmp_path / "dlbook")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_stored_outputs_are_still_true(chapter):
    assert fingerprint.stale(chapter) is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_chapter_meets_the_standard(chapter):
    found = audit.audit(BOOK, [chapter], [row for row in audit.ROWS if row != "solutions"])       # `make whole` runs those
    assert "\n".join(map(str, audit.problems(found))) == ""


def test_no_question_has_a_fault():
    assert "\n".join(map(str, quiz.check(BOOK))) == ""


@pytest.mark.parametrize("chapter", [c for c in CHAPTERS if c.values[0].exercises.is_file()])
def test_the_exercises_are_sound_in_form(chapter):
    assert list(exercises.faults(chapter)) == []


def test_every_source_file_belongs_to_a_chapter():
    assert BOOK.unlisted() == []


def test_the_workflows_are_valid():
    files = sorted(map(str, (ROOT / ".github/workflows").glob("*.yml")))
    done = subprocess.run([sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows",
                           *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert len(files) == 5


def test_the_readme_names_commands_and_files_that_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^(?:\$ )?make ([a-z]+)", text, re.M))
    assert targets >= {"book", "test"} and all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links and all((ROOT / link).exists() for link in links)


@pytest.mark.parametrize(("name", "found"), [("perceptron", "foundations/perceptron"),
                                             ("chapters/vision/cnn.ipynb", "vision/cnn")])
def test_a_chapter_is_found_by_slug_or_path(book, name, found):
    assert [chapter.id for chapter in book.select([name])] == [found]


def test_an_unknown_chapter_is_one_sentence_that_lists_the_known(book):
    with pytest.raises(BookError, match="'perceptrom' is not one of this book's chapters; expected one of: start"):
        book.select(["perceptrom"])


def test_a_chapter_that_is_there_and_not_listed_is_told_as_that(small_book):
    book = small_book()
    for name in ("chapters/part/two.ipynb", "quizzes/part/two.yml", "quizzes/blueprints/recap.yml"):
        (book.root / name).parent.mkdir(parents=True, exist_ok=True)
        (book.root / name).write_text("")
    assert book.unlisted() == ["chapters/part/two.ipynb", "quizzes/part/two.yml"]
    with pytest.raises(BookError, match="two.ipynb is there, but _quarto.yml does not list it; add it to its part"):
        book.select(["part/two"])


@pytest.mark.parametrize(("text", "reason"), [
    ("book: [", "not readable as YAML"), ("title: x", "no book: chapters: list"),
    ("book:\n  chapters:\n    - part: P\n      chapters: [intro.md]", "expected a path such as"),
    ("book:\n  chapters:\n    - part: P\n      chapters: [chapters/a/b.ipynb]", "which is not there"),
    ("book:\n  chapters:\n    - part: P\n      chapter: [chapters/a/b.ipynb]",
     "P has the unknown key 'chapter'; expected"),
    ("book:\n  chapters:\n    - chapters: [chapters/a/b.ipynb]", "chapters without a part"),
    ("book:\n  chapters: []\n  appendicies: [x]", "unknown key 'appendicies'; did you mean appendices?"),
])
def test_a_broken_order_of_the_book_is_one_sentence(tmp_path, text, reason):
    (tmp_path / "_quarto.yml").write_text(text)
    with pytest.raises(BookError, match=reason):
        load(tmp_path)


def test_outside_a_book_the_command_says_so(tmp_path):
    done = subprocess.run([sys.executable, "-m", "press.cli", "audit"], cwd=tmp_path, capture_output=True, text=True,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.returncode == 1 and "no _quarto.yml in" in done.stderr and "Traceback" not in done.stderr
