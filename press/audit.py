"""The audit: the rows of the chapter standard that a program can check, for each chapter.

A row is a function that yields what falls short; the table shows a row per rule and a column per chapter. The chapters
of the appendix are the workshop: they may do with few figures and sources.
"""

from __future__ import annotations

import ast
import json
import re
import statistics
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pypandoc

from press import exercises, fingerprint, notebooks, quiz
from press.book import Book, BookError, Chapter, Problem, ProblemsFound, load_yaml
from press.exercises import FIGURE_MIME
from press.files import write_if_changed
from press.front import Front, read_notebook

BUDGET_SECONDS = 60
LONG_BUDGET = {"vision/unet", "generative/diffusion", "language/transformer", "language/fine-tuning"}  # 120 s
BUDGET_MEMORY_MB = 4096
IMAGE_BYTES = 500_000
RANDOM_ID = re.compile(r"(?=[a-f]*\d)[0-9a-f]{8}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LABEL = re.compile(r"\{#((?:sec|fig|tbl|eq|thm|lem|def|exm|exr|cor|prp)-[\w-]+)")
HAND_WAVING = re.compile(r"\b(it can be shown|one can show|it is easy to see|clearly,|obviously|trivially)\b", re.I)


@dataclass(frozen=True)
class Cell:
    """A cell as the audit sees it: its options are the `#|` lines at its top."""

    id: str
    kind: str
    source: str
    outputs: list
    file: str = ""

    @cached_property
    def options(self) -> dict:
        try:
            return notebooks.options(self.source)
        except ValueError as error:
            raise ProblemsFound([Problem(self.file, str(error), self.id)]) from None

    def figures(self) -> Iterator[dict]:
        for output in self.outputs:
            if found := output.get("data", {}).get(FIGURE_MIME):
                yield found


class Subject:
    """A chapter under audit: its notebook, quiz, exercises and exported module, each read once."""

    def __init__(self, book: Book, chapter: Chapter):
        self.book, self.chapter = book, chapter
        self.notebook = read_notebook(chapter)
        self.cells = [Cell(c.get("id", "?"), c["cell_type"], "".join(c["source"]), c.get("outputs", []), chapter.source)
                      for c in self.notebook["cells"]]
        self.prose = "\n\n".join(c.source for c in self.cells if c.kind == "markdown")

    @cached_property
    def code(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.kind == "code"]

    def unread(self) -> Iterator[Problem]:
        """Options that are no YAML."""
        for cell in self.code:
            try:
                _ = cell.options
            except ProblemsFound as error:
                yield from error.problems

    @cached_property
    def record(self) -> dict:
        return self.notebook["metadata"].get("dlbook", {})

    @cached_property
    def module(self) -> Path | None:
        """The file that the chapter exports, None where it exports nothing."""
        names = [cell.options["default_exp"] for cell in self.code if "default_exp" in cell.options]
        return self.book.root / "dlbook" / (names[0].replace(".", "/") + ".py") if names else None


def outcomes(subject: Subject) -> Iterator[str]:
    """Three to six outcomes, tied to the syllabus; prerequisites; a measured running time."""
    front, syllabus = Front.of(subject.chapter), _syllabus(subject.book)
    if not 3 <= len(front.outcomes) <= 6:
        yield f"{len(front.outcomes)} outcomes; three to six are asked for"
    served = {line for outcome in front.outcomes for line in outcome.lines}
    yield from (f"outcome line {line} is not in syllabus.yml" for line in sorted(served - syllabus.keys()))
    due = {line for line, chapters in syllabus.items() if subject.chapter.id in chapters}
    yield from (f"syllabus line {line} names this chapter and no outcome serves it" for line in sorted(due - served))
    if not front.prerequisites:
        yield "no prerequisites are named"
    if "seconds" not in subject.record:
        yield "no running time is stored; execute it"


def _syllabus(book: Book) -> dict[str, list[str]]:
    lines = load_yaml((book.root / "syllabus.yml").read_text(encoding="utf-8"))["lines"]
    return {line["id"]: line["covers"] for line in lines}


def derivations(subject: Subject) -> Iterator[str]:
    """Numbered equations, a proof for each theorem, a check that is a cell, no hand-waving."""
    if found := HAND_WAVING.search(subject.prose):
        yield f"“{found.group()}” stands where a reason should"
    for number, cell in enumerate(subject.cells):
        if cell.kind == "markdown" and re.search(r"^:{3,} *\{\.check", cell.source, re.M):
            if subject.cells[number + 1:number + 2] and subject.cells[number + 1].kind != "code":
                yield f"the check in cell {cell.id} has no code cell after it"
    if not re.search(r"^:{3,} *\{\.check", subject.prose, re.M):
        yield "no result is checked by a .check"
    if not re.search(r"\{#eq-", subject.prose):
        yield "no equation is numbered"
    theorems = re.findall(r"^:{3,} *\{#(?:thm|lem)-([\w-]+)", subject.prose, re.M)
    proofs = len(re.findall(r"^:{3,} *\{\.proof", subject.prose, re.M))
    if proofs < len(theorems):
        yield f"{len(theorems)} theorems and lemmas, {proofs} proofs"


def code(subject: Subject) -> Iterator[str]:
    """Exported functions are short, typed and documented, and stand in one module of the book only."""
    if subject.module is None:
        yield "the chapter exports no module"
        return
    if not subject.module.is_file():
        yield f"{subject.module.name} is not exported; run the export"
        return
    functions = list(_functions(ast.parse(subject.module.read_text(encoding="utf-8"))))
    lengths = sorted(map(_length, functions)) or [0]
    tenth = lengths[max(0, -(-9 * len(lengths) // 10) - 1)]
    if statistics.median(lengths) > 6 or tenth > 20:
        yield f"functions: median {statistics.median(lengths):g} lines, nine in ten within {tenth}; at most 6 and 20"
    public = [f for f in functions if not f.name.startswith("_")]
    yield from (f"{f.name} has no docstring" for f in public if not ast.get_docstring(f))
    yield from (f"{f.name} is not fully typed" for f in public if not _typed(f))
    yield from _strays(subject)


def _strays(subject: Subject) -> Iterator[str]:
    """Names that another module defines too, and imports of chapters that come later."""
    own = _defined(subject.module)
    for other in sorted((subject.book.root / "dlbook").glob("**/[!_]*.py")):
        if other != subject.module and (shared := sorted(own & _defined(other))):
            yield f"{', '.join(shared)} stands in {other.name} too; import it or rename it"
    later = _later_modules(subject) - {"viz"}  # the workshop serves every chapter
    used = set(re.findall(r"(?:from|import) dlbook\.(\w+)", subject.module.read_text(encoding="utf-8")))
    yield from (f"imports dlbook.{name}, which a later chapter exports" for name in sorted(used & later))


def _later_modules(subject: Subject) -> set[str]:
    order = [chapter for chapter in subject.book if not chapter.is_appendix]
    after = order[order.index(subject.chapter) + 1:] if subject.chapter in order else order
    return {path.stem for chapter in after if (path := Subject(subject.book, chapter).module)}


def _defined(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node)


def _length(function: ast.FunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return sum(node.end_lineno - node.lineno + 1 for node in body)


def _typed(function: ast.FunctionDef) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return all(argument.annotation for argument in named) and \
        (function.returns is not None or function.name == "__init__")


def figures(subject: Subject) -> Iterator[str]:
    """At least three figures, captioned with a finding, described, clean in the audit; a sourced reading note."""
    drawn = [cell for cell in subject.code if str(cell.options.get("label", "")).startswith("fig-")]
    if len(drawn) < 3 and not subject.chapter.is_appendix:
        yield f"{len(drawn)} figures; at least three are asked for"
    for cell in drawn:
        yield from (f"{cell.id}: {message}" for message in _figure_faults(cell))
    notes = [match.group() for match in re.finditer(r"^(:{3,}) *\{\.reading.*?^\1\s*$", subject.prose, re.M | re.S)]
    if not subject.chapter.is_appendix and not any("@" in note for note in notes):
        yield f"{len(notes)} reading notes, none with a citation"


def _figure_faults(cell: Cell) -> Iterator[str]:
    caption = str(cell.options.get("fig-cap", ""))
    if len(caption.split()) < 5 or not caption.rstrip().endswith((".", "?", "!")):
        yield "its caption is not a sentence that states the finding"
    if len(str(cell.options.get("fig-alt", "")).split()) < 8:
        yield "its alt text doesn't say what a sighted reader sees"
    audits = list(cell.figures())
    if not audits:
        yield "its figure audit is missing; execute the chapter"
    waived = _waived(cell)
    yield from (f"{finding['rule']}: {finding['message']}" for audit in audits for finding in audit["findings"]
                if finding["rule"] not in waived)


def _waived(cell: Cell) -> set[str]:
    waivers = cell.options.get("waive", [])
    return {text.split(":")[0].strip() for text in ([waivers] if isinstance(waivers, str) else waivers)}


def tasks(subject: Subject) -> Iterator[str]:
    """At least five exercises, of which three mark themselves, sound in form."""
    if not subject.chapter.exercises.is_file():
        yield "there are no exercises"
        return
    found = exercises.tasks(exercises.read(subject.chapter.exercises))
    if len(found) < 5:
        yield f"{len(found)} exercises; at least five are asked for"
    if sum(task.marks_itself for task in found) < 3:
        yield "fewer than three exercises mark themselves"
    yield from exercises.faults(subject.chapter)


def solutions(subject: Subject) -> list[str]:
    """Every solution passes its checks, every unsolved task runs and fails them.

    Remembered under `_build/` while all that they depend on stays the same.
    """
    if not subject.chapter.exercises.is_file():
        return []                                # the row before says so
    notebook = notebooks.read(subject.chapter.exercises, str(subject.chapter.exercises.relative_to(subject.book.root)))
    state = fingerprint.fingerprint(subject.book.root, notebook, "quick", "cpu").digest
    memory = subject.book.build / "audit" / f"{subject.chapter.id}.json"
    known = json.loads(memory.read_text(encoding="utf-8")) if memory.is_file() else {}
    if known.get("state") != state:
        problems = exercises.check(subject.chapter, subject.chapter.exercises.parent)
        known = {"state": state, "problems": [f"{p.cell}: {p.message}" for p in problems]}
        write_if_changed(memory, json.dumps(known))
    return known["problems"]


def questions(subject: Subject) -> Iterator[str]:
    """At least ten questions of four kinds, half of them conceptual, and no fault in the quiz."""
    if not subject.chapter.quiz.is_file():
        yield "there is no quiz"
        return
    asked = quiz.load(subject.chapter.quiz).questions
    if len(asked) < 10:
        yield f"{len(asked)} questions; at least ten are asked for"
    if len({question.kind for question in asked}) < 4:
        yield "fewer than four kinds of question"
    if 2 * sum(question.conceptual for question in asked) < len(asked):
        yield "fewer than half of the questions are conceptual"
    yield from (f"{p.cell}: {p.message}" if p.cell else p.message
                for p in quiz.check_chapter(subject.book, subject.chapter))


def sources(subject: Subject) -> Iterator[str]:
    """At least five citations, each with a DOI or an address."""
    known = _bibliography(subject.book)
    cited = {key for key in re.findall(r"(?<![\w.])-?@([A-Za-z][\w:.-]*\w)", subject.prose) if key in known}
    if len(cited) < 5 and not subject.chapter.is_appendix:
        yield f"{len(cited)} sources are cited; at least five are asked for"
    yield from (f"@{key} has neither DOI nor address" for key in sorted(cited)
                if not (known[key].get("DOI") or known[key].get("URL")))


def _bibliography(book: Book) -> dict[str, dict]:
    text = (book.root / "references.bib").read_text(encoding="utf-8")
    return {entry["id"]: entry for entry in json.loads(pypandoc.convert_text(text or "", "csljson", "bibtex"))}


def budget(subject: Subject) -> Iterator[str]:
    """The time and memory of the stored quick run on the CPU."""
    limit = BUDGET_SECONDS * (2 if subject.chapter.id in LONG_BUDGET else 1)
    if (subject.record.get("profile"), subject.record.get("device")) != ("quick", "cpu"):
        return
    if subject.record["seconds"] > limit:
        yield f"{subject.record['seconds']:.0f} s in the quick profile; at most {limit}"
    if subject.record["memory_mb"] > BUDGET_MEMORY_MB:
        yield f"{subject.record['memory_mb']:.0f} MB of memory; at most {BUDGET_MEMORY_MB}"


def form(subject: Subject) -> Iterator[str]:
    """Fixed readable cell ids, labels with the chapter's name, images that a page can carry."""
    if drawn := [cell.id for cell in subject.cells if RANDOM_ID.fullmatch(cell.id)]:
        yield f"the cells {', '.join(drawn)} have random ids; give each a readable one, such as loss-figure"
    yield from (f"the label {label} lacks the chapter's name; write {label.partition('-')[0]}-{subject.chapter.slug}-…"
                for label in _labels(subject) if not label.partition("-")[2].startswith(subject.chapter.slug))
    for cell in subject.cells:
        if (size := max(map(_image_size, cell.outputs), default=0)) > IMAGE_BYTES:
            yield f"{cell.id}: its picture weighs {size / 1e6:.1f} MB; at most {IMAGE_BYTES / 1e6:g}: draw fewer points"


def _labels(subject: Subject) -> list[str]:
    given = [str(cell.options["label"]) for cell in subject.code if "label" in cell.options]
    return given + LABEL.findall(re.sub(r"^```.*?^```", "", subject.prose, flags=re.M | re.S))


def _image_size(output: dict) -> int:
    """Bytes of an output's pictures, as the notebook stores them."""
    return sum(len("".join(value)) for mime, value in output.get("data", {}).items() if mime.startswith("image/"))


Row = Callable[[Subject], Iterable[str]]
ROWS: dict[str, Row] = {"outcomes": outcomes, "derivations": derivations, "code": code, "figures": figures,
                        "exercises": tasks, "solutions": solutions, "quiz": questions, "sources": sources, "budget": budget, "form": form}


def audit(book: Book, chapters: list[Chapter], rows: Iterable[str] = ROWS) -> dict[str, dict[str, list[str]]]:
    """chapter id → row → what falls short (empty: nothing).

    Raises ProblemsFound where options of cells do not read, which most rows ask for.
    """
    subjects = [Subject(book, chapter) for chapter in chapters]
    if unread := [problem for subject in subjects for problem in subject.unread()]:
        raise ProblemsFound(unread)
    return {subject.chapter.id: {name: _found(ROWS[name], subject) for name in rows} for subject in subjects}


def _found(row: Row, subject: Subject) -> list[str]:
    """What a row finds; where a source cannot be read, its problems."""
    try:
        return list(row(subject))
    except ProblemsFound as error:
        return [str(problem).removeprefix(f"{subject.chapter.source}, ") for problem in error.problems]
    except BookError as error:
        return [str(error)]


def problems(results: dict[str, dict[str, list[str]]]) -> list[Problem]:
    """The audit's findings as problems, in the book's order."""
    return [Problem(f"chapters/{chapter}.ipynb", f"{row}: {message}")
            for chapter, rows in results.items() for row, found in rows.items() for message in found]
