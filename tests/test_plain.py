"""dlbook.plain: sums within their bound, equality with SciPy and scikit-learn, files that come back, bad input."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import hamming, sqeuclidean
from sklearn.metrics import confusion_matrix
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from dlbook import plain as p

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
FLOATS = st.floats(-1e12, 1e12, allow_subnormal=False)
LABELS = st.integers(-3, 9)
BITS = st.integers(0, 1)


@st.composite
def stores(draw, pixels=BITS, least=1):
    """A question, n pictures of as many pixels, and n labels."""
    d, n = draw(st.integers(1, 12)), draw(st.integers(least, 15))
    picture = st.lists(pixels, min_size=d, max_size=d)
    pictures, labels = st.lists(picture, min_size=n, max_size=n), st.lists(LABELS, min_size=n, max_size=n)
    return draw(picture), draw(pictures), draw(labels)


# ---- sums

@given(st.lists(FLOATS, min_size=1, max_size=60))
def test_a_running_sum_lies_within_its_bound_of_the_exact_sum(values):
    error = abs(Fraction(p.running_sum(values)) - sum(map(Fraction, values)))
    assert error <= Fraction(p.sum_error_bound(values)) * (1 + Fraction(1, 2 ** 50))


@given(st.lists(FLOATS, min_size=1, max_size=60))
def test_a_running_sum_is_the_sum_that_numpy_adds_from_the_left(values):
    assert p.running_sum(values) == np.cumsum(values)[-1]
    assert p.running_sum(values) == pytest.approx(math.fsum(values), abs=p.sum_error_bound(values))


@pytest.mark.parametrize("n", [2, 17, 5000])
def test_the_bound_is_attained_but_for_second_order(n):
    values = [1.0] + [2.0 ** -53] * (n - 1)
    assert p.running_sum(values) == 1
    assert (n - 1) * 2.0 ** -53 <= p.sum_error_bound(values) <= (n - 1) * 2.0 ** -53 * (1 + 3 * n * 2.0 ** -53 + 1e-15)


def test_the_bound_for_32_bits_holds_for_numpys_32_bit_sums():
    rng = np.random.default_rng(0)
    for n in (10, 1000, 20_000):
        values = rng.normal(size=n).astype(np.float32)
        error = abs(float(np.cumsum(values)[-1]) - math.fsum(values.tolist()))
        assert 0 < error <= p.sum_error_bound(values, bits=24)


def test_one_value_is_its_own_sum_without_error():
    assert p.running_sum([0.1]) == 0.1 and p.sum_error_bound([0.1]) == 0


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_mean_and_variance_equal_the_statistics_module(values):
    mean, variance = p.mean_and_variance(values)
    assert mean == pytest.approx(statistics.mean(values), rel=1e-12, abs=1e-9)
    assert variance == pytest.approx(statistics.variance(values), rel=1e-9, abs=1e-6)


def test_the_variance_of_close_values_far_from_zero_survives():
    assert p.mean_and_variance([1e9, 1e9 + 1, 1e9 + 2]) == (1e9 + 1, 1)


# ---- votes and tables

@given(st.lists(LABELS, min_size=1, max_size=30))
def test_a_vote_goes_to_the_most_frequent_label_and_a_tie_to_the_smallest(labels):
    assert p.vote(labels) == min(statistics.multimode(labels))
    assert p.tally(labels) == {label: labels.count(label) for label in labels}


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40))
def test_the_table_and_the_class_accuracies_equal_scikit_learns(pairs):
    labels, answers = zip(*pairs)
    classes = sorted(set(labels) | set(answers))
    assume(len(classes) > 1)                                   # scikit-learn warns of a single class
    table = p.confusion_table(labels, answers)
    theirs = confusion_matrix(labels, answers, labels=classes)
    assert [[table.get((a, b), 0) for b in classes] for a in classes] == theirs.tolist()
    by_class = p.accuracy_by_class(labels, answers)
    assert list(by_class) == sorted(set(labels))
    recall = theirs.diagonal() / np.maximum(theirs.sum(1), 1)
    assert [by_class.get(c, 0) for c in classes] == pytest.approx(recall.tolist())


# ---- distances and neighbours

@given(stores(pixels=st.floats(-1e3, 1e3)))
def test_the_squared_distance_equals_scipys_and_is_symmetric(case):
    a, b = case[0], case[1][0]
    assert p.squared_distance(a, b) == pytest.approx(sqeuclidean(a, b), rel=1e-12, abs=1e-300)
    assert p.squared_distance(a, b) == p.squared_distance(b, a) and p.squared_distance(a, a) == 0


@given(stores())
def test_for_black_and_white_pictures_it_counts_the_pixels_that_differ(case):
    a, b = case[0], case[1][0]
    assert p.squared_distance(a, b) == round(hamming(a, b) * len(a)) == (p.as_bits(a) ^ p.as_bits(b)).bit_count()
    assert p.as_bits(a) == int("".join(map(str, a)), 2)


@given(stores(), st.data())
def test_neighbours_are_the_head_of_a_sort_by_distance_and_then_by_place(case, data):
    question, pictures, _ = case
    k = data.draw(st.integers(1, len(pictures)))
    by_sort = sorted((p.squared_distance(question, q), i) for i, q in enumerate(pictures))[:k]
    assert p.nearest(question, pictures, k) == by_sort
    assert p.nearest_bits(p.as_bits(question), [p.as_bits(q) for q in pictures], k) == by_sort


@given(stores(pixels=st.floats(-100, 100), least=3), st.data())
def test_answers_equal_scikit_learns_where_no_distances_tie(case, data):
    question, pictures, labels = case
    k = data.draw(st.integers(1, len(pictures)))
    distances = sorted(p.squared_distance(question, q) for q in pictures)
    assume(k == len(pictures) or distances[k] > distances[k - 1] * (1 + 1e-6) + 1e-6)
    theirs = KNeighborsClassifier(k, algorithm="brute").fit(pictures, labels).predict([question])[0]
    assert p.read_picture(question, pictures, labels, k) == theirs


def test_of_equally_near_pictures_the_one_stored_earlier_wins():
    assert p.read_picture([0], [[1], [-1], [1]], [5, 3, 3]) == 5
    assert p.nearest([0], [[1], [-1], [2]], 2) == [(1, 0), (1, 1)]


def test_the_nearest_mean_equals_scikit_learns_nearest_centroid():
    rng = np.random.default_rng(1)
    x, y, asked = rng.random((60, 5)), rng.permutation(60) % 4, rng.random((30, 5))
    means = [p.mean_picture(x[y == c]) for c in range(4)]
    assert np.allclose(means, [x[y == c].mean(0) for c in range(4)])
    assert [p.read_picture(q, means, range(4)) for q in asked] == NearestCentroid().fit(x, y).predict(asked).tolist()


@pytest.mark.parametrize("kind", [np.array, torch.tensor, tuple, lambda rows: [np.array(row) for row in rows],
                                  lambda rows: [list(np.array(row, dtype=np.uint8)) for row in rows]])
def test_arrays_tensors_tuples_and_lists_of_array_numbers_serve_as_well(kind):
    rows = [[0, 200, 1], [250, 3, 9], [0, 190, 5]]
    assert p.nearest(kind(rows)[0], kind(rows), 3) == p.nearest(rows[0], rows, 3) == [(0, 0), (116, 2), (101373, 1)]


def test_bytes_of_an_image_do_not_wrap_round():
    a, b = np.array([0, 255], dtype=np.uint8), np.array([255, 0], dtype=np.uint8)
    assert p.squared_distance(a, b) == p.squared_distance(list(a), list(b)) == 2 * 255 ** 2


def test_labels_in_tensors_are_counted_by_value():
    assert p.tally(torch.tensor([3, 3, 1])) == p.tally(list(torch.tensor([3, 3, 1]))) == {3: 2, 1: 1}
    assert p.vote(np.array([2, 1, 2])) == 2


def test_what_is_given_stays_as_it_was():
    pictures, labels = [[0, 1], [1, 1]], [4, 2]
    p.read_picture([0, 0], pictures, labels, 2)
    p.mean_picture(pictures)
    assert pictures == [[0, 1], [1, 1]] and labels == [4, 2]


# ---- files

@given(stores(pixels=st.integers(-5, 10 ** 6)))
def test_written_pictures_come_back(tmp_path_factory, case):
    path = tmp_path_factory.mktemp("digits") / "d.txt"
    p.write_digits(path, case[1], case[2])
    assert p.read_digits(path) == (case[1], case[2])


def test_arrays_are_written_as_whole_numbers_and_empty_lines_are_refused_by_number(tmp_path):
    path = tmp_path / "d.txt"
    p.write_digits(path, np.eye(2), torch.tensor([1, 0]))
    assert path.read_text(encoding="utf-8") == "1: 1 0\n0: 0 1\n"
    path.write_text("1: 1 0\n\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"d\.txt, line 2: '' read; expected a label"):
        p.read_digits(path)


def test_a_refused_picture_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "d.txt"
    p.write_digits(path, [[1]], [2])
    with pytest.raises(ValueError, match="whole numbers"):
        p.write_digits(path, [[1], [0.5]], [2, 3])
    assert p.read_digits(path) == ([[1]], [2])


def test_a_sketch_has_a_line_per_row_and_a_mark_per_dark_pixel():
    assert p.sketch([0, 9, 5, 1, 0, 4], width=3) == ".##\n..."
    assert p.sketch([0, 0], width=1) == ".\n."


# ---- bad input

@pytest.mark.parametrize("call, error, message", [
    (lambda: p.running_sum([]), ValueError, "running_sum: an empty list given; expected at least one"),
    (lambda: p.running_sum(3.0), TypeError, "running_sum: float given; expected a list"),
    (lambda: p.running_sum("12"), TypeError, "running_sum: str given; expected a list"),
    (lambda: p.running_sum([1.0, math.nan]), ValueError, "add up to nan; expected finite"),
    (lambda: p.running_sum(torch.tensor(2.0)), TypeError, "Tensor given; expected a list"),
    (lambda: p.sum_error_bound([math.inf]), ValueError, "add up to inf; expected finite"),
    (lambda: p.sum_error_bound([1.0] * 9, bits=3), ValueError, r"9 values; expected at most 2 \*\* 3"),
    (lambda: p.mean_and_variance([1.0]), ValueError, "1 value given; expected at least 2"),
    (lambda: p.mean_and_variance([1.0, math.inf]), ValueError, "expected finite"),
    (lambda: p.mean_and_variance([1e300, -1e300]), ValueError, "expected finite"),
    (lambda: p.vote([]), ValueError, "an empty list given; expected at least one"),
    (lambda: p.confusion_table([1], [1, 2]), ValueError, "1 labels and 2 answers given; expected as many"),
    (lambda: p.squared_distance([1, 2], [1]), ValueError, "2 and 1 pixels given; expected equally many"),
    (lambda: p.squared_distance([math.nan], [1]), ValueError, "expected finite"),
    (lambda: p.squared_distance([math.inf], [math.inf]), ValueError, "expected finite"),
    (lambda: p.squared_distance([[1]], [[2]]), TypeError, "an entry is no number; expected flat lists"),
    (lambda: p.squared_distance(["1"], ["2"]), TypeError, "an entry is no number; expected flat lists"),
    (lambda: p.as_bits([0, 2]), ValueError, "a pixel is 2; expected only 0 and 1"),
    (lambda: p.as_bits([0, math.nan]), ValueError, "a pixel is nan; expected only 0 and 1"),
    (lambda: p.nearest([1], [[1]], 0), ValueError, "k is 0; expected a whole number"),
    (lambda: p.nearest([1], [[1]], 1.0), ValueError, "k is 1.0; expected a whole number"),
    (lambda: p.nearest([1], [[1]], True), ValueError, "k is True; expected a whole number"),
    (lambda: p.nearest([1], [[1]], 2), ValueError, "1 pictures stored and k = 2; expected at least k"),
    (lambda: p.nearest([1], []), ValueError, "an empty list given; expected at least one"),
    (lambda: p.nearest_bits(1, []), ValueError, "0 pictures stored and k = 1; expected at least k"),
    (lambda: p.nearest_bits(1, [0.5]), TypeError, "an entry is no whole number; expected"),
    (lambda: p.read_picture([1], [[1], [2]], [3]), ValueError, "2 pictures and 1 labels given; expected as many"),
    (lambda: p.mean_picture([[1], [1, 2]]), ValueError, r"pictures of \[1, 2\] pixels given; expected one size"),
    (lambda: p.sketch([1, 2, 3], width=2), ValueError, "3 pixels and width 2 given; expected whole rows"),
    (lambda: p.write_digits("never.txt", [[1]], [1, 2]), ValueError, "1 pictures .* 2 labels given; expected a label"),
    (lambda: p.write_digits("never.txt", [[]], [1]), ValueError, "an empty list given; expected at least one"),
    (lambda: p.write_digits("never.txt", [7, 7], [1, 2]), TypeError, "int given; expected a list of values"),
    (lambda: p.write_digits("never.txt", [[1], [1, 2]], [1, 2]), ValueError, r"of \[1, 2\] pixels .* one size"),
    (lambda: p.write_digits("never.txt", [[math.nan]], [1]), ValueError, "nan given; expected whole numbers"),
    (lambda: p.write_digits("never.txt", [["1"]], [1]), ValueError, "'1' given; expected whole numbers"),
    (lambda: p.write_digits("never.txt", [[None]], [1]), ValueError, "None given; expected whole numbers"),
    (lambda: p.write_digits("never.txt", [[1j]], [1]), ValueError, "1j given; expected whole numbers"),
    (lambda: p.vote([1, "a"]), TypeError, "vote: labels of several kinds"),
    (lambda: p.accuracy_by_class([1, None], [1, 1]), TypeError, "accuracy_by_class: labels of several kinds"),
    (lambda: p.running_sum(["1"]), TypeError, "running_sum: an entry is no number"),
    (lambda: p.running_sum([[1.0]]), TypeError, "running_sum: an entry is no number"),
    (lambda: p.mean_and_variance(["a", "b"]), TypeError, "mean_and_variance: an entry is no number"),
    (lambda: p.sum_error_bound(["1"]), TypeError, "sum_error_bound: an entry is no number"),
    (lambda: p.running_sum([1j]), TypeError, "running_sum: an entry is no number"),
    (lambda: p.sum_error_bound([1.0, 2.0], bits=-1), ValueError, "bits is -1"),
    (lambda: p.sum_error_bound([1.0, 2.0], bits=2.5), ValueError, "bits is 2.5"),
    (lambda: p.sketch([1, 2, 3], width=1.5), ValueError, "width 1.5"),
])
def test_bad_input_gets_one_clear_sentence(call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        call()
    assert "\n" not in str(caught.value) and str(caught.value).count("expected") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text, message", [
    ("", r"d\.txt: no line read; expected one per picture"),
    ("7: 0 1\n2: 0\n", r"d\.txt, line 2: 1 pixels read; expected 2"),
    ("seven: 0 1\n", r"d\.txt, line 1: 'seven: 0 1' read; expected a label"),
    ("7: 0 x\n", r"line 1: '7: 0 x' read; expected a label"),
    ("7: 0.5\n", r"line 1: '7: 0.5' read; expected a label"),
    ("7 0 1\n", r"line 1: '7 0 1' read; expected a label"),
])
def test_a_damaged_file_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "d.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        p.read_digits(path)
