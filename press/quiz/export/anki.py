r"""Anki: one deck a chapter, a note a question, formulas as `\( \)` for its MathJax, pictures in the package.

Ids of decks and note types are computed from names, and a note's from its question: importing again updates the notes
and doubles none. A note's time is that of its quiz file, or SOURCE_DATE_EPOCH, so that Anki sees what is newer.
"""

from __future__ import annotations

import hashlib
import html
import io
import os
import random
import re
import string
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import genanki

from press.quiz.export.entries import LINES, Entry, as_choice, asked, explained, line, one_line
from press.quiz.export.job import Job, zipped
from press.quiz.export.pictures import Picture, find
from press.quiz.export.prose import Prose, clean
from press.quiz.source import Choice, Match, Number, Order, Question, Spot, Text

MEDIA = ""
PLATFORMS = {
    "import": "Import into Anki 2.1.28 or newer (desktop, AnkiDroid, AnkiMobile). Importing again updates the notes; "
           "reviews are kept. The reader judges the answer: Anki marks nothing by itself.",
    "spot": "The back shows the picture with a ring around the place.",
}
CSS = """.card { font-family: sans-serif; font-size: 18px; text-align: left; max-width: 40em; margin: 0 auto; }
ol.options { list-style: upper-alpha; } pre { overflow-x: auto; } img { max-width: 100%; }
.right { color: #00796f; font-weight: bold; } .wrong { color: #b3263f; }
.nightMode .right { color: #4fc3b5; } .nightMode .wrong { color: #ff8a9a; }
.source { font-size: 14px; opacity: .8; }"""
FRONT = "<div class=question>{{Question}}</div>{{Given}}"
BACK = ("{{FrontSide}}<hr id=answer>{{Answer}}<div class=feedback>{{Feedback}}</div>"
        "<div class=explanation>{{Explanation}}</div><div class=source>{{Id}}</div>")
FIELDS = ["Id", "Question", "Given", "Answer", "Feedback", "Explanation"]


def write(job: Job) -> dict[str, bytes]:
    """One package with a deck for each chapter."""
    media: dict[str, bytes] = {}
    decks = []
    for chapter, entries in job.chapters():
        deck = genanki.Deck(_number(f"deck {chapter.id}"), f"{clean(job.book.title)}::{clean(entries[0].title)}")
        for entry in entries:
            deck.add_note(_note(job, entry, media))
        decks.append((deck, _time(chapter.quiz)))
    return {"dlbook.apkg": _package(decks, media)}


def _number(name: str) -> int:
    """A number that Anki takes for an id, the same for a name in every build."""
    return int.from_bytes(hashlib.sha256(f"dlbook {name}".encode()).digest()[:5], "big") + (1 << 30)


def _time(path: Path) -> float:
    return float(os.environ.get("SOURCE_DATE_EPOCH") or int(path.stat().st_mtime))


def _model(name: str) -> genanki.Model:
    return genanki.Model(_number(f"note type {name}"), f"dlbook {name}", fields=[{"name": name} for name in FIELDS],
                         templates=[{"name": "Card", "qfmt": FRONT, "afmt": BACK}], css=CSS)


MODELS = {name: _model(name) for name in ("choice", "open")}


def _note(job: Job, entry: Entry, media: dict[str, bytes]) -> genanki.Note:
    model, remark, given, answer, feedback, pictures = _sides(job, entry)
    job.report.became(entry, f"{model} card", remark)
    prose = job.of(entry)
    media.update((picture.name, picture.data) for picture in [*pictures, *job.pictures(entry)])
    shown, told = prose.html(asked(entry.question)), prose.html(explained(entry.question))
    fields = [entry.id, shown, given, answer, feedback, told]
    return genanki.Note(MODELS[model], [_silent(field) for field in fields], guid=genanki.guid_for("dlbook", entry.id),
                        tags=["dlbook", *(re.sub(r"\s+", "::", tag) for tag in entry.tags)])


def _silent(markup: str) -> str:
    """Anki would play [sound:…] and read [anki:…]; here they are text."""
    return re.sub(r"\[(?=(sound|anki):)", "&#91;", markup)


Sides = tuple[str, str, str, str, str, list[Picture]]


def _sides(job: Job, entry: Entry) -> Sides:
    """Note type, remark, what is given, the answer, feedback and the pictures that these show."""
    prose = job.of(entry)
    match entry.question:
        case Choice() as question:
            return _choice(prose, question, "")
        case Text() as question if not one_line(question):
            return _choice(prose, as_choice(question), LINES)
        case Number() | Text() as question:
            return "open", "", "", _key(question), _slips(prose, question), []
        case Order() as question:
            return _order(prose, question)
        case Match() as question:
            return _match(prose, question)
        case Spot() as question:
            return _spot(prose, entry, question)
    raise TypeError(f"{entry.question.kind} is no kind that an Anki note can be written for")


def _shuffled(question: Question, items: Iterable) -> list:
    """In an order that does not tell the answer and stays the same, so that an update changes nothing."""
    found = list(items)
    random.Random(question.id).shuffle(found)
    return found


def _choice(prose: Prose, question: Choice, remark: str) -> Sides:
    options = _shuffled(question, question.options)
    given = _list("ol", (prose.inline(option.text) for option in options), "options")
    right = [letter for letter, option in zip(string.ascii_uppercase, options, strict=False) if option.right]
    told = _list("ol", (_verdict(option.right, prose.inline(option.feedback)) for option in options), "options")
    return "choice", remark, given, f'<p class="right">{", ".join(right)}</p>', told, []


def _verdict(right: bool, told: str) -> str:
    return f'<span class="{"right" if right else "wrong"}">{"Right" if right else "Wrong"}.</span> {told}'


def _key(question: Number | Text) -> str:
    """The answer; other spellings that are accepted stand beside it."""
    if isinstance(question, Number):
        return f'<p class="right">{html.escape(clean(question.key()[0]), quote=False)}</p>'
    tag = "span" if question.kind == "text" else "code"
    shown = " or ".join(f"<{tag}>{html.escape(clean(text), quote=False)}</{tag}>"
                        for text in dict.fromkeys([question.answer, *question.accept]))
    return f'<p class="right">{shown}</p>'


def _slips(prose: Prose, question: Number | Text) -> str:
    return _list("ul", (f"<code>{html.escape(clean(str(wrong.answer)), quote=False)}</code>: "
                        f"{prose.inline(wrong.feedback)}" for wrong in question.wrong))


def _order(prose: Prose, question: Order) -> Sides:
    entries = _shuffled(question, [*question.items, *question.distractors])
    given = _list("ul", (prose.inline(line(question, entry)) for entry in entries))
    answer = _list("ol", (prose.inline(line(question, item)) for item in question.items))
    strangers = _list("ul", (prose.inline(line(question, entry)) for entry in question.distractors))
    told = f"<p>These do not belong:</p>{strangers}" if question.distractors else ""
    return "open", "the reader judges the order", given, answer, told, []


def _match(prose: Prose, question: Match) -> Sides:
    left = _list("ul", (prose.inline(pair.left) for pair in question.pairs))
    right = _list("ul", (prose.inline(pair.right) for pair in _shuffled(question, question.pairs)))
    answer = _list("ul", (f"{prose.inline(pair.left)} — {prose.inline(pair.right)}" for pair in question.pairs))
    return "open", "the reader judges the pairs", f"{left}<p>with</p>{right}", answer, "", []


def _spot(prose: Prose, entry: Entry, question: Spot) -> Sides:
    picture = find(entry.chapter, question.figure)
    right = next(region for region in question.regions if region.right)
    ringed = picture.ringed(right.x, right.y, right.radius)
    alt = html.escape(prose.plain(question.alt))
    given, answer = (f'<p><img src="{p.name}" alt="{alt}"></p>' for p in (picture, ringed))
    return "open", "the reader judges the place", given, f"<p>{prose.inline(right.label)}</p>{answer}", "", \
        [picture, ringed]


def _list(tag: str, items: Iterable[str], name: str = "") -> str:
    entries = "".join(f"<li>{item}</li>" for item in items)
    return f'<{tag} class="{name}">{entries}</{tag}>' if name else f"<{tag}>{entries}</{tag}>"


def _package(decks: list[tuple[genanki.Deck, float]], media: dict[str, bytes]) -> bytes:
    """The package's bytes, written anew without genanki's clock."""
    with tempfile.TemporaryDirectory() as folder:
        for name, data in media.items():
            (Path(folder) / name).write_bytes(data)
        package = genanki.Package([deck for deck, _ in decks], [str(Path(folder) / name) for name in sorted(media)])
        out = Path(folder) / "out.apkg"
        package.write_to_file(out, timestamp=max(time for _, time in decks))
        with zipfile.ZipFile(io.BytesIO(out.read_bytes())) as archive:
            return zipped({name: archive.read(name) for name in sorted(archive.namelist())})
