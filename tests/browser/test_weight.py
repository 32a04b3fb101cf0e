"""What a page of the book weighs: its html, the style sheet and the script; the figures are files of their own."""

from __future__ import annotations

import pytest
from lxml import html

LIMIT = 300_000


def parts(folder, page: str) -> dict[str, int]:
    """Bytes of the page and of every style sheet and script that it loads; the pictures in its text left out."""
    tree = html.parse(folder / page).getroot()
    loaded = tree.xpath('//script/@src | //link[@rel="stylesheet"]/@href')
    inside = sum(len(source) for source in tree.xpath('//img/@src[starts-with(., "data:")]'))
    files = {url.rpartition("/")[2]: ((folder / page).parent / url).stat().st_size for url in loaded}
    return {"html": (folder / page).stat().st_size - inside} | files


def heavy(site, pages: list[str]) -> list[str]:
    """Those of the pages that weigh more than the limit, with their parts."""
    weights = {page: parts(site.folder, page) for page in pages}
    assert all({"book.css", "book.js"} <= part.keys() for page, part in weights.items() if "answers" not in page)
    assert all("book.css" in part for part in weights.values())
    return [f"{page}: {sum(part.values()):,} = {part}" for page, part in weights.items() if sum(part.values()) > LIMIT]


def test_every_page_weighs_at_most_300_kb_with_style_and_script(site):
    found = heavy(site, site.pages)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("size", [LIMIT, LIMIT + 1])
def test_the_weight_counts_style_and_script(tmp_path, size):
    (tmp_path / "book.css").write_text("c" * 200_000)
    (tmp_path / "book.js").write_text("j" * 50_000)
    page = '<html><link rel="stylesheet" href="book.css"><script src="book.js"></script><p>'
    (tmp_path / "p.html").write_text(page + "x" * (size - 250_000 - len(page)))
    assert sum(parts(tmp_path, "p.html").values()) == size
