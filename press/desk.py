"""What the reader's own pages read: every question without its text, and the plans of recap quizzes and exams."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from press.book import Book
from press.courses import courses
from press.front import Front
from press.quiz import quizzes
from press.quiz.blueprint import FORMS, Blueprint, Drawn, draw


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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
