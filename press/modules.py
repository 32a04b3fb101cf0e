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


def join(folder: Path) -> str:
    """The modules in the order of their imports, in one strict scope.

    Raises BookError where two define the same name at their top level, which one scope cannot hold.
    """
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.js"))}
    order = TopologicalSorter({name: IMPORT.findall(text) for name, text in sources.items()}).static_order()
    body = "\n".join(EXPORT.sub("", IMPORT.sub("", sources[name])) for name in order)
    twice = [name for name, count in Counter(DEFINED.findall(body)).items() if count > 1]
    if twice:
        raise BookError(f"{folder.name}/*.js define {', '.join(twice)} twice; give one of each pair another name")
    return f'(() => {{\n"use strict";\n{body}}})();\n'
