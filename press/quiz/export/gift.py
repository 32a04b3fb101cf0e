r"""GIFT, Moodle's text format: HTML with formulas as `\( \)`; pictures have no place in it.

What is escaped and where a question ends is defined by Moodle's importer (question/format/gift/format.php).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from press.quiz.export.entries import Entry, allowed, as_choice, asked, explained, one_line, places, spellings
from press.quiz.export.job import Job, categories, slips
from press.quiz.export.prose import Prose, clean
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

MEDIA = "picture:"
RESERVED = re.compile(r"[\\~=#{}:]")
PLATFORMS = {
    "import": "Import into Moodle's question bank as GIFT format. Moodle XML keeps more: pictures, units, ordering.",
    "number": "Units are not read; the question says in which unit to answer.",
    "order": "GIFT has no ordering: each entry is matched with its place.",
}


def write(job: Job) -> dict[str, bytes]:
    """One file for all; a blank line ends a question, so no question has one."""
    blocks = ["// " + clean(job.book.title).replace("\n", " ")]
    for names, entries in categories(job):
        written = [text for entry in entries if (text := _question(job, entry))]
        blocks += [_category(names), *written] if written else []
    return {"gift.txt": ("\n\n".join(blocks) + "\n").encode()}


def _category(names: Iterable[str]) -> str:
    return "$CATEGORY: " + "/".join(["$course$", "top", *(" ".join(clean(name).replace("/", "//").split())
                                                            for name in names)])


def _question(job: Job, entry: Entry) -> str | None:
    if isinstance(entry.question, Spot):
        return job.report.leave(entry, "GIFT holds no pictures")
    kind, remark, answers = _answers(job, entry)
    shown = len(job.pictures(entry))
    job.report.became(entry, kind, remark + ("; " if remark and shown else "") +
                      ("its picture is left out, for GIFT holds none" if shown else ""))
    prose = job.of(entry)
    head = f"// [id:{entry.id}] " + " ".join(f"[tag:{tag}]" for tag in entry.tags)
    return "\n".join([head, f"::{entry.id}::{_html(prose, asked(entry.question))}" + "{" + ("#" if kind == "numerical"
                      else ""), *answers, f"####{_html(prose, explained(entry.question))}", "}"])


def _answers(job: Job, entry: Entry) -> tuple[str, str, list[str]]:
    prose = job.of(entry)
    match entry.question:
        case Choice() as question:
            return "multichoice", "", _choice(prose, question)
        case Number() as question:
            return "numerical", "", _number(job, prose, question)
        case Text() as question if one_line(question) and not _arrow(question):
            return "shortanswer", "case is ignored" if question.kind == "output" else "", _short(prose, question)
        case Text() as question:
            why = "has an arrow, which GIFT takes for matching" if one_line(question) else "has several lines"
            return "multichoice", f"the answer {why}: the wrong answers are its options", \
                _choice(prose, as_choice(question))
        case Order() as question:
            return "match", "each entry is given its place", _match(prose, places(question))
        case Match() as question:
            return "match", "the menus show plain text", \
                _match(prose, [(pair.left, prose.plain(pair.right)) for pair in question.pairs])
    raise TypeError(f"{entry.question.kind} is no kind that GIFT can be written for")


def _arrow(question: Text) -> bool:
    return any("->" in text for text in (*spellings(question), *(str(wrong.answer) for wrong in question.wrong)))


def _choice(prose: Prose, question: Choice) -> list[str]:
    right = sum(option.right for option in question.options)
    share = f"{100 / right:.5f}".rstrip("0").rstrip(".")
    marks = {True: "=", False: "~"} if question.kind == "single" else {True: f"~%{share}%", False: f"~%-{share}%"}
    return [f"{marks[option.right]}{_html(prose, option.text)}#{_html(prose, option.feedback)}"
            for option in question.options]


def _number(job: Job, prose: Prose, question: Number) -> list[str]:
    reach = f"{allowed(question):.12g}"
    wrong = [f"=%0%{value:.15g}:{reach}#{_html(prose, told)}" for value, told in slips(question, job.report)]
    return [f"={question.answer:.15g}:{reach}", *wrong]


def _short(prose: Prose, question: Text) -> list[str]:
    """Spellings, then wrong answers; their texts are plain, and a star would stand for any text."""
    right = [f"=%100%{_plain(text)}" for text in spellings(question)]
    return [*right, *(f"=%0%{_plain(str(wrong.answer))}#{_html(prose, wrong.feedback)}" for wrong in question.wrong)]


def _match(prose: Prose, pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"={_html(prose, left)} -> {_escaped(clean(right))}" for left, right in pairs]


def _html(prose: Prose, text: str) -> str:
    """HTML on one line, its pictures as their alternative texts."""
    markup = re.sub(r'<img src="picture:[^"]*" alt="([^"]*)">', r"[picture: \1]", prose.inline(text))
    return "[html]" + _escaped(markup).replace("->", "-&gt;")


def _plain(text: str) -> str:
    """A short answer; a star or a bracket at its start would not be read as itself."""
    return "[plain]" + _escaped(clean(text).replace("*", r"\*"))


def _escaped(text: str) -> str:
    return RESERVED.sub(r"\\\g<0>", text).replace("\n", r"\n")
