"""The machine that a chapter runs on: device, profile, seeds, threads, versions, and the guard for torchvision."""

from __future__ import annotations

import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbook import runtime


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("DLBOOK_DEVICE", "DLBOOK_PROFILE", "DLBOOK_THREADS"):
        monkeypatch.delenv(name, raising=False)


def run(code: str) -> str:
    """Standard output of a fresh Python."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- device

def test_the_device_is_the_gpu_where_there_is_one_else_the_cpu():
    assert runtime.device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_environment_chooses_the_device_and_an_argument_overrules_it(monkeypatch):
    monkeypatch.setenv("DLBOOK_DEVICE", "meta")
    assert runtime.device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device 'meta' is not known; expected cpu, cuda"):
        runtime.device()


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:-1", "CPU", "cpu:0:1", " "])
def test_an_unknown_device_is_refused_by_name(name):
    with pytest.raises(ValueError, match=f"device {name!r} is not known"):
        runtime.device(name)


def test_a_device_that_the_machine_lacks_is_refused_with_what_to_do():
    with pytest.raises(ValueError, match="'cuda:99' is not on this machine.*DLBOOK_DEVICE=cpu"):
        runtime.device("cuda:99")


def test_the_device_has_a_name_that_a_person_can_read():
    assert len(runtime.device_name(torch.device("cpu"))) > 2


# ---- profile

def test_the_profile_is_quick_unless_the_environment_says_full(monkeypatch):
    assert (runtime.profile(), runtime.pick(quick=1, full=2)) == ("quick", 1)
    monkeypatch.setenv("DLBOOK_PROFILE", "full")
    assert (runtime.profile(), runtime.pick(quick=1, full=2)) == ("full", 2)


def test_an_unknown_profile_is_refused(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROFILE", "fast")
    with pytest.raises(ValueError, match="DLBOOK_PROFILE=fast is not a profile; expected quick or full"):
        runtime.pick(quick=1, full=2)


# ---- seeds

@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_one_seed_gives_the_same_numbers_from_every_generator(seed):
    def draw() -> list[float]:
        generator = runtime.seed_everything(seed)
        return [random.random(), np.random.rand(), torch.rand(1).item(), torch.rand(1, generator=generator).item()]

    assert draw() == draw()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "0", None, True])
def test_a_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(ValueError, match="is not a whole number from 0 to"):
        runtime.seed_everything(seed)


def test_one_seed_trains_to_the_same_bits():
    def train() -> torch.Tensor:
        runtime.seed_everything(3)
        model = torch.nn.Linear(8, 8)
        step = torch.optim.SGD(model.parameters(), 0.1)
        for _ in range(20):
            step.zero_grad()
            model(torch.randn(16, 8)).square().mean().backward()
            step.step()
        return model.weight.detach()

    assert torch.equal(train(), train())


# ---- threads and versions

def test_threads_are_set_by_argument_and_by_the_environment(monkeypatch):
    before = runtime.threads()
    try:
        assert runtime.threads(1) == torch.get_num_threads() == 1
        monkeypatch.setenv("DLBOOK_THREADS", "2")
        assert runtime.threads() == torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_limit_on_threads_holds_for_numpys_linear_algebra_too():
    before = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    try:
        runtime.threads(1)
        assert {library["num_threads"] for library in threadpool_info()} == {1}
    finally:
        threadpool_limits(max(before.values()))
        torch.set_num_threads(max(before.values()))


@pytest.mark.parametrize("n", [0, -1, "many", 1.5])
def test_a_number_of_threads_that_makes_no_sense_is_refused(n):
    with pytest.raises(ValueError, match="is not a positive whole number"):
        runtime.threads(n)


def test_versions_leave_out_local_parts_and_absent_packages():
    found = runtime.versions("torch", "no-such-package-here")
    assert set(found) == {"python", "torch"} and "+" not in found["torch"]
    assert torch.__version__.startswith(found["torch"])


# ---- torchvision (each of these needs a fresh Python: an import cannot be undone)

GUARDED = """
import json, torch
from dlbook import runtime
declared, again = bool(runtime._declared), runtime.guard_torchvision()
import torchvision
from torchvision.ops import roi_align
from torchvision.transforms import v2
from torchvision.utils import make_grid
x = torch.arange(64.).reshape(1, 1, 8, 8)
whole = roi_align(x, torch.tensor([[0, 0., 0., 8., 8.]]), 4, sampling_ratio=2, aligned=True)
print(json.dumps({
    "declared": declared, "compiled": torchvision.extension._has_ops(), "again": [again, runtime.guard_torchvision()],
    "grid": list(make_grid(torch.rand(4, 1, 5, 5), nrow=2, padding=1).shape),
    "flip": v2.RandomHorizontalFlip(1.0)(x)[0, 0, 0].tolist(),
    "align": torch.allclose(whole, torch.nn.functional.avg_pool2d(x, 2)),
    "resnet": list(torchvision.models.resnet18(num_classes=3)(torch.rand(2, 3, 32, 32)).shape)}))
"""


@pytest.fixture(scope="module")
def guarded() -> dict:
    return json.loads(run(GUARDED))


def test_torchvision_works_after_the_guard(guarded):
    assert (guarded["grid"], guarded["flip"]) == ([3, 13, 13], [7.0, 6, 5, 4, 3, 2, 1, 0])
    assert (guarded["align"], guarded["resnet"]) == (True, [2, 3])


def test_the_guard_declares_operators_only_where_torchvision_needs_them(guarded):
    assert guarded["declared"] is not guarded["compiled"]


def test_a_second_call_of_the_guard_declares_nothing(guarded):
    assert guarded["again"] == [False, False]


def test_without_the_guard_import_fails_just_where_the_guard_declares_something(guarded):
    out = run("import torch\ntry:\n    import torchvision\nexcept RuntimeError as error:\n    print(error)")
    assert ("torchvision::nms does not exist" in out) is guarded["declared"]


def test_the_guard_does_nothing_where_torchvision_is_absent(monkeypatch):
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(runtime.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(runtime, "_compiled_part_loads", lambda folder: pytest.fail("looked for a file"))
    assert runtime.guard_torchvision() is False
