"""The digit explorable, driven in Chromium and compared with the chapter's network in PyTorch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dlbook import data
from dlbook.cnn import frame, load_network, standardise
from tests.browser.alone import alone, page_with

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
NETWORK = Path(__file__).resolve().parents[2] / "chapters" / "vision" / "cnn_network.json"
page = page_with("digit", '<p id="fallback">Eight maps of a digit.</p><script type="application/json">'
                          f'{NETWORK.read_text(encoding="utf-8")}</script>')
TOLERANCE = 1e-4                                                 # of a logit: sums in another order, single precision
PIXELS = 1e-5                                                    # of a framed pixel, on the scale 0 … 1
SEVEN = [(9, 8), (19, 8), (12, 23)]                              # corners of a drawn 7: column, row


@pytest.fixture(scope="module")
def net() -> torch.nn.Sequential:
    return load_network(NETWORK)


@pytest.fixture(scope="module")
def digits() -> torch.Tensor:
    """Forty test digits and ten pictures of noise, (50, 28, 28), from 0 to 1."""
    noise = torch.rand(10, 28, 28, generator=torch.Generator().manual_seed(0))
    return torch.cat([data.load("mnist").test.x[:40] / 255, noise])


def on_element(page, code: str, value) -> list:
    return page.eval_on_selector("dl-digit", code, value)


@torch.no_grad()
def test_logits_and_maps_equal_pytorch(page, net, digits):
    here = on_element(page, "(e, xs) => xs.map((x) => e.forward(x))", digits.flatten(1).tolist())
    torch.testing.assert_close(torch.tensor([out["logits"] for out in here]), net(standardise(digits)), atol=TOLERANCE, rtol=0)
    first = torch.tensor(on_element(page, "(e, x) => Array.from(e.forward(x).maps[0].data)", digits[0].flatten().tolist()))
    torch.testing.assert_close(first, net[:2](standardise(digits[:1])).flatten(), atol=TOLERANCE, rtol=0)


def test_the_comparison_would_notice_a_wrong_weight(page, net, digits):
    page.eval_on_selector("dl-digit", "e => { e.layers[0].kernel.data[7] *= -1; }")
    here = on_element(page, "(e, x) => e.forward(x).logits", digits[0].flatten().tolist())
    assert (torch.tensor(here) - net(standardise(digits[:1]))[0]).abs().max() > 10 * TOLERANCE


@pytest.mark.parametrize("height, width", [(28, 28), (20, 31), (8, 8)])
def test_framing_equals_the_package(page, height, width):
    pictures = torch.rand(8, height, width, generator=torch.Generator().manual_seed(1)) ** 6
    pictures[:, :2] = 0
    here = on_element(page, f"(e, xs) => xs.map((x) => Array.from(e.frame(x, {height}, {width})))", pictures.flatten(1).tolist())
    torch.testing.assert_close(torch.tensor(here).view(8, 28, 28), frame(pictures), atol=PIXELS, rtol=0)


def test_an_example_is_read_and_announced(page, net):
    example = json.loads(NETWORK.read_text())["examples"][4]
    page.get_by_role("button", name=f"a {example['label']}", exact=True).first.click()
    status = page.get_by_role("status").inner_text()
    assert f"labelled {example['label']}" in status and f"reads {page.locator('dl-digit').get_attribute('data-reading')}" in status


def test_a_seven_drawn_by_keyboard_is_read(page):
    page.get_by_role("button", name="Clear").focus()
    page.keyboard.press("Enter")
    assert page.locator("dl-digit").get_attribute("data-reading") == "none"
    page.get_by_role("application").focus()
    at, down = [14, 6], False
    for column, row in SEVEN:
        while at != [column, row]:
            for axis, (less, more) in ((0, ("ArrowLeft", "ArrowRight")), (1, ("ArrowUp", "ArrowDown"))):
                step = ((column, row)[axis] > at[axis]) - ((column, row)[axis] < at[axis])
                at[axis] += step
                if step:
                    page.keyboard.press(more if step > 0 else less)
        if not down:
            page.keyboard.press("Space")
            down = True
    assert page.locator("dl-digit").get_attribute("data-reading") == "7"
    assert "Pen down at column 12, row 23" in page.get_by_role("status").inner_text()


def test_a_one_drawn_by_pointer_is_read(page):
    page.get_by_role("button", name="Clear").click()
    box = page.get_by_role("application").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.48 * box["width"], box["y"] + 0.8 * box["height"], steps=12)
    page.mouse.up()
    assert page.locator("dl-digit").get_attribute("data-reading") == "1"


def test_the_probabilities_add_up_and_follow_the_logits(page):
    shares = [float(text.split()[0]) for text in page.locator("dl-digit .dl-share").all_inner_texts()]
    logits = torch.tensor(json.loads(page.locator("dl-digit").get_attribute("data-logits")))
    assert shares == pytest.approx((100 * logits.softmax(0)).tolist(), abs=0.06)


def test_the_fallback_is_hidden_on_the_screen_and_shown_in_print(page):
    assert not page.locator("#fallback").is_visible() and page.get_by_role("application").is_visible()
    page.emulate_media(media="print")
    assert page.locator("#fallback").is_visible() and not page.get_by_role("application").is_visible()


def test_it_fits_a_narrow_screen(page):
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_a_readable_network_the_fallback_stays(phone, tmp_path):
    inside = '<p id="fallback">Eight maps of a digit.</p><script type="application/json">{</script>'
    phone.goto(alone(tmp_path, "digit", inside))
    assert phone.locator("#fallback").is_visible()
