"""dlbook.backpropagation: both engines against PyTorch on random graphs, duals, checks, checkpoints, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from dlbook import backpropagation as b

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
SEEDS = st.integers(0, 2**32 - 1)
BASE = (2, 3, 4)


# ---- random programs: the same one runs on Values, Nodes, Duals and torch tensors

SCALAR = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - 2 * y, lambda x, y: (x * 0.5).tanh(),
          lambda x, y: 3 - x,
          lambda x, y: x / (y * y + 1.0), lambda x, y: (x.tanh() + 1.5).log(), lambda x, y: x.tanh().exp() ** 1.5,
          lambda x, y: 1 / (x * x + 0.5), lambda x, y: x.relu() + y, lambda x, y: x * x]
ARRAY = [lambda x, y: x + y, lambda x, y: x * y, lambda x, y: x - y, lambda x, y: x / (y * y + 1.0),
         lambda x, y: x.tanh(),
         lambda x, y: x.sigmoid() * y, lambda x, y: x.relu() - 1, lambda x, y: (x * 0.3).tanh().exp(),
         lambda x, y: -x * x,
         lambda x, y: (x * x + 0.5).log(), lambda x, y: (x * x + 1.0) ** 0.5, lambda x, y: x.sum(-1, True) * 0.3,
         lambda x, y: x.mean(0) + y, lambda x, y: 1.0 / (x * x + 1.0)]


def program(operations, steps):
    """A function of a list of leaves: each step applies an operation to two earlier results."""
    def run(leaves):
        pool = list(leaves)
        for op, i, j in steps:
            pool.append(operations[op](pool[i % len(pool)], pool[j % len(pool)]))
        return pool[-1] + pool[-2] * 0.5
    return run


def steps_for(operations):
    places = st.integers(0, 50)
    return st.lists(st.tuples(st.integers(0, len(operations) - 1), places, places), min_size=3, max_size=10)


@st.composite
def broadcastable(draw):
    """Shapes that broadcast with each other: (2, 3, 4) with axes shrunk to one or dropped in front."""
    return [tuple(n if draw(st.booleans()) else 1 for n in BASE[draw(st.integers(0, 2)):]) for _ in range(3)]


def grads(y, leaves):
    return [np.zeros(t.shape) if g is None else g.numpy()
            for g, t in zip(torch.autograd.grad(y, leaves, allow_unused=True), leaves)]


@given(steps_for(SCALAR), SEEDS)
def test_the_scalar_engine_equals_pytorch_on_random_graphs(steps, seed):
    start = np.random.default_rng(seed).normal(size=3)
    ours, theirs = [b.Value(v) for v in start], [torch.tensor(v, requires_grad=True) for v in start]
    y, z = program(SCALAR, steps)(ours), program(SCALAR, steps)(theirs)
    y.backward()
    assert y.data == pytest.approx(z.item(), rel=1e-9)
    assert [v.grad for v in ours] == pytest.approx([float(g) for g in grads(z, theirs)], rel=1e-7, abs=1e-9)


@given(steps_for(SCALAR), SEEDS)
def test_forward_sweep_reverse_sweep_and_dual_numbers_agree(steps, seed):
    start, along = np.random.default_rng(seed).normal(size=(2, 3))
    leaves = [b.Value(v) for v in start]
    y = program(SCALAR, steps)(leaves)
    y.backward()
    reverse = [v.grad for v in leaves]
    assert b.tangents([y], dict(zip(leaves, along)))[0] == pytest.approx(along @ reverse, rel=1e-7, abs=1e-9)
    assert b.dual_gradient(program(SCALAR, steps), start) == pytest.approx(reverse, rel=1e-7, abs=1e-9)


@given(steps_for(ARRAY), broadcastable(), SEEDS)
def test_the_array_engine_equals_pytorch_on_random_graphs_shapes_and_broadcasts(steps, shapes, seed):
    rng = np.random.default_rng(seed)
    start = [rng.normal(size=shape) for shape in shapes]
    ours, theirs = [b.Node(v) for v in start], [torch.tensor(v, requires_grad=True) for v in start]
    y, z = program(ARRAY, steps)(ours), program(ARRAY, steps)(theirs)
    assert y.shape == tuple(z.shape) and np.allclose(y.data, z.detach().numpy(), rtol=1e-9, atol=1e-9)
    seed_array = rng.normal(size=y.shape)
    y.backward(seed_array)
    for node, theirs_grad in zip(ours, grads((z * torch.tensor(seed_array)).sum(), theirs)):
        grad = np.zeros(node.shape) if node.grad is None else node.grad
        assert grad.shape == node.shape and np.allclose(grad, theirs_grad, rtol=1e-7, atol=1e-8)


MATMULS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 3), (5, 3, 4)),
           ((3,), (5, 3, 4)),
           ((5, 2, 3), (3,)), ((5, 2, 3), (5, 3, 4)), ((6, 1, 2, 3), (5, 3, 4)),
           ((1, 2, 3), (5, 3, 1)), ((1, 1), (1, 1))]


@pytest.mark.parametrize(("left", "right"), MATMULS)
def test_matrix_products_of_all_kinds_equal_pytorch(left, right):
    rng = np.random.default_rng(0)
    start = rng.normal(size=left), rng.normal(size=right)
    ours, theirs = [b.Node(v) for v in start], [torch.tensor(v, requires_grad=True) for v in start]
    y, z = ours[0] @ ours[1], theirs[0] @ theirs[1]
    weights = rng.normal(size=y.shape)
    y.backward(weights)
    for node, grad in zip(ours, grads((z * torch.tensor(weights)).sum(), theirs)):
        assert node.grad.shape == node.shape and np.allclose(node.grad, grad)


REDUCTIONS = [dict(axis=axis, keepdims=keep) for axis in (None, 0, 1, -1, (0, 2), (0, 1, 2)) for keep in (False, True)]


@pytest.mark.parametrize("how", REDUCTIONS)
@pytest.mark.parametrize("name", ["sum", "mean", "max"])
def test_reductions_over_any_axes_equal_pytorch_and_ties_share(name, how):
    x = np.random.default_rng(1).integers(0, 3, BASE).astype(float)                  # with many ties
    ours, theirs = b.Node(x), torch.tensor(x, requires_grad=True)
    dims = dict(dim=tuple(range(3)) if how["axis"] is None else how["axis"], keepdim=how["keepdims"])
    y, z = getattr(ours, name)(**how), getattr(theirs, {"max": "amax"}.get(name, name))(**dims)
    assert y.shape == tuple(z.shape) and np.allclose(y.data, z.detach())
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert np.allclose(ours.grad, theirs.grad)


PLACES = [lambda x: x[1], lambda x: x[..., 0], lambda x: x[:, ::2], lambda x: x[[0, 0, 1]],
          lambda x: x[[0, 1, 1], [2, 2, 2]],
          lambda x: x[:, None], lambda x: x.reshape(6, 4), lambda x: x.reshape(-1), lambda x: x[:, :, [3, 3, 0]]]


@pytest.mark.parametrize("f", PLACES)
def test_indexing_and_reshaping_equal_pytorch_also_where_an_entry_is_taken_twice(f):
    x = np.random.default_rng(2).normal(size=BASE)
    ours, theirs = b.Node(x), torch.tensor(x, requires_grad=True)
    (f(ours) ** 3).sum().backward()
    (f(theirs) ** 3).sum().backward()
    assert np.allclose(ours.grad, theirs.grad)


@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 0, 1), (-1, 0, 1), (1, 2, 0)])
def test_a_transpose_gives_back_the_gradient_in_the_first_order(axes):
    x, w = np.random.default_rng(3).normal(size=(2, *BASE))
    leaf = b.Node(x)
    (leaf.transpose(*axes) * w.transpose(axes)).sum().backward()
    assert np.array_equal(leaf.grad, w) and b.Node(x).T.shape == BASE[::-1]


@given(st.integers(1, 6), st.integers(2, 5), st.floats(0.1, 300), SEEDS)
def test_cross_entropy_equals_pytorchs_also_for_huge_logits(n, k, scale, seed):
    rng = np.random.default_rng(seed)
    x, labels = scale * rng.normal(size=(n, k)), rng.integers(0, k, n)
    ours, theirs = b.Node(x), torch.tensor(x, requires_grad=True)
    y, z = ours.cross_entropy(labels), torch.nn.functional.cross_entropy(theirs, torch.tensor(labels))
    y.backward()
    z.backward()
    assert float(y.data) == pytest.approx(z.item(), abs=1e-12) and np.allclose(ours.grad, theirs.grad, atol=1e-14)


def test_gradients_accumulate_over_uses_and_over_calls_as_in_pytorch():
    x, t = b.Node([1.0, 2.0]), torch.tensor([1.0, 2.0], requires_grad=True)
    for leaf in (x, t):
        y = (leaf * leaf + leaf).sum()
        y.backward(**({"retain_graph": True} if leaf is t else {}))
        y.backward()
    assert x.grad.tolist() == t.grad.tolist() == [6.0, 10.0]
    v = b.Value(3.0)
    (v * v).backward()
    (v * v).backward()
    assert v.grad == 12.0


def test_graphs_far_deeper_than_the_recursion_limit_are_no_trouble():
    v, n = b.Value(1.0), b.Node([1.0])
    deep, wide = v, n
    for _ in range(30_000):
        deep, wide = deep * 1.0001, wide + 0.0
    deep.backward()
    wide.sum().backward()
    assert v.grad == pytest.approx(1.0001 ** 30_000) and n.grad == [1.0]


def test_order_puts_parents_first_and_lists_each_node_once():
    x = b.Value(2.0)
    y = x * x + x
    order = b.topological_order(y, x * 3)
    place = {id(node): k for k, node in enumerate(order)}
    assert len(place) == len(order) == 5
    assert all(place[id(p)] < place[id(node)] for node in order for p, _ in node.edges)


def test_constants_and_no_grad_record_nothing_and_numpy_may_stand_on_the_left():
    x = b.Node(np.ones((2, 2)))
    assert (b.Node([1.0], tracked=False) * 2).edges == ()
    with pytest.raises(ZeroDivisionError), b.no_grad():                # an error inside ends it as well
        1 / 0
    assert (x * 2).tracked
    with b.no_grad():
        assert not (x * 2).tracked
    y = np.full(2, 3.0) @ x + np.float64(2) * x - np.ones(2) / x
    assert isinstance(y, b.Node) and isinstance(np.float64(2) * b.Value(1.0), b.Value) and y.tracked


def test_the_array_in_a_node_is_a_copy_and_cannot_be_overwritten():
    mine = np.ones(3)
    x = b.Node(mine)
    mine[0] = 5
    assert x.data[0] == 1
    for node in (x, x * 2, x.reshape(3, 1), x.sum()):
        with pytest.raises(ValueError, match="read-only"):
            node.data[...] = 0
    (x * x).sum().backward()
    x.grad += 1                                                        # a gradient is yours to change
    assert x.grad.tolist() == [3, 3, 3]


@given(st.lists(st.integers(1, 5), min_size=2, max_size=4), st.integers(1, 6), SEEDS)
def test_the_matrix_formulas_equal_the_engine_for_any_widths(widths, n, seed):
    rng = np.random.default_rng(seed)
    params = b.start_weights(widths, rng)
    params[1::2] = [rng.normal(size=p.shape) for p in params[1::2]]
    x, labels = rng.normal(size=(n, widths[0])), rng.integers(0, widths[-1], n)
    nodes = [b.Node(p) for p in params]
    loss = b.network_logits(nodes, x, "tanh").cross_entropy(labels)
    loss.backward()
    value, w_grads, b_grads = b.mlp_gradients(x, labels, params[0::2], params[1::2])
    assert value == pytest.approx(float(loss.data))
    for node, grad in zip(nodes, [g for pair in zip(w_grads, b_grads) for g in pair]):
        assert np.allclose(node.grad, grad, atol=1e-12)


def test_one_row_lists_and_whole_numbers_are_taken():
    loss, (w,), (c,) = b.mlp_gradients([[1, 2]], [1], [np.zeros((2, 2))], [np.zeros(2)])
    assert loss == pytest.approx(math.log(2)) and np.allclose(w, [[0.5, -0.5], [1, -1]]) and np.allclose(c, [0.5, -0.5])
    x = b.Node([[1, 2]])
    (x * 2).sum().backward()
    assert x.data.dtype == float and x.grad.tolist() == [[2, 2]] and len(x) == 1 and repr(x) == "Node(1, 2)"


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.uint8, bool])
def test_every_kind_of_number_becomes_a_double(dtype):
    x = b.Node(np.array([[0, 1], [1, 1]], dtype=dtype))
    ((x + 1.0) ** -1).sum().backward()
    assert x.data.dtype == x.grad.dtype == float and x.grad.tolist() == [[-1, -0.25], [-0.25, -0.25]]


SHAPES = [((), (2, 3)), ((1,), ()), ((1, 1), (3,)), ((2, 1, 3), (4, 1)), ((3, 1), (1, 4)), ((1, 2, 1), (5, 1, 6)), ((), ())]


@pytest.mark.parametrize(("left", "right"), SHAPES)
def test_broadcasts_of_single_numbers_and_of_both_sides_equal_pytorch(left, right):
    rng = np.random.default_rng(7)
    start = rng.uniform(0.5, 2, size=left), rng.uniform(0.5, 2, size=right)
    ours, theirs = [b.Node(v) for v in start], [torch.tensor(v, requires_grad=True) for v in start]
    for leaves, out in ((ours, None), (theirs, None)):
        (leaves[0] * leaves[1] - leaves[0] / leaves[1] + leaves[0] ** 2).exp().sum().backward()
    for node, tensor in zip(ours, theirs):
        assert np.shape(node.grad) == node.shape and np.allclose(node.grad, tensor.grad)


def test_an_empty_selection_has_the_sum_zero_and_sends_back_zeros():
    x = b.Node(np.ones((3, 2)))
    y = x[0:0].sum() + (x[0:0] @ np.ones((2, 3))).sum()
    y.backward()
    assert y.data == 0 and (x.grad == 0).all()


def test_infinities_and_nan_that_arise_on_the_way_come_out_as_in_pytorch():
    for f in (lambda x, c: (x * c).sum(), lambda x, c: (x - x * c).exp().sum(), lambda x, c: (x / (c * 0)).sum()):
        ours, theirs = b.Node([1.0, -1.0, 0.0]), torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64, requires_grad=True)
        with np.errstate(all="ignore"):
            f(ours, np.array([np.inf, np.nan, 2.0])).backward()
        f(theirs, torch.tensor([np.inf, np.nan, 2.0])).backward()
        assert np.array_equal(ours.grad, theirs.grad.numpy(), equal_nan=True)


def test_indices_and_labels_that_change_after_the_forward_pass_change_no_gradient():
    x, where, labels = b.Node([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0, 1]), np.array([0, 1, 0])
    picked, loss = x[where].sum(), x.cross_entropy(labels)
    where[:], labels[:] = 2, 1
    picked.backward()
    assert x.grad.tolist() == [[1, 1], [1, 1], [0, 0]]
    loss.backward()
    fresh = b.Node(x.data)
    fresh.cross_entropy([0, 1, 0]).backward()
    assert np.allclose(x.grad - [[1, 1], [1, 1], [0, 0]], fresh.grad)


def test_a_tuple_of_axes_transposes_as_single_axes_do():
    x = b.Node(np.arange(24.0).reshape(BASE))
    (x.transpose((2, 0, 1)) * np.arange(24.0).reshape(4, 2, 3)).sum().backward()
    assert np.array_equal(x.grad.transpose(2, 0, 1), np.arange(24.0).reshape(4, 2, 3))


def test_a_seed_inside_the_graph_cuts_what_leads_into_it():
    x = b.Value(2.0)
    y = x * x
    assert b.tangents([y * y + x], {y: 1.0}) == [8.0] and b.tangents([y * y + x], {x: 1.0}) == [33.0]
    assert b.tangents([y], {b.Value(1.0): 1.0}) == [0.0]


def test_lists_of_weights_are_taken_and_leave_the_callers_alone():
    weights, biases = [[[1.0, 2.0], [3.0, 4.0]]], [[0.0, 0.0]]
    loss, (w,), (c,) = b.mlp_gradients([[1.0, 2.0]], [0], weights, biases)
    node = b.Node(weights[0])
    b.network_logits([node, b.Node(biases[0])], [[1.0, 2.0]], "tanh").cross_entropy([0]).backward()
    assert np.allclose(w, node.grad) and weights == [[[1.0, 2.0], [3.0, 4.0]]]


def test_stepped_makes_fresh_leaves_one_step_downhill():
    p = b.Node([3.0])
    (p * p).sum().backward()
    q, = b.stepped([p], 0.1)
    assert q.data.tolist() == pytest.approx([2.4]) and q.grad is None and p.data.tolist() == [3.0]


def test_start_weights_have_the_promised_spread():
    w, bias = b.start_weights([400, 300], np.random.default_rng(0))
    assert w.std() == pytest.approx(math.sqrt(2 / 400), rel=0.02) and (bias == 0).all()


# ---- checking

@given(SEEDS)
def test_central_gradient_equals_scipys_within_its_larger_error(seed):
    x = np.random.default_rng(seed).normal(size=4)
    f = lambda z: float(np.tanh(z).prod() + (z ** 3).sum())
    assert np.allclose(b.central_gradient(f, x), approx_fprime(x, f, 1e-8), atol=1e-5)


def test_a_check_passes_what_is_right_and_fails_what_is_wrong():
    x, w = np.random.default_rng(4).normal(size=(2, 3, 2))
    assert b.gradient_check(lambda a, c: ((a * c).sigmoid() / (c * c + 1)).sum(), x, w) < 1e-8

    def wrong(a):
        y = a.exp()
        y.edges = tuple((p, lambda g: 1.001 * g * y.data) for p, _ in y.edges)
        return y.sum()

    assert b.gradient_check(wrong, x) == pytest.approx(0.0005, rel=0.01)
    assert b.gradient_check(lambda a, c: (a * a).sum(), x, w) < 1e-9               # an argument without influence


def test_a_gradient_that_is_no_number_is_never_passed_wherever_it_stands():
    with np.errstate(all="ignore"):
        for f, arrays in [(lambda x, y: (x * x).sum() + (y ** 0.5).sum(), ([1.0], [0.0])),
                          (lambda y, x: (x * x).sum() + (y ** 0.5).sum(), ([0.0], [1.0]))]:
            assert math.isnan(b.gradient_check(f, *arrays))


def test_large_entries_take_larger_steps_and_constants_have_no_gradient():
    assert b.central_gradient(lambda x: float((x ** 2).sum()), [1e12]) == pytest.approx([2e12], rel=1e-9)
    assert b.central_gradient(lambda x: float((x ** 2).sum()), [-3.0, 0.0]) == pytest.approx([-6, 0], abs=1e-8)
    assert b.central_gradient(lambda x: x * x, [1.0]) == pytest.approx([2.0])
    assert b.gradient_check(lambda x: 1.0, [1.0]) == 0 == b.gradient_check(lambda x: b.Node(1.0, tracked=False), [1.0])


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_the_best_step_is_the_minimum_of_truncation_and_rounding(value, third):
    h, least = b.central_step(value, third)
    error = lambda h: third * h * h / 6 + b.EPS * value / h
    assert error(h) == pytest.approx(least) and least < error(0.9 * h) and least < error(1.1 * h)


@given(st.floats(-3, 3))
def test_the_complex_step_is_exact_to_rounding(x):
    f = lambda z: np.exp(np.sin(z)) * z
    exact = math.exp(math.sin(x)) * (1 + x * math.cos(x))
    assert b.complex_derivative(f, x) == pytest.approx(exact, rel=1e-13, abs=1e-14)


def test_relative_error_is_symmetric_and_runs_from_nought_to_one():
    a, c = np.random.default_rng(5).normal(size=(2, 6))
    assert b.relative_error(a, c) == b.relative_error(c, a) <= 1 and b.relative_error(a, a) == 0
    assert b.relative_error(a, -a) == 1 == b.relative_error(a, 0 * a) and b.relative_error([0.0], [0.0]) == 0


# ---- duals, second derivatives, checkpoints

PAIR = st.tuples(st.floats(0.2, 3), st.floats(-3, 3))


@given(PAIR, PAIR)
def test_dual_functions_carry_the_derivative(p, q):
    x, y = b.Dual(*p), b.Dual(*q) + 5.0
    a, da, c, dc = *p, q[0] + 5, q[1]
    for got, value, slope in [(x * y, a * c, a * dc + da * c), (x / y, a / c, (da * c - a * dc) / c ** 2),
                              (x.log(), math.log(a), da / a),
                              (x.exp(), math.exp(a), math.exp(a) * da),
                              (x.tanh(), math.tanh(a), da / math.cosh(a) ** 2),
                              (2 - x, 2 - a, -da), (1 / x, 1 / a, -da / a ** 2),
                              (x ** 2.5, a ** 2.5, 2.5 * a ** 1.5 * da),
                              (x ** 0, 1, 0),
                              (x.relu(), a, da), ((-x).relu(), 0, 0)]:
        assert (got.value, got.slope) == (pytest.approx(value), pytest.approx(slope, abs=1e-12))


def test_a_constant_array_broadcasts_in_both_parts_of_a_dual():
    d = b.Dual(2.0, 1.0) * np.arange(3.0) + np.ones(3)
    assert d.sum().value == 9.0 and d.sum().slope == 3.0
    assert (np.eye(2) @ b.Dual(np.ones(2), np.array([1.0, 2.0]))).slope.tolist() == [1.0, 2.0]


@given(SEEDS)
def test_hessian_vector_products_equal_pytorchs(seed):
    rng = np.random.default_rng(seed)
    x, v, w = rng.normal(size=(3, 4, 2))
    f = lambda z, w: ((z * w).tanh() * z).sum() + ((z * 0.2).exp() / (z * z + 1.0)).sum()
    theirs = torch.autograd.functional.hvp(lambda z: f(z, torch.tensor(w)), torch.tensor(x), torch.tensor(v))[1]
    assert np.allclose(b.hessian_vector(lambda z: f(z, w), x, v), theirs)
    assert (b.hessian_vector(lambda z: (z * w).sum(), x, v) == 0).all()


@given(st.integers(1, 9), SEEDS)
def test_recomputed_segments_give_the_same_gradients_to_the_last_bit(size, seed):
    rng = np.random.default_rng(seed)
    start, x = rng.normal(size=(9, 3, 3)), rng.normal(size=(2, 3))

    def run(cut: bool):
        weights, leaf = [b.Node(w) for w in start], b.Node(x)
        h = leaf
        for first in range(0, 9, size):
            def part(z, first=first):
                for w in weights[first:first + size]:
                    z = (z @ w).tanh()
                return z
            h = b.recompute(part, h) if cut else part(h)
        (h * h).sum().backward()
        return [leaf.grad, *(w.grad for w in weights)], len(b.topological_order(h))

    (plain, long), (cut, short) = run(False), run(True)
    assert all((p == c).all() for p, c in zip(plain, cut)) and short <= 10 < long


def test_a_recomputed_segment_may_be_constant_the_identity_or_run_backwards_within_no_grad():
    x = b.Node([2.0])
    (b.recompute(lambda z: b.Node([5.0], tracked=False), x) * x).sum().backward()
    assert x.grad.tolist() == [5]
    y = b.Node([2.0])
    b.recompute(lambda z: z, y).sum().backward()
    assert y.grad.tolist() == [1]
    z = b.Node([3.0])
    loss = b.recompute(lambda v: v * v, z).sum()
    with b.no_grad():
        loss.backward()
    assert z.grad.tolist() == [6]


def test_whole_numbers_and_constants_have_dual_gradients_and_hessians_too():
    assert b.dual_gradient(lambda z: 1 / z[0] + z[1] ** -1, np.array([1, 2])) == [-1, -0.25]
    assert b.dual_gradient(lambda z: 3.0, [1.0]) == [0]
    assert b.hessian_vector(lambda d: 3.0, [1.0], [1.0]).tolist() == [0] and b.hessian_vector(lambda d: d * d * d, 2.0, 1.0) == 12


@pytest.mark.parametrize(("call", "words"), [
    (lambda: b.Value(math.nan), "a Value was given nan; expected a finite number"),
    (lambda: b.Node([]), r"of shape \(0,\) are empty or hold nan or inf; expected finite numbers"),
    (lambda: b.Node([1.0, math.inf]), "are empty or hold nan or inf"),
    (lambda: b.Node([[1.0], [1.0, 2.0]]), "list given that holds no plain numbers; expected real numbers in rows"),
    (lambda: b.Node("3"), "str given that holds no plain numbers"),
    (lambda: b.Node([1j]), "holds no plain numbers"),
    (lambda: b.Node([1.0]) * None, "NoneType given that holds no plain numbers"),
    (lambda: b.Node([1.0]) * "a", "str given that holds no plain numbers"),
    (lambda: b.Node(torch.ones(2, requires_grad=True)), "Tensor given that holds no plain numbers"),
    (lambda: (b.Node([1.0]) * 2).backward("a"), "the seed: str given"),
    (lambda: b.Value("3"), "a Value was given 3; expected a finite number"),
    (lambda: b.Value(None), "a Value was given None"),
    (lambda: b.Value(1.0) + np.ones(2), r"a Value was given \[1. 1.\]"),
    (lambda: b.Value(1.0) / 0, "0 to the power of -1 is needed; expected a result that is a finite real number"),
    (lambda: b.Value(-1.0) ** 0.5, "-1 to the power of 0.5 is needed"),
    (lambda: b.Value(1e200) ** 2, r"1e\+200 to the power of 2 is needed"),
    (lambda: b.Value(0.0).log(), "the logarithm of 0 was asked for; expected a positive number"),
    (lambda: b.Value(1000.0).exp(), "a Value was given inf"),
    (lambda: b.Node(np.ones(3))[0:0].mean(), r"mean: an array of shape \(0,\) given; expected one with at least one entry"),
    (lambda: b.Node(np.ones(3))[0:0].max(), "max: an array of shape"),
    (lambda: b.Node(np.ones((3, 2)))[:, 0:0].log_sum_exp(), "log_sum_exp: an array of shape"),
    (lambda: b.Node(3.0).log_sum_exp(), "a single number given; expected an array with a last axis"),
    (lambda: b.Node(np.ones((3, 2)))[0:0].cross_entropy(np.zeros(0, int)), "each of one or more rows"),
    (lambda: b.Node(np.ones((2, 3))) @ np.ones((2, 3)), r"a matrix product of shapes \(2, 3\) and \(2, 3\)"),
    (lambda: b.Node(2.0) @ b.Node(2.0), r"a matrix product of shapes \(\) and \(\)"),
    (lambda: b.Node(np.ones((2, 3))).transpose(0, 3), "out of bounds"),
    (lambda: b.Node([1.0, 2.0]).exp().backward(), r"the result has shape \(2,\); expected a single number, or a seed"),
    (lambda: b.Node([1.0, 2.0]).exp().backward([1.0]),
     r"the seed has shape \(1,\); expected that of the result, \(2,\)"),
    (lambda: (b.Node(1.0, tracked=False) * 2).backward(), "nothing was recorded"),
    (lambda: b.Node([[1.0, 2.0]]).cross_entropy([2]), "labels run from 2 to 2; expected 0 to 1"),
    (lambda: b.Node([[1.0, 2.0]]).cross_entropy([-1]), "labels run from -1"),
    (lambda: b.Node([[1.0, 2.0]]).cross_entropy([0.0]), "expected a whole number for each of one or more rows"),
    (lambda: b.Node([[1.0, 2.0]]).cross_entropy([0, 1]), r"labels \(2,\) of int64 for logits \(1, 2\)"),
    (lambda: b.mlp_gradients([1.0], [0], [np.ones((1, 2))], [np.ones(2)]),
     r"inputs \(1,\), 1 weights and 1 biases given"),
    (lambda: b.mlp_gradients([[1.0]], [0], [], []), "expected \\(n, d\\) inputs and a bias for each of one or more"),
    (lambda: b.mlp_gradients([[1.0]], [0], [np.ones((2, 2))], [np.ones(2)]),
     r"weights\[0\] have shape \(2, 2\) and biases\[0\] \(2,\); expected \(1, d\) and \(d,\)"),
    (lambda: b.mlp_gradients(np.ones((2, 2)), [0, 1], [np.ones((2, 2))], [np.ones((2, 1))]), r"biases\[0\] \(2, 1\)"),
    (lambda: b.mlp_gradients([[1.0]], [0], [[[math.nan, 1.0]]], [[0.0, 0.0]]), r"weights\[0\] of shape \(1, 2\) are empty or"),
    (lambda: b.network_logits([b.Node(np.ones((2, 2)))], np.ones((1, 2))), "1 params and the activation 'relu' given"),
    (lambda: b.network_logits([b.Node(np.ones((2, 2))), b.Node([0.0, 0.0])], np.ones((1, 2)), "gelu"), "'gelu' given; expected"),
    (lambda: b.mlp_gradients([[math.nan]], [0], [np.ones((1, 2))], [np.ones(2)]), "inputs of shape"),
    (lambda: b.start_weights([3], np.random.default_rng(0)), r"widths \(3,\) given"),
    (lambda: b.start_weights([2.5, 3], np.random.default_rng(0)), r"widths \(2.5, 3\) given"),
    (lambda: b.stepped([b.Node(1.0)], 0.1), "a weight has no gradient"),
    (lambda: b.central_step(0.0, 1.0), "expected two positive, finite numbers"),
    (lambda: b.central_step(math.inf, 1.0), "sizes inf and 1.0 given"),
    (lambda: b.central_gradient(lambda x: x, [1.0, 2.0]), r"the function returned an array of shape \(2,\)"),
    (lambda: b.central_gradient(lambda x: x.sum(), [1.0], 0.0), "step is 0.0"),
    (lambda: b.gradient_check(lambda: 1.0), "no arrays given"),
    (lambda: b.central_gradient(lambda x: 0.0, []), "are empty"),
    (lambda: b.relative_error([1.0], [1.0, 2.0]), "arrays of 1 and 2 numbers given"),
    (lambda: b.recompute(lambda z: z * b.Node(2.0), b.Node(1.0, tracked=False)), "the input is not tracked"),
    (lambda: b.recompute(lambda z: z, np.ones(2)), "expected a tracked Node"),
    (lambda: b.hessian_vector(lambda d: d.sum(), np.ones(2), np.ones(3)), r"the direction has shape \(3,\)"),
])
def test_bad_input_stops_with_a_sentence_that_says_what_to_do(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize("leaf", [b.Value(2.0), b.Node(2.0)])
def test_an_exponent_that_is_a_variable_is_refused_with_the_way_round(leaf):
    with pytest.raises(TypeError, match=r"write \(b \* a.log\(\)\).exp\(\)"):
        leaf ** leaf
