"""The memory that preparing and training take, compared with the formulas.

    python -m benchmarks.memory TEXT [--words 10000000 100000000]

Texts of these lengths are generated from the sample: words follow a Zipf-Mandelbrot
law, and the rare ones are new, so that the number of distinct words keeps growing, as
in real text. Each command runs in its own process; its peak, the maximum resident set,
is compared with the formula.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import machine
from sg_train.config import Config
from sg_train.engines import fused
from sg_train.training.memory import memory_needed

WORDS_A_LINE = 25
MOST = 200_000  # words in the vocabulary
LINES_AT_ONCE = 40_000


def grow(sample: Path, words: int, out: Path) -> None:
    """Write a text whose word of rank r has a share of 1 / (r + 2.7)."""
    generator = np.random.default_rng(1)
    names = list(dict.fromkeys(sample.read_text().lower().split()))
    # Heaps' law: the number of distinct words in a text of this size.
    ranks = int(60 * words**0.6)
    cumulated = np.cumsum(1 / (np.arange(ranks) + 2.7))
    with out.open("w") as file:
        written = 0
        while written < words:
            size = min(LINES_AT_ONCE * WORDS_A_LINE, words - written)
            drawn = generator.random(size) * cumulated[-1]
            ids = np.searchsorted(cumulated, drawn).tolist()
            text = [names[i] if i < len(names) else f"word{i}" for i in ids]
            for start in range(0, size, WORDS_A_LINE):
                file.write(" ".join(text[start : start + WORDS_A_LINE]) + "\n")
            written += size


def peak(*arguments: str) -> float:
    """Run a command of ours; return its peak memory in bytes."""
    code = (
        "import resource, subprocess, sys; "
        "subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"
    )
    command = [sys.executable, "-m", "sg_train", *arguments]
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.split()[-1])


def row(meta: dict[str, Any], command: str, used: float, formula: float) -> None:
    sizes = (meta["words_read"], meta["distinct_words_counted"], meta["vocabulary"])
    print(
        f"| {' | '.join(f'{size:,}' for size in sizes)} | {command} | "
        f"{used / 1e6:,.0f} | {formula / 1e6:,.0f} | {used / formula:.2f} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path)
    parser.add_argument("--words", type=int, nargs="*", default=[10**6, 10**7])
    parser.add_argument("--dimensions", type=int, nargs="*", default=[100, 300])
    options = parser.parse_args()
    print(f"{machine()}\n")
    print("| words | distinct | vocabulary | command | MB | formula | ratio |")
    print("|---|---|---|---|---|---|---|")
    for words in options.words:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            grow(options.text, words, directory / "text.txt")
            corpus = directory / "corpus"
            meta: dict[str, Any] = {}
            size = (directory / "text.txt").stat().st_size
            for limit in ("100", "null"):
                used = peak(
                    *("prepare", str(directory / "text.txt"), "--out", str(corpus)),
                    *("--overwrite", "--set", f"corpus.memory_limit={limit}"),
                    *("--set", f"vocabulary.max_vocabulary={MOST}"),
                )
                meta = json.loads((corpus / "meta.json").read_text())
                fixed = 210e6 + 70e6 * min(1.0, size / 24e6)  # libraries, and chunks
                formula = fixed + 250.0 * meta["distinct_words_counted"]
                if limit != "null":
                    most = fixed + 1e6 * int(limit) + 400 * meta["vocabulary"]
                    formula = min(formula, most)
                row(meta, f"prepare, memory_limit {limit}", used, formula)
                if limit == "100":  # so that it is made again
                    shutil.rmtree(corpus)
            for dimension in options.dimensions:
                sets = {"model.dimension": dimension, "training.epochs": 1}
                used = peak(
                    *("train", "--corpus", str(corpus), "--out", str(directory / "r")),
                    *("--overwrite", "--set", "checkpoint.every_seconds=1"),
                    *(x for k, v in sets.items() for x in ("--set", f"{k}={v}")),
                )
                config = Config.model_validate({"model": {"dimension": dimension}})
                needed = memory_needed(config, meta["vocabulary"], fused.SPEC)
                formula = sum(needed.values())
                row(meta, f"train, {dimension}", used, formula)


if __name__ == "__main__":
    main()
