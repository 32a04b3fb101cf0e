"""Every fault of a quiz that a program can find: keys that don't recompute, unknown references, harmful wording."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from press.book import Book, Chapter, Problem, ProblemsFound, load_yaml
from press.front import Front
from press.notebooks import near
from press.quiz import compute, marking
from press.quiz.source import Choice, Number, Question, Quiz, Spot, Text, bare, of

POSITION = re.compile(r"\b(first|second|third|last|previous|next|upper|lower) (option|answer|choice|statement)s?\b"
                      r"|\b(the )?option [A-D]\b", re.I)
CATCH_ALL = re.compile(r"\b(all|none|both|neither) of (the )?(above|below|these)\b", re.I)
NEGATION = re.compile(r"\b(not|never|except|incorrect|false)\b|n['’]t\b", re.I)
LONGEST_SHARE = 0.7  # with single choices of 3-5 options, chance gives 0.2-0.33


def check(book: Book) -> list[Problem]:
    """Every fault of every quiz: keys that don't recompute, unknown references, wording that harms a question."""
    return [problem for chapter in book if chapter.quiz.is_file() for problem in check_chapter(book, chapter)]


def check_chapter(book: Book, chapter: Chapter) -> list[Problem]:
    """The faults of one chapter's quiz."""
    file = str(chapter.quiz.relative_to(book.root))
    try:
        faults = list(_faults(book, chapter, of(chapter)))
    except ProblemsFound as error:
        return error.problems
    return [Problem(file, message, name, "question") for name, message in faults]


def _ids(book: Book, but: Chapter) -> dict[str, str]:
    """The question ids of the other chapters, read loosely: a broken file elsewhere is that file's own fault."""
    pairs = ((chapter, re.findall(r"^\s*-?\s*id: *([\w-]+)", chapter.quiz.read_text("utf-8"), re.M))
             for chapter in book if chapter != but and chapter.quiz.is_file())
    return {name: chapter.id for chapter, names in pairs for name in names}


def _faults(book: Book, chapter: Chapter, quiz: Quiz) -> Iterator[tuple[str | None, str]]:
    """(question, or None for the whole quiz; what is wrong)."""
    if quiz.chapter != chapter.id:
        yield None, f"chapter is {quiz.chapter!r}; the file's place asks for {chapter.id!r}"
    front = Front.of(chapter)
    source = chapter.notebook.read_text(encoding="utf-8")
    lines = {line["id"] for line in load_yaml((book.root / "syllabus.yml").read_text("utf-8"))["lines"]}
    taken = _ids(book, chapter)
    for question in quiz.questions:
        if question.id in taken:
            where = "twice in this quiz" if taken[question.id] == chapter.id else f"in {taken[question.id]} too"
            yield question.id, f"the id is used {where}; ids are unique in the book"
        taken[question.id] = chapter.id
        for message in _question_faults(question, front, source, lines):
            yield question.id, message
    share = _longest_share(quiz)
    if share > LONGEST_SHARE:
        yield None, f"the longest option is the right one in {share:.0%} of the choices; shorten some"


def _question_faults(question: Question, front: Front, source: str, lines: set[str]) -> Iterator[str]:
    known = [outcome.id for outcome in front.outcomes]
    if question.outcome not in known:
        yield f"outcome {question.outcome!r} is not an outcome of the chapter; {near(question.outcome, known)}"
    sections = re.findall(r"\{#(sec-[\w-]+)", source)
    if question.section not in sections:
        yield f"section {question.section!r} is not a section of the chapter; {near(question.section, sections)}"
    yield from (f"line {line!r} is not in syllabus.yml" for line in question.lines if line not in lines)
    if isinstance(question, Spot) and question.figure.startswith("fig-") and question.figure not in source:
        yield f"figure {question.figure!r} is not a figure of the chapter"
    yield from (f"“{found.group()}” names a position; options may be shuffled"
                for text in question.texts() if (found := POSITION.search(text)))
    yield from (f"“{found.group()}” stands for other options; write an option of its own"
                for text in question.texts() if (found := CATCH_ALL.search(text)))
    if found := NEGATION.search(bare(question.prompt)):
        yield f"the prompt has a negation (“{found.group()}”); ask for what is the case"
    try:
        found = compute.instances(question)
        yield from dict.fromkeys(fault for instance in found for fault in _key_faults(instance))
        yield from _variant_faults(found)
    except compute.TooLong as error:
        yield f"the code of its variants {error}"
    except Exception as error:  # a template's own code may raise anything; it is reported, not fatal
        yield f"its variants cannot be made: {error}"


def _variant_faults(found: list[Question]) -> Iterator[str]:
    if len(found) > 1 and len({question.digest() for question in found}) < len(found) / 2:
        yield "most of its variants are alike; draw from more values"


def _key_faults(question: Question) -> Iterator[str]:
    try:
        if question.compute and not _agrees(question, value := compute.evaluate(question.compute)):
            yield f"compute gives {_rounded(value)}, the key says {', '.join(question.key())}"
        if isinstance(question, Text) and question.code:
            printed = compute.run(question.code)
            if not marking.text_right(question, printed):
                yield f"the code prints {printed!r}, the key says {question.answer!r}"
    except compute.TooLong as error:
        yield f"its code {error}"
    except Exception as error:  # a question's own code may raise anything; it is reported, not fatal
        yield f"its code stops with {type(error).__name__}: {error}"
    yield from (f"{wrong.answer!r} is listed as wrong and accepted as right"
                for wrong in getattr(question, "wrong", []) if marking.mark(question, wrong.answer))
    if isinstance(question, Spot):
        yield from _spot_faults(question)


def _spot_faults(question: Spot) -> Iterator[str]:
    for i, region in enumerate(question.regions):
        if marking.region(question, region.x, region.y) != i:
            yield f"the middle of region {region.label!r} belongs to another region; move them apart"


def _rounded(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _agrees(question: Question, value: Any) -> bool:
    """Whether a computed value is the question's key."""
    if isinstance(question, Number):
        return marking.accepts(question, value)
    if isinstance(question, Text):
        return marking.text_right(question, str(value))
    wanted = [value] if isinstance(value, str) else list(value)
    return [str(item) for item in wanted] == question.key()


def _longest_share(quiz: Quiz) -> float:
    single = [q for q in quiz.questions if isinstance(q, Choice) and q.kind == "single"]
    longest = [max(q.options, key=lambda option: len(option.text)).right for q in single]
    return sum(longest) / len(longest) if len(longest) > 2 else 0.0
