"""A chapter's front matter: its outcomes and prerequisites, from the raw first cell of its notebook."""

from __future__ import annotations

import json
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from press.book import BookError, Chapter


class Outcome(BaseModel):
    """What a reader can do at the end, and the syllabus lines it serves."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(pattern=r"^[a-z][a-z0-9-]+$")
    text: str = Field(min_length=1)
    lines: list[str] = Field(min_length=1)


class Front(BaseModel):
    """The YAML of a chapter's first cell."""

    model_config = ConfigDict(extra="forbid")
    outcomes: list[Outcome] = Field(min_length=1)
    prerequisites: list[str] = []

    @classmethod
    def of(cls, chapter: Chapter) -> Front:
        """Read it. Raises BookError where the cell is missing or says something else."""
        cells = read_notebook(chapter)["cells"]
        if not cells or cells[0]["cell_type"] != "raw":
            raise BookError(f"{chapter.source}: the first cell must be raw and hold the outcomes as YAML between ---")
        return cls._parse(chapter, "".join(cells[0]["source"]).strip().strip("-"))

    @classmethod
    def _parse(cls, chapter: Chapter, text: str) -> Front:
        try:
            return cls.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise BookError(f"{chapter.source}, cell front: not readable as YAML ({error})") from None
        except ValidationError as error:
            item = error.errors()[0]
            place = ".".join(map(str, item["loc"])) or "the whole"
            raise BookError(f"{chapter.source}, cell front: {place}: {item['msg']}") from None


def read_notebook(chapter: Chapter) -> dict[str, Any]:
    """The notebook as plain JSON. Raises BookError where it is not one."""
    try:
        notebook = json.loads(chapter.notebook.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BookError(f"{chapter.source} is not a notebook ({error}); restore it from version control") from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise BookError(f"{chapter.source} has no cells; expected a Jupyter notebook, format 4")
    return notebook
