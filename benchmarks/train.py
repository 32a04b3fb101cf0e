"""How much slower is `dlbook.train.fit` than the bare loop? Alternating runs, median of the pairwise ratios.

python benchmarks/train.py [--pairs 31]; run it with nothing else on the machine.
Prints one line per size of model: milliseconds per epoch of each loop, and the ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlbook import runtime, train


def lenet() -> nn.Module:
    """About LeNet: 61,706 parameters on 28×28 images."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def tiny() -> nn.Module:
    """The cheapest step a chapter takes: a loop's own cost shows most here."""
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def bare(model: nn.Module, x: Tensor, y: Tensor, epochs: int) -> float:
    """The loop that one would write by hand, with the mean loss that one would print. Returns the seconds."""
    optimizer, generator = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9), torch.Generator().manual_seed(0)
    start = time.perf_counter()
    for _ in range(epochs):
        total = 0.0
        model.train()
        for rows in torch.randperm(len(x), generator=generator).to(x.device).split(64):
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
    return time.perf_counter() - start


def ours(model: nn.Module, x: Tensor, y: Tensor, epochs: int) -> float:
    """The same through `fit`. Returns the seconds."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    start = time.perf_counter()
    train.fit(model, (x, y), loss_fn=nn.functional.cross_entropy, optimizer=optimizer, epochs=epochs)
    return time.perf_counter() - start


def compare(make: Callable[[], nn.Module], shape: tuple[int, ...], count: int, epochs: int, pairs: int) -> list[float]:
    """Times of both loops, one pair after another, the first of a pair in turn. Prints and returns the ratios."""
    device = runtime.device()
    x, y = torch.randn(count, *shape).to(device), torch.randint(10, (count,)).to(device)
    times = {bare: [], ours: []}
    for pair in range(-1, pairs):                            # the first pair warms up and is dropped
        for loop in (bare, ours) if pair % 2 else (ours, bare):
            torch.manual_seed(0)
            times[loop].append(loop(make().to(device), x, y, epochs) / epochs * 1000)
    ratios = [b / a for a, b in zip(times[bare][1:], times[ours][1:])]
    quarters = statistics.quantiles(ratios, n=4)
    print(f"{make.__name__:6} bare {statistics.median(times[bare][1:]):8.1f} ms/epoch   "
          f"fit {statistics.median(times[ours][1:]):8.1f} ms/epoch   ratio {statistics.median(ratios):.3f} "
          f"(middle half {quarters[0]:.3f} to {quarters[2]:.3f}, {pairs} pairs)", flush=True)
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=31)
    pairs = parser.parse_args().pairs
    compare(tiny, (64,), 6400, 2, pairs)
    compare(lenet, (1, 28, 28), 1600, 1, pairs)


if __name__ == "__main__":
    main()
