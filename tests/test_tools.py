"""dlbook.tools: batches, timers, caches, seeds, and distances that equal SciPy's and neighbours that equal scikit-learn's."""

from __future__ import annotations

import functools
import math
import random
import time
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from scipy.stats import mode
from sklearn.neighbors import KNeighborsClassifier

from dlbook import plain
from dlbook import tools as t

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
WHOLE = st.integers(-255, 255)


@st.composite
def two_tables(draw, elements=WHOLE):
    """(n, d) and (m, d) numbers."""
    n, m, d = draw(st.integers(1, 6)), draw(st.integers(1, 9)), draw(st.integers(1, 5))
    kind = np.int64 if elements is WHOLE else np.float64
    return draw(arrays(kind, (n, d), elements=elements)), draw(arrays(kind, (m, d), elements=elements))


# ---- minibatches

@given(st.integers(1, 60), st.integers(1, 70), st.none() | st.integers(0, 9))
def test_an_epoch_holds_every_example_once_in_full_batches_but_the_last(n, size, seed):
    batches = list(t.minibatches(range(n), size, seed))
    assert sorted(sum(batches, [])) == list(range(n))
    assert [len(batch) for batch in batches] == [size] * (n // size) + [n % size] * (n % size > 0)


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 9))
def test_dropping_the_last_batch_drops_only_a_short_one(n, size, seed):
    assert list(t.minibatches(range(n), size, seed, drop_last=True)) == list(t.minibatches(range(n), size, seed))[:n // size]


def test_a_seed_repeats_its_order_and_leaves_the_shared_generator_alone():
    state = random.getstate()
    assert list(t.minibatches(range(50), 7, 3)) == list(t.minibatches(range(50), 7, 3)) != list(t.minibatches(range(50), 7, 4))
    assert random.getstate() == state


def test_batches_take_arrays_and_tensors():
    for examples in (np.arange(5) * 2, torch.arange(5) * 2):
        assert [[int(x) for x in batch] for batch in t.minibatches(examples, 2)] == [[0, 2], [4, 6], [8]]


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "3", None])
def test_a_wrong_batch_size_is_refused_before_the_first_batch(size):
    with pytest.raises(ValueError, match="expected a whole number, at least 1"):
        t.minibatches(range(5), size)


def test_an_empty_data_set_is_refused():
    with pytest.raises(ValueError, match="no examples"):
        t.minibatches([], 4)


@pytest.mark.parametrize("examples", [{1, 2}, iter([1, 2]), 5, None, {0: "a", 1: "b"}, pd.Series([3, 4], [1, 0]), pd.DataFrame({"x": [1]}), np.array(3)])
def test_examples_without_places_are_refused(examples):
    with pytest.raises(TypeError, match="expected a list or an array"):
        t.minibatches(examples, 2)


# ---- timers and seeds

def test_a_stopwatch_measures_the_block_and_lets_its_error_through():
    watch = t.Stopwatch()
    assert math.isnan(watch.seconds)
    with pytest.raises(KeyError), watch:
        time.sleep(0.01)
        raise KeyError
    assert 0.009 < watch.seconds < 2


def test_a_timed_function_is_the_same_function_with_one_time_per_call():
    @t.timed
    def half(x, by=2):
        """Half of x."""
        return x / by

    assert [half(4), half(9, by=3)] == [2, 3] and (half.__name__, half.__doc__) == ("half", "Half of x.")
    with pytest.raises(ZeroDivisionError):
        half(1, by=0)
    assert len(half.seconds) == 3 and min(half.seconds) >= 0


@given(st.integers(0, 2 ** 32 - 1))
def test_a_seeded_block_repeats_itself_and_disturbs_nothing(seed):
    def draws():
        return random.random(), float(np.random.rand()), float(np.random.randn())

    random.seed(1)
    np.random.seed(1)
    expected = [draws(), draws()]
    random.seed(1)
    np.random.seed(1)
    inner, outer = [], []
    for _ in range(2):
        with pytest.raises(RuntimeError), t.seeded(seed):
            inner.append(draws())
            raise RuntimeError
        outer.append(draws())
    assert inner[0] == inner[1] and outer == expected
    random.seed(seed)
    np.random.seed(seed)
    assert inner[0] == draws()


@pytest.mark.parametrize("seed", [-1, 2 ** 32, 0.5, None])
def test_a_seed_that_numpy_would_not_take_is_refused_and_nothing_changed(seed):
    state = random.getstate()
    with pytest.raises(ValueError, match="seeded: seed is"), t.seeded(seed):
        pass
    assert random.getstate() == state


# ---- the cache

@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=80))
def test_the_cache_hits_and_misses_where_lru_cache_does(maxsize, calls):
    ours, theirs = (wrap(lambda x, flag=False: (x, flag)) for wrap in (t.memoise(maxsize), functools.lru_cache(maxsize)))
    for x, named in calls:
        results = [f(x, flag=True) if named else f(x) for f in (ours, theirs)]
        assert results[0] == results[1] == (x, named)
        info = theirs.cache_info()
        assert (ours.hits, ours.misses, len(ours.stored)) == (info.hits, info.misses, info.currsize)


@given(st.integers(1, 40), st.integers(1, 30))
def test_a_recursive_function_is_cached_as_by_lru_cache(maxsize, n):
    counts = []
    for wrap in (t.memoise(maxsize), functools.lru_cache(maxsize)):
        fibonacci = wrap(lambda k: k if k < 2 else fibonacci(k - 1) + fibonacci(k - 2))  # noqa: B023
        assert maxsize < 3 or fibonacci(n) == round(((1 + 5 ** 0.5) / 2) ** n / 5 ** 0.5)
        counts.append(fibonacci.cache_info()[:2] if hasattr(fibonacci, "cache_info") else (fibonacci.hits, fibonacci.misses))
    assert counts[0] == counts[1]


def test_an_error_is_not_remembered():
    calls = []

    @t.memoise()
    def invert(x):
        """One over x."""
        calls.append(x)
        return 1 / x

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            invert(0)
    assert calls == [0, 0] and invert.__doc__ == "One over x." and not invert.stored


def test_none_and_false_are_remembered_too():
    calls = []
    nothing = t.memoise(2)(lambda x: calls.append(x))
    assert nothing(1) is nothing(1) is None and calls == [1]


def test_arguments_that_cannot_be_keys_are_refused_in_a_sentence():
    with pytest.raises(TypeError, match="expected hashable arguments: give tuples"):
        t.memoise()(sum)([1, 2])


@pytest.mark.parametrize("maxsize", [0, -3, 1.0, None, sum])
def test_a_cache_without_room_is_refused(maxsize):
    with pytest.raises(ValueError, match="maxsize"):
        t.memoise(maxsize)


# ---- Amdahl

@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 1000))
def test_the_speed_up_is_old_time_by_new_time(rest, part, factor):
    if rest + part:
        new = rest + Fraction(part, factor)
        assert t.amdahl_speedup(part / (rest + part), factor) == pytest.approx(float((rest + part) / new))


def test_the_part_left_alone_sets_the_bound():
    assert t.amdahl_speedup(0.75, math.inf) == 4 and t.amdahl_speedup(1, math.inf) == math.inf and t.amdahl_speedup(0.5, 0.5) == pytest.approx(2 / 3)


@pytest.mark.parametrize("share, factor", [(-0.1, 2), (1.1, 2), (0.5, 0), (0.5, -1), (math.nan, 2), (0.5, math.nan)])
def test_a_share_or_factor_out_of_range_is_refused(share, factor):
    with pytest.raises(ValueError, match="expected 0 <= share <= 1 and factor > 0"):
        t.amdahl_speedup(share, factor)


# ---- distances

@given(two_tables())
def test_whole_numbers_give_the_exact_distances_of_plain_python(tables):
    a, b = tables
    expected = [[plain.squared_distance(x, y) for y in b.tolist()] for x in a.tolist()]
    assert t.pairwise_squared_distances(a, b).tolist() == expected
    assert t.pairwise_squared_distances(a.tolist(), torch.tensor(b)).tolist() == expected


@given(two_tables(st.floats(-100, 100, width=32)))
def test_distances_equal_scipys_and_torchs_within_the_bound(tables):
    a, b = tables
    ours, theirs = t.pairwise_squared_distances(a, b), cdist(a, b, "sqeuclidean")
    assert (np.abs(ours - theirs) <= 2 * t.distance_error_bound(a, b) + 1e-300).all() and (ours >= 0).all()
    assert np.allclose(ours, torch.cdist(torch.tensor(a), torch.tensor(b)).numpy() ** 2, atol=1e-6)
    assert np.allclose(t.pairwise_squared_distances(a, b, centre=True), theirs, atol=1e-9)


@pytest.mark.parametrize("offset", [0, 3, 1000, 1e5])
@pytest.mark.parametrize("d", [1, 7, 784])
def test_float32_stays_within_its_bound_and_comes_near_it_for_few_dimensions(offset, d):
    rng = np.random.default_rng(d)
    a, b = ((rng.random((30, d)) + offset).astype(np.float32) for _ in range(2))
    exact = cdist(a.astype(float), b.astype(float), "sqeuclidean")
    error = np.abs(t.pairwise_squared_distances(a, b, np.float32) - exact)
    bound = t.distance_error_bound(a, b, bits=24)
    assert (error <= bound).all() and (d > 7 or error.max() > bound.max() / (100 * d))


def test_the_bound_has_its_closed_form():
    lost = 5 * 2.0 ** -24
    assert t.distance_error_bound([[3, 4, 0]], [[0, 0, 2]], bits=24)[0, 0] == pytest.approx(lost / (1 - lost) * 49)


def test_centring_saves_the_digits_of_far_away_points():
    rng = np.random.default_rng(0)
    a, b = rng.random((20, 10)) + 1e4, rng.random((30, 10)) + 1e4
    exact = cdist(a, b, "sqeuclidean")
    raw, centred = (t.pairwise_squared_distances(a, b, np.float32, centre=c) for c in (False, True))
    assert raw.dtype == centred.dtype == np.float32
    assert np.abs(raw - exact).max() > 0.1 > 1e-5 > np.abs(centred - exact).max()


def test_unsigned_bytes_do_not_wrap_around():
    a, b = np.array([[3, 250]], np.uint8), np.array([[5, 1]], np.uint8)
    assert t.pairwise_squared_distances(a, b).tolist() == [[4 + 249 ** 2]]


def test_tensors_of_any_kind_are_taken():
    for a in (torch.ones(2, 3, requires_grad=True), torch.ones(2, 3, dtype=torch.bfloat16), torch.ones(2, 3, dtype=torch.bool)):
        assert t.pairwise_squared_distances(a, torch.zeros(1, 3)).tolist() == [[3.0], [3.0]]


@pytest.mark.parametrize("function, dtype, words", [
    (lambda: t.pairwise_squared_distances([[1e200]], [[-1e200]]), "float64", "rescale"),
    (lambda: t.pairwise_squared_distances([[1e30]], [[0.0]], np.float32), "float32", "rescale"),
    (lambda: t.nearest_rows([[1e200]], [[-1e200]]), "float64", "rescale"),
    (lambda: t.pairwise_squared_distances([[0.5]], [[0.0]], np.int64), "int64", "a float type")])
def test_numbers_too_large_for_squares_and_types_without_fractions_are_refused(function, dtype, words):
    with pytest.raises(ValueError, match=f"{dtype}.*expected.*{words}"):
        function()


def test_far_from_zero_neighbours_are_those_of_plain_python_once_the_mean_is_taken_out():
    rng = np.random.default_rng(0)
    stored, asked = rng.random((40, 3)) + 1e7, rng.random((5, 3)) + 1e7
    wanted = [[i for _, i in plain.nearest(q.tolist(), stored.tolist(), 3)] for q in asked]
    middle = stored.mean(0)
    assert t.nearest_rows(asked, stored, 3)[1].tolist() != wanted
    assert t.nearest_rows(asked - middle, stored - middle, 3)[1].tolist() == wanted


def test_the_inputs_stay_as_they_were():
    a, b = np.ones((2, 3)), np.zeros((4, 3))
    t.pairwise_squared_distances(a, b, centre=True)
    t.nearest_rows(a, b, 2)
    assert (a == 1).all() and (b == 0).all()


@pytest.mark.parametrize("function", [t.pairwise_squared_distances, t.distance_error_bound, t.nearest_rows])
@pytest.mark.parametrize("a", [[], [[]], [1, 2], np.ones((2, 2, 2)), [[math.nan, 1]], [[1, math.inf]], [[1], [1, 2]], [["x", "y"]], [["1", "2"]], [[1j, 2]], [[None, 1]]])
def test_bad_rows_are_refused_with_the_name_of_the_function(function, a):
    with pytest.raises((ValueError, TypeError), match=f"{function.__name__}: .*expected"):
        function(a, [[1, 2]])
    with pytest.raises((ValueError, TypeError), match=f"{function.__name__}: .*expected"):
        function([[1, 2]], a)


@pytest.mark.parametrize("function", [t.pairwise_squared_distances, t.distance_error_bound, t.nearest_rows])
def test_rows_of_other_lengths_are_refused(function):
    with pytest.raises(ValueError, match="expected equally many"):
        function([[1, 2, 3]], [[1, 2]])


# ---- neighbours

@given(two_tables(), st.data())
def test_neighbours_and_answers_equal_plain_python_ties_included(tables, data):
    questions, stored = (table % 3 for table in tables)
    k, block = data.draw(st.integers(1, len(stored))), data.draw(st.integers(1, 4))
    labels = data.draw(st.lists(st.integers(-2, 2), min_size=len(stored), max_size=len(stored)))
    distances, places = t.nearest_rows(questions, stored, k, block)
    expected = [plain.nearest(q, stored.tolist(), k) for q in questions.tolist()]
    assert [list(zip(d, i, strict=True)) for d, i in zip(distances.tolist(), places.tolist(), strict=True)] == expected
    assert t.read_pictures(questions, stored, labels, k).tolist() == [plain.read_picture(q, stored.tolist(), labels, k) for q in questions.tolist()]


@pytest.mark.parametrize("k", [1, 2, 5, 8])
def test_answers_equal_scikit_learns_where_no_distances_are_tied(k):
    rng = np.random.default_rng(k)
    stored, questions, labels = rng.random((60, 4)), rng.random((50, 4)), rng.integers(0, 4, 60)
    theirs = KNeighborsClassifier(k, algorithm="brute").fit(stored, labels)
    assert np.array_equal(t.read_pictures(questions, stored, labels, k), theirs.predict(questions))
    distances, places = t.nearest_rows(questions, stored, k)
    their_distances, their_places = theirs.kneighbors(questions)
    assert np.array_equal(places, their_places) and np.allclose(np.sqrt(distances), their_distances)


@given(arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 7)), elements=st.integers(-3, 3)))
def test_votes_are_the_mode_with_ties_to_the_smallest(labels):
    assert np.array_equal(t.vote_rows(labels), mode(labels, axis=1).mode)


@pytest.mark.parametrize("labels", [[], [1, 2], [[0.5]], [["a"]], np.zeros((2, 0), int)])
def test_votes_that_are_no_table_of_whole_numbers_are_refused(labels):
    with pytest.raises(ValueError, match="expected n rows of k whole numbers"):
        t.vote_rows(labels)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, 3])
def test_a_wrong_number_of_neighbours_is_refused(k):
    with pytest.raises(ValueError, match="nearest_rows: .*expected"):
        t.nearest_rows([[1, 2]], [[1, 2], [3, 4]], k)


@pytest.mark.parametrize("labels", [[1], [[1, 2]], [1, 2, 3], 4])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="expected one label per row"):
        t.read_pictures([[1, 2]], [[1, 2], [3, 4]], labels)
