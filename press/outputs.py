"""What of a cell's outputs is stored: the same bytes for the same results, and nothing that a page does not show."""

from __future__ import annotations

import re
from typing import Any

from nbformat import NotebookNode

IMAGES = ("image/svg+xml", "image/png", "image/jpeg")           # the first one present is kept
WIDGET = "application/vnd.jupyter.widget-view+json"
VOLATILE = ("execution", "ExecuteTime", "collapsed", "scrolled")     # cell metadata that changes from run to run
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{6,16}\b")
INSTALLED = re.compile(r"(?<=File )/\S*/(?=(?:site-packages|dlbook)/)")                 # where this machine keeps it
SVG_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
BAR = re.compile(r"^.*\d{1,3}%\|[^\n]*\|[^\n]*\[\d+:\d\d[^\n]*\]\n?", re.MULTILINE)     # tqdm's
OVERWRITTEN = re.compile(r"^.*\r(?=[^\n])", re.MULTILINE)


def clean(cell: NotebookNode, count: int) -> str:
    """Tidy a cell that has run, in place; count is its place among the cells that ran.

    Dropped: stderr and progress bars, widgets, colour codes, memory addresses, all but one form of an image.
    Returns what it wrote to stderr without progress bars, for the report.
    """
    errors = "".join(out.text for out in cell.outputs if out.output_type == "stream" and out.name == "stderr")
    page = [out for out in cell.outputs if not (out.output_type == "stream" and out.name == "stderr")]
    cell.outputs = [kept for out in _merged(page) if (kept := _kept(out, count))]
    cell.execution_count = count
    return plain(errors).strip()


def plain(text: str) -> str:
    """Text as UTF-8 can hold it: no colours, progress bars, overwritten lines or control characters."""
    text = ANSI.sub("", _encodable(text)).replace("\r\n", "\n")
    return CONTROL.sub("", BAR.sub("", OVERWRITTEN.sub("", text).replace("\r", "")))


def _kept(out: NotebookNode, count: int) -> NotebookNode | None:
    if out.output_type == "stream":
        out.text = ADDRESS.sub("", plain(out.text))
        return out if out.text else None
    if out.output_type == "error":
        out.traceback = [ADDRESS.sub("", INSTALLED.sub("", plain(line))) for line in out.traceback]
        out.evalue = ADDRESS.sub("", plain(out.evalue))
        return out
    return _displayed(out, count)


def _displayed(out: NotebookNode, count: int) -> NotebookNode | None:
    if WIDGET in out.data or not out.data:
        return None
    image = next((kind for kind in IMAGES if kind in out.data), None)
    drop = {"text/plain", *IMAGES} - {image} if image else set()
    out.data = NotebookNode({kind: _value(kind, value) for kind, value in out.data.items() if kind not in drop})
    out.metadata = NotebookNode({key: value for key, value in out.metadata.items() if key not in drop})
    if out.output_type == "execute_result":
        out.execution_count = count
    return out


def _value(kind: str, value: Any) -> Any:
    if not isinstance(value, str) or kind in ("image/png", "image/jpeg"):
        return _encodable(value)
    if kind == "image/svg+xml":
        return SVG_METADATA.sub("", value, count=1)
    return ADDRESS.sub("", plain(value)) if kind.startswith("text/") else _encodable(value)


def _encodable(value: Any) -> Any:
    """The same value, with what UTF-8 cannot hold (lone surrogates) replaced."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return NotebookNode({_encodable(key): _encodable(item) for key, item in value.items()})
    return [_encodable(item) for item in value] if isinstance(value, list) else value


def _merged(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Streams that follow one another become one: where the kernel cut them is chance."""
    merged: list[NotebookNode] = []
    for out in outputs:
        if merged and out.output_type == merged[-1].output_type == "stream":
            merged[-1].text += out.text
        else:
            merged.append(out)
    return merged
