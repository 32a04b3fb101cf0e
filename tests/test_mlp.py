"""dlbook.mlp: activations, forward pass, pieces, approximations with their bounds, depth, dead units, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlbook import mlp as m

settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")
SEEDS = st.integers(0, 2**32 - 1)
NAMES = st.sampled_from(list(m.ACTIVATIONS))
WIDTHS = st.lists(st.integers(1, 6), min_size=2, max_size=5)
TORCH = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "gelu": nn.functional.gelu, "silu": nn.functional.silu,
         "leaky": lambda z: nn.functional.leaky_relu(z, 0.01)}


def random_layers(widths: list[int], seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in zip(widths, widths[1:])]


@given(NAMES, st.floats(-40, 40))
def test_an_activation_and_its_slope_equal_pytorchs(name, z):
    tz = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    out = TORCH[name](tz)
    out.backward()
    assert m.activation(name)(z) == pytest.approx(out.item(), abs=1e-12)
    assert m.activation(name).slope(z) == pytest.approx(tz.grad.item(), abs=1e-12)


@pytest.mark.parametrize("name", m.ACTIVATIONS)
def test_a_slope_is_the_derivative_by_finite_differences(name):
    z = np.array([-5.0, -1.3, -0.2, 0.4, 2.0, 7.0])
    a = m.activation(name)
    assert np.allclose((a(z + 1e-6) - a(z - 1e-6)) / 2e-6, a.slope(z), atol=1e-7)
    assert a([[1, -2]]).shape == (1, 2) and np.isfinite(a.slope([-700, 700])).all()


@given(WIDTHS, NAMES, SEEDS)
def test_the_forward_pass_equals_pytorchs_and_keeps_what_it_computed(widths, name, seed):
    torch.manual_seed(seed % 2**31)
    net, x = m.mlp_net(widths, name).double(), np.random.default_rng(seed).normal(size=(5, widths[0]))
    trace = m.mlp_forward(m.linear_layers(net), x, name)
    assert np.allclose(trace.answer, net(torch.from_numpy(x)).detach().numpy())
    assert [a.shape[1] for a in trace.inputs] == widths[:-1] and [z.shape[1] for z in trace.scores] == widths[1:]
    for z, h in zip(trace.scores, trace.inputs[1:]):
        assert np.array_equal(m.activation(name)(z), h)


def test_a_net_alternates_linear_layers_and_activations_and_ends_linear():
    kinds = [type(part) for part in m.mlp_net((3, 4, 4, 2), "silu")]
    assert kinds == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear]
    assert [type(part) for part in m.mlp_net((3, 1))] == [nn.Linear]


def test_layers_are_copies_and_a_missing_bias_is_zero():
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1))
    (w, b), _ = m.linear_layers(net)
    w += 1
    assert b.tolist() == [0, 0, 0] and not np.allclose(w, net[0].weight.detach())


@given(st.lists(st.integers(1, 7), min_size=1, max_size=3), st.integers(1, 3), SEEDS)
def test_a_path_is_the_network_at_every_place_and_stays_within_the_most_pieces(hidden, d, seed):
    layers = random_layers([d, *hidden, 2], seed)
    start, stop = np.random.default_rng(seed + 1).normal(0, 3, (2, d))
    t, answer = m.relu_path(layers, start, stop)
    s = np.linspace(0, 1, 257)
    truth = m.mlp_forward(layers, start + s[:, None] * (stop - start)).answer
    assert t[0] == 0 and t[-1] == 1 and (np.diff(t) >= 0).all()
    assert all(np.allclose(np.interp(s, t, answer[:, k]), truth[:, k], atol=1e-8) for k in range(2))
    assert 1 <= m.relu_pieces(layers, start, stop) <= m.most_pieces(hidden)


def test_pieces_are_counted_by_bends_and_not_by_switches():
    hinge = [([[1.0]], [-0.5]), ([[1.0]], [0.0])]
    unused = [([[1.0], [1.0]], [-0.5, -0.7]), ([[1.0, 0.0]], [0.0])]
    cancel = [([[1.0], [1.0]], [-0.5, -0.5]), ([[1.0, -1.0]], [0.0])]
    assert [m.relu_pieces(net, [0], [1]) for net in (hinge, unused, cancel)] == [2, 2, 1]
    assert m.relu_pieces([([[2.0]], [1.0])], [0], [1]) == 1
    assert m.relu_pieces(hinge, [0.3], [0.3]) == 1


@given(st.integers(0, 12), st.integers(0, 4))
def test_the_most_regions_obey_the_recurrence_of_adding_one_hyperplane(n, d):
    if n and d:
        assert m.most_regions(n, d) == m.most_regions(n - 1, d) + m.most_regions(n - 1, d - 1)
    assert m.most_regions(n, 2) == 1 + n + n * (n - 1) // 2 and m.most_regions(n, 1) == n + 1


@given(st.integers(1, 40), st.floats(-3, 3), st.floats(0.1, 5), SEEDS)
def test_hats_interpolate_as_numpy_does_whatever_the_function(n, a, width, seed):
    heights = np.random.default_rng(seed).normal(size=n + 1)
    ends = np.linspace(a, a + width, n + 1)
    layers = m.hat_layers(lambda x: np.interp(x, ends, heights), a, a + width, n)
    x = np.linspace(a, a + width, 101)
    assert np.allclose(m.mlp_forward(layers, x[:, None]).answer[:, 0], np.interp(x, ends, heights), atol=1e-9)
    assert layers[0][0].shape == (n, 1)


@given(st.integers(2, 200), st.floats(0.1, 6))
def test_steps_and_hats_keep_the_bounds_of_their_theorems(n, speed):
    f, x = lambda x: np.sin(speed * x), np.linspace(-1, 2, 1001)
    s = 3 / n
    steps = m.mlp_forward(m.step_layers(f, -1, 2, n), x[:, None], "sigmoid").answer[:, 0]
    hats = m.mlp_forward(m.hat_layers(f, -1, 2, n), x[:, None]).answer[:, 0]
    assert np.abs(steps - f(x)).max() <= speed * s * (1 + 1 / n) + 1e-9
    assert np.abs(hats - f(x)).max() <= min(speed * s / 2, speed**2 * s**2 / 8) + 1e-9


def test_a_steep_staircase_takes_the_value_at_the_midpoint_of_each_cell():
    layers = m.step_layers(np.exp, 0, 1, 5, steepness=1e5)
    middle = np.arange(0.1, 1, 0.2)
    assert layers[0][0].shape == (4, 1)
    assert np.allclose(m.mlp_forward(layers, middle[:, None], "sigmoid").answer[:, 0], np.exp(middle))
    assert np.allclose(m.mlp_forward(layers, (middle + 0.05)[:, None], "sigmoid").answer[:, 0], np.exp(middle))


@given(st.integers(1, 10), st.floats(0, 1))
def test_the_sawtooth_is_the_tent_applied_again_and_again_by_formula_and_by_network(k, x):
    y = x
    for _ in range(k):
        y = 2 * y if y <= 0.5 else 2 - 2 * y
    assert m.sawtooth(x, k) == pytest.approx(y, abs=1e-9)
    assert m.mlp_forward(m.sawtooth_layers(k), [[x]]).answer[0, 0] == pytest.approx(y, abs=1e-9)


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_k_layers_of_two_units_make_two_to_the_k_pieces(k):
    layers = m.sawtooth_layers(k)
    assert len(layers) == k + 1 and all(len(w) == 2 for w, _ in layers[:-1])
    assert m.relu_pieces(layers, [0], [1]) == 2**k


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_the_square_is_a_polygon_above_the_parabola_within_its_bound(depth):
    ends = np.linspace(0, 1, 2**depth + 1)
    x = np.linspace(0, 1, 2**10 + 1)
    answer = m.mlp_forward(m.square_layers(depth), x[:, None]).answer[:, 0]
    assert np.allclose(answer, np.interp(x, ends, ends**2))
    assert (answer - x**2).max() == pytest.approx(4.0**-depth / 4) and (answer - x**2).min() >= -1e-12


def test_dead_units_are_those_that_are_zero_for_every_row():
    net = nn.Sequential(nn.Linear(1, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [-1.0], [1.0]]))
        net[0].bias.copy_(torch.tensor([0.0, 0.0, -9.0]))
        net[2].weight.fill_(-1.0)
        net[2].bias.copy_(torch.tensor([-0.1, 5.0]))
    assert m.dead_units(net, torch.tensor([[1.0], [-2.0]])) == [1, 1]
    assert m.dead_units(net, torch.tensor([[1.0]])) == [2, 1]
    assert m.dead_units(m.mlp_net((1, 4, 1), "leaky"), torch.ones(3, 1)) == []


@pytest.mark.parametrize(("call", "words"), [
    (lambda: m.activation("swish"), "activation 'swish' is not known; expected one of sigmoid, tanh"),
    (lambda: m.mlp_forward([], [[1.0]]), "no layers given"),
    (lambda: m.mlp_forward([([[1.0, 2.0]], [0.0])], [[1.0]]), r"layer 1 has weights \(1, 2\) and biases \(1,\); expected \(outputs, 1\)"),
    (lambda: m.mlp_forward([([[1.0]], [0.0, 1.0])], [[1.0]]), "one bias per output"),
    (lambda: m.mlp_forward([([[np.nan]], [0.0])], [[1.0]]), "layer 1 holds nan or inf"),
    (lambda: m.mlp_forward([([[1.0]], [0.0])], [1.0, 2.0]), r"inputs have shape \(2,\)"),
    (lambda: m.mlp_forward([([[1.0]], [0.0])], [[np.inf]]), "inputs contain nan or inf"),
    (lambda: m.mlp_net((3,)), "sizes has 1 entries"),
    (lambda: m.mlp_net((3, 0)), "a width in sizes is 0; expected a whole number, 1 or more"),
    (lambda: m.mlp_net((3, 2.5)), "a width in sizes is 2.5"),
    (lambda: m.linear_layers(nn.ReLU()), "ReLU has no linear layers"),
    (lambda: m.hat_layers(np.sin, 1, 0, 4), "the interval goes from 1 to 0"),
    (lambda: m.hat_layers(np.sin, 0, 1, 0), "n is 0; expected a whole number, 1 or more"),
    (lambda: m.step_layers(np.sin, 0, 1, 1), "n is 1; expected a whole number, 2 or more"),
    (lambda: m.hat_layers(lambda x: 1.0, 0, 1, 4), r"f gave shape \(\) for \(5,\) points"),
    (lambda: m.hat_layers(lambda x: np.full(x.shape, np.nan), 0, 1, 4), "expected one finite number each"),
    (lambda: m.sawtooth([0.5, 1.5], 2), "values outside 0 to 1"),
    (lambda: m.sawtooth_layers(0), "k is 0; expected a whole number, 1 or more"),
    (lambda: m.square_layers(True), "m is True"),
    (lambda: m.most_pieces([3, -1]), "a width is -1"),
    (lambda: m.relu_path([([[1.0]], [0.0])], [0, 0], [1, 1]), "layer 1 has weights"),
    (lambda: m.dead_units(m.mlp_net((1, 2, 1)), torch.empty(0, 1)), "x has no rows"),
    (lambda: m.dead_units(m.mlp_net((3, 2, 1)), torch.ones(3)), r"x has shape \(3,\); expected \(n, d\)"),
    (lambda: m.relu_path([([[1.0]], [0.0])], [0.0], [1.0, 2.0]), r"start \(1,\) and stop \(2,\) given"),
    (lambda: m.step_layers(np.sin, 0, 1, 3, np.nan), "steepness is nan; expected a positive number"),
    (lambda: m.step_layers(np.sin, 0, 1, 3, -1), "steepness is -1; expected a positive number"),
])
def test_bad_input_stops_with_a_sentence_that_says_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_lists_integers_and_a_single_row_are_fine():
    assert m.mlp_forward([([[1, 1]], [0])], [[1, 2]]).answer.tolist() == [[3.0]]
    assert m.relu_pieces([([[1]], [0]), ([[1]], [0])], [-1], [1]) == 2
