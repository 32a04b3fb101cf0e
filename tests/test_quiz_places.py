"""Places on a figure are given on its axes, and follow the figure when it is drawn in another form."""

from __future__ import annotations

import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import yaml
from nbformat.v4 import new_output
from PIL import Image

from dlbook import viz
from press import quiz
from press.book import ProblemsFound
from press.quiz.source import of, quizzes
from tests.conftest import code

PLACES = [(0, 2.0, 30.0), (1, 100.0, 1e-3), (1, 20.0, 0.5)]         # panel, x, y


@pytest.fixture(autouse=True)
def style():
    """The book's style for each test, figures closed after it."""
    with mpl.rc_context():
        viz.use_style()
        yield
    plt.close("all")


def drawn(width: float):
    """A figure of two panels, linear and logarithmic, with a red square at the first of the places."""
    fig, axes = viz.figure(width, cols=2)
    for ax, scale in zip(axes, ("linear", "log"), strict=True):
        ax.set(xscale=scale, yscale=scale, xlabel="a", ylabel="b")
    axes[0].set(xlim=(0, 4), ylim=(40, 0))
    axes[1].set(xlim=(10, 1000), ylim=(1e-4, 1))
    return fig, axes


def book_with(small_book, fig, **changes):
    """A book whose chapter shows the figure, and whose quiz asks for the places on it."""
    cell = code("#| label: fig-one\nfig", "fig-one")
    cell.outputs = [new_output("display_data", {viz.FIGURE_MIME: viz.record(fig)})]
    book = small_book(cell)
    regions = [{"label": f"place {i}", "panel": panel, "x": x, "y": y, "radius": 3, "right": not i, "feedback": "So."}
               for i, (panel, x, y) in enumerate(PLACES)]
    regions[1] |= changes
    asked = {"id": "one-spot", "kind": "spot", "outcome": "derive", "lines": ["X01"], "difficulty": 1,
             "conceptual": True, "section": "sec-one", "prompt": "Where?", "explanation": "There.", "figure": "fig-one",
             "alt": "Two empty panels beside each other.", "missed": "Nothing is there.", "regions": regions}
    path = book.chapters["part/one"].quiz
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"chapter": "part/one", "questions": [asked]}))
    return book


def question(book):
    return next(quizzes(book))[1].questions[0]


@pytest.mark.parametrize("width", [4.0, 6.3])
def test_a_place_on_the_axes_is_where_a_mark_at_it_is_drawn(small_book, width):
    regions = question(book_with(small_book, drawn(width)[0])).regions
    for (panel, x, y), region in zip(PLACES, regions, strict=True):
        fig, axes = drawn(width)
        axes[panel].plot(x, y, "s", color="red", markersize=6)
        file = io.BytesIO()
        fig.savefig(file, format="png")
        pixels = np.asarray(Image.open(file).convert("RGB"), int)
        rows, columns = np.nonzero((pixels[..., 0] > 200) & (pixels[..., 1:].max(-1) < 60))
        seen = 100 * (columns.mean() + 0.5) / pixels.shape[1], 100 * (rows.mean() + 0.5) / pixels.shape[0]
        assert (region.x, region.y) == pytest.approx(seen, abs=0.4)       # the layout rounds to pixels


def test_a_figure_drawn_anew_moves_the_places_and_keeps_the_readers_answers(small_book):
    narrow, wide = (question(book_with(small_book, drawn(width)[0])) for width in (3.0, 6.3))
    assert narrow.regions[0].x != pytest.approx(wide.regions[0].x, abs=0.5)
    assert narrow.digest() == wide.digest()


@pytest.mark.parametrize(("change", "said"), [
    ({"x": 5.0}, "'place 1': x 5 is off its panel, which runs from 10 to 1000"),
    ({"panel": 2}, "'place 1' is in panel 2; the figure has 2, from 0 on"),
    ({"panel": None, "x": 300.0}, "off the picture; without a panel both are per cent"),
])
def test_a_place_off_the_figure_is_one_sentence(small_book, change, said):
    found = "\n".join(map(str, quiz.check(book_with(small_book, drawn(6.3)[0], **change))))
    assert said in found and found.count("\n") == 0


def test_a_figure_that_was_never_drawn_is_one_sentence(small_book):
    book = book_with(small_book, drawn(6.3)[0])
    small_book(code("#| label: fig-one\nfig", "fig-one"))
    with pytest.raises(ProblemsFound, match="fig-one has no panels on record; run dlbook execute"):
        of(book.chapters["part/one"])


def test_a_scale_without_a_formula_asks_for_per_cent(small_book):
    fig, axes = drawn(6.3)
    axes[1].set_xscale("symlog")
    assert "the scale 'symlog'; give this place in per cent" in str(quiz.check(book_with(small_book, fig))[0])
