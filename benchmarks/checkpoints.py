"""The cost of checkpoints.

    python -m benchmarks.checkpoints CORPUS [--repeats 5] [--epochs 10]

CORPUS is a prepared corpus. The same run is trained without checkpoints, with the
default settings (one at each epoch's end that is worth it, and every 300 s) and with
one every second, in turn; the time is that of training by metrics.jsonl.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import machine
from sg_train.config import Config
from sg_train.runs.checkpoint import Checkpoints
from sg_train.training.loop import Loop
from sg_train.training.train import train

VARIANTS: dict[str, float | None] = {
    "without checkpoints": None,
    "by default": 300.0,
    "every second": 1.0,
}


@contextmanager
def without_checkpoints() -> Iterator[None]:
    before = Loop._wants_checkpoint
    Loop._wants_checkpoint = lambda *_: False  # type: ignore[method-assign]
    try:
        yield
    finally:
        Loop._wants_checkpoint = before  # type: ignore[method-assign]


def seconds(corpus: Path, epochs: int, every: float | None) -> tuple[float, int]:
    """Train; return the seconds of training and how many checkpoints were written."""
    config = Config.model_validate(
        {
            "corpus": {"paths": [str(corpus)]},
            "training": {"epochs": epochs},
            "checkpoint": {"every_seconds": every or 300.0},
        }
    )
    written = []
    save = Checkpoints._write

    def counted(self: Checkpoints, *arguments: object) -> float:
        written.append(1)
        return save(self, *arguments)  # type: ignore[arg-type]

    Checkpoints._write = counted  # type: ignore[method-assign, assignment]
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        if every is None:
            with without_checkpoints():
                train(config, run)
        else:
            train(config, run)
        last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    Checkpoints._write = save  # type: ignore[method-assign]
    return float(json.loads(last)["seconds"]), len(written)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    seconds(options.corpus, 1, None)  # a warm-up
    rounds = [
        {
            name: seconds(options.corpus, options.epochs, every)
            for name, every in VARIANTS.items()
        }
        for _ in range(options.repeats)
    ]
    print(f"{machine()}; {options.corpus.name}, {options.epochs} epochs\n")
    print("| | checkpoints | seconds, median | times without |\n|---|---|---|---|")
    for name in VARIANTS:
        time = statistics.median(r[name][0] for r in rounds)
        ratio = statistics.median(
            r[name][0] / r["without checkpoints"][0] for r in rounds
        )
        print(f"| {name} | {rounds[0][name][1]} | {time:.2f} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
