"""Recap quizzes and mock exams: a blueprint says what to draw from the chapters' questions, and the draw is repeatable.

`quizzes/blueprints/<name>.yml`; the same blueprint makes the page and the paper with its key and marking scheme.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from press.book import Book, BookError, Chapter, Problem, ProblemsFound, load_yaml
from press.plain import keys, sentences
from press.quiz.source import Question, Typed, Words, quizzes

FORMS = 5  # draws of each blueprint, so that a reader or a class can sit it more than once


class Section(Typed):
    """So many questions out of those that fit every field given. difficulty: how many of each; without it, any."""

    title: Words
    count: int = Field(ge=1, le=100)
    parts: list[str] = []
    chapters: list[str] = []
    outcomes: list[str] = []
    lines: list[str] = []
    kinds: list[str] = []
    conceptual: bool | None = None
    difficulty: dict[Literal[1, 2, 3], Annotated[int, Field(ge=0)]] = {}
    points: float = Field(1, gt=0, description="for each question of this section")

    @model_validator(mode="after")
    def _adds_up(self):
        if self.difficulty and sum(self.difficulty.values()) != self.count:
            raise ValueError(f"difficulty adds up to {sum(self.difficulty.values())} questions; count is {self.count}")
        return self


class Blueprint(Typed):
    """A recap quiz or an exam. minutes: the time that an exam takes; a reader may switch the clock off."""

    title: Words
    kind: Literal["recap", "exam"]
    introduction: Words
    minutes: int | None = Field(None, ge=1, le=600)
    seed: int = 0
    sections: list[Section] = Field(min_length=1)


@dataclass(frozen=True)
class Drawn:
    """A question in its place: the section it was drawn for, the chapter that asks it."""

    section: Section
    chapter: Chapter
    question: Question
    variant: int


def blueprints(book: Book) -> Iterator[tuple[str, Blueprint]]:
    """Every blueprint of the book by its name, in alphabetical order. Raises BookError for one that is not sound."""
    for path in sorted((book.root / "quizzes" / "blueprints").glob("*.yml")):
        yield path.stem, load(path)


def load(path: Path) -> Blueprint:
    """Read a blueprint. Raises BookError with the file and the reason."""
    try:
        return Blueprint.model_validate(load_yaml(path.read_text(encoding="utf-8")))
    except OSError:
        raise BookError(f"there is no blueprint {path}; quizzes/blueprints/ holds the book's own") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BookError(f"{path.name} is not readable as YAML ({error}); mend it first") from None
    except ValidationError as error:
        found = sentences(error.errors(), lambda place: keys(Section if place[0] == "sections" else Blueprint))
        raise ProblemsFound(Problem(path.name, _in(place) + said) for place, said in found) from None


def _in(place: list[str]) -> str:
    """The section that a fault lies in, for the start of a sentence."""
    return f"section {int(place[1]) + 1}: " if len(place) > 1 and place[0] == "sections" else ""


def draw(book: Book, blueprint: Blueprint, form: int = 0) -> list[Drawn]:
    """The questions of one form, the same ones in every build; no question twice.

    Raises BookError where the book has too few that fit, with how many there are.
    """
    pool = [(chapter, question) for chapter, quiz in quizzes(book) for question in quiz.questions]
    rng = random.Random(f"{blueprint.title}:{blueprint.seed}:{form}")
    taken: set[str] = set()
    drawn = [item for section in blueprint.sections for item in _section(section, pool, taken, rng, blueprint.title)]
    return drawn


def _section(section: Section, pool: list[tuple[Chapter, Question]], taken: set[str], rng: random.Random,
             title: str) -> Iterator[Drawn]:
    fitting = [(chapter, question) for chapter, question in pool
               if question.id not in taken and _fits(section, chapter, question)]
    for level, count in (section.difficulty or {None: section.count}).items():
        some = [pair for pair in fitting if level in (None, pair[1].difficulty) and pair[1].id not in taken]
        if len(some) < count:
            grade = f" of difficulty {level}" if level else ""
            raise BookError(f"“{title}”, section “{section.title}” asks for {count} questions{grade}; {len(some)} fit: "
                            "ask for fewer or widen the section")
        for chapter, question in _spread(some, count, rng):
            taken.add(question.id)
            variants = question.variants.count if question.variants else 1
            yield Drawn(section, chapter, question, rng.randrange(variants))


def _fits(section: Section, chapter: Chapter, question: Question) -> bool:
    return ((not section.parts or chapter.part in section.parts)
            and (not section.chapters or chapter.id in section.chapters)
            and (not section.outcomes or question.outcome in section.outcomes)
            and (not section.lines or bool(set(section.lines) & set(question.lines)))
            and (not section.kinds or question.kind in section.kinds)
            and section.conceptual in (None, question.conceptual))


def _spread(some: Iterable[tuple[Chapter, Question]], count: int,
            rng: random.Random) -> list[tuple[Chapter, Question]]:
    """So many of them, outcome by outcome in turn, so that no outcome is asked twice before each was asked once."""
    by_outcome: dict[tuple[str, str], list[tuple[Chapter, Question]]] = {}
    for chapter, question in some:
        by_outcome.setdefault((chapter.id, question.outcome), []).append((chapter, question))
    piles = list(by_outcome.values())
    for pile in piles:
        rng.shuffle(pile)
    rng.shuffle(piles)
    rounds = [pile[i] for i in range(max(map(len, piles), default=0)) for pile in piles if i < len(pile)]
    return rounds[:count]
