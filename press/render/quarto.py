"""The website by Quarto: the same sources, filters and checks, staged aside, rendered, then put into `_book/`."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from press import assets
from press.book import Book, BookError
from press.exercises import FIGURE_MIME
from press.files import write_if_changed
from press.quiz.page import take
from press.render import Progress, Report, html, mend, pages, site
from press.render import notebook as nb

NEEDED = (1, 7)                                   # the first one whose pages follow the colours of the reader's system
COPIED = ("theme", "filters", "references.bib")
COMPILED = ("pages", "quizzes", "exercises", "glossary")
FONTS = "../assets/fonts"                           # as theme/quarto.css sees them
ICON = "theme/assets/icon.svg"
LATER = ("downloads/", "api/", "book.pdf", "book.epub")          # the press adds these to Quarto's pages
LOST_LINK = re.compile(r"Unable to resolve link target: (?:\.\./)*(\S+)")


def render(book: Book, jobs: int | None = None, progress: Progress | None = None) -> Report:
    """Build the website in `_book/` with Quarto. Raises ProblemsFound or BookError; `_book/` is then as it was."""
    version = require()
    ready = html.check(book, jobs, progress)
    project, links = book.build / "quarto", _links(ready)
    key = pages.digest(version, pages.tools_key(book), yaml.safe_dump(book.config, sort_keys=False), *_theme(book),
                       *links, *(item.key for item in ready.prepared))
    stamp = book.build / "quarto.key"
    changed = not (stamp.is_file() and stamp.read_text() == key and (project / "_book" / "index.html").is_file())
    if changed:
        stamp.unlink(missing_ok=True)
        _stage(book, project)
        _run(project)
        mend.site(project / "_book", assets.font_faces(book.root, folder=FONTS), links)
        _take_answers(project / "_book", ready.made)
        write_if_changed(stamp, key)
    _publish(book, project / "_book", ready)
    return Report("quarto", [item.page.url for item in ready.prepared] if changed else [], ready.fresh, len(ready.made))


def require() -> str:
    """Quarto's version. Raises BookError where it does not start or is older than the filters need."""
    done = subprocess.run([shutil.which("quarto") or "quarto", "--version"], capture_output=True, text=True,
                          check=False)
    found = re.match(r"(\d+)\.(\d+)", done.stdout.strip())
    needed = ".".join(map(str, NEEDED))
    if done.returncode or not found:
        raise BookError("quarto --version did not answer with a version; install Quarto again, or use --engine pandoc")
    if tuple(map(int, found.groups())) < NEEDED:
        raise BookError(f"Quarto is version {done.stdout.strip()}; the book needs {needed} or newer: install it from "
                        "quarto.org, or use --engine pandoc")
    return done.stdout.strip()


def _links(ready: html.Checked) -> dict[str, str]:
    """What the foot of every page offers: words → address from the site's root."""
    own = {item.title: item.page.url for item in ready.made if item.page.id in html.LISTED}
    return own | {words: name for name, words in html.DOCUMENTS.items() if name in ready.files}


def _theme(book: Book) -> Iterator[bytes]:
    return (path.read_bytes() for path in sorted((book.root / "theme").rglob("*")) if path.is_file())


# ---- staging --------------------------------------------------------------------------------------------------------


def _stage(book: Book, project: Path) -> None:
    """A copy of what Quarto reads, so that it leaves nothing among the sources."""
    shutil.rmtree(project, ignore_errors=True)
    for name in COPIED:
        source = book.root / name
        copy_ = shutil.copytree if source.is_dir() else shutil.copy
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        copy_(source, project / name)
    for name in COMPILED:
        if (book.build / name).is_dir():
            shutil.copytree(book.build / name, project / "_build" / name)
    for page in pages.pages(book):
        _stage_page(page, project)
    write_if_changed(project / "_quarto.yml", yaml.safe_dump(_config(book), sort_keys=False, allow_unicode=True))


def _stage_page(page: pages.Page, project: Path) -> None:
    target = project / page.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if page.chapter is None:
        shutil.copy(page.source, target)
        return
    for beside in page.source.parent.iterdir():
        if beside.is_file() and beside.suffix != ".ipynb":
            shutil.copy(beside, target.parent)
    notebook = nb.parse(page.source, page.name)[0]
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = list(_plain(cell["outputs"]))
    target.write_text(json.dumps(notebook), encoding="utf-8")


def _plain(outputs: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The outputs as the embedded engine reads them: no audits, widgets, terminal codes or progress bars."""
    for output in outputs:
        data = output.get("data", {})
        data.pop(FIGURE_MIME, None)
        if output.get("output_type") == "stream":
            output["text"] = nb.printed(nb.text_of(output, "text"), output.get("name", "stdout"))
        if markup := nb.text_of(data, "text/html"):               # for HTML outputs Quarto loads jQuery from a CDN
            fence = nb.fenced(nb.table(markup) if "<table" in markup else markup, "{=html}")
            output["data"] = data = {"text/markdown": fence}
        if nb.WIDGET not in data and output.get("text") != "":
            yield output


def _config(book: Book) -> dict[str, Any]:
    """The book's configuration with what the press sees to: the order of the themes, the links of the repository."""
    config = copy.deepcopy(book.config)
    config["project"] = {"type": "book", "output-dir": "_book"}
    config.setdefault("lang", "en-GB")
    form = config["format"]["html"]
    form["theme"] = {name: form["theme"][name] for name in ("light", "dark")}       # Quarto takes the first as default
    head = config["book"]
    head["title"] = re.sub(r"([\\<>*_`$\[\]])", r"\\\1", str(head["title"]))       # Quarto reads it as Markdown
    if (book.root / ICON).is_file():
        head.setdefault("favicon", ICON)
    if book.repository:
        head.setdefault("repo-actions", ["edit", "issue"])
    form.setdefault("toc-title", "On this page")
    head["search"] = form["code-copy"] = False                    # the book's own work from file:// too
    head.setdefault("sidebar", {"style": "docked"})
    return config


def _run(project: Path) -> None:
    """Run Quarto. Raises BookError with its own words where it fails or warns."""
    done = subprocess.run([shutil.which("quarto") or "quarto", "render", "--to", "html", "--no-execute"], cwd=project,
                          capture_output=True, text=True, check=False)
    words = [line for line in nb.ANSI.sub("", done.stdout + done.stderr).splitlines() if line.strip()]
    faults = [line.partition("\t")[2].replace("\t", ": ") for line in words if line.startswith("dlbook-problem")]
    faults += [line for line in words if "WARN" in line and not _comes_later(line)]
    if done.returncode or faults:
        said = " ".join(" ".join(faults or _error(words)).split()).replace(f"{project}/", "")
        raise BookError(f"Quarto could not render the book: {said or 'it gave no message'}")


def _error(words: list[str]) -> list[str]:
    """What Quarto calls an error, without its stack; its last words where it names none."""
    start = next((i for i, line in enumerate(words) if line.startswith("ERROR")), max(0, len(words) - 6))
    stack = next((i for i, line in enumerate(words) if line.startswith("Stack trace") and i > start), len(words))
    return words[start:stack]


def _comes_later(warning: str) -> bool:
    lost = LOST_LINK.search(warning)
    return bool(lost) and lost[1].startswith(LATER)


def _take_answers(site: Path, made: list[html.Made]) -> None:
    """Each quiz's answers out of its page: its data and answers are those of the embedded engine's page."""
    for item in made:
        if item.body.quiz:
            path = site / item.page.url
            taken = take(path.read_text(encoding="utf-8"), {"chapter": item.page.id}, path.name)
            path.write_text(taken.html, encoding="utf-8")


# ---- publishing -----------------------------------------------------------------------------------------------------


def _publish(book: Book, built: Path, ready: html.Checked) -> None:
    """Quarto's pages, with the downloads, documents, package pages and search index that both engines share."""
    stage = site.Stage(book)
    figures = {name for item in ready.prepared for name in item.figures}         # Quarto wrote its own
    files = {name: source for name, source in ready.files.items() if name not in figures}
    files |= {path.relative_to(built).as_posix(): path for path in built.rglob("*") if path.is_file()}
    for name, source in files.items():
        stage.copy(name, source)
    html.write_own(book, stage, ready.made)
    stage.search(html.entries(ready.made))
    stage.publish()
