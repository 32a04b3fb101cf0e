"""A notebook as Pandoc Markdown, in the form that Quarto gives it, so that filters and styles serve both engines.

Each cell starts with an empty div `.dl-mark` that carries its id, so that a fault can be placed. A code cell becomes
`::: .cell` around `.cell-code` and its outputs `.cell-output-…`; figures are written to files beside the page.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from lxml import etree, html

from press.book import Problem

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
OPTIONS = {"label", "fig-cap", "fig-alt", "tbl-cap", "echo", "code-fold", "code-summary", "output", "include", "export",
           "exports", "default_exp", "fig-column", "waive", "eval", "warning", "codealong"}
LABEL = re.compile(r"(fig|tbl)-[A-Za-z0-9][\w-]*")
IMAGES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
NUMBER = re.compile(r"[-+−]?[\d,.]+(e[-+]?\d+)?\s*(%|±\s*[\d.]+)?|nan|NaN|inf", re.I)
PROGRESS = re.compile(r"\d+%\||\bit/s\b|━━|[█▏▎▍▌▋▊▉]")


@dataclass
class Source:
    """What a notebook says: its Markdown, its figures by path relative to the page, and what is wrong with it."""

    markdown: str = ""
    figures: dict[str, bytes] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(path: Path, name: str) -> tuple[dict[str, Any], list[Problem]]:
    """The notebook as JSON, and a problem instead where it is none. name: the file's name in messages."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        return {"cells": []}, [Problem(name, f"is not a notebook ({error}); restore it from version control")]
    if not isinstance(notebook, dict) or notebook.get("nbformat") != 4 or not isinstance(notebook.get("cells"), list):
        return {"cells": []}, [Problem(name, "is not a notebook of format 4; expected a file that Jupyter saved")]
    if not notebook["cells"]:
        return notebook, [Problem(name, "is empty; expected a raw cell with the outcomes, then the title")]
    return notebook, []


def convert(notebook: dict[str, Any], name: str, slug: str) -> Source:
    """Turn a parsed notebook into Markdown. slug: figures go to `<slug>_files/`, relative to the page."""
    source = Source()
    parts = [part for cell in _named(notebook["cells"], name, source) for part in _cell(cell, name, slug, source)]
    source.markdown = "\n\n".join(parts) + "\n"
    return source


def text_of(cell: dict[str, Any], key: str = "source") -> str:
    """A cell's or an output's text, which notebooks store as a string or a list of lines."""
    value = cell.get(key, "")
    return "".join(value) if isinstance(value, list) else str(value)


def options(cell: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """A code cell's options (`#| key: value` at its top) and the code without them.

    Raises ValueError with a sentence where they are not YAML of the known keys.
    """
    lines = text_of(cell).split("\n")
    n = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    given = yaml.load("\n".join(line[2:].removeprefix(" ") for line in lines[:n]), Loader) if n else {}
    if not isinstance(given, dict):
        raise ValueError(f"the option {given!r} is not of the form key: value; write #| {str(given).split()[0]}: true")
    if unknown := sorted(map(str, given.keys() - OPTIONS)):
        raise ValueError(f"unknown cell option {', '.join(unknown)}; expected one of {', '.join(sorted(OPTIONS))}")
    return given, "\n".join(lines[n:]).strip("\n")


def _named(cells: Iterable[dict[str, Any]], name: str, source: Source) -> Iterator[dict[str, Any]]:
    """The cells, each with an id; an id used twice is a problem."""
    seen: set[str] = set()
    for i, cell in enumerate(cells, 1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("markdown", "code", "raw"):
            source.problems.append(Problem(name, "is no Markdown, code or raw cell; remove it", f"number {i}"))
            continue
        if (cell_id := cell.setdefault("id", f"cell-{i}")) in seen:
            source.problems.append(Problem(name, "another cell has this id; give each its own", cell_id))
        seen.add(cell_id)
        yield cell


def _cell(cell: dict[str, Any], name: str, slug: str, source: Source) -> Iterator[str]:
    mark = f'::: {{.dl-mark cell="{_quoted(cell["id"])}"}}\n:::'
    if cell["cell_type"] == "raw":
        yield from _front(cell, name, source)
    elif cell["cell_type"] == "markdown":
        if cell.get("attachments"):
            source.problems.append(Problem(name, "holds a pasted image; save it as a file and link it", cell["id"]))
        yield from (mark, text_of(cell))
    else:
        try:
            yield from (mark, *_code_cell(cell, slug, source))
        except (ValueError, yaml.YAMLError) as error:
            source.problems.append(Problem(name, " ".join(str(error).split()), cell["id"]))


def _front(cell: dict[str, Any], name: str, source: Source) -> Iterator[str]:
    """A raw cell with YAML between --- is the page's metadata; other raw cells are not shown."""
    text = text_of(cell).strip()
    if not text.startswith("---"):
        return
    try:
        yaml.load(text.strip("-"), Loader)
        yield text
    except yaml.YAMLError as error:
        source.problems.append(Problem(name, f"its YAML does not read ({' '.join(str(error).split())})", cell["id"]))


# ---- code cells -----------------------------------------------------------------------------------------------------


def _code_cell(cell: dict[str, Any], slug: str, source: Source) -> Iterator[str]:
    given, code = options(cell)
    label = str(given.get("label", ""))
    if label and not LABEL.fullmatch(label):
        raise ValueError(f"label {label!r} is not one; expected fig- or tbl-, then letters, digits and hyphens")
    for key in ("fig-cap", "tbl-cap"):
        if not _balanced(str(given.get(key, ""))):
            raise ValueError(f"{key} has a bracket without its partner, which Quarto cannot read; write \\[ or \\]")
    if given.get("include") is False:
        return
    outputs = list(_outputs(cell, given, slug, source)) if given.get("output") is not False else []
    shown = [_code(code, given)] if code and given.get("echo") is not False else []
    if shown or outputs:
        yield "\n\n".join([f"::::::: {{{_cell_attributes(cell, given)}}}", *shown, *outputs, ":::::::"])


def _balanced(text: str) -> bool:
    """Whether every [ has its ], formulas, code and escaped brackets left aside."""
    depth = 0
    for mark in re.findall(r"[\[\]]", re.sub(r"\\.|\$[^$]*\$|`[^`]*`", "", text)):
        depth += 1 if mark == "[" else -1
        if depth < 0:
            return False
    return depth == 0


def _cell_attributes(cell: dict[str, Any], given: dict[str, Any]) -> str:
    parts = [f"#cell-{cell['id']}", ".cell"]
    if given.get("fig-column") == "margin":
        parts.append(".column-margin")
    if given.get("export") is True:
        parts.append('export="true"')
    if waive := given.get("waive"):
        parts.append(f'waive="{_quoted("; ".join(waive) if isinstance(waive, list) else str(waive))}"')
    return " ".join(parts)


def _code(code: str, given: dict[str, Any]) -> str:
    fold = given.get("code-fold")
    extra = f' code-fold="{str(fold).lower()}"' if fold else ""
    if "code-summary" in given:
        extra += f' code-summary="{_quoted(str(given["code-summary"]))}"'
    return fenced(code, f"{{.python .cell-code{extra}}}")


def _outputs(cell: dict[str, Any], given: dict[str, Any], slug: str, source: Source) -> Iterator[str]:
    """Each output as Markdown; a label or caption belongs to the only figure or table of the cell."""
    label, shown = str(given.get("label", "")), 0
    for kind, output in _merged(cell.get("outputs", [])):
        if kind in ("stdout", "stderr", "error"):
            if text := printed(output, kind):
                yield _div(f".cell-output .cell-output-{kind}", fenced(text))
        elif body := _display(output, cell, given, f"{slug}_files", shown, source):
            shown += body.startswith(("![", "```{=html}\n<table")) or "\n\n![" in body
            yield _div(".cell-output .cell-output-display", _float(body, given) if label or _captions(given) else body)
    if label and shown != 1 and not (label.startswith("tbl-") and cell.get("outputs")):
        raise ValueError(f"has the label {label} and shows {shown} figures or tables; expected one: "
                         + ("split the cell" if shown else "execute the chapter"))


def _captions(given: dict[str, Any]) -> bool:
    return "fig-cap" in given or "tbl-cap" in given


def _float(body: str, given: dict[str, Any]) -> str:
    """Figure or table with its caption as the last paragraph of a div, which needs no escaping."""
    if not body.startswith(("![", "```{=html}\n<table", "|")):
        return body
    caption = given.get("fig-cap" if body.startswith("![") else "tbl-cap", "")
    head = f"#{given['label']}" if "label" in given else ".captioned"
    return _div(head, f"{body}\n\n{str(caption).strip()}", 4)


def _merged(outputs: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """(kind, payload) per output; neighbouring prints to the same stream become one."""
    stream, text = "", ""
    for output in outputs:
        kind = output.get("output_type")
        name = output.get("name", "stdout") if kind == "stream" else ""
        if text and name != stream:
            yield stream, text
            text = ""
        if kind == "stream":
            stream, text = name, text + text_of(output, "text")
        elif kind == "error":
            yield "error", "\n".join(output.get("traceback", [])) or f"{output.get('ename')}: {output.get('evalue')}"
        else:
            yield "display", output
    if text:
        yield stream, text


def printed(text: str, kind: str) -> str:
    """What a terminal would show: no escape codes, a carriage return overwrites its line, no progress bars."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in ANSI.sub("", text).split("\n"))
    return "\n".join(line for line in lines if kind != "stderr" or not PROGRESS.search(line)).rstrip()


def _display(output: dict[str, Any], cell: dict[str, Any], given: dict[str, Any], folder: str, n: int,
             source: Source) -> str:
    """The richest form of a displayed value that every format of the book can show."""
    data = output.get("data", {})
    if WIDGET in data:
        return ""
    for mime, suffix in IMAGES.items():
        if mime in data:
            name = str(given.get("label") or f"{cell['id']}-{n + 1}")
            path = f"{folder}/{name}.{suffix}"
            source.figures[path] = _image_bytes(text_of(data, mime), mime)
            return f"![]({path}){_alt(given)}"
    if "text/markdown" in data:
        return text_of(data, "text/markdown").strip()
    if "text/latex" in data:
        return text_of(data, "text/latex").strip()
    return _text_display(data)


def _text_display(data: dict[str, Any]) -> str:
    plain, markup = ANSI.sub("", text_of(data, "text/plain")), text_of(data, "text/html")
    if "<table" in markup:
        return fenced(table(markup), "{=html}")
    if markup and (plain.startswith("<IPython.core.display.") or not plain):
        if "<script" in markup.lower():
            raise ValueError("displays HTML with a script; show a figure, a table or text")
        return "" if "<progress" in markup else fenced(markup, "{=html}")
    return fenced(plain) if plain and not plain.startswith("<IPython") else ""


def _image_bytes(text: str, mime: str) -> bytes:
    return text.encode() if mime == "image/svg+xml" else base64.b64decode(text)


def _alt(given: dict[str, Any]) -> str:
    alt = str(given.get("fig-alt") or "").strip()
    return f'{{fig-alt="{_quoted(alt)}"}}' if alt else ""


def table(markup: str) -> str:
    """The first table of some HTML as plain rows: no styles, no classes, header cells kept, text escaped."""
    root = html.fromstring(f"<div>{markup}</div>").find(".//table")
    for element in root.iter():
        keep = {key: element.get(key) for key in ("colspan", "rowspan") if element.get(key)}
        if element.tag == "td" and NUMBER.fullmatch(element.text_content().strip()):
            keep["style"] = "text-align: right;"
        element.attrib.clear()
        element.attrib.update(keep)
    etree.strip_elements(root, "style", "script", with_tail=False)
    return html.tostring(root, encoding="unicode", with_tail=False).strip()


def fenced(text: str, head: str = "") -> str:
    longest = max((len(run) for run in re.findall(r"^\s*(`{3,})", text, re.M)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{head}\n{text}\n{fence}"


def _div(attributes: str, body: str, colons: int = 5) -> str:
    return f"{':' * colons} {{{attributes}}}\n\n{body}\n\n{':' * colons}"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ").replace("&", "&amp;")
