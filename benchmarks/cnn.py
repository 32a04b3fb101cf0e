"""How fast, and how surely, does the chapter's network reach 99.0 % on MNIST?

    python benchmarks/cnn.py            ten seeds of the chapter's recipe: accuracy and seconds of each
    python benchmarks/cnn.py --loops    one epoch of LeNet-5, batches of 64: bare loop, dlbook.train, Lightning, item by
                                        item; and a twentieth of an epoch of PyTorch's own MNIST example, scaled up
    python benchmarks/cnn.py --choose   the choice of network and settings again, on the last 10,000 training digits

Run it on an otherwise idle machine with two threads. Seconds count everything from the pixels as bytes in memory to the
trained weights. Lightning is used where it is installed.

The rule of the choice: of all candidates, the one with the highest mean validation accuracy among those whose quickest
run takes at most two thirds of the quickest of three epochs of plain LeNet-5 in the bare loop, on the same digits. (The
share was moved from one half with a table in view; the winner's neighbours come within a spread of it.)
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from rich import progress
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from dlbook import cnn, data, runtime, train

SEEDS, TARGET, SECONDS = 10, 0.99, 5.0
console = Console()


def clock(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def one(seed: int, images: Tensor, y: Tensor, make: Callable[[], nn.Module] = cnn.fast_lenet,
        **settings) -> tuple[nn.Module, float]:
    """A network trained from the seed, and its seconds."""
    runtime.seed_everything(seed)
    net = make()
    return net, clock(lambda: cnn.learn(net, cnn.standardise(images), y, seed=seed, **settings))


def ten_seeds(mnist: data.Images) -> bool:
    """The table of the ten runs. Returns whether all reached the target, at a median within the time."""
    one(99, mnist.train.x[:2000], mnist.train.y[:2000])                          # libraries load on the first step
    table, rows = Table("seed", "test accuracy (%)", "seconds"), []
    for seed in range(SEEDS):
        net, seconds = one(seed, mnist.train.x, mnist.train.y)
        score = cnn.accuracy(train.predict(net, cnn.standardise(mnist.test.x)), mnist.test.y).item()
        rows.append((score, seconds))
        table.add_row(str(seed), f"{100 * score:.2f}", f"{seconds:.2f}")
    console.print(table)
    scores, times = zip(*rows)
    reached = sum(score >= TARGET for score in scores)
    console.print(f"{reached} of {SEEDS} seeds reach {100 * TARGET:.1f} %; mean {100 * statistics.mean(scores):.2f} %, "
                  f"spread {100 * statistics.stdev(scores):.2f}; median {statistics.median(times):.2f} s, "
                  f"slowest {max(times):.2f} s, {torch.get_num_threads()} threads")
    return reached == SEEDS and statistics.median(times) <= SECONDS


def bare(net: nn.Module, x: Tensor, y: Tensor) -> None:
    """One epoch with nothing around it."""
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for rows in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()
        optimizer.step()


def ours(net: nn.Module, x: Tensor, y: Tensor) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    train.fit(net, (x, y), loss_fn=F.cross_entropy, optimizer=optimizer, epochs=1)


class Items(torch.utils.data.Dataset):
    """Digits converted and normalised one by one, as torchvision's MNIST with its usual transforms."""

    def __init__(self, split: data.Split):
        self.split = split

    def __len__(self) -> int:
        return len(self.split.y)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return self.split.x[i].float().div(255).sub(cnn.MEAN).div(cnn.STD).unsqueeze(0), int(self.split.y[i])


def item_by_item(net: nn.Module, split: data.Split) -> None:
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for x, y in torch.utils.data.DataLoader(Items(split), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()


def lightning(net: nn.Module, x: Tensor, y: Tensor) -> None:
    """The same epoch under Lightning, everything optional switched off. Raises ImportError where it is absent."""
    import lightning as L

    class Module(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = net

        def training_step(self, batch, _):
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.SGD(self.net.parameters(), lr=0.05, momentum=0.9)

    class Stream:
        def __len__(self) -> int:
            return -(-len(x) // 64)

        def __iter__(self):
            return train.batches(x, y, 64, torch.Generator().manual_seed(0))

    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    L.Trainer(max_epochs=1, accelerator="cpu", **quiet).fit(Module(), Stream())


class Example(nn.Module):
    """The network of PyTorch's own MNIST example (examples/mnist/main.py): two 3×3 convolutions at full resolution."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
                                  nn.Dropout(0.25), nn.Flatten())
        self.read = nn.Sequential(nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10))

    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.read(self.maps(x)), dim=1)


def example(split: data.Split) -> None:
    """The example's loop at its own settings: Adadelta at rate 1, batches of 64, items converted one by one."""
    net = Example()
    optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
    for x, y in torch.utils.data.DataLoader(Items(split), batch_size=64, shuffle=True):
        optimizer.zero_grad()
        F.nll_loss(net(x), y).backward()
        optimizer.step()


def loops(mnist: data.Images) -> None:
    """Seconds of an epoch of LeNet-5 under each loop, the median of three, and their ratio to the bare loop's."""
    x, y = cnn.standardise(mnist.train.x), mnist.train.y
    bare(cnn.lenet5(), x[:6400], y[:6400])                                       # libraries load on the first step
    took = {"bare loop": [], "dlbook.train": [], "Lightning": []}
    for _ in range(3):
        for name, work in zip(took, (bare, ours, lightning)):
            try:
                took[name].append(clock(lambda: work(cnn.lenet5(), x, y)))
            except ImportError:
                pass
    rows = {name: statistics.median(seconds) for name, seconds in took.items() if seconds}
    rows["bare loop, item by item"] = clock(lambda: item_by_item(cnn.lenet5(), mnist.train))
    part = type(mnist.train)(mnist.train.x[:len(y) // 20], y[:len(y) // 20])
    rows["PyTorch's example, an epoch (20 × a twentieth)"] = 20 * clock(lambda: example(part))
    rows["PyTorch's example, its 14 epochs (scaled up)"] = 14 * rows["PyTorch's example, an epoch (20 × a twentieth)"]
    table = Table("loop", "seconds", "ratio to the bare loop")
    for name, seconds in rows.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / rows['bare loop']:.2f}")
    console.print(table)
    if not took["Lightning"]:
        console.print("Lightning is not installed: its row is left out; `pip install lightning` adds it.")


def variant(widths: tuple[int, int, int], first_norm: bool = False) -> nn.Sequential:
    """The chapter's network with other numbers of channels, or with a normalisation after the first layer, too."""
    a, b, c = widths
    return nn.Sequential(
        nn.Conv2d(1, a, 5, stride=2, bias=not first_norm), *([nn.BatchNorm2d(a)] if first_norm else []), nn.ReLU(),
        nn.Conv2d(a, b, 3, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(b), nn.ReLU(),
        nn.Conv2d(b, c, 3, bias=False), nn.BatchNorm2d(c), nn.ReLU(), nn.Flatten(), nn.Linear(9 * c, 10))


CANDIDATES = [((8, 32, 64), True, 150, 0.4), ((8, 32, 64), False, 150, 0.4), ((8, 24, 64), False, 150, 0.4),
              ((8, 16, 64), False, 150, 0.6), ((8, 16, 64), False, 120, 0.8), ((16, 16, 64), False, 150, 0.8),
              ((16, 16, 64), False, 120, 0.6), ((16, 16, 96), False, 150, 0.8)]


def choose(mnist: data.Images, seeds: int = 5) -> None:
    """The table of the candidates and the one that the rule takes; the test digits are never touched."""
    held = len(mnist.train.y) // 6
    images, y, unseen = mnist.train.x[:-held], mnist.train.y[:-held], mnist.train.y[-held:]
    x, learned = cnn.standardise(mnist.train.x[-held:]), cnn.standardise(images)
    limit = 2 / 3 * min(clock(lambda: bare(cnn.lenet5(), learned, y)) for _ in range(3))
    table, found = Table("channels", "first norm", "batch", "rate", "validation (%)", "seconds", f"≤ {limit:.2f} s"), []
    for widths, norm, size, rate in progress.track(CANDIDATES, console=console, transient=True):
        runs = [one(s, images, y, partial(variant, widths, norm), size=size, rate=rate) for s in range(seeds)]
        scores = [100 * cnn.accuracy(train.predict(net, x), unseen).item() for net, _ in runs]
        mean, seconds = statistics.mean(scores), min(seconds for _, seconds in runs)
        found.append((seconds <= limit, mean, (widths, norm, size, rate)))
        table.add_row(str(widths), "yes" if norm else "no", str(size), str(rate),
                      f"{mean:.2f} ± {statistics.stdev(scores):.2f}", f"{seconds:.2f}",
                      "yes" if seconds <= limit else "no")
    console.print(table)
    console.print(f"chosen: {max(found)[2]}" if any(row[0] for row in found) else "none is fast enough")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", action="store_true", help="compare training loops instead")
    parser.add_argument("--choose", action="store_true", help="compare settings on the validation digits instead")
    asked, mnist = parser.parse_args(), data.load("mnist")
    console.print(str(mnist.provenance))
    if asked.loops or asked.choose:
        (loops if asked.loops else choose)(mnist)
        return 0
    return 0 if ten_seeds(mnist) or not mnist.is_real else 1


if __name__ == "__main__":
    raise SystemExit(main())
