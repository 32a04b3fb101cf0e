"""The theme's files in the site: style with colours and fonts in front, the elements joined into one script."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from press import modules
from press.book import Book, BookError
from press.render import lean

DARK_ON = ':root[data-theme="dark"]'
DARK_SYSTEM = ':root:not([data-theme="light"])'
LIGHTEN = 0.45                       # of white in a categorical colour, so that it keeps 3:1 on the dark paper
# What the formulas use: ASCII, Latin-1 signs, Greek, accents, arrows, operators, delimiters, mathematical alphabets.
MATHS = [(0x20, 0x7E), (0xA0, 0xB7), (0xD7, 0xD7), (0xF7, 0xF7), (0x131, 0x131), (0x237, 0x237), (0x2C6, 0x2DC),
         (0x300, 0x30C), (0x338, 0x338), (0x391, 0x3F6), (0x2010, 0x2044), (0x2057, 0x2057), (0x2061, 0x2064),
         (0x20D6, 0x20D7), (0x2102, 0x2102), (0x210B, 0x2115), (0x2119, 0x211D), (0x2124, 0x2124), (0x212C, 0x2135),
         (0x2190, 0x21D5), (0x2200, 0x22A5), (0x22C0, 0x22EF), (0x2308, 0x230B), (0x23B0, 0x23E0), (0x25A0, 0x25A1),
         (0x25CB, 0x25CF), (0x27E8, 0x27E9), (0x27F5, 0x27FC), (0x2A00, 0x2A06), (0x2A7D, 0x2A7E), (0x1D400, 0x1D467),
         (0x1D468, 0x1D4CF), (0x1D538, 0x1D56B), (0x1D6A4, 0x1D755), (0x1D7CE, 0x1D7D7)]


@dataclass(frozen=True)
class Face:
    """One font file of an npm package. weight is CSS; preload: every page needs it at once."""

    family: str
    package: str
    file: str
    subset: str
    weight: str = "400"
    style: str = "normal"
    preload: bool = False

    def source(self, root: Path) -> Path:
        return root / "node_modules" / self.package / "files" / self.file

    @property
    def name(self) -> str:
        """The file's name in the site. The math font is cut to what formulas use and packed anew as WOFF."""
        return self.file.removesuffix("2") if self.subset == "math" else self.file


def _serif(subset: str, style: str, preload: bool = False) -> Face:
    return Face("Book Serif", "@fontsource-variable/source-serif-4", f"source-serif-4-{subset}-wght-{style}.woff2",
                subset, "200 900", style, preload)


FACES = [
    _serif("latin", "normal", preload=True), _serif("latin", "italic"),
    _serif("latin-ext", "normal"), _serif("latin-ext", "italic"), _serif("greek", "normal"),
    Face("Book Sans", "@fontsource-variable/source-sans-3", "source-sans-3-latin-wght-normal.woff2", "latin", "200 900",
         preload=True),
    Face("Book Mono", "@fontsource/jetbrains-mono", "jetbrains-mono-latin-400-normal.woff2", "latin"),
    Face("Book Math", "@fontsource/stix-two-math", "stix-two-math-latin-400-normal.woff2", "math"),
]


def collect(book: Book, target: Path) -> list[str]:
    """Write `target/assets`; returns the fonts to preload, relative to target.

    Without `node_modules` the site uses the system's fonts, and one sentence on stderr says so.
    Raises BookError where a file of the theme is missing or broken.
    """
    theme, assets = book.root / "theme", target / "assets"
    (assets / "fonts").mkdir(parents=True, exist_ok=True)
    faces = [face for face in FACES if face.source(book.root).is_file()]
    if len(faces) < len(FACES):
        _say_missing(book.root)
    for face in faces:
        _font(face, book, assets / "fonts" / face.name)
    _write(assets / "book.css", style(theme, book.root, faces))
    _write(assets / "book.js", script(theme))
    _write(assets / "quiz.css", lean.style(_read(theme / "assets" / "quiz.css")))
    _write(assets / "quiz.js", lean.script(modules.join(theme / "quiz", "quiz")))
    _write(assets / "desk.js", lean.script(modules.join(theme / "quiz", "progress", "exam")))
    shutil.copyfile(theme / "assets" / "icon.svg", assets / "icon.svg")
    return [f"assets/fonts/{face.name}" for face in faces if face.preload]


def style(theme: Path, root: Path, faces: list[Face]) -> str:
    """The whole style sheet: fonts, colours, the page's frame, then what stands in it."""
    parts = (_read(theme / "assets" / name) for name in ("frame.css", "book.css"))
    return lean.style("\n".join([font_faces(root, faces), colours(theme), *parts]))


def font_faces(root: Path, faces: list[Face] | None = None, folder: str = "fonts") -> str:
    """The fonts' rules. faces: those that npm installed, or the given ones; folder: where they lie, from the style."""
    here = [face for face in FACES if face.source(root).is_file()] if faces is None else faces
    return "\n".join(_font_face(face, root, folder) for face in here)


def script(theme: Path) -> str:
    """All elements as one classic script, each in a scope of its own: module files do not load from file://."""
    return "\n".join(f"{{\n{lean.script(_read(path))}}}" for path in sorted((theme / "elements").glob("*.js")))


def colours(theme: Path) -> str:
    """The variables of both themes. Dark holds on screen only: paper is white."""
    tokens, palette = _json(theme / "colours.json"), list(_json(theme / "palette.json").values())
    light = _rule(":root", "light", tokens["light"], palette)
    dark = [lighter(colour) for colour in palette]
    on, system = (_rule(selector, "dark", tokens["dark"], dark) for selector in (DARK_ON, DARK_SYSTEM))
    return (f"{light}\n@media screen {{\n{on}\n@media (prefers-color-scheme: dark) {{\n{system}\n}}\n}}")


def _rule(selector: str, scheme: str, tokens: dict[str, str], palette: list[str]) -> str:
    named = tokens | {f"c{i}": colour for i, colour in enumerate(palette, 1)}
    body = " ".join(f"--{name}: {value};" for name, value in named.items())
    return f"{selector} {{ color-scheme: {scheme}; {body} }}"


def lighter(colour: str) -> str:
    """'#rrggbb' mixed with white."""
    channels = (int(colour[i:i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(c + (255 - c) * LIGHTEN):02x}" for c in channels)


def _font_face(face: Face, root: Path, folder: str) -> str:
    ranges = "" if face.subset == "math" else f" unicode-range: {_ranges(face, root)};"
    kind = Path(face.name).suffix[1:]
    return (f'@font-face {{ font-family: "{face.family}"; font-style: {face.style}; font-weight: {face.weight}; '
            f'font-display: swap; src: url("{folder}/{face.name}") format("{kind}");{ranges} }}')


def _ranges(face: Face, root: Path) -> str:
    return _json(root / "node_modules" / face.package / "unicode.json")[face.subset]


def _font(face: Face, book: Book, target: Path) -> None:
    source = face.source(book.root)
    newest = max(source.stat().st_mtime, Path(__file__).stat().st_mtime)
    if target.is_file() and target.stat().st_mtime >= newest:
        return
    if face.subset == "math":
        _cut(source, target)
    else:
        shutil.copyfile(source, target)


def _cut(source: Path, target: Path) -> None:
    """Keep the glyphs that formulas use, with their MATH table: 114 kB in place of 403."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    font = TTFont(source.with_suffix(".woff"), recalcTimestamp=False)
    _grow_bars(font)
    cutter = subset.Subsetter(subset.Options(layout_features=["*"], hinting=False, notdef_outline=True))
    cutter.populate(unicodes=[code for first, last in MATHS for code in range(first, last + 1)])
    cutter.subset(font)
    font.flavor = "woff"
    font.save(target)


def _grow_bars(font: Any) -> None:
    """Give bars the sizes that parentheses have: the font makes taller ones of pieces that are half as tall again.

    Without them a norm with an index stands out of its line. The new glyphs are the bar itself, stretched upright.
    """
    variants = font["MATH"].table.MathVariants
    glyphs, metrics, order = font["glyf"], font["hmtx"], font.getGlyphOrder()
    records = dict(zip(variants.VertGlyphCoverage.glyphs, variants.VertGlyphConstruction, strict=True))
    sizes = [_height(glyphs[record.VariantGlyph]) for record in records[_glyph(font, "(")].MathGlyphVariantRecord[1:4]]
    for bar in sorted({_glyph(font, char) for char in "|‖∥"} & records.keys()):
        for i, size in enumerate(sizes):
            name = f"{bar}.tall{i}"
            glyphs[name], metrics[name] = _stretched(glyphs, bar, size), metrics[bar]
            records[bar].MathGlyphVariantRecord.append(_variant(name, size))
    font.setGlyphOrder([*order, *(name for name in glyphs.keys() if name not in set(order))])


def _glyph(font: Any, char: str) -> str:
    return font.getBestCmap()[ord(char)]


def _height(glyph: Any) -> int:
    return glyph.yMax - glyph.yMin


def _stretched(glyphs: Any, bar: str, size: int) -> Any:
    """The bar as tall as size, about the same middle, in font units."""
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    shape, factor = glyphs[bar], size / _height(glyphs[bar])
    middle = (shape.yMax + shape.yMin) / 2
    pen = TTGlyphPen(glyphs)
    pen.addComponent(bar, (1, 0, 0, factor, 0, round(middle * (1 - factor))))
    made = pen.glyph()
    made.recalcBounds(glyphs)
    return made


def _variant(name: str, size: int) -> Any:
    from fontTools.ttLib.tables import otTables

    record = otTables.MathGlyphVariantRecord()
    record.VariantGlyph, record.AdvanceMeasurement = name, size + 1
    return record


@cache
def _say_missing(root: Path) -> None:
    print(f"The fonts are not in {root / 'node_modules'}: the pages use the system's fonts; run npm ci for the book's "
          "own.", file=sys.stderr)


def _write(path: Path, text: str) -> None:
    """Only where it changed, so that nothing that depends on the file looks new."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise BookError(f"theme file {path} is not readable ({error.strerror}); restore it from the "
                        "repository") from None


def _json(path: Path) -> dict:
    try:
        return json.loads(_read(path))
    except json.JSONDecodeError as error:
        raise BookError(f"{path} is not valid JSON ({error}); mend it first") from None
