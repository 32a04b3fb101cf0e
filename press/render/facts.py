"""What the press knows of a chapter and its page shows: times, execution record, downloads, links to the repository.

Written to `_build/pages/<chapter>.json` before an engine runs; `filters/page.lua` reads it on both engines.
"""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from press.book import Book, Chapter
from press.files import write_if_changed
from press.render import notebook as nb

WORDS_PER_MINUTE = 200   # adults read expository English at 175 to 300 (Brysbaert 2019, doi:10.1016/j.jml.2019.104047)
DOWNLOADS = {"": "This notebook, with its outputs", "-code-along": "Code-along", "-exercises": "Exercises",
             "-solutions": "Solutions"}
IN_COLAB = {"": "This notebook", "-code-along": "Code-along", "-exercises": "Exercises"}
GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


def write(book: Book, chapter: Chapter, notebook: dict[str, Any] | None = None) -> str:
    """Write the chapter's facts where they changed; return them as JSON. notebook: parsed already, or read here."""
    notebook = notebook or nb.parse(chapter.notebook, chapter.source)[0]
    known = {key: value for key, value in facts(book, chapter, notebook).items() if value is not None}
    text = json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True)
    write_if_changed(book.build / "pages" / f"{chapter.id}.json", text)
    return text


def facts(book: Book, chapter: Chapter, notebook: dict[str, Any]) -> dict[str, Any]:
    """Everything that page.lua shows: see the keys."""
    record = notebook.get("metadata", {}).get("dlbook")
    return {"id": chapter.id, "number": chapter.number, "module": module(notebook), "minutes": minutes(notebook),
            "runs": [_run(record)] if record else [], "record": _foot(record) if record else None,
            "downloads": downloads(book, chapter), **repository_links(book, f"chapters/{chapter.id}.ipynb")}


def module(notebook: dict[str, Any]) -> str | None:
    """The module that the notebook exports to, such as "cnn" or "vision.unet"."""
    found = (re.search(r"^#\|\s*default_exp:?\s+([\w.]+)", nb.text_of(cell), re.M)
             for cell in notebook["cells"] if cell.get("cell_type") == "code")
    return next((match[1] for match in found if match), None)


def minutes(notebook: dict[str, Any]) -> int:
    """Reading time of the prose; code and figures come on top, as every reader's pace with them differs."""
    words = sum(len(nb.text_of(cell).split()) for cell in notebook["cells"] if cell.get("cell_type") == "markdown")
    return max(1, round(words / WORDS_PER_MINUTE))


def downloads(book: Book, chapter: Chapter) -> list[dict[str, Any]]:
    """The notebooks and documents that a reader can take, as far as they exist; addresses relative to the page."""
    up = "../" * (chapter.url.count("/"))
    found = [{"text": text, "url": f"{up}downloads/{chapter.id}{suffix}.ipynb", "name": f"{chapter.slug}{suffix}.ipynb",
              "external": False} for suffix, text in DOWNLOADS.items()
             if not suffix or download_source(book, chapter, suffix).is_file()]
    there = {suffix: text for suffix, text in IN_COLAB.items()
             if not suffix or download_source(book, chapter, suffix).is_file()}
    return found + [{"text": f"{text} in Colab", "url": address, "name": "", "external": True}
                    for suffix, text in there.items() if (address := colab(book, f"{chapter.id}{suffix}.ipynb"))]


def colab(book: Book, notebook: str) -> str | None:
    """Where Colab opens a download: a branch that publish.yml fills; None without a repository on GitHub."""
    hosted = GITHUB.match(_base(book))
    return f"https://colab.research.google.com/github/{hosted[1]}/blob/notebooks/{quote(notebook)}" if hosted else None


def download_source(book: Book, chapter: Chapter, suffix: str) -> Path:
    """Where the press left a download; the notebook itself where it left none."""
    made = book.build / "downloads" / f"{chapter.id}{suffix}.ipynb"
    return made if suffix or made.is_file() else chapter.notebook


def repository_links(book: Book, path: str) -> dict[str, str | None]:
    """Addresses of a source file in the book's repository; None where `_quarto.yml` names no repository."""
    base = _base(book)
    branch = book.config["book"].get("repo-branch", "main")
    return {"source_url": f"{base}/blob/{branch}/{quote(path)}" if base else None,
            "edit_url": f"{base}/edit/{branch}/{quote(path)}" if base else None,
            "report_url": f"{base}/issues/new?title={quote(path + ': ')}" if base else None,
            "colab_url": colab(book, path.removeprefix("chapters/")) if path.endswith(".ipynb") else None}


def _base(book: Book) -> str:
    return (book.repository or "").rstrip("/").removesuffix(".git")


def _run(record: dict[str, Any]) -> dict[str, str]:
    device = "a GPU" if record.get("device") not in (None, "cpu") else "a CPU"
    return {"time": duration(float(record.get("seconds", 0))), "device": device}


def _foot(record: dict[str, Any]) -> dict[str, Any]:
    """The sentence and the versions at the page's foot."""
    device = record.get("device_name") or record.get("device", "an unnamed device")
    memory = f", with {record['memory_mb'] / 1000:.1f} GB of memory" if record.get("memory_mb") else ""
    text = (f"Its code last ran on {spoken_date(str(record.get('date', '')))} in {duration(float(record['seconds']))} "
            f"on {device}{memory}, in the {record.get('profile', 'quick')} profile, with these versions:")
    names = {"python": "Python", "torch": "PyTorch", "numpy": "NumPy", "scipy": "SciPy"}
    versions = record.get("versions", {})
    return {"sentence": text, "versions": [{"name": names.get(k, k), "version": str(v)} for k, v in versions.items()]}


def duration(seconds: float) -> str:
    """Seconds as a reader says them."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def spoken_date(text: str) -> str:
    """An ISO date as "3 May 2026"; other text as it is."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return text or "an unrecorded day"
    return f"{day.day} {day:%B %Y}"
