"""dlbook.training: equality with PyTorch on drawn shapes, laws of normalisation and clipping, the checks of diagnose, bad input."""

from __future__ import annotations

import copy
import math

import numpy as np
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
             "labels": sound(batches=list(zip(x.split(24), mixed.split(24)))), "one batch": sound(rate=1e-6),
             "inputs": sound(batches=list(zip((x / (x > -2)).split(24), y.split(24)))), "weights stay": sound(rate=0.0)}
    assert set(cases) == set(t.CHECKS)
    for name, setup in cases.items():
        assert name in t.diagnose(setup), name


def test_dropout_is_no_fault():
    setup = sound()
    setup.net.insert(3, nn.Dropout(0.3))
    assert t.diagnose(setup) == {}


def two_clouds(n: int, size: int, seed: int) -> t.Setup:
    """A sound training of two classes, in batches of that size."""
    torch.manual_seed(seed)
    y = torch.randint(2, (n,))
    x = (2 * y[:, None] - 1 + torch.randn(n, 5) / 2) / 2
    net = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, 2))
    return t.Setup(net, torch.optim.Adam(net.parameters(), 0.01), list(zip(x.split(size), y.split(size))), 2)


@pytest.mark.parametrize("n, size", [(64, 32), (60, 30), (2, 2), (9, 3), (200, 4), (40, 40)])
def test_small_data_and_small_batches_are_no_fault(n, size):
    assert [t.diagnose(two_clouds(n, size, seed)) for seed in range(4)] == [{}] * 4


def clears_after(setup, x, y):
    loss = setup.loss_fn(setup.net.train()(x), y)
    loss.backward()
    setup.optimizer.step()
    setup.optimizer.zero_grad()
    return float(loss.detach())


@pytest.mark.parametrize("changes", [
    {"step": clears_after}, {"loss_fn": nn.CrossEntropyLoss(torch.tensor([1.0, 2.0, 5.0]))},
    {"loss_fn": nn.CrossEntropyLoss(label_smoothing=0.1)}, {"loss_fn": lambda s, y: t.smoothed_loss(s, y, 0.2)}])
def test_other_ways_to_do_it_right_are_no_fault(changes):
    assert t.diagnose(sound(**changes)) == {}


def test_gradients_that_pile_up_are_found_whatever_the_optimiser():
    def piling(setup, x, y):
        loss = setup.loss_fn(setup.net.train()(x), y)
        loss.backward()
        setup.optimizer.step()
        return float(loss.detach())
    for make in (torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD):
        setup = sound(step=piling)
        setup.optimizer = make(setup.net.parameters(), 0.01)
        assert "gradients pile up" in t.diagnose(setup)


def test_what_stops_a_training_is_named_and_the_rest_left_out():
    def no_backward(setup, x, y):
        setup.optimizer.step()
        return float(setup.loss_fn(setup.net(x), y).detach())
    assert "backward()" in t.diagnose(sound(step=no_backward))["weights stay"]
    elsewhere = sound(optimizer=torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.1))
    assert "this net's parameters" in t.diagnose(elsewhere)["weights stay"]
    assert "take the mean" in t.diagnose(sound(loss_fn=nn.CrossEntropyLoss(reduction="none")))["first loss"]
    assert "is it a sum" in t.diagnose(sound(loss_fn=nn.CrossEntropyLoss(reduction="sum")))["first loss"]
    misfit = sound(net=nn.Linear(4, 3))
    assert list(t.diagnose(misfit)) == ["first loss"] and "stopped with RuntimeError" in t.diagnose(misfit)["first loss"]
    holed = sound()
    holed.batches[2][0][5, 1] = math.nan
    assert t.diagnose(holed) == {"inputs": "1 of 10 batches hold nan or inf, first batches[2]: look where it was made"}


def test_one_class_alone_is_a_finding_about_labels():
    setup = sound()
    setup.batches = [(x, torch.full_like(y, 2)) for x, y in setup.batches]
    assert t.diagnose(setup)["labels"] == "all labels are 2: were they read rightly?"


@pytest.mark.parametrize("share, found", [(0.63, True), (0.65, False)])
def test_labels_are_noise_below_four_standard_errors_above_chance(share, found):
    """100 pairs of neighbours, of two classes: chance is one half, a standard error of 200 is 0.0354."""
    x = torch.arange(100.0).repeat_interleave(2)[:, None] + torch.tensor([0.0, 0.1]).repeat(100)[:, None]
    alike = torch.arange(100) < round(100 * share)
    first = torch.arange(100) % 2
    y = torch.stack([first, torch.where(alike, first, 1 - first)], 1).flatten()
    setup = sound(batches=[(x, y)], classes=2)
    assert (t._labels_are_noise(setup) is not None) == found


@pytest.mark.parametrize("counts, found", [([(13, 7), (7, 13)], False), ([(18, 2), (2, 18)], True), ([(20, 0), (0, 20)], True),
                                           ([(10, 10)], False), ([(20, 0), (20, 0)], False)])
def test_order_is_judged_by_chi_squared(counts, found):
    """One degree of freedom: 3.6, 25.6 and 40 against 1 + 6 sqrt 2 = 9.5; none for one batch or one class."""
    batches = [(torch.zeros(a + b, 1), torch.tensor([0] * a + [1] * b)) for a, b in counts]
    assert (t._order_is_sorted(sound(batches=batches, classes=2)) is not None) == found


def test_order_allows_for_classes_that_never_occur_and_for_short_batches():
    for seed in range(30):
        y = torch.randint(2, (300,), generator=torch.Generator().manual_seed(seed))
        for classes in (2, 1000):
            assert t._order_is_sorted(sound(batches=[(torch.zeros(len(part), 1), part) for part in y.split(7)], classes=classes)) is None


def scripted(*losses):
    """A step that takes no step and tells these losses."""
    left = iter(losses)
    return sound(step=lambda setup, x, y: next(left))


@pytest.mark.parametrize("check, losses, found", [
    (t._rate_too_high, [1.0] * 9 + [1.49], False), (t._rate_too_high, [1.0] * 9 + [1.51], True),
    (t._rate_too_high, [1.0, math.inf] + [0.5] * 8, True), (t._rate_too_high, [math.nan] * 10, False),
    (t._cannot_memorise, [2.0] * 149 + [0.99], False), (t._cannot_memorise, [2.0] * 149 + [1.01], True)])
def test_rate_and_memory_are_judged_by_the_last_loss_against_the_first(check, losses, found):
    assert (check(scripted(*losses)) is not None) == found


@pytest.mark.parametrize("times, found", [(0.59, True), (0.61, False), (1.49, False), (1.51, True), (math.nan, True)])
def test_the_first_loss_is_held_against_ln_k(times, found):
    setup = sound(loss_fn=lambda s, y: torch.tensor(times * math.log(3)))
    assert (t.initial_loss_check(setup) is not None) == found


@pytest.mark.parametrize("dead, n, found", [(16, 24, False), (17, 24, True), (17, 7, False), (32, 8, True)])
def test_a_layer_is_dead_where_more_than_half_of_its_units_are(dead, n, found):
    setup = sound()
    setup.net[1] = nn.Identity()
    nn.init.zeros_(setup.net[0].weight)
    setup.net[0].bias.data = torch.where(torch.arange(32) < dead, -1.0, 1.0)
    setup.batches = [(setup.batches[0][0][:n], setup.batches[0][1][:n])]
    assert (t._units_are_dead(setup) is not None) == found


def test_checks_copy_the_net_and_not_the_data():
    setup = sound(answer=lambda setup, x: (copies.append(setup.batches), t.plain_answer(setup, x))[1])
    copies = []
    t.diagnose(setup)
    assert copies and all(batches is setup.batches for batches in copies)


# ---- kinds of numbers, and what must stay as it was

@pytest.mark.parametrize("dtype", [torch.half, torch.bfloat16, torch.float, torch.double])
def test_norms_keep_the_type_and_equal_pytorch_in_each(dtype):
    x, close = (300 * drawn(0, 6, 8)).to(dtype), {"rtol": 2e-2, "atol": 2e-2} if dtype.itemsize == 2 else {"atol": 1e-5}
    pairs = [(t.layer_norm(x), F.layer_norm(x, (8,))), (t.group_norm(x, 2), F.group_norm(x, 2))]
    module = torch.double if dtype is torch.double else torch.float
    ours, theirs = t.BatchNorm(8).to(module), nn.BatchNorm1d(8).to(module)
    pairs += [(ours(x), theirs(x)), (ours.eval()(x[:1]), theirs.eval()(x[:1]))]
    for a, b in pairs:
        assert a.dtype == b.dtype == dtype and torch.allclose(a, b, **close)
    assert ours.running_var.dtype == module and torch.allclose(ours.running_var, theirs.running_var, rtol=1e-3)


def test_squares_of_half_precision_do_not_overflow():
    x = torch.tensor([[1000.0, -1000.0]], dtype=torch.half)
    assert torch.allclose(t.layer_norm(x), torch.tensor([[1.0, -1.0]], dtype=torch.half))


@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_epsilon_counts_where_signals_are_small(eps):
    x = 1e-3 * drawn(0, 9, 4)
    ours, theirs = t.BatchNorm(4, eps=eps).double(), nn.BatchNorm1d(4, eps=eps).double()
    assert torch.allclose(ours(x), theirs(x)) and torch.allclose(ours.eval()(x), theirs.eval()(x))
    assert torch.allclose(t.layer_norm(x, eps=eps), F.layer_norm(x, (4,), eps=eps))
    assert torch.allclose(t.group_norm(x, 2, eps=eps), F.group_norm(x, 2, eps=eps))


def test_signal_sizes_leave_the_input_alone_and_see_through_work_in_place():
    x, net = torch.randn(5, 4), mlp_net([4, 6, 3])
    copied = copy.deepcopy(net)
    copied[1] = nn.ReLU(inplace=True)
    with torch.no_grad():
        seen, other = t.signal_sizes(net, x), t.signal_sizes(copied, x)
    assert not x.requires_grad and all(torch.equal(a, b) for a, b in zip(seen, other))


def test_numbers_of_numpy_are_numbers():
    assert t.dropout(torch.ones(4), np.float32(0.5)).shape == (4,)
    assert torch.equal(t.stopped_share(torch.ones(2), np.float64(0.5), np.int64(2)), torch.full((2,), 0.75))
    assert t.start_variance(torch.ones(2, 4), np.int64(3)) == 0.75


def test_a_single_tensor_is_clipped_as_pytorch_does():
    ours, theirs = (torch.zeros(2, requires_grad=True) for _ in range(2))
    ours.grad, theirs.grad = torch.tensor([3.0, 4.0]), torch.tensor([3.0, 4.0])
    assert t.clip_gradient(ours, 1.0) == float(nn.utils.clip_grad_norm_(theirs, 1.0)) == 5.0 and torch.equal(ours.grad, theirs.grad)


def test_the_start_reaches_filters_of_three_dimensions():
    net = nn.Sequential(nn.Conv3d(8, 50, 3))
    t.start_weights_(net, "he", torch.Generator().manual_seed(0))
    assert float(net[0].weight.detach().var()) == pytest.approx(2 / (8 * 27), rel=0.05) and not net[0].bias.any()


def fit(x, y, **how):
    net = nn.Linear(3, 2)
    return t.plain_fit(net, x, y, **{"loss_fn": F.cross_entropy, "optimizer": torch.optim.SGD(net.parameters(), 0.1), "epochs": 2} | how)


def test_the_plain_loop_takes_one_example_and_no_epoch():
    assert len(fit(torch.ones(1, 3), torch.tensor([1]))) == 2 and fit(torch.ones(1, 3), torch.tensor([1]), epochs=0) == []


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
    (lambda: t.diagnose(sound(batches=zip())), "list\\(batches\\)"),
    (lambda: t.diagnose(sound(batches=torch.utils.data.DataLoader([1, 2]))), "list\\(batches\\)"),
    (lambda: t.diagnose(sound(batches=[(torch.ones(1, 3), torch.tensor([0]))])), "two or more"),
    (lambda: t.diagnose(sound(batches=[(torch.ones(4, 3), torch.zeros(3).long())] * 2)), "as many of each"),
    (lambda: t.diagnose(sound(classes=2)), "labels run from 0 to 2; expected 0 to 1"),
    (lambda: t.diagnose(sound(classes=1)), "2 or more"),
    (lambda: t.diagnose(sound(batches=[(x, y.float()) for x, y in sound().batches])), "whole numbers"),
    (lambda: t.start_variance(torch.ones(2, 3), ["he"]), "expected one of default"),
    (lambda: t.start_weights_(nn.ReLU(), "kaiming"), "expected one of default"),
    (lambda: t.orthogonal(-1, 3), "rows is -1"),
    (lambda: t.signal_sizes(nn.Linear(3, 2), torch.ones(2, 3)), "nn.Sequential"),
    (lambda: t.signal_sizes(mlp_net([3, 2]), torch.ones(4, 3), torch.ones(2)), r"expected the shape of the outputs, \(4, 2\)"),
    (lambda: t.normalise(torch.ones(2, 3), ()), "at least one axis"),
    (lambda: t.normalise(torch.ones(2, 3), (0,), -1.0), "eps of 0 or more"),
    (lambda: t.layer_norm(torch.tensor(3.0)), "single number"),
    (lambda: t.layer_norm(torch.ones(2, 6), torch.ones(1)), r"weight is \(1,\); expected \(6,\)"),
    (lambda: t.layer_norm(torch.ones(2, 6), None, torch.ones(2, 3)), r"bias is \(2, 3\)"),
    (lambda: t.group_norm(torch.ones(2, 6, 4), 3, torch.ones(4)), r"weight is \(4,\); expected \(6,\)"),
    (lambda: t.group_norm(torch.ones(2, 6), 2.0), "whole number"),
    (lambda: t.group_norm(torch.ones(6), 2), "do not divide"),
    (lambda: t.BatchNorm(0), "channels is 0"),
    (lambda: t.BatchNorm(3, momentum=1.5), "from 0 to 1"),
    (lambda: t.BatchNorm(3).eval()(torch.ones(0, 3)), "no numbers"),
    (lambda: t.smoothing_gap(0.1, 2.5), "whole number"),
    (lambda: t.smoothing_gap(0.1, math.nan), "whole number"),
    (lambda: fit(torch.ones(4, 3), torch.zeros(3).long()), "4 inputs and 3 labels"),
    (lambda: fit(torch.ones(0, 3), torch.zeros(0).long()), "at least one"),
    (lambda: fit(torch.ones(4, 3), torch.zeros(4).long(), batch_size=0), "batch_size is 0"),
    (lambda: fit(torch.ones(4, 3), torch.zeros(4).long(), epochs=-1), "epochs is -1"),
])
def test_bad_input_is_refused_with_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_lists_and_whole_numbers_are_taken_as_floats():
    assert t.normalise([[1, 3], [5, 9]], (1,), 0.0)[0].tolist() == [[-1.0, 1.0], [-1.0, 1.0]]
    assert t.ridge_share([0, 1, 3], 1.0).tolist() == [0.0, 0.5, 0.75]
