"""The site's folder: built aside in `_build/site`, searched, then published into `_book/` file by file."""

from __future__ import annotations

import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from press.book import Book, BookError
from press.files import write_if_changed
from press.render.pages import digest

LEAF = '<!doctype html><html lang="{lang}"><title>{title}</title><main data-pagefind-body><h1>{title}</h1>{body}</main>'


class Stage:
    """Writes the whole site aside and remembers which files belong to it."""

    def __init__(self, book: Book):
        self.book, self.folder = book, book.build / "site"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.names: set[str] = set()
        self.searched = False

    def text(self, name: str, text: str) -> bool:
        """Write a page; True where it differs from the one before."""
        self.names.add(name)
        return write_if_changed(self.folder / name, text)

    def copy(self, name: str, source: Path) -> None:
        """Copy a file that is new or changed."""
        self.names.add(name)
        _copy(source, self.folder / name)

    def search(self, entries: list[list[dict[str, str]]]) -> None:
        """The index that Pagefind serves over http, and the plain list for file://; only where a text changed."""
        flat = [entry for page in entries for entry in page]
        listed = json.dumps(flat, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
        self.text("search-index.js", f"globalThis.dlbookSearch = {listed};\n")
        mark, index = self.book.build / "pagefind.key", self.folder / "pagefind"
        key = digest(listed, LEAF)
        if not (index / "pagefind.js").is_file() or not mark.is_file() or mark.read_text() != key:
            mark.unlink(missing_ok=True)
            shutil.rmtree(index, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=self.book.build) as leaves:
                for page in entries:
                    write_if_changed(Path(leaves) / page[0]["url"].partition("#")[0], _leaf(self.book, page))
                _pagefind(Path(leaves), index)
            mark.write_text(key)
        self.searched = True

    def publish(self) -> None:
        """Bring `_book/` to what was built, and remove pages that were published before and are no more."""
        self._drop_stale()
        target, record = self.book.output, self.book.build / "published.json"
        now = sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())
        for name in now:
            _copy(self.folder / name, target / name)
        before = json.loads(record.read_text()) if record.is_file() else []
        for name in set(before) - set(now):
            (target / name).unlink(missing_ok=True)
        _remove_empty(target)
        write_if_changed(record, json.dumps(now))

    def _drop_stale(self) -> None:
        """Remove staged files that this build did not write; assets belong to the theme."""
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder)
            kept = name.parts[0] == "assets" or (self.searched and name.parts[0] == "pagefind")
            if path.is_file() and not kept and name.as_posix() not in self.names:
                path.unlink()


def _copy(source: Path, target: Path) -> None:
    """Copy where the contents differ, under a temporary name first; equal size and time count as equal contents."""
    if source == target or (target.is_file() and filecmp.cmp(source, target)):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copy2(source, part)
    os.replace(part, target)


def _remove_empty(folder: Path) -> None:
    for path in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        if not any(path.iterdir()):
            path.rmdir()


def _leaf(book: Book, sections: list[dict[str, str]]) -> str:
    """A page for Pagefind alone: headings and words, a tenth of what a reader's page makes it read."""
    body = "".join(_section(part) for part in sections)
    return LEAF.format(lang=book.config.get("lang", "en-GB"), title=escape(sections[0]["title"]), body=body)


def _section(part: dict[str, str]) -> str:
    anchor = part["url"].partition("#")[2]
    head = f'<h2 id="{escape(anchor)}">{escape(part["section"] or part["title"])}</h2>' if anchor else ""
    return f"{head}<p>{escape(part['text'])}</p>"


def _pagefind(source: Path, target: Path) -> None:
    """Index the pages of a folder. Raises BookError with Pagefind's own words where it fails."""
    done = subprocess.run([sys.executable, "-m", "pagefind", "--site", str(source), "--output-path", str(target),
                           "--quiet"], capture_output=True, text=True, check=False)
    if done.returncode:
        words = " ".join((done.stderr or done.stdout).split())[-300:]
        raise BookError(f"the search index could not be made: {words or 'pagefind gave no message'}")
