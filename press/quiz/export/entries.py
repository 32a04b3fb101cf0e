"""What is exported: concrete questions in the book's order, each with its place, its tags and what a reader is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from press.book import Book, BookError, Chapter
from press.quiz import compute, marking
from press.quiz.source import Choice, Match, Number, Order, Question, Spot, Text, quizzes

Labels = dict[str, dict[str, str]]
TAG = 50             # characters of a tag that Moodle keeps
LATER = "does not belong here"
LINES = "the answer has several lines: the wrong answers are its options"


@dataclass(frozen=True)
class Entry:
    """One question as it is exported. id: the question's, with the variant's number where it is one of several.

    variant: from 1, 0 where the question is no template. of: how many variants the template has.
    """

    chapter: Chapter
    title: str
    section: str
    id: str
    question: Question
    variant: int = 0
    of: int = 0

    @property
    def tags(self) -> list[str]:
        """Outcome, syllabus lines, difficulty, kind and what it asks for."""
        q = self.question
        tags = [f"outcome {q.outcome}", *(f"syllabus {line}" for line in q.lines), f"difficulty {q.difficulty}",
                f"kind {q.kind}", "conceptual" if q.conceptual else "procedural", f"chapter {self.chapter.slug}"]
        return [tag[:TAG] for tag in tags]


def collect(book: Book, chapters: Iterable[Chapter], labels: Labels, variants: int) -> Iterator[Entry]:
    """The questions of the chapters; of a template its first `variants` variants.

    Raises BookError where a template's variants cannot be made.
    """
    for chapter, quiz in quizzes(book, chapters):
        title = next((label["title"] for label in labels.values()
                      if label["file"] == chapter.source and label["kind"] == "sec"), chapter.slug)
        for question in quiz.questions:
            section = labels.get(question.section, {}).get("title") or question.section
            yield from (Entry(chapter, title, section, *rest) for rest in _concrete(chapter, question, variants))


def _concrete(chapter: Chapter, question: Question, variants: int) -> Iterator[tuple[str, Question, int, int]]:
    try:
        found = compute.instances(question)
    except Exception as error:  # a template's own code may raise anything; its author is told where
        raise BookError(f"{chapter.quiz.name}, question {question.id}: its variants cannot be made: {error}") from None
    if question.variants is None:
        yield question.id, question, 0, 0
        return
    for i, instance in enumerate(found[:variants], 1):
        yield f"{question.id}-v{i:02d}", instance, i, len(found)


# ---- what a reader is asked and told, as the book's Markdown ---------------------------------------------------------

def asked(question: Question) -> str:
    """The prompt, with the code of an output question and a sentence on what to write."""
    code = [fenced(question.code)] if isinstance(question, Text) and question.code else []
    return "\n\n".join([question.prompt, *code, *filter(None, [ask(question)])])


def ask(question: Question) -> str:
    """What to write; empty where the platforms say it themselves."""
    if isinstance(question, Number):
        unit = f" in {question.unit}" if question.unit else ""
        figures = f", to {question.figures} significant figures" if question.figures else ""
        return f"Give a number{unit}{figures}."
    if isinstance(question, Order):
        return "Some entries do not belong." if question.distractors else ""
    return {"text": "Answer in a few words.", "shape": "Give the shape, in the form (2, 3).",
            "output": "What does it print?", "spot": "Mark the place on the picture."}.get(question.kind, "")


def explained(question: Question) -> str:
    """The feedback that goes to every reader: the question's own, the explanation, and where it is taught."""
    own = [question.feedback] if isinstance(question, (Order, Match)) else []
    if isinstance(question, Spot):
        own = [bullets(f"**{r.label}** ({'right' if r.right else 'wrong'}): {r.feedback}" for r in question.regions),
               f"Elsewhere: {question.missed}"]
    return "\n\n".join([*own, question.explanation, f"Taught in @{question.section}."])


def line(question: Order, entry: str) -> str:
    """An entry of an order question as Markdown."""
    return fenced(entry) if question.code else entry


def places(question: Order) -> list[tuple[str, str]]:
    """An order question as pairs: each entry with its place, or with the remark that it does not belong."""
    return [*((line(question, item), str(i)) for i, item in enumerate(question.items, 1)),
            *((line(question, entry), LATER) for entry in question.distractors)]


def fenced(code: str) -> str:
    """Code as a code block of its own, whatever backticks it has."""
    ticks = "`" * max(3, 1 + max(map(len, re.findall("`+", code)), default=0))
    return f"{ticks}\n{code.rstrip()}\n{ticks}"


def bullets(items: Iterable[str]) -> str:
    return "\n".join("- " + item.strip().replace("\n", "\n  ") for item in items)


def texts(question: Question) -> Iterator[str]:
    """Every Markdown text of a question that a format may need."""
    yield from (asked(question), question.prompt, explained(question), question.explanation)
    match question:
        case Choice():
            yield from chain.from_iterable((option.text, option.feedback) for option in question.options)
        case Number() | Text():
            yield from (wrong.feedback for wrong in question.wrong)
            if isinstance(question, Text):
                yield from texts(as_choice(question))
        case Order():
            yield from (line(question, entry) for entry in [*question.items, *question.distractors])
        case Match():
            yield from chain.from_iterable((pair.left, pair.right) for pair in question.pairs)
        case Spot():
            yield from (question.alt, question.missed)
            yield from chain.from_iterable((region.label, region.feedback) for region in question.regions)


# ---- short answers ---------------------------------------------------------------------------------------------------

def spellings(question: Text) -> list[str]:
    """The ways to write the answer that a platform is given, since it compares more strictly than the book does."""
    given = [question.answer, *question.accept]
    forms = [form for text in given for form in (_shapes(text) if question.kind == "shape" else [text])]
    if question.kind == "text":
        forms += [text.replace("-", " ") for text in given] + [re.sub(r"(?<=\w) (?=\w)", "-", text) for text in given]
    return [form for form in dict.fromkeys([*given, *forms]) if form.strip() and marking.text_right(question, form)]


def _shapes(text: str) -> list[str]:
    sizes = marking.plain("shape", text).split(",")
    wide, tight = ", ".join(sizes), ",".join(sizes)
    return [f"({wide})", f"({tight})", wide, tight, f"[{wide}]", f"[{tight}]", f"torch.Size([{wide}])",
            *(sign.join(sizes) for sign in (" x ", "x", " × ", "×")), *([f"({tight},)"] if len(sizes) == 1 else [])]


def one_line(question: Text) -> bool:
    """Whether every accepted answer fits the single line that the platforms offer."""
    return not any("\n" in text.strip() for text in (question.answer, *question.accept))


def allowed(question: Number) -> float:
    """The largest distance from the answer that is right."""
    return max(question.tolerance, question.relative * abs(question.answer))


def as_choice(question: Text | Spot) -> Choice:
    """The question as a single choice: the printed texts that readers give, or the names of the places."""
    if isinstance(question, Spot):
        options = [{"text": r.label, "right": r.right, "feedback": r.feedback} for r in question.regions]
    else:
        right = {"text": fenced(question.answer), "right": True, "feedback": "This is the answer."}
        options = [right, *({"text": fenced(str(w.answer)), "feedback": w.feedback} for w in question.wrong)][:6]
    shared = question.model_dump(include={"id", "outcome", "lines", "difficulty", "conceptual", "section",
                                          "explanation"})
    prompt = asked(question) if isinstance(question, Text) else question.prompt
    return Choice(**shared, kind="single", prompt=prompt, options=options)
