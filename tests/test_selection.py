"""dlbook.selection: splitters, paths, searches and tests equal the libraries' and refuse what has no answer."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import linear_model, model_selection

from dlbook import selection as m

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
LABELS = st.lists(st.sampled_from(["a", "b", 3, 2.5, True, ("t",)]), min_size=8, max_size=60)
SEEDS = st.none() | st.integers(0, 5)
FOLDS = st.integers(2, 5)


def assert_partition(folds, n):
    """Every row is tested once, and trains wherever it is not tested."""
    assert np.array_equal(np.sort(np.concatenate([test for _, test in folds])), np.arange(n))
    for train, test in folds:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(n))


def assert_same_folds(ours, theirs):
    """The same rows in the same parts."""
    for (train, test), (other_train, other_test) in zip(ours, theirs, strict=True):
        assert np.array_equal(train, other_train) and np.array_equal(test, other_test)


def quietly(make, *arguments, **options):
    """The result without the warning about rare classes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(make(*arguments, **options))


def table(n, d, seed=0):
    """A random table and a target that depends on its first column."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x, 2 * x[:, 0] + rng.normal(size=n) + 3


@given(st.integers(5, 80), FOLDS, SEEDS)
def test_k_folds_are_a_partition_into_nearly_equal_parts(n, k, seed):
    folds = m.k_folds(n, k, seed)
    assert_partition(folds, n)
    assert np.ptp([len(test) for _, test in folds]) <= 1


@given(st.integers(5, 80), FOLDS)
def test_k_folds_equal_scikit_learn(n, k):
    assert_same_folds(m.k_folds(n, k), model_selection.KFold(k).split(np.zeros(n)))


@given(LABELS, FOLDS, SEEDS)
def test_stratified_folds_share_every_class_evenly_whatever_the_labels_are(y, k, seed):
    assume(max(y.count(label) for label in y) >= k)
    folds = quietly(m.stratified_folds, y, k, seed)
    assert_partition(folds, len(y))
    for label in set(y):
        assert np.ptp([sum(y[i] == label for i in test) for _, test in folds]) <= 1


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), FOLDS)
def test_stratified_folds_equal_scikit_learn(y, k):
    assume(max(y.count(label) for label in y) >= k)
    theirs = quietly(model_selection.StratifiedKFold(k).split, np.zeros(len(y)), y)
    assert_same_folds(quietly(m.stratified_folds, y, k), theirs)


@given(LABELS, FOLDS, SEEDS)
def test_group_folds_never_split_a_group(groups, k, seed):
    assume(len(set(groups)) >= k)
    folds = m.group_folds(groups, k, seed)
    assert_partition(folds, len(groups))
    assert m.leaked_share(groups, folds) == 0 and all(len(test) for _, test in folds)


@given(st.lists(st.integers(0, 12), min_size=8, max_size=60), FOLDS)
def test_group_folds_equal_scikit_learn(groups, k):
    assume(len(set(groups)) >= k)
    assert_same_folds(m.group_folds(groups, k), model_selection.GroupKFold(k).split(groups, groups=groups))


@given(st.integers(8, 80), FOLDS, st.integers(0, 4), st.none() | st.integers(1, 5))
def test_time_folds_equal_scikit_learn_and_never_look_ahead(n, k, gap, size):
    assume(n - gap - k * (size or n // (k + 1)) >= 1)
    folds = m.time_folds(n, k, gap, size)
    assert_same_folds(folds, model_selection.TimeSeriesSplit(k, gap=gap, test_size=size).split(np.zeros(n)))
    assert all(train.max() + gap < test.min() for train, test in folds)


@pytest.mark.parametrize("call, words", [
    (lambda: m.k_folds(3, 4), "from 2 to 3"), (lambda: m.k_folds(5, 1), "k_folds: k is 1"),
    (lambda: m.k_folds(1, 2), "n is 1"), (lambda: m.k_folds(10, True), "True"), (lambda: m.k_folds(10, 2.0), "2.0"),
    (lambda: m.stratified_folds([], 2), "at least one"), (lambda: m.stratified_folds([1, 2, 3], 2), "from 2 to 1"),
    (lambda: m.stratified_folds([0, 0, None, 1], 2), "1 of 4 values are missing"),
    (lambda: m.group_folds([0.0, math.nan, 1.0], 2), "1 of 3"), (lambda: m.group_folds([1, 1, 1], 2), "number of groups"),
    (lambda: m.time_folds(10, 3, gap=8), "smaller gap"), (lambda: m.time_folds(3, 3), "above k"),
])
def test_a_split_that_cannot_be_made_says_so_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_class_with_fewer_members_than_folds_is_told():
    with pytest.warns(UserWarning, match="1 members, fewer than k = 3"):
        m.stratified_folds([0] * 6 + [1], 3)


def test_twins_are_leaked_as_often_as_an_enumeration_of_all_deals_says():
    met = [order.index(0) // 3 != order.index(1) // 3 for order in itertools.permutations(range(6))]
    assert m.twin_chance(6, 2, 2) == pytest.approx(np.mean(met))
    triples = [len({order.index(i) // 3 for i in range(3)}) > 1 for order in itertools.permutations(range(6))]
    assert m.twin_chance(6, 2, 3) == pytest.approx(np.mean(triples))


def test_leaving_one_out_always_leaks_and_a_lone_row_never():
    assert m.twin_chance(30, 30, 2) == 1 and m.twin_chance(30, 5, 1) == 0


def constant(x, y, new):
    """Answers the mean of the targets."""
    return np.full(len(new), np.mean(y))


def test_scores_are_the_same_for_an_array_and_a_frame_and_equal_scikit_learn():
    x, y = table(40, 3)
    learner = lambda a, b, c: linear_model.LinearRegression().fit(a, b).predict(c)
    minus = lambda truth, said: -np.mean((truth - said) ** 2)
    ours = m.fold_scores(learner, x, y, m.k_folds(40, 4), minus)
    theirs = model_selection.cross_val_score(linear_model.LinearRegression(), x, y, cv=4, scoring="neg_mean_squared_error")
    assert np.allclose(ours, theirs)
    assert np.allclose(ours, m.fold_scores(learner, pd.DataFrame(x, index=range(100, 140)), y, m.k_folds(40, 4), minus))


def test_nested_scores_equal_a_grid_search_inside_cross_validation():
    x, y = table(60, 4)
    minus = lambda truth, said: -np.mean((truth - said) ** 2)
    learners = {str(a): (lambda s: lambda p, q, r: linear_model.Ridge(s).fit(p, q).predict(r))(a) for a in (0.1, 10, 100)}
    found = m.nested_scores(learners, x, y, m.k_folds(60, 4), lambda rows: m.k_folds(len(rows), 3), minus)
    search = model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [0.1, 10, 100]}, cv=3, scoring="neg_mean_squared_error")
    assert np.allclose(found.scores, model_selection.cross_val_score(search, x, y, cv=4, scoring="neg_mean_squared_error"))


def test_the_inner_folds_of_a_nested_search_may_follow_groups():
    groups, seen = np.repeat(np.arange(12), 3), []
    inner = lambda rows: seen.append(m.leaked_share(groups[rows], m.group_folds(groups[rows], 2))) or m.group_folds(groups[rows], 2)
    m.nested_scores({"mean": constant}, np.zeros((36, 1)), np.zeros(36), m.group_folds(groups, 3), inner)
    assert seen == [0, 0, 0]


def test_no_learner_is_an_error():
    with pytest.raises(ValueError, match="no learner"):
        m.best_by_folds({}, np.zeros((4, 1)), np.zeros(4), m.k_folds(4, 2))


def test_the_one_error_rule_takes_the_simplest_setting_within_one_error_of_the_best():
    scores = np.array([[0.0, 0.2], [0.80, 0.84], [0.8, 0.9], [0.7, 0.8]])
    assert m.one_error_rule(scores) == 1                               # best mean 0.85, error 0.05
    assert m.one_error_rule(scores[[0, 2, 3]]) == 1
    with pytest.raises(ValueError, match="two folds"):
        m.one_error_rule(scores[:, :1])


def test_the_corrected_error_is_that_of_nadeau_and_bengio():
    scores = np.array([1.0, 2, 4, 3, 5])
    assert m.resampled_error(scores, 4, 1) == pytest.approx(math.sqrt(2.5 * (1 / 5 + 1 / 4)))
    with pytest.raises(ValueError, match="at least 2"):
        m.resampled_error([1.0], 4, 1)


@given(st.integers(2, 6), st.integers(1, 5), st.integers(0, 50))
def test_the_error_parts_add_up_to_the_mean_squared_distance_from_the_truth(sets, points, seed):
    rng = np.random.default_rng(seed)
    answers, truth = rng.normal(size=(sets, points)), rng.normal(size=points)
    parts = m.decompose_error(answers, truth, 0.5)
    assert parts.total == pytest.approx(0.5 + ((answers - truth) ** 2).mean())
    assert parts.variance == pytest.approx(answers.var(0, ddof=1).mean())


def test_one_training_set_has_no_variance_to_measure():
    with pytest.raises(ValueError, match="two sets"):
        m.decompose_error(np.zeros((1, 4)), np.zeros(4))


@given(st.integers(3, 12), st.integers(1, 12), st.sampled_from([0.0, 0.3, 20.0]), st.integers(0, 20))
def test_min_norm_equals_lstsq_and_ridge(n, d, strength, seed):
    x, y = table(n, d, seed)
    ours = m.min_norm(x, y, strength)
    if strength:
        assert np.allclose(ours, linear_model.Ridge(strength, fit_intercept=False).fit(x, y).coef_)
    else:
        assert np.allclose(ours, np.linalg.lstsq(x, y, rcond=None)[0], atol=1e-6)


@given(st.integers(4, 14), st.integers(1, 8), st.sampled_from([0.05, 1.0, 30.0]), st.integers(0, 20))
def test_ridge_path_freedom_and_leave_one_out_equal_separate_fits(n, d, rho, seed):
    x, y = table(n, d, seed)
    model = linear_model.Ridge(rho).fit(x, y)
    assert np.allclose(m.ridge_path(x, y, [rho])[0], model.coef_)
    hat = np.stack([linear_model.Ridge(rho).fit(x, e).predict(x) for e in np.eye(n)], axis=1)
    assert m.ridge_freedom(x, rho)[0] == pytest.approx(np.trace(hat) - 1)
    left = [y[i] - linear_model.Ridge(rho).fit(np.delete(x, i, 0), np.delete(y, i)).predict(x[[i]])[0] for i in range(n)]
    assert np.allclose(m.ridge_loo(x, y, rho), left)


@given(st.integers(6, 20), st.integers(1, 6), st.integers(0, 20))
def test_the_lasso_path_equals_scikit_learn(n, d, seed):
    x, y = table(n, d, seed)
    strengths = m.lasso_top(x, y) * np.array([1.0, 0.5, 0.1])
    for rho, w in zip(strengths, m.lasso_path(x, y, strengths)):
        theirs = linear_model.Lasso(alpha=max(rho, 1e-12), tol=1e-13, max_iter=500_000).fit(x, y).coef_
        pull = (x - x.mean(0)).T @ (y - y.mean() - (x - x.mean(0)) @ w) / n
        assert (np.abs(pull) <= rho * (1 + 1e-6) + 1e-12).all()
        if np.linalg.matrix_rank(x - x.mean(0)) == d:
            assert np.allclose(w, theirs, atol=1e-5)


def test_a_constant_column_gets_no_weight_and_one_row_none_at_all():
    x, y = table(12, 2)
    assert m.lasso_path(np.column_stack([x, np.ones(12)]), y, [0.01])[0, 2] == 0
    assert not m.ridge_path([[1.0, 2.0]], [3.0], [1.0]).any() and not m.lasso_path([[1.0, 2.0]], [3.0], [1.0]).any()


def test_soft_thresholding_minimises_its_little_problem():
    grid = np.linspace(-4, 4, 80_001)
    for z, rho in [(2.5, 1.0), (-2.5, 1.0), (0.4, 1.0), (-1.0, 0.0)]:
        assert m.soft_threshold(z, rho) == pytest.approx(grid[np.argmin(grid ** 2 / 2 - z * grid + rho * np.abs(grid))], abs=1e-4)


@pytest.mark.parametrize("call, words", [
    (lambda: m.ridge_path([[1.0], [math.nan]], [1, 2], [1]), "fill or drop"), (lambda: m.lasso_top([[1.0]], [1, 2]), "finite"),
    (lambda: m.ridge_path([[1.0], [2.0]], [1, 2], [-1]), "0 or more"), (lambda: m.two_nn_dimension(np.zeros((9, 2))), "at least 3"),
    (lambda: m.expected_best(0), "k is 0"), (lambda: m.trials_needed(0, 0.9), "between 0 and 1"), (lambda: m.forks(a=[]), "a has no options"),
    (lambda: m.slope_test([1.0, 2, 4], [5.0, 5, 5]), "no combination"), (lambda: m.slope_test([1.0, 2], [1.0, 2]), "free row"),
    (lambda: m.successive_halving(3, lambda i, r: 0.0, 5, 2), "from 1 to 2"),
    (lambda: m.off_training_accuracy(lambda labels: [0, 0], 2, [0, 1]), "leave at least one out"),
])
def test_what_has_no_answer_is_refused_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)


def test_relu_features_are_repeatable_and_never_negative():
    x, _ = table(7, 3)
    assert np.array_equal(m.relu_features(x, 5, 1), m.relu_features(x, 5, 1)) and (m.relu_features(x, 5, 1) >= 0).all()


def test_the_excess_is_the_trace_of_an_inverse_wishart_matrix():
    rng = np.random.default_rng(0)
    traces = [np.trace(np.linalg.inv(x.T @ x)) for x in rng.normal(size=(4000, 15, 4))]
    assert m.noise_excess(15, 4) == pytest.approx(np.mean(traces), rel=0.05)
    assert m.noise_excess(4, 15) == m.noise_excess(15, 4) and m.noise_excess(5, 6) == math.inf


@pytest.mark.parametrize("d", [1, 2, 5])
def test_the_dimension_of_a_cloud_is_found_and_repeats_do_not_count(d):
    x = np.random.default_rng(d).random((1500, d)) @ np.random.default_rng(9).normal(size=(d, 12))
    assert m.two_nn_dimension(x) == pytest.approx(d, rel=0.12)
    assert m.two_nn_dimension(np.concatenate([x, x])) == pytest.approx(m.two_nn_dimension(x))


@given(st.integers(1, 400))
def test_the_expected_best_grows_below_its_bound(k):
    assert m.expected_best(k) <= m.best_bound(k) + 1e-9
    assert m.expected_best(k) <= m.expected_best(k + 1)


@given(st.integers(0, 3), st.integers(0, 30))
def test_the_slope_test_equals_statsmodels(width, seed):
    rng = np.random.default_rng(seed)
    y, x, others = rng.normal(size=12), rng.normal(size=12), rng.normal(size=(12, width))
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, others]))).fit()
    assert m.slope_test(y, x, others if width else None) == pytest.approx((fit.params[1], fit.pvalues[1]))


def test_repeated_columns_cost_one_degree_of_freedom_only_once():
    rng = np.random.default_rng(3)
    y, x, other = rng.normal(size=(3, 15))
    assert m.slope_test(y, x, np.column_stack([other, other])) == pytest.approx(m.slope_test(y, x, other[:, None]))


def test_every_path_of_a_garden_is_walked_once():
    paths = m.forks(a=[1, 2, 3], b="xy")
    assert len(paths) == 6 and len({tuple(p.items()) for p in paths}) == 6 and paths[0] == {"a": 1, "b": "x"}


def test_the_corrected_p_value_counts_the_shuffles_that_did_as_well():
    assert m.best_p_value(0.03, [0.01, 0.03, 0.2, 0.5]) == pytest.approx(3 / 5)
    assert m.best_p_value(0.03, []) == 1


@given(st.floats(0.01, 0.5), st.floats(0.5, 0.99))
def test_the_trials_needed_suffice_and_one_fewer_do_not(share, sure):
    n = m.trials_needed(share, sure)
    assert 1 - (1 - share) ** n >= sure - 1e-12 and 1 - (1 - share) ** (n - 1) < sure + 1e-12


def test_the_points_of_a_search_lie_in_the_cube():
    assert np.allclose(m.grid_points(2, 2), [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]])
    assert m.random_points(9, 3, 0).shape == (9, 3) and (m.random_points(9, 3, 0) < 1).all()


@given(st.integers(1, 40), st.integers(2, 4))
def test_halving_without_noise_finds_the_best_and_books_its_cost(count, eta):
    calls = []
    quality = np.random.default_rng(count).permutation(count)
    race = m.successive_halving(count, lambda i, r: calls.append(r) or float(quality[i]), 1, 64, eta)
    assert quality[race.winner] == count - 1 and race.spent == sum(calls)
    assert all(set(later) < set(earlier) for earlier, later in itertools.pairwise(race.rungs))


def test_a_failed_setting_loses_the_race():
    assert m.successive_halving(2, lambda i, r: [math.nan, -5.0][i], 1, 1).winner == 1


@given(st.lists(st.integers(0, 1), min_size=5, max_size=5), st.sets(st.integers(0, 4), min_size=1, max_size=4))
def test_no_learner_beats_a_coin_over_all_targets(answer, train):
    train = sorted(train)
    learner = lambda labels: [a ^ labels[0] for a in answer]
    assert np.mean(list(m.off_training_accuracy(learner, 5, train).values())) == pytest.approx(0.5)
