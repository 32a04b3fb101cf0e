"""Quizzes: the typed source, its checks, marking, and the Markdown that every form of the book shows."""

from press.quiz.checks import check, check_chapter
from press.quiz.printed import compile_quizzes, markdown
from press.quiz.source import Quiz, load, quizzes, schema

__all__ = ["Quiz", "check", "check_chapter", "compile_quizzes", "load", "markdown", "quizzes", "schema"]
