"""dlbook.training: equality with PyTorch on drawn shapes, laws of normalisation and clipping, the checks of diagnose, bad input."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlbook import train
from dlbook import training as t
from dlbook.mlp import mlp_net

settings.register_profile("quick", max_examples=40, deadline=None)
settings.load_profile("quick")
torch.set_num_threads(1)                                               # the networks here are tiny
SEEDS = st.integers(0, 10_000)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


@pytest.mark.parametrize("layer", [nn.Linear(30, 50), nn.Conv2d(6, 10, 3), nn.Conv1d(4, 8, 5)])
def test_fans_and_variances_are_those_of_pytorch(layer):
    n_in, n_out = nn.init._calculate_fan_in_and_fan_out(layer.weight)
    assert t.fans(layer.weight) == (n_in, n_out)
    assert t.start_variance(layer.weight, "xavier") == pytest.approx(2 / (n_in + n_out))
    assert t.start_variance(layer.weight, "he") == pytest.approx(nn.init.calculate_gain("relu") ** 2 / n_in)
    assert t.start_variance(layer.weight, 3) == pytest.approx(3 / n_in)


@pytest.mark.parametrize("rule", ["default", "lecun", "xavier", "he", "he-backward", 1.7])
def test_drawn_weights_have_the_variance_that_was_promised_and_biases_are_zero(rule):
    net = nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 200))
    assert t.start_weights_(net, rule, torch.Generator().manual_seed(0)) is net
    for layer in (net[0], net[2]):
        assert float(layer.weight.detach().var()) == pytest.approx(t.start_variance(layer.weight, rule), rel=0.03)
        assert not layer.bias.any()


@given(st.integers(1, 9), st.integers(1, 9), SEEDS)
def test_the_shorter_side_of_an_orthogonal_matrix_is_orthonormal(rows, cols, seed):
    q = t.orthogonal(rows, cols, torch.Generator().manual_seed(seed))
    gram = q @ q.T if rows <= cols else q.T @ q
    assert q.shape == (rows, cols) and torch.allclose(gram, torch.eye(min(rows, cols)), atol=1e-5)


def test_orthogonal_draws_prefer_no_sign():
    firsts = [float(t.orthogonal(3, 3, torch.Generator().manual_seed(seed))[0, 0]) for seed in range(300)]
    assert abs(sum(firsts) / 300) < 4 / math.sqrt(3 * 300)


def test_signal_sizes_are_the_mean_squares_of_scores_and_of_their_gradients():
    net, x, send = mlp_net([5, 4, 3]).double(), drawn(0, 7, 5), drawn(1, 7, 3)
    z = net[0](x)
    seen = t.signal_sizes(net, x, send)
    delta = (send @ net[2].weight) * (z > 0)
    assert torch.allclose(seen.forward, torch.stack([z.square().mean(), net(x).square().mean()]))
    assert torch.allclose(seen.backward, torch.stack([delta.square().mean(), send.square().mean()]))
    assert all(w.grad is None for w in net.parameters())


def test_a_linear_networks_jacobian_is_its_matrix():
    net = nn.Linear(6, 4)
    assert torch.allclose(t.jacobian_values(net, torch.randn(6)), torch.linalg.svdvals(net.weight), atol=1e-5)


@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 3), st.lists(st.integers(1, 4), max_size=2), SEEDS)
def test_norms_equal_pytorch_in_value_and_gradient(n, blocks, per, places, seed):
    shape = (n, blocks * per, *places)
    x, w, b = drawn(seed, *shape).requires_grad_(), drawn(seed + 1, shape[1]), drawn(seed + 2, shape[1])
    last = drawn(seed + 3, shape[-1])
    pairs = [(t.group_norm(x, blocks, w, b), F.group_norm(x, blocks, w, b)),
             (t.layer_norm(x, last, last), F.layer_norm(x, shape[-1:], last, last)),
             (t.layer_norm(x), F.layer_norm(x, shape[-1:]))] if per * math.prod(places) > 1 else []
    g = drawn(seed + 4, *shape)
    for ours, theirs in pairs:
        assert torch.allclose(ours, theirs)
        assert torch.allclose(*(torch.autograd.grad(out, x, g, retain_graph=True)[0] for out in (ours, theirs)), atol=1e-7)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data(), SEEDS)
def test_the_derived_backward_pass_is_autograds(shape, data, seed):
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    x, g = drawn(seed, *shape).requires_grad_(), drawn(seed + 1, *shape)
    z, r = t.normalise(x, axes, eps=1e-3)
    back = t.normalise_backward(g, z.detach(), r.detach(), axes)
    assert torch.allclose(back, torch.autograd.grad(z, x, g)[0], atol=1e-9)
    assert torch.allclose(back.mean(axes), torch.zeros_like(back.mean(axes)), atol=1e-9)


@pytest.mark.parametrize("shape, kind", [((6, 4), nn.BatchNorm1d), ((3, 4, 5), nn.BatchNorm1d), ((3, 4, 2, 5), nn.BatchNorm2d), ((2, 4, 2, 3, 2), nn.BatchNorm3d)])
def test_batch_norm_equals_pytorch_in_both_modes(shape, kind):
    ours, theirs = t.BatchNorm(4).double(), kind(4).double()
    for seed in range(4):
        x = 3 * drawn(seed, *shape) + 1
        a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
        assert torch.allclose(ours(a), theirs(b))
        (ours(a) ** 3).sum().backward()
        (theirs(b) ** 3).sum().backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-8)
        assert torch.allclose(ours.weight.grad, theirs.weight.grad) and torch.allclose(ours.bias.grad, theirs.bias.grad)
    assert torch.allclose(ours.running_mean, theirs.running_mean) and torch.allclose(ours.running_var, theirs.running_var)
    assert torch.allclose(ours.eval()(x[:1]), theirs.eval()(x[:1]))


@given(SEEDS, st.floats(0.1, 10))
def test_weights_before_a_batch_norm_have_a_gradient_at_a_right_angle_that_shrinks_with_their_size(seed, factor):
    x, target, w = drawn(seed, 12, 4), drawn(seed + 1, 12, 2), drawn(seed + 2, 2, 4).requires_grad_()
    gradient = lambda v: torch.autograd.grad(((t.normalise(x @ v.T, (0,), 0.0)[0] - target) ** 2).sum(), w)[0]
    assert torch.allclose((gradient(w) * w).sum(1), torch.zeros(2).double(), atol=1e-7)
    assert torch.allclose(torch.autograd.grad(((t.normalise(x @ (v := (factor * w.detach()).requires_grad_()).T, (0,), 0.0)[0]
                                                - target) ** 2).sum(), v)[0] * factor, gradient(w), rtol=1e-5, atol=1e-8)


@given(st.floats(0, 0.95), SEEDS)
def test_dropout_gives_zero_or_the_scaled_number(rate, seed):
    x = drawn(seed, 50)
    y = t.dropout(x, rate, torch.Generator().manual_seed(seed))
    assert ((y == 0) | torch.isclose(y, x / (1 - rate))).all() and (rate > 0 or torch.equal(y, x))


def test_dropout_drops_the_share_that_was_asked_for():
    dropped = float((t.dropout(torch.ones(100_000), 0.3, torch.Generator().manual_seed(0)) == 0).float().mean())
    assert abs(dropped - 0.3) < 4 * math.sqrt(0.21 / 100_000)


@given(st.integers(1, 6), st.integers(2, 7), st.floats(0, 0.9), SEEDS)
def test_the_smoothed_loss_and_its_gradient_are_pytorchs(n, classes, epsilon, seed):
    logits = drawn(seed, n, classes).requires_grad_()
    y = torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))
    ours, theirs = t.smoothed_loss(logits, y, epsilon), F.cross_entropy(logits, y, label_smoothing=epsilon)
    assert torch.isclose(ours, theirs)
    assert torch.allclose(*(torch.autograd.grad(loss, logits)[0] for loss in (ours, theirs)), atol=1e-9)


@given(st.floats(0.01, 0.9), st.integers(2, 50))
def test_at_the_smoothing_gap_the_gradient_is_zero(epsilon, classes):
    logits = torch.zeros(1, classes, dtype=torch.double)
    logits[0, 0] = t.smoothing_gap(epsilon, classes)
    logits.requires_grad_()
    assert torch.autograd.grad(t.smoothed_loss(logits, torch.tensor([0]), epsilon), logits)[0].abs().max() < 1e-9


@given(SEEDS, st.integers(0, 60))
def test_stopped_descent_and_ridge_are_their_filters(seed, steps):
    a = drawn(seed, 6, 4)
    hessian, b = a.T @ a / 6, drawn(seed + 1, 4)
    h, modes = torch.linalg.eigh(hessian)
    rate, w = float(1 / h[-1]), torch.zeros(4).double()
    for _ in range(steps):
        w = w - rate * (hessian @ w - b)
    best = modes.T @ b / h
    assert torch.allclose(modes.T @ w, t.stopped_share(h, rate, steps) * best, atol=1e-7)
    ridge = torch.linalg.solve(hessian + 0.3 * torch.eye(4), b)
    assert torch.allclose(modes.T @ ridge, t.ridge_share(h, 0.3) * best, atol=1e-7)


@given(st.lists(st.lists(st.integers(1, 3), max_size=2), min_size=1, max_size=4), st.floats(0.01, 20), SEEDS)
def test_clipping_equals_pytorch(shapes, most, seed):
    params = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
    for k, p in enumerate(params):
        p.grad = drawn(seed + k, *p.shape).float()
    theirs, ours, cut = copy.deepcopy(params), copy.deepcopy(params), copy.deepcopy(params)
    for group in (theirs, ours, cut):
        for p, q in zip(group, params):
            p.grad = q.grad.clone()
    assert t.clip_gradient(iter(ours), most) == pytest.approx(float(nn.utils.clip_grad_norm_(theirs, most)), rel=1e-5)
    assert all(torch.allclose(p.grad, q.grad, rtol=1e-5) for p, q in zip(ours, theirs))
    t.clip_values(cut, most)
    assert all(torch.equal(p.grad, q.grad.clamp(-most, most)) for p, q in zip(cut, params))


@pytest.mark.parametrize("clip", [None, 0.1])
def test_the_plain_loop_takes_the_steps_of_train_fit(clip):
    x, y = drawn(0, 47, 6).float(), torch.arange(47) % 3
    ends = []
    for loop in ("plain", "fit"):
        torch.manual_seed(1)
        net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        how = dict(loss_fn=F.cross_entropy, optimizer=torch.optim.Adam(net.parameters(), 0.01), epochs=3, batch_size=10, clip=clip, seed=5)
        if loop == "plain":
            assert len(t.plain_fit(net, x, y, **how)) == 15
        else:
            train.fit(net, (x, y), device="cpu", **how)
        ends.append(torch.cat([v.flatten().float() for v in net.state_dict().values()]))
    assert torch.equal(*ends) if clip is None else torch.allclose(*ends, rtol=1e-4, atol=1e-6)


def sound(rate: float = 0.1, **changes) -> t.Setup:
    """A small training without fault: three clouds of points."""
    torch.manual_seed(0)
    y = torch.randint(3, (240,))
    x = torch.eye(3)[y] * 3 + torch.randn(240, 3)
    net = nn.Sequential(nn.Linear(3, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    setup = t.Setup(net, torch.optim.SGD(net.parameters(), rate, momentum=0.9), list(zip(x.split(24), y.split(24))), 3)
    for name, value in changes.items():
        setattr(setup, name, value)
    return setup


def test_a_sound_training_has_no_findings_and_is_left_as_it_was():
    setup = sound()
    before, state = copy.deepcopy(setup.net.state_dict()), torch.get_rng_state()
    assert t.diagnose(setup) == {}
    assert all(torch.equal(v, before[k]) for k, v in setup.net.state_dict().items()) and torch.equal(state, torch.get_rng_state())


def test_each_fault_is_named():
    def piling(setup, x, y):
        loss = setup.loss_fn(setup.net.train()(x), y)
        loss.backward()
        setup.optimizer.step()
        return float(loss.detach())
    dead = sound()
    nn.init.constant_(dead.net[1].bias, -20.0)
    x, y = (torch.cat(part) for part in zip(*sound().batches))
    rows = y.argsort()
    mixed = y[torch.randperm(240, generator=torch.Generator().manual_seed(3))]
    large = sound()
    large.net[3].weight.data *= 100
    cases = {"gradients pile up": sound(step=piling), "rate": sound(rate=1e4), "dead units": dead, "first loss": large,
             "loss mixes": sound(loss_fn=lambda s, y: F.nll_loss(s.log_softmax(0), y)),
             "answers mix": sound(answer=lambda setup, x: setup.net.train()(x).detach()),
             "order": sound(batches=list(zip(x[rows].split(24), y[rows].split(24)))),
             "labels": sound(batches=list(zip(x.split(24), mixed.split(24)))), "one batch": sound(rate=1e-6)}
    assert set(cases) == set(t.CHECKS)
    for name, setup in cases.items():
        assert name in t.diagnose(setup), name


def test_dropout_is_no_fault():
    setup = sound()
    setup.net.insert(3, nn.Dropout(0.3))
    assert t.diagnose(setup) == {}


@pytest.mark.parametrize("call, words", [
    (lambda: t.fans(torch.ones(3)), r"\(3,\).*outputs, inputs"),
    (lambda: t.start_variance(torch.ones(2, 3), "kaiming"), "expected one of default"),
    (lambda: t.start_variance(torch.ones(2, 3), -1.0), "above 0"),
    (lambda: t.signal_sizes(nn.Sequential(nn.ReLU()), torch.ones(2, 3)), "no linear"),
    (lambda: t.signal_sizes(mlp_net([3, 2]), torch.full((2, 3), math.nan)), "nan or inf"),
    (lambda: t.jacobian_values(mlp_net([3, 2]), torch.ones(2, 3)), "take one row"),
    (lambda: t.normalise(torch.ones(0, 3), (0,)), "no numbers"),
    (lambda: t.group_norm(torch.ones(2, 6), 4), "do not divide"),
    (lambda: t.BatchNorm(3)(torch.ones(1, 3)), "one value per channel"),
    (lambda: t.BatchNorm(3)(torch.ones(2, 4)), "a channel per weight"),
    (lambda: t.dropout(torch.ones(3), 1.0), "not including, 1"),
    (lambda: t.dropout([], 0.5), "no numbers"),
    (lambda: t.smoothed_loss(torch.ones(2, 3), torch.tensor([0, 3])), "expected 0 to 2"),
    (lambda: t.smoothed_loss(torch.ones(2, 3), torch.tensor([0.0, 1.0])), "whole numbers"),
    (lambda: t.smoothed_loss(torch.ones(3), torch.tensor([0])), r"\(n, classes\)"),
    (lambda: t.smoothing_gap(0.0, 10), "above 0"),
    (lambda: t.smoothing_gap(0.1, 1), "2 or more"),
    (lambda: t.stopped_share(torch.ones(2), 0.1, 1.5), "whole number"),
    (lambda: t.ridge_share(torch.tensor([-1.0]), 1.0), "a bowl"),
    (lambda: t.clip_gradient(mlp_net([2, 2]).parameters(), 1.0), "backward"),
    (lambda: t.clip_gradient([], 1.0), "backward"),
    (lambda: t.diagnose(sound(batches=[])), "list\\(batches\\)"),
])
def test_bad_input_is_refused_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_lists_and_whole_numbers_are_taken_as_floats():
    assert t.normalise([[1, 3], [5, 9]], (1,), 0.0)[0].tolist() == [[-1.0, 1.0], [-1.0, 1.0]]
    assert t.ridge_share([0, 1, 3], 1.0).tolist() == [0.0, 0.5, 0.75]
