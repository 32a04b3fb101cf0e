"""Marking, as every place does it: the share of a question that a response earns, from 0 to 1.

`theme/elements/quiz-marking.js` does the same in the page; a test holds the two equal on random responses.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from press.quiz.source import Choice, Match, Number, Order, Question, Spot, Text

SIGNS = dict.fromkeys(map(ord, "−‐‑–—﹣－"), "-") | {ord("٫"): "."}
TIMES = re.compile(r"\s*(?:[×x·*⋅]\s*)10\s*\^?\s*([+-]?\d+)$|^([+-]?)10\s*\^\s*([+-]?\d+)$", re.I)
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.I)


def mark(question: Question, response: Any) -> float:
    """The share earned, 0 to 1. response: what the page hands over for the kind —

    single: an option's index; multiple: a list of indices; number, text, shape, output: the text written; order: the
    entries in the reader's order; match: the right side chosen for each pair, in the pairs' order; spot: (x, y) in per
    cent of the picture.
    """
    match question:
        case Choice():
            return _choice(question, response if isinstance(response, (list, tuple, set)) else [response])
        case Number():
            return float(number_right(question, str(response)))
        case Text():
            return float(text_right(question, str(response)))
        case Order():
            return _order(question, list(response))
        case Match():
            right = sum(pair.right == given for pair, given in zip(question.pairs, response, strict=False))
            return right / len(question.pairs)
        case Spot():
            found = region(question, *response)
            return float(found is not None and question.regions[found].right)
    raise TypeError(f"{type(question).__name__} is no kind of question that can be marked")


def _choice(question: Choice, chosen: Sequence[int]) -> float:
    """Right choices less wrong ones, over the number of right ones, never below 0."""
    right = {i for i, option in enumerate(question.options) if option.right}
    chosen = set(chosen)
    return max(0, len(chosen & right) - len(chosen - right)) / len(right)


def _order(question: Order, given: list[str]) -> float:
    """The longest run of entries in the right relative order, less the distractors used, over the number of items."""
    places = [question.items.index(entry) for entry in given if entry in question.items]
    ends: list[int] = []
    for place in places:
        at = bisect_left(ends, place)
        ends[at:at + 1] = [place]
    strangers = len(given) - len(places)
    return max(0, len(ends) - strangers) / len(question.items)


def region(question: Spot, x: float, y: float, aspect: float = 1.0) -> int | None:
    """The region that a place falls into, the nearest of several. aspect: the picture's height over its width."""
    distances = [((x - r.x) ** 2 + ((y - r.y) * aspect) ** 2) ** 0.5 / r.radius for r in question.regions]
    nearest = min(range(len(distances)), key=distances.__getitem__)
    return nearest if distances[nearest] <= 1 else None


# ---- numbers ---------------------------------------------------------------------------------------------------------

def number_right(question: Number, written: str) -> bool:
    """Whether one reading of what is written lies within the tolerance."""
    return any(accepts(question, value) for value in readings(question, written))


def accepts(question: Number, value: float) -> bool:
    """Whether a value, in the answer's unit, lies within the tolerance."""
    allowed = max(question.tolerance, question.relative * abs(question.answer))
    return abs(float(value) - question.answer) <= allowed + 1e-9 * abs(question.answer)


def readings(question: Number, written: str) -> list[float]:
    """What the text may mean, in the answer's unit: none where it is no number or has a unit that is not known.

    Unicode digits, minus signs and spaces, 1e-3, 3×10^-4, fractions and percentages are read. A comma may be the
    decimal point or part thousands; where both are possible, both readings count.
    """
    text = unicodedata.normalize("NFKC", written).translate(SIGNS).strip()
    text, factor = _unit(question, text)
    return [value * factor for form in _commas(re.sub(r"[\s'’_]+(?=\d)|(?<=\d)[\s'’_]+$", "", text))
            if (value := _number(form)) is not None]


def _unit(question: Number, text: str) -> tuple[str, float]:
    """The text without its unit, and the factor into the answer's unit; an unknown unit stays and spoils the number."""
    known = ({question.unit: 1.0} if question.unit else {}) | question.units
    if question.unit != "%":
        known |= {"%": 0.01}
    for unit in sorted(known, key=len, reverse=True):
        plain = unicodedata.normalize("NFKC", unit)
        if text.endswith(plain) and (rest := text.removesuffix(plain).rstrip()) and not rest[-1].isalpha():
            return rest, known[unit]
    return text, 1.0


def _commas(text: str) -> list[str]:
    if "," not in text:
        return [text]
    forms = [text.replace(",", ".")] if text.count(",") == 1 and "." not in text else []
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?", text):
        forms.append(text.replace(",", ""))
    if re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text):
        forms.append(text.replace(".", "").replace(",", "."))
    return forms


def _number(text: str) -> float | None:
    parts = [part.strip() for part in TIMES.sub(_power, text.strip()).split("/")]
    if len(parts) > 2 or not all(map(NUMBER.fullmatch, parts)):
        return None
    above, below = (*map(float, parts), 1.0)[:2]
    return above / below if below else None


def _power(found: re.Match[str]) -> str:
    """3×10^-4 as 3e-4, 10^-4 as 1e-4."""
    return f"e{found[1]}" if found[1] else f"{found[2]}1e{found[3]}"


def figures(written: str) -> int:
    """How many significant figures a written number has; trailing zeros of a whole number count."""
    digits = re.split(r"[eE×x·*⋅]", unicodedata.normalize("NFKC", written))[0]
    return len(re.sub(r"\D", "", digits).lstrip("0"))


# ---- words, shapes and printed text ----------------------------------------------------------------------------------

def text_right(question: Text, written: str) -> bool:
    return plain(question.kind, written) in {plain(question.kind, text) for text in (question.answer, *question.accept)}


def plain(kind: str, written: str) -> str:
    """A short answer as it is compared. text: no difference of case, spacing, hyphens, quotes or a final full stop;
    shape: the sizes; output: the lines, without spaces at their ends."""
    text = unicodedata.normalize("NFKC", written).translate(SIGNS)
    if kind == "output":
        return "\n".join(line.rstrip() for line in text.strip().splitlines())
    if kind == "shape":
        sizes = re.sub(r"(?<=\d)\s*[x×*]\s*(?=\d)", ",", text.lower().replace("torch.size", ""))
        return ",".join(re.findall(r"-?\w+", sizes))
    text = re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", " ", re.sub(r"[‘’“”'\"`]", "", text.casefold()))
    return re.sub(r"\s*([(),\[\]=])\s*", r"\1", " ".join(text.split()).rstrip(". "))
