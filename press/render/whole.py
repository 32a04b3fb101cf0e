"""The whole book as one Pandoc document, for the formats that are one file: PDF and EPUB.

Each page goes through the second pass on its own, remembered under `_build/`; then the pages are joined in reading
order, the quizzes' answers and the exercises' solutions go to the end, and the bibliography into its place.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from press.book import Book, Problem, ProblemsFound
from press.files import write_if_changed
from press.render import pandoc
from press.render.pages import Page, Prepared, Prepared_book, digest, prepare, tools_key
from press.render.references import References, collect

Block = dict[str, Any]
AT_THE_END = {"quiz-answer", "exercise-solution"}
KEY_TITLE = "Answers and solutions"


@dataclass(frozen=True)
class Whole:
    """The joined document as Pandoc JSON, and a hash of all that went into it."""

    document: str
    key: str


def assemble(book: Book, target: str, jobs: int = 2) -> Whole:
    """Join the book for "typst" or "epub". Raises ProblemsFound with every fault's file and cell."""
    every = prepare(book, target, jobs)
    if every.problems:
        raise ProblemsFound(every.problems)
    references = collect(book, every)
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda item: _second_pass(book, item, every, references, target), every.pages))
    if problems := [problem for _, found in done for problem in found]:
        raise ProblemsFound(problems)
    blocks = list(_joined(book, every, [blocks for blocks, _ in done], references, target))
    document = json.dumps({"pandoc-api-version": _api_version(), "meta": {}, "blocks": blocks}, ensure_ascii=False)
    figures = [(book.build / "figures" / name).read_bytes() for item in every.pages for name in item.figures]
    return Whole(document, digest(tools_key(book), document, *figures))


def _second_pass(book: Book, item: Prepared, every: Prepared_book, references: References,
                 target: str) -> tuple[list[Block], list[Problem]]:
    uses = json.dumps(_uses(item, every, references), ensure_ascii=False, sort_keys=True)
    key = digest(item.key, uses, tools_key(book))
    store = book.build / target / f"{item.page.id}.json"
    try:
        stored = json.loads(store.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return stored["blocks"], []
    except (OSError, ValueError, KeyError):
        pass
    store.parent.mkdir(parents=True, exist_ok=True)
    refs = store.with_suffix(".refs")
    refs.write_text(uses, encoding="utf-8")
    filters = [f"--lua-filter={book.root / 'filters' / name}" for name in ("embedded.lua", "print.lua")]
    meta = _meta(book, item.page, target) | {"dl-refs": str(refs)}
    out, complaints = pandoc.run(["--from", "json", "--to", "json", *filters], item.document, book.root, meta)
    refs.unlink()
    problems = [Problem(item.page.name, c.message, c.cell) for c in complaints]
    blocks = [] if problems else json.loads(out)["blocks"]
    if not problems:
        write_if_changed(store, json.dumps({"key": key, "blocks": blocks}, ensure_ascii=False))
    return blocks, problems


def _meta(book: Book, page: Page, target: str) -> dict[str, str]:
    """What filters/print.lua must know; paths are relative to the book's root, so that a moved book stays true."""
    figures = book.build.relative_to(book.root) / "figures" / page.url.rpartition("/")[0]
    return {"dl-target": target, "dl-name": page.name, "dl-slug": _slug(page), "dl-kind": page.kind, "dl-url": page.url,
            "dl-depth": str(int(bool(page.part))), "dl-files": str(figures),
            "dl-sources": str(page.source.parent.relative_to(book.root))}


def _slug(page: Page) -> str:
    """The page's id as a prefix of ids."""
    return page.id.replace("/", "-")


def _uses(item: Prepared, every: Prepared_book, references: References) -> dict[str, Any]:
    """What the page refers to; every address is an anchor of the one document."""
    ids = {use["id"] for use in item.side["cites"]}
    labels = {i: every.labels[i] | {"url": f"#{i}"} for i in ids & every.labels.keys()}
    targets = {other.page.name.rpartition("/")[2]: _first_label(other) for other in every.pages}
    paths = {link["url"].partition("#")[0] for link in item.side["links"]}
    pages = {path: targets[name] for path in paths if (name := path.rpartition("/")[2]) in targets}
    return {"labels": labels, "cites": {i: references.names[i] for i in ids & references.names.keys()},
            "pages": pages, "bibliography": ""}


def _first_label(item: Prepared) -> str:
    return next((label["id"] for label in item.side["labels"] if label["kind"] == "sec"), "")


# ---- joining --------------------------------------------------------------------------------------------------------


def _joined(book: Book, every: Prepared_book, pages: list[list[Block]], references: References,
            target: str) -> Iterator[Block]:
    part, key = "", []
    for item, blocks in zip(every.pages, pages, strict=True):
        if item.page.part and item.page.part != part:
            part = item.page.part
            yield _heading(target, 1, "part", part)
        kept, taken = _split(blocks, target)
        if taken:
            title = f"{item.page.number} {item.title}".strip()
            key += [_heading(target, 2, "section", title, f"key-{_slug(item.page)}"), *taken]
        yield from kept
        if item.page.kind == "references":
            yield from _bibliography(references, target)
    if key:
        yield _heading(target, 1, "chapter", KEY_TITLE)
        yield from key


def _split(blocks: list[Block], target: str) -> tuple[list[Block], list[Block]]:
    """The blocks without their answers and solutions, and these (filters/print.lua gave each its title)."""
    kept, taken = [], []
    for block in blocks:
        if block["t"] != "Div":
            kept.append(block)
            continue
        (name, classes, attributes), content = block["c"]
        if AT_THE_END & set(classes):
            taken += content if target == "typst" else [block]
            continue
        inner, answers = _split(content, target)
        taken += answers
        kept.append({"t": "Div", "c": [[name, classes, attributes], inner]})
    return kept, taken


def _heading(target: str, level: int, role: str, text: str, name: str = "") -> Block:
    words = [part for word in text.split() for part in ({"t": "Str", "c": word}, {"t": "Space"})][:-1]
    if target != "typst":
        return {"t": "Header", "c": [level, [name, ["unnumbered", role], []], words]}
    mark = f" <{name}>" if name else ""
    return _raw(f'#dl-heading({level}, "{role}", "", true, {string(text)}){mark}')


def string(text: str) -> str:
    """A Typst string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bibliography(references: References, target: str) -> Iterator[Block]:
    """The list of works; in Typst each entry is a paragraph with a hanging indent behind its label."""
    done = subprocess.run([pandoc.executable(), "--from=html", "--to=json"], input=references.entries.encode(),
                          capture_output=True, check=True)
    blocks = json.loads(done.stdout)["blocks"]
    if target != "typst":
        yield from blocks
        return
    for entry in (block for outer in blocks for block in outer["c"][1]):
        (name, _, _), content = entry["c"]
        yield from (_raw("#dl-entry["), *content, _raw(f"] <{name}>"))


def _raw(text: str) -> Block:
    return {"t": "RawBlock", "c": ["typst", text]}


def _api_version() -> list[int]:
    done = subprocess.run([pandoc.executable(), "--from=markdown", "--to=json"], input=b"", capture_output=True,
                          check=True)
    return json.loads(done.stdout)["pandoc-api-version"]
