"""dlbook.cnn against PyTorch, and against the laws that its chapter derives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlbook import cnn

NETWORK = Path(__file__).resolve().parents[1] / "chapters" / "vision" / "cnn_network.json"
LAYERS = st.tuples(st.integers(1, 5), st.integers(1, 3), st.integers(0, 2))                      # kernel, stride, padding
quick = settings(max_examples=40, deadline=None)


@st.composite
def convolutions(draw):
    """A picture, a kernel, a stride and a padding that fit together, in double precision."""
    kernel, stride, padding = draw(LAYERS)
    height, width = (draw(st.integers(max(1, kernel - 2 * padding), 10)) for _ in range(2))
    channels, out = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    source = torch.Generator().manual_seed(draw(st.integers(0, 2**16)))
    x = torch.randn(2, channels, height, width, generator=source, dtype=torch.double)
    return x, torch.randn(out, channels, kernel, kernel, generator=source, dtype=torch.double), stride, padding


@quick
@given(convolutions())
def test_convolution_from_scratch_equals_pytorch(case):
    x, weight, stride, padding = case
    bias = torch.arange(float(len(weight)), dtype=torch.double)
    torch.testing.assert_close(cnn.conv2d(x, weight, bias, stride, padding), F.conv2d(x, weight, bias, stride, padding))


@quick
@given(convolutions())
def test_the_matrix_convolves_and_its_transpose_carries_the_gradient(case):
    x, weight, stride, padding = case
    one = x[:1].requires_grad_()
    y = F.conv2d(one, weight, stride=stride, padding=padding)
    matrix, g = cnn.conv_matrix(weight, *x.shape[2:], stride, padding), torch.ones_like(y)
    torch.testing.assert_close((matrix @ one.flatten()).view_as(y), y)
    torch.testing.assert_close((matrix.T @ g.flatten()).view_as(one), torch.autograd.grad(y, one, g)[0])


def test_the_matrix_is_sparse_and_shared():
    weight = torch.arange(1.0, 10).view(1, 1, 3, 3)
    dense = cnn.conv_matrix(weight, 7, 6).to_dense()
    assert dense.shape == (20, 42)
    assert ((dense != 0).sum(1) == 9).all()
    assert all(row[row != 0].sort().values.equal(weight.flatten()) for row in dense)


@quick
@given(st.integers(1, 40), LAYERS)
def test_the_output_size_is_pytorchs(n, layer):
    kernel, stride, padding = layer
    if n + 2 * padding < kernel:
        with pytest.raises(ValueError, match="does not fit"):
            cnn.output_size(n, *layer)
    else:
        places = F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, kernel), stride=stride, padding=padding).shape[-1]
        assert cnn.output_size(n, *layer) == places


@quick
@given(st.lists(LAYERS, min_size=1, max_size=4), st.booleans())
def test_the_derived_receptive_field_is_the_one_that_the_gradient_finds(layers, pooled):
    net = nn.Sequential(*(nn.Conv2d(1, 1, k, s, p) for k, s, p in layers), *([nn.MaxPool2d(2)] if pooled else []))
    size, jump, first = cnn.receptive_field(cnn.geometry(net))
    side = 2 * size + 4 * jump + 20
    unit = next(u for u in range(side) if first + u * jump >= 0)                                 # the first whole field
    if min(net(torch.zeros(1, 1, side, side)).shape[2:]) <= unit:
        return
    seen = cnn.measured_field(net.double().float(), side, (unit, unit), probes=64).nonzero()
    start = first + unit * jump
    holes = any(k < s for k, s, _ in layers[:-1])                                                # then rims may be skipped
    assert seen.min() >= start and seen.max() <= start + size - 1
    if not holes:
        assert seen.amin(0).tolist() == [start, start] and seen.amax(0).tolist() == [start + size - 1] * 2


def test_geometry_reads_convolutions_and_pools_up_to_flatten():
    assert cnn.geometry(cnn.lenet5()) == [(5, 1, 2), (2, 2, 0), (5, 1, 0), (2, 2, 0)]
    assert cnn.receptive_field(cnn.geometry(cnn.lenet5())) == (16, 4, -2)


def test_parameter_counts():
    assert cnn.count(cnn.lenet5()) == 61_706
    table = cnn.describe(cnn.lenet5())
    assert sum(int(n.replace(",", "")) for n in table["parameters"]) == 61_706
    assert table["output"].tolist() == ["6×28×28", "6×14×14", "16×10×10", "16×5×5", "120", "84", "10"]
    assert table["multiplications"].tolist()[2] == f"{16 * 6 * 25 * 100:,}"
    frozen = cnn.lenet5()
    frozen[0].requires_grad_(False)
    assert cnn.count(frozen) == 61_706 - 156


def test_the_mlp_for_comparison_is_of_equal_size():
    assert abs(cnn.count(cnn.mlp_like(cnn.fast_lenet())) - cnn.count(cnn.fast_lenet())) <= 795 / 2


@pytest.mark.parametrize("make", [cnn.lenet5, cnn.fast_lenet, lambda: cnn.mlp(7)])
def test_every_network_reads_a_batch(make):
    assert make()(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_a_settled_batch_norm_is_its_line():
    norm = nn.BatchNorm2d(4)
    norm.weight.data, norm.bias.data = torch.randn(4), torch.randn(4)
    for _ in range(5):
        norm(torch.randn(8, 4, 3, 3) * 3 + 1)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(cnn.Affine.of(norm)(x), norm.eval()(x))


@quick
@given(st.integers(2, 400), st.floats(0.05, 0.9))
def test_one_cycle_rises_to_the_rate_and_falls_to_zero(steps, warm):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    schedule, rates = cnn.one_cycle(optimizer, steps, warm), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    top = max(1, min(steps - 1, round(warm * steps)))
    assert max(rates) == pytest.approx(0.5) and rates.index(max(rates)) == top - 1
    assert rates[-1] == pytest.approx(0)
    assert all(a < b for a, b in zip(rates[:top], rates[1:top])) and all(a > b for a, b in zip(rates[top - 1:], rates[top:]))


def test_learning_learns_and_repeats_itself():
    x, y = torch.randn(300, 1, 28, 28), torch.arange(300) % 3
    x += 3 * y.view(-1, 1, 1, 1)

    def once() -> tuple[float, torch.Tensor]:
        torch.manual_seed(0)
        net = cnn.fast_lenet()
        history = cnn.learn(net, x, y, epochs=3, size=30, rate=0.05, device="cpu")
        return history.epochs[-1]["train_accuracy"], net[0].weight.detach()

    (first, weight), (second, again) = once(), once()
    assert first == second > 0.9 and torch.equal(weight, again)


# ---- the file of the page -------------------------------------------------------------------------------------------


def settled() -> nn.Sequential:
    """A network with weights and running averages as after some training."""
    torch.manual_seed(0)
    net = cnn.fast_lenet()
    for _ in range(5):
        net(2 * torch.randn(20, 1, 28, 28))
    for layer in net:
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
    return net.eval()


@quick
@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(0, 99), st.floats(1e-3, 1e3))
def test_a_packed_tensor_comes_back_within_half_a_step(shape, seed, size):
    weight = size * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    step = weight.flatten(1).abs().amax(1) / 127
    error = (cnn.unpack(cnn.pack(weight)) - weight).flatten(1).abs().amax(1)
    assert (error <= 0.5 * step * 1.0001).all()
    assert cnn.pack(cnn.unpack(cnn.pack(weight)))["data"] == cnn.pack(weight)["data"]


def test_zeros_can_be_packed():
    assert torch.equal(cnn.unpack(cnn.pack(torch.zeros(2, 3))), torch.zeros(2, 3))


@torch.no_grad()
def test_a_network_survives_its_file(tmp_path):
    net, x = settled(), torch.randn(8, 1, 28, 28)
    path = cnn.save_network(tmp_path / "net.json", net, source="a test")
    back = cnn.load_network(path)
    assert (back(x) - net(x)).abs().max() < 0.05 * net(x).abs().max()
    again = cnn.load_network(cnn.save_network(tmp_path / "again.json", back))
    torch.testing.assert_close(again(x), back(x), atol=1e-5, rtol=1e-4)
    assert json.loads(path.read_text())["source"] == "a test"


@torch.no_grad()
def test_the_chapters_network_reads_its_own_examples():
    stored = json.loads(NETWORK.read_text())
    pixels = torch.stack([torch.frombuffer(bytearray(cnn.base64.b64decode(e["pixels"])), dtype=torch.uint8).view(28, 28)
                          for e in stored["examples"]])
    read = cnn.load_network(NETWORK)(cnn.standardise(pixels)).argmax(1).tolist()
    assert NETWORK.stat().st_size <= 120_000
    assert sum(a == e["label"] for a, e in zip(read, stored["examples"])) >= 5                   # two are shown as errors


# ---- pictures -------------------------------------------------------------------------------------------------------


@quick
@given(st.integers(0, 99), st.integers(-5, 5), st.integers(-5, 5))
def test_framing_forgets_where_the_drawing_was(seed, down, right):
    drawing = F.pad(torch.rand(2, 9, 7, generator=torch.Generator().manual_seed(seed)) + 0.2, (10, 12, 11, 9))
    torch.testing.assert_close(cnn.frame(drawing.roll((down, right), (1, 2))), cnn.frame(drawing), atol=1e-4, rtol=0)


def test_framing_centres_the_mass_and_fills_the_box():
    drawing = torch.zeros(1, 60, 60)
    drawing[0, 5:45, 30:40] = 1                                                                  # 40 high, 10 wide
    framed = cnn.frame(drawing)[0]
    middle = torch.stack([framed.sum(1 - axis) @ torch.arange(28.0) for axis in (0, 1)]) / framed.sum()
    assert middle.tolist() == pytest.approx([14, 14], abs=0.1)
    rows = (framed > 0.5).any(1).sum()
    assert 19 <= rows <= 21 and 4 <= (framed > 0.5).any(0).sum() <= 6


def test_a_shift_moves_and_brings_in_paper():
    x = cnn.standardise(torch.randint(1, 256, (2, 28, 28), dtype=torch.uint8))
    moved = cnn.shift(x, 2, -3)
    assert torch.equal(moved[:, :, 2:, :-3], x[:, :, :-2, 3:])
    assert moved[:, :, :2].unique().tolist() == pytest.approx([-cnn.MEAN / cnn.STD])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_right_angles_are_exact(turns):
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(cnn.rotate(x, 90 * turns), x.rot90(turns, (2, 3)), atol=1e-4, rtol=0)


def test_bytes_and_shares_are_standardised_alike():
    pixels = torch.randint(0, 256, (3, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(cnn.standardise(pixels), cnn.standardise(pixels / 255))
    assert cnn.standardise(pixels).shape == (3, 1, 28, 28)


# ---- what bad input is told -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call, said", [
    (lambda: cnn.output_size(4, 7), "a window of 7 does not fit into 4 pixels with padding 0; use a smaller kernel"),
    (lambda: cnn.output_size(4, 3, 0), "kernel 3, stride 0, padding 0 given; expected at least 1, 1 and 0"),
    (lambda: cnn.conv2d(torch.zeros(1, 2, 8, 8), torch.zeros(1, 3, 3, 3)), "reads 3 channels and the picture has 2"),
    (lambda: cnn.conv2d(torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 3, 5)), r"shape \(1, 2, 3, 5\); expected \(out, in, k, k\)"),
    (lambda: cnn.conv_matrix(torch.zeros(3, 3), 8, 8), r"shape \(3, 3\); expected \(out, in, k, k\)"),
    (lambda: cnn.conv_matrix(torch.zeros(1, 1, 5, 5), 4, 9), "a window of 5 does not fit into 4 pixels"),
    (lambda: cnn.frame(torch.stack([torch.ones(8, 8), torch.zeros(8, 8)])), "picture 1 is blank; there is nothing to frame"),
])
def test_bad_input_is_told_what_to_do(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_a_layer_that_the_file_cannot_hold_is_named(tmp_path):
    with pytest.raises(ValueError, match="cannot store Tanh"):
        cnn.save_network(tmp_path / "net.json", nn.Sequential(nn.Tanh()))
    with pytest.raises(ValueError, match="expected unpadded Conv2d"):
        cnn.save_network(tmp_path / "net.json", nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)))
    assert not (tmp_path / "net.json").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "other"}', '{"format": "dlbook-network-1"}',
                                  '{"format": "dlbook-network-1", "layers": [{"kind": "tanh"}]}',
                                  '{"format": "dlbook-network-1", "layers": [{"kind": "linear", "bias": null}]}'])
def test_a_file_that_is_no_network_is_refused_in_a_sentence(tmp_path, text):
    path = tmp_path / "net.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="net.json is not a network in the format dlbook-network-1"):
        cnn.load_network(path)


def test_a_missing_file_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(ValueError, match="gone.json is not a network"):
        cnn.load_network(tmp_path / "gone.json")
