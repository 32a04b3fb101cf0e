"""Marking: no right answer is marked wrong for how it is written, and no order of what is shown changes a mark."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from press.quiz import marking
from press.quiz.source import Choice, Match, Number, Order, Spot, Text

HEAD = {"id": "a-question", "outcome": "derive", "difficulty": 1, "conceptual": True, "section": "sec-one", "prompt": "Which?",
        "explanation": "Because."}
WRONG = [{"answer": "-999", "feedback": "a"}, {"answer": "-998", "feedback": "b"}]


def number(answer: float, **more) -> Number:
    return Number(**HEAD, kind="number", answer=answer, wrong=WRONG, **more)


def choice(rights: list[bool]) -> Choice:
    kind = "single" if sum(rights) == 1 else "multiple"
    return Choice(**HEAD, kind=kind, options=[{"text": f"option {i}", "right": right, "feedback": "f"}
                                              for i, right in enumerate(rights)])


def text(kind: str, answer: str, **more) -> Text:
    return Text(**HEAD, kind=kind, answer=answer, wrong=WRONG, **more)


# ---- choices, order, match -------------------------------------------------------------------------------------------

RIGHTS = st.lists(st.booleans(), min_size=3, max_size=6).filter(any)


@given(RIGHTS, st.data())
def test_the_order_in_which_options_are_chosen_or_listed_changes_no_mark(rights, data):
    chosen = data.draw(st.lists(st.sampled_from(range(len(rights))), unique=True, min_size=1))
    shuffled = data.draw(st.permutations(range(len(rights))))
    before = marking.mark(choice(rights), chosen)
    assert before == marking.mark(choice(rights), list(reversed(chosen)))
    assert before == marking.mark(choice([rights[i] for i in shuffled]), [shuffled.index(i) for i in chosen])


@given(RIGHTS)
def test_all_right_options_earn_one_and_all_options_never_do_unless_all_are_right(rights):
    question, right = choice(rights), [i for i, r in enumerate(rights) if r]
    assert marking.mark(question, right) == 1
    assert (marking.mark(question, list(range(len(rights)))) == 1) == all(rights) if len(right) > 1 else True


@pytest.mark.parametrize(("chosen", "share"), [([0, 1], 1), ([0], 0.5), ([0, 2], 0), ([0, 1, 2], 0.5), ([2, 3], 0)])
def test_a_wrong_choice_cancels_a_right_one(chosen, share):
    assert marking.mark(choice([True, True, False, False]), chosen) == share


ITEMS = ["one", "two", "three", "four"]
ORDERING = Order(**HEAD, kind="order", items=ITEMS, distractors=["stranger"], feedback="f")


@pytest.mark.parametrize(("given_", "share"), [
    (ITEMS, 1), (ITEMS[:3], 0.75), (["two", "three", "four", "one"], 0.75), (ITEMS[::-1], 0.25),
    ([*ITEMS, "stranger"], 0.75), (["stranger"], 0), ([], 0)])
def test_an_order_earns_its_longest_right_run_less_the_distractors(given_, share):
    assert marking.mark(ORDERING, given_) == share


def test_the_longest_run_is_what_counting_all_subsequences_gives():
    for given_ in itertools.permutations(ITEMS):
        best = max(n for n in range(1, 5) for picked in itertools.combinations(given_, n)
                   if list(picked) == sorted(picked, key=ITEMS.index))
        assert marking.mark(ORDERING, given_) == best / 4


def test_a_match_earns_its_share_of_right_pairs():
    question = Match(**HEAD, kind="match", feedback="f", pairs=[{"left": c, "right": c * 2} for c in "abc"])
    assert marking.mark(question, ["aa", "cc", "bb"]) == pytest.approx(1 / 3)
    assert marking.mark(question, ["aa", "bb", "cc"]) == 1


def test_a_place_belongs_to_the_nearest_region_that_reaches_it():
    regions = [{"label": name, "x": x, "y": 50, "radius": 10, "right": x == 30, "feedback": "f"}
               for name, x in (("a", 20), ("b", 30), ("c", 80))]
    question = Spot(**HEAD, kind="spot", figure="fig-x", alt="A picture with three places in a row.", regions=regions, missed="m")
    assert [marking.mark(question, place) for place in ((30, 50), (26, 50), (24, 50), (80, 50), (55, 50))] == [1, 1, 0, 0, 0]
    assert marking.region(question, 55, 50) is None


# ---- numbers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("written", [
    "1234.5", " 1234.5 ", "1,234.5", "1 234.5", "1 234.5", "1'234.5", "1.234,5", "1234,5", "+1234.5", "1.2345e3",
    "1.2345E+3", "1.2345×10^3", "1.2345 x 10^3", "1.2345*10^3", "12345/10", "１２３４.５", "١٢٣٤.٥", "١٢٣٤٫٥", "123450e-2"])
def test_a_number_may_be_written_as_readers_write_it(written):
    assert marking.mark(number(1234.5), written) == 1


@pytest.mark.parametrize("written", ["-3", "−3", "–3", "－3", "-3.0", "-3,0", "- 3"])
def test_every_minus_sign_counts(written):
    assert marking.mark(number(-3), written) == 1


@pytest.mark.parametrize(("answer", "written"), [(0.001, "1e-3"), (0.001, "10^-3"), (0.25, "25%"), (0.25, "25 %"),
                                                 (1 / 3, "1/3"), (1000, "1,000"), (1.0, "1,000")])
def test_powers_shares_and_both_readings_of_a_comma(answer, written):
    assert marking.mark(number(answer), written) == 1


@pytest.mark.parametrize("written", ["", "three", "3 apples", "3..1", "1/0", "1/2/3", "--3", "3e", "nan", "inf", "0x10", "3 4e", "1" * 400 + "x"])
def test_what_is_no_number_is_wrong_and_stops_nothing(written):
    assert marking.mark(number(3), written) == 0


def test_units_are_optional_known_ones_convert_and_unknown_ones_are_wrong():
    question = number(0.25, unit="s", units={"ms": 0.001, "min": 60})
    assert [marking.mark(question, w) for w in ("0.25", "0.25 s", "250ms", "250 ms", "0.25 min", "0.25 kg")] == [1, 1, 1, 1, 0, 0]


@given(st.floats(-1e6, 1e6), st.floats(0, 10))
def test_the_edge_of_the_tolerance_is_inside_and_beyond_it_is_not(answer, tolerance):
    question = number(answer, tolerance=tolerance)
    assert marking.accepts(question, answer + tolerance) and marking.accepts(question, answer - tolerance)
    slack = 1e-8 * abs(answer) + 1e-8
    assert not marking.accepts(question, answer + tolerance + 2 * slack + 1e-6 * tolerance)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_every_number_that_python_writes_is_read(value):
    assert any(math.isclose(found, value, rel_tol=1e-12, abs_tol=1e-300) for found in marking.readings(number(0), repr(float(value))))


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_numbers(written):
    assert marking.mark(number(3), written) in (0, 1)


@pytest.mark.parametrize(("written", "count"), [("3.10", 3), ("0.0031", 2), ("120", 3), ("1.20e5", 3), ("٣٫١", 2), ("-4", 1)])
def test_significant_figures_are_counted(written, count):
    assert marking.figures(written) == count


# ---- words, shapes, output -------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("kind", "answer", "written"), [
    ("text", "hinge loss", "Hinge-Loss."), ("text", "naïve", "NAÏVE"), ("text", "f(x)", "f( x )"), ("text", "“it”", "it"),
    ("shape", "(64, 10)", "[64,10]"), ("shape", "(64, 10)", "torch.Size([64, 10])"), ("shape", "(64, 10)", "64x10"),
    ("shape", "(batch, 10)", "(Batch,10)"), ("shape", "(5,)", "5")])
def test_the_same_answer_written_otherwise_is_right(kind, answer, written):
    assert marking.mark(text(kind, answer), written) == 1


@pytest.mark.parametrize(("kind", "answer", "written"), [
    ("text", "-3", "3"), ("text", "hinge", "hinges"), ("shape", "(64, 10)", "(10, 64)"), ("shape", "(64, 10)", "6410"),
    ("shape", "(64, -1)", "(64, 1)")])
def test_another_answer_is_wrong(kind, answer, written):
    assert marking.mark(text(kind, answer), written) == 0


def test_printed_text_is_compared_line_by_line_with_its_case():
    question = text("output", "A\n b", code="print('A'); print(' b')")
    assert [marking.mark(question, w) for w in ("A\n b\n", "A  \r\n b", "a\n b", "A b")] == [1, 1, 0, 0]


@given(st.text(max_size=80))
def test_no_text_breaks_the_comparison_of_words(written):
    assert all(marking.mark(text(kind, "x"), written) in (0, 1) for kind in ("text", "shape"))
