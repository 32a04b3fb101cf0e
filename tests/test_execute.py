"""`dlbook execute`, with real kernels on small books."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

import nbformat
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4
from rich.console import Console

from press import execute as ex
from press.book import Book, BookError, load

ROOT = Path(__file__).resolve().parent.parent
SPAWN = ("import subprocess, sys, time\nchild = subprocess.Popen("
         "[sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\ntime.sleep(1)\n")
EDIT = ("import pathlib\nself = pathlib.Path('{name}.ipynb')\n"
        "_ = self.write_text(self.read_text().replace('{old}', '{new}'))")

CHAPTERS: dict[str, list[tuple[str, str]]] = {
    "good": [("greet", "print('\\x1b[31mhello\\x1b[0m')"), ("object", "#| label: x\nobject()"),
             ("sum", "1 + 1"), ("bar", "for i in range(9): print(i, end='\\r')\nprint('done')"),
             ("warn", "import sys\n_ = sys.stderr.write('careful')")],
    "typo": [("fine", "x = 1"), ("open", "y = 2\nz = (1 2)")],
    "fails": [("fine", "x = 1"), ("divide", "y = 2\n\nx / 0")],
    "exits": [("exit", "a = 1\nimport sys; sys.exit(4)")],
    "dies": [("die", "import os\nos._exit(3)")],
    "killed": [("kill", SPAWN + "import os, signal\nopen('killed.pid', 'w').write(str(child.pid))\n"
                "os.kill(os.getpid(), signal.SIGKILL)")],
    "loops": [("loop", "a = 1\nwhile True:\n    pass")],
    "spams": [("spam", "while True:\n    print('x' * 1000)")],
    "bytes": [("raw", "import os, sys\nsys.stdout.flush()\n_ = os.write(1, b'caf\\xe9\\n')"), ("lone", "'a\\udcffb'"),
              ("nul", "print('a\\0b\\x07c')")],
    "inside": [("transport", "from ipykernel.connect import get_connection_info as info\nimport json, os, psutil\n"
                "print(json.loads(info())['transport'])"),
               ("listening", "[c for c in psutil.Process().net_connections('inet') if c.status == psutil.CONN_LISTEN]"),
               ("forked", "from multiprocessing import get_context\nprocess = get_context('fork').Process("
                "target=print, args=('from a fork',))\nprocess.start(); process.join()"),
               ("variables", "{k: os.environ.get(k) for k in ('DLBOOK_PROFILE', 'DLBOOK_DEVICE', 'PYTHONHASHSEED')}"),
               ("folder", "os.path.basename(os.getcwd()), os.path.exists('inside.ipynb')")],
    "prose": [("edit", EDIT.format(name="prose", old="Some' + ' prose", new="Better prose"))],
    "code": [("edit", EDIT.format(name="code", old="EXTRA =' + ' 1", new="EXTRA = 2")), ("extra", "EXTRA = 1")],
    "broken": [("x", "1")],
}
EXPECTED = {
    "typo": ("open", 2, "SyntaxError: invalid syntax. Perhaps you forgot a comma?"),
    "fails": ("divide", 3, "ZeroDivisionError: division by zero"),
    "exits": ("exit", 2, "SystemExit: 4"),
    "dies": ("die", None, "ended itself (exit status 3)"),
    "killed": ("kill", None, "killed (SIGKILL)"),
    "loops": ("loop", None, "took longer than the 3 s allowed for a cell"),
    "spams": ("spam", None, "wrote more than a page can hold"),
    "broken": (None, None, "is not valid JSON"),
    "code": (None, None, "its code was edited while it ran"),
}


def make_book(root: Path, chapters: dict[str, list[tuple[str, str]]]) -> Book:
    """A book at root whose part "a" holds the chapters, each given as code cells (id, source)."""
    folder = root / "chapters" / "a"
    folder.mkdir(parents=True)
    for name, cells in chapters.items():
        notebook = v4.new_notebook(cells=[v4.new_markdown_cell("Some prose.", id="prose"),
                                          *(v4.new_code_cell(code, id=key) for key, code in cells)])
        nbformat.write(notebook, folder / f"{name}.ipynb")
    lines = "".join(f"        - chapters/a/{name}.ipynb\n" for name in chapters)
    (root / "_quarto.yml").write_text(f"book:\n  title: T\n  chapters:\n    - part: A\n      chapters:\n{lines}")
    return load(root)


def run(book: Book, *names: str, **settings: object) -> dict[str, ex.Result]:
    console = settings.pop("console", None) or Console(file=StringIO(), width=200)
    results = ex.execute(book, book.select(names), device="cpu", console=console, **settings)
    return {result.chapter.removeprefix("a/"): result for result in results}


def stored(book: Book, name: str) -> nbformat.NotebookNode:
    return nbformat.read(book.root / "chapters" / "a" / f"{name}.ipynb", as_version=4)


def text(book: Book, name: str, cell: str) -> str:
    """All text that a stored cell shows."""
    found = next(c for c in stored(book, name).cells if c.id == cell)
    return "".join(out.get("text") or out.data["text/plain"] for out in found.outputs)


def cells_of(book: Book, name: str) -> str:
    return json.dumps(stored(book, name).cells, sort_keys=True)


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for temporary files of all runs of this file, with a path short enough for sockets."""
    tmp_path_factory.getbasetemp()                               # pytest's own folder stays where it is
    folder = Path(tempfile.mkdtemp(prefix="t-"))
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = before
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def all_ways(tmp_path_factory: pytest.TempPathFactory, temporary: Path) -> tuple[Book, dict, dict, str]:
    """One call over every way that a chapter can go: the book, its bytes before, the results, what was printed."""
    book = make_book(tmp_path_factory.mktemp("book"), CHAPTERS)
    (book.root / "chapters/a/broken.ipynb").write_text("{")
    before = {chapter.slug: chapter.notebook.read_bytes() for chapter in book}
    console = Console(file=StringIO(), width=200)
    results = run(book, jobs=2, cell_timeout=3, console=console)
    return book, before, results, console.file.getvalue()


def test_outputs_are_stored_without_colours_addresses_progress_and_stderr(all_ways):
    book, _, results, _ = all_ways
    assert results["good"].status == "ran"
    shown = [text(book, "good", cell) for cell in ("greet", "object", "sum", "bar", "warn")]
    assert shown == ["hello\n", "<object>", "2", "done\n", ""]
    assert "careful" in (book.build / "execute/a/good.txt").read_text()
    assert [cell.execution_count for cell in stored(book, "good").cells[1:]] == [1, 2, 3, 4, 5]


def test_the_record_says_how_the_chapter_was_run(all_ways):
    record = stored(all_ways[0], "good").metadata["dlbook"]
    assert (record["profile"], record["device"]) == ("quick", "cpu")
    assert record["seconds"] > 0 and record["memory_mb"] > 10 and record["device_name"]
    assert record["versions"]["python"] == sys.version.split()[0] and len(record["date"]) == 10
    assert len(record["fingerprint"]) == 64


@pytest.mark.parametrize("name", EXPECTED)
def test_a_chapter_that_fails_is_reported_with_its_place_and_keeps_its_notebook(all_ways, name):
    book, before, results, printed = all_ways
    cell, line, message = EXPECTED[name]
    result = results[name]
    assert result.status == "failed" and result.cell == cell and message in result.message
    assert line is None or result.line == line
    if name != "code":
        assert (book.root / f"chapters/a/{name}.ipynb").read_bytes() == before[name]
    report = (book.root / result.report).read_text()
    assert message in report and f"a/{name}" in report and message in printed


def test_a_cell_that_is_no_python_is_told_without_the_file_that_ipython_invents(all_ways):
    assert all_ways[2]["typo"].message == EXPECTED["typo"][2]


@pytest.mark.parametrize("name", ["fails", "loops", "spams"])
def test_the_report_holds_the_traceback(all_ways, name):
    book, _, results, _ = all_ways
    report = (book.root / results[name].report).read_text()
    assert f"Cell In[{2 if name == 'fails' else 1}], line" in report and "\x1b" not in report
    assert results[name].line is not None


def test_the_others_go_on_and_the_summary_names_all(all_ways):
    book, _, results, _ = all_ways
    assert {name for name, result in results.items() if result.status == "ran"} == set(CHAPTERS) - set(EXPECTED)
    summary = json.loads((book.build / "execute/summary.json").read_text())["results"]
    assert [entry["chapter"] for entry in summary] == [f"a/{name}" for name in CHAPTERS]


def test_kernels_talk_over_ipc_and_listen_on_no_port(all_ways):
    assert text(all_ways[0], "inside", "transport") == "ipc\n"
    assert text(all_ways[0], "inside", "listening") == "[]"
    assert text(all_ways[0], "inside", "forked") == "from a fork\n"


def test_kernels_get_profile_device_a_fixed_hash_seed_and_the_notebooks_folder(all_ways):
    variables = text(all_ways[0], "inside", "variables")
    assert variables == "{'DLBOOK_PROFILE': 'quick', 'DLBOOK_DEVICE': 'cpu', 'PYTHONHASHSEED': '0'}"
    assert text(all_ways[0], "inside", "folder") == "('a', True)"


def test_output_that_is_not_utf8_is_stored_readably(all_ways):
    book, _, results, _ = all_ways
    assert results["bytes"].status == "ran"
    assert text(book, "bytes", "raw") == "caf\N{REPLACEMENT CHARACTER}\n"
    assert text(book, "bytes", "nul") == "abc\n"


def test_prose_edited_while_the_chapter_runs_is_kept_and_so_is_edited_code(all_ways):
    book, _, results, _ = all_ways
    assert stored(book, "prose").cells[0].source == "Better prose." and results["prose"].status == "ran"
    assert stored(book, "code").cells[2].source == "EXTRA = 2" and results["code"].status == "failed"


def test_nothing_is_left_behind(all_ways, temporary):
    book = all_ways[0]
    assert list(temporary.glob("dlbook-*")) == []
    assert [path for path in book.root.rglob("*.tmp")] == []
    assert gone(int((book.root / "chapters/a/killed.pid").read_text()))
    assert not [p for p in psutil.Process().children(recursive=True) if "ipykernel" in " ".join(p.cmdline())]


def test_the_next_call_resumes(all_ways):
    book = all_ways[0]
    path = book.root / "chapters/a/fails.ipynb"
    path.write_text(path.read_text().replace("x / 0", "x / 1"))
    results = run(book, "good", "fails", "prose")
    assert [results[name].status for name in ("good", "fails", "prose")] == ["fresh", "ran", "fresh"]
    assert not (book.build / "execute/a/fails.txt").exists()


FIGURE = [("draw", "import matplotlib.pyplot as plt\nfrom matplotlib_inline import backend_inline as inline\n"
           "inline.set_matplotlib_formats('svg', 'png')\nplt.plot([1, 2, 1], marker='o', clip_on=True);")]


def test_a_second_run_stores_the_same_bytes_but_for_the_record(tmp_path, temporary):
    book = make_book(tmp_path, {"figure": FIGURE})
    versions = []
    for _ in range(2):
        assert run(book, everything=True)["figure"].status == "ran"
        notebook = stored(book, "figure")
        record = notebook.metadata.pop("dlbook")
        versions.append((nbformat.writes(notebook), record["outputs"], record["fingerprint"]))
    assert versions[0] == versions[1]
    data = notebook.cells[1].outputs[0].data
    assert list(data) == ["image/svg+xml"] and "<metadata>" not in data["image/svg+xml"]
    raw = (tmp_path / "chapters/a/figure.ipynb").read_text()
    assert raw == json.dumps(json.loads(raw), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def test_figures_are_captured_from_the_first_cell_on_and_a_terminal_sees_bars(tmp_path, temporary):
    book = make_book(tmp_path, {"one": [("look", "import dlbook.viz\ndlbook.viz.CALLS, '_v' in globals()")]})
    (tmp_path / "dlbook").mkdir()
    (tmp_path / "dlbook/__init__.py").touch()
    (tmp_path / "dlbook/viz.py").write_text("CALLS = 0\n\n\ndef capture_figures():\n    global CALLS\n    CALLS += 1\n")
    screen = Console(file=StringIO(), width=120, force_terminal=True)
    assert run(book, console=screen)["one"].status == "ran"
    assert text(book, "one", "look") == "(1, False)" and stored(book, "one").cells[1].execution_count == 1
    assert "cell 0/1" in screen.file.getvalue()


def test_a_chapter_has_a_time_limit_and_a_memory_limit(tmp_path, temporary):
    book = make_book(tmp_path, {"slow": [("first", "x = 1"), ("loop", "while True: pass")],
                                "large": [("fill", "x = b'x' * 900_000_000\nwhile True: pass")]})
    results = run(book, chapter_timeout=6, memory=700, jobs=2)
    assert "chapter's 6 s were over" in results["slow"].message and results["slow"].cell == "loop"
    assert "more than the 700 MB allowed" in results["large"].message and results["large"].cell == "fill"


def test_a_full_disk_keeps_the_last_good_notebook(tmp_path, temporary):
    book = make_book(tmp_path, {"large": [("print", "print('x' * 20)")]})
    run(book)
    path = book.root / "chapters/a/large.ipynb"
    path.write_text(path.read_text().replace("'x' * 20", "'x' * 400_000"))
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        result = run(book)["large"]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.status == "failed" and "disk is full" in result.message
    assert path.read_bytes() == before and list(path.parent.iterdir()) == [path]
    assert run(book)["large"].status == "ran"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_every_kernel_and_its_children(tmp_path, number):
    code = SPAWN + "import os, pathlib\npathlib.Path('{0}.tmp0').write_text(f'{{os.getpid()}} {{child.pid}}')\n" \
        "_ = pathlib.Path('{0}.tmp0').rename('{0}.pids')\nwhile True: pass"
    book = make_book(tmp_path, {name: [("spin", code.format(name))] for name in ("one", "two")})
    sockets = Path(tempfile.mkdtemp(prefix="t-"))
    before = [chapter.notebook.read_bytes() for chapter in book]
    process = subprocess.Popen([sys.executable, "-m", "press.cli", "execute", "--jobs", "2", "--device", "cpu"],
                               cwd=tmp_path, env={**os.environ, "TMPDIR": str(sockets), "PYTHONPATH": str(ROOT)},
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    pids = [int(pid) for chapter in book for pid in _appears(chapter.notebook.with_suffix(".pids"), process).split()]
    assert len(list(sockets.glob("dlbook-*/k-*"))) == 12
    process.send_signal(number)
    errors = process.communicate(timeout=8)[1]
    assert (process.returncode, errors) == (130, b"")
    assert all(gone(pid) for pid in pids) and len(pids) == 4
    assert list(sockets.iterdir()) == [] and not list(tmp_path.rglob("*.tmp"))
    assert [chapter.notebook.read_bytes() for chapter in book] == before
    sockets.rmdir()


def _appears(path: Path, process: subprocess.Popen) -> str:
    until = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None and time.monotonic() < until, "the chapter never started"
        time.sleep(0.05)
    return path.read_text()


def test_the_command_exits_with_1_where_a_chapter_fails_or_is_unknown(tmp_path):
    make_book(tmp_path, {"fails": [("x", "1 / 0")]})
    call = [sys.executable, "-m", "press.cli", "execute", "--device", "cpu"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    failed = subprocess.run(call, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert failed.returncode == 1 and "cell x, line 1: ZeroDivisionError" in failed.stdout and failed.stderr == ""
    unknown = subprocess.run([*call, "nowhere"], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert unknown.returncode == 1 and unknown.stderr.count("\n") == 1 and "'nowhere'" in unknown.stderr


@given(st.dictionaries(st.text("abc/", min_size=1), st.floats(0, 1e6), max_size=30), st.integers(1, 12))
def test_each_chapter_is_in_exactly_one_shard_and_no_shard_is_overloaded(seconds, n):
    shards = ex.deal(seconds, n)
    assert len(shards) == n and sorted(name for shard in shards for name in shard) == sorted(seconds)
    assert shards == ex.deal(dict(reversed(seconds.items())), n)
    loads = [sum(seconds[name] for name in shard) for shard in shards]
    assert max(loads) <= sum(loads) / n + max(seconds.values(), default=0) + 1e-6


def test_shards_of_a_book_are_balanced_by_stored_seconds(tmp_path):
    book = make_book(tmp_path, {name: [("x", "1")] for name in "abcd"})
    for chapter, seconds in zip(book, (90, 30, 30, 30), strict=True):
        notebook = nbformat.read(chapter.notebook, as_version=4)
        notebook.metadata["dlbook"] = {"profile": "full", "device": "cuda", "seconds": 1,
                                       "also": {"quick/cpu": {"seconds": seconds}}}
        nbformat.write(notebook, chapter.notebook)
    parts = [[c.slug for c in ex.split(list(book), i, 2, "quick", "cpu")] for i in (1, 2)]
    assert parts == [["a"], ["b", "c", "d"]]


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "1/2/3", "-1/2", "1/0", ""])
def test_a_bad_shard_is_one_sentence(shard):
    with pytest.raises(BookError, match="expected i/n"):
        ex.parse_shard(shard)


@pytest.mark.parametrize("settings, words", [
    ({"profile": "fast"}, "profile 'fast' is not known; expected quick or full"),
    ({"device": "tpu"}, "device 'tpu' is not known; expected cpu or cuda"),
    ({"jobs": 0}, "--jobs 0 makes no sense"), ({"cell_timeout": -1}, "a limit of -1 makes no sense"),
    ({"memory": float("nan")}, "a limit of nan makes no sense"), ({"device": "cuda"}, "finds no CUDA device here")])
def test_bad_settings_are_one_sentence(tmp_path, monkeypatch, settings, words):
    monkeypatch.setattr(ex, "_gpu", lambda: None)
    with pytest.raises(BookError, match=words):
        ex.execute(make_book(tmp_path, {}), console=Console(file=StringIO()), **{"device": "cpu", **settings})


def test_the_gpu_is_chosen_where_there_is_one_and_not_shared(monkeypatch):
    monkeypatch.setattr(ex, "_gpu", lambda: "NVIDIA H200")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert ex._device(None) == ("cuda", "NVIDIA H200") and ex._device("cpu")[0] == "cpu"
    assert ex._shares(None, "cuda")[0] == 1
    jobs, threads = ex._shares(None, "cpu")
    assert 1 <= threads <= 2 and jobs >= 1


def test_the_time_on_another_device_is_kept_aside():
    old = {"profile": "full", "device": "cuda", "seconds": 9.0, "device_name": "H200", "date": "2026-01-01"}
    new = {"profile": "quick", "device": "cpu"}
    aside = ex._also(old, new)
    assert aside == {"also": {"full/cuda": {"seconds": 9.0, "device_name": "H200", "date": "2026-01-01"}}}
    assert ex._also({**new, "seconds": 1.0, **aside}, {"profile": "full", "device": "cuda"}) == \
        {"also": {"quick/cpu": {"seconds": 1.0}}}
    assert ex._also({}, new) == {}
