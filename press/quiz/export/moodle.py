r"""Moodle XML, as Moodle 4 and 5 import it: categories by chapter and section, formulas as `\( \)`, pictures inside.

What Moodle reads is defined by its own importer (question/format/xml/format.php and each question type's
import_from_xml); the fractions are those of its list of allowed grades.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from lxml import etree

from press.quiz.export.entries import (
    LINES,
    Entry,
    allowed,
    as_choice,
    asked,
    explained,
    line,
    one_line,
    places,
    spellings,
)
from press.quiz.export.job import Job, categories, element, slips
from press.quiz.export.pictures import Picture, find
from press.quiz.export.prose import Prose, clean
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

MEDIA = "@@PLUGINFILE@@/"
PENALTY = "0.3333333"
BOX = (600, 400)                 # Moodle shrinks a larger picture, and its places would then lie elsewhere
FRACTION = "{:.5f}"              # 33.33333 is in Moodle's list of grades, 33.3 is not
PLATFORMS = {
    "import": "In a course's question bank: Import, Moodle XML format. A second import adds new questions beside the "
              "old ones; delete the old category first.",
    "number": "Moodle reads 1e-3 and the units given; fractions, 3×10^-4 and a percentage for a share are the book's.",
    "text": "Moodle compares with the listed spellings; the book forgives quotes, hyphens and a final full stop too.",
    "order": "Questions without distractors need Moodle 4.4 or the plugin qtype_ordering; older ones skip them.",
    "spot": "Moodle says right or wrong; what the book says of each place stands in the general feedback.",
}


def write(job: Job) -> dict[str, bytes]:
    """One file for all: `<quiz>` with a category before the questions that belong to it."""
    quiz = element("quiz")
    for names, entries in categories(job):
        quiz.append(_category(names))
        quiz.extend(_question(job, entry) for entry in entries)
    return {"moodle.xml": etree.tostring(quiz, xml_declaration=True, encoding="UTF-8", pretty_print=True)}


def _category(names: Iterable[str]) -> etree._Element:
    """Moodle's path of a category; a slash in a name is doubled."""
    path = "/".join(["$course$", "top", *(clean(name).replace("/", "//") for name in names)])
    return element("question", element("category", element("text", text=path)),
                   element("info", element("text", text=""), format="html"), type="category")


def _question(job: Job, entry: Entry) -> etree._Element:
    kind, remark, parts = _parts(job, entry)
    job.report.became(entry, kind, remark)
    prose, question = job.of(entry), entry.question
    shown = asked(question)
    alt = f"<p>(The picture shows: {prose.inline(question.alt)})</p>" if isinstance(question, Spot) else ""
    told = explained(question)
    return element(
        "question", element("name", element("text", text=entry.id)),
        _html("questiontext", prose.html(shown) + alt, prose.pictures(shown)),
        _html("generalfeedback", prose.html(told), prose.pictures(told)),
        element("defaultgrade", text="1"), element("penalty", text=PENALTY), element("hidden", text="0"),
        element("idnumber", text=entry.id), *parts,
        element("tags", *(element("tag", element("text", text=tag)) for tag in entry.tags)), type=kind)


def _parts(job: Job, entry: Entry) -> tuple[str, str, list[etree._Element]]:
    """Moodle's question type, a remark for the report, and what is particular to the type."""
    prose = job.of(entry)
    match entry.question:
        case Choice() as question:
            return "multichoice", "", _choice(prose, question)
        case Number() as question:
            return "numerical", "", _number(job, entry, question)
        case Text() as question if one_line(question):
            return "shortanswer", "", _short(prose, question)
        case Text() as question:
            return "multichoice", LINES, _choice(prose, as_choice(question))
        case Order(distractors=[]) as question:
            return "ordering", "", _ordering(prose, question)
        case Order() as question:
            return "match", "has distractors, which Moodle's ordering lacks: each entry is given its place", \
                _match(prose, places(question))
        case Match() as question:
            return "match", *_sides(prose, question)
        case Spot() as question:
            return "ddmarker", "", _marker(entry, question)
    raise TypeError(f"{entry.question.kind} is no kind that Moodle XML can be written for")


# ---- the question types ----------------------------------------------------------------------------------------------

def _choice(prose: Prose, question: Choice) -> list[etree._Element]:
    right = sum(option.right for option in question.options)
    lost = "-" + FRACTION.format(100 / right) if question.kind == "multiple" else "0"
    return [element("single", text=str(question.kind == "single").lower()), element("shuffleanswers", text="true"),
            element("answernumbering", text="abc"), element("showstandardinstruction", text="1"), *_combined(),
            *(_answer(prose, prose.inline(option.text), option.feedback, _share(option.right, right, lost),
                      prose.pictures(option.text)) for option in question.options)]


def _share(right: bool, of: int, lost: str) -> str:
    share = FRACTION.format(100 / of) if right else lost
    return share.rstrip("0").rstrip(".") if "." in share else share


def _number(job: Job, entry: Entry, question: Number) -> list[etree._Element]:
    prose, reach = job.of(entry), f"{allowed(question):.12g}"
    wrong = [_answer(prose, f"{value:.15g}", told, "0", tolerance=reach, plain=True)
             for value, told in slips(question, job.report)]
    answers = [_answer(prose, f"{question.answer:.15g}", "", "100", tolerance=reach, plain=True), *wrong]
    if not question.unit:
        return [*answers, element("unitgradingtype", text="0"), element("showunits", text="3")]
    factors = {question.unit: 1.0} | question.units | ({} if "%" in (question.unit, *question.units) else {"%": 0.01})
    units = [element("unit", element("multiplier", text=f"{1 / factor:.12g}"),
                     element("unit_name", text=clean(name))) for name, factor in factors.items()]
    return [*answers, element("units", *units), element("unitgradingtype", text="0"),
            element("unitpenalty", text="0.1"), element("showunits", text="0"), element("unitsleft", text="0")]


def _short(prose: Prose, question: Text) -> list[etree._Element]:
    """Spellings of the answer, then the wrong answers; a star would stand for any text."""
    right = [_answer(prose, _starless(text), "", "100", plain=True) for text in spellings(question)]
    wrong = [_answer(prose, _starless(str(w.answer)), w.feedback, "0", plain=True) for w in question.wrong]
    return [element("usecase", text=str(int(question.kind == "output"))), *right, *wrong]


def _starless(text: str) -> str:
    return clean(text).replace("*", r"\*")


def _ordering(prose: Prose, question: Order) -> list[etree._Element]:
    settings = {"layouttype": "VERTICAL", "selecttype": "ALL", "selectcount": "0",
                "gradingtype": "LONGEST_ORDERED_SUBSET", "showgrading": "SHOW", "numberingstyle": "none"}
    items = [line(question, item) for item in question.items]
    return [*(element(name, text=value) for name, value in settings.items()), *_combined(),
            *(_answer(prose, prose.inline(item), "", str(i), prose.pictures(item)) for i, item in enumerate(items, 1))]


def _sides(prose: Prose, question: Match) -> tuple[str, list[etree._Element]]:
    """Pairs whose right sides stand in a menu, which shows plain text: the side without formulas goes there."""
    pairs = [(pair.left, pair.right) for pair in question.pairs]
    rich = [any(prose.inline(pair[side]) != _escaped(prose.plain(pair[side])) for pair in pairs) for side in (0, 1)]
    if rich[1] and not rich[0]:
        return "the sides are exchanged, for menus show no formulas", \
            _match(prose, [(right, prose.plain(left)) for left, right in pairs])
    remark = "the menus show formulas and code as plain text" if rich[1] else ""
    return remark, _match(prose, [(left, prose.plain(right)) for left, right in pairs])


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _match(prose: Prose, pairs: Iterable[tuple[str, str]]) -> list[etree._Element]:
    """pairs: what is shown, as Markdown, and the entry of the menu, as plain text."""
    asked_for = [_html("subquestion", prose.inline(left), prose.pictures(left)) for left, _ in pairs]
    for subquestion, (_, right) in zip(asked_for, pairs, strict=True):
        subquestion.append(element("answer", element("text", text=clean(right))))
    return [element("shuffleanswers", text="true"), *_combined(), *asked_for]


def _marker(entry: Entry, question: Spot) -> list[etree._Element]:
    """One marker to drag; the right region is a disc in pixels of the picture as it is stored."""
    picture = find(entry.chapter, question.figure).fitted(*BOX)
    width, height = picture.size
    right = next(region for region in question.regions if region.right)
    disc = f"{width * right.x / 100:.0f},{height * right.y / 100:.0f};{max(1, width * right.radius / 100):.0f}"
    return [element("shuffleanswers"), element("showmisplaced"), *_combined(), _file(picture),
            element("drag", element("no", text="1"), element("text", text="here"), element("noofdrags", text="1")),
            element("drop", element("no", text="1"), element("shape", text="circle"), element("coords", text=disc),
                    element("choice", text="1"))]


# ---- pieces ----------------------------------------------------------------------------------------------------------

def _answer(prose: Prose, text: str, feedback: str, fraction: str, files: Iterable[Picture] = (),
            tolerance: str | None = None, plain: bool = False) -> etree._Element:
    told = _html("feedback", prose.html(feedback), prose.pictures(feedback)) if feedback else _html("feedback", "")
    made = _html("answer", text, files)
    made.set("format", "moodle_auto_format" if plain else "html")
    made.set("fraction", fraction)
    made.append(told)
    if tolerance is not None:
        made.append(element("tolerance", text=tolerance))
    return made


def _html(tag: str, markup: str, files: Iterable[Picture] = ()) -> etree._Element:
    return element(tag, element("text", text=_data(markup)), *map(_file, files), format="html")


def _data(markup: str) -> str | etree.CDATA:
    """Markup as CDATA, as Moodle writes it; as escaped text where CDATA would end early."""
    return etree.CDATA(markup) if markup and "]]>" not in markup else markup


def _file(picture: Picture) -> etree._Element:
    return element("file", text=base64.b64encode(picture.data).decode(), name=picture.name, path="/", encoding="base64")


def _combined() -> list[etree._Element]:
    """Words for all right, partly right and wrong."""
    said = {"correctfeedback": "Right.", "partiallycorrectfeedback": "Partly right.", "incorrectfeedback": "Not right."}
    return [*(_html(tag, words) for tag, words in said.items()), element("shownumcorrect")]
