"""A chapter's front matter: its outcomes and prerequisites, from the raw first cell of its notebook."""

from __future__ import annotations

from collections import Counter
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from press import notebooks
from press.book import Chapter, Problem, ProblemsFound, load_yaml
from press.plain import keys, sentences


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

    @model_validator(mode="after")
    def _distinct(self):
        twice = [name for name, n in Counter(outcome.id for outcome in self.outcomes).items() if n > 1]
        if twice:
            raise ValueError(f"two outcomes have the id {twice[0]}; give each its own")
        return self

    @classmethod
    def of(cls, chapter: Chapter) -> Front:
        """Read it. Raises ProblemsFound where the cell is missing or says something else."""
        cells = read_notebook(chapter)["cells"]
        text = "".join(cells[0].get("source", "")).strip() if cells else ""
        if not cells or cells[0].get("cell_type") != "raw" or not text.startswith("---"):
            raise _problem(chapter, "the first cell must be raw and hold the outcomes as YAML between ---", None)
        try:
            return cls.model_validate(load_yaml(text.strip("-")))
        except yaml.YAMLError as error:
            raise _problem(chapter, f"not readable as YAML ({' '.join(str(error).split())})") from None
        except ValidationError as error:
            found = sentences(error.errors(), lambda place: keys(Outcome if len(place) > 1 else Front))
            raise ProblemsFound(Problem(chapter.source, _in(place, said), "front") for place, said in found) from None


def _problem(chapter: Chapter, message: str, cell: str | None = "front") -> ProblemsFound:
    return ProblemsFound([Problem(chapter.source, message, cell)])


def _in(place: list[str], message: str) -> str:
    """The sentence, with the number of the outcome that it is about."""
    inside = len(place) > 2 and place[1].isdigit()
    return f"outcome {int(place[1]) + 1}: {message}" if inside else message


def read_notebook(chapter: Chapter) -> dict[str, Any]:
    """The notebook as plain JSON. Raises ProblemsFound where it is not one."""
    return notebooks.read(chapter.notebook, chapter.source)
