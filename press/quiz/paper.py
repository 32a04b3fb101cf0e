"""Exams on paper: a blueprint's form, and its key with the marking scheme, set by Typst."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import typst

from press.book import Book, BookError
from press.files import write_if_changed
from press.quiz import compute, page, printed
from press.quiz.blueprint import Blueprint, Drawn, blueprints, draw
from press.quiz.source import Choice, Match, Number, Order, Question
from press.render import pandoc
from press.render.pages import digest

ROOM = {"number": 22, "text": 16, "shape": 12, "output": 22}  # millimetres for the answer
REFERENCE = re.compile(r"@((?:sec|fig|tbl|eq|thm|lem|def|exm|exr)-[\w-]+)")
CITATION = re.compile(r"\s*\[@[^\]]*\]")
FORM = "ABCDE"


def scheme(question: Question, points: float) -> str:
    """How the points of a question are given, in a sentence."""
    whole = f"{points:g} {'point' if points == 1 else 'points'}"
    match question:
        case Choice(kind="multiple"):
            return f"{whole}: right choices less wrong ones, over the number of right ones, never below 0."
        case Order():
            return f"{whole}: the longest run in the right order, less entries that don't belong, over the items."
        case Match():
            return f"{whole}: the share of right pairs."
        case Number(figures=int(figures)):
            return f"{whole} within the tolerance; ask for {figures} significant figures."
        case Number():
            return f"{whole} within the tolerance."
    return f"{whole}, all or nothing."


def form_number(form: str) -> int:
    """0 for "A" and so on. Raises BookError for a letter that no form has."""
    if len(form) != 1 or form.upper() not in FORM:
        raise BookError(f"form {form!r} is none of {', '.join(FORM)}; choose one of these")
    return FORM.index(form.upper())


def write(book: Book, name: str, blueprint: Blueprint, form: int, folder: Path) -> list[Path]:
    """Write `<name>.pdf` and `<name>-key.pdf` for a form into the folder. Raises BookError where Typst refuses."""
    drawn = draw(book, blueprint, form)
    return [_pdf(book, blueprint, form, drawn, key, folder / f"{name}{'-key' if key else ''}.pdf")
            for key in (False, True)]


def every(book: Book) -> None:
    """Write form A of each blueprint and its key into `_build/exams`, as far as they changed."""
    for name, blueprint in blueprints(book):
        write(book, name, blueprint, 0, book.build / "exams")


def _pdf(book: Book, blueprint: Blueprint, form: int, drawn: list[Drawn], key: bool, target: Path) -> Path:
    points = sum(item.section.points for item in drawn)
    head = {"title": blueprint.title, "form": FORM[form], "minutes": blueprint.minutes, "points": points, "key": key}
    values = ", ".join(f"{name}: {'none' if value is None else json.dumps(value)}" for name, value in head.items())
    text = _resolved(book, _markdown(blueprint, drawn, key))
    style = (book.root / "theme/print/exam.typ").read_text(encoding="utf-8")
    stamp, now = book.build / "typst" / f"exam-{target.stem}.key", digest(values, text, style, str(target))
    if not (target.is_file() and stamp.is_file() and stamp.read_text() == now):
        head = f'#import "/theme/print/exam.typ": exam, question\n#show: exam.with({values})\n\n'
        _compile(book, head + _typst(book, text), target)
        write_if_changed(stamp, now)
    return target


def _compile(book: Book, text: str, target: Path) -> None:
    source = book.build / "typst" / f"exam-{target.stem}.typ"
    write_if_changed(source, text)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_bytes(typst.compile(source, root=book.root, ignore_system_fonts=True))
    except typst.TypstError as error:
        raise BookError(f"Typst cannot set {target.name}: {error.message}") from None


def _markdown(blueprint: Blueprint, drawn: list[Drawn], key: bool) -> str:
    parts = ["" if key else blueprint.introduction]
    numbers = iter(range(1, len(drawn) + 1))
    for section, items in groupby(drawn, key=lambda item: item.section):
        parts.append(f"## {section.title}")
        parts += [_question(next(numbers), item, key) for item in items]
    return "\n\n".join(parts)


def _question(number: int, item: Drawn, key: bool) -> str:
    question = page.inert(compute.instances(item.question)[item.variant])
    points = scheme(question, item.section.points) if key else f"({item.section.points:g} points)"
    body = printed.answer(question) if key else printed.asked(question)
    room = 0 if key else ROOM.get(question.kind, 4)
    return (f"```{{=typst}}\n#question({json.dumps(f'{number}.')}, {json.dumps(points)}, {room})[\n```\n\n{body}\n\n"
            "```{=typst}\n]\n```")


def _resolved(book: Book, markdown: str) -> str:
    """The text with cross-references as words, without citations."""
    return CITATION.sub("", REFERENCE.sub(lambda found: _named(book, found[1]), markdown))


def _typst(book: Book, text: str) -> str:
    out, complaints = pandoc.run(["--from", "markdown-citations", "--to", "typst", "--wrap=none"], text, book.root)
    if complaints:
        raise BookError(f"the exam cannot be set: {complaints[0].message}")
    return out


def _named(book: Book, label: str) -> str:
    """What a cross-reference reads in the book."""
    known = _labels(book.build / "labels.json").get(label)
    if not known:
        raise BookError(f"@{label} is no label of the book as it was last rendered; run dlbook render first")
    return f"{known['text']} ({known['title']})" if known["title"] else known["text"]


def _labels(path: Path) -> dict[str, dict[str, str]]:
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


@lru_cache(maxsize=2)
def _read(path: Path, mtime_ns: int) -> dict[str, dict[str, str]]:
    return json.loads(path.read_text(encoding="utf-8"))
