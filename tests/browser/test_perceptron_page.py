"""The perceptron explorable, driven by keyboard in Chromium and compared with dlbook.perceptron on the same points."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlbook.perceptron import NotSeparable, best_margin, fit_perceptron, homogeneous, margin, mistakes, novikoff_bound
from tests.browser.alone import page_with, press

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
page = page_with("perceptron", '<p id="fallback">A picture of a line.</p>')


def state(page) -> dict:
    """What the element says of itself: points, weights, updates, margins."""
    raw = page.eval_on_selector("dl-perceptron", "e => ({...e.dataset})")
    points = np.array(json.loads(raw["points"]), dtype=float).reshape(-1, 3)
    return {**raw, "x": homogeneous(points[:, :2]) if len(points) else points, "y": points[:, 2],
            "w": np.array(json.loads(raw["w"]), dtype=float), "updates": int(raw["updates"])}


def choose(page, preset: str) -> None:
    page.get_by_label("Example").select_option(preset)


def agrees(page) -> dict:
    """The element's numbers equal the package's for the same points, order and number of updates."""
    here = state(page)
    run = fit_perceptron(here["x"], here["y"], epochs=1000)
    assert here["w"] == pytest.approx(run.history[here["updates"]], abs=1e-9)
    assert int(here["wrong"]) == mistakes(here["w"], here["x"], here["y"])
    if here["w"].any():
        assert float(here["margin"]) == pytest.approx(margin(here["w"], here["x"], here["y"]))
    try:
        assert float(here["gamma"]) == pytest.approx(best_margin(here["x"], here["y"])[1], rel=1e-9)
        assert float(here["bound"]) == pytest.approx(novikoff_bound(here["x"], here["y"]), rel=1e-9)
    except NotSeparable:
        assert here["gamma"] == "0" and here["bound"] == "none"
    return here


@pytest.mark.parametrize("preset", ["separable", "narrow margin"])
def test_separable_presets_run_to_a_separating_line_within_the_bound(page, preset):
    choose(page, preset)
    press(page, "Run")
    here = agrees(page)
    assert here["done"] == "true" and here["wrong"] == "0"
    assert 0 < here["updates"] <= float(here["bound"])
    assert "the rule has stopped" in page.get_by_role("status").inner_text()


@pytest.mark.parametrize("preset", ["XOR", "outlier"])
def test_presets_without_a_line_have_no_bound_and_do_not_stop(page, preset):
    choose(page, preset)
    press(page, "Run")
    here = agrees(page)
    assert here["done"] == "false" and here["updates"] == 500
    assert "there is no bound" in page.get_by_role("status").inner_text()


def test_every_single_step_equals_the_history_of_the_package(page):
    choose(page, "narrow margin")
    for expected in range(1, 8):
        press(page, "Next update", key="Space")
        assert agrees(page)["updates"] == expected


def test_points_are_placed_and_removed_by_keyboard(page):
    press(page, "Remove all points")
    page.get_by_role("application").focus()
    for keys in (["ArrowLeft"] * 3 + ["ArrowDown"] * 2 + ["Enter"], ["ArrowRight"] * 7 + ["ArrowUp", "c", "Enter"],
                 ["Shift+ArrowUp", "Enter"]):
        for key in keys:
            page.keyboard.press(key)
    assert json.loads(state(page)["points"]) == [[-1.5, -1, -1], [2, -0.5, 1], [2, -0.45, 1]]
    page.keyboard.press("Delete")
    assert json.loads(state(page)["points"]) == [[-1.5, -1, -1], [2, -0.5, 1]]
    press(page, "Run")
    assert agrees(page)["done"] == "true"


def test_random_points_have_the_margin_and_bound_of_the_package(page):
    rng = np.random.default_rng(0)
    for trial in range(30):
        x = np.round(rng.uniform(-4, 4, (int(rng.integers(1, 15)), 2)) * 20) / 20
        u = rng.normal(size=3)
        y = np.where(homogeneous(x) @ u > 0, 1, -1) if trial % 3 else rng.choice([-1, 1], len(x))
        points = [{"x": a, "y": b, "label": int(c)} for (a, b), c in zip(x.tolist(), y)]
        page.eval_on_selector("dl-perceptron", "(e, points) => { e.points = points; e.restart(); }", points)
        agrees(page)


def test_the_fallback_is_hidden_on_the_screen_and_shown_in_print(page):
    assert not page.locator("#fallback").is_visible() and page.get_by_role("application").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#fallback").is_visible() and not page.get_by_role("button", name="Run").is_visible()


def test_the_table_tells_what_the_drawing_shows(page):
    choose(page, "XOR")
    page.get_by_text("The points as a table").click()
    assert page.locator("dl-perceptron tbody tr").count() == 4
    assert page.locator("dl-perceptron svg circle").count() == 2


def test_it_fits_a_narrow_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
