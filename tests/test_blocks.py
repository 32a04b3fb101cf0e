"""dlbook.blocks: equality with PyTorch and SciPy, laws of layers, counts and intervals, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from dlbook import blocks as b

FAST = settings(max_examples=60, deadline=None)


@st.composite
def networks(draw, most: int = 4):
    """Inputs (n, d_0) and layers of random widths, from a seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    widths = draw(st.lists(st.integers(1, 7), min_size=2, max_size=most + 1))
    layers = [(rng.normal(size=(after, before)), rng.normal(size=after)) for before, after in zip(widths, widths[1:])]
    return rng.normal(size=(draw(st.integers(1, 6)), widths[0])), layers


@FAST
@given(networks())
def test_every_stage_equals_pytorchs(network):
    x, layers = network
    stage = torch.tensor(x)
    stages = b.dense_forward(x, layers)
    assert len(stages) == len(layers) + 1 and np.array_equal(stages[0], x)
    for number, (weight, bias) in enumerate(layers, 1):
        stage = torch.nn.functional.linear(stage, torch.tensor(weight), torch.tensor(bias))
        stage = torch.relu(stage) if number < len(layers) else stage
        assert np.allclose(stages[number], stage)


@FAST
@given(networks())
def test_layers_without_activation_equal_their_collapse(network):
    x, layers = network
    weight, bias = b.collapse_layers(layers)
    assert weight.shape == (len(layers[-1][1]), x.shape[1]) and bias.shape == (len(layers[-1][1]),)
    assert np.allclose(b.dense_layer(x, weight, bias), b.dense_forward(x, layers, activation=lambda z: z)[-1])


def test_two_rectified_units_make_an_absolute_value_that_no_single_layer_makes():
    layers = [([[1], [-1]], [0, 0]), ([[1, 1]], [0])]
    x = [[-3], [0], [2]]
    assert b.dense_forward(x, layers)[-1].tolist() == [[3], [0], [2]]
    assert b.dense_layer(x, *b.collapse_layers(layers)).tolist() == [[0], [0], [0]]


@FAST
@given(networks())
def test_exchanging_two_hidden_units_changes_no_score(network):
    x, layers = network
    if len(layers) > 1:
        (w1, b1), (w2, b2) = layers[:2]
        order = np.random.default_rng(0).permutation(len(b1))
        renamed = [(w1[order], b1[order]), (w2[:, order], b2), *layers[2:]]
        assert np.allclose(b.dense_forward(x, layers)[-1], b.dense_forward(x, renamed)[-1])


@FAST
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5))
def test_the_count_is_that_of_pytorchs_parameters(widths):
    net = torch.nn.Sequential(*(torch.nn.Linear(before, after) for before, after in zip(widths, widths[1:])))
    assert b.dense_parameter_count(widths) == sum(p.numel() for p in net.parameters())


def test_the_count_takes_numpys_integers_and_tuples():
    assert b.dense_parameter_count(np.array([784, 100, 10])) == b.dense_parameter_count((784, 100, 10)) == 79_510


@FAST
@given(st.integers(0, 2**32 - 1), st.integers(1, 8), st.integers(1, 6), st.floats(-500, 500))
def test_surprise_equals_pytorchs_cross_entropy_and_ignores_a_shift(seed, n, k, shift):
    rng = np.random.default_rng(seed)
    scores, labels = rng.normal(0, 5, (n, k)), rng.integers(0, k, n)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(scores), torch.tensor(labels)).item()
    assert b.mean_surprise(scores, labels) == pytest.approx(theirs)
    assert b.mean_surprise(scores + shift, labels) == pytest.approx(theirs, abs=1e-9)


def test_surprise_stays_finite_for_huge_scores():
    assert b.mean_surprise([[0, 1000]], [0]) == 1000 and b.mean_surprise([[0, 1000]], [1]) == 0


def test_equal_scores_surprise_by_the_logarithm_of_the_number_of_classes():
    assert b.mean_surprise(np.zeros((3, 10)), [0, 4, 9]) == pytest.approx(math.log(10))


@FAST
@given(st.integers(1, 5000), st.data())
def test_the_interval_equals_scipys(n, data):
    k, level = data.draw(st.integers(0, n)), data.draw(st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
    theirs = binomtest(k, n).proportion_ci(level, method="wilson")
    assert b.wilson_interval(k, n, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@FAST
@given(st.integers(1, 500), st.data())
def test_the_interval_of_right_answers_mirrors_that_of_errors_and_holds_the_estimate(n, data):
    k = data.draw(st.integers(0, n))
    low, high = b.wilson_interval(k, n)
    assert b.wilson_interval(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-12)
    assert 0 <= low <= k / n <= high <= 1 and low < high


@pytest.mark.parametrize("n", [50, 200])
def test_the_interval_covers_as_often_as_it_says_on_average(n):
    ends = np.array([b.wilson_interval(k, n) for k in range(n + 1)])
    rates = np.linspace(0.02, 0.5, 40)
    inside = [binom.pmf(np.arange(n + 1), n, p)[(ends[:, 0] <= p) & (p <= ends[:, 1])].sum() for p in rates]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.01)


def test_no_errors_and_only_errors_end_exactly_at_zero_and_one():
    assert b.wilson_interval(0, 7)[0] == 0.0 and b.wilson_interval(7, 7)[1] == 1.0
    assert b.wilson_interval(0, 7)[1] == pytest.approx(1.959964**2 / (7 + 1.959964**2))


def test_rectify_keeps_the_shape_and_takes_lists():
    assert b.rectify([[-1, 2], [0, -3]]).tolist() == [[0, 2], [0, 0]] and b.rectify(-1) == 0


def test_weights_of_a_trained_layer_and_layers_that_come_one_by_one_are_taken():
    layer = torch.nn.Linear(3, 2).double()
    x = np.random.default_rng(0).normal(size=(4, 3))
    theirs = layer(torch.tensor(x)).detach().numpy()
    assert np.allclose(b.dense_layer(x, layer.weight, layer.bias), theirs)
    assert np.allclose(b.dense_forward(x, iter([(layer.weight, layer.bias)]))[-1], theirs)
    assert np.allclose(x @ b.collapse_layers(iter([(layer.weight, layer.bias)]))[0].T + layer.bias.detach().numpy(), theirs)


def test_inputs_are_left_as_they_were():
    x, layers = np.array([[1.0, -2.0]]), [(np.eye(2), np.zeros(2)), (np.ones((1, 2)), np.ones(1))]
    b.dense_forward(x, layers)
    b.collapse_layers(layers)
    assert x.tolist() == [[1, -2]] and layers[0][0].tolist() == [[1, 0], [0, 1]]


W, B = [[1.0, 2.0]], [0.0]


@pytest.mark.parametrize("call, message", [
    (lambda: b.dense_layer([1, 2], W, B), r"inputs have shape \(2,\)"),
    (lambda: b.dense_layer(np.zeros((0, 2)), W, B), r"inputs have shape \(0, 2\)"),
    (lambda: b.dense_layer([[1, np.nan]], W, B), "inputs contain nan or inf"),
    (lambda: b.dense_layer([[1, 2]], [[1, np.inf]], B), "weights contain nan or inf"),
    (lambda: b.dense_layer([[1, 2, 3]], W, B), r"weights \(1, 2\) and biases \(1,\) do not fit inputs \(1, 3\)"),
    (lambda: b.dense_layer([[1, 2]], W, [0, 0]), r"biases \(2,\) do not fit"),
    (lambda: b.dense_layer([[1, 2]], W, 0), r"biases have shape \(\)"),
    (lambda: b.dense_forward([[1, 2]], [(W, B), (W, B)]), r"do not fit inputs \(1, 1\)"),
    (lambda: b.dense_forward([[1, 2]], []), "no layers given"),
    (lambda: b.dense_layer([["a", 2]], W, B), "inputs are no table of numbers; expected rows of equal lengths"),
    (lambda: b.dense_layer([[1], [1, 2]], W, B), "inputs are no table of numbers"),
    (lambda: b.dense_layer([[1j, 2]], W, B), "inputs are no table of numbers"),
    (lambda: b.mean_surprise([[0, 1]], ["a"]), "labels are no table of numbers"),
    (lambda: b.collapse_layers([]), "no layers given"),
    (lambda: b.collapse_layers([(W, [0, 0])]), "do not fit"),
    (lambda: b.collapse_layers([(W, B), (W, B)]), "do not fit"),
    (lambda: b.dense_parameter_count([784]), r"1 width\(s\) given"),
    (lambda: b.dense_parameter_count([784, 0]), "a width is 0"),
    (lambda: b.dense_parameter_count([784, 10.0]), "a width is 10.0"),
    (lambda: b.mean_surprise([[1, 2]], [2]), "expected a whole number from 0 to 1"),
    (lambda: b.mean_surprise([[1, 2]], [0.5]), "expected a whole number from 0 to 1"),
    (lambda: b.mean_surprise([[1, 2]], [-1]), "expected a whole number from 0 to 1"),
    (lambda: b.mean_surprise([[1, 2]], [0, 1]), r"labels \(2,\) do not fit scores \(1, 2\)"),
    (lambda: b.mean_surprise([1, 2], [0]), r"scores have shape \(2,\)"),
    (lambda: b.wilson_interval(3, 0), "n is 0"),
    (lambda: b.wilson_interval(0.3, 10), "errors is 0.3"),
    (lambda: b.wilson_interval(-1, 10), "errors is -1"),
    (lambda: b.wilson_interval(True, 10), "errors is True"),
    (lambda: b.wilson_interval(11, 10), "11 errors of 10"),
    (lambda: b.wilson_interval(1, 10, 95), "level 95"),
    (lambda: b.wilson_interval(1, 10, math.nan), "level nan"),
])
def test_bad_input_gets_one_clear_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value) and str(caught.value).count("expected") == 1
