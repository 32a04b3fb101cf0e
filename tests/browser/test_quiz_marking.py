"""The page marks as the press does: the same share for the same response, over many of each kind."""

from __future__ import annotations

import json
import random

import pytest

from press import modules
from press.quiz import marking, page
from tests.browser.conftest import ROOT
from tests.test_marking import HEAD, choice, number, text

SIGNS = "0123456789.,-+−eE×x^/%* '  ()[]abcT９٣"
WORDS = ["hinge loss", "Hinge-Loss.", "HINGE  LOSS", "hinge", "(64, 10)", "[64,10]", "64x10", "torch.Size([64, 10])", "-1", "straße",
         "STRASSE", "“it”", "f( x )", "a\r\nb", " a\nb \n", "", "1,000", "1.000,5", "3×10^-4", "25 %", "250 ms", "1/3"]


def written(rng: random.Random) -> str:
    return rng.choice(WORDS) if rng.random() < 0.4 else "".join(rng.choices(SIGNS, k=rng.randint(1, 9)))


def cases(rng: random.Random) -> list[tuple[object, object, object]]:
    """(question, response as the press takes it, response as the page takes it)"""
    from press.quiz.source import Match, Order, Spot
    items, strangers = list("abcde"), list("xy")
    ordering = Order(**HEAD, kind="order", items=items, distractors=strangers, feedback="f")
    matching = Match(**HEAD, kind="match", feedback="f", pairs=[{"left": c, "right": c * 2} for c in "abcd"])
    spots = Spot(**HEAD, kind="spot", figure="fig-x", alt="Three places on a picture, at random.", missed="m",
                 regions=[{"label": f"r{i}", "x": rng.uniform(0, 100), "y": rng.uniform(0, 100), "radius": rng.uniform(5, 40),
                           "right": i == 0, "feedback": "f"} for i in range(3)])
    rights = [i < rng.randint(1, 3) for i in range(5)]
    chosen = rng.sample(range(5), rng.randint(1, 5)) if sum(rights) > 1 else [rng.randrange(5)]
    used = rng.sample(range(7), rng.randint(1, 7))
    rightly = rng.sample(range(4), 4)
    place = [rng.uniform(0, 100), rng.uniform(0, 100)]
    answer = rng.choice([1000.0, 0.25, -1.0, 3e-4, 1 / 3])
    numeric = number(answer, relative=rng.choice([0, 0.01]), unit=rng.choice([None, "s", "%"]),)
    return [(choice(rights), chosen, chosen if sum(rights) > 1 else chosen[0]),
            (ordering, [[*items, *strangers][i] for i in used], used),
            (matching, ["abcd"[i] * 2 for i in rightly], rightly), (spots, place, place),
            *[(question, said, said) for said in [written(rng)]
              for question in (numeric, text("text", rng.choice(WORDS[:4])), text("shape", "(64, 10)"),
                               text("output", "a\nb", code="print('a'); print('b')"))]]


@pytest.fixture(scope="module")
def marker(browser):
    """A page that holds the marking module alone."""
    tab = browser.new_page()
    joined = modules.join(ROOT / "theme" / "quiz", "quiz")
    tab.set_content("<p>marking</p>")
    tab.add_script_tag(content=joined.replace("})();", "globalThis.mark = mark; globalThis.figures = figures;})();"))
    yield tab
    tab.close()


def test_page_and_press_give_the_same_share(marker):
    rng = random.Random(1960)
    made = [case for _ in range(400) for case in cases(rng)]
    asked = [[page._own(question, question) | {"kind": question.kind}, response] for question, _, response in made]
    shares = marker.evaluate("pairs => pairs.map(([question, response]) => mark(question, response))", json.loads(json.dumps(asked)))
    different = [(question.kind, ours, share, marking.mark(question, ours))
                 for (question, ours, _), share in zip(made, shares, strict=True)
                 if abs(share - marking.mark(question, ours)) > 1e-12]
    assert not different, different[:5]
    assert {share for share in shares} >= {0, 1}


def test_page_and_press_count_the_same_figures(marker):
    rng = random.Random(1962)
    numbers = [f"{rng.uniform(-1e4, 1e4):.{rng.randint(1, 6)}{rng.choice('eg')}}" for _ in range(200)] + ["٣٫١٤", "0.0031", "120"]
    assert marker.evaluate("all => all.map(figures)", numbers) == [marking.figures(n) for n in numbers]
