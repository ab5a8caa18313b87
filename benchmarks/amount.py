"""How much training a text needs: scores over a grid of learning rates and epochs.

    python -m benchmarks.amount CORPUS [--words 1000000] [--rates .025 .05]
        [--epochs 5 10 20] [--seeds 1 2 3] [--set key=value ...]
        [--similarity TSV ...] [--analogies TXT ...] [--json grid.json]

CORPUS is a text or a prepared corpus; `--words` takes about its first N words only.
The score is the mean over the tests, analogies among the 30,000 most frequent words.
Settings in `--set` hold for every run. The last row is what
the automatic settings give.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from benchmarks.measure import machine, write_json
from sg_train.config import Config
from sg_train.corpus.prepare import open_corpus
from sg_train.system.machine import available_cpus
from sg_train.training.trial import Trial
from sg_train.vectors.evaluation import Evaluation

AMONG = 30_000


def first_words(path: Path, words: int, out: Path) -> Path:
    """Copy whole lines that hold about this many words."""
    left = words
    with path.open(encoding="utf-8") as text, out.open("w", encoding="utf-8") as some:
        for line in text:
            some.write(line)
            left -= len(line.split())
            if left <= 0:
                break
    return out


def score(config: Config) -> list[float | None]:
    """Train in memory, and return the score of each test."""
    trial = Trial(config, Path("none"))
    for _ in trial.train(parts=1):
        pass
    tests = Evaluation.from_files(
        config.evaluation.similarity, config.evaluation.analogies, restrict=AMONG
    )
    return [score.value for score in tests(trial.vectors) if score.is_total]


def grid(config: Config, options: argparse.Namespace) -> Iterator[tuple[str, Config]]:
    """Yield the name and the settings of each run."""
    cases = [(rate, epochs) for rate in options.rates for epochs in options.epochs]
    for rate, epochs in [*cases, ("auto", "auto")]:
        for seed in options.seeds:
            values = {"training.epochs": epochs, "training.learning_rate": rate}
            yield (
                f"{rate} x {epochs}",
                config.with_settings({**values, "training.seed": seed}),
            )


def show(name: str, scores: Sequence[list[float | None]]) -> str:
    """Return a row: the mean of all tests, its spread over seeds, and each test."""
    means = [statistics.mean(value or 0 for value in one) for one in scores]
    tests = [
        statistics.mean(v or 0 for v in test) for test in zip(*scores, strict=True)
    ]
    spread = f" ± {statistics.stdev(means):.4f}" if len(means) > 1 else ""
    cells = " | ".join(f"{value:.3f}" for value in tests)
    return f"| {name} | {statistics.mean(means):.4f}{spread} | {cells} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--words", type=int)
    parser.add_argument("--rates", nargs="*", default=["0.025", "0.05"])
    parser.add_argument("--epochs", nargs="*", default=["5", "10", "20"])
    parser.add_argument("--seeds", nargs="*", default=["1", "2", "3"])
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--similarity", nargs="*", default=[])
    parser.add_argument("--analogies", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = options.corpus
        if options.words:
            path = first_words(path, options.words, Path(name) / "text.txt")
        config = Config().with_settings(
            {
                "corpus.paths": [str(path)],
                "corpus.prepared": None if path.is_dir() else f"{name}/prepared",
                "evaluation.similarity": options.similarity,
                "evaluation.analogies": options.analogies,
                "training.threads": 1,
            }
        )
        config = config.with_overrides(options.set)
        corpus = open_corpus(config.corpus, config.vocabulary, available_cpus())
        print(
            f"{machine()}; {path.name}: {corpus.words:,} words, vocabulary "
            f"{len(corpus.vocabulary):,}; {' '.join(options.set) or 'default settings'}"
        )
        tests = [*config.evaluation.similarity, *config.evaluation.analogies]
        print(f"\n| rate x epochs | mean | {' | '.join(t.stem for t in tests)} |")
        print("|---" * (2 + len(tests)) + "|", flush=True)
        runs = list(grid(config, options))
        found: dict[str, list[list[float | None]]] = {}
        with ProcessPoolExecutor(available_cpus(), get_context("spawn")) as pool:
            scores = pool.map(score, [settings for _, settings in runs])
            for (case, _), values in zip(runs, scores, strict=True):
                found.setdefault(case, []).append(values)
                if len(found[case]) == len(options.seeds):
                    print(show(case, found[case]), flush=True)
    write_json(options.json, found)


if __name__ == "__main__":
    main()
