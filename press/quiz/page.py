"""The quiz of a page: its data for the self-marking element, and its answers for readers without scripts.

The compiled Markdown carries every text of every variant as a fragment, so that the engine renders it, with formulas,
numbers and links, like the rest of the page. `take` then moves the fragments out of the finished page: into one packed
script beside it, `<page>.quiz.js`, and the folded answers into `<page>.answers.html`.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from press.book import BookError
from press.quiz import compute
from press.quiz.source import Choice, Match, Number, Order, Question, Quiz, Spot, Text, Typed

SHOWN_VARIANTS = 12  # of a template; more would only weigh
CUT = "<!--quiz-fragment-->"
FRAGMENTS = re.compile(r'<div class="quiz-fragments"[^>]*>\s*' + CUT + r"(?P<all>.*?)<!--quiz-end-->\s*</div>", re.S)
ANSWER = re.compile(r'<details class="quiz-answer"><summary>(?P<title>.*?)</summary>(?P<body>.*?)</details>', re.S)
QUESTION = re.compile(r'id="(q-[a-z0-9-]+)"')
QUIZ = re.compile(r'<div class="quiz"(?P<rest>[^>]*)>')
PICTURE = re.compile(r'<img\b[^>]*?\bsrc="([^"]+)"')
TAGS = re.compile(r"<[^>]*>")
KEPT = (                                                     # code and formulas, as Pandoc reads them
        r"(?:(?<=\n)|^)[ \t]*(`{3,}|~{3,})[^\n{=`]*\n(?:.*?\n)?[ \t]*\2[ \t]*(?=\n|$)",
        r"(`+)(?!`)(?![ \t]*\{=)(?:(?!\n\s*\n).)*?(?<!`)\3(?!`)(?!\{=)", r"(?<!\\)\$\$(?:(?!\n\s*\n).)*?\$\$",
        r"(?<!\\)\$(?!\s)(?:(?!\n\n)[^$])+(?<!\s)\$(?!\d)")
RAW = re.compile(rf"(?P<kept>{'|'.join(KEPT)})"
                 r"|(?P<open><(?=[a-zA-Z/!?])|(?:(?<=\n)|^)[ \t]*(?::(?=::)|`(?=``)|~(?=~~))|\{(?==))", re.S)
PROSE = {"prompt", "explanation", "text", "feedback", "missed", "left", "right", "label", "items", "distractors",
         "answer", "unit"}
ASK = {"single": "Choose one.", "multiple": "Choose all that apply.", "number": "Give a number",
       "text": "Answer in a few words.", "shape": "Give the shape.", "output": "What does it print?",
       "order": "Put in order.", "match": "Match each item of the one list with one of the other.",
       "spot": "Mark the place on the picture, or name it."}
PARAGRAPH = re.compile(r"<p>((?:(?!</?p>).)*)</p>", re.S)


class Rich(str):
    """A text in the book's Markdown, to be rendered; other strings stay as they are."""


# ---- before the page is rendered -------------------------------------------------------------------------------------

def skeleton(quiz: Quiz, outcomes: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """What the element reads, with {"fragment": n} in the place of each text, and the texts. outcomes: id → text."""
    made = {"chapter": quiz.chapter, "outcomes": {name: Rich(text) for name, text in outcomes.items()},
            "questions": [_question(question) for question in quiz.questions]}
    texts = list(dict.fromkeys(_rich(made)))
    places = {text: {"fragment": i} for i, text in enumerate(texts)}
    return _replaced(made, lambda text: places[str(text)]) | {"texts": len(texts)}, texts


def ask(question: Question) -> str:
    """What the reader is to do, in a sentence."""
    unit = f" in {question.unit}" if getattr(question, "unit", None) else ""
    return ASK[question.kind] + (f"{unit}." if question.kind == "number" else
                                 " Some entries don't belong." if getattr(question, "distractors", None) else "")


def listing(*lines: str) -> str:
    """Python code as a block of Markdown, whatever stands in it."""
    code = "\n".join(lines).rstrip()
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{fence}python\n{code}\n{fence}"


def inert(part: Typed) -> Typed:
    """A question, or a part of one, whose texts are Markdown without html, divs and raw blocks."""
    code = getattr(part, "code", False) is True or getattr(part, "kind", "") in ("shape", "output")
    prose = PROSE - {"items", "distractors", "answer"} if code else PROSE
    return part.model_copy(update={name: _inert(value, name in prose) for name, value in part})


def _inert(value: Any, prose: bool) -> Any:
    if isinstance(value, list):
        return [_inert(item, prose) for item in value]
    return inert(value) if isinstance(value, Typed) else _text(value) if prose and isinstance(value, str) else value


def _text(text: str) -> str:
    """Markdown in which html, fences of divs and raw blocks are text; code and formulas stay as they are."""
    return RAW.sub(lambda m: m["kept"] or f"{m['open'][:-1]}\\{m['open'][-1]}", text)


def fragments(texts: list[str]) -> str:
    """The texts as a block of Markdown that only pages keep."""
    cut, end = (f"```{{=html}}\n{mark}\n```" for mark in (CUT, "<!--quiz-end-->"))
    parts = "\n\n".join(f"{cut}\n\n{text}" for text in texts)
    return f":::::: {{.quiz-fragments}}\n\n{parts}\n\n{end}\n\n::::::\n"


def _question(question: Question) -> dict[str, Any]:
    return {"id": question.id, "kind": question.kind, "hash": question.digest(), "outcome": question.outcome,
            "lines": question.lines, "difficulty": question.difficulty, "conceptual": question.conceptual,
            "section": Rich(f"@{question.section}"),
            "variants": [_variant(instance) for instance in compute.instances(question)[:SHOWN_VARIANTS]]}


def _variant(source: Question) -> dict[str, Any]:
    question = inert(source)
    return {"prompt": Rich(question.prompt), "ask": ask(source), "explanation": Rich(question.explanation),
            "key": Rich("\n\n".join(question.key())), **_own(question, source)}


def _own(question: Question, source: Question) -> dict[str, Any]:
    """question: what is shown; source: what answers are compared with."""
    match question:
        case Choice():
            return {"options": [{"html": Rich(o.text), "right": o.right, "feedback": Rich(o.feedback)}
                                for o in question.options]}
        case Number():
            names = ("answer", "tolerance", "relative", "unit", "units", "figures")
            return {name: getattr(source, name) for name in names} | {"wrong": _wrong(question, source)}
        case Text():
            code = f"\n\n{listing(question.code)}" if question.code else ""
            return {"prompt": Rich(question.prompt + code), "accept": [source.answer, *source.accept],
                    "wrong": _wrong(question, source)}
        case Order():
            return _order(question)
        case Match():
            return {"pairs": [{"left": Rich(p.left), "leftText": plain(p.left), "right": Rich(p.right),
                               "rightText": plain(p.right)}
                              for p in question.pairs], "feedback": Rich(question.feedback)}
        case Spot():
            regions = [{"html": Rich(r.label), "x": r.x, "y": r.y, "radius": r.radius, "right": r.right,
                        "feedback": Rich(r.feedback)} for r in question.regions]
            return {"figure": question.figure, "alt": question.alt, "regions": regions, "missed": Rich(question.missed)}
    raise TypeError(f"{type(question).__name__} has no form in the page")


def _order(question: Order) -> dict[str, Any]:
    texts = (*question.items, *question.distractors)
    entries = [{"text": text} if question.code else {"html": Rich(text), "text": plain(text)} for text in texts]
    count = len(question.items)
    steps = "\n".join(f"{i}. {item}" for i, item in enumerate(question.items, 1))
    return {"items": entries[:count], "distractors": entries[count:], "code": question.code,
            "feedback": Rich(question.feedback), "key": Rich(listing(*question.items) if question.code else steps)}


def _wrong(question: Number | Text, source: Number | Text) -> list[dict[str, Any]]:
    return [{"answer": str(raw.answer), "feedback": Rich(shown.feedback)}
            for shown, raw in zip(question.wrong, source.wrong, strict=True)]


def _rich(value: Any) -> Iterator[str]:
    if isinstance(value, Rich):
        yield str(value)
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _rich(item)


def _replaced(value: Any, replace) -> Any:
    if isinstance(value, Rich):
        return replace(value)
    if isinstance(value, dict):
        return {name: _replaced(item, replace) for name, item in value.items()}
    return [_replaced(item, replace) for item in value] if isinstance(value, list) else value


def plain(text: str) -> str:
    """The words of a Markdown text, for places that take no html: menus and names of buttons."""
    text = re.sub(r"[*_`$]|\[(?P<shown>[^\]]*)\]\([^)]*\)", lambda m: m["shown"] or "", text)
    return unescape(re.sub(r"\\(mathbf|mathrm|operatorname|text)\b|\\[,;!]|[{}]", "", text)).replace("\\", "").strip()


# ---- after the page is rendered --------------------------------------------------------------------------------------

@dataclass
class Taken:
    """A page without its answers, the data for the element, and the answers' html, "" each where there is no quiz."""

    html: str
    data: dict[str, Any] | None = None
    answers: str = ""


def take(html: str, made: dict[str, Any] | None, page: str) -> Taken:
    """Move a quiz's answers out of a finished page. made: its skeleton; page: the page's file name, "cnn.html"."""
    found = FRAGMENTS.search(html)
    if not found or made is None:
        return Taken(html)
    texts = [_unwrapped(text.strip()) for text in found["all"].split(CUT)]
    if (count := made.get("texts", len(texts))) != len(texts):
        raise BookError(f"the {count} texts of the quiz of {page} came out of Pandoc as {len(texts)}; "
                        "one leaves a block open")
    data = _pictured(_filled(made, texts), html) | {"page": page}
    stem = page.removesuffix(".html")
    answers: list[str] = []

    def fold(match: re.Match[str]) -> str:
        size = f"--lines: {_lines(match['body'])}"
        name = QUESTION.findall(html, 0, match.start())[-1].replace("q-", "a-", 1)
        body = re.sub(r"<pre(?=[ >])(?! tabindex)", '<pre tabindex="0"', match["body"])   # it scrolls: for the keyboard
        answers.append(f'<section class="answer" id="{name}">{body}</section>')
        return (f'<details class="quiz-answer"><summary>{match["title"]}</summary>'
                f'<iframe loading="lazy" style="{size}" '
                f'src="{stem}.answers.html#{name}" title="{escape(match["title"])}"></iframe></details>')

    rest = ANSWER.sub(fold, html[:found.start()] + html[found.end():])
    rest = QUIZ.sub(rf'<dl-quiz class="quiz"\g<rest> src="{stem}.quiz.js">', rest, count=1)
    return Taken(_closed(rest), data, re.sub(r'href="#', f'href="{page}#', "\n".join(answers)))


def _lines(html: str) -> int:
    """About how many lines an answer fills on a wide page, for the height of its frame."""
    blocks = (len(TAGS.sub("", block)) for block in re.split(r"</(?:p|li|pre|math)>|\n(?=.*</pre>)", html))
    return sum(1 + length // 80 for length in blocks if length > 1) + 1


def _pictured(data: dict[str, Any], html: str) -> dict[str, Any]:
    """With the picture of each question that asks for a place on one: the figure's on the page, or the file's."""
    for variant in (variant for question in data.get("questions", []) for variant in question["variants"]):
        if "figure" in variant:
            at = html.find(f'id="{variant["figure"]}"')
            shown = PICTURE.search(html, at) if at >= 0 else None
            variant["picture"] = f'<img src="{shown[1] if shown else escape(variant["figure"])}" alt="">'
    return data


def _closed(html: str) -> str:
    """The </div> that ends the element's content, as </dl-quiz>."""
    start = html.index("<dl-quiz")
    depth = 1
    for tag in re.finditer(r"<(/?)div\b[^>]*>", html[start:]):
        depth += -1 if tag[1] else 1
        if depth == 0:
            end = start + tag.end()
            return html[:start + tag.start()] + "</dl-quiz>" + html[end:]
    return html


def _unwrapped(html: str) -> str:
    """A fragment that is one paragraph without its tags, so that it fits into a label."""
    return PARAGRAPH.sub(r"\1", html) if PARAGRAPH.fullmatch(html) else html


def _filled(value: Any, texts: list[str]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"fragment"}:
            return texts[value["fragment"]]
        return {name: _filled(item, texts) for name, item in value.items()}
    return [_filled(item, texts) for item in value] if isinstance(value, list) else value


def script(data: dict[str, Any]) -> str:
    """The file `<page>.quiz.js`: a classic script, since that is what loads from a folder too."""
    return f'dlbookQuiz("{pack(data)}");\n'


def pack(value: Any) -> str:
    """Deflated JSON in base64, the same bytes for the same value."""
    squeezed = zlib.compressobj(9, wbits=-15)
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(squeezed.compress(text) + squeezed.flush()).decode()


def unpack(packed: str) -> Any:
    """The value that `pack` packed."""
    return json.loads(zlib.decompress(base64.b64decode(packed), wbits=-15))
