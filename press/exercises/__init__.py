"""Exercises: one source notebook with solutions becomes a task notebook, a solution notebook and a part of the page.

source: the tasks in it and what is wrong with their form; split: the two notebooks; page: the Markdown; trial: whether
the solutions pass their checks and unsolved tasks fail them. What marks a reader's notebook is press.marking.
"""

from press.exercises.page import compile_exercises, markdown
from press.exercises.source import FIGURE_MIME, Task, faults, read, tasks
from press.exercises.split import leaking, solution_notebook, task_notebook
from press.exercises.trial import check

__all__ = ["FIGURE_MIME", "Task", "check", "compile_exercises", "faults", "leaking", "markdown", "read",
           "solution_notebook", "task_notebook", "tasks"]
