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

from press import api, assets, courses, desk
from press.book import Book, Problem, ProblemsFound
from press.quiz import paper
from press.quiz.page import script as quiz_script
from press.render import Progress, Report, facts, pages, references, site
from press.render import body as bodies
from press.render.body import Body, relative
from press.render.pages import Page, Prepared

EXTRAS = "Reference"
DESK = "For you"                                          # the reader's own pages
LISTED = {"api/index", "progress", "exams/index", "courses/index"}     # the press's own pages that the sidebar names
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
    paper.every(book)
    own, problems = _api_pages(book, prepared.labels)
    made += [*_desk_pages(book, prepared.labels), *own, _lost()]
    files = shared_files(book, prepared.pages)
    problems += bodies.check_links(prepared.pages, made_ids(made), set(files))
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
        _write_beside(book, stage, made)
        for name, source in files.items():
            stage.copy(name, source)
        search.result()
    stage.publish()
    return changed


def write_own(book: Book, stage: site.Stage, made: list[Made]) -> None:
    """The pages that the press itself makes and the style they need, for a site whose others another engine made."""
    preload = assets.collect(book, stage.folder)
    for item in made:
        if item.page.kind in ("api", "desk"):
            stage.text(item.page.url, page_html(book, made, item, preload))
    _write_beside(book, stage, made)


def _write_beside(book: Book, stage: site.Stage, made: list[Made]) -> None:
    """The data and the answers of each quiz, beside its page; what the reader's own pages read."""
    for item in made:
        if item.body.quiz:
            stage.text(item.page.url.replace(".html", ".quiz.js"), quiz_script(item.body.quiz))
            answers = _page(book, item) | {"answers": item.body.answers}
            html = _template(book.root / "theme" / "templates", "answers.html").render(book=book, page=answers)
            stage.text(item.page.url.replace(".html", ".answers.html"), html)
    titles = {item.page.id: item.title for item in made if item.page.kind == "chapter"}
    for name, text in desk.scripts(book, titles).items():
        stage.text(name, text)


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
    found |= made_files(book, "archives", "downloads", "*.zip") | made_files(book, "exams", "exams", "*.pdf")
    for item in prepared:
        found |= dict(_linked(book, item, found))
    return found | {name: book.output / name for name in DOCUMENTS if (book.output / name).is_file()}


def made_files(book: Book, folder: str, place: str, pattern: str) -> dict[str, Path]:
    """Site path → what the press made of a kind under `_build/`."""
    return {f"{place}/{path.name}": path for path in sorted((book.build / folder).glob(pattern))}


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


def _api_pages(book: Book, labels: dict[str, dict[str, str]]) -> tuple[list[Made], list[Problem]]:
    """The package's pages, and a problem for each docstring that names an unknown label; none without a package."""
    every, problems = api.modules(book), []
    made = [_api_page("index", "The package dlbook", api.index(every), [])] if every else []
    for module in every:
        text, unknown = api.referred(api.html(module), labels)
        problems += [Problem(f"dlbook/{module.name}.py", f"a docstring names {name}, which is no label of the book; "
                             "mend it in the chapter that exports it") for name in unknown]
        made.append(_api_page(module.name, f"dlbook.{module.name}", text, [item.name for item in module.items]))
    return made, problems


def _api_page(name: str, title: str, text: str, names: list[str]) -> Made:
    page = Page("api", f"api/{name}", "", EXTRAS, Path(), f"api/{name}.html", f"api/{name}")
    headings = [{"id": item, "level": 2, "number": "", "html": f"<code>{item}</code>", "text": item} for item in names]
    return Made(page, title, Body(text, headings, "", re.findall(r'\bid="([^"]+)"', text), []))


def _desk_pages(book: Book, labels: dict[str, dict[str, str]]) -> list[Made]:
    """The reader's own pages: progress, exams, courses; none of those where the book has no quiz or no syllabus."""
    return [_desk_page(name, title, _template(book.root / "theme" / "templates", template).render(**values))
            for name, title, template, values in [*desk.pages(book), *courses.pages(book, labels)]]


def _desk_page(name: str, title: str, text: str) -> Made:
    page = Page("desk", name, "", DESK, Path(), f"{name}.html", name)
    return Made(page, title, Body(text, [], "", re.findall(r'\bid="([^"]+)"', text), []))


def _lost() -> Made:
    """What a server shows for an address that is no page."""
    text = ("<h1>There is no such page</h1>\n<p>The address may be mistyped, or the page has moved. The chapters are "
            "listed beside this text; the search looks through all of them.</p>")
    page = Page("404", "404", "", "", Path(), "404.html", "404")
    return Made(page, "There is no such page", Body(text, [], "", [], []))


def page_html(book: Book, made: list[Made], item: Made, preload: list[str]) -> str:
    """One whole page, from the theme's template."""
    listed = [other for other in made if other.page.kind not in ("404", "api", "desk") or other.page.id in LISTED]
    read = [other for other in listed if other.page.kind != "desk"]
    at = read.index(item) if item in read else None
    near = {"prev": _near(item, read, at, -1), "next": _near(item, read, at, 1)}
    template = _template(book.root / "theme" / "templates", "page.html")
    return template.render(book=_book(book, listed, item), page=_page(book, item) | near, preload=preload)


def _template(folder: Path, name: str) -> Template:
    """A template, compiled once; a changed file is compiled anew."""
    return _environment(folder).get_template(name)


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
    parts: dict[str, list[Made]] = {part.title: [] for part in book.parts} | {DESK: [], EXTRAS: []}
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
    links = facts.repository_links(book, page.name) if page.kind not in ("api", "404", "desk") else dict.fromkeys(
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

