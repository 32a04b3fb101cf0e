"""One browser, and two sites to look at with it: the real book, and the kitchen book that uses everything once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from press import book as model
from press.build import compile_sources
from press.render.html import render
from tests import kitchen

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--no-first-run"]
SOURCES = ("theme", "filters", "chapters", "quizzes", "exercises", "dlbook")


@dataclass(frozen=True)
class Site:
    """A rendered book. url: its root on loopback, with a slash; folder: the same files on disk."""

    url: str
    folder: Path

    @property
    def file(self) -> str:
        """Its root as a file:// address, with a slash."""
        return self.folder.as_uri() + "/"

    @property
    def pages(self) -> list[str]:
        """Every page's address, relative to the root."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.html"))


# ---- the browser ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """The machine's Chromium, else Playwright's, else Debian's; skipped where none can be had, failed in CI."""
    path = _on_path() or _playwrights(playwright) or _debians()
    if not path:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(
            "no Chromium on the PATH, Playwright could not install its own, and apt-get could not either")
    started = playwright.chromium.launch(executable_path=path, args=SWITCHES)
    yield started
    started.close()


def _on_path() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


def _playwrights(playwright: Playwright) -> str | None:
    path = Path(playwright.chromium.executable_path)
    if not path.is_file():
        _quietly(sys.executable, "-m", "playwright", "install", "chromium")
    return str(path) if path.is_file() else None


def _debians() -> str | None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        _quietly("apt-get", "install", "-y", "-q", "chromium")
    return _on_path()


def _quietly(*command: str) -> None:
    try:
        subprocess.run(command, capture_output=True, timeout=240, check=False)
    except subprocess.TimeoutExpired:
        return


# ---- the sites ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The real book, rendered from a copy of its sources."""
    book = copied(tmp_path_factory.mktemp("book"))
    render(book, 2)
    yield from _served(book.output)


def copied(root: Path) -> model.Book:
    """The real book's sources in another folder, quizzes and exercises compiled."""
    for name in SOURCES:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [*ROOT.glob("*.qmd"), *ROOT.glob("*.yml"), ROOT / "references.bib"]:
        shutil.copy2(path, root / path.name)
    if (ROOT / "node_modules").is_dir():
        (root / "node_modules").symlink_to(ROOT / "node_modules")
    book = model.load(root)
    compile_sources(book)
    return book


@pytest.fixture(scope="session")
def sink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The kitchen book: every row of the contract of a page, once."""
    book = kitchen.write(tmp_path_factory.mktemp("kitchen") / "book")
    render(book, 2)
    yield from _served(book.output)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return


def _served(folder: Path) -> Iterator[Site]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Site(f"http://127.0.0.1:{server.server_port}/", folder)
        server.shutdown()


# ---- pages ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_page(browser: Browser) -> Iterator:
    """A function that opens a fresh page with context options; afterwards no page may have erred or left loopback."""
    faults: list[str] = []
    contexts = []

    def opened(**options: object) -> Page:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: None if _is_local(request.url) else faults.append(f"asked for {request.url}"))
        page.on("requestfailed", lambda request: faults.append(f"did not get {request.url}: {request.failure}")
                if "ERR_ABORTED" not in str(request.failure) else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not faults, "\n".join(faults)


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "file://", "data:", "blob:"))


@pytest.fixture
def page(open_page) -> Page:
    """A fresh page, 1280 px wide, on a light system."""
    return open_page(color_scheme="light")


@pytest.fixture
def phone(open_page) -> Page:
    """A fresh page, 360 px wide, for a reader who wants no motion."""
    return open_page(viewport={"width": 360, "height": 800}, reduced_motion="reduce")


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which npm installs beside the fonts."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("axe-core is not in node_modules; run npm ci")
    return path.read_text(encoding="utf-8")
