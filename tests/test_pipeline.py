"""dlbook.pipeline: names of runs, tables, saved models, the service, drift tests and rollouts; equality with libraries, bad input."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import struct
import threading
import zlib

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import nn

from dlbook import data
from dlbook import pipeline as m

settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")
SAMPLE = st.lists(st.floats(-50, 50), min_size=1, max_size=30)
LOOSE = st.lists(st.one_of(st.none(), st.floats(), st.integers(-5, 5), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2)), min_size=1, max_size=12)


# --- configuration and names -------------------------------------------------------------------------------------

def test_equal_choices_give_equal_names_in_any_order_and_type():
    a = m.config_from({"rate": 1, "seed": np.int64(3)})
    assert a == m.ReaderConfig(seed=3, rate=1.0) and isinstance(a.rate, float) and type(a.seed) is int
    assert m.run_id(a, "d", "c") == m.run_id(m.ReaderConfig(rate=1.0, seed=3), "d", "c") != m.run_id(a, "d", "x")


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=3)),
                    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)), max_leaves=8))
def test_the_stable_spelling_is_json_and_ignores_the_order_of_keys(value):
    assert json.loads(m.stable_json(value)) == value
    if isinstance(value, dict):
        assert m.stable_json(dict(reversed(value.items()))) == m.stable_json(value)


def test_the_hash_of_contents_sees_values_types_shapes_and_names_only():
    x = torch.arange(6.0)
    assert m.content_hash(x) == m.content_hash(x.clone()) != m.content_hash(x.reshape(2, 3))
    assert m.content_hash(x[::2]) == m.content_hash(x[::2].contiguous()) != m.content_hash(x[::2].double())
    a = np.array([1, 2], "<i4")
    assert m.content_hash(a) == m.content_hash(a.astype(">i4")) != m.content_hash(a.astype("<i8"))
    frame = pd.DataFrame({"a": [1, None], "b": ["x", "y"]})
    assert m.content_hash(frame) == m.content_hash(frame.copy()) != m.content_hash(frame.rename(columns={"b": "c"}))
    assert m.content_hash(b"1") != m.content_hash("1") != m.content_hash(1)
    assert m.content_hash(np.array(["a\nint 1", 1], object)) != m.content_hash(np.array(["a", "int 1\n1"], object))


@given(st.integers(2, 400), st.integers(1, 6))
def test_the_bound_on_equal_names_lies_above_the_exact_probability(runs, digits):
    names = 16 ** digits
    exact = 1.0 if runs > names else -math.expm1(sum(math.log1p(-i / names) for i in range(runs)))
    assert exact <= m.collision_bound(runs, digits) + 1e-12


# --- pipelines -----------------------------------------------------------------------------------------------------

def test_the_chain_equals_scikit_learn_and_leaves_its_parts_alone():
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    scaler = StandardScaler()
    ours = m.Chain(scaler, LogisticRegression()).fit(x[::2], y[::2])
    theirs = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[::2], y[::2])
    assert (ours.predict(x) == theirs.predict(x)).all() and not hasattr(scaler, "mean_")


def test_the_reader_prepares_pixels_of_any_type_and_gives_probabilities():
    reader = m.DigitReader(nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), 0.5, 0.25)
    x = torch.randint(0, 256, (4, 4, 4), dtype=torch.uint8)
    by_hand = reader.net(((x.float() / 255 - 0.5) / 0.25)[:, None]).softmax(1)
    assert torch.allclose(reader(x), by_hand) and torch.allclose(reader(x.double()), by_hand)
    assert reader(x[:1]).shape == (1, 3) and reader(x[:0]).shape == (0, 3)


# --- tables --------------------------------------------------------------------------------------------------------

@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), LOOSE, max_size=3), st.sampled_from(sorted(m.KINDS)))
def test_any_table_gets_sentences_and_never_an_exception(columns, kind):
    length = min([len(v) for v in columns.values()], default=0)
    frame = pd.DataFrame({name: pd.Series(values[:length], dtype=object) for name, values in columns.items()})
    found = m.check_table(frame, {"a": m.Column(kind, -1, 1, missing=0.5), "b": m.Column("word", known=("x",))})
    assert all(isinstance(line, str) and line.count(": ") >= 1 for line in found)
    assert ("a" in columns) or any("'a' is absent" in line for line in found)


@given(st.lists(st.one_of(st.floats(-3, 3), st.just(math.inf), st.just(math.nan)), min_size=1, max_size=20))
def test_the_counts_equal_those_of_pandas(values):
    column = pd.Series(values)
    found = " ".join(m.check_table(pd.DataFrame({"a": column}), {"a": m.Column("number", -1, 1)}))
    outside = int((column.notna() & ~column.between(-1, 1)).sum())
    assert (f"{outside} of {column.notna().sum()} values do not fit" in found) == (outside > 0)
    assert (f"{column.isna().sum()} of {len(column)} values are missing" in found) == bool(column.isna().any())


@pytest.mark.parametrize("name", ["titanic", "penguins", "iris", "mpg"])
def test_a_drafted_schema_passes_the_table_that_it_came_from(name):
    frame = data.load(name).frame
    frame = frame[[c for c in frame if not frame[c].dropna().map(type).nunique() > 1]]
    assert m.check_table(frame, m.learn_schema(frame)) == []


def test_odd_kinds_of_columns_are_read():
    frame = pd.DataFrame({"n": pd.array([1, None, 3], "Int64"), "f": pd.array([True, None, False], "boolean"),
                          "w": pd.Categorical(["u", "v", None]), "x": np.array([1, 2, 3], np.float32)})
    schema = m.learn_schema(frame)
    assert [schema[c].kind for c in frame] == ["whole", "flag", "word", "whole"] and m.check_table(frame, schema) == []
    assert m.check_table(frame.iloc[:1], schema) == [] and m.check_table(frame.iloc[:0], schema) == ["0 rows given; expected at least 1: get more"]


def test_a_flag_is_no_number_and_a_word_is_none():
    frame = pd.DataFrame({"a": pd.Series([True, "7", 7, 7.5], dtype=object)})
    assert "2 of 4" in m.check_table(frame, {"a": m.Column("number")})[0] and "3 of 4" in m.check_table(frame, {"a": m.Column("whole")})[0]


# --- behaviour of models ---------------------------------------------------------------------------------------------

def test_the_tests_of_behaviour_measure_what_they_say():
    def ink(x):
        return torch.stack([x.mean((1, 2)), 1 - x.mean((1, 2))], 1)

    x = torch.rand(10, 4, 4)
    assert m.changed_share(ink, x, lambda v: v.roll(1, 2)) == 0 and m.changed_share(ink, torch.zeros(3, 4, 4), lambda v: v + 1) == 1
    assert m.wrong_way_share(lambda v: v.mean((1, 2)), x, lambda v: v / 2) == 0 and m.wrong_way_share(lambda v: -v.mean((1, 2)), x, lambda v: v / 2) == 1
    assert m.missed_share(ink, torch.ones(4, 2, 2), torch.tensor([0, 0, 0, 1])) == 0.25
    assert m.batch_gap(ink, x) < 1e-6 and m.batch_gap(lambda v: (v - v.mean(0)).mean((1, 2))[:, None], x) > 0.01


def test_bars_and_rings_are_pictures_of_ink_and_paper():
    x, y = m.bars_and_rings()
    assert x.shape == (len(y), 28, 28) and set(y.tolist()) == {0, 1} and x.min() == 0 and 200 < x.max() <= 255
    assert (x[y == 0][:, 14, 14] == 0).all() and (x[y == 1][:, 13, 13] > 100).all()


# --- logs ----------------------------------------------------------------------------------------------------------

def test_a_run_log_keeps_every_number_also_after_a_crash(tmp_path):
    log = m.RunLog(tmp_path / "run.jsonl", "name", {"rate": 0.1})
    for step, value in enumerate([0.1 + 0.2, math.inf, math.nan]):
        log.log(step, loss=value)
    with open(tmp_path / "run.jsonl", "a") as file:
        file.write('{"loss":0.')                                       # the machine went down here
    head, frame = m.read_run_log(tmp_path / "run.jsonl")
    assert head == {"run": "name", "config": {"rate": 0.1}} and frame["step"].tolist() == [0, 1, 2]
    assert frame["loss"][0] == 0.1 + 0.2 and frame["loss"][1] == math.inf and math.isnan(frame["loss"][2])
    with pytest.raises(ValueError, match="exists already"):
        m.RunLog(tmp_path / "run.jsonl", "other", {})


def write_log(parts):
    """The bytes of a W&B log with these records."""
    out = bytearray(m.WANDB_HEAD)
    for part in parts:
        first = True
        while first or part:
            left = m.BLOCK_BYTES - len(out) % m.BLOCK_BYTES
            if left < 7:
                out += bytes(left)
                continue
            piece, part = part[:left - 7], part[left - 7:]
            kind = (1 if not part else 2) if first else (4 if not part else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
    return bytes(out)


@given(st.lists(st.integers(0, 90_000), min_size=1, max_size=5))
def test_records_of_any_length_come_back_and_a_cut_file_gives_the_earlier_ones(sizes):
    parts = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    raw = write_log(parts)
    assert list(m.wandb_records(raw)) == parts and list(m.wandb_records(raw[:-1])) == parts[:-1]


def test_offline_runs_of_wandb_and_tensorboard_are_read_back(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    board = pytest.importorskip("torch.utils.tensorboard")
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path / name))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    quiet = wandb.Settings(mode="offline", silent=True, console="off", x_disable_stats=True, x_disable_meta=True, disable_git=True, save_code=False)
    with wandb.init(project="p", config={"rate": 0.5}, dir=tmp_path, settings=quiet) as run:
        folder = run.dir
        for step in range(3):
            run.log({"loss": 1 / (step + 1)}, step=step)
    wandb.teardown()
    config, frame = m.read_wandb(folder + "/..")
    assert config == {"rate": 0.5} and frame["loss"].tolist() == [1.0, 0.5, 1 / 3] and frame["_step"].tolist() == [0, 1, 2]
    writer = board.SummaryWriter(tmp_path / "board")
    for step in range(20):
        writer.add_scalar("loss", step / 3, step)
    writer.close()
    assert np.allclose(m.read_tensorboard(tmp_path / "board")["loss"], np.arange(20) / 3, rtol=1e-6)


# --- saved models -----------------------------------------------------------------------------------------------------

TENSORS = {"a": torch.randn(3, 2), "half": torch.randn(4).half(), "brain": torch.randn(2, 2).bfloat16(), "odd": torch.tensor([math.nan, -math.inf, -0.0]),
           "one": torch.tensor(5), "none": torch.empty(0, 3), "flags": torch.tensor([[True], [False]]), "turned": torch.arange(6.0).reshape(2, 3).T}


def same(a, b):
    return a.keys() == b.keys() and all(a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and m.content_hash(a[k]) == m.content_hash(b[k]) for k in a)


def test_safetensors_and_hdf5_return_every_bit(tmp_path):
    pytest.importorskip("h5py")
    data.save_weights(tmp_path / "w.safetensors", TENSORS)
    assert same(m.read_safetensors(tmp_path / "w.safetensors"), TENSORS)
    more = TENSORS | {"eighth": torch.randn(4).to(torch.float8_e5m2), "complex": torch.randn(2, dtype=torch.complex64)}
    m.save_hdf5(tmp_path / "w.h5", more, run="r1")
    assert same(m.load_hdf5(tmp_path / "w.h5"), more)
    import h5py

    with h5py.File(tmp_path / "w.h5") as file:
        assert file.attrs["run"] == "r1" and file["a"][()].tolist() == TENSORS["a"].tolist()
    assert not list(tmp_path.glob("*.part"))


def test_damaged_or_hostile_files_are_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "bad.safetensors"
    for head, body in [({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, 4), ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, 2),
                       ({"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}, 4), ({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}}, 4), ({"a": 3}, 0)]:
        text = json.dumps(head).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(body))
        with pytest.raises(ValueError, match="sound safetensors"):
            m.read_safetensors(path)
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match="sound safetensors"):
        m.read_safetensors(path)
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["a"] = h5py.ExternalLink("/etc/other.h5", "x")
    with pytest.raises(ValueError, match="link"):
        m.load_hdf5(tmp_path / "link.h5")
    with pytest.raises(ValueError, match="without '/'"):
        m.save_hdf5(tmp_path / "x.h5", {"a/b": torch.zeros(1)})


def test_onnx_gives_equal_answers_for_any_batch(tmp_path):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    net = m.DigitReader(nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 4)), 0.1, 0.3).eval()
    m.save_onnx(tmp_path / "net.onnx", net, torch.rand(2, 8, 8) * 255)
    run = m.load_onnx(tmp_path / "net.onnx")
    for n in (1, 5, 33):
        x = torch.rand(n, 8, 8) * 255
        with torch.no_grad():
            assert np.allclose(run(x.numpy()), net(x).numpy(), atol=1e-6)
    with pytest.raises(ValueError, match="2 or more"):
        m.save_onnx(tmp_path / "net.onnx", net, torch.rand(1, 8, 8))


class Guest:
    """Would run code when loaded; no test loads it."""

    def __reduce__(self):
        return print, ("hello",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_tells_what_it_would_import_without_being_loaded(protocol, capsys):
    raw = pickle.dumps([{"a": 1, "builtins": "exec"}, Guest(), Guest()], protocol=protocol)
    assert {name.split(".")[-1] for name in m.pickle_imports(raw)} == {"print"} and capsys.readouterr().out == ""
    assert m.pickle_imports(pickle.dumps({"x": [1, "os system", 2.5, None]}, protocol=protocol)) == []


# --- reproducibility ----------------------------------------------------------------------------------------------------

def test_one_rounding_changes_the_hash_and_hardly_the_distance():
    torch.manual_seed(0)
    net, twin = nn.Linear(5, 3), nn.Linear(5, 3)
    twin.load_state_dict(net.state_dict())
    assert m.weights_hash(net) == m.weights_hash(twin) and m.weight_distance(net, twin) == 0
    m.nudge_(twin)
    assert m.weights_hash(net) != m.weights_hash(twin) and 0 < m.weight_distance(net, twin) < 1e-6


# --- the service --------------------------------------------------------------------------------------------------------

def test_a_batcher_answers_each_caller_with_its_own_answer_and_survives_a_failing_model():
    def double(x):
        if (x < 0).any():
            raise ValueError("negative")
        return 2 * x

    async def play():
        batcher = m.Batcher(double, window=0.005, limit=4)
        task = asyncio.create_task(batcher.run())
        got = await asyncio.gather(*(batcher.ask(np.float64(i)) for i in range(10)))
        failed = await asyncio.gather(batcher.ask(np.float64(-1)), return_exceptions=True)
        after = await batcher.ask(np.float64(5))
        task.cancel()
        return got, failed, after, batcher.sizes

    got, failed, after, sizes = asyncio.run(play())
    assert got == [2.0 * i for i in range(10)] and isinstance(failed[0], ValueError) and after == 10 and max(sizes) <= 4


def test_a_full_batcher_refuses_more():
    async def play():
        batcher = m.Batcher(lambda x: x, most=1)
        waiting = asyncio.create_task(batcher.ask(np.zeros(1)))
        await asyncio.sleep(0)
        with pytest.raises(m.Overloaded, match="1 requests wait"):
            await batcher.ask(np.zeros(1))
        waiting.cancel()

    asyncio.run(play())


def test_the_service_answers_good_pictures_refuses_bad_ones_and_stops():
    pytest.importorskip("fastapi")
    httpx = pytest.importorskip("httpx")
    before = threading.active_count()

    def model(x):
        return np.eye(10, dtype=np.float32)[(x.sum((1, 2)) % 10).astype(int)]

    good = [[0.0] * 4 for _ in range(4)]
    good[0][0] = 7.0
    with m.serve(m.digit_app(model, "v1", side=4, window=0.001, most_bytes=2000)) as url, httpx.Client(trust_env=False) as http:
        def send(body):
            reply = http.post(f"{url}/read", content=body if isinstance(body, bytes) else json.dumps(body).encode(), headers={"content-type": "application/json"})
            return reply.status_code, reply.json()

        assert send({"pixels": good}) == (200, {"digit": 7, "confidence": 1.0, "version": "v1"})
        for bad in ({"pixels": good[:3]}, {"pixels": [[256.0] * 4] * 4}, {"pixels": [["1"] * 4] * 4}, {"pixels": [[True] * 4] * 4}, {"pixels": [[0.0] * 4] * 4}, {}, [], b"{", b'{"pixels": [[NaN]]}'):
            status, answer = send(bad)
            assert status == 422 and isinstance(answer["detail"], str)
        assert send(b" " * 3000)[0] == 413 and http.get(f"{url}/health").json()["version"] == "v1"
        sent = m.load_test(f"{url}/read", [json.dumps({"pixels": good}).encode()] * 12, clients=3)
        assert (sent.status == 200).all() and (sent.end > sent.start).all() and len(sent.start) == 12
    assert threading.active_count() <= before + 1


def arrivals(draw):
    fixed, each, window = draw(st.floats(0, 3)), draw(st.floats(0.01, 0.5)), draw(st.floats(0, 5))
    limit = draw(st.integers(1, 8))
    stretch = max(window, fixed + each * limit)
    arrive = np.cumsum(draw(st.lists(st.floats(0, 4), min_size=1, max_size=40)))
    for i in range(limit, len(arrive)):
        arrive[i] = max(arrive[i], arrive[i - 1], arrive[i - limit] + stretch * (1 + 1e-9))
    return arrive, fixed, each, window, limit, stretch


@given(st.composite(arrivals)())
def test_no_request_waits_longer_than_the_bound_and_little_s_law_holds(drawn):
    arrive, fixed, each, window, limit, stretch = drawn
    leave = m.batch_times(arrive, fixed, each, window, limit)
    assert (leave >= arrive + fixed + each - 1e-9).all() and (leave - arrive).max() <= stretch + fixed + each * limit + 1e-6
    span = leave.max() - arrive.min()
    assert m.mean_in_system(arrive, leave) == pytest.approx((leave - arrive).sum() / span)


# --- drift ---------------------------------------------------------------------------------------------------------------

@given(st.lists(st.integers(1, 50), min_size=2, max_size=8).flatmap(lambda a: st.tuples(st.just(a), st.lists(st.integers(1, 50), min_size=len(a), max_size=len(a)))))
def test_psi_is_the_sum_of_both_divergences_and_symmetric(two):
    p, q = (np.array(c) / np.sum(c) for c in two)
    assert m.psi_of_counts(*two, smooth=0) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), abs=1e-12)
    assert m.psi_of_counts(*two) == pytest.approx(m.psi_of_counts(*two[::-1])) and m.psi_of_counts(two[0], two[0]) == 0


@given(LOOSE, LOOSE)
def test_psi_of_any_values_is_finite_and_zero_for_equal_samples(a, b):
    assert math.isfinite(m.psi(a, b)) and m.psi(a, b) >= -1e-12 and m.psi(a, a) == pytest.approx(0)


def test_bins_count_every_value_and_keep_missing_ones_apart():
    a, b = m.bin_counts(list(range(100)) + [None] * 7, [50.0, math.inf, -math.inf, math.nan], bins=4)
    assert a.tolist() == [25, 25, 25, 25, 7] and b.tolist() == [1, 0, 1, 1, 1]
    assert m.psi([1.0] * 50, [1] * 50) == 0 and m.psi(["a"] * 50, ["b"] * 50) > 2 and m.psi([1.0] * 50, [None] * 50) > 2
    assert m.psi(np.arange(5), pd.Series([0, 1, 2, 3, 4])) == 0 and m.psi([1, 2, "x"], [1.0, 2.0, "x"]) == 0


def test_the_psi_threshold_keeps_its_level():
    draw = np.random.default_rng(0)
    rang = [m.psi(draw.normal(size=600), draw.normal(size=400), 8) > m.psi_threshold(8, 600, 400, 0.1) for _ in range(500)]
    assert abs(np.mean(rang) - 0.1) < 4 * math.sqrt(0.09 / 500)


@pytest.mark.filterwarnings("ignore:ks_2samp")
@given(SAMPLE, SAMPLE)
def test_the_kolmogorov_smirnov_distance_and_probability_equal_scipy(a, b):
    theirs = stats.ks_2samp(a, b, method="exact")
    assert m.ks_distance(a, b) == pytest.approx(theirs.statistic)
    ours = m.ks_pvalue(m.ks_distance(a, b), len(a), len(b))
    # where rounding takes SciPy's sum above 1, it gives up exactness and returns the limit instead
    assert ours == pytest.approx(theirs.pvalue, abs=1e-9) or (ours == 1 and theirs.pvalue > 0.99)


def test_large_samples_use_the_limit_of_kolmogorov():
    assert m.ks_pvalue(0.05, 2000, 3000) == pytest.approx(stats.kstwobign.sf(0.05 * math.sqrt(1200)))
    assert m.ks_pvalue(0.0, 3, 4) == 1 and m.ks_pvalue(1.0, 3, 4) == pytest.approx(2 / math.comb(7, 3))


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_the_chance_of_hits_equals_fisher_s_exact_test(a, b, c, d):
    ours = m.chance_of_hits(a, a + b, a + c, a + b + c + d)
    assert ours == pytest.approx(stats.fisher_exact([[a, b], [c, d]], alternative="greater").pvalue, abs=1e-12)


def test_the_classifier_test_keeps_its_level_and_finds_a_shift():
    draw = np.random.default_rng(1)
    null = [m.classifier_test(draw.normal(size=(60, 3)), draw.normal(size=(20, 3)), seed).p <= 0.1 for seed in range(300)]
    assert np.mean(null) <= 0.1 + 4 * math.sqrt(0.09 / 300)
    found = m.classifier_test(draw.normal(size=(200, 3)), draw.normal(1, 1, (100, 3)))
    assert found.p < 1e-4 and found.accuracy > 0.7 and found.cases == 150
    assert m.classifier_test(np.zeros((10, 2)), np.zeros((10, 2))).p == 1                # constant columns


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_between_the_bare_and_bonferroni_s_values_and_keeps_their_order(p):
    ours = m.holm(p)
    assert (ours >= np.array(p) - 1e-12).all() and (ours <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()
    assert ours.min() == pytest.approx(min(1, len(p) * min(p))) and (np.diff(ours[np.argsort(p, kind="stable")]) >= -1e-12).all()


@given(st.floats(0.52, 0.95), st.floats(0.01, 0.2), st.floats(0.5, 0.95))
def test_cases_to_tell_solve_the_equation_of_the_power(accuracy, level, power):
    n = m.cases_to_tell(accuracy, level, power)

    def rings(n):
        border = n / 2 + stats.norm.isf(level) * math.sqrt(n) / 2
        return stats.norm.sf((border - n * accuracy) / math.sqrt(n * accuracy * (1 - accuracy)))

    assert rings(n) >= power - 1e-9 and (n == 1 or rings(n - 1) < power + 1e-9)


# --- rollout, cost, cards ---------------------------------------------------------------------------------------------------

@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_the_paired_comparison_equals_scipy(pairs):
    a, b = (np.array(v) for v in zip(*pairs))
    got = m.compare_paired(a, b)
    differ = int((a != b).sum())
    assert got.gain == pytest.approx(b.mean() - a.mean()) and got.low <= got.gain <= got.high
    assert got.p == pytest.approx(stats.binomtest(int((b & ~a).sum()), differ).pvalue if differ else 1.0)
    assert got.high - got.gain == pytest.approx(stats.norm.isf(0.025) * (b.astype(float) - a).std() / math.sqrt(len(a)))


def test_shadow_needs_fewer_labels_than_a_split_and_the_impossible_none():
    assert m.shadow_cases(0.03, 0.02, 0.01) * 2 < m.split_cases(0.94, 0.95, 0.01)
    with pytest.raises(ValueError, match="no number of cases"):
        m.shadow_cases(0.01, 0.03, 0.02)


def test_the_meter_reads_counters_that_start_again_and_says_none_where_there_are_none(tmp_path):
    package = tmp_path / "intel-rapl:0"
    package.mkdir()
    (tmp_path / "intel-rapl:0:0").mkdir()
    (package / "max_energy_range_uj").write_text("999")
    (package / "energy_uj").write_text("900")
    with m.metered(tmp_path) as cost:
        (package / "energy_uj").write_text("100")
    assert cost.joules == pytest.approx(200e-6) and cost.seconds > 0 and cost.cpu_seconds >= 0
    with m.metered(tmp_path / "nothing") as cost:
        pass
    assert cost.joules is None


def test_the_energy_is_power_times_time_times_overhead():
    low, high = m.watt_hours(7200, 3600, 4, core_watts=(1, 10), gigabyte_watts=0.5, overhead=(1, 2))
    assert low == pytest.approx(2 * 1 + 4 * 0.5) and high == pytest.approx(2 * (2 * 10 + 4 * 0.5))


def test_a_card_has_all_headings_in_order():
    card = m.written_card("T", {name: f"about {name} only" for name in reversed(m.DATA_SHEET)}, m.DATA_SHEET)
    assert [card.index(f"*{name}.*") for name in m.DATA_SHEET] == sorted(card.index(f"*{name}.*") for name in m.DATA_SHEET)


@pytest.mark.parametrize("call, words", [
    (lambda: m.ReaderConfig(seed=True), "seed is True"),
    (lambda: m.ReaderConfig(rate=float("nan")), "rate is nan"),
    (lambda: m.ReaderConfig(examples=1.0), "whole number"),
    (lambda: m.ReaderConfig(name=""), "expected a word"),
    (lambda: m.config_from({"epoch": 3}), "did you mean 'epochs'"),
    (lambda: m.stable_json({1: 2}), "key 1"),
    (lambda: m.stable_json(float("inf")), "stable spelling"),
    (lambda: m.content_hash({1, 2}), "stable spelling"),
    (lambda: m.code_hash(len), "source"),
    (lambda: m.run_id(m.ReaderConfig(), "a", "b", 0), "digits is 0"),
    (lambda: m.collision_bound(-1, 4), "-1 runs"),
    (lambda: m.Chain(), "no steps"),
    (lambda: m.DigitReader(nn.Identity(), 0.0, 0.0), "std 0"),
    (lambda: m.DigitReader(nn.Identity(), 0.0, 1.0)(torch.zeros(4, 4)), r"\(4, 4\)"),
    (lambda: m.Column("text"), "number, whole, word, flag"),
    (lambda: m.Column("number", 2, 1), "ordered range"),
    (lambda: m.learn_schema(pd.DataFrame({"a": [None, None]})), "no values"),
    (lambda: m.learn_schema(pd.DataFrame({"a": pd.Series([1, "x"], dtype=object)})), "int and str"),
    (lambda: m.learn_schema(pd.DataFrame()), "0 rows"),
    (lambda: m.missed_share(lambda x: x, torch.zeros(0, 2), torch.zeros(0)), "no test cases"),
    (lambda: list(m.wandb_records(b"something")), "expected b':W&B"),
    (lambda: m.nudge_(nn.ReLU()), "no weight"),
    (lambda: m.Batcher(len, window=-1), "window -1"),
    (lambda: m.batch_times([2.0, 1.0], 1, 1, 1, 1), "sorted"),
    (lambda: m.mean_in_system([], []), "expected as many"),
    (lambda: m.mean_in_system([1.0], [0.0]), "ends after starts"),
    (lambda: m.psi_of_counts([1], [1, 2]), "equal shapes"),
    (lambda: m.psi_of_counts([0, 0], [1, 2]), "at least one case"),
    (lambda: m.psi([], [1]), "0 and 1 values"),
    (lambda: m.psi_threshold(1, 5, 5), "1 bins"),
    (lambda: m.ks_distance([1.0, math.nan], [1.0]), "nan"),
    (lambda: m.ks_distance([], [1.0]), "0 and 1"),
    (lambda: m.ks_pvalue(1.5, 3, 3), "distance 1.5"),
    (lambda: m.chance_of_hits(1, 5, 2, 4), "counts that fit"),
    (lambda: m.classifier_test(np.zeros((3, 2)), np.zeros((9, 2))), "at least 4 rows"),
    (lambda: m.classifier_test(np.full((9, 2), np.inf), np.zeros((9, 2))), "finite numbers"),
    (lambda: m.cases_to_tell(0.5), "accuracy 0.5"),
    (lambda: m.holm([0.1, math.nan]), "from 0 to 1"),
    (lambda: m.compare_paired([True], [True]), "at least 2"),
    (lambda: m.watt_hours(-1, 1, 1), "0 or more"),
    (lambda: m.written_card("T", {"Factors": "a b c"}), "nothing under Model details"),
    (lambda: m.written_card("T", {name: "a b c" for name in m.MODEL_CARD} | {"Extra": "a b c"}), "unknown headings Extra"),
])
def test_bad_input_is_refused_in_one_sentence_that_says_what_was_given(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_missing_package_and_a_wrong_type_are_named():
    with pytest.raises(ImportError, match="pip install no_such_package"):
        m._need("no_such_package.part", "this")
    with pytest.raises(TypeError, match="list given"):
        m.check_table([1, 2], {})
