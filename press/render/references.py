"""Citations: how each cited work is named in the text, and the bibliography, made by one call of Pandoc's citeproc.

All works cited in the book are set together, so that "2020a" means the same work on every page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from lxml import html

from press.book import Book, BookError
from press.files import write_if_changed
from press.render import pandoc
from press.render.pages import Prepared_book, digest, tools_key, works


@dataclass(frozen=True)
class References:
    """names: key → {author, year} as the text prints them. entries: the bibliography's HTML, `<div id="refs">…`."""

    names: dict[str, dict[str, str]]
    entries: str


def collect(book: Book, prepared: Prepared_book) -> References:
    """Set every work that a page cites; nothing is done again where neither the works nor the list changed."""
    known = works(book)
    cited = sorted({use["id"] for item in prepared.pages for use in item.side["cites"]} & known.keys())
    key = digest(tools_key(book), json.dumps([known[name] for name in cited], sort_keys=True))
    store = book.build / "references.json"
    try:
        stored = json.loads(store.read_text(encoding="utf-8"))
        if stored["key"] == key:
            return References(stored["names"], stored["entries"])
    except (OSError, ValueError, KeyError):
        pass
    found = _set(book, cited, [known[name] for name in cited])
    write_if_changed(store, json.dumps({"key": key, "names": found.names, "entries": found.entries}))
    return found


def _set(book: Book, cited: Iterable[str], entries: list[dict]) -> References:
    """One document that cites each work as "Author (year)", then the bibliography."""
    if not entries:
        return References({}, '<div id="refs"></div>')
    source = book.build / "cited.json"
    write_if_changed(source, json.dumps(entries))
    text = "\n\n".join(f"@{{{key}}}\n\n[-@{{{key}}}]" for key in cited)
    out, complaints = pandoc.run(["--from", "markdown", "--to", "html5", "--citeproc", "--wrap=none",
                                  f"--bibliography={source}"], text, book.root, {"link-citations": "false"})
    if complaints:
        raise BookError(f"references.bib: {complaints[0].message}")
    return _read(out)


def _read(out: str) -> References:
    root = html.fromstring(f"<div>{out}</div>")
    texts: dict[str, list[str]] = {}
    for span in root.xpath("./p/span[@class='citation']"):
        texts.setdefault(span.get("data-cites"), []).append(" ".join(span.text_content().split()))
    names = {}
    for key, (full, bracket) in texts.items():
        year = bracket.strip("()")
        names[key] = {"author": full.removesuffix(f"({year})").strip(), "year": year}
    refs = root.xpath("./div[@id='refs']")[0]
    for entry in refs.xpath(".//*[@role]"):
        del entry.attrib["role"]
    refs.attrib.pop("role", None)
    return References(names, html.tostring(refs, encoding="unicode", with_tail=False))
