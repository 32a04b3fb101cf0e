"""What the reader's own pages read: every question without its text, and the plans of recap quizzes and exams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

from press.book import Book
from press.courses import courses
from press.front import Front
from press.quiz import quizzes
from press.quiz.blueprint import FORMS, Blueprint, Drawn, blueprints, draw

Template = tuple[str, str, str, dict[str, Any]]  # a page's id, title, template and what it shows


def pages(book: Book) -> Iterator[Template]:
    """The reader's progress, the list of exams and a page for each; none where the book asks nothing."""
    if not any(chapter.quiz.is_file() for chapter in book):
        return
    every = list(blueprints(book))
    yield "progress", "My progress", "progress.html", {"exams": bool(every)}
    if every:
        yield "exams/index", "Recap quizzes and exams", "exams.html", {"exams": every}
    for name, blueprint in every:
        yield f"exams/{name}", blueprint.title, "exam.html", {"name": name, "exam": blueprint,
                                                              "drawn": draw(book, blueprint)}


def scripts(book: Book, titles: dict[str, str]) -> dict[str, str]:
    """Site path → script, of what these pages read. titles: chapter id → its title."""
    if not any(chapter.quiz.is_file() for chapter in book):
        return {}
    exams = {f"exams/{name}.js": exam_script(book, blueprint) for name, blueprint in blueprints(book)}
    return {"quiz-index.js": index_script(book, titles), **exams}


def index_script(book: Book, titles: dict[str, str]) -> str:
    """`quiz-index.js`: every question without its text. titles: chapter id → its title."""
    chapters = [{"id": c.id, "title": titles[c.id], "number": c.number, "part": c.part, "url": c.url,
                 "quiz": c.url.replace(".html", ".quiz.js"),
                 "outcomes": {outcome.id: escape(outcome.text) for outcome in Front.of(c).outcomes},
                 "questions": [{"id": q.id, "hash": q.digest(), "outcome": q.outcome, "lines": q.lines,
                                "difficulty": q.difficulty} for q in quiz.questions]} for c, quiz in quizzes(book)]
    every = {course.letter: course.title for course in courses(book)}
    return f"dlbookIndex({_json({'chapters': chapters, 'courses': every})});\n"


def exam_script(book: Book, blueprint: Blueprint) -> str:
    """`exams/<name>.js`: which question stands in each place of each form."""
    forms = [draw(book, blueprint, form) for form in range(FORMS)]
    used = {item.chapter.id: f"../{item.chapter.url.replace('.html', '.quiz.js')}" for form in forms for item in form}
    plan = {"title": blueprint.title, "kind": blueprint.kind, "minutes": blueprint.minutes, "quizzes": used,
            "forms": [[_place(item) for item in form] for form in forms]}
    return f"dlbookExam({_json(plan)});\n"


def _place(item: Drawn) -> dict[str, Any]:
    return {"chapter": item.chapter.id, "id": item.question.id, "variant": item.variant, "section": item.section.title,
            "points": item.section.points}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
