"""dlbook.tensors: equality with PyTorch and NumPy on random shapes, laws of views and broadcasting, bad input."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dlbook import tensors as t

settings.register_profile("quick", max_examples=80, deadline=None)
settings.load_profile("quick")
SIZES = st.lists(st.integers(0, 4), max_size=4).map(tuple)
POSITIVE = st.lists(st.integers(1, 4), max_size=4).map(tuple)


@st.composite
def views(draw):
    """A tensor of distinct numbers, permuted, sliced and expanded."""
    shape = draw(POSITIVE)
    x = torch.arange(math.prod(shape)).reshape(shape)
    x = x.permute(draw(st.permutations(range(x.ndim))))
    for axis in range(x.ndim):
        first, step = draw(st.integers(0, x.shape[axis] - 1)), draw(st.integers(1, 3))
        x = x[(slice(None),) * axis + (slice(first, None, step),)]
    return x[None].expand(draw(st.integers(1, 3)), *x.shape) if draw(st.booleans()) else x


@st.composite
def cuts(draw, n: int):
    """Sizes whose product is n, ones among them."""
    sizes = []
    while n > 1:
        sizes.append(draw(st.sampled_from([d for d in range(2, n + 1) if n % d == 0])))
        n //= sizes[-1]
    return tuple(draw(st.permutations(sizes + [1] * draw(st.integers(0, 2)))))


# ---- strides and views

@given(SIZES)
def test_a_fresh_tensor_has_these_strides(shape):
    assert t.strides_of(shape) == torch.zeros(shape).stride()


@given(views())
def test_offset_and_strides_lead_to_every_number_of_a_view(view):
    block = torch.arange(view.untyped_storage().nbytes() // view.element_size())
    for index in np.ndindex(*view.shape):
        assert block[t.offset_of(index, view.stride(), view.storage_offset())] == view[index]


@given(views(), st.data())
def test_a_reshape_is_a_view_exactly_where_pytorch_makes_one_and_with_the_same_strides(view, data):
    new = data.draw(cuts(view.numel()))
    found = t.view_strides(view.shape, view.stride(), new)
    try:
        theirs = view.view(new).stride()
    except RuntimeError:
        assert found is None
    else:
        assert found is not None
        assert [s for s, n in zip(found, new) if n > 1] == [s for s, n in zip(theirs, new) if n > 1]


@given(views(), st.data())
def test_the_strides_of_a_view_show_the_numbers_of_the_reshape(view, data):
    new = data.draw(cuts(view.numel()))
    found = t.view_strides(view.shape, view.stride(), new)
    if found is not None:
        assert torch.equal(torch.as_strided(view, new, found, view.storage_offset()), view.reshape(new))


@given(SIZES)
def test_a_contiguous_tensor_can_be_seen_flat(shape):
    flat = t.view_strides(shape, t.strides_of(shape), (math.prod(shape),))
    assert flat == (1,) or math.prod(shape) == 1


def test_an_empty_tensor_takes_every_empty_shape():
    assert t.view_strides((0, 3), (3, 1), (2, 0)) == torch.zeros(0, 3).view(2, 0).stride()


def test_views_share_memory_and_copies_do_not():
    x = torch.arange(6.0).reshape(2, 3)
    shared = [x.T, x[1:], x[:, ::2], x.reshape(3, 2), x[0, 0], x.detach(), x[None].expand(4, 2, 3), x]
    copied = [x.clone(), x.T.reshape(6), x + 0, x[[0]], x.double(), torch.empty(0), x[:0]]
    assert all(t.is_view_of(y, x) and t.is_view_of(x, y) for y in shared)
    assert not any(t.is_view_of(y, x) or t.is_view_of(x, y) for y in copied)


def test_rows_without_overlap_still_share_their_block():
    x = torch.zeros(4)
    assert t.is_view_of(x[:2], x[2:])


# ---- broadcasting

@given(st.lists(SIZES, max_size=4))
def test_the_broadcast_shape_is_that_of_numpy_and_of_pytorch(shapes):
    try:
        theirs = np.broadcast_shapes(*shapes)
    except ValueError:
        with pytest.raises(ValueError, match="do not broadcast"):
            t.broadcast_shape(*shapes)
        with pytest.raises(RuntimeError):
            torch.broadcast_shapes(*shapes)
    else:
        assert t.broadcast_shape(*shapes) == theirs == tuple(torch.broadcast_shapes(*shapes))


@given(SIZES, SIZES)
def test_the_order_of_the_operands_does_not_matter(a, b):
    assert outcome(t.broadcast_shape, a, b) == outcome(t.broadcast_shape, b, a)


def outcome(call, *inputs):
    try:
        return call(*inputs)
    except ValueError:
        return None


@st.composite
def stretched(draw):
    """A shape and a larger one to which it broadcasts."""
    full = draw(SIZES)
    small = tuple(1 if draw(st.booleans()) else n for n in full)[draw(st.integers(0, len(full))):]
    return small, full


@given(stretched(), st.integers(0, 99))
def test_unbroadcast_is_autograds_gradient_of_a_repetition(shapes, seed):
    small, full = shapes
    grad = torch.randn(full, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    leaf = torch.zeros(small, dtype=torch.float64, requires_grad=True)
    leaf.expand(full).backward(grad)
    got = t.unbroadcast(grad, small)
    assert got.shape == leaf.shape and torch.allclose(got, leaf.grad)
    assert np.allclose(t.unbroadcast(grad.numpy(), small), leaf.grad)


@given(stretched(), st.integers(0, 99))
def test_unbroadcast_is_the_transpose_of_broadcasting(shapes, seed):
    small, full = shapes
    rng = np.random.default_rng(seed)
    b, grad = rng.normal(size=small), rng.normal(size=full)
    assert np.sum(np.broadcast_to(b, full) * grad) == pytest.approx(np.sum(b * t.unbroadcast(grad, small)))


def test_unbroadcast_keeps_kind_and_type_and_takes_lists():
    assert t.unbroadcast(torch.ones(2, 3, dtype=torch.float16), (3,)).dtype == torch.float16
    assert t.unbroadcast(np.ones((2, 3), np.float32), (2, 1)).dtype == np.float32
    assert t.unbroadcast([[1.0, 2.0], [3.0, 4.0]], (2,)).tolist() == [4, 6]
    assert t.unbroadcast([[1.0, 2.0], [3.0, 4.0]], ()).tolist() == 10


# ---- einsum

SPECS = ["i,i->", "i,i", "i,j->ij", "i,j->ji", "ij->j", "ij->", "ij", "ji", "ii->i", "ii", "iij->j", "ij,jk->ik", "ij,kj->ik",
         "bij,bjk->bik", "ij,ij->i", "ab,cb,d->dca", "i,ij,j->", "ijk->kij", "A,a->Aa", ",i->i", "ij, jk -> ik"]


@pytest.mark.parametrize("spec", SPECS)
@given(data=st.data())
@settings(max_examples=8)
def test_the_loops_equal_pytorchs_and_numpys_einsum(spec, data):
    size = {letter: data.draw(st.integers(1, 3)) for letter in sorted(set(spec) - set("->, "))}
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    operands = [rng.normal(size=[size[c] for c in part.strip()]) for part in spec.partition("->")[0].split(",")]
    got = t.einsum_loops(spec, *operands)
    assert np.allclose(got, np.einsum(spec, *operands))
    assert np.allclose(got, torch.einsum(spec, *map(torch.tensor, operands)))


def test_a_sum_over_nothing_is_zero():
    assert t.einsum_loops("ij,jk->ik", np.ones((2, 0)), np.ones((0, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_the_loops_take_lists_whole_numbers_and_tensors_of_any_kind():
    assert t.einsum_loops("i,i->", [1, 2, 3], [4, 5, 6]) == 32
    for kind in (torch.bfloat16, torch.float32):
        assert t.einsum_loops("i,i->", torch.ones(3, dtype=kind, requires_grad=True), torch.arange(3)) == 3


# ---- looking into a model

class Pair(nn.Module):
    """Returns a dictionary and a tuple, as larger models do."""

    def forward(self, x, y):
        return {"sum": x + y, "parts": (x, [y])}


def test_shapes_are_listed_in_the_order_in_which_modules_finish():
    net = nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), nn.Linear(4, 2))
    rows = t.trace_shapes(net, torch.zeros(5, 3))
    assert [row[0] for row in rows] == ["0.0", "0.1", "0", "1", ""]
    assert [row[1] for row in rows] == ["Linear", "ReLU", "Sequential", "Linear", "Sequential"]
    assert [row[2] for row in rows] == [[(5, 4)], [(5, 4)], [(5, 4)], [(5, 2)], [(5, 2)]]


def test_outputs_of_several_tensors_are_all_listed():
    assert t.trace_shapes(Pair(), torch.zeros(2), torch.zeros(1)) == [("", "Pair", [(2,), (2,), (1,)])]
    assert t.trace_shapes(nn.LSTM(3, 4), torch.zeros(6, 1, 3))[0][2] == [(6, 1, 4), (1, 1, 4), (1, 1, 4)]


def test_a_model_that_stops_says_after_which_module():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(5, 2))
    with pytest.raises(RuntimeError, match=r"after 0 \(Linear\), which gave \[\(7, 4\)\]: mat1 and mat2"):
        t.trace_shapes(net, torch.zeros(7, 3))
    with pytest.raises(RuntimeError, match=r"given \[\(7, 2\)\], the model stops after its input"):
        t.trace_shapes(net, torch.zeros(7, 2))


@pytest.mark.parametrize("look", [t.trace_shapes, t.first_nan])
def test_looking_leaves_no_hooks_no_gradients_and_no_other_mode(look):
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 1)).train()
    look(net, torch.ones(1, 2))
    with pytest.raises(RuntimeError):
        look(net, torch.ones(1, 3))
    assert not any(module._forward_hooks for module in net.modules())
    assert net.training and all(p.grad is None and p.requires_grad for p in net.parameters())


class Log(nn.Module):
    def forward(self, x):
        return x.log()


def test_the_first_place_with_a_nan_is_named_and_not_the_ones_after_it():
    net = nn.Sequential(nn.Identity(), Log(), nn.Softmax(dim=0), nn.Tanh())
    assert t.first_nan(net, torch.tensor([1.0, 2.0])) is None
    assert t.first_nan(net, torch.tensor([1.0, -2.0])) == "1 (Log)"
    assert t.first_nan(net, torch.tensor([1.0, 0.0])) == "1 (Log)"           # minus infinity, not yet a nan
    assert t.first_nan(Log(), torch.tensor([-1.0])) == "the model (Log)"


def test_inputs_come_before_weights_and_weights_before_modules():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    bad = torch.tensor([[1.0, float("inf")], [0.0, 1.0]])
    with torch.no_grad():
        net[1].running_var[0] = float("nan")
    assert t.first_nan(net, bad) == "input 0"
    assert t.first_nan(net, torch.ones(2, 2)) == "1.running_var"
    assert t.first_nan(Pair(), torch.ones(1), torch.tensor([float("nan")])) == "input 1"


def test_models_of_whole_numbers_and_of_complex_ones_can_be_searched():
    assert t.first_nan(nn.Embedding(3, 2), torch.tensor([0, 2])) is None
    assert t.first_nan(nn.Identity(), torch.tensor([complex("nan")])) == "input 0"


# ---- the stopwatch

def test_a_race_times_every_call_in_every_round_and_ranks_them():
    laps = t.race({"short": lambda: None, "long": lambda: sum(range(20_000))}, rounds=3)
    assert list(laps) == ["short", "long"] and all(seconds.shape == (3,) for seconds in laps.values())
    assert np.median(laps["long"]) > np.median(laps["short"]) > 0


def test_calls_take_turns():
    order: list[str] = []
    t.race({name: lambda name=name: order.append(name) for name in "ab"}, rounds=3, least=0)
    assert "".join(order) == "aabb" + "ab" * 3


# ---- bad input

def faults() -> Iterator[tuple]:
    """A call and words of its error."""
    yield lambda: t.strides_of((2, -1)), "shape is .*whole numbers from 0 up"
    yield lambda: t.strides_of("23"), "shape is '23'"
    yield lambda: t.strides_of((2.0,)), "write every size out"
    yield lambda: t.strides_of((True, 2)), "whole numbers"
    yield lambda: t.offset_of((1, 2), (3,)), "differ in length"
    yield lambda: t.offset_of((-1,), (3,)), "index is .*whole numbers from 0 up"
    yield lambda: t.offset_of((0.5,), (3,)), "index is"
    yield lambda: t.view_strides((2, 3), (3, 1), (4,)), "as many elements"
    yield lambda: t.view_strides((2, 3), (3, 1), (-1, 3)), "new is"
    yield lambda: t.view_strides((2, 3), (3,), (6,)), "one stride per axis"
    yield lambda: t.broadcast_shape((2, 3), (2,)), "sizes \\[2, 3\\].*equal or 1"
    yield lambda: t.unbroadcast(np.ones((2, 3)), (2,)), "do not broadcast"
    yield lambda: t.unbroadcast(np.ones(3), (2, 3)), "cannot come from"
    yield lambda: t.unbroadcast(np.ones((1, 3)), (2, 3)), "cannot come from"
    yield lambda: t.einsum_loops("ij,jk->ik", np.ones((2, 3))), "with 1 operands"
    yield lambda: t.einsum_loops("...i->i", np.ones((2, 3))), "expected letters"
    yield lambda: t.einsum_loops("ij->ii", np.ones((2, 2))), "repeat"
    yield lambda: t.einsum_loops("ij->ik", np.ones((2, 2))), "occur in no operand"
    yield lambda: t.einsum_loops("ij->i", np.ones(2)), "names 2 axes"
    yield lambda: t.einsum_loops("ij,jk->ik", np.ones((2, 3)), np.ones((2, 3))), "letter 'j' has the sizes 3 and 2"
    yield lambda: t.race({}), "0 calls"
    yield lambda: t.race({"a": list}, rounds=0), "0 rounds"


@pytest.mark.parametrize("call, words", list(faults()))
def test_bad_input_stops_with_one_clear_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_only_tensors_can_be_views():
    with pytest.raises(TypeError, match="ndarray and list; expected two tensors"):
        t.is_view_of(np.ones(2), [1])


def test_numpys_whole_numbers_are_sizes_too():
    assert t.strides_of(tuple(np.array([2, 3]))) == (3, 1) and t.broadcast_shape(torch.Size([2]), [1]) == (2,)
