"""The pages of the book and the first pass: each source becomes a numbered document and a record of its labels.

`prepare(book, target)` serves every format of the embedded engine. For html the document is the page's text, where each
reference is an open place that `press.render.body` fills; for typst and epub it is Pandoc's AST, for a second pass.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from press.book import Book, BookError, Chapter, Problem
from press.files import write_if_changed
from press.render import facts, notebook, pandoc

FILTERS = ("page.lua", "blocks.lua", "labels.lua")
HTML = ["--to", "html5", "--mathml", "--section-divs", "--wrap=none", "--syntax-highlighting=none"]
MARK_OR_MATH = re.compile(r'\["dl-mark"\],\[\["cell","([^"]+)"\]\]|'
                          r'"t":"Math","c":\[\{"t":"\w+"\},("(?:[^"\\]|\\.)*")')
READER = "markdown"
NAMES = {"fig": "Figure", "tbl": "Table", "eq": "Equation", "thm": "Theorem", "lem": "Lemma", "def": "Definition",
         "exm": "Example", "exr": "Exercise", "cor": "Corollary", "prp": "Proposition"}
LABEL = re.compile(r"(sec|fig|tbl|eq|thm|lem|def|exm|exr|cor|prp)-")
NBSP = "\u00a0"


@dataclass(frozen=True)
class Page:
    """One page of the site. id: a chapter's id, or the stem of a .qmd file ("index"). url: relative to the site."""

    kind: str
    id: str
    number: str
    part: str
    source: Path
    url: str
    name: str
    chapter: Chapter | None = None


@dataclass
class Prepared:
    """A page after the first pass: its document, what it defines and uses (see filters/labels.lua), a hash of it all.

    side["page"]: its headings and description, for html (see filters/embedded.lua).
    """

    page: Page
    key: str
    document: str
    side: dict[str, Any]
    figures: list[str]

    @property
    def title(self) -> str:
        return next((item["title"] for item in self.side["labels"] if item["kind"] == "sec"), self.page.id)


@dataclass
class Prepared_book:
    """All pages after the first pass, and the index that cross-references are resolved with."""

    pages: list[Prepared]
    labels: dict[str, dict[str, str]]
    problems: list[Problem] = field(default_factory=list)


def pages(book: Book) -> list[Page]:
    """The book's pages in reading order: what `_quarto.yml` lists."""
    chapters = {f"chapters/{c.id}.ipynb": c for c in book}
    head = book.config["book"]
    return [_page(book, entry, chapters) for entry in _entries([*head["chapters"], *(head.get("appendices") or [])])]


def _entries(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, dict):
            yield from _entries(item.get("chapters") or [])
        else:
            yield item


def _page(book: Book, entry: str, chapters: dict[str, Chapter]) -> Page:
    if chapter := chapters.get(entry):
        return Page("chapter", chapter.id, chapter.number, chapter.part, chapter.notebook, chapter.url, entry, chapter)
    stem = entry.removesuffix(".qmd")
    if stem == entry:
        raise BookError(f"_quarto.yml lists {entry!r}; expected a chapters/….ipynb or a .qmd file")
    source = book.root / entry
    if not source.is_file():
        raise BookError(f"_quarto.yml lists {entry}, which is not there; write it or take the line out")
    kind = stem if stem in ("index", "references", "404") else "page"
    return Page(kind, stem, "", "", source, f"{stem}.html", entry)


def digest(*parts: bytes | str) -> str:
    """A short hash of the parts, in order."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()[:24]


@cache
def _tools_key() -> str:
    """A hash of the press's own rendering code: when it changes, everything is made anew."""
    press = Path(__file__).parents[1]
    files = (path for name in ("render", "quiz", "exercises") for path in sorted((press / name).glob("*.py")))
    return digest(*(path.read_bytes() for path in files))


def tools_key(book: Book) -> str:
    """A hash of the code and filters that make a page."""
    return digest(_tools_key(), *(path.read_bytes() for path in sorted((book.root / "filters").glob("*.lua"))))


# ---- the first pass -------------------------------------------------------------------------------------------------


def prepare(book: Book, target: str = "html", jobs: int = 2,
            progress: Callable[[str], None] | None = None) -> Prepared_book:
    """Number every page and collect its labels; only pages whose sources changed are read again.

    target: "html", "typst" or "epub"; the filters leave out what a format cannot show.
    """
    every, problems = pages(book), []
    tools = tools_key(book)
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda page: _prepare_page(book, page, target, tools, progress), every))
    for _, found in done:
        problems += found
    ready = [item for item, _ in done if item]
    labels = _index(ready, problems)
    _check_uses(book, ready, labels if len(ready) == len(every) else None, problems)
    write_if_changed(book.build / "labels.json", json.dumps(labels, indent=1, ensure_ascii=False, sort_keys=True))
    return Prepared_book(ready, labels, problems)


def _prepare_page(book: Book, page: Page, target: str, tools: str,
                  progress: Callable[[str], None] | None) -> tuple[Prepared | None, list[Problem]]:
    store = book.build / "ast" / target / page.id
    raw = page.source.read_bytes()
    parsed = None
    if page.chapter:
        parsed, problems = notebook.parse(page.source, page.name)
        if problems:
            return None, problems
    extra = facts.write(book, page.chapter, parsed) if parsed else ""
    key = digest(tools, target, raw, page.number, extra, *_used_files(book, page, raw))
    if cached := _read_cached(store.with_name(store.name + ".json"), page, key):
        return cached, []
    result = _first_pass(book, page, target, parsed, raw, store, key)
    if progress:
        progress(page.name)
    return result


def _used_files(book: Book, page: Page, raw: bytes) -> Iterator[bytes]:
    """The other files that end up in the page: compiled quiz, exercises and glossary, explorables and their data."""
    if not page.chapter:
        path = book.build / "glossary" / "terms.md"
        yield path.read_bytes() if b".glossary" in raw and path.is_file() else b""
        return
    made = [book.build / folder / f"{page.id}.md" for folder in ("quizzes", "exercises")]
    made += [page.chapter.quiz, page.chapter.exercises]
    text = raw.decode("utf-8", "replace")
    names = re.findall(r'\.explorable[^}\n]*?name=\\?"([\w-]+)', text)
    made += [book.root / "theme" / "explorables" / f"{name}.js" for name in names]
    made += [page.source.parent / name for name in re.findall(r'\.explorable[^}\n]*?data=\\?"([^"\\]+)', text)]
    for path in made:
        yield path.read_bytes() if path.is_file() else b"absent"


def _read_cached(path: Path, page: Page, key: str) -> Prepared | None:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return Prepared(page, key, stored["document"], stored["side"], stored["figures"])
    except (OSError, ValueError, KeyError):
        return None
    return None


def _first_pass(book: Book, page: Page, target: str, parsed: dict | None, raw: bytes, store: Path,
                key: str) -> tuple[Prepared | None, list[Problem]]:
    source = notebook.convert(parsed, page.name, page.chapter.slug) if parsed else \
        notebook.Source(markdown=raw.decode("utf-8", "replace"))
    folder = page.url.rpartition("/")[0]
    for name, data in source.figures.items():
        _write(book.build / "figures" / folder / name, data)
    document, complaints, side = _convert(book, page, target, source.markdown, store)
    problems = source.problems + [_placed(book, page, item, source.markdown) for item in complaints]
    if problems or not side:
        return None, problems
    figures = [f"{folder}/{name}" if folder else name for name in source.figures]
    result = Prepared(page, key, document, side, figures)
    write_if_changed(store.with_name(store.name + ".json"), json.dumps(
        {"key": key, "document": document, "side": side, "figures": figures}, ensure_ascii=False))
    return result, []


def _convert(book: Book, page: Page, target: str, markdown: str,
             store: Path) -> tuple[str, list[pandoc.Complaint], dict[str, Any]]:
    """The document, Pandoc's complaints, and what the filters recorded; nothing where they stopped early."""
    parts = {"dl-side": store.with_name(store.name + ".side"), "dl-page": store.with_name(store.name + ".page")}
    store.parent.mkdir(parents=True, exist_ok=True)
    meta = {"dl-root": str(book.root), "dl-target": target, "dl-number": page.number}
    meta |= {"dl-chapter": page.id} if page.chapter else {}
    document, complaints = pandoc.run(_arguments(book, target), markdown, book.root,
                                      meta | {name: str(path) for name, path in parts.items()})
    side, shown = (_taken(path) for path in parts.values())
    return document, complaints, side and side | {"page": shown}


def _taken(path: Path) -> dict[str, Any]:
    """What a filter left in a file, which is then removed; nothing where it left none."""
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.unlink(missing_ok=True)
    return found


def _arguments(book: Book, target: str) -> list[str]:
    names, writer = ((*FILTERS, "embedded.lua"), HTML) if target == "html" else (FILTERS, ["--to", "json"])
    return ["--from", READER, *writer, *(f"--lua-filter={book.root / 'filters' / name}" for name in names)]


def _write(path: Path, data: bytes) -> None:
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)


def _placed(book: Book, page: Page, complaint: pandoc.Complaint, markdown: str) -> Problem:
    """A complaint with its cell; where Pandoc only gives a line of the Markdown, the cell is the mark above it."""
    cell = complaint.cell
    if not cell and (line := re.search(r"line (\d+)", complaint.message)):
        above = "\n".join(markdown.split("\n")[: int(line[1])])
        cell = (re.findall(r'\.dl-mark cell="([^"]+)"', above) or [None])[-1]
    if not cell and complaint.formula:
        cell = _cell_with(complaint.formula, pandoc.run(["--from", READER, "--to", "json"], markdown, book.root)[0])
    return Problem(page.name, complaint.message, cell)


def _cell_with(formula: str, ast: str) -> str | None:
    """The cell of the first formula like this one, whatever its spaces."""
    here = None
    for part in MARK_OR_MATH.finditer(ast):
        here = part[1] or here
        if part[2] and "".join(json.loads(part[2]).split()) == "".join(formula.split()):
            return here
    return None


# ---- labels and uses ------------------------------------------------------------------------------------------------


def _index(ready: Iterable[Prepared], problems: list[Problem]) -> dict[str, dict[str, str]]:
    """Label → {kind, number, text, title, url}; a label defined twice is a problem."""
    index: dict[str, dict[str, str]] = {}
    places: dict[str, str] = {}
    for item in ready:
        for label in item.side["labels"]:
            if first := places.get(label["id"]):
                problems.append(Problem(item.page.name, f"the label {label['id']} is defined in {first} too; "
                                        "labels are unique in the book", label["cell"] or None))
                continue
            places[label["id"]] = f"{item.page.name}, cell {label['cell']}" if label["cell"] else item.page.name
            index[label["id"]] = {"kind": label["kind"], "number": label["number"], "title": label["title"],
                                  "text": _text(label, item.page), "url": f"{item.page.url}#{label['id']}",
                                  "file": item.page.name}
    return index


def _text(label: dict[str, str], page: Page) -> str:
    """What a cross-reference reads, as Quarto words it."""
    if label["kind"] != "sec":
        return f"{NAMES[label['kind']]}{NBSP}{label['number']}"
    if not label["number"]:
        return label["title"]
    chapter = "Appendix" if page.number.isalpha() else "Chapter"
    return f"{chapter if label['number'] == page.number else 'Section'}{NBSP}{label['number']}"


def works(book: Book) -> dict[str, dict[str, Any]]:
    """Key → the entry of references.bib as CSL JSON. Raises BookError where the file does not read."""
    path = book.root / str(book.config.get("bibliography", "references.bib"))
    text = path.read_bytes() if path.is_file() else b""
    cached = book.build / "bibliography.json"
    key = digest(text)
    try:
        stored = json.loads(cached.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return stored["works"]
    except (OSError, ValueError, KeyError):
        pass
    out, complaints = pandoc.run(["--from", "bibtex", "--to", "csljson"], text, book.root)
    if complaints:
        raise BookError(f"{path.name}: {complaints[0].message}")
    entries = json.loads(out)
    twice = [name for name, n in Counter(entry["id"] for entry in entries).items() if n > 1]
    if twice:
        raise BookError(f"{path.name} has two entries {twice[0]}; give one another key or merge them")
    found = {entry["id"]: entry for entry in entries}
    write_if_changed(cached, json.dumps({"key": key, "works": found}, ensure_ascii=False))
    return found


def _check_uses(book: Book, ready: Iterable[Prepared], labels: dict | None, problems: list[Problem]) -> None:
    """Every cross-reference has its label, every citation its entry, every id stands once on its page.

    labels: None where a page could not be read, so that its labels are not known.
    """
    known = works(book)
    for item in ready:
        for use in _once(item.side["cites"]):
            if LABEL.match(use["id"]):
                if labels is not None and use["id"] not in labels:
                    problems.append(Problem(item.page.name, f"@{use['id']} is no label of the book"
                                            + _meant(use["id"], labels), use["cell"] or None))
            elif use["id"] not in known:
                problems.append(Problem(item.page.name, f"@{use['id']} is no key of references.bib; add the work or "
                                        "mend the key", use["cell"] or None))
        seen: set[str] = {label["id"] for label in item.side["labels"]}
        places: dict[str, list[str]] = {}
        for use in item.side["ids"]:
            places.setdefault(use["id"], []).append(use["cell"])
            if len(places[use["id"]]) == 2 and use["id"] not in seen:
                first = f", first in cell {places[use['id']][0]}" if places[use["id"]][0] else ""
                problems.append(Problem(item.page.name, f"the id {use['id']} stands twice on the page{first}",
                                        use["cell"] or None))


def _meant(label: str, labels: Iterable[str]) -> str:
    near = get_close_matches(label, labels, 1, 0.75)
    return f"; did you mean @{near[0]}?" if near else ""


def _once(uses: Iterable[dict[str, str]]) -> Iterator[dict[str, str]]:
    seen = set()
    for use in uses:
        if (use["id"], use["cell"]) not in seen:
            seen.add((use["id"], use["cell"]))
            yield use
