"""A table, one row a question, as CSV that spreadsheets open: UTF-8 with its mark, and no cell that is a formula.

Columns: id, chapter, section, kind, outcome, syllabus, difficulty, conceptual, variant (1, 2, … of a template), prompt,
key, tolerance, unit, picture, explanation; then for each answer (an option, a spelling, a wrong answer, an entry in its
order, a pair as "left → right", a place) answer_n, share_n (of the mark) and feedback_n. Texts are the book's Markdown,
formulas between dollar signs. A cell that a spreadsheet would run begins with an apostrophe.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from press.quiz.export.entries import Entry, allowed, asked, spellings
from press.quiz.export.job import Job
from press.quiz.export.prose import clean
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

MEDIA = ""
FORMULA = re.compile(r"[=+\-@\t\r'|%＝＋－＠]")
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.I)
HEAD = ["id", "chapter", "section", "kind", "outcome", "syllabus", "difficulty", "conceptual", "variant", "prompt",
        "key", "tolerance", "unit", "picture", "explanation"]
PLATFORMS = {"import": "Opens in Excel, LibreOffice and Google Sheets; texts are Markdown, pictures only named."}

Answer = tuple[str, float, str]


def write(job: Job) -> dict[str, bytes]:
    """The table, with as many answer columns as the longest question needs."""
    rows = [(_head(entry), list(_answers(entry))) for entry in job.entries]
    widest = max(len(answers) for _, answers in rows)
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(HEAD + [f"{name}_{i}" for i in range(1, widest + 1) for name in ("answer", "share", "feedback")])
    for entry, (head, answers) in zip(job.entries, rows, strict=True):
        job.report.became(entry, "a row", _remark(entry))
        cells = [*head, *(cell for text, share, told in answers for cell in (text, f"{share:.5g}", told))]
        table.writerow([safe(cell) for cell in cells] + [""] * 3 * (widest - len(answers)))
    return {"quizzes.csv": out.getvalue().encode("utf-8-sig")}


def _remark(entry: Entry) -> str:
    return "the picture is named, not inside" if isinstance(entry.question, Spot) else ""


def safe(cell: str) -> str:
    """The cell as a spreadsheet shows it and never runs it; a number stays one."""
    text = clean(cell)
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _head(entry: Entry) -> list[str]:
    q = entry.question
    number = [f"{allowed(q):.12g}", q.unit or ""] if isinstance(q, Number) else ["", ""]
    return [entry.id, entry.chapter.id, q.section, q.kind, q.outcome, " ".join(q.lines), str(q.difficulty),
            "yes" if q.conceptual else "no", str(entry.variant or ""), asked(q), "\n".join(q.key()), *number,
            q.figure if isinstance(q, Spot) else "", q.explanation]


def _answers(entry: Entry) -> Iterator[Answer]:
    match entry.question:
        case Choice() as q:
            right = sum(option.right for option in q.options)
            lost = -1 / right if q.kind == "multiple" else 0.0
            yield from ((o.text, 1 / right if o.right else lost, o.feedback) for o in q.options)
        case Number() as q:
            yield f"{q.answer:.15g}", 1.0, ""
            yield from ((str(wrong.answer), 0.0, wrong.feedback) for wrong in q.wrong)
        case Text() as q:
            yield from ((text, 1.0, "") for text in spellings(q))
            yield from ((str(wrong.answer), 0.0, wrong.feedback) for wrong in q.wrong)
        case Order() as q:
            yield from ((item, 1 / len(q.items), q.feedback if not i else "") for i, item in enumerate(q.items))
            yield from ((item, 0.0, "does not belong") for item in q.distractors)
        case Match() as q:
            yield from ((f"{pair.left} → {pair.right}", 1 / len(q.pairs), q.feedback if not i else "")
                        for i, pair in enumerate(q.pairs))
        case Spot() as q:
            yield from ((region.label, float(region.right), region.feedback) for region in q.regions)
            yield "elsewhere", 0.0, q.missed
