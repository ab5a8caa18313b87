"""The speed of the fused kernel: by threads, by parts, and as a share of the peak.

    python -m benchmarks.kernel CORPUS [--repeats 5]

CORPUS is a prepared corpus. A pair is counted as 6 * (K + 1) * dimension floating point
operations: a dot and two updates for its positive and each of its K negatives. The peak
is that of torch's product of two 1024 x 1024 matrices on one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import njit

from benchmarks.measure import machine, spread
from benchmarks.round_trip import SHARED_BELOW, round_trip
from sg_train.blocks import Block, BlockRef
from sg_train.config import Config, SamplingConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.engines.base import RateLine, Task
from sg_train.engines.fused import block, engine, gather, kernel, machine_code, step
from sg_train.engines.fused.layout import Window
from sg_train.sampling.windows import SamplingPlan, draw_windows

BLOCKS = 40


@dataclass
class Text:
    """What the engine needs of a corpus."""

    counts: np.ndarray
    read_block: Callable[[int], Any]
    blocks: int


def of_corpus(path: Path) -> Text:
    corpus = EncodedCorpus.load(path)
    blocks = min(BLOCKS, len(corpus.block_starts) - 1)
    return Text(corpus.vocabulary.counts, corpus.block, blocks)


def of_zipf(vocabulary: int, tokens: int = 2_000_000, blocks: int = 20) -> Text:
    """Draw a text in which the word of rank r has a share of 1 / (r + 2.7)."""
    shares = 1 / (np.arange(vocabulary) + 2.7)
    shares /= shares.sum()
    counts = np.maximum(5, shares * 1e9).astype(np.int64)
    ids = np.random.default_rng(0).choice(vocabulary, tokens, p=shares)
    parts = ids.astype(np.int32).reshape(blocks, -1)
    offsets = np.append(np.arange(0, parts.shape[1], 50), parts.shape[1])
    return Text(counts, lambda i: Block(parts[i], offsets), blocks)


def peak() -> float:
    """Return the sgemm peak of one thread in GFLOP/s."""
    torch.set_num_threads(1)
    one, other = torch.rand(1024, 1024), torch.rand(1024, 1024)
    best = 0.0
    for _ in range(20):
        start = time.perf_counter()
        one @ other
        best = max(best, 2 * 1024**3 / (time.perf_counter() - start) / 1e9)
    return best


class Constant:
    """A learning rate that does not fall."""

    def line(self, _: BlockRef) -> RateLine:
        return RateLine(0.01, 0.0)


def make_plan(counts: np.ndarray, sampling: SamplingConfig) -> SamplingPlan:
    return SamplingPlan.from_counts(
        counts,
        window=sampling.window,
        dynamic=sampling.dynamic_window,
        negatives=sampling.negatives,
        negative_exponent=sampling.negative_exponent,
        subsample=sampling.subsample,
        seed=1,
    )


class Trainer:
    """Trains on the same blocks again and again, and times it."""

    def __init__(
        self, text: Text, dimension: int, negatives: int, threads: int
    ) -> None:
        config = Config.load().with_settings(
            {"model.dimension": dimension, "sampling.negatives": negatives}
        )
        task = Task(
            config=config,
            counts=text.counts,
            read_block=text.read_block,
            blocks=text.blocks,
            plan=make_plan(text.counts, config.sampling),
            schedule=Constant(),
            threads=threads,
            device="cpu",
        )
        self._model, self._engine = engine.build(task)
        self._places = [BlockRef(0, block) for block in range(text.blocks)]
        self._flop = 6 * (negatives + 1) * dimension
        self.train()

    def train(self) -> tuple[float, float]:
        """Return million words/s and GFLOP/s, without copying weights in and out."""
        results, times = [], []
        for result in self._engine.train(self._places):
            results.append(result)
            times.append(time.perf_counter())
        # The first block is not counted: it waits for the copy.
        seconds, counted = times[-1] - times[0], results[1:]
        words = sum(result.words for result in counted)
        pairs = sum(result.pairs for result in counted)
        return words / seconds / 1e6, self._flop * pairs / seconds / 1e9


def shapes(text: Text, name: str, repeats: int) -> None:
    print("| dimension | K | million words/s | GFLOP/s | of the sgemm peak |")
    print("|---|---|---|---|---|")
    for dimension in (50, 100, 200, 300):
        for negatives in (5, 10, 15):
            trainer = Trainer(text, dimension, negatives, threads=1)
            rounds = [(*trainer.train(), peak()) for _ in range(repeats)]
            words, flops, share = (
                statistics.median(values)
                for values in zip(*((w, f, f / p) for w, f, p in rounds), strict=True)
            )
            numbers = f"{words:.2f} | {flops:.0f} | {share:.0%}"
            print(f"| {dimension} | {negatives} | {numbers} |", flush=True)
    print(f"\n{name}, one thread, window 5, subsample 1e-4\n")


def scaling(text: Text, repeats: int) -> None:
    """Print the speed of one and two threads, by whether the CPUs share a cache."""
    one, two = (Trainer(text, 100, 5, threads) for threads in (1, 2))
    rounds = []
    for _ in range(repeats):
        before = round_trip()
        speeds = one.train()[0], two.train()[0]
        rounds.append((before, round_trip(), *speeds))
    print("| a round trip between the CPUs, ns | rounds | one thread | two | times |")
    print("|---|---|---|---|---|")
    for is_shared in (True, False):
        # A round in which the CPUs moved counts for neither.
        some = [r for r in rounds if {t < SHARED_BELOW for t in r[:2]} == {is_shared}]
        if some:
            *trips, ones, twos = zip(*some, strict=True)
            times = [b / a for a, b in zip(ones, twos, strict=True)]
            cells = [spread([t for trip in trips for t in trip], 0), str(len(some))]
            cells += [spread(values) for values in (ones, twos, times)]
            print(f"| {' | '.join(cells)} |")
    print("\nMillion words/s, dimension 100, K 5\n", flush=True)


@contextmanager
def without(*steps: str) -> Iterator[None]:
    """Compile the kernel with steps that do nothing."""
    nothing = {
        "dots": lambda u, v, contexts, shape, window, step: None,
        "slopes": lambda contexts, rate, loss, shape, step: loss,
        "_add_loss": lambda y, whole, loss: loss,
        "_split_product": lambda loss: loss,
        "move": lambda u, v, contexts, per_tile, shape, window, step: None,
        "prefetch_coming": lambda u, v, column, shape, window: None,
        "_prefetch_first": lambda u, v, kept, shape, draws, scratch: None,
        "find_rows": lambda centre, low, kept, shape, draws, scratch: (
            0,
            Window(
                contexts=scratch.rows.contexts,
                targets=scratch.rows.targets_to,
                contexts_to=scratch.rows.contexts_to,
                targets_to=scratch.rows.targets_to,
                coming_targets=scratch.rows.targets,
                coming_context=np.int64(0),
                coming_parts=scratch.composed.rows,
            ),
        ),
    }
    inside = {
        "_add_loss": step,
        "_split_product": step,
        "prefetch_coming": step,
        "_prefetch_first": gather,
    }
    places = [(inside.get(name, block), name) for name in steps]
    # Compiled again, or they would call what they called before.
    sources = {"move": step, "slopes": step, "begin_windows": gather}
    callers = [(block, name) for name in sources if name not in steps]
    replaced = {
        (kernel, "_loaded"): {},
        (machine_code, "read"): lambda _: None,
        (machine_code, "write"): lambda *_: None,
    }
    before = [
        (module, name, getattr(module, name))
        for module, name in [*places, *callers, (block, "train_block"), *replaced]
    ]
    for (module, name), value in replaced.items():
        setattr(module, name, value)
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
    for module, name in places:
        setattr(module, name, njit(forceinline=True, **options)(nothing[name]))
    for module, name in callers:
        function = getattr(sources[name], name).py_func
        setattr(module, name, njit(forceinline=True, **options)(function))
    block.train_block = njit(**options)(block.train_block.py_func)
    try:
        yield
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def where_time_goes(text: Text, repeats: int) -> None:
    plan = make_plan(text.counts, SamplingConfig())
    windows = 0
    for number in range(1, text.blocks):
        some = text.read_block(number)
        windows += len(draw_windows(some.ids, some.offsets, plan, 0, number))
    cuts: dict[str, tuple[str, ...]] = {
        "everything": (),
        "without prefetching": ("prefetch_coming", "_prefetch_first"),
        "without dots": ("dots",),
        "without the loss": ("_add_loss", "_split_product"),
        "without slopes and loss": ("slopes",),
        "without moves": ("move",),
        "only draws and rows": ("dots", "slopes", "move"),
        "only draws": ("dots", "slopes", "move", "find_rows"),
    }
    words = sum(len(text.read_block(i).ids) for i in range(1, text.blocks))
    trainers = {}
    for name, steps in cuts.items():
        with without(*steps):
            trainers[name] = Trainer(text, 100, 5, threads=1), kernel._loaded
    rounds: dict[str, list[float]] = {name: [] for name in cuts}
    everything = kernel._loaded
    for _ in range(repeats):
        for name, (trainer, kernel._loaded) in trainers.items():
            speed = trainer.train()[0]
            rounds[name].append(words / speed / 1e6 / windows * 1e9)
    kernel._loaded = everything
    print("| | ns per window | share of everything |\n|---|---|---|")
    for name, times in rounds.items():
        pairs = zip(times, rounds["everything"], strict=True)
        share = statistics.median(time / whole for time, whole in pairs)
        print(f"| {name} | {statistics.median(times):.0f} | {share:.1%} |")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}; sgemm peak of one core {peak():.0f} GFLOP/s\n")
    text = of_corpus(options.corpus)
    scaling(text, 5 * options.repeats)
    where_time_goes(text, options.repeats)
    shapes(text, f"{options.corpus.name}, {len(text.counts):,} words", options.repeats)
    zipf = of_zipf(1_000_000)
    trainer = Trainer(zipf, 100, 5, threads=1)
    words, flops = (
        statistics.median(values)
        for values in zip(
            *(trainer.train() for _ in range(options.repeats)), strict=True
        )
    )
    print(
        f"Zipf text, vocabulary of a million, dimension 100, K 5: {words:.2f} million "
        f"words/s, {flops:.0f} GFLOP/s"
    )


if __name__ == "__main__":
    main()
