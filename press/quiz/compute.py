"""Keys that are computed: a question's `compute` expression, the code of an `output` question, and variants.

All of it is the book's own source, run with full rights, never a reader's input.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import math
import random
import re
import signal
import threading
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from press.plain import keys, sentences
from press.quiz.source import Question

LIBRARIES = {"np": "numpy", "torch": "torch", "itertools": "itertools", "statistics": "statistics", "dlbook": "dlbook"}
HOLE = re.compile(r"<<(?P<expression>.+?)(?::(?P<format>[^:<>\[\]]*))?>>", re.S)
SECONDS = 30.0  # for one expression or one piece of code, its imports apart
TEMPLATED = {"id", "kind", "outcome", "lines", "difficulty", "conceptual", "section", "variants"}  # as written


class TooLong(Exception):
    """A question's code did not end within SECONDS."""


class _Alarm(BaseException):
    """Raised within the code that runs too long; no `except Exception` there stops it."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Stop what runs longer than SECONDS with TooLong. Outside the main thread, which signals never reach, no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 0.2)  # again and again, should the code catch it
    try:
        yield
    except _Alarm:
        raise TooLong(f"runs longer than {SECONDS:g} s; let it compute less") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _alarm(number: int, frame: Any) -> None:
    raise _Alarm


def evaluate(expression: str, variables: dict[str, Any] | None = None) -> Any:
    """The value of an expression that may name math's functions, LIBRARIES and the given variables."""
    tree = ast.parse(expression.strip(), mode="eval")
    scope = _scope(tree) | (variables or {})
    with limited():
        value = eval(compile(tree, "<compute>", "eval"), scope)  # noqa: S307
    return value.item() if getattr(value, "shape", None) == () else value


def _scope(tree: ast.AST) -> dict[str, Any]:
    """Math's functions and the libraries that the code names, imported only then."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dlbook":
            importlib.import_module(f"dlbook.{node.attr}")
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & LIBRARIES.keys()
    return vars(math) | {"math": math} | {name: importlib.import_module(LIBRARIES[name]) for name in named}


def run(code: str) -> str:
    """What a question's code prints."""
    printed, tree = io.StringIO(), ast.parse(code)
    _scope(tree)
    with contextlib.redirect_stdout(printed), limited():
        exec(compile(code, "<question>", "exec"), {"__name__": "__question__"})  # noqa: S102
    return printed.getvalue().strip()


def instances(question: Question) -> list[Question]:
    """The concrete questions: the question itself, or each variant of its template, the same ones in every build.

    Raises ValueError where a variant's code stops or the filled template is no sound question.
    """
    if question.variants is None:
        return [question]
    return [_instance(question, i) for i in range(question.variants.count)]


def _instance(question: Question, i: int) -> Question:
    variables = draw(question, i)
    fields = question.model_dump(exclude_unset=True)
    filled = {name: value if name in TEMPLATED else fill(value, variables) for name, value in fields.items()}
    try:
        return type(question).model_validate(filled | {"variants": None})
    except ValidationError as error:
        _, message = next(sentences(error.errors(), lambda place: keys(type(question))))
        raise ValueError(f"variant {i}: {message}") from None


def draw(question: Question, i: int) -> dict[str, Any]:
    """The variables of the i-th variant."""
    code = question.variants.draw
    seeded = random.Random(f"{question.id}:{question.variants.seed}:{i}")
    scope = _scope(ast.parse(code)) | {"rng": seeded}
    before = dict(scope)
    with limited():
        exec(compile(code, f"<draw of {question.id}>", "exec"), scope)  # noqa: S102
    return {name: value for name, value in scope.items() if name != "__builtins__" and before.get(name, scope) is not value}


def fill(value: Any, variables: dict[str, Any]) -> Any:
    """A template with its holes filled; a text that is one hole without a format becomes the value itself."""
    if isinstance(value, dict):
        return {name: fill(item, variables) for name, item in value.items()}
    if isinstance(value, list):
        return [fill(item, variables) for item in value]
    if not isinstance(value, str):
        return value
    whole = HOLE.fullmatch(value.strip())
    if whole and whole["format"] is None:
        return evaluate(whole["expression"], variables)
    return HOLE.sub(lambda hole: format(evaluate(hole["expression"], variables), hole["format"] or ""), value)
