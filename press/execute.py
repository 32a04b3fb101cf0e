"""Run chapters and store their outputs: only what changed, several at a time, never losing a good notebook."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import functools
import json
import os
import platform
import re
import signal
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from rich.console import Console
from rich.table import Table

from press import fingerprint, outputs
from press.book import Book, BookError, Chapter, data_folder
from press.kernel import CAPTURE, Failure, Kernel, Limits
from press.progress import Lines, display

PROFILES = ("quick", "full")
DEVICES = ("cpu", "cuda")
TIMES = {"quick": (900, 1800), "full": (14_400, 43_200)}         # seconds per cell and per chapter
UNKNOWN_SECONDS = 30.0                                           # a chapter that never ran, when shards are balanced
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Result:
    """How one chapter went. status: "ran", "fresh" or "failed"; reason: why it ran; message: why it failed."""

    chapter: str
    status: str
    reason: str | None = None
    seconds: float = 0.0
    memory_mb: float = 0.0
    message: str | None = None
    cell: str | None = None
    line: int | None = None
    report: str | None = None

    @property
    def ok(self) -> bool:
        return self.status != "failed"


@dataclass(frozen=True)
class Run:
    """The settings of one call, resolved."""

    book: Book
    profile: str
    device: str
    device_name: str
    jobs: int
    threads: int
    limits: Limits
    screen: Lines = field(repr=False)

    def env(self) -> dict[str, str]:
        """The variables that every kernel of this run gets."""
        threads = str(self.threads)
        pools = {f"{name}_NUM_THREADS": threads for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "VECLIB_MAXIMUM")}
        path = os.pathsep.join(filter(None, [str(self.book.root), os.environ.get("PYTHONPATH")]))
        return {**pools, "DLBOOK_THREADS": threads, "DLBOOK_PROFILE": self.profile, "DLBOOK_DEVICE": self.device,
                "PYTHONPATH": path, **data_folder(self.book.root)}


def execute(book: Book, chapters: Iterable[Chapter] | None = None, profile: str | None = None,
            device: str | None = None, jobs: int | None = None, everything: bool = False, shard: str | None = None,
            cell_timeout: float | None = None, chapter_timeout: float | None = None, memory: float | None = None,
            console: Console | None = None) -> list[Result]:
    """Run the chapters whose stored outputs are no longer true; one result per chapter, in the book's order.

    chapters: all where None. profile: "quick" or "full"; device: "cpu" or "cuda"; both from the environment
    (DLBOOK_PROFILE, DLBOOK_DEVICE) where None, else "quick" and the GPU where there is one. jobs: kernels at a time.
    everything: run fresh ones too. shard: "2/5" for the second of five. Times in seconds (0: no limit), memory in MB.
    Raises BookError for settings that make no sense, KeyboardInterrupt on Ctrl-C with every kernel ended. A chapter
    that fails is a Result, with a report in `_build/execute/`, and leaves its notebook as it was.
    """
    run = _settings(book, profile, device, jobs, cell_timeout, chapter_timeout, memory, console or Console())
    chosen = list(book if chapters is None else chapters)
    if shard:
        chosen = split(chosen, *parse_shard(shard), profile=run.profile, device=run.device)
    with run.screen:
        results = asyncio.run(_all(run, chosen, everything))
    _summarise(run, results)
    return results


# ---- settings

def _settings(book: Book, profile: str | None, device: str | None, jobs: int | None, cell_timeout: float | None,
              chapter_timeout: float | None, memory: float | None, console: Console) -> Run:
    profile = _one_of("profile", profile or os.environ.get("DLBOOK_PROFILE") or "quick", PROFILES)
    device, name = _device(device or os.environ.get("DLBOOK_DEVICE"))
    limits = Limits(*(_limit(given, default) for given, default in
                      zip((cell_timeout, chapter_timeout), TIMES[profile], strict=True)), _limit(memory, 0))
    jobs, threads = _shares(jobs, device)
    return Run(book, profile, device, name, jobs, threads, limits, display(console))


def _one_of(what: str, given: str, known: Sequence[str]) -> str:
    if given not in known:
        raise BookError(f"{what} {given!r} is not known; expected {' or '.join(known)}")
    return given


def _limit(given: float | None, default: float) -> float | None:
    if given is not None and not given >= 0:
        raise BookError(f"a limit of {given:g} makes no sense; give a positive number, or 0 for no limit")
    return (default if given is None else given) or None


def _shares(jobs: int | None, device: str) -> tuple[int, int]:
    """(kernels at a time, threads for each). By default two threads each, as the chapters' time budget assumes.

    $OMP_NUM_THREADS is kept where it is set. A GPU is not shared unless jobs says so.
    """
    if jobs is not None and jobs < 1:
        raise BookError(f"--jobs {jobs} makes no sense; give 1 or more")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    jobs = jobs or (1 if device == "cuda" else max(1, cores // 2))
    given = os.environ.get("OMP_NUM_THREADS", "")
    most = 2 if device == "cpu" else cores
    return jobs, int(given) if given.isdigit() and int(given) else max(1, min(cores // jobs, most))


def _device(wanted: str | None) -> tuple[str, str]:
    """(kind, name) of the device that the chapters will compute on. Raises BookError where it is not there."""
    gpu = None if wanted == "cpu" else _gpu()
    kind = _one_of("device", (wanted or ("cuda" if gpu else "cpu")).partition(":")[0], DEVICES)
    if kind == "cuda" and not gpu:
        raise BookError("device cuda was asked for, but PyTorch finds no CUDA device here; "
                        "use --device cpu, or run on a machine with a GPU and a CUDA build of torch")
    return kind, gpu if kind == "cuda" else _cpu()


@functools.cache
def _gpu() -> str | None:
    """The first CUDA device that PyTorch can use. PyTorch is only asked where its build and a driver allow one."""
    spec = find_spec("torch")
    version = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if not version or not version.is_file() or re.search(r"^cuda\b.*= None$", version.read_text(), re.MULTILINE):
        return None
    with contextlib.suppress(OSError):
        ctypes.CDLL("libcuda.so.1")
        code = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() or None
    return None


def _cpu() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        return found[1] if found else platform.machine()
    return platform.processor() or platform.machine() or "CPU"


# ---- shards

def parse_shard(text: str) -> tuple[int, int]:
    """"2/5" → (2, 5). Raises BookError for anything that is not a shard."""
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise BookError(f"--shard {text!r} is not a shard; expected i/n with i from 1 to n, such as 2/5")
    return int(match[1]), int(match[2])


def split(chapters: Sequence[Chapter], i: int, n: int, profile: str, device: str) -> list[Chapter]:
    """The i-th of n shards: each chapter in exactly one, stored seconds spread evenly, the same everywhere."""
    seconds = {chapter.id: last_seconds(chapter, profile, device) or UNKNOWN_SECONDS for chapter in chapters}
    mine = deal(seconds, n)[i - 1]
    return [chapter for chapter in chapters if chapter.id in mine]


def deal(seconds: dict[str, float], n: int) -> list[set[str]]:
    """Longest first, each to the shard with the least so far."""
    shards: list[set[str]] = [set() for _ in range(n)]
    loads = [0.0] * n
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        least = min(range(n), key=lambda i: (loads[i], len(shards[i]), i))
        shards[least].add(name)
        loads[least] += seconds[name]
    return shards


def last_seconds(chapter: Chapter, profile: str, device: str) -> float | None:
    """Seconds of the chapter's last stored run in that profile on that kind of device, None where there is none."""
    try:
        record = fingerprint.record(fingerprint.read(chapter))
    except BookError:
        return None
    same = (record.get("profile"), record.get("device")) == (profile, device)
    found = record if same else (record.get("also") or {}).get(f"{profile}/{device}") or {}
    return found.get("seconds")


# ---- running

async def _all(run: Run, chapters: list[Chapter], everything: bool) -> list[Result]:
    """Every chapter, jobs at a time. Ctrl-C, SIGTERM and a closed terminal end what runs."""
    gate = asyncio.Semaphore(run.jobs)
    with _signals(asyncio.current_task()):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_chapter(run, chapter, everything, gate)) for chapter in chapters]
    return [task.result() for task in tasks]


@contextlib.contextmanager
def _signals(task: asyncio.Task) -> Iterator[None]:
    """Cancel the task on each of the signals; KeyboardInterrupt once it is over."""
    loop, caught = asyncio.get_running_loop(), []

    def stop(number: int) -> None:
        if not caught:
            caught.append(number)
            task.cancel()

    with contextlib.suppress(RuntimeError, ValueError):          # not in the main thread: the caller handles signals
        for number in SIGNALS:
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        raise KeyboardInterrupt if caught else asyncio.CancelledError from None
    finally:
        for number in SIGNALS:
            with contextlib.suppress(RuntimeError, ValueError):
                loop.remove_signal_handler(number)


async def _chapter(run: Run, chapter: Chapter, everything: bool, gate: asyncio.Semaphore) -> Result:
    async with gate:
        try:
            reason = fingerprint.stale(chapter, run.profile, run.device)
            if reason is None and not everything:
                return Result(chapter.id, "fresh")
            return await _ran(run, chapter, reason or "--all")
        except Exception as error:                               # whatever it is, the other chapters go on
            return _failed(run, chapter, _as_failure(error))


async def _ran(run: Run, chapter: Chapter, reason: str) -> Result:
    """Run the chapter and store it. Raises Failure or OSError with the notebook as it was."""
    notebook = _load(chapter)
    before = fingerprint.fingerprint(chapter.root, fingerprint.read(chapter), run.profile, run.device)
    cells = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]
    run.screen.start(chapter.id, len(cells), last_seconds(chapter, run.profile, run.device))
    began = time.monotonic()
    async with Kernel(notebook, chapter.notebook.parent, run.env(), run.limits) as kernel:
        warnings = await _cells(run, chapter, kernel, cells)
        seconds, memory = time.monotonic() - began, kernel.peak
    record = _record(run, before, seconds, memory)
    _store(chapter, notebook, record)
    noted = _note(run, chapter, warnings)
    run.screen.end(chapter.id, f"ran in {seconds:.1f} s, {memory:.0f} MB ({reason}){noted}")
    return Result(chapter.id, "ran", reason, record["seconds"], record["memory_mb"])


async def _cells(run: Run, chapter: Chapter, kernel: Kernel, cells: list[tuple[int, NotebookNode]]) -> str:
    """Run the cells in order. Returns what they wrote to stderr, which is not for the page."""
    warnings = []
    if (chapter.root / "dlbook" / "viz.py").is_file():
        await kernel.prepare(CAPTURE)
    ticking = asyncio.create_task(_tick(run, chapter, kernel))
    try:
        for index, cell in cells:
            await kernel.run(cell, index)
            if text := outputs.clean(cell, kernel.count):
                warnings.append(f"{place(chapter.id, cell.id, None)}:\n{text}\n")
    finally:
        ticking.cancel()
    return "\n".join(warnings)


async def _tick(run: Run, chapter: Chapter, kernel: Kernel) -> None:
    while True:
        run.screen.cell(chapter.id, max(0, kernel.count - 1), kernel.memory)
        await asyncio.sleep(0.5)


def _load(chapter: Chapter) -> NotebookNode:
    try:
        notebook = nbformat.reads(chapter.notebook.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
    except Exception as error:                                   # nbformat raises its own, jsonschema's and KeyError
        raise Failure(f"{chapter.source} is not a valid notebook ({str(error).splitlines()[0]}); mend it") from None
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language != "python":
        raise Failure(f"{chapter.source} wants a kernel for {language}; expected python")
    return notebook


# ---- storing

def _record(run: Run, before: fingerprint.Fingerprint, seconds: float, memory: float) -> dict[str, Any]:
    return {"fingerprint": before.digest, "parts": before.parts, "profile": run.profile, "device": run.device,
            "device_name": run.device_name, "threads": run.threads, "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(seconds, 1), "memory_mb": round(memory),
            "versions": {"python": platform.python_version(), **before.versions}}


def _store(chapter: Chapter, ran: NotebookNode, record: dict[str, Any]) -> None:
    """Put the outputs and the record into the notebook as it is on disk now: prose edited meanwhile is kept."""
    now = _load(chapter)
    if list(fingerprint.cell_hashes(now).items()) != list(fingerprint.cell_hashes(ran).items()):
        raise Failure("its code was edited while it ran; the edit is kept, the outputs are not: run it again")
    done = {cell.id: cell for cell in ran.cells if cell.cell_type == "code"}
    for cell in now.cells:
        if cell.cell_type == "code":
            _take(cell, done.get(cell.id))
    now.metadata["dlbook"] = {**record, **_also(fingerprint.record(now), record)}
    now.metadata["dlbook"]["outputs"] = fingerprint.outputs_digest(json.loads(nbformat.writes(now)))
    write(chapter.notebook, nbformat.writes(now).rstrip("\n") + "\n")


def _take(cell: NotebookNode, done: NotebookNode | None) -> None:
    empty = done is None or not cell.source.strip()
    cell.outputs = [] if empty else done.outputs
    cell.execution_count = None if empty else done.execution_count
    for key in outputs.VOLATILE:
        cell.metadata.pop(key, None)


def _also(old: dict[str, Any], new: dict[str, Any]) -> dict[str, dict]:
    """Times elsewhere, kept aside: {"also": {"full/cuda": {seconds, device_name, date}}}."""
    kept = {key: old[key] for key in ("seconds", "device_name", "date") if key in old}
    also = {**(old.get("also") or {}), **({f"{old['profile']}/{old['device']}": kept} if "device" in old else {})}
    also.pop(f"{new['profile']}/{new['device']}", None)
    return {"also": also} if also else {}


def write(path: Path, text: str) -> None:
    """Replace a file's content whole or not at all. Raises OSError with the file as it was and nothing left behind."""
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# ---- reports

def _as_failure(error: Exception) -> Failure:
    if isinstance(error, Failure):
        return error
    if isinstance(error, BookError):
        return Failure(str(error))
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        return Failure(f"the disk is full ({error.strerror}), its last outputs are kept; "
                       "free some space and run it again", traceback=trace)
    return Failure(f"could not run or be stored ({type(error).__name__}: {error})", traceback=trace)


def _report_path(run: Run, chapter: Chapter) -> Path:
    return run.book.build / "execute" / f"{chapter.id}.txt"


def _failed(run: Run, chapter: Chapter, failure: Failure) -> Result:
    path = _report_path(run, chapter)
    report = f"{place(chapter.id, failure.cell, failure.line)}: {failure.message}\n\n{failure.traceback}\n"
    stored = _write_report(path, report)
    run.screen.end(chapter.id, f"failed{_where(failure.cell, failure.line)}: {failure.message}")
    return Result(chapter.id, "failed", message=failure.message, cell=failure.cell, line=failure.line,
                  report=str(path.relative_to(run.book.root)) if stored else None)


def _note(run: Run, chapter: Chapter, warnings: str) -> str:
    """Replace the report of an earlier failure by what the cells wrote to stderr, if anything."""
    path = _report_path(run, chapter)
    path.unlink(missing_ok=True)
    stored = bool(warnings) and _write_report(path, warnings)
    return f"; cells wrote to stderr, see {path.relative_to(run.book.root)}" if stored else ""


def place(chapter: str, cell: str | None, line: int | None) -> str:
    return chapter + _where(cell, line)


def _where(cell: str | None, line: int | None) -> str:
    return (f", cell {cell}" if cell else "") + (f", line {line}" if line else "")


def _write_report(path: Path, text: str) -> bool:
    """Write a report; a full disk or a read-only folder must not hide the failure that it tells of."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, text)
        return True
    return False


def _summarise(run: Run, results: list[Result]) -> None:
    """The summary as JSON, and on the screen a table of what failed and one line for all."""
    summary = {"profile": run.profile, "device": run.device, "results": [asdict(result) for result in results]}
    _write_report(run.book.build / "execute" / "summary.json", json.dumps(summary, indent=1) + "\n")
    failed = [result for result in results if not result.ok]
    if failed:
        run.screen.console.print(_table(failed))
    counts = {status: sum(result.status == status for result in results) for status in ("ran", "fresh", "failed")}
    run.screen.say(", ".join(f"{n} {status}" for status, n in counts.items() if n) or "no chapters")


def _table(failed: list[Result]) -> Table:
    table = Table(title="Chapters that failed (their notebooks are as they were)", title_justify="left")
    for heading in ("chapter", "cell", "line", "what happened", "report"):
        table.add_column(heading, overflow="fold")
    for result in failed:
        table.add_row(result.chapter, result.cell or "–", str(result.line or "–"), result.message, result.report or "–")
    return table
