"""dlbook.mathematics: Jacobians, power iteration, low rank, conditional normals, information, Huffman codes, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import softmax
from sklearn.metrics import mutual_info_score

from dlbook import mathematics as m

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
SMALL = st.floats(-5, 5).map(lambda v: round(v, 3))


@st.composite
def tables(draw, rows=st.integers(1, 6), columns=st.integers(1, 6)):
    """A matrix of moderate numbers."""
    return draw(arrays(float, (draw(rows), draw(columns)), elements=SMALL))


@st.composite
def laws(draw, count: int = 2):
    """A few probability distributions over the same outcomes, all positive."""
    k = draw(st.integers(1, 7))
    raw = [draw(arrays(float, k, elements=st.floats(0.01, 1))) for _ in range(count)]
    return [p / p.sum() for p in raw]


# ---- Jacobians

@given(tables(), st.data())
def test_the_jacobian_of_a_linear_map_is_its_matrix(a, data):
    x = data.draw(arrays(float, a.shape[1], elements=SMALL))
    np.testing.assert_allclose(m.numerical_jacobian(lambda v: a @ v + 1, x), a, atol=1e-7)


def test_the_jacobian_agrees_with_autograd_through_a_small_network():
    rng = np.random.default_rng(0)
    w1, w2, x = rng.normal(size=(5, 3)), rng.normal(size=(4, 5)), rng.normal(size=3)
    t1, t2 = torch.tensor(w1), torch.tensor(w2)
    exact = torch.autograd.functional.jacobian(lambda v: torch.softmax(t2 @ torch.tanh(t1 @ v), 0), torch.tensor(x))
    np.testing.assert_allclose(m.numerical_jacobian(lambda v: softmax(w2 @ np.tanh(w1 @ v)), x), exact, atol=1e-8)


def test_the_jacobian_of_a_function_of_a_matrix_has_one_column_per_entry():
    a = np.array([[2.0, 1.0], [0.5, 3.0]])
    jacobian = m.numerical_jacobian(np.linalg.det, a)
    np.testing.assert_allclose(jacobian, [[3.0, -0.5, -1.0, 2.0]], atol=1e-7)
    assert m.numerical_jacobian(lambda v: v.T, a).shape == (4, 4)


def test_the_jacobian_leaves_its_argument_alone_and_takes_numbers_lists_and_integers():
    x = np.array([1.0, 2.0])
    m.numerical_jacobian(lambda v: v ** 2, x)
    assert x.tolist() == [1, 2]
    np.testing.assert_allclose(m.numerical_jacobian(lambda v: v ** 2, [1, 2]), [[2, 0], [0, 4]], atol=1e-7)
    np.testing.assert_allclose(m.numerical_jacobian(np.sin, 0), [[1]], atol=1e-9)


def test_the_jacobian_scales_its_step_with_large_arguments():
    np.testing.assert_allclose(m.numerical_jacobian(np.square, [1e8]), [[2e8]], rtol=1e-6)


@pytest.mark.parametrize(("x", "step", "words"), [([], None, "at least one"), ([np.nan], None, "nan"), ([np.inf, 1], None, "inf"),
                                                 ([1.0], 0, "step is 0"), ([1.0], -1e-3, "positive"), ([1.0], np.nan, "step is nan")])
def test_the_jacobian_says_what_is_wrong_with_its_argument(x, step, words):
    with pytest.raises(ValueError, match=words):
        m.numerical_jacobian(np.square, x, step)


# ---- power iteration

@given(tables())
def test_power_iteration_finds_the_largest_eigenvalue_of_a_gram_matrix(a):
    gram = a.T @ a
    values = np.linalg.eigvalsh(gram)
    assume(len(values) == 1 or values[-2] < 0.95 * values[-1] or values[-1] == 0)
    value, vector = m.power_iteration(gram)
    assert value == pytest.approx(values[-1], rel=1e-6, abs=1e-9)
    assert np.linalg.norm(vector) == pytest.approx(1)
    np.testing.assert_allclose(gram @ vector, value * vector, atol=1e-6 * max(1, values[-1]))


def test_power_iteration_finds_a_negative_eigenvalue_where_it_is_largest_in_size():
    value, vector = m.power_iteration([[-5, 0], [0, 2]])
    assert value == pytest.approx(-5) and abs(vector[0]) == pytest.approx(1)


def test_power_iteration_takes_a_zero_matrix_and_a_repeated_eigenvalue():
    assert m.power_iteration(np.zeros((3, 3)))[0] == 0
    assert m.power_iteration(2 * np.eye(3))[0] == pytest.approx(2)


def test_power_iteration_keeps_to_a_start_that_is_an_eigenvector():
    value, vector = m.power_iteration(np.diag([3, 1]), start=[0, 4])
    assert value == 1 and vector.tolist() == [0, 1]


def test_power_iteration_gives_up_on_two_eigenvalues_of_the_same_size():
    with pytest.raises(ValueError, match="not settled in 50 steps.*eigh"):
        m.power_iteration([[1, 0], [0, -1]], steps=50)


@pytest.mark.parametrize(("matrix", "start", "words"), [
    ([[1, 2], [3, 4]], None, "not symmetric"), ([[1, 2, 3]], None, "not symmetric"), ([1, 2], None, "matrix has shape"),
    ([[np.nan]], None, "nan"), (np.zeros((0, 0)), None, "at least one"), (np.eye(2), [0, 0], "not all zero"),
    (np.eye(2), [1, 2, 3], "expected \\(2,\\)")])
def test_power_iteration_says_what_is_wrong(matrix, start, words):
    with pytest.raises(ValueError, match=words):
        m.power_iteration(matrix, start)


# ---- low rank

@given(tables(), st.data())
def test_the_error_of_the_best_low_rank_matrix_is_the_tail_of_the_singular_values(a, data):
    k = data.draw(st.integers(0, min(a.shape)))
    s = np.linalg.svd(a, compute_uv=False)
    error = a - m.low_rank(a, k)
    assert np.linalg.norm(error) == pytest.approx(np.linalg.norm(s[k:]), abs=1e-9)
    assert np.linalg.norm(error, 2) == pytest.approx(s[k] if k < len(s) else 0, abs=1e-9)


@pytest.mark.parametrize("k", [-1, 3, 1.0, True, "1", None])
def test_low_rank_refuses_a_rank_that_is_no_whole_number_in_range(k):
    with pytest.raises(ValueError, match="k is .* expected a whole number from 0 to 2"):
        m.low_rank(np.ones((2, 5)), k)


def test_low_rank_takes_lists_of_integers_and_refuses_vectors():
    np.testing.assert_allclose(m.low_rank([[1, 0], [0, 3]], 1), [[0, 0], [0, 3]], atol=1e-12)
    with pytest.raises(ValueError, match="a matrix"):
        m.low_rank([1, 2], 1)


# ---- conditional normal

@given(st.integers(2, 5), st.integers(0, 10_000))
def test_the_conditional_density_is_the_joint_over_the_marginal(d, seed):
    rng = np.random.default_rng(seed)
    root, mean, x = rng.normal(size=(d, d)), rng.normal(size=d), rng.normal(size=d)
    cov = root @ root.T + 0.1 * np.eye(d)
    known = rng.permutation(d)[:int(rng.integers(1, d))]
    free = [i for i in range(d) if i not in known]
    got_mean, got_cov = m.conditional_normal(mean, cov, known, x[known])
    joint, marginal = stats.multivariate_normal(mean, cov), stats.multivariate_normal(mean[known], cov[np.ix_(known, known)])
    expected = joint.logpdf(x) - marginal.logpdf(x[known])
    assert stats.multivariate_normal(got_mean, got_cov).logpdf(x[free]) == pytest.approx(expected, abs=1e-6)


def test_knowing_an_independent_entry_changes_nothing():
    mean, cov = m.conditional_normal([1, 2], [[4, 0], [0, 9]], [0], [100])
    assert mean.tolist() == [2] and cov.tolist() == [[9]]


def test_the_conditional_mean_is_the_least_squares_prediction():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
    design = np.column_stack([np.ones(60), x[:, :2]])
    line = design @ np.linalg.lstsq(design, x[:, 2], rcond=None)[0]
    guesses = [m.conditional_normal(x.mean(0), np.cov(x.T), [0, 1], row[:2])[0][0] for row in x]
    np.testing.assert_allclose(guesses, line)


@pytest.mark.parametrize(("known", "value", "words"), [
    ([0, 0], [1, 1], "different"), ([3], [1], "indices from 0 to 2"), ([-1], [1], "indices from 0 to 2"), ([0], [1, 2], "with 2 values"),
    ([0, 1, 2], [1, 1, 1], "one to 2"), ([0.0], [1], "whole numbers"), ([True], [1], "whole numbers"), ([], [], "value has shape"),
    ([0], [np.nan], "value holds nan")])
def test_conditional_normal_says_what_is_wrong_with_the_known_entries(known, value, words):
    with pytest.raises(ValueError, match=words):
        m.conditional_normal([0, 0, 0], np.eye(3), known, value)


@pytest.mark.parametrize(("cov", "words"), [(np.eye(3), "no covariance of mean"), ([[1, 2], [2, 1]], "negative eigenvalue"),
                                            ([[1, 2], [0, 1]], "not symmetric"), ([1, 1], "cov has shape")])
def test_conditional_normal_says_what_is_wrong_with_the_covariance(cov, words):
    with pytest.raises(ValueError, match=words):
        m.conditional_normal([0, 0], cov, [0], [1])


def test_conditional_normal_refuses_known_entries_that_determine_each_other():
    with pytest.raises(ValueError, match="leave one of them out"):
        m.conditional_normal([0, 0, 0], [[1, 1, 0], [1, 1, 0], [0, 0, 1]], [0, 1], [1, 1])


# ---- information

@given(laws())
def test_entropy_and_divergence_equal_scipys(pq):
    p, q = pq
    assert m.entropy(p) == pytest.approx(stats.entropy(p), abs=1e-12)
    assert m.kl_divergence(p, q) == pytest.approx(stats.entropy(p, q), abs=1e-12)


@given(laws())
def test_divergence_is_never_negative_and_entropy_at_most_that_of_a_fair_die(pq):
    p, q = pq
    assert m.kl_divergence(p, q) >= -1e-12 and m.kl_divergence(p, p) == pytest.approx(0, abs=1e-12)
    assert -1e-12 <= m.entropy(p) <= np.log(len(p)) + 1e-12


def test_divergence_equals_pytorchs():
    p, q = np.random.default_rng(1).dirichlet(np.ones(5), 2)
    torchs = torch.nn.functional.kl_div(torch.tensor(q).log(), torch.tensor(p), reduction="sum")
    assert m.kl_divergence(p, q) == pytest.approx(float(torchs))


def test_zeros_are_handled_by_their_limits():
    assert m.entropy([1, 0, 0]) == 0
    assert not np.signbit(m.entropy([1]))
    assert m.kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(np.log(2))
    assert m.kl_divergence([0.5, 0.5], [1, 0]) == np.inf


@given(arrays(int, (3, 4), elements=st.integers(0, 9)))
def test_mutual_information_equals_scikit_learns_and_is_symmetric(counts):
    assume(counts.sum() > 0)
    joint = counts / counts.sum()
    assert m.mutual_information(joint) == pytest.approx(mutual_info_score(None, None, contingency=counts), abs=1e-9)
    assert m.mutual_information(joint.T) == pytest.approx(m.mutual_information(joint), abs=1e-12)


@given(laws())
def test_independent_variables_share_no_information(pq):
    p, q = pq
    assert m.mutual_information(np.outer(p, q)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("p", "words"), [([0.5, 0.6], "sums to 1.1"), ([1.5, -0.5], "least entry is -0.5"), ([], "at least one"),
                                          ([np.nan, 1], "nan"), ([[0.5, 0.5]], "a vector"), ([2, 3], "divide by the sum")])
def test_entropy_and_divergence_say_what_is_wrong(p, words):
    with pytest.raises(ValueError, match=words):
        m.entropy(p)
    with pytest.raises(ValueError, match=words):
        m.kl_divergence([0.5, 0.5], p)


def test_divergence_refuses_laws_over_different_outcomes():
    with pytest.raises(ValueError, match="differ"):
        m.kl_divergence([0.5, 0.5], [1.0])


def test_mutual_information_refuses_a_vector():
    with pytest.raises(ValueError, match="joint has shape"):
        m.mutual_information([0.5, 0.5])


@pytest.mark.parametrize("size", [1e-200, 1.0, 1e200])
def test_power_iteration_does_not_mind_the_size_of_the_numbers(size):
    value, vector = m.power_iteration(size * np.diag([1.0, 0.5]))
    assert isinstance(value, float) and value == pytest.approx(size) and abs(vector[0]) == pytest.approx(1)


@pytest.mark.parametrize(("f", "words"), [(lambda v: v * np.nan, "f gives nan near x"), (lambda v: 1 / (v - 1) ** 2 * np.inf, "f gives inf"),
                                          (lambda v: np.ones(1 + int(v[0] > 1)), "answers of different sizes")])
def test_a_jacobian_refuses_answers_that_it_cannot_subtract(f, words):
    with pytest.raises(ValueError, match=words):
        m.numerical_jacobian(f, [1.0])


# ---- Huffman

@given(st.dictionaries(st.integers(), st.integers(1, 50), min_size=2, max_size=12))
def test_a_huffman_code_can_be_read_back_and_is_within_one_bit_of_the_entropy(counts):
    code = m.huffman(counts)
    words = sorted(code.values())
    assert set(code) == set(counts)
    assert not any(later.startswith(word) for word, later in zip(words, words[1:]))    # sorted: a prefix stands before its word
    assert sum(2.0 ** -len(word) for word in words) == 1
    p = np.array([counts[s] for s in code]) / sum(counts.values())
    mean = sum(p * [len(w) for w in code.values()])
    assert m.entropy(p) / np.log(2) - 1e-9 <= mean < m.entropy(p) / np.log(2) + 1


@given(st.lists(st.integers(1, 30), min_size=4, max_size=4))
def test_no_code_for_four_symbols_is_shorter_than_huffmans(counts):
    code = m.huffman(dict(enumerate(counts)))
    allowed = [l for l in np.ndindex(5, 5, 5, 5) if min(l) > 0 and sum(2.0 ** -i for i in l) <= 1]
    assert sum(c * len(code[i]) for i, c in enumerate(counts)) == min(np.dot(counts, l) for l in allowed)


def test_more_frequent_symbols_have_words_that_are_no_longer():
    code = m.huffman({"a": 8, "b": 4, "c": 2, "d": 1})
    assert [len(code[s]) for s in "abcd"] == [1, 2, 3, 3]


def test_a_single_symbol_gets_a_word_of_one_bit():
    assert m.huffman({"x": 3}) == {"x": "0"}


def test_symbols_that_cannot_be_ordered_are_fine():
    assert set(m.huffman({"a": 1, 1: 1, None: 1})) == {"a", 1, None}


@pytest.mark.parametrize("weights", [{}, {"a": 0}, {"a": 1, "b": -1}, {"a": np.nan, "b": 1}, {"a": np.inf}])
def test_huffman_refuses_weights_that_are_not_positive(weights):
    with pytest.raises(ValueError, match="huffman: .* expected at least one, and all positive and finite"):
        m.huffman(weights)
