"""The training loop: equal to the bare loop, to itself after a kill, and to itself on two processes."""

from __future__ import annotations

import importlib.util
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from dlbook import train


def accuracy(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.argmax(1) == y).double().mean()


def toy(n: int = 101, seed: int = 0) -> tuple[Tensor, Tensor]:
    """n points of four features, two classes that a line nearly separates."""
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


def net(seed: int = 0, dropout: float = 0.0, width: int = 8) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 2))


def fit(model: nn.Module, data=None, *, lr: float = 0.1, **how) -> train.History:
    """`train.fit` with the settings that most tests share."""
    how = {"loss_fn": cross_entropy, "epochs": 3, "batch_size": 25, "device": "cpu"} | how
    if "optimizer" not in how:
        how["optimizer"] = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return train.fit(model, toy() if data is None else data, **how)


def same(a: nn.Module, b: nn.Module) -> bool:
    """Equal bit for bit."""
    return all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


def plain(history: train.History) -> list[dict]:
    """The history without its clock."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history.epochs]


# The loop

def test_weights_equal_the_bare_loop_bit_for_bit():
    (x, y), ours, bare = toy(), net(dropout=0.3), net(dropout=0.3)
    torch.manual_seed(7)
    fit(ours.eval(), (x, y), epochs=4, seed=5)                  # the loop sets the mode itself
    torch.manual_seed(7)
    order, optimizer = torch.Generator().manual_seed(5), torch.optim.SGD(bare.parameters(), lr=0.1, momentum=0.9)
    for _ in range(4):
        bare.train()
        for rows in torch.randperm(len(x), generator=order).split(25):
            optimizer.zero_grad()
            cross_entropy(bare(x[rows]), y[rows]).backward()
            optimizer.step()
    assert same(ours, bare)


def test_a_loader_trains_like_the_bare_loop_over_it():
    data, ours, bare = toy(), net(), net()
    torch.manual_seed(3)
    fit(ours, DataLoader(TensorDataset(*data), 25, shuffle=True), epochs=2)
    torch.manual_seed(3)
    optimizer, loader = torch.optim.SGD(bare.parameters(), lr=0.1, momentum=0.9), DataLoader(
        TensorDataset(*data), 25, shuffle=True)
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            cross_entropy(bare(x), y).backward()
            optimizer.step()
    assert same(ours, bare)


def test_every_example_is_seen_once_an_epoch_in_a_new_order():
    x, generator = torch.arange(11), torch.Generator().manual_seed(0)
    first, second = ([b for b, _ in train.batches(x, x, 4, generator)] for _ in range(2))
    assert [len(b) for b in first] == [4, 4, 3]
    assert torch.equal(torch.cat(first).sort().values, x) and torch.equal(torch.cat(second).sort().values, x)
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_without_a_generator_batches_keep_the_order():
    x = torch.arange(11)
    assert torch.equal(torch.cat([b for b, _ in train.batches(x, x, 4)]), x)


def test_the_schedule_steps_once_per_batch():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 / (1 + step))
    history = fit(model, optimizer=optimizer, schedule=schedule, epochs=2)       # 101 examples: 5 batches of 25
    assert [row["steps"] for row in history.epochs] == [5, 10]
    assert [row["lr"] for row in history.epochs] == pytest.approx([1 / 6, 1 / 11])


def test_clipping_bounds_the_step():
    model = net()
    before = [p.detach().clone() for p in model.parameters()]
    fit(model, optimizer=torch.optim.SGD(model.parameters(), lr=1.0), clip=1e-3, epochs=1, batch_size=101)
    moved = math.sqrt(sum((p - q).square().sum().item() for p, q in zip(model.parameters(), before)))
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_early_stopping_goes_back_to_the_best_weights():
    x, y = toy(40)
    valid = toy(60, seed=1)
    valid = valid[0], 1 - valid[1]                              # the opposite task: each epoch makes it worse
    model, kept = net(), []

    def spy(logits: Tensor, target: Tensor) -> float:
        if target is valid[1] or torch.equal(target, valid[1]):
            kept.append({k: v.clone() for k, v in model.state_dict().items()})
        return 0.0

    history = fit(model, (x, y), valid=valid, patience=2, epochs=50, batch_size=60, metrics={"spy": spy})
    best = history.best["epoch"]
    assert len(history.epochs) == best + 2 < 50
    assert all(torch.equal(value, kept[best - 1][name]) for name, value in model.state_dict().items())
    assert train.evaluate(model, valid, loss_fn=cross_entropy, device="cpu")["loss"] == pytest.approx(
        history.best["valid_loss"])


def test_without_patience_the_last_weights_stay():
    one, two = net(), net()
    fit(one, valid=toy(30, seed=1), epochs=5)
    fit(two, epochs=5)
    assert same(one, two)


def test_history_is_a_table_with_a_row_per_epoch():
    frame = fit(net(), valid=toy(30, seed=1), metrics={"accuracy": accuracy}).frame()
    assert list(frame.index) == [1, 2, 3]
    assert {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "lr", "steps", "seconds"} <= {*frame}


# Measuring

@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 10_000))
def test_any_split_into_batches_gives_the_same_metrics(sizes: list[int], seed: int):
    x, y = toy(sum(sizes), seed)
    x, model = x.double(), net(seed).double()
    how = {"loss_fn": cross_entropy, "metrics": {"accuracy": accuracy}, "device": "cpu"}
    whole = train.evaluate(model, (x, y), batch_size=len(x), **how)
    parts = train.evaluate(model, list(zip(x.split(sizes), y.split(sizes))), **how)
    assert parts == pytest.approx(whole, rel=1e-12)
    assert whole["loss"] == pytest.approx(cross_entropy(model.eval()(x), y).item(), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(2, 5))
def test_shares_of_processes_add_up_to_the_gradient_of_the_whole_batch(sizes: list[int], world: int):
    """The average over processes, which is what DistributedDataParallel gives, of the scaled losses' gradients."""
    x, y = toy(sum(sizes))
    x, model = x.double(), net().double()

    def gradients(parts) -> list[Tensor]:
        loss = sum(scale * cross_entropy(model(x), y) for x, y, _, scale in parts)
        return torch.autograd.grad(loss, list(model.parameters()))

    stream = list(zip(x.split(sizes), y.split(sizes)))
    ranks = [list(train._shares(stream, rank, world)) for rank in range(world)]
    for batch, parts in zip(stream, zip(*ranks)):
        assert sum(count for *_, count, _ in parts) == len(batch[1])
        for ours, whole in zip(gradients(parts), gradients([(*batch, len(batch[1]), 1.0)])):
            assert torch.allclose(ours / world, whole, atol=1e-12)


def test_measuring_leaves_the_mode_and_the_random_state_alone():
    model, data = net(dropout=0.5).train(), toy()
    before = torch.get_rng_state()
    first, second = (train.evaluate(model, data, loss_fn=cross_entropy, device="cpu") for _ in range(2))
    assert first == second and model.training and torch.equal(before, torch.get_rng_state())


def test_predict_gives_every_row_in_order_without_gradients():
    model, (x, _) = net(dropout=0.5), toy()
    outputs = train.predict(model, x, batch_size=7, device="cpu")
    assert torch.allclose(outputs, model.eval()(x)) and not outputs.requires_grad


# Checkpoints

SCRIPT = '''
import os, signal, sys
import torch
from torch import nn
from dlbook import train

def run(path, kill_at=None, kill_in_save=None, epochs=4):
    """Dropout, Adam, a schedule, early stopping: everything that has a state."""
    steps = saves = 0
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 2))
    x = torch.randn(101, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.05, total_steps=20)

    def loss_fn(logits, target):
        nonlocal steps
        steps += model.training
        if steps == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return nn.functional.cross_entropy(logits, target)

    real = os.fsync
    def fsync(handle):
        nonlocal saves
        saves += 1
        if saves == kill_in_save:
            os.kill(os.getpid(), signal.SIGKILL)
        real(handle)
    os.fsync = fsync
    try:
        history = train.fit(model, (x, y), valid=(x[:30], y[:30]), loss_fn=loss_fn, optimizer=optimizer, epochs=epochs,
                            batch_size=24, schedule=schedule, patience=9, checkpoint=path, seed=3, device="cpu")
    finally:
        os.fsync = real
    return model, history, steps

if __name__ == "__main__":
    torch.set_num_threads(1)
    run(sys.argv[1], **{name: int(value) for name, value in (pair.split("=") for pair in sys.argv[2:])})
'''


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """The script above as a module; `job.__file__` is what a subprocess runs."""
    path = tmp_path_factory.mktemp("job") / "job.py"
    path.write_text(SCRIPT)
    spec = importlib.util.spec_from_file_location("job", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield module
    torch.set_num_threads(threads)


@pytest.mark.parametrize("kill, left", [("kill_at=13", 2), ("kill_in_save=3", 2)])
def test_a_killed_run_resumes_to_the_same_bits(job, tmp_path, kill, left):
    """Killed in the middle of epoch 3, and while the checkpoint of epoch 3 was on its way to the disk."""
    path = tmp_path / "run.safetensors"
    ended = subprocess.run([sys.executable, job.__file__, path, kill], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert len(train.load_tree(path)["history"]) == left
    torch.rand(17)                                              # whatever else this process drew meanwhile
    resumed, history, steps = job.run(path)
    straight, whole, _ = job.run(tmp_path / "other.safetensors")
    assert steps == 10                                          # epochs 3 and 4 only
    assert same(resumed, straight) and plain(history) == plain(whole)


def test_a_finished_run_is_read_not_repeated(job, tmp_path):
    first, history, _ = job.run(tmp_path / "run.safetensors")
    again, same_history, steps = job.run(tmp_path / "run.safetensors")
    assert steps == 0 and same(first, again) and history.epochs == same_history.epochs


def test_more_epochs_go_on_from_the_checkpoint(tmp_path):
    longer, straight = net(), net()
    fit(net(), epochs=2, checkpoint=tmp_path / "c")
    fit(longer, epochs=5, checkpoint=tmp_path / "c")
    fit(straight, epochs=5)
    assert same(longer, straight)


def test_a_loaders_own_generator_is_part_of_the_checkpoint(tmp_path):
    def loader() -> DataLoader:
        return DataLoader(TensorDataset(*toy()), 25, shuffle=True, generator=torch.Generator().manual_seed(4))

    resumed, straight = net(), net()
    fit(net(), loader(), epochs=2, checkpoint=tmp_path / "c")
    fit(resumed, loader(), epochs=4, checkpoint=tmp_path / "c")
    fit(straight, loader(), epochs=4)
    assert same(resumed, straight)


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
    | st.integers(0, 4).map(lambda n: torch.arange(n, dtype=torch.float64)),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text("a/$%", max_size=3), inner, max_size=3)
    | st.dictionaries(st.integers(), inner, max_size=3),
    max_leaves=8)


def equal(a, b) -> bool:
    """Equal in type and value, tensors included."""
    if isinstance(a, Tensor):
        return isinstance(b, Tensor) and torch.equal(a, b) and a.dtype == b.dtype
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(map(equal, a.values(), b.values()))
    return type(a) is type(b) and a == b


@settings(max_examples=80, deadline=None)
@given(trees)
def test_any_tree_comes_back_as_it_was(tree):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tree.safetensors")
        train.save_tree(path, {"tree": tree})
        assert equal(train.load_tree(path)["tree"], tree)


def test_a_checkpoint_is_a_safetensors_file_that_any_reader_opens(tmp_path):
    from safetensors.torch import load_file
    model = net()
    fit(model, checkpoint=tmp_path / "c")
    stored = load_file(tmp_path / "c")
    assert all(torch.equal(stored[f"model/{name}"], value) for name, value in model.state_dict().items())


def test_tied_weights_are_stored_and_read(tmp_path):
    model = net()
    model.register_parameter("tied", model[0].weight)
    fit(model, checkpoint=tmp_path / "c")
    train.load_tree(tmp_path / "c")


# Faults: one clear sentence each

def no_checkpoint_left(folder: Path) -> bool:
    return not list(folder.glob("*.partial"))


@pytest.mark.parametrize("data, how, error, words", [
    ((torch.zeros(0, 4), torch.zeros(0).long()), {}, ValueError, "data holds no examples"),
    ((torch.zeros(5, 4), torch.zeros(4).long()), {}, ValueError, "x holds 5 examples and y 4"),
    (([1.0, 2.0], [0, 1]), {}, TypeError, "tuple of (list, list); expected two tensors"),
    ([], {}, ValueError, "the iterable gave no batches"),
    (None, {"batch_size": 0}, ValueError, "batch_size is 0; expected a whole number, 1 or more"),
    (None, {"batch_size": 2.5}, ValueError, "batch_size is 2.5; expected a whole number"),
    (None, {"batch_size": "64"}, ValueError, "batch_size is '64'"),
    (None, {"batch_size": None}, ValueError, "batch_size None; expected"),
    (None, {"epochs": -1}, ValueError, "epochs is -1"),
    (None, {"epochs": 1.5}, ValueError, "epochs is 1.5"),
    (None, {"epochs": True}, ValueError, "epochs is True"),
    (None, {"patience": 1.5, "valid": toy()}, ValueError, "patience is 1.5"),
    (None, {"seed": "a"}, ValueError, "seed is 'a'; expected a whole number, 0 or more"),
    (None, {"clip": 0.0}, ValueError, "clip is 0.0"),
    (None, {"clip": math.nan}, ValueError, "clip is nan"),
    (None, {"patience": 3}, ValueError, "nothing to watch; give valid="),
    (None, {"valid": (torch.zeros(0, 4), torch.zeros(0))}, ValueError, "valid holds no examples"),
    (None, {"device": "tpu"}, ValueError, "'tpu' is not known"),
    (7, {}, TypeError, "data is a int; expected two tensors"),
    ((torch.tensor(1.0), torch.tensor(1)), {}, TypeError, "tuple of (number, number); expected two tensors"),
    ([(torch.zeros(5, 4), torch.zeros(5).long(), 1)], {}, TypeError, "batch 1 is a tuple of (Tensor, Tensor, int)"),
    ([{"x": 1}], {}, TypeError, "batch 1 is a dict; expected two tensors"),
    ([(torch.zeros(5, 4), torch.zeros(4).long())], {}, ValueError, "batch 1: x holds 5 examples and y 4"),
    ((torch.zeros(5, 4), torch.full((5,), 3)), {}, ValueError,
     "the loss function refuses logits (5, 2) float32 and y (5,) int64 from 3 to 3: Target 3 is out of bounds"),
    ((torch.zeros(5, 7), torch.zeros(5).long()), {}, ValueError, "the model refuses x (5, 7) float32: mat1 and mat2"),
    ((torch.zeros(5, 4).double(), torch.zeros(5).long()), {}, ValueError, "the model refuses x (5, 4) float64"),
    (None, {"loss_fn": lambda logits, y: logits}, ValueError, "the loss function gives a tensor of shape (25, 2)"),
    (None, {"loss_fn": lambda logits, y: 1.0}, ValueError, "the loss function gives a float; expected a tensor"),
    (None, {"metrics": ["accuracy"]}, TypeError, "metrics is a list of (str); expected a dict"),
    (None, {"metrics": {"loss": cross_entropy}}, ValueError, "may not be called 'loss'"),
    (None, {"metrics": {"hits": lambda logits, y: y == 0}}, TypeError, "hits gave a tensor of shape (25,) for a batch"),
    (None, {"metrics": {"hits": lambda logits, y: None}}, TypeError, "hits gave None for a batch; expected one number"),
])
def test_wrong_input_is_named(data, how, error, words):
    with pytest.raises(error) as caught:
        fit(net(), data, **{"epochs": 1} | how)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_parts_that_are_not_of_one_piece_are_refused_before_they_learn_nothing():
    model, other = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    elsewhere = torch.optim.SGD(other.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    for how, words in [({"optimizer": elsewhere}, "holds no trainable weight of this model; make it from"),
                       ({"schedule": torch.optim.lr_scheduler.StepLR(elsewhere, 1)}, "another optimizer's"),
                       ({"schedule": plateau}, "schedule is a ReduceLROnPlateau; expected"),
                       ({"schedule": len}, "schedule is a builtin_function_or_method; expected")]:
        with pytest.raises((ValueError, TypeError), match=words):
            fit(model, optimizer=how.get("optimizer", optimizer), schedule=how.get("schedule"))
    for parameterless in (nn.Flatten(), net().requires_grad_(False)):
        with pytest.raises(ValueError, match="no trainable weight"):
            fit(parameterless, optimizer=optimizer)
    assert same(model, net())


def test_a_schedule_that_ends_too_early_is_found_before_the_first_step(tmp_path):
    def run(epochs: int, total: int) -> train.History:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
        return fit(model, optimizer=optimizer, schedule=schedule, epochs=epochs, checkpoint=tmp_path / f"{total}")
    assert len(run(2, 10).epochs) == 2                           # 5 batches an epoch
    for epochs, total in [(3, 14), (3, 10)]:
        with pytest.raises(ValueError, match=rf"the schedule has {total} steps and this run takes 15; make it"):
            run(epochs, total)
    assert not (tmp_path / "14").exists() and len(train.load_tree(tmp_path / "10")["history"]) == 2


def test_weights_that_the_last_step_broke_are_not_stored(tmp_path):
    path = tmp_path / "c"
    fit(net(), checkpoint=path, epochs=1)
    before, steps = path.read_bytes(), 0

    def loss_fn(logits: Tensor, y: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        return cross_entropy(logits if steps < 5 else logits + (logits - logits.detach()) * math.inf, y)

    with pytest.raises(train.TrainingDiverged, match=r"the (weights|loss)"):
        fit(net(), loss_fn=loss_fn, checkpoint=path, epochs=2)
    assert path.read_bytes() == before


def test_an_exhausted_generator_is_named():
    used_up = iter([toy()])
    with pytest.raises(ValueError, match="a generator can be read once only"):
        fit(net(), used_up, epochs=2)


@pytest.mark.parametrize("bad_step", [1, 63, 64, 65, 100])
def test_a_loss_that_is_no_number_stops_with_its_place(bad_step, tmp_path):
    steps = 0

    def loss_fn(logits: Tensor, y: Tensor) -> Tensor:
        nonlocal steps
        steps += 1
        return cross_entropy(logits, y) * (math.nan if steps == 101 + bad_step else 1)

    with pytest.raises(train.TrainingDiverged, match=f"the loss is nan at epoch 2, step {bad_step}, learning rate 0.1"):
        fit(net(), loss_fn=loss_fn, batch_size=1, checkpoint=tmp_path / "c")
    assert len(train.load_tree(tmp_path / "c")["history"]) == 1


def test_a_validation_loss_that_is_no_number_stops():
    x, y = toy(10)
    with pytest.raises(train.TrainingDiverged, match="validation loss is nan after epoch 1"):
        fit(net(), valid=(x * math.nan, y))


@pytest.mark.parametrize("change, words", [
    ({"batch_size": 20}, "batch_size is 25 there and 20 here"),
    ({"seed": 1}, "seed is 0 there and 1 here"),
    ({"lr": 0.2}, "in optimizer's settings, lr is 0.1 there and 0.2 here"),
    ({"clip": 1.0}, "clip is None there and 1.0 here"),
    ({"width": 9}, "in model, 0.weight is [8, 4] there and [9, 4] here"),
    ({"data": toy(seed=1)}, "data is (101, 4), (101,), checksum"),
    ({"optimizer": torch.optim.Adam}, "optimizer is SGD there and Adam here"),
])
def test_a_checkpoint_of_another_run_is_refused_and_kept(tmp_path, change, words):
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    before, model = path.read_bytes(), net(width=change.pop("width", 8))
    if "optimizer" in change:
        change["optimizer"] = change["optimizer"](model.parameters())
    with pytest.raises(train.CheckpointError) as caught:
        fit(model, change.pop("data", None), checkpoint=path, **change)
    assert words in str(caught.value) and "another checkpoint file" in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage, words", [
    (lambda blob: blob[:len(blob) // 2], "is damaged, or no checkpoint"),
    (lambda blob: b"", "is damaged, or no checkpoint"),
    (lambda blob: blob[:-3] + bytes([blob[-3] ^ 1]) + blob[-2:], "was altered after it was written"),
    (lambda blob: blob.replace(b"steps", b"stops"), "was altered after it was written"),
    (lambda blob: b"PK\x03\x04 a pickle in a zip", "is damaged, or no checkpoint"),
])
def test_a_damaged_checkpoint_is_named_and_kept(tmp_path, damage, words):
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    path.write_bytes(damaged := damage(path.read_bytes()))
    with pytest.raises(train.CheckpointError, match=words):
        fit(net(), checkpoint=path)
    assert path.read_bytes() == damaged


def test_a_plain_weights_file_is_no_checkpoint(tmp_path):
    from safetensors.torch import save_file
    save_file(net().state_dict(), tmp_path / "c")
    with pytest.raises(train.CheckpointError, match="is no checkpoint of this loop"):
        fit(net(), checkpoint=tmp_path / "c")


def test_a_folder_in_the_checkpoints_place_is_named(tmp_path):
    with pytest.raises(train.CheckpointError, match="Is a directory; choose a file"):
        fit(net(), checkpoint=tmp_path)


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path):
    """/dev/full answers every write as a full disk does."""
    path = tmp_path / "c"
    train.save_tree(path, {"a": torch.ones(3)})
    before = path.read_bytes()
    (tmp_path / "c.partial").symlink_to("/dev/full")
    with pytest.raises(train.CheckpointError, match="No space left on device; what was there before is as it was"):
        train.save_tree(path, {"a": torch.zeros(3)})
    assert path.read_bytes() == before and no_checkpoint_left(tmp_path)
    train.save_tree(path, {"a": torch.zeros(3)})
    assert path.read_bytes() != before


def test_a_disk_that_fills_up_during_training_leaves_the_last_good_checkpoint(tmp_path):
    """A limit on the size of files stops the write half-way, after one epoch has been stored."""
    path, limits = tmp_path / "c", resource.getrlimit(resource.RLIMIT_FSIZE)
    fit(net(), checkpoint=path, epochs=1)
    before = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(train.CheckpointError, match="cannot write checkpoint"):
            fit(net(), checkpoint=path, epochs=3)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and no_checkpoint_left(tmp_path)
    resumed, straight = net(), net()
    fit(resumed, checkpoint=path, epochs=3)
    fit(straight, epochs=3)
    assert same(resumed, straight)


def test_a_read_only_folder_is_found_before_the_first_epoch():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)                               # root may write anywhere
            with pytest.raises(train.CheckpointError, match="Permission denied; choose another folder"):
                fit(net(), loss_fn=pytest.fail, checkpoint=Path(folder, "c"))
        finally:
            os.seteuid(user)
            os.chmod(folder, 0o755)


# Progress

def test_the_loop_is_silent_away_from_a_terminal(capfd):
    fit(net(), valid=toy(30), patience=2)
    assert capfd.readouterr() == ("", "")


def test_the_bar_shows_epoch_and_loss_when_asked(capfd):
    fit(net(), progress=True)
    shown = capfd.readouterr()
    assert "epoch 3" in shown.err and "loss" in shown.err and shown.out == ""


# Processes

TWO = '''
import os, sys
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from dlbook import train

def run(folder, loader=False):
    x = torch.randn(101, 4, generator=torch.Generator().manual_seed(0)).double()
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    data = DataLoader(TensorDataset(x, y), 25, shuffle=True) if loader else (x, y)
    history = train.fit(model, data, valid=(x[:33], 1 - y[:33]), loss_fn=nn.functional.cross_entropy,
                        optimizer=optimizer, schedule=schedule, epochs=4, batch_size=25, patience=2, clip=0.5,
                        metrics={"accuracy": lambda logits, y: (logits.argmax(1) == y).double().mean()},
                        checkpoint=f"{folder}/run{loader}.safetensors", device="cpu", progress=True)
    rows = [{k: v for k, v in row.items() if k != "seconds"} for row in history.epochs]
    return {"model": model.state_dict(), "rows": rows}

if __name__ == "__main__":
    torch.set_num_threads(1)
    rank = os.environ["RANK"]
    sys.stderr = open(f"{sys.argv[1]}/rank{rank}.err", "w")
    for loader in (False, True):
        torch.manual_seed(100 * int(rank))                       # the processes start out different
        state = run(sys.argv[1], loader)
        train.save_tree(f"{sys.argv[1]}/rank{rank}{loader}.safetensors", state)
'''


def test_two_processes_equal_one(tmp_path):
    """101 examples in batches of 25: shares of 13 and 12, then a last batch with one example for two processes."""
    script = tmp_path / "two.py"
    script.write_text(TWO)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", script, tmp_path]
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120,
                           env=os.environ | {"GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"})
    assert ended.returncode == 0, ended.stderr
    spec = importlib.util.spec_from_file_location("two", script)
    two = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(two)
    (tmp_path / "one").mkdir()
    for loader in (False, True):
        torch.manual_seed(0)
        one = two.run(tmp_path / "one", loader)
        first, second = (train.load_tree(tmp_path / f"rank{rank}{loader}.safetensors") for rank in (0, 1))
        assert equal(first, second)                             # bit for bit the same on both
        for ours, whole in zip(first["rows"], one["rows"], strict=True):
            assert ours == pytest.approx(whole, rel=1e-9)
        for name, value in one["model"].items():
            assert torch.allclose(first["model"][name], value, atol=1e-10)
    assert "epoch" in (tmp_path / "rank0.err").read_text() and not (tmp_path / "rank1.err").read_text()
    assert no_checkpoint_left(tmp_path)
