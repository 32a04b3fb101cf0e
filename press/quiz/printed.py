"""The printed and folded form of a quiz: the book's Markdown, which pages, PDF and EPUB show."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable
from html import escape

from press.book import Book
from press.files import write_if_changed
from press.front import Front
from press.quiz import compute, page
from press.quiz.source import Choice, Match, Option, Order, Question, Quiz, Region, Spot, Text, quizzes


def markdown(quiz: Quiz) -> str:
    """The quiz as the book's Markdown: each question, a template's first variant, with its folded answer."""
    shown = (page.inert(compute.instances(question)[0]) for question in quiz.questions)
    return "\n".join(_question_markdown(i, question) for i, question in enumerate(shown, 1))


def _question_markdown(number: int, question: Question) -> str:
    return (f"::::: {{.quiz-question #q-{question.id} .kind-{question.kind}}}\n\n[{number}]{{.quiz-count}} "
            f"{asked(question)}\n\n:::: {{.quiz-answer}}\n\n{answer(question)}\n\n::::\n\n:::::\n")


def asked(question: Question) -> str:
    """What a reader sees before answering."""
    return "\n\n".join([question.prompt, *_given(question), f"[{page.ask(question)}]{{.quiz-ask}}"])


def _given(question: Question) -> list[str]:
    if isinstance(question, Choice):
        return [_listed(f"({letter})", option.text) for letter, option in _lettered(question.options)]
    if isinstance(question, Text) and question.code:
        return [page.listing(question.code)]
    if isinstance(question, Order):
        entries = sorted([*question.items, *question.distractors])
        return [page.listing(*entries) if question.code else _bullets(entries)]
    if isinstance(question, Spot):
        return [_picture(question), *(f"({letter}) {region.label}" for letter, region in _lettered(question.regions))]
    if isinstance(question, Match):
        return [_bullets([p.left for p in question.pairs]), "with", _bullets(sorted(p.right for p in question.pairs))]
    return []


def _picture(question: Spot) -> str:
    own = question.figure.startswith("fig-")
    shown = f"![]({question.figure}){{fig-alt=\"{escape(question.alt)}\"}}"
    return f"The picture is @{question.figure}." if own else shown


def _lettered(entries: Iterable[Option | Region]) -> Iterable[tuple[str, Option | Region]]:
    return zip(string.ascii_lowercase, entries, strict=False)


def _verdicts(entries: Iterable[Option | Region]) -> list[str]:
    return [_listed(f"({letter})", f"**{'Right' if entry.right else 'Wrong'}.** {entry.feedback}")
            for letter, entry in _lettered(entries)]


def _listed(marker: str, text: str) -> str:
    return f"{marker} " + text.strip().replace("\n", "\n    ")


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(_listed("-", item).replace("\n    ", "\n  ") for item in items)


def answer(question: Question) -> str:
    """The key, the feedback and where it is taught."""
    parts: list[str] = []
    if isinstance(question, Choice):
        parts += _verdicts(question.options)
    elif isinstance(question, Spot):
        parts += [*_verdicts(question.regions), question.missed]
    elif isinstance(question, Order):
        steps = "\n".join(_listed(f"{i}.", item) for i, item in enumerate(question.items, 1))
        parts += [page.listing(*question.items) if question.code else steps, question.feedback]
    elif isinstance(question, Match):
        parts += [_bullets(question.key()), question.feedback]
    else:
        parts += [f"**Answer:** {question.key()[0]}."]
        parts += ["\n".join(_listed("-", f"*{wrong.answer}*: {wrong.feedback}") for wrong in question.wrong)]
    return "\n\n".join([*parts, question.explanation, f"Taught in @{question.section}."])


def compile_quizzes(book: Book) -> None:
    """Write `_build/quizzes/<chapter>.md` for each quiz, and what its element reads as `.json`, where they differ."""
    for chapter, quiz in quizzes(book):
        made, texts = page.skeleton(quiz, {outcome.id: outcome.text for outcome in Front.of(chapter).outcomes})
        target = book.build / "quizzes" / chapter.id
        write_if_changed(target.with_name(f"{target.name}.md"), markdown(quiz) + "\n" + page.fragments(texts))
        write_if_changed(target.with_name(f"{target.name}.json"), json.dumps(made, ensure_ascii=False))
