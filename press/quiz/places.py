"""Places on a chapter's figure: from numbers on its axes to per cent of the picture, as it was drawn last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from press import notebooks
from press.book import Problem, ProblemsFound
from press.exercises.source import FIGURE_MIME
from press.quiz.source import Quiz, Region, Spot

SCALES = {"linear": float, "log": math.log10}


def placed(quiz: Quiz, notebook: Path, file: str) -> Quiz:
    """The quiz with every region in per cent. notebook: the chapter's, with its outputs; file: the quiz, in messages.

    Raises ProblemsFound where a figure has no such panel, or a place lies outside it.
    """
    spots = [q for q in quiz.questions if isinstance(q, Spot) and any(r.panel is not None for r in q.regions)]
    if not spots:
        return quiz
    cells = notebooks.read(notebook, notebook.name)["cells"]
    moved, problems = {}, []
    for question in spots:
        try:
            panels = _panels(cells, question.figure)
            regions = [_moved(region, panels) for region in question.regions]
            moved[question.id] = question.model_copy(update={"regions": regions})
        except ValueError as error:
            problems.append(Problem(file, str(error), question.id, "question"))
    if problems:
        raise ProblemsFound(problems)
    return quiz.model_copy(update={"questions": [moved.get(q.id, q) for q in quiz.questions]})


def _panels(cells: list[dict[str, Any]], figure: str) -> list[dict[str, Any]]:
    for record in _records(cells, figure):
        if "panels" in record:
            return record["panels"]
    raise ValueError(f"{figure} has no panels on record; run dlbook execute, or give the places in per cent")


def _records(cells: list[dict[str, Any]], figure: str) -> Iterator[dict[str, Any]]:
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and notebooks.options(source).get("label") == figure:
            yield from (out["data"][FIGURE_MIME] for out in cell["outputs"] if FIGURE_MIME in out.get("data", {}))


def _moved(region: Region, panels: list[dict[str, Any]]) -> Region:
    if region.panel is None:
        return region
    if region.panel >= len(panels):
        raise ValueError(f"region {region.label!r} is in panel {region.panel}; the figure has {len(panels)}, from 0 on")
    panel = panels[region.panel]
    left, bottom, right, top = panel["box"]
    across, up = (_share(value, panel[axis], scale, f"region {region.label!r}: {axis} {value:g}") for axis, value, scale
                  in zip("xy", (region.x, region.y), panel["scales"], strict=True))
    return region.model_copy(update={"x": left + across * (right - left), "y": bottom + up * (top - bottom)})


def _share(value: float, limits: list[float], scale: str, name: str) -> float:
    """How far along the axis the value lies, 0 to 1."""
    if scale not in SCALES:
        raise ValueError(f"{name} is on an axis with the scale {scale!r}; give this place in per cent, without a panel")
    if not min(limits) <= value <= max(limits):
        raise ValueError(f"{name} is off its panel, which runs from {limits[0]:.4g} to {limits[1]:.4g}")
    at, low, high = map(SCALES[scale], (value, *limits))
    return (at - low) / (high - low)
