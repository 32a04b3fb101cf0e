"""One explorable on a page of its own, opened from a file on a telephone's screen."""

from __future__ import annotations

from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "theme" / "explorables"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Explorable</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>Explorable</h1>
<dl-{name}>{inside}</dl-{name}></main>
<script type="module">{script}</script></body></html>"""


def alone(folder: Path, name: str, inside: str) -> str:
    """The address of a new file that holds dl-<name>, with what stands inside it without a script."""
    path, script = folder / "page.html", (SCRIPTS / f"{name}.js").read_text(encoding="utf-8")
    path.write_text(PAGE.format(name=name, inside=inside, script=script), encoding="utf-8")
    return path.as_uri()


def page_with(name: str, inside: str):
    """A fixture: that page, open."""
    @pytest.fixture
    def page(phone, tmp_path):
        phone.goto(alone(tmp_path, name, inside))
        return phone
    return page


def press(page, name: str, key: str = "Enter") -> None:
    """Reach a button by its name and press it by keyboard."""
    page.get_by_role("button", name=name, exact=True).focus()
    page.keyboard.press(key)
