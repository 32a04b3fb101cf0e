"""The glossary: every term that a chapter defines, with the sentence that defines it.

A chapter marks a term where it defines it, `[local field]{.term}`, with `name="…"` where the entry is to be named
otherwise than it reads there. The sentence around the mark is the entry, so that nothing is written twice; where it does
not stand alone, `is="…"` says what the term is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from press import notebooks
from press.book import Book, Chapter, Problem, ProblemsFound
from press.files import write_if_changed
from press.lint import CODE, COMMENT, FENCE, INLINE

TERM = re.compile(r'\[(?P<shown>[^\[\]]+)\]\{\.term(?:\s+name="(?P<name>[^"]+)")?(?:\s+is="(?P<is>[^"]+)")?\}')
SPAN = re.compile(r'\[[^\[\]]*\]\{\.term(?:[^"}]|"[^"]*")*\}')
OPAQUE = re.compile(INLINE.pattern + r"|`[^`\n]+`|\[[^\[\]]*\](?:\([^)]*\))?")
END = re.compile(r"(?<=[.!?])[\"”’*)]*\s+(?=[^\sa-z])|(?<=:)\s*$")
FORMULA = re.compile(r"\s*\$\$(?P<formula>(?:(?!\n\s*\n).)+?)\$\$(?:\s*\{#eq-[^}]*\})?", re.S)
LONGEST = 140                       # characters of TeX that fit into a line
ITEM = re.compile(r"^\s*(?:[*+-]|\d+[.)]|::+[^\n]*|#+|:)\s+")


@dataclass(frozen=True)
class Term:
    """A term: its headword, the sentence that defines it (Markdown, without marks), its chapter and cell."""

    name: str
    sentence: str
    chapter: Chapter
    cell: str

    @property
    def slug(self) -> str:
        return slug(self.name)


def slug(name: str) -> str:
    """The name as part of an anchor; filters/blocks.lua makes the same one."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def terms(chapter: Chapter) -> Iterator[Term]:
    """The terms that a chapter defines, in its order. Raises ProblemsFound where a mark does not read."""
    for cell in notebooks.read(chapter.notebook, chapter.source)["cells"]:
        if cell.get("cell_type") == "markdown":
            text = "".join(cell["source"])
            for pattern in (FENCE, COMMENT):
                text = pattern.sub("\n\n", text)
            yield from _cell_terms(chapter, cell["id"], text)


def _inline(found: re.Match[str]) -> str:
    """A displayed formula within the sentence, where it is short enough; a gap where not."""
    formula = " ".join(found["formula"].split()).rstrip(" .,;")
    return f" ${formula}$ " if len(formula) <= LONGEST and "\\begin" not in formula else " … "


def _cell_terms(chapter: Chapter, cell: str, text: str) -> Iterator[Term]:
    for part in re.split(r"\n\s*\n|\n(?=\s*(?:[*+-]|\d+[.)])\s)", FORMULA.sub(_inline, text)):
        code = [match.span() for match in CODE.finditer(part)]
        for mark in SPAN.finditer(part):
            if any(start <= mark.start() < end for start, end in code):
                continue
            if not (read := TERM.fullmatch(mark.group())):
                raise ProblemsFound([Problem(chapter.source, f"`{mark.group()}` does not read as a term; write "
                                             '[words]{.term}, or [words]{.term name="word" is="what it is"}', cell)])
            said = f"{read['is'][0].upper()}{read['is'][1:].rstrip('.')}." if read["is"] else _sentence(part, mark.span())
            yield Term(read["name"] or read["shown"].strip("*_"), said, chapter, cell)


def _sentence(part: str, span: tuple[int, int]) -> str:
    """The sentence of a paragraph in which a span stands."""
    hidden = SPAN.sub(lambda found: found.group()[1] + "x" * (len(found.group()) - 1), part)    # capital or not
    hidden = OPAQUE.sub(lambda found: "x" * len(found.group()), hidden)
    ends = [match.end() for match in END.finditer(hidden)]
    start = max((end for end in ends if end <= span[0]), default=0)
    stop = min((end for end in ends if end >= span[1]), default=len(part))
    sentence = ITEM.sub("", part[start:stop].strip())
    sentence = TERM.sub(lambda found: f"**{found['shown'].strip('*')}**", sentence)
    sentence = re.sub(r"\s*\{#[^}]*\}|\s*\[-?@[^\]]*\]", "", " ".join(sentence.split()))
    return re.sub(r"(?:\s*[:;,]|\s*…[.,;:]?)+$", "", sentence).rstrip(".") + "." if sentence[-1:] not in "?!" else sentence


def glossary(book: Book) -> list[Term]:
    """Every term of the book by name. Raises ProblemsFound for a term that two places define."""
    known: dict[str, Term] = {}
    problems = []
    for term in (term for chapter in book for term in terms(chapter)):
        first = known.setdefault(term.slug, term)
        if first is not term:
            problems.append(Problem(term.chapter.source, f"defines the term {term.name!r}, which {first.chapter.source}, "
                                    f"cell {first.cell}, defines too; keep one mark", term.cell))
    if problems:
        raise ProblemsFound(problems)
    return sorted(known.values(), key=lambda term: term.name.lower())


def compile_glossary(book: Book) -> None:
    """Write `_build/glossary/terms.md`, which the page glossary.qmd shows in its `.glossary`."""
    entries = (f"[{term.name}]{{#entry-{term.slug}}}\n:   {term.sentence} "
               f"[{_title(term.chapter)}](chapters/{term.chapter.id}.ipynb#term-{term.slug}){{.entry-home}}\n"
               for term in glossary(book))
    write_if_changed(book.build / "glossary" / "terms.md", "\n".join(entries))


def _title(chapter: Chapter) -> str:
    """What the link back reads: the chapter's number and title."""
    for cell in notebooks.read(chapter.notebook, chapter.source)["cells"]:
        if found := re.search(r"^# +(.+?)\s*(?:\{[^}]*\})?\s*$", "".join(cell["source"]), re.M):
            return f"{chapter.number} {found[1]}" if cell.get("cell_type") == "markdown" else chapter.id
    return chapter.id
