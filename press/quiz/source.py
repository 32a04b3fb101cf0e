"""The typed source of a quiz: `quizzes/<part>/<chapter>.yml` as pydantic models, one class per way of answering."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from press.book import Book, Chapter, Problem, ProblemsFound, load_yaml
from press.plain import keys, sentences

Words = Annotated[str, Field(min_length=1)]
Entry = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1)]  # a line of code keeps its indentation
Formula = Annotated[str, Field(pattern=r"^\s*<<.+>>\s*$", description="computed from the variables of a variant")]


class Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, coerce_numbers_to_str=True)


class Option(Typed):
    """One choice. Feedback speaks to the reader who chose it: the misconception, or why it is right."""

    text: Words
    right: bool = False
    feedback: Words


class Wrong(Typed):
    """A wrong answer that readers give, with the misconception behind it."""

    answer: Any
    feedback: Words


class Pair(Typed):
    left: Words
    right: Words


class Region(Typed):
    """A disc on a picture, with the name that it has in words. x, y: per cent of the picture's width and height, from
    its upper left; with a panel (0, 1, … in the order in which the figure got them) numbers on that panel's axes."""

    label: Words
    x: float
    y: float
    panel: int | None = Field(None, ge=0)
    radius: Annotated[float, Field(gt=0, le=50, description="per cent of the picture's width")]
    right: bool = False
    feedback: Words

    @model_validator(mode="after")
    def _on_the_picture(self):
        if self.panel is None and not (0 <= self.x <= 100 and 0 <= self.y <= 100):
            raise ValueError(f"x {self.x:g}, y {self.y:g} is off the picture; without a panel both are per cent")
        return self


class Variants(Typed):
    """A seeded template: `draw` is Python that sets variables from `rng` (random.Random); `<<expression>>` in any text
    of the question, with an optional format such as `<<x:.2f>>`, is computed from them."""

    count: int = Field(20, ge=2, le=200)
    seed: int = 0
    draw: Words


class Question(Typed):
    """What every kind of question has."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$", description="permanent; unique in the book")
    outcome: str
    lines: list[str] = []
    difficulty: Literal[1, 2, 3]
    conceptual: bool
    section: str = Field(pattern=r"^sec-")
    prompt: Words
    explanation: Words
    compute: str | None = None
    variants: Variants | None = None

    def texts(self) -> Iterator[str]:
        """Every text that a reader sees before answering."""
        yield self.prompt

    def key(self) -> list[str]:
        """The right answer, in the book's Markdown."""
        raise NotImplementedError

    def digest(self) -> str:
        """Twelve hexadecimal digits that change when what a reader is asked or told to be right changes."""
        fields = self.model_dump(exclude={"outcome", "lines", "difficulty", "conceptual", "section", "compute"})
        for region in fields.get("regions", ()):
            if region.pop("panel") is not None:           # a figure drawn anew moves the place, and asks the same
                del region["x"], region["y"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True, default=str).encode()).hexdigest()[:12]


class Choice(Question):
    kind: Literal["single", "multiple"]
    options: list[Option] = Field(min_length=3, max_length=6)

    @model_validator(mode="after")
    def _right_options(self):
        _one_right(self.options, "options", several=self.kind == "multiple")
        if len({option.text for option in self.options}) < len(self.options):
            raise ValueError("two options read the same; reword one")
        return self

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from (option.text for option in self.options)

    def key(self) -> list[str]:
        return [option.text for option in self.options if option.right]


def _one_right(options: list[Option] | list[Region], what: str, several: bool) -> None:
    right = sum(option.right for option in options)
    if right == 0 or (right > 1 and not several):
        raise ValueError(f"{right} {what} are right; expected {'at least one' if several else 'one'}")


class Number(Question):
    """tolerance: in the unit of the answer; relative: a share of it, the larger of the two holds. units: other units
    that a reader may write, with the factor that turns one into the answer's. figures: significant figures to give."""

    kind: Literal["number"]
    answer: float | Formula
    tolerance: float | Formula = 0.0
    relative: float = Field(0.0, ge=0, lt=1)
    unit: str | None = None
    units: dict[str, float] = {}
    figures: int | None = Field(None, ge=1, le=10)
    wrong: list[Wrong] = Field(min_length=2)

    @model_validator(mode="after")
    def _units(self):
        if self.units and not self.unit:
            raise ValueError("other units are given and the answer has none; give unit too")
        if isinstance(self.tolerance, float) and self.tolerance < 0:
            raise ValueError(f"tolerance is {self.tolerance:g}; expected zero or more")
        return self

    def key(self) -> list[str]:
        unit = f" {self.unit}" if self.unit else ""
        spread = max(self.tolerance, self.relative * abs(self.answer))
        return [f"{self.answer:g}{unit}" + (f" (± {spread:.3g})" if spread else "")]


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

    def key(self) -> list[str]:
        return [f"`{self.answer}`" if self.kind != "text" else self.answer]


class Order(Question):
    """Derivation steps, or with `code: true` lines of code (a Parsons problem). distractors: what doesn't belong."""

    kind: Literal["order"]
    items: list[Entry] = Field(min_length=3)
    distractors: list[Entry] = []
    code: bool = False
    feedback: Words

    @model_validator(mode="after")
    def _distinct(self):
        entries = [*self.items, *self.distractors]
        if len(set(entries)) < len(entries):
            raise ValueError("two entries read the same; a reader could not tell them apart")
        return self

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from self.items

    def key(self) -> list[str]:
        return self.items


class Match(Question):
    kind: Literal["match"]
    pairs: list[Pair] = Field(min_length=3)
    feedback: Words

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


class Spot(Question):
    """A place on a picture. figure: a label of the chapter ("fig-cnn-errors") or a file beside its notebook; alt: what
    it shows, without giving the answer away; missed: feedback for a place outside every region."""

    kind: Literal["spot"]
    figure: Words
    alt: str = Field(min_length=20)
    regions: list[Region] = Field(min_length=3, max_length=8)
    missed: Words

    @model_validator(mode="after")
    def _right_region(self):
        _one_right(self.regions, "regions", several=False)
        if len({region.label for region in self.regions}) < len(self.regions):
            raise ValueError("two regions have the same label; reword one")
        return self

    def texts(self) -> Iterator[str]:
        yield self.prompt
        yield from (region.label for region in self.regions)

    def key(self) -> list[str]:
        return [region.label for region in self.regions if region.right]


AnyQuestion = Annotated[Choice | Number | Text | Order | Match | Spot, Field(discriminator="kind")]


class Quiz(Typed):
    """A chapter's questions, as `quizzes/<part>/<chapter>.yml` holds them."""

    chapter: str
    questions: list[AnyQuestion] = Field(min_length=1)


PARTS = {"options": Option, "wrong": Wrong, "pairs": Pair, "regions": Region, "variants": Variants}
KINDS = {kind: model for model in (Choice, Number, Text, Order, Match, Spot)
         for kind in get_args(model.model_fields["kind"].annotation)}


def load(path: Path) -> Quiz:
    """Read one quiz, once for each state of the file. Raises ProblemsFound with the file, question and reason."""
    return _load(path, path.read_bytes())


@cache
def _load(path: Path, data: bytes) -> Quiz:
    name = "/".join(path.parts[-3:])
    try:
        raw = load_yaml(data.decode("utf-8"))
        return Quiz.model_validate(raw)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"is not readable as YAML ({' '.join(str(error).split())}); mend it first"
        raise ProblemsFound([Problem(name, message)]) from None
    except ValidationError as error:
        raise ProblemsFound(_problem(name, raw, place, message)
                            for place, message in sentences(error.errors(), _known)) from None


def _known(place: list[str]) -> Iterable[str]:
    """The keys that a place of a quiz file allows."""
    inside = [PARTS[part] for part in place[:-1] if part in PARTS]
    asked = [KINDS[part] for part in place[2:3] if part in KINDS]
    return keys([Quiz, *asked, *inside][-1])


def _problem(name: str, raw: Any, place: list[str], message: str) -> Problem:
    """The sentence with its question, and the part of the question where that has several."""
    if len(place) < 2 or place[0] != "questions":
        return Problem(name, message)
    entry = raw["questions"][int(place[1])]
    number = f"number {int(place[1]) + 1}"
    within = next((f"{part} {int(n) + 1}: " for part, n in pairwise(place[2:]) if part in PARTS and n.isdigit()), "")
    return Problem(name, within + message, entry.get("id", number) if isinstance(entry, dict) else number, "question")


def of(chapter: Chapter) -> Quiz:
    """The chapter's quiz, its places in per cent of the figures as they are. Raises ProblemsFound as `load` does."""
    from press.quiz.places import placed
    return placed(load(chapter.quiz), chapter.notebook, "/".join(chapter.quiz.parts[-3:]))


def quizzes(book: Book, chapters: Iterable[Chapter] | None = None) -> Iterator[tuple[Chapter, Quiz]]:
    """Every chapter that has a quiz, with its quiz."""
    for chapter in chapters or book:
        if chapter.quiz.is_file():
            yield chapter, of(chapter)


def schema() -> dict:
    """The JSON Schema of a quiz file, for editors."""
    return Quiz.model_json_schema()


def bare(text: str) -> str:
    """A text without its code and formulas, for checks of its wording."""
    return re.sub(r"`[^`]*`|\$[^$]*\$", "", text)
