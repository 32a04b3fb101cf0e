"""Quizzes: the typed source, its checks, and the Markdown that every form of the book shows.

A quiz is `quizzes/<part>/<chapter>.yml`. `load` reads and validates it, `check` recomputes its keys and looks for
wording that harms a question, `markdown` compiles it for `filters/blocks.lua`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import math
import re
import string
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from press.book import Book, BookError, Chapter, Problem
from press.files import write_if_changed
from press.front import Front

POSITION = re.compile(r"\b(first|second|third|last|previous|next|upper|lower) (option|answer|choice|statement)s?\b"
                      r"|\b(all|none|both|neither) of (the )?(above|below|these)\b|\b(the )?option [A-D]\b", re.I)
NEGATION = re.compile(r"\b(not|never|except|incorrect|false)\b|n['’]t\b", re.I)
LONGEST_SHARE = 0.7  # with single choices of 3-5 options, chance gives 0.2-0.33


class Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class Option(Typed):
    """One choice. Feedback speaks to the reader who chose it: the misconception, or why it is right."""

    text: str = Field(min_length=1)
    right: bool = False
    feedback: str = Field(min_length=1)


class Wrong(Typed):
    """A wrong answer that readers give, with the misconception behind it."""

    answer: Any
    feedback: str = Field(min_length=1)


class Pair(Typed):
    left: str = Field(min_length=1)
    right: str = Field(min_length=1)


class Question(Typed):
    """What every kind of question has."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$", description="permanent; unique in the book")
    outcome: str
    lines: list[str] = []
    difficulty: Literal[1, 2, 3]
    conceptual: bool
    section: str = Field(pattern=r"^sec-")
    prompt: str = Field(min_length=1)
    explanation: str = Field(min_length=1)
    compute: str | None = None

    def texts(self) -> Iterator[str]:
        """Every text that a reader sees before answering."""
        yield self.prompt


class Choice(Question):
    kind: Literal["single", "multiple"]
    options: list[Option] = Field(min_length=3, max_length=6)

    @model_validator(mode="after")
    def _right_options(self):
        right = sum(option.right for option in self.options)
        if right == 0 or (self.kind == "single" and right != 1):
            expected = "one" if self.kind == "single" else "at least one"
            raise ValueError(f"{right} options are right; expected {expected}")
        if len({option.text for option in self.options}) < len(self.options):
            raise ValueError("two options read the same; reword one")
        return self

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from (option.text for option in self.options)

    def key(self) -> list[str]:
        return [option.text for option in self.options if option.right]


class Number(Question):
    kind: Literal["number"]
    answer: float
    tolerance: float = Field(ge=0)
    unit: str | None = None
    wrong: list[Wrong] = Field(min_length=2)

    def accepts(self, value: Any) -> bool:
        return abs(float(value) - self.answer) <= self.tolerance + 1e-12 * abs(self.answer)

    def key(self) -> list[str]:
        unit = f" {self.unit}" if self.unit else ""
        spread = f" (± {self.tolerance:g})" if self.tolerance else ""
        return [f"{self.answer:g}{unit}{spread}"]


class Text(Question):
    kind: Literal["text", "shape", "output"]
    answer: str
    accept: list[str] = []
    code: str | None = None
    wrong: list[Wrong] = Field(min_length=2)

    @model_validator(mode="after")
    def _code(self):
        if (self.kind == "output") != (self.code is not None):
            raise ValueError("code is for questions of kind output, and each of those needs it")
        return self

    def accepts(self, value: Any) -> bool:
        return normal(str(value)) in {normal(text) for text in (self.answer, *self.accept)}

    def key(self) -> list[str]:
        return [f"`{self.answer}`" if self.kind != "text" else self.answer]


class Order(Question):
    kind: Literal["order"]
    items: list[str] = Field(min_length=3)
    distractors: list[str] = []
    feedback: str = Field(min_length=1)

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from self.items

    def key(self) -> list[str]:
        return self.items


class Match(Question):
    kind: Literal["match"]
    pairs: list[Pair] = Field(min_length=3)
    feedback: str = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self):
        for side in ("left", "right"):
            if len({getattr(pair, side) for pair in self.pairs}) < len(self.pairs):
                raise ValueError(f"two pairs have the same {side} side; a reader could not tell them apart")
        return self

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from (pair.left for pair in self.pairs)

    def key(self) -> list[str]:
        return [f"{pair.left} — {pair.right}" for pair in self.pairs]


AnyQuestion = Annotated[Choice | Number | Text | Order | Match, Field(discriminator="kind")]


class Quiz(Typed):
    """A chapter's questions, as `quizzes/<part>/<chapter>.yml` holds them."""

    chapter: str
    questions: list[AnyQuestion] = Field(min_length=1)


def normal(text: str) -> str:
    """A short answer as it is compared: lower case, no spaces around punctuation, one space elsewhere."""
    text = re.sub(r"\s+", " ", text.strip().lower().replace("−", "-"))
    return re.sub(r"\s*([(),\[\]=])\s*", r"\1", text)


def load(path: Path) -> Quiz:
    """Read one quiz. Raises BookError with the file, the question and the reason."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Quiz.model_validate(raw)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{path.name} is not readable as YAML ({error}); mend it first") from None
    except ValidationError as error:
        raise BookError("; ".join(_reason(path, raw, item) for item in error.errors())) from None


def _reason(path: Path, raw: Any, item: dict) -> str:
    where, names = path.name, [str(part) for part in item["loc"]]
    if len(names) > 1 and names[0] == "questions" and names[1].isdigit():
        entry = raw["questions"][int(names[1])]
        name = entry.get("id", f"number {int(names[1]) + 1}") if isinstance(entry, dict) else f"number {names[1]}"
        where, names = f"{where}, question {name}", names[2:]
    return f"{where}: {'.'.join(names) or 'whole'}: {item['msg'].removeprefix('Value error, ')}"


def quizzes(book: Book, chapters: Iterable[Chapter] | None = None) -> Iterator[tuple[Chapter, Quiz]]:
    """Every chapter that has a quiz, with its quiz."""
    for chapter in chapters or book:
        if chapter.quiz.is_file():
            yield chapter, load(chapter.quiz)


def check(book: Book) -> list[Problem]:
    """Every fault of every quiz: keys that don't recompute, unknown references, wording that harms a question."""
    return [problem for chapter in book if chapter.quiz.is_file() for problem in check_chapter(book, chapter)]


def check_chapter(book: Book, chapter: Chapter) -> list[Problem]:
    """The faults of one chapter's quiz."""
    file = str(chapter.quiz.relative_to(book.root))
    try:
        faults = list(_faults(book, chapter, load(chapter.quiz)))
    except BookError as error:
        return [Problem(file, str(error))]
    return [Problem(file, message, f"question {name}") for name, message in faults]


def _ids(book: Book, but: Chapter) -> dict[str, str]:
    """The question ids of the other chapters, read loosely: a broken file elsewhere is that file's own fault."""
    pairs = ((chapter, re.findall(r"^\s*-?\s*id: *([\w-]+)", chapter.quiz.read_text("utf-8"), re.M))
             for chapter in book if chapter != but and chapter.quiz.is_file())
    return {name: chapter.id for chapter, names in pairs for name in names}


def _faults(book: Book, chapter: Chapter, quiz: Quiz) -> Iterator[tuple[str, str]]:
    if quiz.chapter != chapter.id:
        yield "chapter", f"the file says {quiz.chapter!r} and lies at {chapter.id!r}"
    front = Front.of(chapter)
    source = chapter.notebook.read_text(encoding="utf-8")
    lines = {line["id"] for line in yaml.safe_load((book.root / "syllabus.yml").read_text("utf-8"))["lines"]}
    taken = _ids(book, chapter)
    for question in quiz.questions:
        if question.id in taken:
            yield question.id, f"the id is used in {taken[question.id]} too; ids are unique in the book"
        taken[question.id] = chapter.id
        for message in _question_faults(question, front, source, lines):
            yield question.id, message
    share = _longest_share(quiz)
    if share > LONGEST_SHARE:
        yield "all", f"the longest option is the right one in {share:.0%} of the choices; shorten some"


def _question_faults(question: Question, front: Front, source: str, lines: set[str]) -> Iterator[str]:
    if question.outcome not in {outcome.id for outcome in front.outcomes}:
        yield f"outcome {question.outcome!r} is not an outcome of the chapter"
    if f"{{#{question.section}" not in source:
        yield f"section {question.section!r} is not a section of the chapter"
    yield from (f"line {line!r} is not in syllabus.yml" for line in question.lines if line not in lines)
    yield from (f"“{found.group()}” names a position; options may be shuffled"
                for text in question.texts() if (found := POSITION.search(text)))
    if found := NEGATION.search(re.sub(r"`[^`]*`|\$[^$]*\$", "", question.prompt)):
        yield f"the prompt has a negation (“{found.group()}”); ask for what is the case"
    yield from _key_faults(question)


def _key_faults(question: Question) -> Iterator[str]:
    try:
        if question.compute and not _computed_agrees(question):
            yield f"compute gives {evaluate(question.compute)!r}, the key says {question.key()}"
        if isinstance(question, Text) and question.code and not question.accepts(run(question.code)):
            yield f"the code prints {run(question.code)!r}, the key says {question.answer!r}"
    except Exception as error:  # a question's own code may raise anything; it is reported, not fatal
        yield f"its code stops with {type(error).__name__}: {error}"
    yield from (f"{wrong.answer!r} is listed as wrong and accepted as right"
                for wrong in getattr(question, "wrong", []) if _accepted(question, wrong.answer))


def _accepted(question: Number | Text, value: Any) -> bool:
    try:
        return question.accepts(value)
    except (TypeError, ValueError):
        return False


def _computed_agrees(question: Question) -> bool:
    value = evaluate(question.compute)
    if isinstance(question, (Number, Text)):
        return question.accepts(value)
    wanted = [value] if isinstance(value, str) else list(value)
    return [str(item) for item in wanted] == question.key()


LIBRARIES = {"np": "numpy", "torch": "torch", "itertools": "itertools", "statistics": "statistics", "dlbook": "dlbook"}


def evaluate(expression: str) -> Any:
    """The value of a question's `compute` expression, which may name math's functions and LIBRARIES.

    It is the book's own source, run with full rights, never a reader's input.
    """
    tree = ast.parse(expression.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dlbook":
            importlib.import_module(f"dlbook.{node.attr}")
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & LIBRARIES.keys()
    scope = vars(math) | {"math": math} | {name: importlib.import_module(LIBRARIES[name]) for name in named}
    value = eval(compile(tree, "<compute>", "eval"), scope)  # noqa: S307
    return value.item() if getattr(value, "shape", None) == () else value


def run(code: str) -> str:
    """What a question's code prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "<question>", "exec"), {"__name__": "__question__"})  # noqa: S102
    return printed.getvalue().strip()


def _longest_share(quiz: Quiz) -> float:
    single = [q for q in quiz.questions if isinstance(q, Choice) and q.kind == "single"]
    longest = [max(q.options, key=lambda option: len(option.text)).right for q in single]
    return sum(longest) / len(longest) if len(longest) > 2 else 0.0


# ---- the printed and folded form ------------------------------------------------------------------------------------

ASK = {"single": "Choose one.", "multiple": "Choose all that apply.", "number": "Give a number",
       "text": "Answer in a few words.", "shape": "Give the shape.", "output": "What does it print?",
       "order": "Put in order.", "match": "Match each item on the left with one on the right."}


def markdown(quiz: Quiz) -> str:
    """The quiz as the book's Markdown: each question with its folded answer (class `quiz-answer`)."""
    return "\n".join(_question_markdown(i, question) for i, question in enumerate(quiz.questions, 1))


def _question_markdown(number: int, question: Question) -> str:
    ask = ASK[question.kind] + (f" in {question.unit}." if getattr(question, "unit", None) else
                                "." if question.kind == "number" else "")
    body = "\n\n".join([question.prompt, *_given(question), f"[{ask}]{{.quiz-ask}}"])
    return (f"::::: {{.quiz-question #q-{question.id} .quiz-{question.kind}}}\n\n[{number}]{{.quiz-number}} {body}\n\n"
            f":::: {{.quiz-answer}}\n\n{_answer(question)}\n\n::::\n\n:::::\n")


def _given(question: Question) -> list[str]:
    if isinstance(question, Choice):
        return [_listed(f"({letter})", option.text)
                for letter, option in zip(string.ascii_lowercase, question.options, strict=False)]
    if isinstance(question, Text) and question.code:
        return [f"```python\n{question.code.rstrip()}\n```"]
    if isinstance(question, Order):
        return [_bullets(sorted([*question.items, *question.distractors]))]
    if isinstance(question, Match):
        return [_bullets([p.left for p in question.pairs]), "with", _bullets(sorted(p.right for p in question.pairs))]
    return []


def _listed(marker: str, text: str) -> str:
    return f"{marker} " + text.strip().replace("\n", "\n    ")


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(_listed("-", item).replace("\n    ", "\n  ") for item in items)


def _answer(question: Question) -> str:
    parts: list[str] = []
    if isinstance(question, Choice):
        parts += [_listed(f"({letter})", f"**{'Right' if option.right else 'Wrong'}.** {option.feedback}")
                  for letter, option in zip(string.ascii_lowercase, question.options, strict=False)]
    elif isinstance(question, Order):
        parts += ["\n".join(_listed(f"{i}.", item) for i, item in enumerate(question.items, 1)), question.feedback]
    elif isinstance(question, Match):
        parts += [_bullets(question.key()), question.feedback]
    else:
        parts += [f"**Answer:** {question.key()[0]}."]
        parts += ["\n".join(_listed("-", f"*{wrong.answer}*: {wrong.feedback}") for wrong in question.wrong)]
    return "\n\n".join([*parts, question.explanation, f"Taught in @{question.section}."])


def compile_quizzes(book: Book) -> None:
    """Write `_build/quizzes/<chapter>.md` for each quiz, only where it differs."""
    for chapter, quiz in quizzes(book):
        write_if_changed(book.build / "quizzes" / f"{chapter.id}.md", markdown(quiz))


def schema() -> dict:
    """The JSON Schema of a quiz file, for editors."""
    return Quiz.model_json_schema()
