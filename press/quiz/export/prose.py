"""The book's Markdown in the form that an export needs: HTML with TeX or with MathML, or plain text.

All texts of a chapter go through Pandoc together, each parsed on its own, so that none can spoil its neighbours.
What is not the book's Markdown (raw HTML, raw TeX, an attribute, a script's address) comes out as text or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lxml import etree, html

from press.book import BookError, Chapter
from press.quiz.export.entries import Labels
from press.quiz.export.pictures import Picture, find
from press.render import pandoc
from press.render.pages import LABEL

READER = "markdown" + "".join(f"-{name}" for name in (
    "yaml_metadata_block", "pandoc_title_block", "auto_identifiers", "raw_html", "raw_tex", "raw_attribute",
    "native_divs", "native_spans", "latex_macros", "footnotes", "inline_notes", "example_lists", "implicit_figures",
    "task_lists"))
LONGEST = 20_000              # characters; a longer text is no prose and comes out as it is
PATIENCE = 24.0               # seconds for a chapter; Pandoc takes under one
UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")     # what XML cannot hold
DELIMITER = re.compile(r"\\[()\[\]]|\$\$")
MATHML = "{http://www.w3.org/1998/Math/MathML}"

Node = Any


def clean(text: str) -> str:
    """The text without what no XML file can hold: control characters and halves of characters become U+FFFD."""
    return UNSEEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


class Prose:
    """The texts of one chapter. media: what stands before a picture's name in its address.

    works: the bibliography, by key. site: the address of the book's website, where it has one.
    """

    def __init__(self, chapter: Chapter, texts: Iterable[str], labels: Labels, works: dict[str, Node],
                 site: str | None = None, media: str = ""):
        self.chapter, self.labels, self.works, self.site, self.media = chapter, labels, works, site, media
        self.notes: list[str] = []
        self.texts = list(dict.fromkeys(texts))
        self._used: dict[str, list[Picture]] = {}
        parsed = _parsed([clean(text) for text in self.texts], chapter)
        self.blocks = {text: self._mended(text, blocks) for text, blocks in zip(self.texts, parsed, strict=True)}

    def html(self, text: str) -> str:
        r"""HTML with formulas as `\( \)` and `\[ \]`."""
        return self._html[text]

    def inline(self, text: str) -> str:
        """HTML without its paragraph where it is a single one."""
        found = self._html[text]
        return found[3:-4] if re.fullmatch(r"<p>(?:(?!</?p>).)*</p>", found, re.S) else found

    def mathml(self, text: str) -> etree._Element:
        """A div of XHTML with MathML."""
        return self._mathml[text]

    def plain(self, text: str) -> str:
        """Plain text; formulas in Unicode where they can be."""
        return self._plain[text]

    def pictures(self, *texts: str) -> list[Picture]:
        """The pictures that the texts show, each once."""
        return list({picture.name: picture for text in texts for picture in self._used.get(text, ())}.values())

    @cached_property
    def _html(self) -> dict[str, str]:
        return self._written(["--to", "html5", "--mathjax", "--syntax-highlighting=none"], _markup)

    @cached_property
    def _mathml(self) -> dict[str, etree._Element]:
        return self._written(["--to", "html5", "--mathml", "--syntax-highlighting=none"], _xhtml)

    @cached_property
    def _plain(self) -> dict[str, str]:
        mark = "cut" + hashlib.sha256("\0".join(self.texts).encode("utf-8", "replace")).hexdigest()
        cut = {"t": "Para", "c": [_str(mark)]}
        parts = [part for blocks in self.blocks.values() for part in [*blocks, cut]]
        out, _ = self._converted(["--to", "plain"], parts)
        return {text: " ".join(part.split()) for text, part in zip(self.blocks, out.split(mark), strict=False)}

    def _written(self, options: list[str], finish: Callable[[Node], Any]) -> dict[str, Any]:
        """One call of Pandoc for all texts; each one's part is finished on its own."""
        divs = [{"t": "Div", "c": [["", ["dl-text"], []], blocks]} for blocks in self.blocks.values()]
        out, complaints = self._converted(options, divs)
        self.notes += [note for note in complaints if note not in self.notes]
        body = html.document_fromstring(f"<body>{out}</body>", parser=html.HTMLParser(huge_tree=True, encoding="utf-8"))
        parts = body.xpath("//body/div[@class='dl-text']")
        return {text: finish(part) for text, part in zip(self.blocks, parts, strict=True)}

    @staticmethod
    def _converted(options: list[str], blocks: list[Node]) -> tuple[str, list[str]]:
        document = {"pandoc-api-version": _version(), "meta": {}, "blocks": blocks}
        return _pandoc(["--from", "json", "--wrap=none", *options], json.dumps(document))

    # ---- mending the AST ---------------------------------------------------------------------------------------------

    def _mended(self, text: str, blocks: Node) -> Node:
        self._here = text
        try:
            return self._walk(blocks)
        except RecursionError:
            return _verbatim(clean(text))

    def _walk(self, node: Node) -> Node:
        if isinstance(node, list):
            return ["", [], []] if _is_attributes(node) else \
                [kept for child in node for kept in self._replaced(child)]
        if isinstance(node, dict):
            return {key: self._walk(value) for key, value in node.items()}
        return node

    def _replaced(self, node: Node) -> list[Node]:
        kind = node.get("t") if isinstance(node, dict) else None
        if kind == "Cite":
            return self._cited(node)
        if kind == "Link":
            return self._linked(node)
        if kind == "Image":
            return self._pictured(node)
        if kind == "Header":      # a title inside a question is no section
            return [{"t": "Para", "c": [{"t": "Strong", "c": self._walk(node["c"][2])}]}]
        if kind in ("RawInline", "RawBlock"):
            return [{"t": "Code" if kind == "RawInline" else "CodeBlock", "c": [["", [], []], node["c"][1]]}]
        return [self._walk(node)]

    def _cited(self, node: Node) -> list[Node]:
        """Cross-references and citations as the page words them; what is neither stays as written."""
        keys = [citation["citationId"] for citation in node["c"][0]]
        if all(LABEL.match(key) and key in self.labels for key in keys):
            return [part for i, key in enumerate(keys) for part in [*([_str(", ")] if i else []), *self._label(key)]]
        if all(key in self.works for key in keys):
            named = "; ".join(_work(self.works[key]) for key in keys)
            in_text = node["c"][0][0]["citationMode"]["t"] == "AuthorInText"
            return [_str(named if in_text else f"({named})")]
        return [self._walk(part) for part in node["c"][1]]

    def _label(self, key: str) -> list[Node]:
        label = self.labels[key]
        title = f", “{label['title']}”" if key.startswith("sec-") and label["title"] != label["text"] else ""
        return self._anchored([_str(label["text"] + title)], label["url"])

    def _anchored(self, content: list[Node], url: str) -> list[Node]:
        """The words, as a link where the book has an address."""
        return [{"t": "Link", "c": [["", [], []], content, [f"{self.site}/{url}", ""]]}] if self.site else content

    def _linked(self, node: Node) -> list[Node]:
        _, content, (url, _) = node["c"]
        content = self._walk(content)
        if re.match(r"(https?://|mailto:)", url):
            return [{"t": "Link", "c": [["", [], []], content, [url, ""]]}]
        path, _, anchor = url.partition("#")
        here = self.chapter.source
        target = os.path.normpath(os.path.join(os.path.dirname(here), path)) if path else here
        known = path.endswith(".ipynb") or not path
        return self._anchored(content, f"{target.removesuffix('.ipynb')}.html#{anchor}") if known else content

    def _pictured(self, node: Node) -> list[Node]:
        _, alt, (url, _) = node["c"]
        alt = self._walk(alt)
        try:
            picture = find(self.chapter, url)
        except (BookError, OSError, ValueError) as error:
            self.notes.append(f"picture left out: {error}")
            return [_str("[picture: "), *alt, _str("]")]
        self._used.setdefault(self._here, []).append(picture)
        return [{"t": "Image", "c": [["", [], []], alt, [self.media + picture.name, ""]]}]


def _str(text: str) -> Node:
    return {"t": "Str", "c": text}


def _is_attributes(node: list) -> bool:
    return len(node) == 3 and isinstance(node[0], str) and isinstance(node[1], list) and isinstance(node[2], list)


def _work(work: dict[str, Node]) -> str:
    """Authors and year, as the text names a work."""
    names = [name.get("family") or name.get("literal", "") for name in work.get("author", [])]
    shown = f"{names[0]} et al." if len(names) > 2 else " and ".join(names)
    year = next(iter(work.get("issued", {}).get("date-parts", [["undated"]])[0]), "undated")
    return f"{shown} {year}"


# ---- calling Pandoc --------------------------------------------------------------------------------------------------

def _pandoc(args: list[str], text: str = "", folder: str | None = None, share: float = 1) -> tuple[str, list[str]]:
    """Standard output and warnings. Raises TimeoutError where it takes more than this share of PATIENCE."""
    command = [pandoc.executable(), "+RTS", "-A64m", "-M1500m", "-RTS", *args]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, cwd=folder, check=False,
                              timeout=PATIENCE * share, env=os.environ | {"LC_ALL": "C.UTF-8"})
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if done.returncode:
        raise TimeoutError
    warnings = re.findall(r"^\[WARNING\] (.*?):?$", done.stderr.decode(), re.M)
    return done.stdout.decode(), list(dict.fromkeys(warnings))


@cache
def _version() -> list[int]:
    return json.loads(_pandoc(["--from", "markdown", "--to", "json"])[0])["pandoc-api-version"]


def _verbatim(text: str) -> list[Node]:
    return [{"t": "CodeBlock", "c": [["", [], []], text]}]


def _parsed(texts: list[str], chapter: Chapter) -> list[list[Node]]:
    """The blocks of each text; a text that Pandoc cannot read in good time comes out as it is."""
    readable = [text for text in texts if len(text) <= LONGEST]
    try:
        found = dict(zip(readable, _parse(readable), strict=True))
    except TimeoutError:
        found = {text: _patiently(text) for text in readable}
    return [found.get(text) or _verbatim(text) if text else [] for text in texts]


def _patiently(text: str) -> list[Node]:
    try:
        return _parse([text], 1 / 6)[0]
    except TimeoutError:
        return _verbatim(text)


def _parse(texts: list[str], share: float = 1.0) -> list[list[Node]]:
    """The blocks of each text, from one call; a div that no text can know of stands between two of them."""
    mark = "cut-" + hashlib.sha256("\0".join(texts).encode()).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cut").write_text(f"::: {{.{mark}}}\n:::\n")
        names = []
        for i, text in enumerate(texts):
            (Path(folder) / str(i)).write_text(text + "\n", encoding="utf-8")
            names += [str(i), "cut"]
        out, _ = _pandoc(["--from", READER, "--to", "json", "--file-scope", *names], "", folder, share)
    return list(_split(json.loads(out)["blocks"], mark)) if texts else []


def _split(blocks: list[Node], mark: str) -> Iterator[list[Node]]:
    part: list[Node] = []
    for block in blocks:
        if block["t"] == "Div" and mark in block["c"][0][1]:
            yield part
            part = []
        else:
            part.append(block)


# ---- HTML with TeX ---------------------------------------------------------------------------------------------------

def _markup(div: html.HtmlElement) -> str:
    """The fragment's markup; what looks like a formula and is none is kept from being typeset."""
    for span in list(div.iter("span")):
        if "math" in (span.get("class") or ""):
            span.attrib.clear()
            span.set("data-math", "")
    for element in list(div.iter()):
        _disarm(element)
    text = (div.text or "") + "".join(html.tostring(child, encoding="unicode") for child in div)
    return re.sub(r'<span data-math="">(.*?)</span>', r"\1", text, flags=re.S).strip()


def _disarm(element: html.HtmlElement) -> None:
    if not any(up.tag in ("code", "pre") or "data-math" in up.attrib for up in [element, *element.iterancestors()]):
        _broken(element, "text")
    if element.tag != "div" and not any(up.tag in ("code", "pre") or "data-math" in up.attrib
                                        for up in element.iterancestors()):
        _broken(element, "tail")


def _broken(element: html.HtmlElement, where: str) -> None:
    """Put an empty span into each delimiter of a formula that stands in ordinary text."""
    text = getattr(element, where)
    if not text or not (found := list(DELIMITER.finditer(text))):
        return
    cuts = [0, *(match.start() + 1 for match in found), len(text)]
    pieces = [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
    setattr(element, where, pieces[0])
    parent, at = (element, 0) if where == "text" else (element.getparent(), element.getparent().index(element) + 1)
    for i, piece in enumerate(pieces[1:]):
        span = etree.Element("span")
        span.tail = piece
        parent.insert(at + i, span)


# ---- XHTML with MathML -----------------------------------------------------------------------------------------------

KEPT = {"p", "pre", "code", "em", "strong", "sub", "sup", "ul", "ol", "li", "blockquote", "table", "thead", "tbody",
        "tr", "th", "td", "caption", "span", "div", "img", "a", "br", "hr", "dl", "dt", "dd", "h1", "h2", "h3", "h4",
        "h5", "h6"}
ATTRIBUTES = {"img": {"src", "alt"}, "a": {"href"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan"}}


def _xhtml(div: html.HtmlElement) -> etree._Element:
    """A copy of known elements only, formulas in the namespace of MathML with their TeX as alternative text."""
    return _copied(div)


def _copied(element: html.HtmlElement) -> etree._Element:
    if element.tag == "math":
        return _formula(element)
    tag = element.tag if element.tag in KEPT else "span"
    copy = etree.Element(tag, {k: v for k, v in element.attrib.items() if k in ATTRIBUTES.get(tag, ())})
    if tag == "img":
        copy.set("alt", copy.get("alt", ""))
    copy.text = element.text
    for child in element.iterchildren(tag=etree.Element):
        if child.tag not in ("colgroup", "col"):
            copy.append(_copied(child))
            copy[-1].tail = child.tail
    return copy


def _formula(element: html.HtmlElement) -> etree._Element:
    tex = "".join(element.xpath(".//annotation/text()"))
    shown = element.find("semantics")
    math = etree.Element(MATHML + "math", nsmap={None: MATHML[1:-1]})
    math.set("display", element.get("display", "inline"))
    math.set("alttext", tex)
    for child in (element if shown is None else shown).iterchildren(tag=etree.Element):
        if child.tag != "annotation":
            math.append(_mathematical(child))
    return math


def _mathematical(element: html.HtmlElement) -> etree._Element:
    copy = etree.Element(MATHML + element.tag, {k: v for k, v in element.attrib.items() if k not in ("class", "style")})
    copy.text, copy.tail = element.text, element.tail
    for child in element.iterchildren(tag=etree.Element):
        copy.append(_mathematical(child))
    return copy
