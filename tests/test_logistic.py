"""dlbook.logistic: laws of the loss, its derivatives and solvers, equality with scikit-learn and PyTorch, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression

from dlbook import logistic as g
from dlbook.perceptron import NotSeparable, best_margin, homogeneous

SCORES = st.floats(-1e3, 1e3)
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")


@st.composite
def labelled(draw, classes: int = 2):
    """Homogeneous inputs (n, d) of full rank and labels (n,) in which every class occurs."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, d = draw(st.integers(12, 40)), draw(st.integers(1, 3))
    y = np.append(np.arange(classes), rng.integers(0, classes, n - classes))
    return homogeneous(rng.normal(size=(n, d)) + 0.5 * y[:, None]), y


@given(arrays(float, 8, elements=SCORES))
def test_the_sigmoid_is_scipys_and_symmetric(s):
    assert g.sigmoid(s) == pytest.approx(expit(s), abs=1e-15)
    assert g.sigmoid(-s) == pytest.approx(1 - g.sigmoid(s), abs=1e-15)


@given(st.floats(1e-9, 1 - 1e-9))
def test_log_odds_and_sigmoid_undo_each_other(p):
    assert g.sigmoid(g.log_odds(p)) == pytest.approx(p, rel=1e-6)


def test_log_odds_of_certainty_are_infinite():
    assert g.log_odds([0, 1]).tolist() == [-np.inf, np.inf]


@given(arrays(float, 8, elements=SCORES))
def test_softplus_lies_within_log_two_above_the_perceptron_criterion(s):
    gap = g.softplus(s) - np.maximum(s, 0)
    assert (gap >= 0).all() and (gap <= np.log(2)).all()


@given(labelled(), st.floats(0, 2))
def test_loss_and_gradient_equal_pytorchs(xy, ridge):
    x, y = xy
    w = torch.linspace(-1, 1, x.shape[1], dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(torch.tensor(x) @ w, torch.tensor(y * 1.0))
    loss = loss + ridge * (w @ w) / 2
    loss.backward()
    mine = w.detach().numpy()
    assert g.log_loss(mine, x, y, ridge) == pytest.approx(loss.item())
    assert g.log_loss_gradient(mine, x, y, ridge) == pytest.approx(w.grad.numpy())


@given(labelled(), st.floats(0, 2))
def test_the_hessian_is_the_slope_of_the_gradient_and_has_no_negative_eigenvalue(xy, ridge):
    x, y = xy
    w, steps = np.full(x.shape[1], 0.3), 1e-5 * np.eye(x.shape[1])
    h = g.log_loss_hessian(w, x, ridge)
    slope = [(g.log_loss_gradient(w + e, x, y, ridge) - g.log_loss_gradient(w - e, x, y, ridge)) / 2e-5 for e in steps]
    assert np.array(slope) == pytest.approx(h, abs=1e-8)
    assert np.linalg.eigvalsh(h)[0] >= ridge - 1e-12


@given(labelled(), st.data())
def test_the_loss_is_convex_along_every_chord(xy, data):
    x, y = xy
    v, w = (data.draw(arrays(float, x.shape[1], elements=st.floats(-50, 50))) for _ in range(2))
    assert g.log_loss((v + w) / 2, x, y) <= (g.log_loss(v, x, y) + g.log_loss(w, x, y)) / 2 + 1e-12


@given(labelled(), st.sampled_from([1e-3, 0.1, 3.0]))
def test_newton_finds_scikit_learns_weights(xy, strength):
    x, y = xy
    run = g.fit_newton(x, y, ridge=g.spare_bias(strength, x.shape[1]))
    theirs = LogisticRegression(C=1 / (len(y) * strength), solver="newton-cholesky", tol=1e-12).fit(x[:, :-1], y)
    assert run.converged and run.w == pytest.approx(np.append(theirs.coef_, theirs.intercept_), abs=1e-5)


@given(labelled())
def test_newton_and_statsmodels_agree_on_weights_and_standard_errors(xy):
    sm = pytest.importorskip("statsmodels.api")
    x, y = xy
    if g.has_minimum(x, y):
        run, theirs = g.fit_newton(x, y), sm.Logit(y, x).fit(disp=0, tol=1e-12, maxiter=200)
        if np.abs(run.w).max() < 10:                           # near separation their stopping rule is coarser
            assert run.w == pytest.approx(theirs.params, abs=1e-4)
            assert g.standard_errors(run.w, x) == pytest.approx(theirs.bse, rel=1e-3)


@given(labelled())
def test_a_free_bias_makes_the_mean_probability_the_share_of_ones(xy):
    x, y = xy
    run = g.fit_newton(x, y, ridge=g.spare_bias(0.1, x.shape[1]))
    assert g.probability(run.w, x).mean() == pytest.approx(y.mean(), abs=1e-8)


@given(labelled())
def test_gradient_descent_at_the_safe_rate_never_raises_the_loss(xy):
    run = g.fit_descent(*xy, steps=100)
    assert (np.diff(run.losses) <= 1e-15).all() and len(run.path) <= 101


def test_gradient_descent_and_newton_end_at_the_same_weights():
    x = homogeneous(np.random.default_rng(0).normal(size=(80, 2)))
    y = np.random.default_rng(1).integers(0, 2, 80)
    slow = g.fit_descent(x, y, steps=5000, tol=1e-10)
    assert slow.converged and slow.w == pytest.approx(g.fit_newton(x, y).w, abs=1e-7)


@given(labelled())
def test_data_overlap_exactly_when_no_margin_exists(xy):
    x, y = xy                                                  # points in general position: no quasi-separation
    try:
        separable = best_margin(x, 2 * y - 1)[1] > 1e-6
    except NotSeparable:
        separable = False
    assert g.has_minimum(x, y) != separable


def test_quasi_separation_has_no_minimum_and_a_ridge_gives_one():
    x, y = homogeneous([[0.0], [0.0], [1.0]]), [0, 1, 1]
    assert not g.has_minimum(x, y)
    with pytest.raises(g.NoMinimum, match="give ridge a positive number"):
        g.fit_newton(x, y)
    assert g.fit_newton(x, y, ridge=g.spare_bias(0.1, 2)).converged


def test_a_single_class_has_no_minimum_while_the_bias_is_free():
    x = homogeneous([[0.0], [1.0], [2.0]])
    with pytest.raises(g.NoMinimum):
        g.fit_newton(x, [1, 1, 1], ridge=g.spare_bias(1.0, 2))
    assert g.fit_newton(x, [1, 1, 1], ridge=1.0).converged


def test_halved_steps_save_newton_from_a_far_start():
    x, y = np.array([[1.0], [1.0], [1.0], [-1.0]]), np.ones(4)
    full = 4 - g.log_loss_gradient([4.0], x, y)[0] / g.log_loss_hessian([4.0], x)[0, 0]
    assert abs(full - np.log(3)) > 3 * abs(4 - np.log(3))
    assert g.fit_newton(x, y, start=[4.0]).w == pytest.approx([np.log(3)])


def test_a_repeated_column_shares_its_weight():
    x, y = np.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0]]), [1, 1, 0]
    w = g.fit_newton(x, y).w
    assert w[0] == pytest.approx(w[1])


@given(arrays(float, (4, 3), elements=SCORES), st.floats(-500, 500))
def test_softmax_sums_to_one_and_does_not_feel_a_shift(s, shift):
    assert g.softmax(s).sum(1) == pytest.approx(np.ones(4))
    assert g.softmax(s + shift) == pytest.approx(g.softmax(s), abs=1e-9)
    assert g.log_sum_exp(s) == pytest.approx(logsumexp(s, axis=1))


@given(labelled(classes=3), st.floats(0, 1))
def test_softmax_loss_and_gradient_equal_pytorchs(xy, ridge):
    x, y = xy
    w = torch.linspace(-1, 2, 3 * x.shape[1], dtype=torch.float64).reshape(-1, 3).requires_grad_()
    loss = torch.nn.functional.cross_entropy(torch.tensor(x) @ w, torch.tensor(y)) + ridge * (w ** 2).sum() / 2
    loss.backward()
    assert g.softmax_loss(w.detach().numpy(), x, y, ridge) == pytest.approx(loss.item())
    assert g.softmax_gradient(w.detach().numpy(), x, y, ridge) == pytest.approx(w.grad.numpy())


@given(labelled(classes=3))
def test_the_softmax_hessian_is_autograds(xy):
    x, y = xy
    w = np.linspace(-1, 1, 3 * x.shape[1])
    theirs = torch.autograd.functional.hessian(
        lambda v: torch.nn.functional.cross_entropy(torch.tensor(x) @ v.reshape(-1, 3), torch.tensor(y)),
        torch.tensor(w))
    assert g.softmax_hessian(w.reshape(-1, 3), x) == pytest.approx(theirs.numpy(), abs=1e-12)


@given(labelled(classes=3))
def test_fit_softmax_finds_scikit_learns_probabilities(xy):
    x, y = xy
    run = g.fit_softmax(x, y, 3, ridge=g.spare_bias(0.05, x.shape[1]))
    theirs = LogisticRegression(C=1 / (len(y) * 0.05), solver="newton-cholesky", tol=1e-12).fit(x[:, :-1], y)
    assert run.converged and g.softmax(x @ run.w) == pytest.approx(theirs.predict_proba(x[:, :-1]), abs=1e-5)


def test_two_classes_of_softmax_are_logistic_regression():
    x = homogeneous(np.random.default_rng(0).normal(size=(60, 2)))
    y = np.random.default_rng(1).integers(0, 2, 60)
    both = g.fit_softmax(x, y, 2, ridge=0.1).w
    assert both[:, 1] - both[:, 0] == pytest.approx(g.fit_newton(x, y, ridge=0.05).w, abs=1e-7)


@given(st.integers(0, 2**32 - 1))
def test_reliability_counts_everyone_once_and_keeps_the_totals(seed):
    rng = np.random.default_rng(seed)
    p, y = np.append(rng.random(50), [0.0, 1.0]), rng.integers(0, 2, 52)
    stated, true, count = g.reliability(p, y, [0, 0.1, 0.5, 1])
    assert count.sum() == 52 and stated @ count == pytest.approx(p.sum()) and true @ count == pytest.approx(y.sum())


def test_a_probability_on_an_edge_belongs_to_the_upper_bin():
    assert g.reliability([0.5, 1.0], [0, 1], [0, 0.5, 1])[2].tolist() == [2]


def test_the_calibration_error_of_a_known_case():
    assert g.calibration_error([0.2, 0.2, 0.9], [0, 1, 1], [0, 0.5, 1]) == pytest.approx((2 * 0.3 + 0.1) / 3)


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_at_the_threshold_both_answers_cost_the_same(alarm, miss):
    t = g.cost_threshold(alarm, miss)
    assert (1 - t) * alarm == pytest.approx(t * miss)


X, Y = [[0.0, 1.0], [1.0, 1.0]], [0, 1]


def test_log_sum_exp_of_infinite_scores_is_scipys():
    for scores in ([-np.inf, -np.inf], [np.inf, 0.0], [-np.inf, 3.0]):
        assert g.log_sum_exp(scores) == logsumexp(scores)


def test_the_safe_rate_is_one_over_the_largest_curvature():
    x = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    assert g.safe_rate(x, 0.3) == pytest.approx(1 / np.linalg.eigvalsh(g.log_loss_hessian([0, 0], x, 0.3))[-1])


def test_descent_stops_within_the_tolerance_and_says_so():
    x = np.array([[1.0], [1.0], [1.0]])
    run = g.fit_descent(x, [0, 1, 1], tol=1e-3)
    sizes = [abs(g.log_loss_gradient(w, x, [0, 1, 1])[0]) for w in run.path]
    assert run.converged and sizes[-1] <= 1e-3 < min(sizes[:-1])
    assert not g.fit_descent(x, [0, 1, 1], steps=2).converged


@pytest.mark.parametrize("call, message", [
    (lambda: g.log_odds([1.2]), "outside 0 to 1"),
    (lambda: g.brier_score([-0.1], [0]), "outside 0 to 1"),
    (lambda: g.log_loss([0, 0], X, [-1, 1]), "labels include -1; expected only 0 and 1"),
    (lambda: g.log_loss([0, 0, 0], X, Y), r"weights \(3,\) do not fit inputs \(2, 2\)"),
    (lambda: g.log_loss([0, 0], X, Y, ridge=-1), "ridge is -1.0; expected"),
    (lambda: g.log_loss([0, 0], X, Y, ridge=[1, 2, 3]), "one for each of 2 weights"),
    (lambda: g.fit_newton(X, Y, start=[1.0]), r"weights \(1,\) do not fit"),
    (lambda: g.fit_newton(X, Y), "expected overlapping"),
    (lambda: g.fit_softmax(X, [0, 3], 3, ridge=1), "labels include 3; expected whole numbers from 0 to 2"),
    (lambda: g.softmax_loss(np.zeros((2, 2)), X, [0, 0.5]), "labels include 0.5"),
    (lambda: g.softmax_loss(np.zeros((3, 2)), X, Y), r"weights \(3, 2\) do not fit inputs \(2, 2\)"),
    (lambda: g.reliability([0.5], [1], [0, 0.5]), "edges rising from 0 to 1"),
    (lambda: g.cost_threshold(0, 1), "expected two positive numbers"),
    (lambda: g.fit_descent(X, Y, rate=0), "rate is 0; expected a positive number"),
    (lambda: g.fit_descent(X, Y, steps=0), "steps is 0; expected a whole number, at least 1"),
    (lambda: g.fit_descent(X, Y, start=[np.nan, 0]), "start is .*nan"),
    (lambda: g.fit_newton(X, Y, ridge=1, start=[np.nan, 0]), "start is .*nan"),
    (lambda: g.safe_rate(np.zeros((3, 2))), "all inputs are zero"),
    (lambda: g.standard_errors([0, 0], np.ones((4, 2))), "2 weights has rank 1"),
    (lambda: g.softmax([]), r"scores have shape \(0,\)"),
    (lambda: g.log_sum_exp(3.0), r"scores have shape \(\)"),
    (lambda: g.softmax_loss([1.0, 2.0], X, Y), r"weights \(2,\) do not fit inputs \(2, 2\)"),
    (lambda: g.softmax_hessian(np.zeros((3, 2)), X), r"weights \(3, 2\) do not fit inputs \(2, 2\)"),
    (lambda: g.fit_softmax(X, Y, 2.5, ridge=1), "k is 2.5; expected the number of classes"),
    (lambda: g.reliability([0.2], [5], [0, 1]), "outcomes include 5; expected only 0 and 1"),
    (lambda: g.reliability([0.2], [np.nan], [0, 1]), "outcomes include nan"),
    (lambda: g.reliability([0.2], [1], []), "edges are .*; expected two or more"),
    (lambda: g.calibration_error([], [], [0, 1]), "n at least 1"),
    (lambda: g.brier_score([0.1, 0.9], [[0], [1]]), r"probabilities \(2,\) and outcomes \(2, 1\)"),
    (lambda: g.cost_threshold(np.inf, np.inf), "expected two positive numbers"),
])
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value) and str(caught.value).count("expected") == 1
