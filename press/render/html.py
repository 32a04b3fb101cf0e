"""The website: every page rendered where its inputs changed, checked, searched, and only then put into `_book/`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from press import api, assets
from press.book import Book, ProblemsFound
from press.render import Progress, Report, facts, pages, references, site
from press.render import body as bodies
from press.render.body import Body, relative
from press.render.pages import Page, Prepared

EXTRAS = "Reference"
DOCUMENTS = {"book.pdf": "The book as PDF", "book.epub": "The book as EPUB"}


@dataclass(frozen=True)
class Made:
    """A page ready for the template."""

    page: Page
    title: str
    body: Body


@dataclass(frozen=True)
class Checked:
    """The whole book, free of faults: pages ready for the template, the files beside them, the sources read anew."""

    prepared: list[Prepared]
    made: list[Made]
    files: dict[str, Path]
    fresh: list[str]


def render(book: Book, jobs: int | None = None, progress: Progress | None = None) -> Report:
    """Build the website in `_book/`. Raises ProblemsFound with every fault; `_book/` is then as it was before."""
    started = time.perf_counter()
    ready = check(book, jobs, progress)
    changed = _write(book, ready.made, ready.files)
    return Report("pandoc", changed, ready.fresh, len(ready.made), time.perf_counter() - started)


def check(book: Book, jobs: int | None = None, progress: Progress | None = None) -> Checked:
    """Read every page and find the faults of the sources, for either engine. Raises ProblemsFound with all of them."""
    jobs = jobs or os.cpu_count() or 1
    prepared = pages.prepare(book, "html", jobs, progress)
    if prepared.problems:
        raise ProblemsFound(prepared.problems)
    cited = references.collect(book, prepared)
    with ThreadPoolExecutor(jobs) as pool:
        done = list(pool.map(lambda item: bodies.make(book, item, prepared, cited), prepared.pages))
    made = [Made(item.page, item.title, body) for item, (body, _) in zip(prepared.pages, done, strict=True)]
    made += [*_api_pages(book), _lost()]
    files = shared_files(book, prepared.pages)
    problems = bodies.check_links(prepared.pages, made_ids(made), set(files))
    if problems:
        raise ProblemsFound(problems)
    fresh = [item.page.name for item, (_, new) in zip(prepared.pages, done, strict=True) if new]
    return Checked(prepared.pages, made, files, fresh)


def made_ids(made: list[Made]) -> dict[str, set[str]]:
    """Address of each page → the ids on it."""
    return {item.page.url: set(item.body.ids) for item in made}


def _write(book: Book, made: list[Made], files: dict[str, Path]) -> list[str]:
    stage = site.Stage(book)
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(stage.search, entries(made))         # Pagefind reads the texts while pages are written
        preload = assets.collect(book, stage.folder)
        changed = [item.page.url for item in made if stage.text(item.page.url, page_html(book, made, item, preload))]
        for name, source in files.items():
            stage.copy(name, source)
        search.result()
    stage.publish()
    return changed


def write_api(book: Book, stage: site.Stage, made: list[Made]) -> None:
    """The package's pages and the style they need, for a site whose other pages another engine made."""
    preload = assets.collect(book, stage.folder)
    for item in made:
        if item.page.kind == "api":
            stage.text(item.page.url, page_html(book, made, item, preload))


def entries(made: list[Made]) -> list[list[dict[str, str]]]:
    """What search-index.js holds of each page."""
    return [_entry(item) for item in made if item.page.kind in ("chapter", "index") and item.body.sections]


# ---- files beside the pages -----------------------------------------------------------------------------------------


def shared_files(book: Book, prepared: list[Prepared]) -> dict[str, Path]:
    """Site path → source, of everything that pages show or link and that is no page; the same on both engines."""
    found = {name: book.build / "figures" / name for item in prepared for name in item.figures}
    for chapter in book:
        for suffix in facts.DOWNLOADS:
            source = facts.download_source(book, chapter, suffix)
            if source.is_file():
                found[f"downloads/{chapter.id}{suffix}.ipynb"] = source
    for item in prepared:
        found |= dict(_linked(book, item, found))
    return found | {name: book.output / name for name in DOCUMENTS if (book.output / name).is_file()}


def _linked(book: Book, item: Prepared, known: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Pictures and files of the project that the page's text names."""
    for link in item.side["links"]:
        parts = urlsplit(link["url"])
        name = bodies.resolve(item.page, parts.path) if parts.path and not (parts.scheme or parts.netloc) else ""
        source = book.root / unquote(name)
        hidden = any(part.startswith((".", "_")) for part in Path(name).parts)
        if name and name not in known and not hidden and not name.endswith(bodies.SOURCES) and source.is_file():
            yield name, source


# ---- pages ----------------------------------------------------------------------------------------------------------


def _api_pages(book: Book) -> list[Made]:
    """The package's pages; none where the book has no package."""
    every = api.modules(book)
    if not every:
        return []
    return [_api_page("index", "The package dlbook", api.index(every), []),
            *(_api_page(m.name, f"dlbook.{m.name}", api.html(m), [item.name for item in m.items]) for m in every)]


def _api_page(name: str, title: str, text: str, names: list[str]) -> Made:
    page = Page("api", f"api/{name}", "", EXTRAS, Path(), f"api/{name}.html", f"api/{name}")
    headings = [{"id": item, "level": 2, "number": "", "html": f"<code>{item}</code>", "text": item} for item in names]
    return Made(page, title, Body(text, headings, "", re.findall(r'\bid="([^"]+)"', text), []))


def _lost() -> Made:
    """What a server shows for an address that is no page."""
    text = ("<h1>There is no such page</h1>\n<p>The address may be mistyped, or the page has moved. The chapters are "
            "listed beside this text; the search looks through all of them.</p>")
    page = Page("404", "404", "", "", Path(), "404.html", "404")
    return Made(page, "There is no such page", Body(text, [], "", [], []))


def page_html(book: Book, made: list[Made], item: Made, preload: list[str]) -> str:
    """One whole page, from the theme's template."""
    listed = [other for other in made if other.page.kind != "404" and
              (other.page.kind != "api" or other.page.id == "api/index")]
    at = listed.index(item) if item in listed else None
    near = {"prev": _near(item, listed, at, -1), "next": _near(item, listed, at, 1)}
    template = _template(book.root / "theme" / "templates")
    return template.render(book=_book(book, listed, item), page=_page(book, item) | near, preload=preload)


def _template(folder: Path) -> Template:
    """The page template, compiled once; a changed file is compiled anew."""
    return _environment(folder).get_template("page.html")


@cache
def _environment(folder: Path) -> Environment:
    return Environment(loader=FileSystemLoader(folder), undefined=StrictUndefined,
                       autoescape=select_autoescape(["html"]))


def _near(item: Made, listed: list[Made], at: int | None, step: int) -> dict[str, str] | None:
    if at is None or not 0 <= at + step < len(listed):
        return None
    other = listed[at + step]
    return {"number": other.page.number, "title": other.title, "url": relative(item.page, other.page.url)}


def _book(book: Book, listed: list[Made], here: Made) -> dict[str, Any]:
    parts: dict[str, list[Made]] = {part.title: [] for part in book.parts} | {EXTRAS: []}
    for item in listed:
        if item.page.kind != "index":
            parts[item.page.part or EXTRAS].append(item)
    entry = partial(_nav_entry, here)
    return {"title": book.title, "subtitle": book.subtitle, "author": book.author, "repository": book.repository,
            "parts": [{"title": title, "chapters": [entry(item) for item in items]} for title, items in parts.items()
                      if items],
            "downloads": [{"url": name, "text": text} for name, text in DOCUMENTS.items()
                          if (book.output / name).is_file()]}


def _nav_entry(here: Made, item: Made) -> dict[str, Any]:
    return {"id": item.page.id, "number": item.page.number, "title": item.title, "current": item is here,
            "url": relative(here.page, item.page.url)}


def _page(book: Book, item: Made) -> dict[str, Any]:
    page = item.page
    links = facts.repository_links(book, page.name) if page.kind not in ("api", "404") else dict.fromkeys(
        ("source_url", "edit_url", "report_url", "colab_url"))
    return {"kind": page.kind, "id": page.id, "number": page.number, "title": item.title, "part": page.part,
            "url": page.url, "root": "../" * page.url.count("/"), "lang": book.config.get("lang", "en-GB"),
            "description": item.body.description, "body": item.body.html, "scripts": [],
            "toc": contents(item.body.headings), **links}


def contents(headings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Levels two and three as a tree of {id, number, text, children}; text is html."""
    top: list[dict[str, Any]] = []
    for heading in headings:
        entry = {"id": heading["id"], "number": heading["number"], "text": heading["html"], "children": []}
        if heading["level"] == 2:
            top.append(entry)
        elif heading["level"] == 3 and top:
            top[-1]["children"].append(entry)
    return top


def _entry(item: Made) -> list[dict[str, str]]:
    """The page's sections for search-index.js."""
    return [{"url": f"{item.page.url}#{part['id']}" if part["id"] else item.page.url, "title": item.title,
             "section": part["section"] if part["section"] != item.title else "", "text": part["text"]}
            for part in item.body.sections]

