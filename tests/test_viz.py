"""The figure audit, rule by rule: one figure that passes and one that fails, on matplotlib's own objects."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from colorspacious import cspace_convert
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from PIL import Image

from dlbook import viz

ROOT = Path(__file__).resolve().parents[1]
CARDS = ("#ffffff", "#f7f5ef")                                   # what figures lie on, light and dark theme
unit = st.floats(0, 1, width=32)
colours = st.tuples(unit, unit, unit)


@pytest.fixture(autouse=True)
def style():
    """The book's style for each test, figures closed after it."""
    with mpl.rc_context():
        mpl.use("Agg")
        viz.use_style()
        mpl.rcParams["figure.dpi"] = 50                          # sizes in points stay; pictures are drawn four times faster
        yield
    plt.close("all")


@pytest.fixture
def ax():
    """Axes of a figure that passes every rule."""
    fig, axes = viz.figure()
    axes.set(xlabel="epoch", ylabel="accuracy")
    return axes


def broken(fig) -> set[str]:
    """The names of the rules that a figure breaks."""
    return {finding.rule for finding in viz.audit(fig)}


# ---- colour

def test_the_theme_has_the_package_s_palette():
    assert json.loads((ROOT / "theme/palette.json").read_text()) == viz.COLOURS


@pytest.mark.parametrize("card", CARDS)
def test_palette_colours_are_readable_as_text_on_every_card(card):
    assert min(float(viz.contrast(colour, card)) for colour in viz.PALETTE) >= viz.TEXT_CONTRAST


def test_every_pair_of_the_palette_is_told_apart_by_everybody():
    pairs = [(a, b) for a in viz.PALETTE for b in viz.PALETTE if a < b]
    assert len(pairs) == 21 and min(viz.worst_distance(*pair)[0] for pair in pairs) >= viz.LEAST_DISTANCE


@given(colours, colours)
def test_contrast_is_symmetric_and_between_1_and_21(a, b):
    assert 1 <= viz.contrast(a, b) <= 21.0001
    assert np.isclose(viz.contrast(a, b), viz.contrast(b, a))


@given(colours)
def test_luminance_is_the_library_s_y(colour):
    assert np.isclose(viz.luminance(colour), cspace_convert(colour, "sRGB1", "XYZ100")[1] / 100, atol=1e-3)


@given(colours, st.sampled_from(sorted(viz.DEFICIENCIES)), st.floats(0, 1))
def test_simulation_keeps_greys_and_stays_in_gamut(colour, deficiency, severity):
    seen = viz.simulate(colour, deficiency, severity)
    assert seen.shape == (3,) and (0 <= seen).all() and (seen <= 1).all()
    grey = np.full(3, colour[0])
    assert np.allclose(viz.simulate(grey, deficiency, severity), grey, atol=2e-3)


def test_simulation_without_severity_changes_nothing():
    assert np.allclose(viz.simulate("#bf4a00", "deuteranopia", 0), mpl.colors.to_rgb("#bf4a00"), atol=1e-6)


@pytest.mark.parametrize("arguments", [("red", "achromatopsia"), ("red", "tritanopia", 1.5)])
def test_simulation_says_what_it_expects(arguments):
    with pytest.raises(ValueError, match="expected"):
        viz.simulate(*arguments)


@given(colours)
def test_text_on_any_ground_can_be_read(ground):
    assert viz.contrast(viz.text_on(ground), ground) >= viz.TEXT_CONTRAST


@pytest.mark.parametrize("cmap", [viz.SEQUENTIAL, viz.DIVERGING, mpl.colormaps["viridis"], mpl.colormaps["gray"]])
def test_good_maps_pass(cmap):
    assert viz.unevenness(cmap) <= viz.MOST_UNEVEN and viz.reversal(cmap) <= viz.MOST_REVERSAL


@pytest.mark.parametrize("name", ["jet", "hsv", "turbo", "rainbow", "nipy_spectral"])
def test_rainbows_fail_by_measurement(name):
    nameless = mpl.colors.ListedColormap(mpl.colormaps[name](np.linspace(0, 1, 256)), "harmless")
    assert viz.unevenness(nameless) > viz.MOST_UNEVEN or viz.reversal(nameless) > viz.MOST_REVERSAL


def test_a_uniform_map_walks_its_path_at_one_speed():
    assert viz.unevenness(viz.uniform_map("test-map", [(90, 0, 0), (60, 10, 5), (30, 0, 10)])) < 1.2


# ---- the style

def test_a_figure_has_the_size_of_the_page():
    fig, _ = viz.figure("margin", ratio=1)
    assert tuple(fig.get_size_inches()) == (viz.MARGIN_WIDTH, viz.MARGIN_WIDTH)


def test_an_unknown_width_is_refused():
    with pytest.raises(ValueError, match="'text', 'margin' or a number"):
        viz.figure("page")


def test_svg_is_deterministic_and_has_no_date():
    def draw() -> str:
        fig, axes = viz.figure()
        axes.plot([1, 2, 4], label="a")
        return viz._svg(fig)
    first = draw()
    assert first == draw() and "<dc:date>" not in first and first.startswith("<svg")
    assert not re.search(r' d="[^"]*\d\.\d{3}', first)


def test_a_raster_figure_is_png_only(ax):
    fig = viz.raster(ax.figure)
    assert viz._svg(fig) is None and viz._png(fig)[1] == {"width": 605}


def test_a_raster_figure_keeps_its_colours_and_what_is_transparent_in_few_bytes(ax):
    rng = np.random.default_rng(0)
    ax.scatter(*rng.random((2, 3000)), c=rng.random(3000), s=9)
    fig, whole = viz.raster(ax.figure), io.BytesIO()
    fig.savefig(whole, format="png", facecolor="none")
    small = base64.b64decode(viz._png(fig)[0])
    before, after = (np.asarray(Image.open(file).convert("RGBA"), float) for file in (whole, io.BytesIO(small)))
    drawn = before[..., 3] == 255
    assert len(small) < len(whole.getvalue()) / 2 and np.abs(before - after)[drawn].mean() < 1
    assert ((after[..., 3] == 0) == (before[..., 3] == 0)).all()


def test_the_label_of_an_error_bar_stands_at_its_end(ax):
    ax.errorbar([0, 1], [0, 1], yerr=0.1, label="measured")
    ax.plot([0, 1], [1, 3], label="predicted")
    assert [text.get_text() for text in viz.label_ends(ax)] == ["measured", "predicted"]


def test_labels_at_line_ends_do_not_touch(ax):
    for k in range(4):
        ax.plot([0, 1], [0, 1 + k / 1000], label=f"line {k}")
    labels = viz.label_ends(ax)
    ax.figure.draw_without_rendering()
    heights = sorted(text.get_window_extent().y0 for text in labels)
    assert min(np.diff(heights)) >= mpl.rcParams["font.size"] * ax.figure.dpi / 72 * 0.99
    assert [text.get_color() for text in labels] == viz.PALETTE[:4]


# ---- rules: one figure that passes, one that fails

def test_a_plain_figure_has_no_findings(ax):
    ax.plot([0.5, 0.8, 0.9])
    assert viz.audit(ax.figure) == []


@pytest.mark.parametrize("draw", [
    lambda ax, c: ax.plot([1, 2, 3], color=c),
    lambda ax, c: ax.plot([1, 2, 3], "o", color=c),
    lambda ax, c: ax.scatter([1, 2, 3], [1, 2, 3], color=c),
    lambda ax, c: ax.bar([1, 2, 3], [1, 2, 3], color=c),
    lambda ax, c: ax.barh([1, 2, 3], [1, 2, 3], color=c),
    lambda ax, c: ax.hist([1, 2, 2, 3], color=c),
    lambda ax, c: ax.fill_between([1, 2, 3], [1, 2, 3], color=c),
    lambda ax, c: ax.vlines([1, 2], 0, 1, color=c),
    lambda ax, c: ax.errorbar([1, 2], [1, 2], yerr=1, color=c),
    lambda ax, c: ax.axhline(0.5, color=c),
    lambda ax, c: ax.step([1, 2, 3], [1, 2, 3], color=c),
])
def test_marks_need_contrast_with_paper(ax, draw):
    draw(ax, "#1a6bdc")
    assert "mark-contrast" not in broken(ax.figure)
    draw(ax, "#ffd95a")
    assert "mark-contrast" in broken(ax.figure)


def test_marks_are_measured_on_what_lies_under_them(ax):
    ax.imshow(np.zeros((4, 4)), cmap="gray", vmin=0, vmax=1)
    ax.scatter([1, 2], [1, 2], color="#fff3c0")
    assert "mark-contrast" not in broken(ax.figure)
    ax.scatter([1, 2], [2, 1], color="#222222")
    assert "mark-contrast" in broken(ax.figure)


def test_an_outline_saves_a_pale_mark(ax):
    ax.scatter([1, 2], [1, 2], color="#fff3c0", edgecolors="black", linewidths=1)
    assert "mark-contrast" not in broken(ax.figure)


def test_translucent_context_is_not_a_mark(ax):
    ax.fill_between([1, 2], [1, 1], [2, 2], color="#1a6bdc", alpha=0.15)
    assert viz.marks(ax) == []


@pytest.mark.parametrize("colour, fails", [("#1d2228", False), ("#9a9a9a", True)])
def test_text_needs_contrast(ax, colour, fails):
    ax.set_title("a title", color=colour)
    assert ("text-contrast" in broken(ax.figure)) == fails


def test_text_is_measured_on_the_cell_under_it(ax):
    ax.imshow([[0, 1]], cmap="gray")
    ax.text(0, 0, "dark", color="white", ha="center")
    assert "text-contrast" not in broken(ax.figure)
    ax.text(1, 0, "light", color="white", ha="center")
    assert "text-contrast" in broken(ax.figure)


def test_large_text_may_be_paler(ax):
    ax.text(0.1, 0.5, "large", color="#8a8a8a", fontsize=20)
    assert "text-contrast" not in broken(ax.figure)


def red_green(ax, **second):
    ax.plot([1, 2, 3], color="#d62728")
    ax.plot([3, 2, 1], color="#2ca02c", **second)
    return "colour-vision" in broken(ax.figure)


def test_red_and_green_of_one_lightness_are_confused(ax):
    assert red_green(ax)


@pytest.mark.parametrize("cue", [{"ls": "--"}, {"marker": "o"}, {"ls": (0, (5, 1, 1, 1))}])
def test_a_second_cue_tells_colours_apart(ax, cue):
    assert not red_green(ax, **cue)


def test_labels_in_the_lines_colours_tell_them_apart(ax):
    ax.text(0, 1.2, "a", color="#d62728")
    ax.text(0, 2.8, "b", color="#2ca02c")
    assert not red_green(ax)


def test_colours_of_twin_axes_share_a_panel(ax):
    ax.plot([1, 2, 3], color="#d62728")
    twin = ax.twinx()
    twin.plot([3, 2, 1], color="#2ca02c")
    twin.set_ylabel("time (s)")
    assert "colour-vision" in broken(ax.figure)


def test_colours_of_different_panels_are_not_compared():
    fig, axes = viz.figure(cols=2)
    for one, colour in zip(axes, ("#d62728", "#2ca02c")):
        one.plot([1, 2, 3], color=colour)
        one.set(xlabel="epoch", ylabel="accuracy")
    assert broken(fig) == set()


def test_bars_of_one_series_are_told_apart_by_place(ax):
    ax.bar(["a", "b"], [1, 2], color=["#d62728", "#2ca02c"])
    assert "colour-vision" not in broken(ax.figure)


def test_points_coloured_by_class_are_categories(ax):
    ax.scatter([1, 2, 3], [1, 2, 3], c=["#d62728", "#2ca02c", "#d62728"])
    assert "colour-vision" in broken(ax.figure)


@pytest.mark.parametrize("inches, size, fails", [(6.3, 7.5, False), (6.3, 6, True), (12.6, 10, True), (12.6, 16, False)])
def test_labels_are_measured_at_the_size_of_the_page(inches, size, fails):
    with mpl.rc_context({key: size for key in mpl.rcParams if key.endswith(("labelsize", "font.size"))}):
        fig, axes = viz.figure(inches)
        axes.set(xlabel="epoch", ylabel="accuracy")
        assert ("label-size" in broken(fig)) == fails


@pytest.mark.parametrize("label", ["time (s)", "length [mm]", "test accuracy", "share of mistakes (%)", "epoch", "$w_1$",
                                   "x", "size (–)"])
def test_labels_with_unit_or_unitless_word_pass(ax, label):
    ax.set_xlabel(label)
    assert "axis-labels" not in broken(ax.figure)


@pytest.mark.parametrize("label", ["", "time", "bill length", "$t$ elapsed"])
def test_labels_without_unit_fail(ax, label):
    ax.set_xlabel(label)
    assert "axis-labels" in broken(ax.figure)


def test_axes_without_numbers_need_no_label(ax):
    ax.set(xticks=[], xlabel="")
    ax.set_yticks([0, 1], ["cat", "dog"])
    ax.set_ylabel("")
    assert "axis-labels" not in broken(ax.figure)


def test_a_label_for_the_whole_figure_serves_its_axes():
    fig, _ = viz.figure(rows=2, cols=2, sharex=True, sharey=True)
    fig.supxlabel("epoch")
    assert broken(fig) == {"axis-labels"}
    fig.supylabel("loss")
    assert broken(fig) == set()


def test_a_colour_bar_needs_a_label(ax):
    bar = ax.figure.colorbar(ax.imshow(np.eye(3)))
    assert "axis-labels" in broken(ax.figure)
    bar.set_label("weight")
    assert "axis-labels" not in broken(ax.figure)


@pytest.mark.parametrize("draw", [
    lambda ax, cmap: ax.imshow(np.random.rand(5, 5), cmap=cmap),
    lambda ax, cmap: ax.pcolormesh(np.random.rand(5, 5), cmap=cmap),
    lambda ax, cmap: ax.contourf(np.random.rand(5, 5), cmap=cmap),
    lambda ax, cmap: ax.scatter([1, 2, 3], [1, 2, 3], c=[0.1, 0.5, 0.7], cmap=cmap),
])
def test_maps_of_every_kind_are_measured(ax, draw):
    draw(ax, "dlbook.sequential")
    assert "colour-map" not in broken(ax.figure)
    ax.clear()
    draw(ax, "jet")
    assert "colour-map" in broken(ax.figure)


def test_a_photograph_has_no_map(ax):
    ax.imshow(np.random.rand(5, 5, 3))
    assert "colour-map" not in broken(ax.figure)


@pytest.mark.parametrize("kind, limits", [("bar", "set_ylim"), ("barh", "set_xlim")])
def test_bars_start_at_zero(ax, kind, limits):
    getattr(ax, kind)([1, 2], [3, 4])
    assert "zero-baseline" not in broken(ax.figure)
    getattr(ax, limits)(2, 5)
    assert "zero-baseline" in broken(ax.figure)


def test_bars_have_no_zero_on_a_log_axis(ax):
    ax.bar([1, 2], [3, 40])
    ax.set_yscale("log")
    assert "zero-baseline" in broken(ax.figure)


def test_dots_may_leave_zero_out(ax):
    ax.plot([1, 2], [90, 92], "o")
    assert "zero-baseline" not in broken(ax.figure)


@pytest.mark.parametrize("n, fails", [(7, False), (8, True)])
def test_seven_hues_are_enough(ax, n, fails):
    for k in range(n):
        ax.plot([k, k + 1], color=mpl.colors.hsv_to_rgb((k / n, 1, 0.5)), ls=(0, (k + 1, 1)))
    assert ("hue-count" in broken(ax.figure)) == fails


def test_greys_are_not_hues(ax):
    for k in range(12):
        ax.plot([k, k + 1], color=str(0.04 * k), ls=(0, (k + 1, 1)))
    assert "hue-count" not in broken(ax.figure)


# ---- figures that are easy to stumble over

def empty():
    return plt.figure()


def missing():
    fig, axes = viz.figure()
    axes.plot([np.nan, np.nan])
    axes.plot([1, np.nan, 3])
    axes.scatter([np.nan, 1], [1, 2])
    axes.imshow([[np.nan, 1], [2, 3]])
    return fig


def logarithmic():
    fig, axes = viz.figure()
    axes.loglog([1, 10, 100], [0, 1, 100])
    return fig


def odd():
    fig = plt.figure()
    fig.add_subplot(131, projection="polar").plot([1, 2, 3])
    fig.add_subplot(132, projection="3d").plot([1, 2], [1, 2], [1, 2])
    axes = fig.add_subplot(133)
    axes.pie([1, 2])
    axes.annotate("x", (0, 0), (1, 1), arrowprops={})
    axes.quiver([0], [0], [1], [1])
    axes.table([["a"]])
    axes.boxplot([1, 2, 3])
    axes.legend([])
    return fig


def nested():
    fig = plt.figure()
    for part in fig.subfigures(1, 2):
        part.subplots().plot([1, 2])
        part.suptitle("part")
    return fig


@pytest.mark.parametrize("draw", [empty, missing, logarithmic, odd, nested])
def test_the_audit_survives(draw):
    record = viz.record(draw())
    assert "audit" not in {finding["rule"] for finding in record["findings"]}
    json.dumps(record)


@pytest.mark.parametrize("draw", [missing, nested, logarithmic])
def test_the_audit_leaves_the_figure_as_it_was(draw):
    fig = draw()
    fig.draw_without_rendering()
    fig.set_layout_engine("none")                                # a second run of the layout moves things by itself
    before = viz._svg(fig)
    viz.audit(fig)
    assert viz._svg(fig) == before


def test_an_audit_that_stops_is_a_finding(monkeypatch, ax):
    monkeypatch.setitem(viz.RULES, "broken", lambda fig: 1 / 0)
    findings = viz.record(ax.figure)["findings"]
    assert findings == [{"rule": "audit", "message": "the audit stopped with ZeroDivisionError: division by zero",
                         "value": None, "threshold": None}]


# ---- in a notebook

@pytest.fixture(scope="module")
def displayed() -> list[dict]:
    """What a kernel shows: an SVG figure, a PNG figure, and one whose audit stops."""
    cells = ["from dlbook import viz\nviz.capture_figures(); viz.use_style()",
             "import matplotlib.pyplot as plt\nfig, ax = viz.figure(); ax.plot([1, 2]); plt.show()",
             "fig, ax = viz.figure(); viz.raster(fig); plt.show()",
             "viz.RULES['stops'] = lambda fig: 1 / 0\nfig, ax = viz.figure(); plt.show()",
             "%matplotlib inline\nfig, ax = plt.subplots(); plt.show()"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    nbformat.validate(notebook)
    return [output["data"] for cell in notebook.cells for output in cell.outputs if "data" in output]


@pytest.mark.parametrize("index, kind", [(0, "image/svg+xml"), (1, "image/png")])
def test_figures_travel_with_their_audit(displayed, index, kind):
    record = displayed[index][viz.FIGURE_MIME]
    assert kind in displayed[index] and len(displayed[index].keys() & {"image/svg+xml", "image/png"}) == 1
    assert record["size_in"] == [6.3, 3.906] and record["rules"] == list(viz.RULES)
    assert {finding["rule"] for finding in record["findings"]} == {"axis-labels"}


def test_a_stopped_audit_does_not_break_the_figure(displayed):
    assert "image/svg+xml" in displayed[2] and displayed[2][viz.FIGURE_MIME]["findings"][0]["rule"] == "audit"


def test_the_audit_outlives_a_restart_of_the_inline_backend(displayed):
    assert viz.FIGURE_MIME in displayed[3]
