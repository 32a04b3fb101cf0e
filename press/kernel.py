"""One chapter's kernel: started on IPC sockets, watched while it runs, and ended with every process it started."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode

from press import outputs

TICK = 0.2                                   # seconds between two looks at the kernel's processes
GRACE = 4.0                                  # seconds that an interrupted cell has to show where it was
TEXT_LIMIT = 2_000_000                       # characters that one cell may print; a page weighs at most 300 kB
DATA_LIMIT = 60_000_000                      # characters of images and tables per cell
SOCKET_LIMIT = 80                            # AF_UNIX takes 104 bytes on macOS, 107 on Linux, our names included
WRITTEN = ("stream", "display_data", "execute_result", "update_display_data")
DROPPED = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONINSPECT", "FORCE_COLOR", "PYTEST_CURRENT_TEST")
INVENTED = re.compile(r" \((?:\d+\.py|<[^>]*>), line \d+\)$")  # the file that IPython invents for a cell
CAPTURE = "import dlbook.viz as _v; _v.capture_figures(); del _v"


@dataclass
class Failure(Exception):
    """Why a chapter did not run to its end. message: one sentence; line: of the cell, from 1; cell: its id.

    kind: "error" in the code, or what the watcher met: "time", "total time", "memory", "output", "death".
    """

    message: str
    cell: str | None = None
    line: int | None = None
    traceback: str = ""
    kind: str = "error"


@dataclass(frozen=True)
class Limits:
    """cell, chapter: seconds; memory: MB of the kernel's process tree; None for no limit."""

    cell: float | None = None
    chapter: float | None = None
    memory: float | None = None


class _Specs(KernelSpecManager):
    """The kernel is this Python, whatever kernels the machine has registered under the name python3."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [sys.executable, str(Path(__file__).with_name("launch.py")), "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python")


class _Client(NotebookClient):
    """nbclient that counts what a cell writes, and leaves it to Kernel to notice a kernel that died."""

    flooded: Callable[[str, str], None]
    text = data = 0

    async def _async_poll_kernel_alive(self) -> None:
        return

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        content = msg["content"]
        self.text += len(content.get("text", "")) + 10 * (msg["msg_type"] == "stream")
        self.data += sum(len(str(value)) for value in content.get("data", {}).values())
        if msg["msg_type"] in WRITTEN and (self.text > TEXT_LIMIT or self.data > DATA_LIMIT):
            return self.flooded(f"wrote more than a page can hold ({TEXT_LIMIT / 1e6:.0f} MB of text, "
                                f"{DATA_LIMIT / 1e6:.0f} MB of images and tables); print less, or write to a file",
                                "output")
        return super().process_message(msg, cell, cell_index)


class Kernel:
    """A kernel for one notebook, used as `async with Kernel(...) as kernel`, which ends it whatever happens."""

    def __init__(self, notebook: NotebookNode, cwd: Path, env: dict[str, str], limits: Limits):
        self.notebook, self.cwd, self.env, self.limits = notebook, cwd, env, limits
        self.memory = self.peak = 0.0        # MB of the process tree
        self.count = 0                       # cells run so far
        self.started = time.monotonic()
        self.manager: AsyncKernelManager | None = None
        self.family: set[psutil.Process] = set()                 # the kernel and all it started, as last seen

    async def __aenter__(self) -> Kernel:
        self.folder = socket_folder()
        try:
            self.stop: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
            await self._start()
            self.watcher = asyncio.create_task(self._watch())
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, kind: type | None, *_: Any) -> None:
        self.watcher.cancel()
        try:
            if kind is None:                 # a kernel that did well may run its exit handlers
                with contextlib.suppress(Exception):
                    await asyncio.wait_for(self.manager.shutdown_kernel(now=False), 5)
        finally:
            await self._end()

    async def _start(self) -> None:
        self.manager = self._manager()
        self.client = _Client(
            self.notebook, km=self.manager, timeout=None, iopub_timeout=60, raise_on_iopub_timeout=True,
            startup_timeout=120, log=_quiet(), resources={"metadata": {"path": str(self.cwd)}})
        self.client.flooded = self._stop
        with open(self.folder / "log", "wb") as log:
            await self.client.async_start_new_kernel(env=self._environment(), stdout=log, stderr=log)
        try:
            await self.client.async_start_new_kernel_client()
        except RuntimeError:
            raise Failure(f"its kernel did not start ({self._ending()})", traceback=self._log()) from None

    def _manager(self) -> AsyncKernelManager:
        return manager(self.folder)

    @property
    def pid(self) -> int | None:
        """The kernel's process, also of one that is only just starting; None before."""
        return getattr(getattr(self.manager, "provisioner", None), "pid", None)

    def _environment(self) -> dict[str, str]:
        """What the kernel sees: the caller's variables, less those that would change outputs, plus the run's own."""
        settings = self.folder / "matplotlibrc"
        settings.write_text("svg.hashsalt: dlbook\n")                      # else the ids in an SVG are random
        kept = {key: value for key, value in os.environ.items() if key not in DROPPED}
        return {**kept, "PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": "0", "NO_COLOR": "1", "MATPLOTLIBRC": str(settings),
                "IPYTHONDIR": str(self.folder / "ipython"), **self.env}

    async def prepare(self, code: str) -> None:
        """Run code before the first cell, unseen. Raises Failure where it fails."""
        reply = (await self._unseen(code))[0]
        if reply["status"] == "error":
            trace = outputs.plain("\n".join(reply["traceback"]))
            raise Failure(f"the figure audit could not start: {reply['ename']}: {reply['evalue']}", traceback=trace)

    async def _unseen(self, code: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Run code outside the notebook's count of cells. Returns the reply and what the code wrote."""
        written: list[dict[str, Any]] = []
        reply = asyncio.ensure_future(self.client.kc.execute_interactive(
            code, silent=True, store_history=False, allow_stdin=False,
            output_hook=lambda message: written.append(message["content"])))
        return (await self._or_stopped(reply, None))["content"], written

    async def run(self, cell: NotebookNode, index: int) -> None:
        """Run one code cell of the notebook. Raises Failure where it fails, dies, takes too long or writes too much."""
        self.count += 1
        self.client.text = self.client.data = 0
        task = asyncio.ensure_future(self.client.async_execute_cell(cell, index, execution_count=self.count))
        try:
            await self._or_stopped(task, self.limits.cell)
        except CellExecutionError as error:
            trace = await self._exit_trace() if error.ename == "SystemExit" else None
            said = INVENTED.sub("", outputs.plain(error.evalue))
            raise self._failed(cell, f"{error.ename}: {said}", trace) from None
        except DeadKernelError:
            raise self._failed(cell, self._ending()) from None
        except Failure as failure:
            raise self._failed(cell, failure.message) from None

    async def _or_stopped(self, task: asyncio.Future, limit: float | None) -> Any:
        """The task's result, unless the time is over or the watcher calls a stop: then Failure, the task cancelled."""
        task.add_done_callback(lambda task: task.cancelled() or task.exception())          # seen, even if not awaited
        try:
            await asyncio.wait({task, self.stop}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if task.done() and not self.stop.done():
                return task.result()
            if not self.stop.done():
                self._stop(f"took longer than the {limit:g} s allowed for a cell; shorten it or raise --cell-timeout",
                           "time")
            await self._interrupt(task)
            raise self.stop.result()
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=1)

    async def _interrupt(self, task: asyncio.Future) -> None:
        """Interrupt the running cell, so that its traceback says where it was."""
        if self.manager.provisioner.process and self.manager.provisioner.process.poll() is None:
            await self.manager.interrupt_kernel()
            await asyncio.wait({task}, timeout=GRACE)

    async def _exit_trace(self) -> str:
        """IPython shows no traceback for sys.exit unless asked."""
        written = (await self._unseen("%tb"))[1]
        return outputs.plain("\n".join(line for content in written for line in content.get("traceback", [])))

    def _failed(self, cell: NotebookNode, message: str, trace: str | None = None) -> Failure:
        errors = [out for out in cell.outputs if out.output_type == "error"]
        trace = trace or (outputs.plain("\n".join(errors[-1].traceback)) if errors else self._log())
        found = re.search(rf"Cell In\s?\[{self.count}\], line (\d+)", trace)
        return Failure(message, cell.id, int(found[1]) if found else None, trace)

    def _stop(self, message: str, kind: str) -> None:
        if not self.stop.done():
            self.stop.set_result(Failure(message, kind=kind))

    async def _watch(self) -> None:
        """Look at the kernel's processes until it dies, uses too much memory or too much time."""
        process = self.manager.provisioner.process
        for tick in itertools.count():
            if process.poll() is not None:
                break
            if tick % 3 == 0:                                    # finding children reads all of /proc
                self.family |= set(tree(self.pid))
            self.memory = memory(self.family)
            self.peak = max(self.peak, self.memory, _high_water(self.pid))
            if self.limits.memory and self.memory > self.limits.memory:
                self._stop(f"used {self.memory:.0f} MB of memory, more than the {self.limits.memory:g} MB allowed; "
                           "use less or raise --memory", "memory")
            if self.limits.chapter and time.monotonic() - self.started > self.limits.chapter:
                self._stop(f"was running when the chapter's {self.limits.chapter:g} s were over; "
                           "shorten the chapter or raise --chapter-timeout", "total time")
            await asyncio.sleep(TICK)
        self._stop(self._ending(), "death")

    def _ending(self) -> str:
        """How the kernel's process ended, in words."""
        process = getattr(self.manager.provisioner, "process", None)
        code = process.poll() if process else None
        if code == -signal.SIGKILL:
            return "the kernel was killed (SIGKILL), most often by the system when memory runs out"
        if code is not None and code < 0:
            return f"the kernel crashed ({signal.Signals(-code).name})"
        return f"the kernel ended itself (exit status {code})" if code is not None else "the kernel does not answer"

    def _log(self) -> str:
        """What the kernel's process wrote to its own stdout and stderr, such as a crash's traceback."""
        with contextlib.suppress(OSError):
            text = (self.folder / "log").read_bytes()[-20_000:].decode("utf-8", "replace")
            lines = outputs.plain(text).splitlines()
            return "\n".join(line for line in lines if "frozen_modules" not in line and "Debugger warning" not in line)
        return ""

    async def _end(self) -> None:
        """End the kernel, its children and its sockets; safe to call at any point of its life."""
        if self.pid:
            end(self.pid, self.family)
        with contextlib.suppress(Exception):
            self.client.kc.stop_channels()
        with contextlib.suppress(Exception):
            await self.manager.cleanup_resources()
        shutil.rmtree(self.folder, ignore_errors=True)


def tree(pid: int) -> list[psutil.Process]:
    """A process and everything below it, [] where it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def memory(processes: Iterable[psutil.Process]) -> float:
    """Resident memory of the processes in MB; those that are gone have none."""
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total / 1e6


def end(pid: int, family: Iterable[psutil.Process] = ()) -> None:
    """Kill a kernel, its process group, every process below it and the family, and wait until they are gone."""
    processes = {*tree(pid), *family}
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=3)


def _high_water(pid: int) -> float:
    """The kernel's own highest resident memory so far, in MB, which sampling may miss; 0 where /proc has none."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024 / 1e6
    return 0.0


def socket_folder() -> Path:
    """A new private folder with a path short enough for sockets."""
    folder = tempfile.gettempdir()
    short = folder if len(os.fsencode(folder)) < SOCKET_LIMIT - 20 else "/tmp"
    return Path(tempfile.mkdtemp(prefix="dlbook-", dir=short))


def manager(folder: Path) -> AsyncKernelManager:
    """A manager for a kernel of this Python on IPC sockets in the folder; nothing listens on TCP."""
    return AsyncKernelManager(kernel_name="python3", kernel_spec_manager=_Specs(), transport="ipc",
                              ip=str(folder / "k"), connection_file=str(folder / "k.json"), log=_quiet())


def _quiet() -> logging.Logger:
    log = logging.getLogger("dlbook.kernel")
    log.setLevel(logging.CRITICAL + 1)
    return log
