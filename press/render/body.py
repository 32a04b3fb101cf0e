"""The page's body: its open places filled with what they refer to, then tidied, and its links checked."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree
from lxml import html as lxml_html

from press.book import Book, Problem
from press.files import write_if_changed
from press.quiz.page import Taken, take
from press.render import highlight, lean
from press.render.pages import Page, Prepared, Prepared_book, digest, tools_key
from press.render.references import References

PLACE = re.compile("\ue000(?P<kind>\\w+) (?P<what>\\w+) (?P<id>[^\ue001]*)\ue001")         # see filters/embedded.lua
TABLE = re.compile(r"<table\b.*?</table>", re.S)
SOURCES = (".ipynb", ".qmd")


@dataclass
class Body:
    """A page's html: headings {id, level, number, html, text}, sections for the search {id, section, text}, its ids.

    quiz: what the self-marking element reads; answers: the quiz's answers as html, for readers without scripts.
    """

    html: str
    headings: list[dict[str, Any]]
    description: str
    ids: list[str]
    sections: list[dict[str, str]]
    quiz: dict[str, Any] | None = None
    answers: str = ""


def make(book: Book, item: Prepared, every: Prepared_book, references: References) -> tuple[Body, bool]:
    """The page's body, and whether it was made anew (else it was still true)."""
    uses = _uses(item, every, references)
    entries = references.entries if item.page.kind == "references" else None
    key = digest(item.key, json.dumps(uses, sort_keys=True), tools_key(book), entries or "")
    store = book.build / "html" / f"{item.page.id}.json"
    try:
        stored = json.loads(store.read_text(encoding="utf-8"))
        if stored.pop("key") == key:
            return Body(**stored), False
    except (OSError, ValueError, KeyError, TypeError):
        pass
    taken = without_answers(book, item.page, filled(item.document, uses, escape))
    body = _tidy(taken, _headings(item, uses), _description(item, uses), entries)
    write_if_changed(store, json.dumps({"key": key} | vars(body), ensure_ascii=False))
    return body, True


def _uses(item: Prepared, every: Prepared_book, references: References) -> dict[str, dict[str, dict[str, str]]]:
    """Only what this page refers to, so that a change elsewhere leaves it alone: kind → id → what → text."""
    page = item.page
    ids = {use["id"] for use in item.side["cites"]}
    labels = {i: {"text": every.labels[i]["text"], "number": every.labels[i]["number"],
                  "url": _label_url(page, every.labels[i]["url"])} for i in ids & every.labels.keys()}
    return {"label": labels, "work": {i: references.names[i] for i in ids & references.names.keys()},
            "page": {path: {"url": url} for path, url in _page_links(item, every).items()}
            | {"references.qmd": {"bibliography": relative(page, "references.html")}}}


def filled(text: str, uses: dict[str, dict[str, dict[str, str]]], form: Callable[[str], str] = str) -> str:
    """The text with each open place filled; a link to a file that is no page of the book keeps its address."""
    def fill(place: re.Match[str]) -> str:
        known = uses.get(place["kind"], {}).get(place["id"], {})
        return form(known[place["what"]]) if place["what"] in known else place["id"]
    return PLACE.sub(fill, text)


def _headings(item: Prepared, uses: dict) -> list[dict[str, Any]]:
    return [heading | {"html": filled(heading["html"], uses, escape), "text": filled(heading["text"], uses)}
            for heading in item.side["page"]["headings"]]


def _description(item: Prepared, uses: dict) -> str:
    return _short(filled(item.side["page"]["description"], uses))


def _label_url(page: Page, url: str) -> str:
    path, _, anchor = url.partition("#")
    return f"#{anchor}" if path == page.url else f"{relative(page, path)}#{anchor}"


def _page_links(item: Prepared, every: Prepared_book) -> dict[str, str]:
    """The source files that the page links to, as written there → the page's address."""
    urls = {other.page.name: other.page.url for other in every.pages}
    found = {}
    for link in item.side["links"]:
        path = link["url"].partition("#")[0]
        target = resolve(item.page, path)
        if path.endswith(SOURCES) and target in urls:
            found[path] = relative(item.page, urls[target])
    return found


def relative(page: Page, url: str) -> str:
    """An address relative to the site's root, as seen from the page."""
    return posixpath.relpath(url, posixpath.dirname(page.url) or ".")


def resolve(page: Page, path: str) -> str:
    """An address as written on the page, relative to the site's root; "" is the page itself."""
    folder = posixpath.dirname(page.url)
    return posixpath.normpath(posixpath.join(folder, unquote(path))) if path else page.url


# ---- tidying --------------------------------------------------------------------------------------------------------


def without_answers(book: Book, page: Page, html: str) -> Taken:
    """The page's html without the answers to its quiz, and those; the whole html where it has none."""
    made = book.build / "quizzes" / f"{page.id}.json"
    known = json.loads(made.read_text(encoding="utf-8")) if page.chapter and made.is_file() else None
    return take(highlight.listings(lean.page(html)), known, posixpath.basename(page.url))


def _tidy(taken: Taken, headings: list[dict[str, Any]], description: str, entries: str | None) -> Body:
    """Tables that say what their header cells head, the bibliography in its place."""
    text = taken.html
    text = TABLE.sub(lambda match: accessible(match[0]), text)
    if entries is not None:
        text = re.sub(r'<div id="refs"[^>]*>\s*</div>', lambda _: entries, text)
    root = lxml_html.fromstring(f"<main>{text}</main>")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    return Body(text, headings, description, ids, _sections(root, headings), taken.data, taken.answers)


def accessible(table: str) -> str:
    """Header cells with a scope, empty ones as plain cells, in a region that scrolls by keyboard."""
    head, cut, rest = table.partition("</thead>")
    if cut:
        head = re.sub(r"<th\b(?![^>]*scope)(?=[^>]*>)", '<th scope="col"', head)
        head = re.sub(r"<th scope=\"col\"([^>]*)>\s*</th>", r"<td\1></td>", head)
    rest = rest if cut else head
    rest = re.sub(r"<th\b(?![^>]*scope)", '<th scope="row"', rest)
    caption = re.search(r"<caption[^>]*>(.*?)</caption>", table, re.S)
    name = _plain(caption[1]) if caption else "Table"
    whole = head + cut + rest if cut else rest
    role = "region" if caption else "group"                   # landmarks must have names of their own
    return f'<div class="table-wide" tabindex="0" role="{role}" aria-label="{name}">{whole}</div>'


def _plain(markup: str) -> str:
    text = " ".join(re.sub(r"<annotation\b.*?</annotation>|<[^>]+>", "", markup, flags=re.S).split())
    return text.replace('"', "&quot;")


def _short(text: str, limit: int = 160) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0] + "…"


SKIPPED = {"annotation", "script", "style", "summary"}


def _sections(root: etree._Element, headings: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """The page's text by section, for the search over file://."""
    titles = {heading["id"]: heading["text"] for heading in headings}
    parts: dict[str, list[str]] = {"": []}
    here = ""
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if event == "start":
            if element.get("id") in titles:
                here = element.get("id")
                parts.setdefault(here, [])
            if element.tag not in SKIPPED and element.text:
                parts[here].append(element.text)
        elif element.tail:
            parts[here].append(element.tail)
    texts = {name: " ".join("".join(chunk).split()) for name, chunk in parts.items()}
    return [{"id": name, "section": titles.get(name, ""), "text": text} for name, text in texts.items() if text]


# ---- links ----------------------------------------------------------------------------------------------------------


def check_links(made: Iterable[Prepared], anchors: dict[str, set[str]], files: set[str]) -> list[Problem]:
    """Every link and picture of a page leads to a page, an anchor or a file of the site.

    anchors: address of each page → its ids. files: what else the site holds, relative to its root.
    """
    every = list(made)
    sources = {item.page.name: item.page.url for item in every}
    problems = []
    for item in every:
        for link in item.side["links"]:
            if message := _link_fault(item.page, link, anchors, sources, files):
                problems.append(Problem(item.page.name, message, link["cell"] or None))
    return problems


def _link_fault(page: Page, link: dict[str, Any], anchors: dict[str, set[str]], sources: dict[str, str],
                files: set[str]) -> str | None:
    parts = urlsplit(link["url"])
    if parts.scheme or parts.netloc:
        return _outside(link, parts.scheme)
    target = resolve(page, parts.path)
    target = sources.get(target, target)
    if target in anchors:
        fragment = unquote(parts.fragment)
        missing = fragment and fragment not in anchors[target]
        return f"the link {link['url']} leads to no place of that page; there is no id {fragment}" if missing else None
    if target in files:
        return None
    what = "picture" if link.get("image") else "link"
    return f"the {what} {link['url']} leads to nothing in the book; there is no {target}"


def _outside(link: dict[str, Any], scheme: str) -> str | None:
    if link.get("image") and scheme != "data":
        return f"the picture {link['url']} would be loaded from another host; save it beside the chapter"
    if scheme not in ("https", "http", "mailto", "data", "doi", ""):
        return f"the link {link['url']} has the scheme {scheme}; expected https, mailto or a path"
    return None
