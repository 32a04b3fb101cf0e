"""Pages about the package, made from the docstrings of its modules with `ast`: nothing is imported or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from press.book import Book, BookError, Chapter
from press.render import notebook as nb

CELL = re.compile(r"^# %% (?P<path>\S+\.ipynb) #?(?P<cell>[\w-]+)", re.M)
REFERENCE = re.compile(r"@?\b(?P<label>(?:eq|thm|lem|cor|prp|def|exm|exr|fig|tbl|sec)-[a-z][a-z0-9-]*[a-z0-9])\b")
PROSE = re.compile(r"(?<=<p>).*?(?=</p>)", re.S)
HEADING = re.compile(r"^#{1,6}\s.*\{#(?P<id>sec-[\w-]+)[^}]*\}\s*$", re.M)


@dataclass(frozen=True)
class Item:
    """A public function, class, method or constant. origin: the section that explains it, from the root."""

    name: str
    kind: str
    signature: str
    doc: str
    origin: str | None
    members: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Module:
    """One module of the package. name: "cnn"; chapter: the one that exports it."""

    name: str
    doc: str
    chapter: Chapter | None
    items: tuple[Item, ...] = field(default=())

    @property
    def url(self) -> str:
        return f"api/{self.name}.html"


def modules(book: Book) -> list[Module]:
    """Every module of the book's package, in alphabetical order. Raises BookError where one does not parse."""
    package = book.root / "dlbook"
    files = sorted(path for path in package.rglob("*.py") if not path.name.startswith("_"))
    return [_module(book, package, path) for path in files]


def _module(book: Book, package: Path, path: Path) -> Module:
    name = ".".join(path.relative_to(package).with_suffix("").parts)
    source = path.read_text(encoding="utf-8")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise BookError(f"dlbook/{path.name}, line {error.lineno}: {error.msg}; run nbdev-export again") from None
    places = _places(book, path, source)
    items = tuple(_items(tree, lambda line: _place_at(places, line), _public(tree)))
    return Module(name, ast.get_docstring(tree) or "", _chapter(book, path, source), items)


def _chapter(book: Book, path: Path, source: str) -> Chapter | None:
    found = CELL.search(source)
    if not found:
        return None
    notebook = (path.parent / found["path"]).resolve()
    return next((chapter for chapter in book if chapter.notebook.resolve() == notebook), None)


def _places(book: Book, path: Path, source: str) -> list[tuple[int, str]]:
    """(line, address) for each exported cell: from that line on, the code is explained at that address."""
    chapter = _chapter(book, path, source)
    if not chapter:
        return []
    sections = _sections(chapter)
    return [(source.count("\n", 0, found.start()) + 1, f"{chapter.url}{sections.get(found['cell'], '')}")
            for found in CELL.finditer(source)]


def _sections(chapter: Chapter) -> dict[str, str]:
    """Cell id → "#sec-…" of the section that the cell stands in."""
    here, found = "", {}
    for cell in nb.parse(chapter.notebook, chapter.source)[0]["cells"]:
        if cell.get("cell_type") == "markdown" and (headings := HEADING.findall(nb.text_of(cell))):
            here = f"#{headings[-1]}"
        found[cell.get("id", "")] = here
    return found


def _place_at(places: list[tuple[int, str]], line: int) -> str | None:
    return next((url for start, url in reversed(places) if start <= line), None)


def _public(tree: ast.Module) -> set[str] | None:
    """The names in `__all__`, None where the module has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return set(ast.literal_eval(node.value))
    return None


def _items(tree: ast.Module, place, public: set[str] | None) -> Iterator[Item]:
    for node in tree.body:
        for name in _names(node):
            if not name.startswith("_") and (public is None or name in public or name.isupper()):
                yield _item(node, name, place(node.lineno))


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name) and target.id != "__all__"]


def _item(node: ast.stmt, name: str, origin: str | None) -> Item:
    if isinstance(node, ast.ClassDef):
        methods = tuple(_item(child, f"{name}.{child.name}", None) for child in node.body
                        if isinstance(child, ast.FunctionDef) and not child.name.startswith("_"))
        return Item(name, "class", _class_signature(node), ast.get_docstring(node) or "", origin, methods)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return Item(name, "function", _signature(node, name), ast.get_docstring(node) or "", origin)
    value = ast.unparse(node.value) if getattr(node, "value", None) else ""
    return Item(name, "constant", f"{name} = {value if len(value) < 200 else value[:200] + '…'}", "", origin)


def _signature(node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> str:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    kinds = {ast.unparse(decorator) for decorator in node.decorator_list}
    if kinds & {"property", "cached_property", "functools.cached_property"}:
        return f"{name}{returns.replace(' -> ', ': ')}"
    return f"{name}({ast.unparse(node.args)}){returns}"


def _class_signature(node: ast.ClassDef) -> str:
    start = next((c for c in node.body if isinstance(c, ast.FunctionDef) and c.name == "__init__"), None)
    if start:
        return f"{node.name}({re.sub(r'^self(?:, )?', '', ast.unparse(start.args))})"
    fields = [ast.unparse(child) for child in node.body if isinstance(child, ast.AnnAssign)]
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        return f"{node.name}({', '.join(fields)})"
    bases = ", ".join(ast.unparse(base) for base in node.bases)
    return f"{node.name}({bases})" if bases else node.name


# ---- as html --------------------------------------------------------------------------------------------------------


def html(module: Module) -> str:
    """The module's page body; addresses relative to the folder `api/`."""
    chapter = f'<p>Made in the chapter <a href="../{module.chapter.url}">{escape(module.chapter.id)}</a>.</p>' \
        if module.chapter else ""
    return (f'<h1 id="dlbook.{module.name}"><code>dlbook.{escape(module.name)}</code></h1>\n'
            f"{prose(module.doc)}{chapter}\n" + "\n".join(_item_html(item) for item in module.items))


def index(every: list[Module]) -> str:
    """The body of `api/index.html`: the modules and what each offers."""
    rows = "\n".join(f'<dt><a href="{m.name}.html"><code>dlbook.{m.name}</code></a></dt><dd>{_names_line(m)}</dd>'
                     for m in every)
    return f'<h1 id="api">The package dlbook</h1>\n<p>What the chapters export, by module.</p>\n<dl>\n{rows}\n</dl>'


def _names_line(module: Module) -> str:
    return ", ".join(f'<a href="{module.name}.html#{item.name}"><code>{item.name}</code></a>' for item in module.items)


def _item_html(item: Item, level: int = 2) -> str:
    origin = f'<p class="api-origin"><a href="../{item.origin}">Where the book builds it</a></p>' if item.origin else ""
    inner = "".join(_item_html(member, level + 1) for member in item.members)
    return (f'<section class="api-item api-{item.kind}" id="{item.name}">\n<h{level}><code>{escape(item.name)}</code>'
            f'</h{level}>\n<pre class="api-signature" tabindex="0"><code>{escape(item.signature)}</code></pre>\n'
            f'{prose(item.doc)}{origin}{inner}</section>')


def prose(doc: str) -> str:
    """A docstring as paragraphs; `code` is set as code."""
    blocks = [block for block in re.split(r"\n\s*\n", doc.strip()) if block.strip()]
    return "".join(f"<p>{re.sub(r'`+([^`]+)`+', _code, escape(' '.join(block.split())))}</p>\n" for block in blocks)


def _code(found: re.Match[str]) -> str:
    return f"<code>{found[1]}</code>"


def referred(text: str, labels: dict[str, dict[str, str]]) -> tuple[str, list[str]]:
    """The page body with the labels that its docstrings name as links, and the names that are no label of the book."""
    unknown: list[str] = []

    def link(found: re.Match[str]) -> str:
        if label := labels.get(found["label"]):
            return f'<a href="../{label["url"]}">{label["text"]}</a>'
        unknown.append(found["label"])
        return found[0]

    return PROSE.sub(lambda part: REFERENCE.sub(link, part[0]), text), unknown
