"""What Quarto's pages lack: names for their landmarks, links that work from file://, style sheets cut to size."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from press.book import BookError
from press.render.body import NAMESPACE, TABLE, accessible

WORD = re.compile(r"[A-Za-z_][\w-]*")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
NOT = re.compile(r":not\((?:[^()]|\([^()]*\))*\)")
PRESS = ' onkeydown="if (event.key === \'Enter\' || event.key === \' \') { event.preventDefault(); this.click(); }"'
MENDS = [(re.compile(pattern, re.S), replacement) for pattern, replacement in (
    (r'href="((?:\.\./)+|\./)"', r'href="\1index.html"'),                     # a folder is no page under file://
    (r'(<a class="sidebar-item-(?:text|toggle)[^>]*) role="navigation"', r'\1 role="button" tabindex="0"' + PRESS),
    (r'<div( class="callout-header[^>]* aria-expanded=)', r'<div role="button" tabindex="0"' + PRESS + r'\1'),
    (r'<nav id="quarto-sidebar"', '<nav id="quarto-sidebar" aria-label="Chapters"'),
    (r'<nav class="quarto-secondary-nav"', '<nav class="quarto-secondary-nav" aria-label="Page"'),
    (r'<nav id="TOC"', '<nav id="TOC" aria-label="On this page"'),
    (r'(<div role="button"[^>]* class="callout-header[^>]*) aria-label="[^"]*"', r'\1'),      # its title names it
    (r'(<a [^>]*class="pagination-link") aria-label="[^"]*"', r'\1'),          # it left out the chapter's number
    (r'<pre(?! tabindex)', '<pre tabindex="0"'),                                      # it scrolls: for the keyboard
    (r'(<math display="block".*?</math>)', r'<span class="math-wide" tabindex="0">\1</span>'),
    (r'(<script src="[^"]*/quarto-html/quarto.js") type="module"', r'\1 defer'),
    (r'<script src="[^"]*/quarto-html/tabsets/tabsets.js" type="module"></script>\s*', ""),
    (r'(<h1 class="title">([^<]+)</h1>.*?)<h1\b[^>]*>\2</h1>', r'\1'),         # the preface's, which Quarto shows twice
    (r'<main class="content([^"]*)"', r'<main class="content\1" data-pagefind-body'))]


def site(folder: Path, fonts: str) -> None:
    """Mend every page of the rendered site, cut its style sheets and give them the fonts' rules, in place."""
    for path in folder.rglob("*.html"):
        path.write_text(page(path.read_text(encoding="utf-8")), encoding="utf-8")
    _unite_scripts(folder / "site_libs" / "quarto-html")
    known = vocabulary(folder)
    for path in folder.glob("site_libs/bootstrap/*.css"):
        extra = fonts if path.name.startswith("bootstrap-") and ".min." in path.name else ""
        path.write_text(cut(path.read_text(encoding="utf-8"), known) + extra, encoding="utf-8")


def page(text: str) -> str:
    """One page with its names, links and tables mended."""
    text = text.replace(NAMESPACE, "")
    for pattern, replacement in MENDS:
        text = pattern.sub(replacement, text)
    return TABLE.sub(lambda match: accessible(match[0]), text)


def _unite_scripts(folder: Path) -> None:
    """Quarto's two modules as one classic script: module files do not load from file://."""
    main, tabs = folder / "quarto.js", folder / "tabsets" / "tabsets.js"
    if not (main.is_file() and tabs.is_file()):
        return
    inner = re.sub(r"^export function init\b", "function init", tabs.read_text(encoding="utf-8"), flags=re.M)
    both = f"const tabsets = (() => {{\n{inner}\nreturn {{init}};\n}})();"
    text, found = re.subn(r"^import \* as tabsets from [^\n]*$", lambda _: both, main.read_text(encoding="utf-8"),
                          flags=re.M)
    if not found or re.search(r"^(import|export)\b", text, re.M):
        raise BookError("this Quarto's scripts have another form than the press knows; use --engine pandoc")
    main.write_text(f"(() => {{\n{text}\n}})();\n", encoding="utf-8")
    tabs.unlink()


# ---- style sheets ---------------------------------------------------------------------------------------------------


def vocabulary(folder: Path) -> set[str]:
    """Every word of the pages and of their scripts: a class that is not among them is on no page."""
    files = (path for kind in ("*.html", "*.js") for path in folder.rglob(kind))
    return set().union(*(WORD.findall(path.read_text(encoding="utf-8")) for path in files))


def cut(css: str, known: set[str]) -> str:
    """The style sheet without the rules for classes that no page has. known: see `vocabulary`."""
    beginnings = tuple(word for word in known if len(word) > 2 and word.endswith("-"))      # scripts complete them
    return "".join(_kept(css, known, beginnings))


def _kept(css: str, known: set[str], beginnings: tuple[str, ...]) -> Iterator[str]:
    for head, body in rules(css):
        if body and head.lstrip().startswith(("@media", "@supports", "@layer", "@container")):
            inner = "".join(_kept(body[1:-1], known, beginnings))
            yield f"{head}{{{inner}}}" if inner.strip() else ""
        elif not body or head.lstrip().startswith("@"):
            yield head + body
        elif used := [part for part in split(head) if _used(part, known, beginnings)]:
            yield ",".join(used) + body


def _used(selector: str, known: set[str], beginnings: tuple[str, ...]) -> bool:
    names = CLASS.findall(NOT.sub("", selector).replace("\\", ""))
    return all(name in known or any(name.startswith(part) and name.removeprefix(part) in known for part in beginnings)
               for name in names)


def rules(css: str) -> Iterator[tuple[str, str]]:
    """(before the brace, the block with its braces) of each rule; a block is "" for @import and the like."""
    start = open_ = depth = 0
    for mark in re.finditer(r"""/\*.*?\*/|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|url\([^)"']*\)|[{};]""", css, re.S):
        if mark[0] == "{":
            depth, open_ = depth + 1, open_ if depth else mark.start()
        elif mark[0] == "}":
            depth -= 1
        if (mark[0] == "}" and depth == 0) or (mark[0] == ";" and depth == 0):
            yield (css[start:open_], css[open_:mark.end()]) if mark[0] == "}" else (css[start:mark.end()], "")
            start = mark.end()
    yield css[start:], ""


def split(selectors: str) -> list[str]:
    """A list of selectors at the commas outside brackets."""
    return re.split(r",(?![^()\[\]]*[)\]])", selectors)
