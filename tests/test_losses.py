"""dlbook.losses: equality with PyTorch, scikit-learn and torchvision, minimisers, proper rules, masks, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics
from torch.nn import functional as F

from dlbook import losses as m
from dlbook import runtime

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
NUMBER = st.floats(-50, 50)
SHARE = st.floats(0.01, 0.99)


def pair(low=NUMBER, high=NUMBER, size=st.integers(1, 12)):
    """Predictions and targets of one length, as double tensors."""
    return size.flatmap(lambda n: st.tuples(arrays(float, n, elements=low), arrays(float, n, elements=high))).map(
        lambda two: tuple(torch.tensor(v) for v in two))


LABEL = st.sampled_from([0.0, 1.0])


def value_and_slope(loss, prediction, *rest):
    """The summed loss and its gradient by the prediction."""
    prediction = prediction.clone().requires_grad_()
    value = loss(prediction, *rest).sum()
    return value.detach(), torch.autograd.grad(value, prediction)[0]


def assert_same(ours, theirs, *inputs):
    """Two losses have equal, finite values and gradients."""
    for a, b in zip(value_and_slope(ours, *inputs), value_and_slope(theirs, *inputs)):
        assert a.isfinite().all() and torch.allclose(a, b, atol=1e-10)


@given(pair(), st.floats(0.05, 20))
def test_losses_of_a_residual_equal_pytorch_in_value_and_gradient(two, delta):
    assert_same(m.squared_loss, F.mse_loss, *two)
    assert_same(m.absolute_loss, F.l1_loss, *two)
    assert_same(lambda a, b: m.huber_loss(a, b, delta), lambda a, b: F.huber_loss(a, b, delta=delta), *two)
    assert_same(lambda a, b: m.huber_loss(a, b, delta) / delta, lambda a, b: F.smooth_l1_loss(a, b, beta=delta), *two)


@given(pair(), SHARE)
def test_the_pinball_loss_equals_scikit_learn_and_is_half_the_absolute_loss_in_the_middle(two, tau):
    assert m.pinball_loss(*two, tau) == pytest.approx(metrics.mean_pinball_loss(two[1], two[0], alpha=tau))
    assert m.pinball_loss(*two, 0.5) == pytest.approx(float(m.absolute_loss(*two)) / 2)


@given(pair(st.floats(-5, 5), st.integers(0, 20).map(float)))
def test_the_poisson_loss_equals_pytorch(two):
    assert_same(m.poisson_loss, F.poisson_nll_loss, *two)


@given(pair(), arrays(float, 12, elements=st.floats(-5, 5)), st.booleans())
def test_the_gaussian_loss_equals_pytorch(two, log_var, full):
    v = torch.tensor(log_var[:len(two[0])])
    assert_same(lambda a, b: m.gaussian_loss(a, v, b, full=full), lambda a, b: F.gaussian_nll_loss(a, b, v.exp(), full=full), *two)


def test_beta_takes_the_weight_of_a_residual_back():
    mean, v, y = (torch.randn(20, dtype=torch.float64, requires_grad=True) for _ in range(3))
    pull = torch.autograd.grad(m.gaussian_loss(mean, v, y, beta=1.0, each=True).sum(), mean)[0]
    assert torch.allclose(pull, mean - y)


@given(pair(st.floats(-2e4, 2e4), LABEL), st.floats(0.01, 100))
def test_the_binary_loss_equals_pytorch_at_any_score_and_weight(two, weight):
    w = torch.tensor(weight, dtype=torch.float64)
    assert_same(lambda a, b: m.binary_loss(a, b, weight), lambda a, b: F.binary_cross_entropy_with_logits(a, b, pos_weight=w), *two)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_the_class_loss_equals_pytorch_with_and_without_weights_and_for_maps(scale):
    gen = torch.Generator().manual_seed(0)
    for shape in [(9,), (3, 4, 5)]:
        logits = scale * torch.randn(shape[0], 6, *shape[1:], dtype=torch.float64, generator=gen)
        y = torch.randint(6, shape, generator=gen)
        w = torch.rand(6, dtype=torch.float64, generator=gen)
        assert_same(m.class_loss, F.cross_entropy, logits, y)
        assert_same(lambda a, b: m.class_loss(a, b, w), lambda a, b: F.cross_entropy(a, b, weight=w), logits, y)
        assert_same(lambda a, b: m.class_loss(a, b, w, each=True), lambda a, b: F.cross_entropy(a, b, weight=w, reduction="none"), logits, y)


@given(pair(st.floats(-30, 30), LABEL), st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0]), st.sampled_from([None, 0.25, 0.9]))
def test_the_focal_loss_equals_torchvision(two, gamma, alpha):
    runtime.guard_torchvision()
    from torchvision.ops import sigmoid_focal_loss

    assert_same(lambda a, b: m.focal_loss(a, b, gamma, alpha, each=True),
                lambda a, b: sigmoid_focal_loss(a, b, alpha=-1 if alpha is None else alpha, gamma=gamma), *two)


@given(pair(st.floats(-1e5, 1e5), LABEL), st.sampled_from([0.3, 2.0]))
def test_the_focal_loss_and_its_gradient_stay_finite_at_huge_scores(two, gamma):
    assert all(v.isfinite().all() for v in value_and_slope(lambda a, b: m.focal_loss(a, b, gamma), *two))


@given(pair(NUMBER, LABEL, st.integers(2, 12)))
def test_the_hinge_loss_equals_scikit_learn(two):
    both = torch.cat([two[0], torch.zeros(2)]), torch.cat([two[1], torch.tensor([0.0, 1.0])])      # both classes occur
    assert m.hinge_loss(*both) == pytest.approx(metrics.hinge_loss(2 * both[1] - 1, both[0]))


@given(SHARE, st.floats(1, 6))
def test_undoing_the_focal_loss_gives_the_truth_under_which_the_statement_is_cheapest(q, gamma):
    s = torch.logit(torch.tensor(q, dtype=torch.float64)).requires_grad_()
    truth = m.undo_focal(torch.tensor(q, dtype=torch.float64), gamma)
    cost = truth * m.focal_loss(s, torch.tensor(1.0), gamma) + (1 - truth) * m.focal_loss(s, torch.tensor(0.0), gamma)
    assert abs(torch.autograd.grad(cost, s)[0]) < 1e-9
    assert abs(truth - 0.5) >= abs(q - 0.5) - 1e-9 and (truth - 0.5) * (q - 0.5) >= 0


def test_undoing_the_focal_loss_keeps_the_ends_and_the_middle():
    assert m.undo_focal([0.0, 0.5, 1.0], 2.0).tolist() == [0.0, 0.5, 1.0]


@given(SHARE, st.floats(0.01, 100))
def test_undoing_weights_divides_the_odds(q, ratio):
    p = float(m.undo_weights(torch.tensor(q, dtype=torch.float64), ratio))
    assert p / (1 - p) == pytest.approx(q / (1 - q) / ratio, rel=1e-6)


def test_the_absolute_error_of_class_probabilities_is_symmetric():
    logits = torch.randn(8, 5, dtype=torch.float64)
    total = sum(m.class_mae_loss(logits, torch.full((8,), k), each=True) for k in range(5))
    assert torch.allclose(total, torch.full((8,), 8.0, dtype=torch.float64))


@given(arrays(float, (3, 4, 5), elements=LABEL), arrays(float, (3, 4, 5), elements=LABEL))
def test_dice_of_hard_masks_is_the_f1_score(a, b):
    for one, got in zip(range(3), m.dice(torch.tensor(a), torch.tensor(b))):
        if a[one].any() or b[one].any():
            assert got == pytest.approx(metrics.f1_score(b[one].ravel(), a[one].ravel(), zero_division=0.0), abs=1e-5)
        else:
            assert got == 1
    pooled = m.dice(torch.tensor(a), torch.tensor(b), pooled=True)
    assert pooled.shape == () and m.dice_loss(torch.tensor(a), torch.tensor(b)) == pytest.approx(1 - float(pooled))


def test_dice_has_the_derived_gradient():
    p, t = torch.rand(2, 3, 3, dtype=torch.float64, requires_grad=True), (torch.rand(2, 3, 3) < 0.4).double()
    d = m.dice(p, t, eps=0.5)
    s = (p.sum((1, 2)) + t.sum((1, 2)) + 0.5)[:, None, None]
    assert torch.allclose(torch.autograd.grad(d.sum(), p)[0], (2 * t - d[:, None, None]) / s)


def test_one_false_pixel_ruins_an_empty_mask_unless_the_batch_is_pooled():
    truth, said = torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)
    truth[1, :2] = said[1, :2] = said[0, 0, 0] = 1
    assert m.dice_loss(said, truth, pooled=False) == pytest.approx(0.5, abs=1e-4)
    assert m.dice_loss(said, truth, pooled=True) == pytest.approx(1 - 16 / 17, abs=1e-4)


def test_the_smearing_factor_turns_a_geometric_mean_into_a_mean():
    y = np.random.default_rng(0).gamma(2.0, 3.0, 50)
    logs = np.log(y)
    assert np.exp(logs.mean()) * float(m.smearing_factor(logs - logs.mean())) == pytest.approx(y.mean())


def test_lists_whole_numbers_and_single_rows_are_taken():
    assert m.squared_loss([1, 2], [1, 4]) == 2 and m.absolute_loss([3], [1]) == 2
    assert m.squared_loss(torch.tensor([1, 2]), np.array([0, 0])) == 2.5
    assert m.class_loss([[0.0, 0.0]], [1]) == pytest.approx(math.log(2))
    assert m.binary_loss(torch.tensor([0.0]), torch.tensor([True])) == pytest.approx(math.log(2))


def test_each_gives_one_loss_per_entry_whose_mean_is_the_loss():
    a, b, y = torch.randn(7), torch.randn(7), (torch.rand(7) < 0.5).float()
    for loss, target in [(m.squared_loss, b), (m.absolute_loss, b), (m.huber_loss, b), (m.binary_loss, y), (m.focal_loss, y), (m.hinge_loss, y)]:
        each = loss(a, target, each=True)
        assert each.shape == (7,) and torch.isclose(each.mean(), loss(a, target))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("delta", [1e-4, 0.5, 1e4])
def test_huber_is_pytorchs_in_every_type_for_small_and_large_delta(dtype, delta):
    residual = torch.tensor([-3000.0, -40.0, -0.5, 0.0, 1e-3, 7.0, 300.0], dtype=dtype)
    ours = m.huber_loss(residual, torch.zeros_like(residual), delta, each=True)
    theirs = torch.nn.functional.huber_loss(residual, torch.zeros_like(residual), delta=delta, reduction="none")
    assert torch.allclose(ours, theirs, rtol=1e-2, atol=1e-4)


def test_undoing_nothing_gives_nothing():
    assert m.undo_weights([], 2.0).shape == m.undo_focal([], 2.0).shape == (0,)


def test_a_prediction_that_is_no_number_gives_a_loss_that_is_none():
    broken = torch.tensor([float("nan"), 1.0])
    for loss in (m.squared_loss, m.absolute_loss, m.huber_loss, m.binary_loss, m.focal_loss, m.hinge_loss):
        assert loss(broken, torch.tensor([1.0, 0.0])).isnan()


@pytest.mark.parametrize("call, words", [
    (lambda: m.squared_loss(torch.zeros(5, 1), torch.zeros(5)), r"\(5, 1\).*\(5,\)"),
    (lambda: m.absolute_loss([], []), "no examples"),
    (lambda: m.huber_loss([1.0], [float("nan")]), "nan"),
    (lambda: m.huber_loss([1.0], [1.0], 0.0), "delta is 0"),
    (lambda: m.pinball_loss([1.0], [1.0], 1.0), "tau is 1"),
    (lambda: m.poisson_loss([1.0], [-1.0]), "-1"),
    (lambda: m.gaussian_loss([1.0], [[0.0]], [1.0]), "differ"),
    (lambda: m.binary_loss([1.0], [-1.0]), "expected 0 to 1"),
    (lambda: m.binary_loss([1.0], [1.0], -2.0), "pos_weight"),
    (lambda: m.class_loss([[1.0, 2.0]], [2]), "expected 0 to 1"),
    (lambda: m.class_loss([[1.0, 2.0]], [0.5]), "whole numbers"),
    (lambda: m.class_loss([1.0, 2.0], [0]), r"\(n, k"),
    (lambda: m.class_loss([[1.0, 2.0]], [0], [1.0]), "one per class"),
    (lambda: m.focal_loss([1.0], [1.0], -1.0), "gamma is -1"),
    (lambda: m.undo_focal([0.5], 0.5), "gamma is 0.5"),
    (lambda: m.undo_focal([1.5]), "expected 0 to 1"),
    (lambda: m.hinge_loss([1.0], [-1.0]), "expected 0 to 1"),
    (lambda: m.undo_weights([0.5], 0.0), "ratio is 0"),
    (lambda: m.class_mae_loss([[1.0, 2.0]], [-1]), "expected 0 to 1"),
    (lambda: m.dice(torch.zeros(2, 4), torch.zeros(2, 4)), "batch, height, width"),
    (lambda: m.dice(torch.full((1, 2, 2), 3.0), torch.zeros(1, 2, 2)), "sigmoid"),
    (lambda: m.dice(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3)), "differ"),
    (lambda: m.smearing_factor([]), "at least 1"),
    (lambda: m.hinge_loss([1.0], [0.5]), "targets include 0.5; expected only 0 and 1"),
    (lambda: m.focal_loss([1.0], [0.5]), "targets include 0.5"),
    (lambda: m.focal_loss([1.0], [1.0], alpha=2.0), "alpha is 2"),
    (lambda: m.focal_loss([1.0], [1.0], gamma=float("inf")), "gamma is inf"),
    (lambda: m.gaussian_loss([1.0], [0.0], [1.0], beta=7.0), "beta is 7"),
    (lambda: m.class_loss([[1.0, 2.0]], [0], [-1.0, 1.0]), "class_loss weights"),
    (lambda: m.class_loss([[1.0, 2.0]], [0], [float("nan"), 1.0]), "class_loss weights.*nan"),
    (lambda: m.dice(torch.full((1, 2, 2), float("nan")), torch.zeros(1, 2, 2)), "include nan"),
    (lambda: m.dice(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), eps=0.0), "eps is 0"),
])
def test_bad_input_is_refused_in_one_sentence_that_says_what_was_given(call, words):
    with pytest.raises(ValueError, match=words):
        call()
