"""Everything that a machine with a GPU and many cores can answer, in one run.

    python -m benchmarks.device --minutes 8 --json out.json [--text TEXT]
        [--similarity FILE ...] [--analogies FILE ...]

Each result is saved at once, so that a run that is cut off keeps what it has:

machine    what the machine is
tests      the tests of the triton engine, compiled, and all tests marked `gpu`
equality   how far the triton engine is from the float64 reference, one window at a time
limits     what the card can do at most: bytes/s copied, and rows/s added to at random
speed      words/s of each engine, for vocabularies of 70,000 and 1,000,000 words
quality    with a text: scores of fused, and of triton by windows in flight

A step that fails is recorded as such, and the next one begins. The text that `speed`
trains on is drawn: the word of rank r has a share in proportion to 1 / (r + 2.7).
"""

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.kernel import Constant, Text, make_plan, of_zipf
from benchmarks.measure import machine
from sg_train.blocks import BlockRef
from sg_train.config import Config
from sg_train.engines.base import Task
from sg_train.engines.reference import take_steps
from sg_train.engines.selection import choose_engine
from sg_train.sampling.windows import draw_windows
from sg_train.system.machine import available_cpus

DIMENSION = 100
VOCABULARIES = (70_000, 1_000_000)
THREADS = (1, 2, 4, 8, 16)
IN_FLIGHT = (64, 256, 512, 1024, 2048, 4096)
ROUNDS = 3
SECONDS = 1.5  # of each round
TOKENS, BLOCKS = 20_000_000, 80
EQUAL_WORDS = 2000
ROWS = 1 << 20  # copied and added in `limits`


class Results:
    """What has been measured, saved after each step."""

    def __init__(self, file: Path, minutes: float) -> None:
        self._file = file
        self._end = time.monotonic() + 60 * minutes
        self._values: dict[str, Any] = {}

    @property
    def seconds_left(self) -> float:
        return self._end - time.monotonic()

    def step(self, name: str, work: Callable[[], Iterator[tuple[str, Any]]]) -> None:
        """Record what a step yields, and whatever stops it."""
        found = self._values.setdefault(name, {})
        began = time.monotonic()
        try:
            for key, value in work():
                found[key] = value
                print(f"{name}: {key}: {value}", flush=True)
                self._save()
                if self.seconds_left < 0:
                    found["cut off"] = "no time left"
                    break
        except Exception as error:  # noqa: BLE001 (the next step may still work)
            found["failed"] = f"{type(error).__name__}: {error}"[:2000]
            print(f"{name}: failed: {found['failed']}", flush=True)
        found["seconds"] = round(time.monotonic() - began, 1)
        self._save()

    def _save(self) -> None:
        self._file.write_text(json.dumps(self._values, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--text", type=Path, help="a text to train on")
    parser.add_argument("--similarity", nargs="+", default=[])
    parser.add_argument("--analogies", nargs="+", default=[])
    parser.add_argument("--vocabularies", type=int, nargs="+", default=VOCABULARIES)
    args = parser.parse_args()
    results = Results(args.json, args.minutes)
    results.step("machine", describe)
    results.step("tests", lambda: tests(results.seconds_left / 3))
    results.step("equality", equality)
    results.step("limits", limits)
    for vocabulary in args.vocabularies:
        name = f"speed, {vocabulary} words"
        results.step(name, partial(speed_of, vocabulary))
    if args.text:
        tested = {
            "evaluation.similarity": args.similarity,
            "evaluation.analogies": args.analogies,
        }
        results.step("quality", lambda: quality(args.text, tested))


def device() -> str:
    """Return the device of the triton engine; the CPU if kernels are interpreted."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def describe() -> Iterator[tuple[str, Any]]:
    yield "processor", machine()
    yield "torch", torch.__version__
    yield "cores", available_cpus()
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        yield "card", card.name
        yield "multiprocessors", card.multi_processor_count
        yield "GB", round(card.total_memory / 1e9, 1)
    import triton

    yield "triton", triton.__version__


def tests(seconds: float) -> Iterator[tuple[str, Any]]:
    # pytest-benchmark, where it is installed, refuses several processes.
    how = ["-n", "4", "-p", "no:benchmark"]
    for name, arguments in (
        ("triton", ["tests/test_triton.py"]),
        ("gpu", ["tests", "-m", "gpu"]),
    ):
        command = [sys.executable, "-m", "pytest", "-q", *how, *arguments]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            yield name, f"not done within {seconds:.0f} s"
            continue
        yield name, done.stdout.strip().splitlines()[-12:]


def equality() -> Iterator[tuple[str, Any]]:
    """Compare the weights with those of the reference after some windows."""
    text = of_zipf(2000, tokens=20 * EQUAL_WORDS)
    block = text.read_block(0)
    words = len(block.ids)
    engine, model, task = build("triton", text, batch_size=1)
    u, v = (matrix.astype(np.float64) for matrix in model.matrices.values())
    windows = draw_windows(block.ids, block.offsets, task.plan, 0, 0)
    rate = task.schedule.line(BlockRef(0, 0))(0)
    (result,) = engine.train(iter([BlockRef(0, 0)]))
    loss = take_steps(u, v, windows, [rate] * len(windows))
    yield "words", words
    yield "pairs of the reference", windows.pairs
    yield "pairs", result.pairs
    yield "loss of the reference", loss
    yield "loss", result.loss
    for name, expected in (("u", u), ("v", v)):
        difference = np.abs(expected - model.matrices[name]).max()
        yield f"largest difference of {name}", float(difference)


def limits() -> Iterator[tuple[str, Any]]:
    """Measure what bounds any kernel: bandwidth, and additions to rows."""
    if not torch.cuda.is_available():
        yield "skipped", "no GPU"
        return
    rows = torch.rand(ROWS, DIMENSION, device="cuda")
    yield "GB/s copied", round(2 * rows.nbytes / timed(rows.clone) / 1e9)
    for name, size in (("70,000 rows", 70_000), ("1 row", 1)):
        target = torch.zeros(size, DIMENSION, device="cuda")
        at = torch.randint(size, (ROWS,), device="cuda")
        seconds = timed(partial(target.index_add_, 0, at, rows))
        yield f"million rows/s added to {name}", round(ROWS / seconds / 1e6, 1)


def timed(work: Callable[[], object]) -> float:
    """Return the median seconds of some work on the card."""
    times = []
    for _ in range(2 + 5):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


def build(name: str, text: Text, *, threads: int = 1, batch_size: int = 256) -> Any:
    """Return an engine by its name, its model and its task."""
    config = Config().with_settings(
        {
            "model.dimension": DIMENSION,
            "training.engine": name,
            "training.device": "cpu" if name == "fused" else device(),
            "training.batch_size": batch_size,
        }
    )
    task = Task(
        config=config,
        counts=text.counts,
        read_block=text.read_block,
        blocks=text.blocks,
        plan=make_plan(text.counts, config.sampling),
        schedule=Constant(),
        threads=threads,
        device=config.training.device,
    )
    model, engine = choose_engine(config).build(task)
    engine.compile()
    return engine, model, task


def speed_of(vocabulary: int) -> Iterator[tuple[str, Any]]:
    yield from speed(of_zipf(vocabulary, TOKENS, BLOCKS))


def speed(text: Text) -> Iterator[tuple[str, Any]]:
    """Yield million words/s of each engine, each with the ratio to one thread."""
    cases: dict[str, tuple[str, dict[str, int]]] = {
        f"fused, {count} threads": ("fused", {"threads": count})
        for count in THREADS
        if count <= available_cpus()
    }
    if torch.cuda.is_available():
        for count in IN_FLIGHT:
            cases[f"triton, {count} in flight"] = "triton", {"batch_size": count}
        cases["autograd, cuda"] = "autograd", {}
    medians: dict[str, float] = {}
    for name, (engine_name, how) in cases.items():
        try:
            engine, _, _ = build(engine_name, text, **how)
            speeds, loss = words_per_second(engine, text)
        except Exception as error:  # noqa: BLE001 (the other engines may work)
            yield name, f"failed: {type(error).__name__}: {error}"[:500]
            continue
        medians[name] = statistics.median(speeds)
        of_one = medians.get("fused, 1 threads")
        yield (
            name,
            {
                "million words/s": [round(each / 1e6, 3) for each in speeds],
                "times one thread": of_one and round(medians[name] / of_one, 2),
                "loss per pair": round(loss, 4),
            },
        )


def words_per_second(engine: Any, text: Text) -> tuple[list[float], float]:
    """Train on the text again and again; return speeds, and the last mean loss."""
    list(engine.train(iter([BlockRef(0, 0), BlockRef(0, 1)])))
    speeds, loss = [], float("nan")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        results = list(engine.train(until(began + SECONDS, text.blocks)))
        seconds = time.perf_counter() - began
        speeds.append(sum(result.words for result in results) / seconds)
        pairs = sum(result.pairs for result in results)
        loss = sum(result.loss for result in results) / max(1, pairs)
    return speeds, loss


def until(end: float, blocks: int) -> Iterator[BlockRef]:
    """Yield blocks, epoch after epoch, until a time."""
    for number in itertools.count():
        if time.perf_counter() > end:
            return
        yield BlockRef(*divmod(number, blocks))


def quality(text: Path, tested: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Train as `sg-train train` does, and yield the last line of metrics."""
    from sg_train import train

    cases = [("fused", 1)]
    if torch.cuda.is_available():
        cases += [("triton", count) for count in IN_FLIGHT]
    with tempfile.TemporaryDirectory() as scratch:
        for name, count in cases:
            config = Config().with_settings(
                {
                    "corpus.paths": [str(text)],
                    "training.engine": name,
                    "training.device": "cpu" if name == "fused" else "cuda",
                    "training.batch_size": count,
                    "training.epochs": 5,
                    **tested,
                }
            )
            began = time.perf_counter()
            run = train(config, Path(scratch) / f"{name}-{count}")
            last = {key: round(float(x[-1]), 4) for key, x in run.metrics.items()}
            last["whole run, s"] = round(time.perf_counter() - began, 1)
            yield f"{name}, {count} in flight", last


if __name__ == "__main__":
    main()
