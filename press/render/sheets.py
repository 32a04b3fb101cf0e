"""Quarto's style sheets and icon font cut to what its pages use: 1.1 MB become 160 kB."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"[A-Za-z_][\w-]*")
CLASS = re.compile(r"\.(-?[A-Za-z_][\w-]*)")
NAMED = re.compile(r'<script\b.*?</script>|\bclass="[^"]*"', re.S)
NESTING = ("@media", "@supports", "@layer", "@container")
NOT = re.compile(r":not\((?:[^()]|\([^()]*\))*\)")


def cut_to_size(folder: Path) -> None:
    """Leave of Bootstrap what the pages use, and of its dark sheet what differs: Quarto lays it over the light one."""
    for path in folder.glob("site_libs/quarto-html/quarto-syntax-highlighting*.css"):
        path.write_text("", encoding="utf-8")                       # listings have the book's colours, from book.css
    known, sheets = vocabulary(folder), {}
    for path in folder.glob("site_libs/bootstrap/*.css"):
        sheets[path] = cut(path.read_text(encoding="utf-8"), known)
    light = next((css for path, css in sheets.items() if re.match(r"bootstrap-(?!dark|icons)", path.name)), "")
    for path, css in sheets.items():
        path.write_text(over(css, light) if path.name.startswith("bootstrap-dark") else css, encoding="utf-8")
    _cut_icons(folder / "site_libs" / "bootstrap" / "bootstrap-icons.woff", "".join(sheets.values()))


def _cut_icons(path: Path, css: str) -> None:
    """The icon font with the icons that the style sheets name: 2 kB in place of 180."""
    if not path.is_file():
        return
    from fontTools import subset
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.ERROR)             # it warns of spare bytes that it then drops
    font = TTFont(path, recalcTimestamp=False)
    cutter = subset.Subsetter(subset.Options(hinting=False, notdef_outline=True))
    cutter.populate(unicodes=[int(code, 16) for code in re.findall(r'content:\s*"\\(f[0-9a-f]{3})"', css)])
    cutter.subset(font)
    font.save(path)


def vocabulary(folder: Path) -> set[str]:
    """Every class of the pages and every word of their scripts: a class that is not among them is on no page."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.js")]
    texts += [name for path in folder.rglob("*.html") for name in NAMED.findall(path.read_text(encoding="utf-8"))]
    return set().union(*map(WORD.findall, texts))


def over(css: str, base: str) -> str:
    """The style sheet without what it repeats of the base that it is laid over.

    Where the declarations of one kind of property differ anywhere, all of that kind stay, so that the cascade does.
    """
    mine, theirs = by_kind(css), by_kind(base)
    return "".join(_differing(css, {kind for kind in mine if mine[kind] != theirs.get(kind)}))


def by_kind(css: str) -> dict[str, list[tuple[str, str]]]:
    """Kind of property → (selector, declaration), in order."""
    found: dict[str, list[tuple[str, str]]] = {}
    for around, head, text in declarations(css):
        found.setdefault(kind_of(text), []).append((around + head, text))
    return found


def declarations(css: str, around: str = "") -> Iterator[tuple[str, str, str]]:
    """(at-rules around, selector, declaration)."""
    for head, body in rules(css):
        if body and head.lstrip().startswith(NESTING):
            yield from declarations(body[1:-1], around + head)
        elif body:
            yield from ((around, head, text) for text in parts(body))


def parts(body: str) -> list[str]:
    """The declarations of a block, cut at the semicolons outside brackets and quotes; a block that nests, whole."""
    if "{" in body[1:]:
        return [body[1:-1]]
    found, depth = [""], 0
    for mark in re.split(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[();])""", body[1:-1]):
        depth += (mark == "(") - (mark == ")")
        if mark == ";" and not depth:
            found.append("")
        else:
            found[-1] += mark
    return [text for text in found if text.strip()]


def kind_of(declaration: str) -> str:
    """A property's first word, so that it is with those that it may overrule; a custom property is one of its own."""
    name = declaration.partition(":")[0].strip()
    return name if name.startswith("--") else re.sub(r"^-(webkit|moz|ms|o)-", "", name).partition("-")[0]


def _differing(css: str, kinds: set[str]) -> Iterator[str]:
    for head, body in rules(css):
        if body and head.lstrip().startswith(NESTING):
            inner = "".join(_differing(body[1:-1], kinds))
            yield f"{head}{{{inner}}}" if inner else ""
        elif kept := [text for text in parts(body) if kind_of(text) in kinds] if body else []:
            yield f"{head}{{{';'.join(kept)}}}"


def cut(css: str, known: set[str]) -> str:
    """The style sheet without the rules for classes that no page has. known: see `vocabulary`."""
    beginnings = tuple(word for word in known if len(word) > 2 and word.endswith("-"))      # scripts complete them
    return "".join(_kept(css, known, beginnings))


def _kept(css: str, known: set[str], beginnings: tuple[str, ...]) -> Iterator[str]:
    for head, body in rules(css):
        if body and head.lstrip().startswith(NESTING):
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
