"""dlbook.evaluation: equality with scikit-learn, torchmetrics, SciPy and statsmodels, laws, awkward input, clear errors."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import directed_hausdorff
from sklearn import metrics as sk
from statsmodels.stats.contingency_tables import mcnemar as sm_mcnemar

from dlbook import evaluation as m
from dlbook import runtime
from dlbook.logistic import NoMinimum

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
pytestmark = pytest.mark.filterwarnings("ignore")
EMPTY = st.sampled_from([0.0, 1.0, float("nan")])


def answers(classes: int = 4, least: int = 1, most: int = 25):
    """Truth and answers of one length, whole numbers below `classes`; classes may be absent."""
    return st.integers(least, most).flatmap(lambda n: st.tuples(
        *[st.lists(st.integers(0, classes - 1), min_size=n, max_size=n)] * 2)).map(lambda two: tuple(map(np.array, two)))


def ranked(least: int = 2):
    """Labels with both classes, and scores with many ties."""
    return st.integers(least, 30).flatmap(lambda n: st.tuples(
        st.lists(st.integers(0, 1), min_size=n, max_size=n), st.lists(st.integers(-4, 4), min_size=n, max_size=n))).map(
        lambda two: (np.array(two[0]), np.array(two[1]) / 4)).filter(lambda two: 0 < two[0].sum() < len(two[0]))


@given(answers())
def test_the_confusion_matrix_equals_scikit_learn_with_absent_classes(two):
    assert np.array_equal(m.confusion_matrix(*two, range(4)), sk.confusion_matrix(*two, labels=range(4)))
    assert np.array_equal(m.confusion_matrix(*two), sk.confusion_matrix(*two))


def test_the_confusion_matrix_takes_names_series_tensors_and_booleans():
    names = ["cat", "dog", "cat"], ["dog", "dog", "cat"]
    assert np.array_equal(m.confusion_matrix(*names), [[1, 1], [0, 1]])
    assert np.array_equal(m.confusion_matrix(pd.Series(names[0], index=[7, 8, 9]), pd.Series(names[1], dtype="category")), [[1, 1], [0, 1]])
    assert np.array_equal(m.confusion_matrix(torch.tensor([1, 0]), [True, True]), [[0, 1], [0, 1]])
    assert np.array_equal(m.confusion_matrix([1.0, 0.0], np.array([1, 1]), labels=[1, 0]), [[1, 0], [1, 0]])


@given(answers(2), EMPTY, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_the_measures_of_four_counts_equal_scikit_learn_for_every_convention_of_nothing_over_nothing(two, empty, beta):
    y, guess = two
    c = m.binary_counts(y, guess)
    for ours, theirs in [(c.precision(empty), sk.precision_score(y, guess, zero_division=empty)),
                         (c.recall(empty), sk.recall_score(y, guess, zero_division=empty)),
                         (c.specificity(empty), sk.recall_score(y, guess, pos_label=0, zero_division=empty)),
                         (c.negative_value(empty), sk.precision_score(y, guess, pos_label=0, zero_division=empty)),
                         (c.f_score(beta, empty), sk.fbeta_score(y, guess, beta=beta, zero_division=empty)),
                         (c.jaccard(0.0), sk.jaccard_score(y, guess, zero_division=0)),
                         (c.accuracy(), sk.accuracy_score(y, guess)),
                         (c.balanced_accuracy(), sk.balanced_accuracy_score(y, guess)),
                         (c.matthews(0.0), sk.matthews_corrcoef(y, guess))]:
        assert ours == pytest.approx(theirs, nan_ok=True)


@given(answers(2))
def test_the_measures_equal_torchmetrics(two):
    runtime.guard_torchvision()
    from torchmetrics.functional import classification as tm

    y, guess = two
    c, both = m.binary_counts(y, guess), (torch.tensor(guess), torch.tensor(y))
    for ours, theirs in [(c.precision(0.0), tm.binary_precision), (c.recall(0.0), tm.binary_recall), (c.f_score(undefined=0.0), tm.binary_f1_score),
                         (c.specificity(0.0), tm.binary_specificity), (c.accuracy(), tm.binary_accuracy)]:
        assert ours == pytest.approx(float(theirs(*both)), abs=1e-6)


def test_what_is_undefined_is_nan_unless_said_otherwise():
    never, always = m.binary_counts([1, 0], [0, 0]), m.binary_counts([0, 0], [1, 1])
    assert np.isnan(never.precision()) and never.precision(undefined=0.0) == 0 and np.isnan(never.matthews())
    assert np.isnan(always.recall()) and always.balanced_accuracy() == 0 and np.isnan(always.negative_value())


@given(answers(2))
def test_swapping_the_classes_leaves_accuracy_and_matthews_and_swaps_recall_with_specificity(two):
    c, d = m.binary_counts(*two), m.binary_counts(1 - two[0], 1 - two[1])
    assert c.accuracy() == pytest.approx(d.accuracy()) and c.matthews() == pytest.approx(d.matthews(), nan_ok=True)
    assert c.recall() == pytest.approx(d.specificity(), nan_ok=True) and c.precision() == pytest.approx(d.negative_value(), nan_ok=True)


@given(answers(), EMPTY, st.sampled_from(["macro", "micro", "weighted"]))
def test_the_averages_equal_scikit_learn(two, empty, how):
    table, more = m.confusion_matrix(*two, range(4)), {"labels": range(4), "average": how, "zero_division": empty}
    assert m.averaged(table, "precision", how, empty) == pytest.approx(sk.precision_score(*two, **more), nan_ok=True)
    assert m.averaged(table, "recall", how, empty) == pytest.approx(sk.recall_score(*two, **more), nan_ok=True)
    assert m.averaged(table, "f_score", how, empty, beta=2.0) == pytest.approx(sk.fbeta_score(*two, beta=2.0, **more), nan_ok=True)


@given(answers())
def test_class_accuracy_and_matthews_equal_scikit_learn(two):
    table = m.confusion_matrix(*two)
    assert m.class_accuracy(table) == pytest.approx(sk.accuracy_score(*two))
    assert m.class_accuracy(table, balanced=True) == pytest.approx(sk.balanced_accuracy_score(*two))
    assert m.class_matthews(table, 0.0) == pytest.approx(sk.matthews_corrcoef(*two))
    assert m.averaged(table, "precision", "micro") == pytest.approx(m.class_accuracy(table))


def test_binary_and_multi_class_matthews_agree():
    table = [[40, 3], [7, 11]]
    assert m.class_matthews(table) == pytest.approx(m.Counts(11, 3, 7, 40).matthews())


@given(st.floats(0.01, 1), st.floats(0, 0.99), st.floats(0.001, 0.999))
def test_predictive_values_are_those_of_the_counts(recall, specificity, prevalence):
    c = m.Counts(recall * prevalence, (1 - specificity) * (1 - prevalence), (1 - recall) * prevalence, specificity * (1 - prevalence))
    positive, negative = m.predictive_values(recall, specificity, prevalence)
    assert positive == pytest.approx(c.precision()) and negative == pytest.approx(c.negative_value(), nan_ok=True)
    assert m.implied_false_alarms(c.prevalence(), c.precision(), c.recall()) == pytest.approx(1 - c.specificity())


@given(ranked())
def test_both_curves_and_areas_equal_scikit_learn_with_ties(two):
    fpr, tpr, at = m.roc_curve(*two)
    for ours, theirs in zip((fpr, tpr, at), sk.roc_curve(*two, drop_intermediate=False)):
        assert np.allclose(ours, theirs)
    recall, precision, thresholds = m.pr_curve(*two)
    theirs = sk.precision_recall_curve(*two)
    assert np.allclose(precision[::-1], theirs[0]) and np.allclose(recall[::-1], theirs[1]) and np.allclose(thresholds[:0:-1], theirs[2])
    assert m.roc_area(*two) == pytest.approx(sk.roc_auc_score(*two))
    assert m.average_precision(*two) == pytest.approx(sk.average_precision_score(*two))


@given(ranked())
def test_the_area_is_the_mann_whitney_statistic_and_its_mirror(two):
    y, s = two
    assert m.roc_area(y, s) == pytest.approx(stats.mannwhitneyu(s[y == 1], s[y == 0]).statistic / (y.sum() * (1 - y).sum()))
    assert m.roc_area(y, s) + m.roc_area(y, -s) == pytest.approx(1) and m.roc_area(y, s) == pytest.approx(m.roc_area(y, np.exp(s)))


@given(ranked())
def test_every_row_of_a_sweep_is_the_count_at_its_threshold(two):
    thresholds, counts = m.sweep(*two)
    for i, t in enumerate(thresholds):
        c = m.binary_counts(two[0], two[1] >= t)
        assert (c.tp, c.fp, c.fn, c.tn) == (counts.tp[i], counts.fp[i], counts.fn[i], counts.tn[i])


@given(ranked(6))
def test_delong_equals_the_jackknife_that_leaves_out_one_example_at_a_time(two):
    y, s = two
    assume(1 < y.sum() < len(y) - 1)
    other = np.roll(s, 1)
    leave = [np.array([[m.roc_area(np.delete(y, i), np.delete(v, i)) for v in (s, other)] for i in np.flatnonzero(y == side)]) for side in (0, 1)]
    areas, covariance = m.delong(y, s, other)
    assert np.allclose(covariance, sum((len(a) - 1) * np.cov(a.T, ddof=0) for a in leave), atol=1e-12)
    assert np.allclose(areas, [m.roc_area(y, s), m.roc_area(y, other)])
    assert all(np.mean(side) == pytest.approx(areas[0]) for side in m.placements(y, s))


def test_delong_of_a_known_sample():
    y, a, b = np.repeat([1, 0], [4, 5]), [0.9, 0.8, 0.35, 0.6, 0.7, 0.5, 0.4, 0.2, 0.1], [0.7, 0.9, 0.6, 0.5, 0.8, 0.3, 0.4, 0.2, 0.1]
    gap, error, p = m.delong_test(y, a, b)
    v = [np.array([[float(x > z) + 0.5 * (x == z) for z in s[4:]] for x in s[:4]]) for s in (a, b)]
    d = v[1] - v[0]
    assert gap == pytest.approx(d.mean())
    assert error ** 2 == pytest.approx(d.mean(1).var(ddof=1) / 4 + d.mean(0).var(ddof=1) / 5)
    assert p == pytest.approx(2 * stats.norm.sf(abs(gap) / error))
    area, low, high = m.area_interval(y, a, level=0.9)
    assert high - area == pytest.approx(min(1 - area, stats.norm.ppf(0.95) * np.sqrt(m.delong(y, a)[1][0, 0]))) and low <= area
    assert m.delong_test(y, a, a) == (0.0, 0.0, 1.0)


def test_the_bootstrap_keeps_pairs_together_and_strata_at_their_size():
    a = np.arange(50.0)
    same = m.bootstrap(lambda u, v: float((u - v).mean()), a, a, draws=50)
    assert same.low == same.high == same.estimate == 0
    y = np.repeat([0, 1], [47, 3])
    kept = m.bootstrap(lambda t: t.sum(), y, strata=y, draws=50)
    assert set(kept.values) == {3.0} and set(m.bootstrap(lambda t: t.sum(), y, draws=200).values) != {3.0}


def test_the_bootstrap_of_a_mean_has_its_standard_error_and_is_seeded():
    x = np.random.default_rng(0).normal(size=200)
    one, two = m.bootstrap(np.mean, x, draws=2000), m.bootstrap(np.mean, x, draws=2000)
    assert one.values.std() == pytest.approx(x.std() / np.sqrt(200), rel=0.08) and np.array_equal(one.values, two.values)
    assert one.low == pytest.approx(x.mean() - 1.96 * x.std() / np.sqrt(200), abs=0.02)


def test_even_edges_share_out_the_probabilities_and_survive_ties():
    p = np.random.default_rng(1).random(1000)
    edges = m.even_edges(p, 5)
    assert edges[0] == 0 and edges[-1] == 1 and np.allclose(np.histogram(p, edges)[0], 200, atol=1)
    assert np.array_equal(m.even_edges([0.3] * 10, 4), [0, 0.3, 1]) and np.array_equal(m.even_edges([0.0, 1.0], 1), [0, 1])


def test_the_confidence_error_equals_torchmetrics():
    runtime.guard_torchvision()
    from torchmetrics.functional.classification import multiclass_calibration_error

    probs = np.random.default_rng(2).dirichlet([1, 1, 2], 300)
    labels = np.random.default_rng(3).integers(0, 3, 300)
    theirs = multiclass_calibration_error(torch.tensor(probs), torch.tensor(labels), 3, n_bins=10)
    assert m.confidence_error(probs, labels, np.linspace(0, 1, 11)) == pytest.approx(float(theirs), abs=1e-6)


@given(st.floats(0.2, 8), st.integers(0, 1000))
def test_the_temperature_scales_with_the_scores(factor, seed):
    rng = np.random.default_rng(seed)
    s, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    s[np.arange(60), labels] += 0.8
    assume(not (s[np.arange(60), labels] >= s.max(1)).all())
    assert m.fit_temperature(factor * s, labels) == pytest.approx(factor * m.fit_temperature(s, labels), rel=1e-6)


def test_the_temperature_minimises_the_cross_entropy():
    rng = np.random.default_rng(5)
    s = torch.tensor(rng.normal(size=(200, 4)) * 3)
    labels = torch.tensor([rng.choice(4, p=p) for p in torch.softmax(s / 2, 1).numpy()])
    t = m.fit_temperature(s, labels)
    at = [float(torch.nn.functional.cross_entropy(s / v, labels)) for v in (0.99 * t, t, 1.01 * t)]
    assert at[1] < min(at[0], at[2])


def test_the_best_threshold_is_the_best_of_all_and_the_highest_among_equals():
    y, s = np.array([1, 1, 0, 1, 0, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    at, value = m.best_threshold(y, s, lambda c: c.f_score())
    assert (at, value) == (0.6, pytest.approx(6 / 7))
    assert m.best_threshold(y, s, lambda c: -m.bill(c, 1, 0))[0] == np.inf
    assert m.best_threshold(y, s, lambda c: -m.bill(c, 0, 1))[0] == 0.6


def test_the_bill_prices_both_mistakes():
    assert m.bill(m.Counts(5, 3, 2, 90), 1.0, 50.0) == pytest.approx(103 / 100)


def test_resampling_balances_the_classes_and_invents_no_row():
    y = np.repeat([0, 1], [40, 5])
    over, under = m.resampled(y, "over", 1), m.resampled(y, "under", 1)
    assert y[over].sum() == 40 and len(over) == 80 and set(over) == set(range(45))
    assert y[under].sum() == 5 and len(under) == 10 == len(set(under))


def test_smote_stays_between_neighbours():
    x = np.random.default_rng(0).normal(size=(12, 3))
    made = m.smote(x, 200, k=2, seed=1)
    assert made.shape == (200, 3) and (made >= x.min(0)).all() and (made <= x.max(0)).all()
    line = m.smote(np.array([[0.0, 0.0], [1.0, 2.0]]), 50)
    assert np.allclose(line[:, 1], 2 * line[:, 0])


@given(answers(2, 2))
def test_mcnemar_equals_statsmodels(two):
    table = m.confusion_matrix(*two, [1, 0])
    for how, more in [("exact", {"exact": True}), ("chi", {"exact": False, "correction": False}), ("corrected", {"exact": False, "correction": True})]:
        if how == "exact" or table[0, 1] != table[1, 0]:
            assert m.mcnemar(*two, how).p == pytest.approx(sm_mcnemar(table, **more).pvalue)
    assert m.mcnemar(*two, "mid").p <= m.mcnemar(*two).p == m.mcnemar(*two[::-1]).p


@given(st.integers(1, 20), st.integers(0, 10_000))
def test_regression_measures_equal_scikit_learn(n, seed):
    y, guess = np.random.default_rng(seed).normal(size=(2, n)).round(1)
    assert m.mean_error(y, guess) == pytest.approx(sk.mean_absolute_error(y, guess))
    assert m.rms_error(y, guess) == pytest.approx(sk.root_mean_squared_error(y, guess)) and m.rms_error(y, guess) >= m.mean_error(y, guess) - 1e-12
    if np.ptp(y) > 0:
        assert m.r_squared(y, guess) == pytest.approx(sk.r2_score(y, guess))
    else:
        assert np.isnan(m.r_squared(y, guess)) and m.r_squared(y, guess, undefined=0.0) == 0


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.2, 0.9]))
def test_masks_equal_scikit_learn_and_scipy(seed, share):
    p, t = np.random.default_rng(seed).random((2, 2, 5, 6)) < share
    c = m.mask_counts(p, t)
    assert np.allclose(c.jaccard(0.0), [sk.jaccard_score(b.ravel(), a.ravel(), zero_division=0) for a, b in zip(p, t)])
    assert np.allclose(c.f_score(), 2 * c.jaccard() / (1 + c.jaccard()), equal_nan=True)
    if p[0].any() and t[0].any():
        a, b = np.argwhere(p[0]), np.argwhere(t[0])
        assert m.hausdorff(p[0], t[0]) == pytest.approx(max(directed_hausdorff(a, b)[0], directed_hausdorff(b, a)[0]))
        assert m.hausdorff(p[0], t[0], 50) <= m.hausdorff(p[0], t[0])


@given(answers(4))
def test_clusterings_equal_scikit_learn_whatever_the_names(two):
    a, b = two
    assert m.adjusted_rand(a, b) == pytest.approx(sk.adjusted_rand_score(a, b))
    assert m.normalised_information(a, b) == pytest.approx(sk.normalized_mutual_info_score(a, b), abs=1e-9)
    names = np.array(["x", "q", "a", "m"])
    assert m.adjusted_rand(names[a], b) == pytest.approx(m.adjusted_rand(a, b)) and m.adjusted_rand(a, names[a]) == 1


@given(st.integers(3, 20), st.integers(0, 10_000))
def test_silhouettes_equal_scikit_learn_with_lonely_and_repeated_points(n, seed):
    rng = np.random.default_rng(seed)
    x, labels = rng.integers(0, 3, (n, 2)) * 1.0, rng.integers(0, 3, n)
    assume(2 <= len(set(labels)) < n)
    assert np.allclose(m.silhouettes(x, labels), sk.silhouette_samples(x, labels))


def test_rates_by_group_have_wilson_intervals_and_keep_empty_cases():
    table = m.by_group([1, 0, 1, 1], [1, 1, 0, 1], ["a", "a", "a", "b"]).set_index(["group", "rate"])
    assert table.loc[("a", "recall"), "share"] == 0.5 and table.loc[("a", "alarms"), "of"] == 3
    empty = table.loc[("b", "false alarms")]
    assert np.isnan(empty["share"]) and (empty["low"], empty["high"], empty["of"]) == (0, 1, 0)


BAD = {
    "empty": lambda: m.confusion_matrix([], []),
    "1 rows": lambda: m.confusion_matrix([0, 1], [0]),
    "missing": lambda: m.confusion_matrix([0, np.nan], [0, 1]),
    "missing ": lambda: m.binary_counts(["a", None], ["a", "a"], "a"),
    "numbers and the other texts": lambda: m.confusion_matrix([0, 1], ["0", "1"]),
    "mixes number and text": lambda: m.confusion_matrix([0, "a"], [0, 1]),
    "threshold": lambda: m.confusion_matrix([0, 1], [0.2, 0.9]),
    "not in labels": lambda: m.confusion_matrix([0, 1], [0, 1], [0]),
    "each class once": lambda: m.confusion_matrix([0, 1], [0, 1], [0, 1, 1]),
    "shape": lambda: m.confusion_matrix([[0, 1]], [[0, 1]]),
    "label of their sort": lambda: m.binary_counts(["a"], ["a"]),
    "a list or an array": lambda: m.confusion_matrix(3, 4),
    "beta": lambda: m.Counts(1, 1, 1, 1).f_score(-1.0),
    "counts of 0 or more": lambda: m.Counts(1, -1, 0, 0),
    "(k, k)": lambda: m.averaged([[1, 2]]),
    "macro, micro or weighted": lambda: m.averaged([[1, 2], [3, 4]], how="mean"),
    "from 0 to 1": lambda: m.predictive_values(1.2, 0.5, 0.5),
    "both classes": lambda: m.roc_area([1, 1], [0.1, 0.2]),
    "both classes ": lambda: m.resampled([0, 0], "over"),
    "only 0 and 1": lambda: m.roc_area([0, 2], [0.1, 0.2]),
    "missing  ": lambda: m.roc_area([0, 1], [0.1, np.nan]),
    "infinity": lambda: m.average_precision([0, 1], [0.1, np.inf]),
    "no numbers": lambda: m.roc_area([0, 1], ["low", "high"]),
    "at least one positive": lambda: m.pr_curve([0, 0], [0.1, 0.2]),
    "two or more": lambda: m.delong([0, 1, 1], [0.1, 0.2, 0.3]),
    "overlap": lambda: m.delong_test([0, 0, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]),
    "level": lambda: m.area_interval([0, 0, 1, 1], [1, 2, 3, 4], level=95),
    "nan in": lambda: m.bootstrap(lambda x: np.nan, [1.0, 2.0], draws=3),
    "2, 1 rows": lambda: m.bootstrap(np.mean, [1.0, 2.0], strata=[0], draws=3),
    "beats chance": lambda: m.fit_temperature([1.0, -1.0], [0, 1]),
    "expected 0 to 1": lambda: m.fit_temperature([[1.0, 2.0]], [2]),
    "'1'": lambda: m.roc_area(["1", "0"], [0.1, 0.2]),
    "rows of sum 1": lambda: m.confidence_error([[0.2, 0.9]], [1], [0, 1]),
    "use sigmoid": lambda: m.even_edges([0.2, 1.4]),
    "draws": lambda: m.bootstrap(np.mean, [1.0, 2.0], draws=0),
    "measure": lambda: m.averaged([[1, 2], [3, 4]], "f1"),
    "costs": lambda: m.bill(m.Counts(1, 1, 1, 1), -1, 2),
    "undefined at every": lambda: m.best_threshold([0, 1], [0.0, 1.0], lambda c: c.tp * np.nan),
    "over or under": lambda: m.resampled([0, 1], "both"),
    "two or more ": lambda: m.smote([[1.0]], 3),
    "exact, mid": lambda: m.mcnemar([0, 1], [1, 1], "z"),
    "a_right includes": lambda: m.mcnemar([0, 3], [1, 1]),
    "rows": lambda: m.mean_error([1.0, 2.0], [1.0]),
    "one shape": lambda: m.mask_counts(np.zeros((1, 2, 2)), np.zeros((1, 2, 3))),
    "no distance to nothing": lambda: m.hausdorff(np.zeros((2, 2)), np.ones((2, 2))),
    "2 or more": lambda: m.silhouettes([[0.0], [1.0]], [0, 0]),
    "prevalence": lambda: m.implied_false_alarms(1.0, 0.5, 0.5),
}


@pytest.mark.parametrize("words", BAD)
def test_wrong_input_stops_with_one_sentence(words):
    with warnings.catch_warnings(), pytest.raises(ValueError) as fault:
        warnings.simplefilter("error")
        BAD[words]()
    assert words.strip() in str(fault.value) and "expected" in str(fault.value) and "\n" not in str(fault.value)


def test_separable_labels_have_no_best_temperature():
    with pytest.raises(NoMinimum, match="expected some mistakes"):
        m.fit_temperature([-1.0, 2.0], [0, 1])


def test_a_masked_array_with_a_hole_is_refused():
    with pytest.raises(ValueError, match="missing"):
        m.mean_error(np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, 2.0])
