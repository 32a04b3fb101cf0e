"""dlbook.perceptron: laws of both rules, equality with scikit-learn, Novikoff's bound, the stable rate, bad input."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.linear_model import LinearRegression, Perceptron

from dlbook import perceptron as p

QUARTERS = st.integers(-32, 32).map(lambda k: k / 4)          # sums and products of these are exact in floats
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")


@st.composite
def examples(draw, least: int = 1, most: int = 12):
    """Inputs (n, d) on a grid of quarters and labels (n,), any labels."""
    n, d = draw(st.integers(least, most)), draw(st.integers(1, 4))
    return draw(arrays(float, (n, d), elements=QUARTERS)), draw(arrays(float, n, elements=st.sampled_from([-1.0, 1.0])))


@st.composite
def separable(draw):
    """Homogeneous inputs and labels that a drawn plane gives, none of them on it."""
    x, _ = draw(examples(least=2))
    h = p.homogeneous(x)
    u = draw(arrays(float, h.shape[1], elements=QUARTERS))
    assume((np.abs(h @ u) > 0).all())
    return h, np.sign(h @ u)


@given(examples(), st.floats(0.01, 100), st.data())
def test_answers_and_distances_do_not_change_when_weights_are_scaled(xy, scale, data):
    x, _ = xy
    w = data.draw(arrays(float, x.shape[1] + 1, elements=QUARTERS))
    assume(w[:-1].any())
    h = p.homogeneous(x)
    assert (p.classify(w, h) == p.classify(2.0 * w, h)).all()
    assert p.signed_distance(scale * w, x) == pytest.approx(p.signed_distance(w, x))


def test_a_score_of_zero_is_answered_minus_one_and_is_a_mistake_for_both_classes():
    x = [[1.0, 1.0], [2.0, 1.0]]
    assert p.classify([1, -1], x).tolist() == [-1, 1]
    assert p.mistakes([1, -1], x, [1, 1]) == 1 == p.mistakes([1, -1], x, [-1, 1])


@given(examples(), st.integers(1, 8))
def test_equal_order_gives_scikit_learns_weights_to_the_last_bit(xy, epochs):
    x, y = xy
    assume(len(set(y)) == 2)
    theirs = Perceptron(shuffle=False, tol=None, max_iter=epochs).fit(x, y)
    ours = p.fit_perceptron(p.homogeneous(x), y, epochs=epochs).w
    assert (ours == np.append(theirs.coef_[0], theirs.intercept_)).all()
    assert (p.classify(ours, p.homogeneous(x)) == theirs.predict(x)).all()


@given(separable(), st.integers(0, 2**32 - 1))
def test_no_order_makes_more_updates_than_novikoff_allows(xy, seed):
    x, y = xy
    try:
        bound = p.novikoff_bound(x, y)
    except p.NotSeparable:                                     # a gap under a billionth of the radius
        assume(False)
    assume(bound < 1e5)
    run = p.fit_perceptron(x, y, epochs=100_001, rng=np.random.default_rng(seed))
    assert run.converged and p.mistakes(run.w, x, y) == 0
    assert sum(run.updates) == len(run.history) - 1 <= bound * (1 + 1e-9)


def test_the_bound_is_attained_by_examples_at_right_angles():
    run = p.fit_perceptron(np.eye(30), np.ones(30))
    assert sum(run.updates) == 30 == pytest.approx(p.novikoff_bound(np.eye(30), np.ones(30)))


@given(separable(), st.data())
def test_no_weights_have_a_larger_margin_than_the_best(xy, data):
    x, y = xy
    w, gamma = p.best_margin(x, y)
    other = data.draw(arrays(float, x.shape[1], elements=QUARTERS))
    assume(other.any())
    assert np.linalg.norm(w) == pytest.approx(1) and p.margin(w, x, y) == pytest.approx(gamma)
    assert p.margin(other, x, y) <= gamma * (1 + 1e-6) + 1e-12


def test_best_margin_of_two_points_is_half_their_distance_without_a_bias():
    assert p.best_margin([[1.0, 2.0], [1.0, -2.0]], [1, -1])[1] == pytest.approx(2)


@given(examples(), st.floats(0.01, 100))
def test_from_zero_the_rate_only_scales_the_weights(xy, rate):
    x, y = xy
    one, other = (p.fit_perceptron(x, y, epochs=5, rate=r) for r in (1.0, 2.0 ** round(np.log2(rate))))
    assert one.updates == other.updates
    assert (other.w == 2.0 ** round(np.log2(rate)) * one.w).all()


@given(examples())
def test_a_step_lifts_the_score_of_a_mistake_by_its_squared_length(xy):
    x, y = xy
    w = p.perceptron_step(np.zeros(x.shape[1]), x[0], y[0])
    assert y[0] * (w @ x[0]) == x[0] @ x[0]
    assert p.perceptron_step(w, x[0], y[0]) is w or not x[0].any()


def test_weights_cycle_on_xor():
    x, y = p.homogeneous([[0, 0], [0, 1], [1, 0], [1, 1]]), [-1, 1, 1, -1]
    run = p.fit_perceptron(x, y, epochs=50)
    assert not run.converged and (run.history[::4] == 0).all()
    with pytest.raises(p.NotSeparable, match="no hyperplane separates these 4 examples"):
        p.best_margin(x, y)


@given(examples(least=4), st.integers(0, 2**32 - 1))
def test_the_pocket_holds_the_fewest_mistakes_seen(xy, seed):
    x, y = xy
    seen = [w for ws in p.perceptron_path(x, y, epochs=4, rng=np.random.default_rng(seed)) for w in ws]
    run = p.fit_pocket(x, y, epochs=4, rng=np.random.default_rng(seed))
    assert p.mistakes(run.w, x, y) == min(p.mistakes(w, x, y) for w in seen)
    assert len(run.per_epoch) == 4 and len(run.history) == 1 + sum(run.updates)


@given(examples(least=2), st.integers(0, 2**32 - 1))
def test_the_average_is_over_every_example(xy, seed):
    x, y = xy
    after = [w for ws in p.perceptron_path(x, y, epochs=3, rng=np.random.default_rng(seed)) for w in ws[1:]]
    assert p.fit_averaged(x, y, epochs=3, rng=np.random.default_rng(seed)).w == pytest.approx(np.mean(after, axis=0))


@st.composite
def regression(draw):
    """Inputs of full column rank and real targets."""
    seed, n, d = draw(st.integers(0, 2**32 - 1)), draw(st.integers(6, 20)), draw(st.integers(1, 4))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.normal(size=n)


@given(regression())
def test_normal_equations_are_the_fixed_point_of_batch_lms_and_equal_scikit_learn(xy):
    x, y = xy
    w = p.normal_equations(x, y)
    assert p.lms_gradient(w, x, y) == pytest.approx(np.zeros(x.shape[1]), abs=1e-9)
    assert p.fit_lms(x, y, rate=0.5 * p.max_stable_rate(x), epochs=3, start=w)[-1] == pytest.approx(w)
    assert LinearRegression(fit_intercept=False).fit(x, y).coef_ == pytest.approx(w)


@given(regression())
def test_just_inside_the_stable_rate_the_error_shrinks_and_just_outside_it_grows(xy):
    x, y = xy
    best = p.normal_equations(x, y)
    steepest = np.linalg.eigh(x.T @ x / len(x))[1][:, -1]
    for factor, grows in ((0.99, False), (1.01, True)):
        path = p.fit_lms(x, y, rate=factor * p.max_stable_rate(x), epochs=200, start=best + steepest)
        assert (np.linalg.norm(path[-1] - best) > 1) == grows


@given(regression(), st.floats(0.01, 0.5))
def test_the_mean_of_all_single_steps_is_the_batch_step(xy, rate):
    x, y = xy
    w = np.ones(x.shape[1])
    mean = np.mean([p.lms_step(w, a, b, rate) for a, b in zip(x, y, strict=True)], axis=0)
    assert mean == pytest.approx(p.fit_lms(x, y, rate=rate, epochs=1, start=w)[-1])


@given(regression())
def test_the_gradient_is_the_slope_of_the_squared_error(xy):
    x, y = xy
    w, steps = np.full(x.shape[1], 0.5), 1e-6 * np.eye(x.shape[1])
    slope = [(p.squared_error(w + h, x, y) - p.squared_error(w - h, x, y)) / 2e-6 for h in steps]
    assert p.lms_gradient(w, x, y) == pytest.approx(np.array(slope), abs=1e-5)


def test_one_at_a_time_lms_learns_a_plane_without_noise():
    x = p.homogeneous(np.random.default_rng(0).uniform(-1, 1, (40, 2)))
    path = p.fit_lms(x, x @ [1, -2, 0.5], rate=0.3, epochs=60, rng=np.random.default_rng(1))
    assert path.shape == (61, 3) and path[-1] == pytest.approx([1, -2, 0.5])


X, Y = [[0.0, 1.0], [1.0, 0.0]], [1, -1]


def test_weights_that_are_no_numbers_put_no_example_on_its_side():
    assert p.mistakes([np.nan, 1.0], X, Y) == len(Y)


def test_passes_may_be_counted_by_numpy():
    assert p.fit_perceptron(X, Y, epochs=np.int64(3)).updates == p.fit_perceptron(X, Y, epochs=3).updates


@pytest.mark.parametrize("call, message", [
    (lambda: p.homogeneous([1, 2]), r"shape \(2,\); expected \(n, d\)"),
    (lambda: p.homogeneous(np.zeros((0, 2))), r"shape \(0, 2\); expected \(n, d\)"),
    (lambda: p.homogeneous([[np.nan]]), "nan or inf"),
    (lambda: p.score([1, 2, 3], X), r"weights \(3,\) do not fit inputs \(2, 2\)"),
    (lambda: p.fit_perceptron(X, [0, 1]), "labels include 0; expected only -1 and"),
    (lambda: p.fit_perceptron(X, [1]), r"shape \(1,\) for 2 inputs"),
    (lambda: p.fit_perceptron(X, Y, rate=0), "rate is 0; expected a positive"),
    (lambda: p.fit_perceptron(X, Y, epochs=0), "epochs is 0; expected a whole number"),
    (lambda: p.fit_averaged(X, Y, epochs=1.5), "epochs is 1.5; expected a whole number"),
    (lambda: p.fit_perceptron(X, Y, start=[1.0]), r"start is \[1.0\]; expected 2 finite weights"),
    (lambda: p.fit_perceptron(X, Y, start=[0.0, np.nan]), "start is .*nan.*; expected 2 finite weights"),
    (lambda: p.fit_lms(X, Y, rate=0.1, start=[0.0, np.inf]), "start is .*inf.*; expected 2 finite weights"),
    (lambda: p.fit_pocket(X, Y, epochs=True), "epochs is True; expected a whole number"),
    (lambda: p.lms_step(np.zeros(3), np.zeros(2), 1, 0.1), r"weights \(3,\) do not fit the input \(2,\)"),
    (lambda: p.margin([0, 0], X, Y), "the weights are zero"),
    (lambda: p.signed_distance([0, 0, 1], X), "the weights are zero"),
    (lambda: p.novikoff_bound([[1.0], [1.0]], Y), "no hyperplane separates these 2 examples"),
    (lambda: p.best_margin([[0.0]], [1]), "no hyperplane separates these 1 examples"),
    (lambda: p.max_stable_rate([[0.0]]), "all inputs are zero"),
    (lambda: p.squared_error([1, 1], X, [1, np.inf]), "one finite number per input"),
])
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value) and str(caught.value).count("expected") == 1


def test_a_rate_far_too_large_says_what_to_do():
    with pytest.raises(OverflowError, match="weights overflowed with rate 100; expected one below 4"):
        p.fit_lms(X, Y, rate=100, epochs=1000)
