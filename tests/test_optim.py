"""dlbook.optim: steepest directions, quadratics, noise, optimisers against torch.optim, schedules, saddles, landscapes, sharpness."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from dlbook import optim as o

settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")
NUMBER = st.floats(-100, 100, allow_nan=False, width=64)


def weights(values=(1.0, -2.0, 0.5)) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


@st.composite
def bowl(draw):
    """A positive definite Hessian (d, d)."""
    d = draw(st.integers(1, 5))
    a = draw(arrays(float, (d, d), elements=st.floats(-2, 2, width=64)))
    return a @ a.T + draw(st.floats(0.1, 2)) * np.eye(d)


# ---- geometry and quadratics ------------------------------------------------------------------------------------------


@given(arrays(float, 4, elements=NUMBER).filter(lambda g: np.abs(g).max() > 1e-3), st.sampled_from([("l2", 2, 2), ("linf", np.inf, 1), ("l1", 1, np.inf)]))
def test_the_steepest_direction_has_size_one_and_the_dual_norm_as_its_slope(g, norms):
    name, size, dual = norms
    u = o.steepest_direction(g, name)
    assert np.linalg.norm(u, size) == pytest.approx(1) and g @ u == pytest.approx(-np.linalg.norm(g, dual))


@given(bowl())
def test_the_best_rate_beats_its_neighbours_and_its_factor_is_kept(h):
    rate, factor = o.best_rate(h)
    values = np.linalg.eigvalsh(h)
    radius = lambda eta: np.abs(1 - eta * values).max()
    assert radius(rate) == pytest.approx(factor, abs=1e-9)
    assert radius(0.95 * rate) >= factor - 1e-9 and radius(1.05 * rate) >= factor - 1e-9
    kappa = o.condition_number(h)
    assert factor == pytest.approx((kappa - 1) / (kappa + 1), abs=1e-9)


@given(bowl())
def test_the_best_momentum_has_one_radius_on_the_whole_spectrum(h):
    rate, beta, factor = o.best_momentum(h)
    radii = [o.companion_radius(v, rate, beta) for v in np.linalg.eigvalsh(h)]
    assert max(radii) == pytest.approx(factor, abs=1e-5) and factor <= o.best_rate(h)[1] + 1e-12


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_the_companion_radius_is_the_measured_rate(beta, nesterov):
    rule = o.Nesterov if nesterov else o.Momentum
    path, _ = o.descend(lambda w: 0.3 * (w ** 2).sum() / 2, [1.0], lambda p: rule(p, 0.5, beta), 400)
    size = np.abs(path[:, 0])
    measured = np.polyfit(np.arange(200), np.log([size[k:k + 100].max() for k in range(200)]), 1)[0]
    assert np.exp(measured) == pytest.approx(o.companion_radius(0.3, 0.5, beta, nesterov), rel=0.01)


@given(bowl(), st.integers(0, 20))
def test_line_search_never_climbs_and_equals_a_hand_written_step(h, steps):
    start = np.ones(len(h))
    path = o.bowl_path(h, start, steps)
    heights = ((path @ h) * path).sum(1)
    assert len(path) == steps + 1 and (np.diff(heights) <= 1e-9).all()
    if steps:
        g = h @ start
        assert path[1] == pytest.approx(start - g * (g @ g) / (g @ h @ g))


# ---- noise ------------------------------------------------------------------------------------------------------------


@given(st.integers(2, 7), st.data())
def test_the_variance_of_a_batch_is_that_of_all_possible_batches(n, data):
    from itertools import combinations, product
    b = data.draw(st.integers(1, n))
    g = np.array(data.draw(st.lists(st.integers(-5, 5), min_size=n, max_size=n)), dtype=float)
    without = np.var([g[list(c)].mean() for c in combinations(range(n), b)])
    assert without == pytest.approx(g.var() * o.batch_share(n, b), abs=1e-9)
    if n ** b <= 3000:
        assert np.var([g[list(c)].mean() for c in product(range(n), repeat=b)]) == pytest.approx(g.var() * o.batch_share(n, b, True), abs=1e-9)


def test_the_noise_floor_solves_the_matrix_equation():
    rng = np.random.default_rng(0)
    a, c = rng.normal(size=(2, 3, 3))
    h, noise, rate = a @ a.T + np.eye(3), c @ c.T, 0.1
    m, v = np.eye(3) - rate * h, np.zeros((3, 3))
    for _ in range(5000):
        v = m @ v @ m.T + rate ** 2 * noise
    assert o.noise_floor(h, noise, rate) == pytest.approx(np.trace(h @ v) / 2)


def test_the_noise_scale_is_spread_over_signal():
    rows = np.array([[1.0, 0.0], [3.0, 0.0], [2.0, 3.0], [2.0, -3.0]])
    assert o.noise_scale(rows) == pytest.approx((rows.var(0).sum()) / 4)
    assert o.noise_scale(rows, np.diag([1.0, 2.0])) == pytest.approx((0.5 + 2 * 4.5) / 4)
    assert o.noise_scale([[1.0], [-1.0]]) == float("inf")


# ---- optimisers -------------------------------------------------------------------------------------------------------

DECAY = st.sampled_from([0.0, 0.01, 0.5])
BETA = st.floats(0, 0.99)
PAIRS = {
    "gradient descent": (o.GradientDescent, torch.optim.SGD, lambda d: ({}, {})),
    "momentum": (o.Momentum, torch.optim.SGD, lambda d: (lambda b: ({"beta": b}, {"momentum": b}))(d.draw(BETA))),
    "Nesterov": (o.Nesterov, torch.optim.SGD,
                 lambda d: (lambda b: ({"beta": b}, {"momentum": b, "nesterov": True}))(d.draw(st.floats(0.01, 0.99)))),
    "AdaGrad": (o.AdaGrad, torch.optim.Adagrad, lambda d: (lambda e: ({"eps": e}, {"eps": e}))(d.draw(st.sampled_from([1e-10, 1e-3])))),
    "RMSprop": (o.RMSprop, torch.optim.RMSprop, lambda d: (lambda k: (k, k))({"alpha": d.draw(BETA), "eps": d.draw(st.sampled_from([1e-8, 1e-2]))})),
    "Adam": (o.Adam, torch.optim.Adam, lambda d: (lambda k: (k, k))(
        {"betas": (d.draw(BETA), d.draw(BETA)), "eps": d.draw(st.sampled_from([1e-8, 1e-2])), "amsgrad": d.draw(st.booleans())})),
    "AdamW": (o.AdamW, torch.optim.AdamW, lambda d: (lambda k: (k, k))({"betas": (d.draw(BETA), d.draw(BETA)), "amsgrad": d.draw(st.booleans())})),
}


@pytest.mark.parametrize("name", PAIRS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_each_optimiser_equals_the_library_step_by_step(name, data):
    mine, theirs, draw = PAIRS[name]
    own, other = draw(data)
    rate, decay = data.draw(st.floats(1e-4, 0.5)), data.draw(DECAY)
    gradients = data.draw(arrays(float, (12, 3), elements=NUMBER))
    skip = data.draw(st.integers(0, 11))
    a, b = [weights(), weights((4.0,))], [weights(), weights((4.0,))]
    one, two = mine(a, rate, decay=decay, **own), theirs(b, lr=rate, weight_decay=decay, **other)
    for t, g in enumerate(gradients):
        for pair in (a, b):
            pair[0].grad = torch.tensor(g)
            pair[1].grad = None if t == skip else torch.tensor(g[:1])  # a weight without a gradient stays, and its clock too
        one.step()
        two.step()
        for x, y in zip(a, b):
            assert torch.allclose(x, y, rtol=1e-9, atol=1e-10), (name, t)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-3)])
@pytest.mark.parametrize("name", PAIRS)
@given(st.data())
@settings(max_examples=6, deadline=None)
def test_long_runs_with_any_setting_shape_and_size_of_gradient_equal_the_librarys(name, dtype, tolerance, data):
    mine, theirs, draw = PAIRS[name]
    own, other = draw(data)
    rate, decay, seed = 10 ** data.draw(st.floats(-4, -0.5)), data.draw(DECAY), data.draw(st.integers(0, 1000))
    a, b = ([torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype).requires_grad_()
             for shape in ((), (1,), (3, 2), (0, 2))] for _ in range(2))
    one, two = mine(a, rate, decay=decay, **own), theirs(b, lr=rate, weight_decay=decay, **other)
    rng = np.random.default_rng(seed)
    for _ in range(150):
        for x, y in zip(a, b):
            g = torch.tensor(rng.normal(size=x.shape) * 10.0 ** rng.integers(-6, 4) * (rng.random() > 0.05), dtype=dtype)
            x.grad, y.grad = (g, g.clone()) if rng.random() > 0.05 else (None, None)
        one.step()
        two.step()
    assert all(torch.allclose(x, y, rtol=tolerance, atol=tolerance * 1e-2) for x, y in zip(a, b))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", PAIRS)
def test_a_gradient_that_is_no_number_spoils_its_own_weight_alone_as_in_the_library(name, bad):
    mine, theirs, _ = PAIRS[name]
    a, b = weights((1.0, 2.0)), weights((1.0, 2.0))
    one, two = mine(a, 0.1), theirs([b], lr=0.1, weight_decay=0.0, **({"momentum": 0.9} if name in ("momentum", "Nesterov") else {}), **({"nesterov": True} if name == "Nesterov" else {}))
    for t in range(3):
        for w in (a, b):
            w.grad = torch.tensor([bad if t == 1 else 1.0, 1.0], dtype=torch.float64)
        one.step()
        two.step()
    assert torch.allclose(a, b, rtol=1e-9, equal_nan=True) and not torch.isfinite(a[0]) and torch.isfinite(a[1])


def test_adam_keeps_two_memories_and_a_third_only_for_amsgrad():
    assert sorted(o.Adam(weights(), 0.1).memory[0]) == ["mean", "squares", "t"]
    assert "largest" in o.AdamW(weights(), 0.1, amsgrad=True).memory[0]


def test_a_network_trains_alike_in_single_precision():
    nets = []
    for library in (False, True):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
        rule = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1) if library else o.AdamW(net.parameters(), 0.01, decay=0.1)
        x = torch.randn(40, 5, generator=torch.Generator().manual_seed(1))
        for _ in range(30):
            rule.zero_grad()
            (net(x) - x[:, :1]).pow(2).mean().backward()
            rule.step()
        nets.append(torch.cat([p.detach().flatten() for p in net.parameters()]))
    assert torch.allclose(*nets, atol=1e-5)


def test_the_rate_may_be_changed_between_steps_and_gradients_are_forgotten():
    w = weights((1.0,))
    rule = o.GradientDescent(w, 0.1)
    w.grad = torch.ones(1, dtype=torch.float64)
    rule.step()
    rule.rate = 1.0
    rule.step()
    assert w.item() == pytest.approx(-0.1)
    rule.zero_grad()
    assert w.grad is None
    rule.step()
    assert w.item() == pytest.approx(-0.1)


def test_decay_and_penalty_agree_without_division_and_part_in_adam():
    ends = {}
    for rule in (o.GradientDescent, o.Adam, o.AdamW):
        w = weights((1.0,))
        stepper = rule([w], 0.1, decay=0.5)
        w.grad = torch.tensor([2.0], dtype=torch.float64)
        stepper.step()
        ends[rule.__name__] = w.item()
    assert ends["GradientDescent"] == pytest.approx(1 * (1 - 0.05) - 0.2)
    assert ends["Adam"] == pytest.approx(0.9, abs=1e-6) and ends["AdamW"] == pytest.approx(0.95 - 0.1, abs=1e-6)


@pytest.mark.parametrize(("make", "said"), [
    (lambda: o.Adam([], 0.1), "one or more leaf tensors"),
    (lambda: o.Adam([torch.ones(2)], 0.1), "requires_grad"),
    (lambda: o.Adam([weights() * 2], 0.1), "leaf"),
    (lambda: o.Adam([1.0], 0.1), "leaf tensors"),
    (lambda: o.Adam(weights(), 0.0), "rate is 0.0"),
    (lambda: o.Adam(weights(), float("nan")), "rate is nan"),
    (lambda: o.Adam(weights(), 0.1, betas=(1.0, 0.9)), r"betas\[0\] is 1.0"),
    (lambda: o.Momentum(weights(), 0.1, beta=-0.1), "beta is -0.1"),
    (lambda: o.RMSprop(weights(), 0.1, alpha=1.5), "alpha is 1.5"),
    (lambda: o.GradientDescent(weights(), 0.1, decay=-1.0), "decay is -1.0"),
    (lambda: o.Adam(None, 0.1), "expected net.parameters"),
    (lambda: o.Adam(nn.Linear(2, 2), 0.1), "expected net.parameters"),
    (lambda: o.Adam(nn.Linear(2, 2).named_parameters(), 0.1), "leaf tensors"),
    (lambda: o.Adam([torch.ones(2, dtype=torch.complex64, requires_grad=True)], 0.1), "leaf tensors"),
    (lambda: (lambda w: o.Adam([w, w], 0.1))(weights()), "twice"),
    (lambda: o.Adam(weights(), "fast"), "rate is fast"),
    (lambda: o.Adam(weights(), None), "rate is None"),
    (lambda: o.Adam(weights(), 0.1, betas=(0.9,)), "expected two numbers"),
    (lambda: o.Adam(weights(), 0.1, betas=("a", 0.9)), r"betas\[0\] is a"),
    (lambda: o.Adam(weights(), 0.1, eps=-1.0), "eps is -1.0"),
    (lambda: o.AdaGrad(weights(), 0.1, eps=float("nan")), "eps is nan"),
    (lambda: o.RMSprop(weights(), 0.1, eps=float("inf")), "eps is inf"),
    (lambda: o.Momentum(weights(), 0.1, decay=None), "decay is None"),
    (lambda: o.steepest_direction(["a"]), "expected an array of numbers"),
    (lambda: o.bowl_path(np.eye(2), [1.0], 3), r"start has shape \(1,\)"),
    (lambda: o.bowl_path(np.eye(2), [1.0, float("nan")], 3), "finite"),
    (lambda: o.bowl_path(np.eye(2), [1, 1], float("nan")), "steps is nan"),
    (lambda: o.bowl_path(np.eye(2), [1, 1], float("inf")), "steps is inf"),
    (lambda: o.bowl_path(np.eye(2), [1, 1], "3"), "steps is 3"),
    (lambda: o.noise_floor(np.eye(2), np.eye(3), 0.1), r"the covariance has shape \(3, 3\); expected \(2, 2\)"),
    (lambda: o.noise_floor(np.eye(2), -np.eye(2), 0.1), "a variance of -1"),
    (lambda: o.noise_floor(np.eye(2), np.eye(2), "a"), "rate is a"),
    (lambda: o.noise_scale(np.ones((3, 2)), np.eye(3)), r"the Hessian has shape \(3, 3\); expected \(2, 2\)"),
    (lambda: o.companion_radius(float("nan"), 0.1, 0.9), "curvature nan"),
    (lambda: o.descend(lambda w: w ** 2, [1, 2], lambda p: o.Adam(p, 0.1), 2), r"the loss has shape \(2,\)"),
    (lambda: o.descend(lambda w: torch.ones(()), [1, 2], lambda p: o.Adam(p, 0.1), 2), "computed from the weights"),
    (lambda: o.sharpness(lambda: 1.0, weights()), "the loss has type float"),
    (lambda: o.sharpness(lambda: torch.ones(()), weights(), steps=0), "steps is 0"),
    (lambda: o.read_range(np.arange(20.0), np.full(20, np.nan)), "nan or infinite"),
    (lambda: o.read_range(np.ones((20, 2)), np.ones((20, 2))), r"rates \(20, 2\)"),
    (lambda: o.read_range(np.arange(20.0), np.ones(20), 0), "smooth is 0"),
    (lambda: o.steepest_direction([0, 0]), "not all zero"),
    (lambda: o.steepest_direction([1, 2], "l3"), "norm is 'l3'"),
    (lambda: o.condition_number([[1, 2], [0, 1]]), "not symmetric"),
    (lambda: o.condition_number([[1, 0], [0, -1]]), "expected a bowl"),
    (lambda: o.best_rate([]), "shape"),
    (lambda: o.best_momentum([[float("nan")]]), "finite"),
    (lambda: o.bowl_path(np.eye(2), [1, 1], -1), "steps is -1"),
    (lambda: o.batch_share(5, 6), "at most 5"),
    (lambda: o.batch_share(5, 0), "batch is 0"),
    (lambda: o.noise_floor(np.eye(2), np.eye(2), 2.5), "between 0 and"),
    (lambda: o.noise_scale([[1.0, 2.0]]), "n of 2 or more"),
    (lambda: o.step_rate(1, 0.1, 0), "every is 0"),
    (lambda: o.onecycle_rate(1, 0.1, 2), "on both sides"),
    (lambda: o.read_range([1, 2], [1, 2]), "take more steps"),
    (lambda: o.range_test(lambda: None, o.Adam(weights(), 1.0), 1.0, 0.5), "high is 0.5"),
    (lambda: o.escape_time(1, 0.1, 2.0), "leave is 1.0"),
    (lambda: o.escape_time(0, 0.1, 0.5), "curvature is 0"),
    (lambda: o.path_directions([[1, 2], [3, 4]]), "n of 3"),
    (lambda: o.path_directions(np.outer(np.arange(4), [1, 1])), "line or a point"),
    (lambda: o.loss_plane(lambda: torch.ones(()), weights(), np.ones((1, 3)), [0], [0]), r"expected \(2, 3\)"),
    (lambda: o.hessian_times(lambda: torch.ones(()), weights(), torch.ones(2)), r"expected \(3,\)"),
])
def test_bad_input_is_refused_with_a_sentence_that_says_what_was_given(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_lists_and_integers_are_taken_for_arrays():
    assert o.condition_number([[4, 0], [0, 1]]) == 4
    assert o.steepest_direction([3, -4]).tolist() == pytest.approx([-0.6, 0.8])
    assert o.bowl_path([[1]], [2], 1, 1).tolist() == [[2], [0]]


# ---- schedules and the range test -------------------------------------------------------------------------------------


@given(st.integers(4, 60), st.floats(1e-3, 2), st.data())
@settings(max_examples=25, deadline=None)
def test_schedules_equal_those_of_the_library(total, rate, data):
    every, warm, least = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 20)), data.draw(st.floats(0, 1e-3))
    s = torch.optim.lr_scheduler
    pairs = [(lambda q: s.StepLR(q, every, 0.3), lambda t: o.step_rate(t, rate, every, 0.3)),
             (lambda q: s.CosineAnnealingLR(q, total, least), lambda t: o.cosine_rate(t, rate, total, least)),
             (lambda q: s.LinearLR(q, 0.2, total_iters=warm), lambda t: o.warmup_rate(t, rate, warm, 0.2)),
             (lambda q: s.OneCycleLR(q, rate, total_steps=total, pct_start=0.4), lambda t: o.onecycle_rate(t, rate, total, 0.4))]
    for theirs, mine in pairs:
        library = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=rate)
        schedule = theirs(library)
        for t in range(total - 1):
            assert mine(t) == pytest.approx(library.param_groups[0]["lr"], rel=1e-6, abs=1e-12)
            library.step()
            schedule.step()


def test_a_range_test_gives_the_weights_and_the_rate_back_and_stops_where_the_loss_explodes():
    w = weights((1.0, 1.0))
    rule = o.GradientDescent(w, 0.123)
    rates, losses = o.range_test(lambda: (w ** 2 * torch.tensor([1.0, 20.0])).sum() / 2, rule, 1e-3, 100, 200)
    assert w.tolist() == [1, 1] and rule.rate == 0.123 and len(rates) == len(losses) < 200
    assert losses[-1] > 4 * losses.min() and np.allclose(np.diff(np.log(rates)), np.log(1e5) / 199)
    steep, turn = o.read_range(rates, losses)
    assert 1e-3 < steep < turn and 0.1 < turn < 1


def test_a_range_test_gives_back_memories_too_and_does_so_after_an_error():
    w = weights((1.0,))
    rule = o.Adam(w, 0.05)
    o.range_test(lambda: (w ** 2).sum(), rule, 1e-4, 1e-2, 20)
    assert rule.memory[0]["t"] == 0 and rule.memory[0]["mean"].item() == 0 and w.grad is None
    calls = []

    def fails():
        calls.append(1)
        if len(calls) > 3:
            raise RuntimeError("no more data")
        return (w ** 2).sum()

    with pytest.raises(RuntimeError, match="no more data"):
        o.range_test(fails, rule, 0.1, 1.0)
    assert w.tolist() == [1.0] and rule.rate == 0.05 and rule.memory[0]["t"] == 0


def test_a_range_test_goes_on_where_the_loss_is_below_zero():
    w = weights((1.0,))
    rates, losses = o.range_test(lambda: (w ** 2).sum() - 5, o.GradientDescent(w, 0.1), 1e-3, 0.1, 50)
    assert len(rates) == 50 and (np.diff(losses) < 0).all()


# ---- saddles, landscapes, sharpness -----------------------------------------------------------------------------------


def test_random_hessians_are_symmetric_and_some_have_any_index():
    draws = o.random_hessians(2, 500, np.random.default_rng(0))
    assert np.allclose(draws, draws.swapaxes(1, 2)) and {o.saddle_index(h) for h in draws} == {0, 1, 2}


@given(st.floats(0.05, 2), st.floats(0.01, 0.3), st.floats(1e-8, 0.1))
def test_the_escape_time_is_the_number_of_steps(curvature, rate, start):
    a, steps = start, 0
    while a < 1:
        a *= 1 + rate * curvature
        steps += 1
    assert steps - 1 - 1e-6 <= o.escape_time(curvature, rate, start) <= steps + 1e-6


def test_filter_directions_are_scaled_row_by_row_also_for_convolutions():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 4))
    flat = o.filter_direction(net.parameters(), torch.Generator().manual_seed(0))
    kernel = flat[:54].view(3, -1)
    assert torch.allclose(kernel.norm(dim=1), net[0].weight.detach().flatten(1).norm(dim=1), rtol=1e-5)
    assert (flat[54:57] == 0).all() and (flat[-4:] == 0).all()


def test_path_directions_are_orthonormal_and_find_the_plane_of_a_plane_path():
    rng = np.random.default_rng(0)
    plane = np.linalg.qr(rng.normal(size=(7, 2)))[0].T
    directions, shares = o.path_directions(rng.normal(size=(20, 2)) @ plane)
    assert directions @ directions.T == pytest.approx(np.eye(2), abs=1e-9) and shares.sum() == pytest.approx(1)
    assert np.linalg.norm(directions @ plane.T, axis=1) == pytest.approx([1, 1])


def test_a_loss_plane_is_the_loss_and_leaves_the_weights():
    w = weights((1.0, 2.0))
    heights = o.loss_plane(lambda: w[0] ** 2 + 3 * w[1], w, np.eye(2), [0, 1], [0, 1, 2])
    assert heights.tolist() == [[7, 10], [10, 13], [13, 16]] and w.tolist() == [1, 2]


def test_a_loss_plane_gives_the_weights_back_after_an_error():
    w, calls = weights((1.0, 2.0)), []

    def fails():
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("broken")
        return w.sum()

    with pytest.raises(RuntimeError, match="broken"):
        o.loss_plane(fails, w, np.eye(2), [0, 1], [0, 1])
    assert w.tolist() == [1, 2]


def test_linear_and_unused_weights_have_the_curvature_zero():
    w, z, ones = weights((1.0, 2.0)), weights((3.0,)), np.ones(3)
    assert o.hessian_times(lambda: w.sum() + z.sum(), [w, z], ones).tolist() == [0, 0, 0]
    assert o.hessian_times(lambda: (w ** 2).sum(), [w, z], ones).tolist() == [2, 2, 0]
    assert o.sharpness(lambda: w.sum(), [w]) == 0 and o.sharpness(lambda: -(w ** 2).sum(), [w]) == pytest.approx(-2)


def test_single_numbers_and_rows_of_zeros_have_the_direction_zero():
    params = [torch.tensor(2.0, requires_grad=True), torch.zeros(2, 2, requires_grad=True)]
    assert o.filter_direction(params, torch.Generator().manual_seed(0)).abs().tolist() == [0] * 5


def test_steepest_directions_of_huge_and_tiny_gradients_have_size_one():
    for size in (1e200, 1e-200, 5e-324):
        assert o.steepest_direction([size, -size]).tolist() == pytest.approx([-0.5 ** 0.5, 0.5 ** 0.5])


@given(st.integers(0, 30))
@settings(max_examples=15, deadline=None)
def test_sharpness_and_products_equal_the_full_hessian(seed):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(5, 5))
    h, w, u = torch.tensor(a + a.T), weights(rng.normal(size=5)), torch.tensor(rng.normal(size=5))
    loss = lambda: w @ h @ w / 2 + (w ** 3).sum()
    full = h + torch.diag(6 * w.detach())
    assert torch.allclose(o.hessian_times(loss, [w], u), full @ u)
    assert o.sharpness(loss, [w], steps=20_000, tol=1e-13) == pytest.approx(torch.linalg.eigvalsh(full)[-1].item(), rel=1e-2)


@pytest.mark.parametrize("name", list(o.SURFACES))
def test_descend_reports_the_losses_along_its_path_and_repeats_its_noise(name):
    run = lambda: o.descend(o.SURFACES[name], [0.5, 0.5], lambda p: o.Adam(p, 0.01), 20, noise=0.3, seed=4)
    (path, losses), (again, _) = run(), run()
    assert path.shape == (21, 2) and losses == pytest.approx([o.SURFACES[name](torch.tensor(w)).item() for w in path])
    assert (path == again).all()
