"""Whether a chapter's stored outputs are still true: a fingerprint of everything that they depend on.

A chapter's outputs depend on its code cells, the `dlbook` modules and libraries that this code imports, the data that
it loads, the profile and the kind of device. Prose, captions (`#| …` lines), the package's comments and docstrings do
not count. Nothing is imported to find out: sources are read as syntax trees, so a check takes milliseconds.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from press import notebooks
from press.book import BookError, Chapter, Problem, ProblemsFound

PACKAGE = "dlbook"
DATA = f"{PACKAGE}.data"
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image"}
SHA256 = re.compile(r"[0-9a-f]{64}")
IMPORT_LINE = re.compile(r"\s*(from|import)\s")


@dataclass(frozen=True)
class Fingerprint:
    """What one execution depends on: cells (id → hash, in order), modules and data (name → hash), library versions."""

    cells: dict[str, str]
    modules: dict[str, str]
    data: dict[str, str]
    versions: dict[str, str]
    profile: str
    device: str

    @property
    def digest(self) -> str:
        return _sha([list(self.cells.items()), self.modules, self.data, self.versions, self.profile, self.device])

    @property
    def parts(self) -> dict[str, dict[str, str]]:
        """What the record keeps beside the digest, so that a later change can be named."""
        return {"cells": self.cells, "modules": self.modules, "data": self.data}


def stale(chapter: Chapter, profile: str | None = None, device: str | None = None) -> str | None:
    """Why the chapter has to run again, in words ("cell lenet-train changed"); None where its outputs are still true.

    profile, device: those wanted; None accepts the stored ones. Raises BookError where the notebook cannot be read.
    """
    notebook = read(chapter)
    old = record(notebook)
    if not old.get("fingerprint"):
        return "never executed"
    now = fingerprint(chapter.root, notebook, profile or old.get("profile", ""), device or old.get("device", ""))
    if now.digest != old["fingerprint"]:
        return _difference(old, now)
    if old.get("outputs") != outputs_digest(notebook):
        return "its outputs are not those of the recorded run"
    return None


def is_fresh(chapter: Chapter, profile: str | None = None, device: str | None = None) -> bool:
    """Whether the chapter's stored outputs are still true; arguments as for `stale`."""
    return stale(chapter, profile, device) is None


def fingerprint(root: Path, notebook: dict, profile: str, device: str) -> Fingerprint:
    """The fingerprint of a notebook (parsed JSON) in the book at root."""
    trees = [_parse(source(cell)) for cell in code_cells(notebook)]
    modules, libraries = _closure(root, set().union(*map(_imports, trees)) if trees else set())
    loading = [path for name, path in modules.items() if name != DATA]
    strings = set().union(*map(_strings, trees), *(_module_strings(path, path.stat().st_mtime_ns) for path in loading))
    entries = registry(root) if DATA in modules else {}
    return Fingerprint(
        cells=cell_hashes(notebook),
        modules={name: _module_hash(name, path) for name, path in sorted(modules.items())},
        data={name: sha for name, sha in sorted(entries.items()) if name in strings},
        versions={name: _version(name) for name in sorted(libraries)}, profile=profile, device=device)


def read(chapter: Chapter) -> dict:
    """The notebook as parsed JSON. Raises BookError with one sentence where it is none."""
    notebook = notebooks.read(chapter.notebook, chapter.source)
    if faults := id_faults(notebook):
        raise ProblemsFound(Problem(chapter.source, fault) for fault in faults)
    return notebook


def id_faults(notebook: dict) -> list[str]:
    """What is wrong with the cells' ids, for a Problem of the file."""
    ids = [cell.get("id") if isinstance(cell, dict) else None for cell in notebook["cells"]]
    bare = [f"number {i}" for i, name in enumerate(ids, 1) if not name]
    twice = {name: [str(i) for i, other in enumerate(ids, 1) if other == name] for name in ids if name}
    return ([f"has cells without an id ({', '.join(bare)}); expected format 4.5, with a fixed id for each cell"]
            if bare else []) + [f"uses the cell id {name!r} twice (cells number {' and '.join(places)}); "
                                "give each cell its own id" for name, places in twice.items() if len(places) > 1]


def record(notebook: dict) -> dict[str, Any]:
    """The stored execution record, {} where there is none."""
    found = notebook.get("metadata", {}).get(PACKAGE)
    return found if isinstance(found, dict) else {}


def code_cells(notebook: dict) -> list[dict]:
    """The cells that run: code cells with something in them."""
    return [cell for cell in notebook["cells"] if cell.get("cell_type") == "code" and source(cell).strip()]


def source(cell: dict) -> str:
    """A cell's source as one string, with blank lines for the `#|` options at its top."""
    text = cell.get("source", "")
    lines = (text if isinstance(text, str) else "".join(text)).splitlines()
    options = next((i for i, line in enumerate(lines) if not line.startswith("#|")), len(lines))
    return "\n" * options + "\n".join(lines[options:])


def cell_hashes(notebook: dict) -> dict[str, str]:
    """Cell id → short hash of its code and tags, in the order in which the cells run."""
    return {cell["id"]: _short([source(cell).strip(), cell.get("metadata", {}).get("tags", [])])
            for cell in code_cells(notebook)}


def outputs_digest(notebook: dict) -> str:
    """A hash of all stored outputs (parsed JSON), to notice outputs that another run or hand has replaced."""
    return _short([[cell["id"], cell.get("outputs", [])] for cell in code_cells(notebook)])


def registry(root: Path) -> dict[str, str]:
    """Data set → hash of its entry in `dlbook.data.REGISTRY`: of its checksums where it has some, else of all of it.

    {} where REGISTRY is no dictionary written out; it is then hashed as part of the module.
    """
    path = _path(root, DATA)
    entries = _registry_node(_module(path)) if path else None
    return {} if entries is None else {key.value: _entry_hash(value) for key, value in entries}


def _entry_hash(node: ast.AST) -> str:
    checksums = [text for text in sorted(_strings(node)) if SHA256.fullmatch(text)]
    return _short(checksums or _canonical(node))


def _registry_node(tree: ast.Module) -> list[tuple[ast.Constant, ast.AST]] | None:
    for statement in tree.body:
        if _is_registry(statement) and isinstance(statement.value, ast.Dict) \
                and all(isinstance(key, ast.Constant) for key in statement.value.keys):
            return list(zip(statement.value.keys, statement.value.values, strict=True))
    return None


def _is_registry(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == "REGISTRY" for target in targets)


# ---- imports

def _closure(root: Path, names: Iterable[str]) -> tuple[dict[str, Path], set[str]]:
    """The package's modules that the imported names reach (name → file), and the libraries imported on the way."""
    modules: dict[str, Path] = {}
    libraries: set[str] = set()
    queue = sorted(names)
    while queue:
        name = queue.pop()
        top = name.partition(".")[0]
        if top != PACKAGE:
            libraries.add(top)
        elif name not in modules and (path := _path(root, name)):
            modules[name] = path
            queue += [*_module_imports(path, _package(name, path), path.stat().st_mtime_ns), *_parents(name)]
    return modules, {_distribution(name) for name in libraries - sys.stdlib_module_names}


def _path(root: Path, name: str) -> Path | None:
    base = root.joinpath(*name.split("."))
    return next((path for path in (base.with_name(f"{base.name}.py"), base / "__init__.py") if path.is_file()), None)


def _package(name: str, path: Path) -> str:
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _imports(tree: ast.AST, package: str = "") -> set[str]:
    """Dotted names that the code imports; `from a import b` gives a and a.b, since b may be a module."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found - {""}


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    return ".".join([*parts[:len(parts) - node.level + 1], *([node.module] if node.module else [])])


def _strings(tree: ast.AST) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _parse(text: str) -> ast.Module:
    """A cell as a syntax tree: magics dropped; of a cell that is no Python only its import lines."""
    plain = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in text.splitlines())
    try:
        return ast.parse(plain)
    except (SyntaxError, ValueError):
        return ast.Module([node for line in plain.splitlines() if IMPORT_LINE.match(line) for node in _line(line)], [])


def _line(line: str) -> Iterator[ast.stmt]:
    try:
        yield from ast.parse(line.strip()).body
    except (SyntaxError, ValueError):
        return


# ---- modules, libraries, hashes

def _module(path: Path) -> ast.Module:
    return _parsed(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _parsed(path: Path, mtime_ns: int) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise BookError(f"{path} is not valid Python ({error}); mend the cell that exports it") from None


@lru_cache(maxsize=512)
def _module_imports(path: Path, package: str, mtime_ns: int) -> frozenset[str]:
    return frozenset(_imports(_parsed(path, mtime_ns), package))


@lru_cache(maxsize=512)
def _module_strings(path: Path, mtime_ns: int) -> frozenset[str]:
    return frozenset(_strings(_parsed(path, mtime_ns)))


def _module_hash(name: str, path: Path) -> str:
    return _hashed(name, path, path.stat().st_mtime_ns)


@lru_cache(maxsize=512)
def _hashed(name: str, path: Path, mtime_ns: int) -> str:
    """Of the code alone. The entries of dlbook.data.REGISTRY are left out: each counts only where it is used."""
    tree = _module(path)
    apart = name == DATA and _registry_node(tree) is not None
    return _short([_canonical(node) for node in tree.body if not (apart and _is_registry(node))])


def _canonical(node: Any) -> Any:
    """A syntax tree as nested lists, the same on every Python: no positions, docstrings or empty fields."""
    if isinstance(node, list):
        return [_canonical(item) for item in node if not _is_text(item)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ((name, value) for name, value in ast.iter_fields(node) if value not in (None, []))
    return [type(node).__name__, *([name, _canonical(value)] for name, value in fields if name != "kind")]


def _is_text(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


@cache
def _distribution(name: str) -> str:
    """The distribution that a top-level import name comes from ("sklearn" → "scikit-learn")."""
    candidate = DISTRIBUTIONS.get(name, name)
    if _version(candidate) != "absent":
        return candidate
    return (metadata.packages_distributions().get(name) or [candidate])[0]


@cache
def _version(distribution: str) -> str:
    """Its version without a local part such as +cpu, "absent" where it is not installed."""
    try:
        return metadata.version(distribution).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "absent"


def _sha(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _short(value: Any) -> str:
    return _sha(value)[:12]


# ---- what changed, in words

def _difference(old: dict, now: Fingerprint) -> str:
    parts = old.get("parts") or {}
    changes = [*_named("cell ", parts.get("cells"), now.cells), *_named("", parts.get("modules"), now.modules),
               *_named("data ", parts.get("data"), now.data), *_versions(old.get("versions") or {}, now.versions),
               *(f"{name} {old.get(name)} → {new}" for name, new in (("profile", now.profile), ("device", now.device))
                 if old.get(name) != new)]
    more = f" and {len(changes) - 3} more" if len(changes) > 3 else ""
    return ", ".join(changes[:3]) + more if changes else "the order of its cells changed"


def _named(kind: str, old: dict[str, str] | None, now: dict[str, str]) -> Iterator[str]:
    old = old or {}
    yield from (f"{kind}{name} changed" for name in now if name in old and old[name] != now[name])
    yield from (f"{kind}{name} is new" for name in now if name not in old)
    yield from (f"{kind}{name} is gone" for name in old if name not in now)


def _versions(old: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    names = dict.fromkeys([*now, *(name for name in old if name != "python")])
    yield from (f"{name} {old.get(name, 'not imported')} → {now.get(name, 'not imported')}"
                for name in names if old.get(name) != now.get(name))
