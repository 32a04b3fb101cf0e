"""The race of optimisers, driven by keyboard in Chromium and compared with dlbook.optim on the same surfaces and starts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlbook import optim
from tests.browser.alone import page_with, press

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
page = page_with("optimisers", '<p id="fallback">A picture of paths.</p>')
RULES = {"gradient descent": optim.GradientDescent, "momentum": optim.Momentum, "Nesterov": optim.Nesterov,
         "AdaGrad": optim.AdaGrad, "RMSprop": optim.RMSprop, "Adam": optim.Adam}


def state(page) -> dict:
    """What the element says of itself: surface, steps, rate, start, paths."""
    raw = page.eval_on_selector("dl-optimisers", "e => ({...e.dataset})")
    paths = {name: np.array(path, dtype=float) for name, path in json.loads(raw["paths"]).items()}
    return {**raw, "paths": paths, "steps": int(raw["steps"]), "rate": float(raw["rate"]), "start": json.loads(raw["start"])}


def agrees(page, most: int = 60) -> dict:
    """Every entrant stands where the package's optimiser stands, step by step."""
    here = state(page)
    for name, path in here["paths"].items():
        steps = min(most, here["steps"])
        told, _ = optim.descend(optim.SURFACES[here["surface"]], here["start"], lambda p: RULES[name](p, here["rate"]), steps)
        assert path[:steps + 1] == pytest.approx(told, rel=1e-6, abs=1e-8), name
    return here


@pytest.mark.parametrize("surface", list(optim.SURFACES))
def test_every_path_on_every_surface_equals_the_package(page, surface):
    page.get_by_label("Surface").select_option(surface)
    press(page, "Run")
    here = agrees(page)
    assert here["steps"] == 300 and set(here["paths"]) == set(RULES)
    assert f"{surface}, 300 of 300 steps" in page.get_by_role("status").inner_text()


def test_single_steps_and_reset_by_keyboard(page):
    for expected in (1, 2, 3):
        press(page, "Step", key="Space")
        assert agrees(page)["steps"] == expected
    press(page, "Reset")
    assert state(page)["steps"] == 0


def test_the_start_moves_by_arrow_keys_and_by_click(page):
    page.get_by_role("application").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert state(page)["start"] == pytest.approx([-1.75, 1.12], abs=0.011)
    page.get_by_role("application").click(position={"x": 40, "y": 40})
    assert state(page)["start"][0] < -1.5 and state(page)["start"][1] > 1.5
    press(page, "Run")
    agrees(page)


def test_another_rate_is_used_and_one_that_is_too_large_explodes_and_says_so(page):
    page.get_by_label("Rate").fill("0.11")                             # above 2 / 20, the cliff of the bowl
    page.get_by_label("Rate").press("Tab")
    press(page, "Run")
    here = agrees(page)
    assert here["rate"] == 0.11 and abs(here["paths"]["gradient descent"][-1, 1]) > 1e3
    assert abs(here["paths"]["momentum"][-1]).max() < 1e-3             # its cliff is at 2 (1 + 0.9) / 20


def test_noise_moves_the_paths_and_is_the_same_for_every_run(page):
    page.get_by_label("Noise").fill("0.5")
    page.get_by_label("Noise").press("Tab")
    press(page, "Run")
    one = state(page)["paths"]
    press(page, "Reset")
    press(page, "Run")
    two = state(page)["paths"]
    assert all((one[name] == two[name]).all() for name in RULES)
    quiet, _ = optim.descend(optim.SURFACES["bowl"], state(page)["start"], lambda p: optim.Adam(p, 0.05), 300)
    assert np.abs(one["Adam"] - quiet).max() > 0.01


def test_entrants_can_be_left_out_and_the_table_lists_the_rest(page):
    page.get_by_role("checkbox", name="AdaGrad").uncheck()
    press(page, "Step")
    assert "AdaGrad" not in state(page)["paths"] and page.locator("dl-optimisers tbody tr").count() == 5
    assert page.locator("dl-optimisers .dl-map polyline").count() == 5


def test_the_fallback_is_hidden_on_the_screen_and_shown_in_print(page):
    assert not page.locator("#fallback").is_visible() and page.get_by_role("application").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#fallback").is_visible() and not page.get_by_role("button", name="Run").is_visible()


def test_it_fits_a_narrow_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
