"""ES modules of a folder as one classic script, which loads from file:// where module files do not."""

from __future__ import annotations

import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

from press.book import BookError

IMPORT = re.compile(r'^import\s+\{[^}]*\}\s+from\s+"\./([\w-]+)\.js";\n', re.M)
EXPORT = re.compile(r"^export (?=(?:const|let|class|function|async function)\b)", re.M)
DEFINED = re.compile(r"^(?:const|let|class|function\*?|async function) ([\w$]+)", re.M)


def join(folder: Path, *entries: str) -> str:
    """The named modules and what they import, in the order of their imports, in one strict scope.

    Raises BookError where one is missing, or two define the same name at their top level, which one scope cannot hold.
    """
    sources: dict[str, str] = {}
    wanted = list(entries)
    while wanted:
        name = wanted.pop()
        if name not in sources:
            sources[name] = _read(folder / f"{name}.js")
            wanted += IMPORT.findall(sources[name])
    order = TopologicalSorter({name: IMPORT.findall(text) for name, text in sorted(sources.items())}).static_order()
    body = "\n".join(EXPORT.sub("", IMPORT.sub("", sources[name])) for name in order)
    twice = [name for name, count in Counter(DEFINED.findall(body)).items() if count > 1]
    if twice:
        raise BookError(f"{folder.name}/*.js define {', '.join(twice)} twice; give one of each pair another name")
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror
        raise BookError(f"theme file {path} is not readable ({reason}); restore it from the repository") from None
