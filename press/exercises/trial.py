"""Whether a chapter's exercises do what they promise: solutions pass their checks, unsolved tasks fail them."""

from __future__ import annotations

import shutil
from pathlib import Path

from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from press import kernel
from press.book import Chapter, Problem
from press.exercises.source import read, tasks
from press.exercises.split import solution_notebook, task_notebook

CELL_SECONDS = 180                          # the time budget is the audit's business; a busy machine is no fault


def check(chapter: Chapter, folder: Path) -> list[Problem]:
    """Run the solutions (each check passes) and the unsolved tasks (each check fails); return what did otherwise.

    folder: the kernel's working folder. Hidden checks run in both.
    """
    name = str(chapter.exercises.relative_to(chapter.root))
    notebook = read(chapter.exercises)
    solved, unsolved = _run(solution_notebook(notebook), folder), _run(_unsolved(notebook), folder)
    checks = {cell.id for task in tasks(notebook) for cell in task.cells["check"]}
    work = {cell.id for task in tasks(notebook) for cell in task.cells["solution"]}
    problems = [Problem(name, f"the solution stops with {error}", cell) for cell, error in solved.items() if error]
    problems += [Problem(name, "passes before the task is solved; make it fail there", cell)
                 for cell in checks if not unsolved.get(cell)]
    problems += [Problem(name, f"the unsolved notebook stops outside its checks with {error}", cell)
                 for cell, error in unsolved.items()
                 if error and cell not in checks and not (cell in work and error.startswith("NotImplementedError"))]
    return problems


def _unsolved(notebook: NotebookNode) -> NotebookNode:
    """The task notebook with the hidden checks put back."""
    result = task_notebook(notebook)
    checks = {cell.id: cell.source for task in tasks(notebook) for cell in task.cells["check"]}
    for cell in result.cells:
        cell.source = checks.get(cell.id, cell.source)
    return result


def _run(notebook: NotebookNode, folder: Path) -> dict[str, str]:
    """Run all cells, whatever fails: cell id → "" or the error's first line."""
    sockets = kernel.socket_folder()
    client = NotebookClient(notebook, km=kernel.manager(sockets), timeout=CELL_SECONDS, allow_errors=True,
                            resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    except (CellTimeoutError, DeadKernelError) as error:
        return {"the whole": f"{type(error).__name__}: {str(error).splitlines()[0]}"}
    finally:
        if client.km is not None:                  # nbclient has ended it already where it gave up
            run_sync(client.km.shutdown_kernel)(now=True)
        shutil.rmtree(sockets, ignore_errors=True)
    return {cell.id: next((f"{out.ename}: {out.evalue}".splitlines()[0] for out in cell.outputs
                           if out.output_type == "error"), "")
            for cell in notebook.cells if cell.cell_type == "code"}
