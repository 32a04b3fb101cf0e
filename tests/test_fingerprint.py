"""What makes a chapter's stored outputs stale, and what does not. No kernel runs here."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from press import fingerprint as fp
from press.book import BookError, Chapter

SHA = {name: name[0] * 64 for name in ("abc", "bcd")}
MODULES = {
    "__init__": "__version__ = '1'\n",
    "data": f'"""Data."""\nfrom .net import get\n\nREGISTRY: dict[str, object] = {{"mnist": dict(sha="{SHA["abc"]}"),'
            f' "iris": dict(sha="{SHA["bcd"]}", url="https://one.example")}}\n\n\n'
            'def load(name):\n    return get(name)\n',
    "net": "import numpy\n\n\ndef get(name):\n    '''Fetch.'''\n    return name\n",
    "train": "from dlbook import net\n\n\ndef fit():\n    return net.get('x')\n",
    "other": "import pandas\nVALUE = 1\n",
}
CELLS = {"imports": "#| label: x\nfrom dlbook import data, train\n%matplotlib inline\nimport sklearn.svm, os",
         "load": "digits = data.load('mnist')", "plot": "print(digits)"}


@pytest.fixture
def chapter(tmp_path: Path) -> Chapter:
    """A chapter that was just executed, as far as its record says."""
    (tmp_path / "dlbook").mkdir()
    for name, code in MODULES.items():
        (tmp_path / "dlbook" / f"{name}.py").write_text(code)
    chapter = Chapter("a/one", "1", "A", tmp_path)
    chapter.notebook.parent.mkdir(parents=True)
    cells = [v4.new_markdown_cell("# One", id="title")]
    cells += [v4.new_code_cell(code, id=key, outputs=[v4.new_output("stream", text=key)])
              for key, code in CELLS.items()]
    nbformat.write(v4.new_notebook(cells=cells), chapter.notebook)
    settle(chapter)
    return chapter


def test_a_chapter_that_does_not_load_data_depends_on_none_whatever_words_it_has(chapter):
    notebook = fp.read(chapter)
    assert set(fp.fingerprint(chapter.root, notebook, "quick", "cpu").data) == {"mnist"}
    notebook["cells"][1]["source"] = "from dlbook import other"
    assert fp.fingerprint(chapter.root, notebook, "quick", "cpu").data == {}


def settle(chapter: Chapter) -> None:
    notebook = fp.read(chapter)
    now = fp.fingerprint(chapter.root, notebook, "quick", "cpu")
    notebook["metadata"]["dlbook"] = {
        "fingerprint": now.digest, "parts": now.parts, "profile": "quick", "device": "cpu",
        "versions": {"python": "3", **now.versions}, "outputs": fp.outputs_digest(notebook)}
    chapter.notebook.write_text(json.dumps(notebook))


def edit(path: Path, old: str, new: str) -> None:
    """Replace text in a file; its time of change is moved on, as an editor would."""
    assert old in path.read_text()
    before = path.stat().st_mtime_ns
    path.write_text(path.read_text().replace(old, new))
    assert path.stat().st_mtime_ns != before


def test_a_chapter_that_just_ran_is_fresh(chapter):
    assert fp.stale(chapter) is None and fp.is_fresh(chapter, "quick", "cpu")


def test_a_chapter_without_a_record_never_ran(chapter):
    edit(chapter.notebook, '"fingerprint"', '"nothing"')
    assert fp.stale(chapter) == "never executed" and not fp.is_fresh(chapter)


@pytest.mark.parametrize("file, old, new", [
    ("chapters/a/one.ipynb", "# One", "# Two, with other prose"),
    ("chapters/a/one.ipynb", "#| label: x", "#| label: y"),
    ("dlbook/other.py", "VALUE = 1", "VALUE = 2"),
    ("dlbook/net.py", "'''Fetch.'''", "'''Fetch it well.'''  # a comment"),
    ("dlbook/data.py", SHA["bcd"], "e" * 64),
    ("dlbook/data.py", "https://one.example", "https://two.example")],
    ids=["prose", "option", "module not imported", "docstring and comment", "data not loaded", "address of data"])
def test_what_no_output_depends_on_leaves_it_fresh(chapter, file, old, new):
    edit(chapter.root / file, old, new)
    assert fp.stale(chapter) is None


@pytest.mark.parametrize("file, old, new, reason", [
    ("chapters/a/one.ipynb", "print(digits)", "print(digits, 1)", "cell plot changed"),
    ("dlbook/train.py", "net.get('x')", "net.get('y')", "dlbook.train changed"),
    ("dlbook/net.py", "return name", "return name, 1", "dlbook.net changed"),
    ("dlbook/__init__.py", "'1'", "'2'", "dlbook changed"),
    ("dlbook/data.py", "return get(name)", "return get(name), 1", "dlbook.data changed"),
    ("dlbook/data.py", SHA["abc"], "e" * 64, "data mnist changed"),
    ("chapters/a/one.ipynb", "sklearn.svm", "scipy.stats", "cell imports changed, scipy not imported → "),
    ("chapters/a/one.ipynb", '"text": ["plot"]', '"text": ["other"]', "its outputs are not those of the recorded run")])
def test_what_outputs_depend_on_is_named_when_it_changes(chapter, file, old, new, reason):
    edit(chapter.root / file, old, new)
    assert fp.stale(chapter).startswith(reason)


def test_profile_and_device_are_those_asked_for_or_else_the_stored_ones(chapter):
    assert fp.stale(chapter, "full", None) == "profile quick → full"
    assert fp.stale(chapter, "quick", "cuda") == "device cpu → cuda"
    assert fp.stale(chapter, None, None) is None


def test_a_library_in_another_version_is_named_and_its_local_part_does_not_count(chapter, monkeypatch):
    real = fp.metadata.version
    for shown, reason in (("9.9", f"numpy {real('numpy')} → 9.9"), (f"{real('numpy')}+cpu", None)):
        fp._version.cache_clear()
        monkeypatch.setattr(fp.metadata, "version", lambda name, shown=shown: shown if name == "numpy" else real(name))
        assert fp.stale(chapter) == reason
    monkeypatch.undo()
    fp._version.cache_clear()


def test_libraries_are_those_of_the_chapter_and_of_the_modules_that_it_imports(chapter):
    now = fp.fingerprint(chapter.root, fp.read(chapter), "quick", "cpu")
    assert set(now.versions) == {"numpy", "scikit-learn"}
    assert set(now.modules) == {"dlbook", "dlbook.data", "dlbook.net", "dlbook.train"} and set(now.data) == {"mnist"}


def test_the_order_of_cells_counts(chapter):
    notebook = fp.read(chapter)
    notebook["cells"][2:] = reversed(notebook["cells"][2:])
    chapter.notebook.write_text(json.dumps(notebook))
    assert fp.stale(chapter) == "the order of its cells changed"


def test_new_and_removed_cells_are_named(chapter):
    edit(chapter.notebook, '"id": "plot"', '"id": "draw"')
    assert fp.stale(chapter) == "cell draw is new, cell plot is gone"


def test_a_registry_that_is_no_dictionary_counts_as_part_of_its_module(chapter):
    edit(chapter.root / "dlbook/data.py", "REGISTRY: dict[str, object] = {", "REGISTRY = dict() or {")
    settle(chapter)
    edit(chapter.root / "dlbook/data.py", SHA["bcd"], "e" * 64)
    assert fp.stale(chapter) == "dlbook.data changed"


@pytest.mark.parametrize("content, words", [
    (b"{", "is not valid JSON"), (b"[]", "has no list of cells"), (b"\xff", "is not UTF-8"),
    (b'{"cells": [{"cell_type": "code", "source": "1"}]}', "has cells without an id"),
    (b'{"cells": [{"id": "a"}, {"id": "a"}]}', "uses the cell id 'a' twice")])
def test_a_notebook_that_is_none_is_one_sentence(chapter, content, words):
    chapter.notebook.write_bytes(content)
    with pytest.raises(BookError, match=words) as error:
        fp.stale(chapter)
    assert "\n" not in str(error.value) and chapter.source in str(error.value)


def test_a_module_that_is_no_python_is_one_sentence(chapter):
    edit(chapter.root / "dlbook/net.py", "def get", "def def")
    with pytest.raises(BookError, match="net.py is not valid Python"):
        fp.stale(chapter)


def test_a_cell_that_is_no_python_still_shows_its_imports(chapter):
    edit(chapter.notebook, "print(digits)", "import scipy\\nfiles = !ls")
    settle(chapter)
    assert "scipy" in fp.fingerprint(chapter.root, fp.read(chapter), "quick", "cpu").versions
