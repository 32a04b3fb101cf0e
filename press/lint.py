"""Slips of a source that neither engine complains of: what a page would print wrongly, or leave out in silence.

Each rule reads the notebook's text alone, so that a look at the whole book takes milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from press import exercises, fingerprint, notebooks
from press.book import Book, Chapter, Problem, ProblemsFound
from press.front import Front

CALLOUTS = {f"callout-{kind}" for kind in ("note", "tip", "warning", "important", "caution")}
BLOCKS = CALLOUTS | {"check", "reading", "quiz", "exercises", "explorable", "proof", "panel-tabset", "column-margin"}
FENCE = re.compile(r"^ *(`{3,}|~{3,})([^`\n]*)\n.*?(?:^ *\1[`~]* *$|\Z)", re.M | re.S)
COMMENT = re.compile(r"<!--.*?-->", re.S)
CODE = re.compile(r"(`+)(?!`)(?:(?!\n\s*\n).)+?(?<!`)\1(?!`)(\{=\w+\})?", re.S)
RAW = re.compile(r"(?:^ *(?:`{3,}|~{3,}) *|(?<=\S)`)(\{=\w+\})(?!`)", re.M)
COLONS = re.compile(r"^ {0,3}:{3,}(?P<head>[^\n]*)$", re.M)
HEAD = re.compile(r"(\{[^{}]*\}|[\w.-]+)[ :]*")
CLASS = re.compile(r"(?<=[\s{])\.([\w-]+)")
TITLE = re.compile(r"^# +(?P<text>[^\n]*?)\s*$", re.M)
DISPLAY = re.compile(r"\$\$(?:(?!\n\s*\n).)+?\$\$", re.S)
INLINE = re.compile(r"\$(?![\s$])(?:(?!\n\s*\n)[^$])*?(?<![\s$])\$(?!\d)")

Cell = tuple[str, str]      # its id, its text without code


def problems(book: Book) -> list[Problem]:
    """Every slip of every chapter and its exercises, in the book's order."""
    return [problem for chapter in book for problem in chapter_problems(chapter)]


def chapter_problems(chapter: Chapter) -> Iterator[Problem]:
    """The slips of one chapter: of its notebook, its promise, and the exercises that its page shows."""
    try:
        notebook = fingerprint.read(chapter)
        Front.of(chapter)
    except ProblemsFound as error:
        yield from error.problems
        return
    yield from (Problem(chapter.source, said, cell) for cell, said in _notebook(notebook))
    yield from (Problem(chapter.source, said) for said in _parts(chapter, notebook))
    if chapter.exercises.is_file():
        yield from _exercises(chapter.exercises, chapter)


def _exercises(path: Path, chapter: Chapter) -> Iterator[Problem]:
    name = str(path.relative_to(chapter.root))
    try:
        notebook = notebooks.read(path, name)
    except ProblemsFound as error:
        yield from error.problems
        return
    if faults := fingerprint.id_faults(notebook):
        yield from (Problem(name, said) for said in faults)
        return
    yield from (Problem(name, said, cell) for cell, said in _text(notebook))
    yield from (Problem(name, said, cell) for cell, said in exercises.leaking(exercises.read(path)))


def _notebook(notebook: dict) -> Iterator[tuple[str, str]]:
    """(cell, what is wrong) of a chapter's notebook."""
    yield from _text(notebook)
    yield from _titles(_prose(notebook))
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code":
            yield from ((cell["id"], said) for said in _options("".join(cell["source"])))


def _text(notebook: dict) -> Iterator[tuple[str, str]]:
    prose = _prose(notebook)
    yield from _blocks(prose)
    yield from ((cell, "has a $ without its partner; close the formula, or write \\$ for a dollar sign")
                for cell, text in prose if "$" in INLINE.sub("", DISPLAY.sub("", re.sub(r"\\.", "xx", text))))
    yield from ((cell["id"], f"has raw text for one format ({found[1]}), which the others lack; write Markdown")
                for cell in notebook["cells"] if cell.get("cell_type") == "markdown"
                and (found := RAW.search("".join(cell["source"]))))


def _prose(notebook: dict) -> list[Cell]:
    """The Markdown cells without their code and comments; lines stay where they are."""
    return [(cell["id"], _without_code("".join(cell["source"])))
            for cell in notebook["cells"] if cell.get("cell_type") == "markdown"]


def _without_code(text: str) -> str:
    for pattern in (FENCE, COMMENT, CODE):
        text = pattern.sub(lambda found: "\n" * found.group().count("\n"), text)
    return text


# ---- rules

def _blocks(prose: list[Cell]) -> Iterator[tuple[str, str]]:
    """Blocks of unknown names, left open, or closed once too often; a block may reach over several cells."""
    unclosed: list[tuple[str, str]] = []
    for cell, text in prose:
        for line in COLONS.finditer(text):
            head = line["head"].strip()
            if head:
                unclosed.append((cell, line.group().strip()))
                yield from ((cell, said) for said in _head(head))
            elif unclosed:
                unclosed.pop()
            else:
                yield cell, "has one ::: too many, which closes no block; take it out"
    yield from ((cell, f"the block `{head}` is unclosed; end it with a line of :::") for cell, head in unclosed)


def _head(head: str) -> Iterator[str]:
    if not HEAD.fullmatch(head):
        yield f"`::: {head}` opens no block; write ::: and the name in braces, as in ::: {{.check}}"
        return
    given = [head.strip(" :")] if head[0] != "{" else CLASS.findall(re.sub(r'"[^"]*"', '""', head))
    for name in (name for name in given if name not in BLOCKS):
        callouts = f"expected one of {', '.join(sorted(CALLOUTS))}"
        yield f"the block .{name} is unknown; {callouts if 'callout' in name else notebooks.near(name, BLOCKS)}"


def _titles(prose: list[Cell]) -> Iterator[tuple[str, str]]:
    """One title, with a label; a page without any is told when it is rendered."""
    found = [(cell, title["text"]) for cell, text in prose for title in TITLE.finditer(text)]
    yield from ((cell, f"# {text} is a second title; sections start with ##") for cell, text in found[1:])
    yield from ((cell, f"the title has no label; write # {text} {{#sec-…}} with the chapter's name")
                for cell, text in found[:1] if "{#sec-" not in text)


def _options(source: str) -> Iterator[str]:
    """Options that are no YAML, and waivers of the figure audit without a reason."""
    try:
        waivers = notebooks.options(source).get("waive", [])
    except ValueError as error:
        yield str(error)
        return
    for waiver in waivers if isinstance(waivers, list) else [waivers]:
        rule, _, reason = str(waiver).partition(":")
        if not reason.strip():
            yield f'waive: "{rule}" gives no reason; write waive: "{rule.strip() or "rule"}: reason"'


def _parts(chapter: Chapter, notebook: dict) -> Iterator[str]:
    """A quiz or exercises that the page has no place for."""
    text = "\n".join(text for _, text in _prose(notebook))
    for path, name in ((chapter.quiz, "quiz"), (chapter.exercises, "exercises")):
        if path.is_file() and not re.search(rf"^ *:{{3,}} *\{{[^}}\n]*\.{name}\b", text, re.M):
            yield f"{path.relative_to(chapter.root)} is there and the chapter has no place for it; " \
                  f"add the lines ::: {{.{name}}} and ::: near its end"
