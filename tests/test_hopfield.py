"""dlbook.hopfield: descent, storage, capacity, projection, dense and modern networks, attention, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from dlbook import hopfield as h

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
WHOLE = st.integers(-4, 4).map(float)                                  # sums of these are exact in floats


@st.composite
def network(draw):
    """Symmetric weights with a zero diagonal and a state."""
    n = draw(st.integers(1, 9))
    w = np.triu(draw(arrays(float, (n, n), elements=WHOLE)), 1)
    return w + w.T, draw(arrays(float, n, elements=st.sampled_from([-1.0, 1.0])))


@st.composite
def stored(draw, most: int = 5):
    """A few patterns (P, N)."""
    shape = draw(st.integers(1, most)), draw(st.integers(2, 12))
    return draw(arrays(float, shape, elements=st.sampled_from([-1.0, 1.0])))


@given(network(), st.integers(0, 2**32 - 1))
def test_every_flip_lowers_the_energy_and_the_network_comes_to_rest(ws, seed):
    w, s = ws
    run = h.settle(w, s, np.random.default_rng(seed))
    assert run.stable and (np.diff(run.energies) < 0).all()
    assert run.energies[0] == pytest.approx(h.state_energy(w, s))
    assert run.energies[-1] == pytest.approx(h.state_energy(w, run.state))
    assert (run.state * (w @ run.state) >= 0).all()


@given(network(), st.data())
def test_a_flip_changes_the_energy_by_twice_the_state_times_the_field(ws, data):
    w, s = ws
    i = data.draw(st.integers(0, len(s) - 1))
    other = s.copy()
    other[i] *= -1
    assert h.state_energy(w, other) - h.state_energy(w, s) == pytest.approx(2 * s[i] * (w @ s)[i])


@given(network())
def test_a_state_and_its_reverse_have_one_energy_and_settle_alike(ws):
    w, s = ws
    assert h.state_energy(w, s) == pytest.approx(h.state_energy(w, -s))
    assert (h.settle(w, s).state == -h.settle(w, -s).state).all()


@given(network())
def test_all_at_once_a_symmetric_network_without_ties_has_a_period_of_at_most_two(ws):
    w, s = ws
    n = len(s)
    odd = 2 * w + np.where(np.arange(n)[:, None] == np.arange(n), 1, 0)     # fields are odd numbers, so never zero
    path = h.settle_together(odd, s, steps=2 ** n + 2)
    assert (path[-1] == path[-2]).all() or (path[-1] == path[-3]).all()


def test_without_symmetry_or_with_a_negative_diagonal_a_network_may_never_rest():
    assert not h.settle([[0, 1], [-1, 0]], [1, 1], sweeps=500).stable
    assert not h.settle([[-1.0]], [1], sweeps=500).stable


def test_the_given_state_and_weights_stay_as_they_are():
    w, s = h.hebbian([[1, -1, 1, 1]]), np.array([1.0, 1.0, 1.0, 1.0])
    before = w.copy()
    run = h.settle(w, s)
    assert run.state.tolist() == [1, -1, 1, 1] and s.tolist() == [1, 1, 1, 1] and (w == before).all()


@given(stored())
def test_hebbs_weights_are_the_mean_product_of_units_without_the_diagonal(x):
    p, n = x.shape
    w = h.hebbian(x)
    slow = [[0 if i == j else sum(x[k, i] * x[k, j] for k in range(p)) / n for j in range(n)] for i in range(n)]
    assert np.allclose(w, slow) and (w == w.T).all()
    assert np.allclose(w, h.hebbian(x[::-1])) and np.allclose(w, h.hebbian(-x))


@given(stored(), st.data())
def test_hebbs_energy_is_a_sum_of_squared_overlaps(x, data):
    s = data.draw(arrays(float, x.shape[1], elements=st.sampled_from([-1.0, 1.0])))
    p, n = x.shape
    assert h.state_energy(h.hebbian(x), s) == pytest.approx(p / 2 - n / 2 * (h.overlaps(x, s) ** 2).sum())


def test_a_single_pattern_is_recalled_from_anything_nearer_to_it_than_to_its_reverse():
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (1, 51))
    for share in (0.1, 0.3, 0.47):
        assert (h.settle(h.hebbian(x), h.flip_some(x[0], share, rng), rng).state == x[0]).all()


def test_the_exact_chance_of_an_unstable_unit_equals_counting_all_cases():
    from itertools import product
    n, p = 3, 3                                                        # 4 signs decide: (n - 1)(p - 1)
    cases = [sum(signs) < -(n - 1) for signs in product((-1, 1), repeat=(n - 1) * (p - 1))]
    assert h.unstable_share(n, p) == pytest.approx(np.mean(cases))
    assert h.unstable_share(50, 1) == 0 == h.unstable_share(50, 2)


@given(st.integers(10, 3000), st.floats(1e-4, 0.5))
def test_the_safe_number_is_the_largest_that_meets_the_condition_of_the_theorem(n, risk):
    p = h.safe_patterns(n, risk)
    assert p == 1 or p - 1 <= (n - 1) / (2 * np.log(n * p / risk))
    assert p > (n - 1) / (2 * np.log(n * (p + 1) / risk))


def test_the_critical_load_is_that_of_amit_gutfreund_and_sompolinsky():
    load, m = h.critical_load()
    assert load == pytest.approx(0.1379, abs=1e-4) and m == pytest.approx(0.967, abs=1e-3)
    assert h.recalled_overlap(load - 1e-6) == pytest.approx(m, abs=0.01) and np.isnan(h.recalled_overlap(load + 1e-6))
    falling = [h.recalled_overlap(a) for a in (0.01, 0.05, 0.1, 0.13)]
    assert falling == sorted(falling, reverse=True) and falling[0] > 0.999999


def test_a_large_network_has_the_overlap_of_the_theory_below_the_critical_load():
    rng = np.random.default_rng(1)
    x = rng.choice([-1.0, 1.0], (120, 1200))
    w = h.hebbian(x)
    ends = [h.overlaps(x[k:k + 1], h.settle(w, x[k], rng).state)[0] for k in range(10)]
    assert np.mean(ends) == pytest.approx(h.recalled_overlap(0.1), abs=0.01)


@pytest.mark.parametrize("n", [1, 3, 5, 7])
def test_a_mixture_overlaps_as_counting_all_votes_says(n):
    from itertools import product
    votes = np.array(list(product((-1.0, 1.0), repeat=n))).T           # (n, 2^n): each combination once
    assert np.allclose(h.overlaps(votes, h.mixture(votes)), h.mixture_overlap(n))


@given(stored())
def test_projection_makes_every_pattern_a_fixed_point(x):
    w = h.projection(x)
    assert (w == w.T).all() and (np.diag(w) == 0).all()
    assert all(h.settle(w, s).sweeps == 1 for s in x)


@given(stored(), st.integers(0, 2**32 - 1))
def test_the_dense_network_of_power_two_makes_hebbs_flips(x, seed):
    s = np.random.default_rng(seed).choice([-1.0, 1.0], x.shape[1])
    old = h.settle(h.hebbian(x), s, np.random.default_rng(seed))
    new = h.dense_settle(x, s, 2, np.random.default_rng(seed))
    assert (old.state == new.state).all() and len(old.energies) == len(new.energies)


@given(stored(), st.integers(2, 6))
def test_dense_updates_never_raise_the_dense_energy(x, power):
    run = h.dense_settle(x, np.ones(x.shape[1]), power)
    assert run.stable and (np.diff(run.energies) < 0).all()
    assert run.energies[-1] == pytest.approx(h.dense_energy(x, run.state, power))


def test_the_dense_error_of_power_two_is_the_normal_tail_of_the_load():
    from scipy.stats import norm
    assert h.dense_unstable_share(1000, 150, 2) == pytest.approx(norm.sf(np.sqrt(1000 / 150)))
    assert h.dense_unstable_share(64, 600, 3) == pytest.approx(norm.sf(np.sqrt(64 ** 2 / (3 * 600))))


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_attend_equals_pytorchs_attention(m, p, d, k, seed):
    rng = np.random.default_rng(seed)
    q, x, v = rng.normal(size=(m, d)), rng.normal(size=(p, d)), rng.normal(size=(p, k))
    theirs = torch.nn.functional.scaled_dot_product_attention(*(torch.from_numpy(a)[None] for a in (q, x, v)))[0]
    assert np.allclose(h.attend(q, x, v, 1 / np.sqrt(d)), theirs.numpy())


@given(st.integers(1, 6), st.integers(1, 4), st.floats(0.05, 20), st.integers(0, 2**32 - 1))
def test_the_modern_update_lowers_its_energy_by_half_the_squared_step(p, d, beta, seed):
    rng = np.random.default_rng(seed)
    x, q = rng.normal(size=(p, d)), 3 * rng.normal(size=d)
    path = h.retrieve(x, q, beta, steps=20)
    falls = -np.diff([h.lse_energy(x, step, beta) for step in path])
    assert (falls >= 0.5 * (np.diff(path, axis=0) ** 2).sum(1) - 1e-9).all()
    weights = softmax(beta * (x @ path[0]))
    assert np.allclose(path[1], weights @ x)


def test_the_extremes_of_beta_are_the_mean_and_the_nearest():
    x = np.random.default_rng(2).normal(size=(5, 3))
    assert np.allclose(h.attend(x[:1], x, x, 1e-12)[0], x.mean(0))
    q = x[0] * 4
    assert np.allclose(h.attend(q[None], x, x, 1e6)[0], x[np.argmax(x @ q)])


@given(st.floats(0, 1), st.integers(1, 40))
def test_flip_some_flips_exactly_that_share(share, n):
    s = np.ones(n)
    assert (h.flip_some(s, share, np.random.default_rng(0)) == -1).sum() == round(share * n)
    assume(n > 0)
    assert (s == 1).all()


@pytest.mark.parametrize(("call", "words"), [
    (lambda: h.hebbian([1, -1]), r"patterns has shape \(2,\); expected \(P, N\)"),
    (lambda: h.hebbian([[1, 0]]), "patterns holds 0; expected only -1 and \\+1"),
    (lambda: h.settle([[0, 1], [1, 0]], [1, 2]), "state holds 2; expected only"),
    (lambda: h.settle([[0, 1]], [1, 1]), r"weights have shape \(1, 2\) for 2 units"),
    (lambda: h.state_energy([[np.nan]], [1]), "expected finite numbers"),
    (lambda: h.overlaps([[1, 1, 1]], [1, 1]), r"patterns have shape \(1, 3\); expected finite rows of 2 width"),
    (lambda: h.flip_some([1, 1], 1.5, np.random.default_rng(0)), "share is 1.5; expected a number from 0 to 1"),
    (lambda: h.unstable_share(1, 3), "1 units and 3 patterns given"),
    (lambda: h.safe_patterns(100, 1.0), "risk is 1.0; expected a number between 0 and 1"),
    (lambda: h.recalled_overlap(0), "load is 0; expected a positive number"),
    (lambda: h.mixture([[1, 1], [1, -1]]), "2 patterns given; expected an odd number"),
    (lambda: h.mixture_overlap(4), "n is 4; expected an odd number"),
    (lambda: h.attend([[1.0]], [[1.0]], [[1.0]], 0), "beta is 0; expected a positive number"),
    (lambda: h.attend([[1.0]], [[1.0], [2.0]], [[1.0]], 1), "2 keys and 1 values given"),
    (lambda: h.attend([[1.0, 2.0]], [[1.0]], [[1.0]], 1), "queries have shape"),
    (lambda: h.lse_energy([[1.0, 2.0]], [1.0], 1), r"queries have shape \(1, 1\); expected finite rows of 2 width"),
    (lambda: h.lse_energy([[1.0]], [np.nan], 1), "queries have shape"),
    (lambda: h.safe_patterns(0), "0 units and 1 patterns given"),
    (lambda: h.unstable_share(10.5, 2), "10.5 units and 2 patterns given; expected whole numbers"),
    (lambda: h.mixture_overlap(3.0), "n is 3.0; expected an odd number"),
    (lambda: h.dense_energy([[1, -1]], [1, 1], 0.5), "power is 0.5; expected a whole number, 2 or more"),
    (lambda: h.dense_settle([[1, -1]], [1, 1], -1), "power is -1"),
    (lambda: h.dense_unstable_share(0, 3, 2), "0 units and 1 patterns given"),
    (lambda: h.dense_unstable_share(10, 0, 2), "p is 0; expected a positive number"),
    (lambda: h.dense_unstable_share(10, 3, 1), "power is 1"),
])
def test_bad_input_stops_with_a_sentence_that_says_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()
