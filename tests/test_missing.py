"""dlbook.missing: equality with scikit-learn and statsmodels, odd tables, laws of filling and pooling, error sentences."""

from __future__ import annotations

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder

from dlbook import missing as m

settings.register_profile("quick", max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("quick")
CELL = st.one_of(st.floats(-100, 100).map(lambda v: round(v, 3)), st.just(np.nan))
NAN, INF = np.nan, np.inf
ODD = pd.DataFrame({"number": [1, 2.5, NAN, INF], "text": ["a", None, "", "b"], "mixed": [1, "x", True, [3]], "empty": [NAN] * 4,
                    "day": [pd.Timestamp("2020-01-01"), pd.NaT, pd.Timestamp("2021-01-01"), pd.NaT], "whole": pd.array([1, None, 3, 4], "Int64"),
                    "yes": [True, False, True, True]})


def tables(least_rows: int = 2, columns=st.integers(1, 5)):
    """Tables of numbers with holes, at least one recorded value in each column."""
    whole = st.tuples(st.integers(least_rows, 12), columns).flatmap(lambda shape: arrays(float, shape, elements=CELL))
    return whole.filter(lambda x: (~np.isnan(x)).any(0).all())


def spread_out(seed: int, n: int = 40, d: int = 4, share: float = 0.25) -> np.ndarray:
    """A table of correlated numbers with holes; row 0 is whole, so that no column is empty."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 1)) + rng.normal(size=(n, d))
    x[1:][rng.random((n - 1, d)) < share] = NAN
    return x


FILLS = {"constant": m.fill_constant, "knn": m.fill_knn, "chained": m.fill_chained, "mice": lambda x, **k: m.mice(x, 2, 2, **k)[1],
         "denoising": lambda x, **k: m.fill_denoising(x, epochs=1, hidden=4, **k)}


@given(tables())
def test_no_fill_changes_a_recorded_value_or_leaves_a_hole(x):
    for name, fill in FILLS.items():
        before = x.copy()
        filled = fill(x)
        assert filled.shape == x.shape and np.isfinite(filled).all(), name
        assert np.array_equal(filled[~np.isnan(x)], x[~np.isnan(x)]) and np.array_equal(x, before, equal_nan=True), name


@given(tables(), st.sampled_from(["mean", "median", "mode"]))
def test_constant_fills_equal_scikit_learn(x, how):
    name = {"mode": "most_frequent"}.get(how, how)
    assert np.allclose(m.fill_constant(x, how), SimpleImputer(strategy=name).fit_transform(x), rtol=1e-9, atol=1e-9)


@given(tables(1), tables(1))
def test_distances_equal_scikit_learn(a, b):
    assume(a.shape[1] == b.shape[1])
    assert np.allclose(m.nan_distances(a, b), nan_euclidean_distances(a, b), atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("k", [1, 3, 99])
@pytest.mark.parametrize("seed", range(3))
def test_neighbours_equal_scikit_learn_also_for_rows_that_were_not_learned(seed, k):
    x, rows = spread_out(seed, 60, share=0.4), np.arange(60) % 3 != 1
    assert np.allclose(m.fill_knn(x, k, rows), KNNImputer(n_neighbors=k).fit(x[rows]).transform(x))


def test_a_row_that_shares_nothing_with_the_others_gets_the_mean():
    x = np.array([[1.0, NAN], [3.0, NAN], [NAN, 7.0]])
    assert m.fill_knn(x, 1)[2, 0] == 2.0


@pytest.mark.parametrize("shape", [(50, 4), (6, 9)])
@pytest.mark.parametrize("sweeps", [1, 4])
def test_chained_regression_equals_scikit_learn(shape, sweeps):
    x, rows = spread_out(3, *shape), np.arange(shape[0]) % 4 != 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = IterativeImputer(LinearRegression(), max_iter=sweeps, tol=0).fit(x[rows]).transform(x)
    if shape[0] > shape[1]:
        assert np.allclose(m.fill_chained(x, sweeps, rows), theirs, atol=1e-8)
    else:                                                              # more columns than rows: many solutions, all finite
        assert np.isfinite(m.fill_chained(x, sweeps, rows)).all()


@pytest.mark.parametrize("name", FILLS)
def test_rows_that_are_not_learned_change_nothing_for_the_others(name):
    x, rows = spread_out(4), np.arange(40) < 30
    other = x.copy()
    other[30:] = np.where(np.isnan(x[30:]), NAN, 55.0)
    assert np.allclose(FILLS[name](x, learn=rows)[:30], FILLS[name](other, learn=rows)[:30])


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("bad, words", [
    (np.full((3, 2), NAN), "no value"), (np.array([[1.0, NAN], [2.0, NAN]]), "column 1"), (np.array([[1.0, INF]]), "infinities"), (np.zeros(3), "shape"),
    (np.zeros((0, 2)), "shape"), (np.zeros((2, 0)), "shape"), (pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), "'b'"), ([[1, "x"], [2, "y"]], "no numbers"),
    (pd.DataFrame({"day": [datetime.date(2020, 1, 1)]}), "'day'"), ([[1, 2], [3]], "no table"), (None, "shape"), (np.array([[1 + 2j]]), "no numbers")])
def test_tables_that_nobody_can_fill_stop_with_a_sentence(name, bad, words):
    with pytest.raises(ValueError, match=words):
        FILLS[name](bad)


@pytest.mark.parametrize("name", FILLS)
def test_one_whole_row_whole_numbers_and_nullable_columns_pass(name):
    assert np.array_equal(FILLS[name]([[1, 2, 3]]), [[1.0, 2, 3]])
    frame = pd.DataFrame({"a": pd.array([1, None, 3], "Int64"), "b": [True, False, True], "c": pd.Series([None, 2, 3.5], dtype=object)})
    assert np.isfinite(FILLS[name](frame)).all()


@pytest.mark.parametrize("learn", [[1, 0, 1], [True, False], [False] * 3])
def test_a_mask_of_another_kind_is_refused(learn):
    with pytest.raises(ValueError, match="learn"):
        m.fill_constant(np.ones((3, 2)), learn=learn)


@pytest.mark.parametrize("call", [lambda x: m.fill_constant(x, "average"), lambda x: m.fill_knn(x, 0), lambda x: m.fill_knn(x, 1.5), lambda x: m.fill_chained(x, 0),
                                  lambda x: m.mice(x, 0), lambda x: m.mice(x, 2, 0), lambda x: m.mice(x, 2, 1, "magic"), lambda x: m.mice(x, 2, 1, ["linear"]),
                                  lambda x: m.mice(x, 2, 1, "binary"), lambda x: m.nan_distances(x, x[:, :2])])
def test_settings_that_make_no_sense_are_refused(call):
    with pytest.raises(ValueError, match="expected|more than two|give both"):
        call(spread_out(0))


def test_mice_repeats_itself_and_differs_between_tables():
    x = spread_out(5)
    assert np.array_equal(m.mice(x, 3, 2, seed=1), m.mice(x, 3, 2, seed=1)) and not np.array_equal(*m.mice(x, 2, 2))
    made = m.mice_sweeps(x, 2, seed=1)
    assert np.array_equal([next(made) for _ in range(2)][1], m.mice(x, 2, 2, seed=1))


def test_kinds_are_kept_donors_are_recorded_values_and_binary_columns_stay_binary():
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(0, 9, 80), np.where(rng.random(80) < 0.4, 2.0, 1.0), rng.normal(size=80)])
    x[rng.random(x.shape) < 0.2] = NAN
    made = m.mice(x, 4, 3)
    for j in range(3):
        assert set(made[..., j].ravel()) <= set(x[~np.isnan(x[:, j]), j])


def test_a_column_that_separates_the_classes_gives_finite_draws():
    x = np.column_stack([np.r_[np.zeros(20), np.ones(20)], np.arange(40.0)])
    x[[3, 33], 0] = NAN
    made = m.mice(x, 50, 2)[..., 0]
    assert np.isfinite(made).all() and made[:, 3].mean() < 0.2 and made[:, 33].mean() > 0.8


def test_linear_draws_scatter_as_the_posterior_says():
    rng = np.random.default_rng(1)
    a, y = np.column_stack([np.ones(20), rng.normal(size=20)]), rng.normal(size=20)
    w, rest, *_ = np.linalg.lstsq(a, y, rcond=None)
    new, many = np.array([1.0, 2.0]), 20_000
    draws = m.draw_linear(np.repeat(a[None], many, 0), y, np.repeat(new[None, None], many, 0), rng)[:, 0]
    variance = rest[0] / 16 * (1 + new @ np.linalg.inv(a.T @ a) @ new)
    assert abs(draws.mean() - new @ w) < 5 * np.sqrt(variance / many) and abs(draws.var() / variance - 1) < 0.08


@given(arrays(float, (5, 3), elements=st.floats(-10, 10)), arrays(float, (5, 3), elements=st.floats(0.1, 5)))
def test_pooling_follows_the_definitions(q, u):
    got = m.pool(q, u)
    assert np.allclose(got.estimate, q.mean(0)) and np.allclose(got.total, u.mean(0) + 1.2 * q.var(0, ddof=1))
    r = 1.2 * q.var(0, ddof=1) / u.mean(0)
    nu = np.where(r > 1e-100, 4 * (1 + 1 / np.maximum(r, 1e-100)) ** 2, np.inf)
    assert np.allclose(got.dof, nu, rtol=1e-6) | np.isinf(nu).any() and np.allclose(got.missing, (r + 2 / (nu + 3)) / (r + 1))
    small = m.pool(q, u, 10.0)
    share = r / (1 + r)
    seen = 11 / 13 * 10 * (1 - share)
    assert np.allclose(small.dof, 1 / (1 / nu + 1 / seen)) and (small.dof <= 10).all()
    low, high = got.interval()
    assert (low <= got.estimate).all() and (got.estimate <= high).all()


def test_tables_that_agree_have_no_missing_information():
    got = m.pool([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert got.total == 1 and np.isinf(got.dof) and got.missing == 0 and m.pool([1.0, 1.0], [0.0, 0.0]).total == 0


@pytest.mark.parametrize("q, u", [([1.0], [1.0]), ([1.0, 2.0], [1.0]), ([1.0, NAN], [1.0, 1.0]), ([1.0, 2.0], [1.0, -1.0]), (3.0, 1.0)])
def test_what_cannot_be_pooled_is_refused(q, u):
    with pytest.raises(ValueError, match="pool: estimates"):
        m.pool(q, u)


def test_least_squares_equals_statsmodels():
    import statsmodels.api as sm
    rng = np.random.default_rng(2)
    x, y = sm.add_constant(rng.normal(size=(30, 2))), rng.normal(size=30)
    w, v = m.least_squares(x[None], y[None])
    fit = sm.OLS(y, x).fit()
    assert np.allclose(w[0], fit.params) and np.allclose(v[0], fit.bse ** 2)


@given(st.sampled_from(["MCAR", "MAR", "MNAR"]), st.floats(0.05, 0.9))
def test_amputation_hits_the_share_one_column_and_nothing_else(mechanism, share):
    x = np.random.default_rng(3).normal(size=(3000, 3))
    got = m.ampute(x, 1, share, mechanism, by=(0, 2) if mechanism == "MAR" else (), seed=4)
    holes = np.isnan(got)
    assert abs(holes[:, 1].mean() - share) < 5 * np.sqrt(share * (1 - share) / 3000) and not holes[:, [0, 2]].any()
    driver = {"MCAR": None, "MAR": x[:, 0] + x[:, 2], "MNAR": x[:, 1]}[mechanism]
    if driver is not None:
        assert driver[holes[:, 1]].mean() > driver[~holes[:, 1]].mean() + 0.3


@pytest.mark.parametrize("given", [{"mechanism": "mar"}, {"mechanism": "MAR"}, {"share": 0.0}, {"share": 1.0}, {"by": (0,)}])
def test_an_unknown_mechanism_is_refused(given):
    with pytest.raises(ValueError, match="ampute"):
        m.ampute(np.ones((5, 2)), **{"column": 0, "share": 0.3, **given})


def test_holes_and_profiles_survive_any_table():
    assert m.missing_cells(ODD).sum().tolist() == [2, 1, 0, 4, 2, 1, 0] and m.missing_cells(ODD, infinite=False)["number"].sum() == 1
    profile = m.profile_columns(ODD)
    assert profile.loc["mixed", "kinds"] == "list, number, text, yes/no" and profile.loc["empty", "kinds"] == "empty"
    assert profile.loc["number", ["missing", "infinite", "distinct", "lowest", "highest"]].tolist() == [1, 1, 3, 1.0, 2.5]
    assert len(m.profile_columns(pd.DataFrame())) == 0 and m.profile_columns(ODD[:0]).missing.sum() == 0
    patterns = m.missing_patterns(ODD)
    assert patterns.rows.sum() == 4 and m.missing_patterns(ODD[["yes"]]).to_dict("list") == {"yes": [False], "rows": [4]}
    assert m.co_missing(ODD).loc["day", "whole"] == pytest.approx(0.577, abs=0.01) and m.co_missing(ODD[["yes"]]).shape == (0, 0)


def test_the_picture_has_a_row_for_each_row_and_a_label_for_each_column():
    from matplotlib.figure import Figure
    ax = m.draw_holes(ODD, Figure().subplots())
    assert ax.images[0].get_array().shape == ODD.shape and [t.get_text() for t in ax.get_xticklabels()] == list(ODD.columns)


@pytest.mark.parametrize("cell, number", [(3, 3.0), (np.float32(2.5), 2.5), ("3.5", 3.5), (" 3,5 ", 3.5), ("-1e3", -1000.0), ("3.9 cm", 39.0), ("12MM", 12.0), (".5", 0.5), ("n/a", NAN), (None, NAN), ("", NAN), (pd.NA, NAN), ("+7", 7.0)])
def test_cells_become_numbers(cell, number):
    got = m.read_numbers(pd.Series([cell], dtype=object, name="bill"), {"cm": 10.0, "mm": 1.0})
    assert got.iloc[0] == pytest.approx(number, nan_ok=True) and got.name == "bill"


@pytest.mark.parametrize("cell", ["3 in", "about 4", "1.234,5", "3 4", True, [3], "--5", pd.Timestamp("2020-01-01")])
def test_cells_that_could_be_misread_stop_the_reading(cell):
    with pytest.raises(ValueError, match="no numbers in a known unit"):
        m.read_numbers(pd.Series([1.0, cell], dtype=object), {"cm": 10.0})


def test_codes_limits_and_unknown_columns():
    frame = pd.DataFrame({"insulin": [0, 80, 846], "sex": ["F", "?", "M"]})
    mended = m.restore_missing(frame, {"insulin": [0], "sex": ["?"]})
    assert mended.isna().sum().tolist() == [1, 1] and frame.isna().sum().sum() == 0
    assert m.out_of_range(pd.DataFrame({"t": [36.0, NAN, INF, 90]}), {"t": (30, 45)}).t.tolist() == [False, False, True, True]
    for call in (lambda: m.restore_missing(frame, {"Insulin": [0]}), lambda: m.out_of_range(frame, {"t": (0, 1)})):
        with pytest.raises(ValueError, match="no column"):
            call()
    with pytest.raises(ValueError, match="lowest, highest"):
        m.out_of_range(frame, {"insulin": (5, 1)})
    with pytest.raises(TypeError, match="DataFrame"):
        m.missing_cells(np.ones((2, 2)))
    with pytest.raises(ValueError, match="two columns"):
        m.profile_columns(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@given(tables())
def test_scaling_equals_scikit_learn(x):
    assume((np.nanstd(x, 0) > 1e-6).all())
    assert np.allclose(m.scale_columns(x), StandardScaler().fit_transform(x), atol=1e-6, equal_nan=True)


def test_a_constant_column_becomes_zero():
    assert np.array_equal(m.scale_columns([[3.0], [3.0], [NAN]]), [[0.0], [0.0], [NAN]], equal_nan=True)


def test_encoders_equal_scikit_learn_with_holes_and_unseen_values():
    rng = np.random.default_rng(5)
    column = pd.Series(rng.choice(["a", "b", "c", None], 60), name="c", dtype=object)
    column[0], rows, y = "new", np.arange(60) % 5 != 0, (rng.random(60) < 0.5) * 1.0
    theirs = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(column[rows].to_frame()).transform(column.to_frame())
    assert np.array_equal(m.one_hot(column, rows), theirs)
    coder = TargetEncoder(smooth=4.0, target_type="binary").fit(column[rows].to_frame(), y[rows])
    assert np.allclose(m.target_means(column, y, rows, 4.0), coder.transform(column.to_frame())[:, 0])
    assert list(m.one_hot(pd.Series([1, "1", None, 2.5], name="x"))) == ["x = 1", "x = 2.5", "x = missing"]


def test_out_of_fold_codes_never_contain_their_own_answer():
    column, fold = pd.Series(["a", "b"] * 10), np.repeat(np.arange(4), 5)
    y = np.zeros(20)
    before = m.out_of_fold_means(column, y, fold)
    y[3] = 100.0
    assert m.out_of_fold_means(column, y, fold)[fold == 0].tolist() == before[fold == 0].tolist()
    with pytest.raises(ValueError, match="two or more"):
        m.out_of_fold_means(column, y, np.zeros(20))
    with pytest.raises(ValueError, match="target_means"):
        m.target_means(column, y[:5])


def test_the_denoiser_hides_in_training_only_and_its_loss_ignores_holes():
    torch.manual_seed(0)
    net = m.DenoisingNet(3, hide=0.5)
    x = torch.cat([torch.randn(64, 3), torch.ones(64, 3)], 1)
    assert not torch.equal(net.train()(x), net(x)) and torch.equal(net.eval()(x), net(x))
    guess, values, mask = torch.randn(8, 3), torch.randn(8, 3), torch.tensor([1.0, 0.0, 1.0]).expand(8, 3)
    assert torch.equal(m.recorded_loss(guess, torch.cat([values, mask], 1)), m.recorded_loss(guess, torch.cat([values + 9 * (1 - mask), mask], 1)))
    assert m.recorded_loss(guess, torch.zeros(8, 6)) == 0
