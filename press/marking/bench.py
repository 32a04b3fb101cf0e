"""Runs one task's cells in a kernel of its own, within limits, and ends everything that the kernel started.

What is stopped: endless loops, too much memory, output or time, a kernel that dies, processes that are left behind,
printed text that looks like a result, replaced built-ins and library functions, other names for the set-up's, hooks in
IPython. What is not: code that reads the hidden checks while they call it, objects that lie about themselves, threads
that go on, files outside the working folder, the network. See `ISOLATION`, which every report shows.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import os
import re
import secrets
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
import zmq
from jupyter_client.manager import AsyncKernelManager
from nbformat.v4 import new_notebook

from press import outputs
from press.book import data_folder
from press.kernel import Failure, Kernel, Limits
from press.marking.plan import Step, TaskPlan

ISOLATION = (
    "Each task ran in a process of its own, with the book's set-up and the book's checks, limits on time, memory and "
    "output, a folder of its own, and no environment variables but a few; built-in and library functions that a cell "
    "had replaced were put back before the checks. This is a help for readers and teachers, not a sandbox: the code "
    "runs as you, it can reach your files and the network, and code that means to can read the hidden checks while "
    "they run, or deceive them. Run notebooks that you don't trust in a container without a network.")
TEXT_LIMIT = 2_000_000                       # characters that a task may print
MESSAGE_LIMIT = 20_000_000                   # bytes of one message from the kernel; a larger one is dropped unread
FILE_MB = 500                                # the largest file that a task may write
ANSWER_SECONDS = 20                          # for the guard, which takes milliseconds
KEPT = re.compile(r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|LD_LIBRARY_PATH|VIRTUAL_ENV|"
                  r"XDG_\w+|DLBOOK_\w+|\w+_NUM_THREADS|PYTHON(?:HASHSEED|PATH|HOME|UTF8|IOENCODING)|MPLCONFIGDIR|"
                  r"MATPLOTLIBRC|MPLBACKEND|IPYTHONDIR|NO_COLOR|SOURCE_DATE_EPOCH|CUDA_\w+|https?_proxy|HTTPS?_PROXY|no_proxy")
GUARD = Path(__file__).with_name("guard.py")
INSTALL = ("import types as _t; _m = _t.ModuleType('guard'); exec({text!r}, vars(_m)); "
           "globals()[{name!r}] = _m.Guard(get_ipython(), {memory}, {files}); del _m, _t")
FRAME = re.compile(r"Cell In\s?\[(\d+)\], line (\d+)")
OWN_LINE = re.compile(r"line (\d+)\)?\s*$")


@dataclass(frozen=True)
class Outcome:
    """How one step went. kind: "ok", "error", or why the kernel was stopped: "time", "memory", "output", "death", …

    name, message: of the exception. place: the step and line where it arose, the reader's own where there is one;
    line: the line of this step. not run: an earlier step had stopped the kernel.
    """

    step: Step
    kind: str = "ok"
    name: str = ""
    message: str = ""
    place: tuple[Step, int] | None = None
    line: int | None = None


@dataclass
class Run:
    """What happened on the bench. changed: what the guard put back. fault: why nothing of it counts, if so."""

    outcomes: list[Outcome] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    fault: str | None = None


class Bench(Kernel):
    """A kernel for one task. Used as `async with Bench(...) as bench`."""

    def __init__(self, cwd: Path, env: dict[str, str], limits: Limits):
        self.badge = secrets.token_hex(8)                                # finds the processes that it leaves behind
        super().__init__(new_notebook(), cwd, {**env, "DLBOOK_BADGE": self.badge}, limits)
        self.written = 0
        self.ran: list[Step] = []
        self.name = f"_guard_{secrets.token_hex(8)}"

    def _manager(self) -> AsyncKernelManager:
        manager = super()._manager()
        manager.context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_LIMIT)
        return manager

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        self.watcher.cancel()
        await self._end()

    async def _end(self) -> None:
        await super()._end()
        await asyncio.to_thread(_end_marked, self.badge)

    def _environment(self) -> dict[str, str]:
        return {key: value for key, value in super()._environment().items() if KEPT.fullmatch(key)}

    async def run_plan(self, plan: TaskPlan) -> Run:
        """Run the task's steps in order. Raises Failure where the bench itself does not work."""
        run = Run()
        await self._install()
        for number, step in enumerate(plan.steps):
            if step.kind == "check" and not await self._ready(run):
                break
            run.outcomes.append(await self._step(step))
            if step.kind == "setup" and run.outcomes[-1].kind != "ok":
                run.fault = "the book's own set-up failed"
            if self.stop.done() or run.fault:
                break
            if step.kind == "setup" and plan.steps[number + 1].kind != "setup":
                await self._answer(f"remember({plan.restored!r}, {plan.free!r})")
        return run

    async def _install(self) -> None:
        code = INSTALL.format(text=GUARD.read_text(encoding="utf-8"), name=self.name, memory=self.limits.memory or 0,
                              files=FILE_MB)
        reply = await self._execute(code, self.limits.cell, silent=True)
        if reply["status"] != "ok":
            raise Failure(f"the kernel could not be prepared ({reply.get('ename')}: {reply.get('evalue')})")

    async def _ready(self, run: Run) -> bool:
        """Whether the kernel still tells a failing assertion from a passing one, with everything put back."""
        token = secrets.token_hex(8)
        try:
            told = json.loads(await self._answer(f"restore({token!r})"))
            reply = await self._execute(f"assert not {token!r}, {token!r}", ANSWER_SECONDS, silent=True)
            sound = told["token"] == token and reply["status"] == "error" and reply["ename"] == "AssertionError" \
                and token in reply["evalue"]
        except (Failure, ValueError, TypeError, KeyError, SyntaxError):
            sound, told = False, {}
        if not sound:
            run.fault = "a cell changed how the kernel itself works, so that no check could be trusted"
            return False
        run.changed += [str(name)[:60] for name in told["changed"][:50] if name not in run.changed]
        return True

    async def _answer(self, call: str) -> str:
        """What a method of the guard returns. Raises Failure, ValueError, KeyError, SyntaxError where it is silent."""
        reply = await self._execute("", ANSWER_SECONDS, expression=f"{self.name}.{call}")
        return ast.literal_eval(reply["user_expressions"]["answer"]["data"]["text/plain"])

    async def _step(self, step: Step) -> Outcome:
        """Run one cell. A check must also reach its last line, which leaves behind a token that nobody knew before."""
        seal, value = f"_seal_{secrets.token_hex(8)}", secrets.token_hex(8)
        check = step.kind == "check"
        source = f"{step.source}\n{seal} = {value!r}" if check else step.source
        self.ran.append(step)
        try:
            reply = await self._execute(source, self.limits.cell, expression=seal if check else None, history=True)
        except Failure as failure:
            return self._stopped(step, failure)
        if reply["status"] != "ok":
            return self._error(step, reply)
        if check and reply["user_expressions"]["answer"].get("data", {}).get("text/plain") != repr(value):
            return Outcome(step, "error", "Unfinished", "the check did not reach its end")
        return Outcome(step)

    async def _execute(self, code: str, limit: float | None, expression: str | None = None, silent: bool = False,
                       history: bool = False) -> dict[str, Any]:
        """The kernel's reply to some code. Raises Failure where it was stopped."""
        asked = {"answer": expression} if expression else None
        task = asyncio.ensure_future(self.client.kc.execute_interactive(
            code, silent=silent, store_history=history, user_expressions=asked, allow_stdin=False, stop_on_error=False,
            output_hook=self._count))
        try:
            return (await self._or_stopped(task, limit))["content"]
        except Failure as failure:
            if task.done() and not task.cancelled() and not task.exception():      # it gave in to the interruption
                raise replace(failure, traceback=_trace(task.result()["content"])) from None
            raise

    def _count(self, message: dict[str, Any]) -> None:
        content = message["content"]
        self.written += len(content.get("text", "")) + 10 + sum(len(str(v)) for v in content.get("data", {}).values())
        if self.written > TEXT_LIMIT:
            self._stop(f"printed more than {TEXT_LIMIT / 1e6:.0f} MB", "output")

    def _frames(self, trace: str) -> list[tuple[Step, int]]:
        """The steps and lines that a traceback names, outermost first."""
        return [(self.ran[int(n) - 1], int(line)) for n, line in FRAME.findall(trace) if 0 < int(n) <= len(self.ran)]

    def _stopped(self, step: Step, failure: Failure) -> Outcome:
        frames = self._frames(failure.traceback)
        own = [frame for frame in frames if frame[0].kind == "own"]
        return Outcome(step, failure.kind, message=failure.message, place=(own or frames or [None])[-1])

    def _error(self, step: Step, reply: dict[str, Any]) -> Outcome:
        frames = self._frames(_trace(reply))
        own = [frame for frame in frames if frame[0].kind == "own"]
        here = [line for found, line in frames if found is step]
        name, message = str(reply.get("ename", "")), outputs.plain(str(reply.get("evalue", "")))
        if (
            name.endswith(("SyntaxError", "IndentationError", "TabError"))
            and (told := OWN_LINE.search(message))
            and not own
        ):
            own = [(step, int(told[1]))]
        return Outcome(step, "error", name[:80], message[:2000], (own or frames or [None])[-1], (here or [None])[-1])


def _trace(reply: dict[str, Any]) -> str:
    return outputs.plain("\n".join(map(str, reply.get("traceback") or []))[:200_000])


def _end_marked(badge: str) -> None:
    """Kill the processes that carry the badge in their environment, however they got away."""
    found = [process for process in psutil.process_iter() if _badge(process) == badge]
    for process in found:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(found, timeout=3)


def _badge(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error, OSError):
        return process.environ().get("DLBOOK_BADGE")
    return None


async def run_task(plan: TaskPlan, env: dict[str, str], limits: Limits) -> Run:
    """Run one task in a kernel and a folder of its own, both gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="dlbook-mark-", ignore_cleanup_errors=True) as folder:
        try:
            async with Bench(Path(folder), env, limits) as bench:
                return await bench.run_plan(plan)
        except Failure as failure:
            return Run(fault=f"the kernel did not work: {failure.message}")


def environment(root: Path | None, threads: int) -> dict[str, str]:
    """What a marking kernel gets: the CPU and the quick profile, so that marks are the same everywhere."""
    data = data_folder(root) if root else {}
    path = os.pathsep.join(filter(None, [str(root) if root else "", os.environ.get("PYTHONPATH", "")]))
    pools = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS", "NUMEXPR")}
    return {
        **pools,
        **data,
        **({"PYTHONPATH": path} if path else {}),
        "DLBOOK_DEVICE": "cpu",
        "DLBOOK_PROFILE": "quick",
        "MPLBACKEND": "agg",
    }
