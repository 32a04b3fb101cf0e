"""Pictures that an export takes along: a chapter's own figures and files beside its notebook, as PNG or JPEG."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from PIL import Image, ImageDraw, UnidentifiedImageError

from press.book import BookError, Chapter
from press.front import read_notebook
from press.render import notebook as nb

WIDEST = 1200       # pixels; enough for a projector
FORMATS = {"PNG": "png", "JPEG": "jpg"}


@dataclass(frozen=True)
class Picture:
    """name: unique by content. data: PNG or JPEG."""

    stem: str
    data: bytes

    @cached_property
    def image(self) -> Image.Image:
        return Image.open(io.BytesIO(self.data))

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    @property
    def media_type(self) -> str:
        return f"image/{self.image.format.lower()}"

    @property
    def name(self) -> str:
        return f"{self.stem}-{hashlib.sha256(self.data).hexdigest()[:8]}.{FORMATS[self.image.format]}"

    def fitted(self, width: int, height: int) -> Picture:
        """The picture within a box of this many pixels; itself where it fits."""
        if self.size[0] <= width and self.size[1] <= height:
            return self
        small = self.image.convert("RGBA" if self.image.format == "PNG" else "RGB")
        small.thumbnail((width, height), Image.Resampling.LANCZOS)
        return replace(self, data=_saved(small, self.image.format))

    def ringed(self, x: float, y: float, radius: float) -> Picture:
        """The picture with a ring around a place; all in per cent, the radius of the width."""
        marked = self.image.convert("RGB")
        width, height = marked.size
        cx, cy, r = width * x / 100, height * y / 100, width * radius / 100
        ImageDraw.Draw(marked).ellipse((cx - r, cy - r, cx + r, cy + r), outline="#b3263f", width=max(3, width // 200))
        return replace(self, stem=f"{self.stem}-ringed", data=_saved(marked, "PNG"))


def _saved(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def find(chapter: Chapter, reference: str) -> Picture:
    """The picture that a question names: the label of a figure of the chapter, or a file beside its notebook.

    Raises BookError where there is none, or it is no picture, or it lies outside the book.
    """
    if reference.startswith("fig-"):
        return _picture(reference, _figure(chapter, reference), chapter)
    path = (chapter.notebook.parent / reference).resolve()
    if not path.is_relative_to(chapter.root.resolve()) or not path.is_file():
        raise BookError(f"{chapter.quiz.name}: the picture {reference!r} is not a file of the book")
    return _picture(path.stem, path.read_bytes(), chapter)


def _figure(chapter: Chapter, label: str) -> bytes:
    """The stored picture of the cell that has the label."""
    for cell in read_notebook(chapter)["cells"]:
        if cell.get("cell_type") == "code" and nb.options(cell)[0].get("label") == label:
            for output in cell.get("outputs", []):
                for kind in nb.IMAGES.keys() & output.get("data", {}).keys():
                    text = nb.text_of(output["data"], kind)
                    return text.encode() if kind == "image/svg+xml" else base64.b64decode(text)
    raise BookError(f"{chapter.source} has no figure {label!r} with a stored picture; run dlbook execute first")


def _picture(stem: str, data: bytes, chapter: Chapter) -> Picture:
    if b"<svg" in data[:4096]:
        data = _raster(data)
    try:
        image = Image.open(io.BytesIO(data))
        data = data if image.format in FORMATS else _saved(image.convert("RGBA"), "PNG")
    except (UnidentifiedImageError, OSError):
        raise BookError(f"{chapter.quiz.name}: {stem!r} is not a picture; expected PNG, JPEG or SVG") from None
    return Picture(Path(stem).name, data).fitted(WIDEST, WIDEST)


def _raster(svg: bytes) -> bytes:
    """A drawing as PNG on white, twice as fine as on the page."""
    import typst
    source = ('#set page(width: auto, height: auto, margin: 0pt, fill: white)\n'
              f'#image(bytes({list(svg)}), format: "svg")')
    source = source.replace("bytes([", "bytes((").replace("])", "))")
    try:
        return typst.compile(source.encode(), format="png", ppi=192.0)
    except typst.TypstError as error:
        raise BookError(f"a figure's drawing could not be read ({error}); run its chapter again") from None
