"""How fast are the chapter's engines beside PyTorch, and beside micrograd, on micrograd's own demonstration?

    python benchmarks/backpropagation.py [--rounds 5]            both engines and PyTorch
    python benchmarks/backpropagation.py --micrograd PATH        also micrograd, from a copy of its repository
                                                                 (or leave PATH out where the package is installed)

The problem: two moons of 100 points, a network 2-16-16-1 with ReLU, the max-margin loss with a penalty, 100 steps of
gradient descent on all points with a falling rate, all from the weights that micrograd's demo.ipynb draws. The array
engine and PyTorch run turn about; of each, the median counts. The scalar engine and micrograd take a few steps, turn
about, scaled to a hundred. Seconds of wall time for the fast ones; of this process's own time for the slow ones, so
that other work on the machine does not count. The final line is the ratio of each to PyTorch.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import make_moons

from dlbook.backpropagation import Node, Value, network_logits, stepped

STEPS, FEW, PENALTY = 100, 2, 1e-4
console = Console()


def problem() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Points (100, 2), sides (100,) of -1 and +1, and the first weights, as the demonstration draws them."""
    np.random.seed(1337)
    random.seed(1337)
    x, y = make_moons(n_samples=100, noise=0.1)
    start = []
    for inputs, units in [(2, 16), (16, 16), (16, 1)]:
        rows = [[random.uniform(-1, 1) for _ in range(inputs)] for _ in range(units)]
        start += [np.array(rows).T, np.zeros(units)]
    return x, y * 2.0 - 1.0, start


def rate(k: int) -> float:
    return 1 - 0.9 * k / STEPS


def loss_of(params: list, x: object, y: object) -> object:
    """For nodes and for tensors."""
    margins = (1 - y * network_logits(params, x).reshape(-1)).relu()
    return margins.mean() + PENALTY * sum((p * p).sum() for p in params)


def by_arrays(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> float:
    """The hundred steps with Node. Returns the last loss."""
    params = [Node(p) for p in start]
    for k in range(STEPS):
        loss = loss_of(params, x, y)
        loss.backward()
        params = stepped(params, rate(k))
    return float(loss.data)


def by_torch(x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> float:
    params = [torch.tensor(p, requires_grad=True) for p in start]
    x, y = torch.tensor(x), torch.tensor(y)
    for k in range(STEPS):
        loss = loss_of(params, x, y)
        grads = torch.autograd.grad(loss, params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= rate(k) * g
    return loss.item()


def by_numbers(kind: Callable, x: np.ndarray, y: np.ndarray, start: list[np.ndarray]) -> float:
    """A few steps with one object per number, of dlbook's Value or micrograd's. Returns the last of their losses."""
    layers = [[[kind(float(w)) for w in row] for row in np.atleast_2d(p)] for p in start]
    weights = [w for p in layers for row in p for w in row]
    for k in range(FEW):
        total = sum(margin(kind, layers, point, float(side)) for point, side in zip(x, y)) * (1 / len(y))
        total = total + sum(w * w for w in weights) * PENALTY
        for w in weights:
            w.grad = 0.0
        total.backward()
        for w in weights:
            w.data -= rate(k) * w.grad
    return total.data


def margin(kind: Callable, layers: list, point: np.ndarray, side: float) -> object:
    h = [kind(float(v)) for v in point]
    for k in range(0, len(layers), 2):
        h = [sum((v * w for v, w in zip(h, column)), bias) for column, bias in zip(zip(*layers[k]), layers[k + 1][0])]
        h = [v.relu() for v in h] if k + 2 < len(layers) else h
    return (1 + h[0] * -side).relu()


def clock(work: Callable[[], float], timer: Callable[[], float]) -> tuple[float, float]:
    """Seconds, and what the work returned."""
    began = timer()
    result = work()
    return timer() - began, result


def engine_of_micrograd(path: str | None) -> Callable | None:
    """micrograd's Value, from the copy at the path or the installed package; None where there is none."""
    if path:
        sys.path.insert(0, path)
    try:
        return import_module("micrograd.engine").Value
    except ImportError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--micrograd", help="folder of a copy of micrograd's repository")
    args = parser.parse_args()
    torch.set_num_threads(1)                                                     # the arrays are tiny
    task = problem()
    fast = {"PyTorch": lambda: by_torch(*task), "dlbook.backpropagation.Node": lambda: by_arrays(*task)}
    slow = {"dlbook.backpropagation.Value": Value, "micrograd": engine_of_micrograd(args.micrograd)}
    for work in fast.values():
        work()                                                                   # libraries load on the first run
    runs = [{name: clock(work, time.perf_counter) for name, work in fast.items()} for _ in range(args.rounds)]
    seconds = {name: statistics.median(run[name][0] for run in runs) for name in fast}
    sys.setrecursionlimit(100_000)                                               # micrograd's backward recurses
    tries = [{name: clock(lambda: by_numbers(kind, *task), time.process_time) for name, kind in slow.items() if kind}
             for _ in range(max(1, args.rounds // 2))]
    seconds |= {name: statistics.median(run[name][0] for run in tries) * STEPS / FEW for name in tries[0]}
    losses = [{name: run[name][1] for name in run} for run in (runs[0], tries[0])]
    assert all(max(found.values()) - min(found.values()) < 1e-12 for found in losses), losses
    table = Table("engine", "seconds for 100 steps", "times PyTorch")
    for name, value in sorted(seconds.items(), key=lambda item: item[1]):
        table.add_row(name, f"{value:.3f}", f"{value / seconds['PyTorch']:.1f}")
    console.print(table)
    console.print(f"last loss {losses[0]['PyTorch']:.15f} in both; micrograd's demo.ipynb prints 0.010978370135493")


if __name__ == "__main__":
    main()
