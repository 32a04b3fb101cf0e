"""What Quarto's pages lack: names for their landmarks, links and a search that work from file://, light listings."""

from __future__ import annotations

import re
from html import escape, unescape
from pathlib import Path

from press.book import BookError
from press.render import highlight, lean, sheets
from press.render.body import TABLE, accessible

LISTING = re.compile(r'<pre class="sourceCode (?P<kind>\w+)"[^>]*><code[^>]*>(?P<code>.*?)</code></pre>', re.S)
EQUATION = re.compile(r'<span id="(?P<id>eq-[^"]+)">(?P<math><math display="block">.*?)<mspace width="2.0em"></mspace>'
                      r'<mo stretchy="false" form="prefix">\(</mo>(?:(?!<mspace).)*?</mrow>'
                      r'(?P<note><annotation[^>]*>(?:(?!</annotation>).)*?)\s*\\qquad\((?P<number>[\w.]+)\)\s*'
                      r'</annotation></semantics></math>', re.S)
FOOT = "</div> <!-- /content -->"
PRESS = ' onkeydown="if (event.key === \'Enter\' || event.key === \' \') { event.preventDefault(); this.click(); }"'
SEARCH = ('<button type="button" class="btn quarto-search-button" aria-label="Search" onclick="document.querySelector('
          '\'dl-search\').open()"><i class="bi bi-search"></i></button>')
MENDS = [(re.compile(pattern, re.S), replacement) for pattern, replacement in (
    (r'code\.sourceCode > span \{ color: inherit; text-decoration: inherit; \}', ""),          # it takes all colour
    (r'href="((?:\.\./)+|\./)"', r'href="\1index.html"'),                     # a folder is no page under file://
    (r'(<a class="sidebar-item-(?:text|toggle)[^>]*) role="navigation"', r'\1 role="button" tabindex="0"' + PRESS),
    (r'<div( class="callout-header[^>]* aria-expanded=)', r'<div role="button" tabindex="0"' + PRESS + r'\1'),
    (r'<nav id="quarto-sidebar"', '<nav id="quarto-sidebar" aria-label="Chapters"'),
    (r'<nav class="quarto-secondary-nav"', '<nav class="quarto-secondary-nav" aria-label="Page"'),
    (r'<nav id="TOC"', '<nav id="TOC" aria-label="On this page"'),
    (r'<nav class="page-navigation"', '<nav class="page-navigation" aria-label="Previous and next"'),
    (r'(<div role="button"[^>]* class="callout-header[^>]*) aria-label="[^"]*"', r'\1'),      # its title names it
    (r'(<a [^>]*class="pagination-link") aria-label="[^"]*"', r'\1'),          # it left out the chapter's number
    (r'(<script src="[^"]*/quarto-html/quarto.js") type="module"', r'\1 defer'),
    (r'<script src="[^"]*/quarto-html/tabsets/tabsets.js" type="module"></script>\s*', ""),
    (r'(<h1 class="title">([^<]+)</h1>.*?)<h1\b[^>]*>\2</h1>', r'\1'),         # the preface's, which Quarto shows twice
    (r'(<figcaption[^>]*>\s*)((?:Figure|Table)&nbsp;[\w.]+:)', r'\1<span class="caption-label">\2</span>'),
    (r'<main class="content([^"]*)"', r'<main class="content page\1" data-pagefind-body'),
    (r'(<div class="sidebar-menu-container">)', r'<dl-search></dl-search>\1'),
    (r'(</div>\s*</nav>\s*</header>\s*<!-- content -->)', SEARCH + r'\1'),
    (r'(<link rel="stylesheet" href="((?:\.\./)*)theme/quarto\.css">)',
     r'\1<script defer src="\2assets/book.js"></script>'))]


def site(folder: Path, fonts: str, links: dict[str, str]) -> None:
    """Mend every page of the rendered site, cut its style sheets and give them the fonts' rules, in place.

    links: words → address from the site's root, for the foot of every page.
    """
    for path in folder.rglob("*.html"):
        name = path.relative_to(folder).as_posix()
        path.write_text(page(path.read_text(encoding="utf-8"), name, links), encoding="utf-8")
    _unite_scripts(folder / "site_libs" / "quarto-html")
    sheets.cut_to_size(folder)
    style = folder / "theme" / "quarto.css"
    style.write_text(fonts + style.read_text(encoding="utf-8"), encoding="utf-8")


def page(text: str, name: str, links: dict[str, str] | None = None) -> str:
    """One page with its names, links, formulas, listings and tables mended. name: its address from the site's root."""
    text = text.replace(lean.NAMESPACE, "")
    for pattern, replacement in MENDS:
        text = pattern.sub(replacement, text)
    text = EQUATION.sub(r'<span id="\g<id>" class="equation">\g<math></mrow>\g<note></annotation></semantics></math>'
                        r'<span class="equation-number">(\g<number>)</span>', text)
    text = LISTING.sub(_listing, lean.FORMULA.sub(_inline, text))
    root = "../" * name.count("/") or "./"
    kind = "index" if name == "index.html" else "page"
    text = text.replace("<html ", f'<html data-root="{root}" data-kind="{kind}" ', 1)
    return TABLE.sub(lambda match: accessible(match[0]), text).replace(FOOT, _foot(root, links or {}) + FOOT)


def _inline(found: re.Match[str]) -> str:
    return lean.formula(found) if found["display"] == "inline" else found[0]


def _listing(found: re.Match[str]) -> str:
    """A listing with the marks of the embedded engine, a third of Pandoc's."""
    code, kind = unescape(re.sub(r"<[^>]+>", "", found["code"])), found["kind"]
    text = highlight.marked(code) if kind == "python" else escape(code, quote=False)
    return f'<pre class="sourceCode {kind}"><code class="sourceCode {kind}">{text}</code></pre>'


def _foot(root: str, links: dict[str, str]) -> str:
    items = "".join(f'<li><a href="{root}{url}">{words}</a></li>' for words, url in links.items())
    return (f'<section class="foot" aria-label="The book"><ul class="page-links">{items}</ul><p class="colophon">'
            "Text under CC BY 4.0, code under the MIT licence.</p></section>\n")


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
