"""Where training on many machines stops scaling: a model, checked on this machine.

    python -m benchmarks.scaling CORPUS [--threads 16] [--processes 2 4 8]

CORPUS is a prepared corpus. Measured here are the kernel's speed by dimension, how
fast an exchange's own arithmetic goes, and gloo's all_reduce on loopback. The time of a
round of G words on n nodes is then

    compute   G / n / (speed of a thread * threads * 0.8)
    exchange  B * (seconds a byte of arithmetic) / threads, at most 8 of them
    wire      2 (n - 1) / n * B / bandwidth + 2 (n - 1) * latency

where B are the bytes of the rows that a round exchanges, on the mean. The first table
holds the model against what as many processes do on this machine, where they share its
cores; the others are its predictions for 1 to 64 nodes. 0.8 is what the second thread
of this machine brings; a wider machine may bring less.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from benchmarks.kernel import Trainer, of_corpus
from benchmarks.measure import machine
from benchmarks.ranks import train
from sg_train.config import DistributedConfig
from sg_train.engines.distributed.exchange import Exchange, tier_ends
from sg_train.model.skip_gram import SkipGram
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.sampling.touches import Touches
from sg_train.system.machine import available_cpus
from sg_train.system.ranks import Ranks

GROWTH = 4
ALL_REDUCE = """
import statistics, time, torch
from sg_train.system.ranks import open_ranks
torch.set_num_threads(1)
with open_ranks() as ranks:
    for size in (1_000, 4_000_000):
        tensor = torch.zeros(size)
        times = []
        for _ in range(12):
            ranks.largest(0)
            began = time.perf_counter()
            ranks.add(tensor)
            times.append(time.perf_counter() - began)
        if ranks.is_first:
            print(statistics.median(times), flush=True)
"""


@dataclass
class Links:
    latency: float  # seconds a step of the ring
    bandwidth: float  # bytes a second


def mean_rows(vocabulary: int, frequent: int) -> float:
    """Return how many rows a round exchanges on the mean, over all its tiers."""
    ends = [0, *tier_ends(vocabulary, frequent)]
    return sum(
        (end - start) / GROWTH**tier for tier, (start, end) in enumerate(pairwise(ends))
    )


def round_bytes(vocabulary: int, dimension: int) -> float:
    rows = mean_rows(vocabulary, DistributedConfig().frequent_rows)
    return 2 * 4 * rows * dimension


def arithmetic(dimension: int) -> float:
    """Return the seconds that an exchange takes a thread for each byte by itself."""
    torch.set_num_threads(1)
    size = 72_000
    shares = np.full(size, 1 / size)

    class Two(Ranks):
        size = 2

    model = SkipGram(size, dimension)
    exchange = Exchange(model, Two(), Touches(1.0, 1.0, shares, shares), 4096)
    times = []
    rounds = 64
    for _ in range(3):
        began = time.perf_counter()
        for _ in range(rounds):
            exchange.round(1e5, 0.05)
        times.append((time.perf_counter() - began) / rounds)
    return statistics.median(times) / round_bytes(size, dimension)


def loopback(processes: int) -> Links:
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "all_reduce.py"
        script.write_text(ALL_REDUCE)
        launch = ["-m", "torch.distributed.run", "--standalone"]
        done = subprocess.run(
            [sys.executable, *launch, f"--nproc-per-node={processes}", str(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
    small, large = map(float, done.stdout.split())
    steps = 2 * (processes - 1)
    sent = steps / processes * 4 * (4_000_000 - 1_000)
    return Links(small / steps, sent / max(1e-9, large - small))


def predict(
    nodes: int, size: float, speed: float, seconds_a_byte: float, links: Links
) -> tuple[float, float]:
    """Return words a second and the share of time that goes into exchanging.

    Args:
        nodes: n.
        size: B, bytes of a round.
        speed: words a second of a node.
        seconds_a_byte: of an exchange's arithmetic, on a node.
        links: between nodes.
    """
    words = DistributedConfig().round_words
    compute = words / nodes / speed
    if nodes == 1:
        return speed, 0.0
    wire = 2 * (nodes - 1) * (size / nodes / links.bandwidth + links.latency)
    exchange = wire + size * seconds_a_byte
    return words / (compute + exchange), exchange / (compute + exchange)


def check(
    corpus: Path, processes: list[int], vocabulary: int, speed: float, cost: float
) -> None:
    print("| processes | model words/s | measured | ratio |\n|---|---|---|---|")
    for number in processes:
        crowd = max(1.0, number / available_cpus())  # processes to a core
        model, _ = predict(
            number,
            round_bytes(vocabulary, 100),
            speed / crowd,
            cost * crowd,
            loopback(number),
        )
        found = []
        for _ in range(3):
            with tempfile.TemporaryDirectory() as name:
                out = Path(name) / "run"
                train(number, corpus, ["training.epochs=1"], out, kill=False)
                *_, last = load_metrics(RunDirectory(out).metrics_file)
                found.append(last.words / last.seconds)
        measured = statistics.median(found)
        ratio = model / measured
        print(
            f"| {number} | {model:,.0f} | {measured:,.0f} | {ratio:.2f} |", flush=True
        )
    print()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--processes", type=int, nargs="*", default=[2, 4, 8])
    options = parser.parse_args()
    text = of_corpus(options.corpus)
    print(f"{machine()}; {options.corpus.name}\n")
    speeds, costs = {}, {}
    for dimension in (100, 300):
        trainer = Trainer(text, dimension, 5, 1)
        speeds[dimension] = 1e6 * statistics.median(
            trainer.train()[0] for _ in range(3)
        )
        costs[dimension] = arithmetic(dimension)
    print(json.dumps({"words/s of a thread": speeds, "s a byte": costs}), "\n")
    check(options.corpus, options.processes, len(text.counts), speeds[100], costs[100])
    nodes = [1, 2, 4, 8, 16, 32, 64]
    print(f"Million words/s, and how much of the time is exchange; {options.threads}")
    print("threads a node, 50 microseconds latency\n")
    print(f"| vocabulary | dimension | Gbit/s | {' | '.join(map(str, nodes))} |")
    print("|---" * (3 + len(nodes)) + "|")
    for vocabulary in (100_000, 1_000_000, 10_000_000):
        for dimension in (100, 300):
            for gigabits in (1, 10, 100):
                links = Links(50e-6, gigabits * 1e9 / 8)
                cells = []
                for number in nodes:
                    words, share = predict(
                        number,
                        round_bytes(vocabulary, dimension),
                        speeds[dimension] * options.threads * 0.8,
                        costs[dimension] / min(8, options.threads),
                        links,
                    )
                    cells.append(f"{words / 1e6:.1f} ({share:.0%})")
                row = f"{vocabulary:,} | {dimension} | {gigabits}"
                print(f"| {row} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
