"""Character n-grams: their cost in the kernel, and the whole command against fastText.

    python -m benchmarks.ngrams FILE [--ngrams 3 6] [--buckets 300000] [--epochs 5]
        [--rate 0.05] [--repeats 3] [--similarity TSV ...] [--analogies TXT]
        [--no-peers] [--shared-cache]

FILE is a text with tokens split at spaces. First the fused engine trains with and
without n-grams, in turn: on FILE, and on a made-up text with a million words and two
million buckets. Then the commands `sg-train train` with n-grams, without, and fastText
(install its Python package) take turns from the text to vectors, each run with another
seed. All draw negatives with an exponent of .5, which is fixed in fastText. Scores are
those of `sg-train evaluate --unseen`, with analogies among the 30,000 most frequent
words. With --shared-cache, each command waits until the CPUs share a cache
(benchmarks/round_trip.py).
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.kernel import Constant, Text, make_plan, of_corpus, of_zipf
from benchmarks.measure import machine, run, seconds, spread
from benchmarks.round_trip import wait_for_shared_cache
from sg_train.blocks import BlockRef
from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus.prepare import prepare
from sg_train.engines.base import Engine, Task
from sg_train.engines.fused import engine
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.ngrams import Ngrams, WordRows
from sg_train.vectors.word_vectors import WordVectors

THREADS = 2

FASTTEXT_EXPONENT = 0.5
"""fastText draws negatives in proportion to count ** 0.5; see its loss.cc."""

FASTTEXT = """
import sys
import fasttext
file, out, epochs, rate, shortest, longest, buckets = sys.argv[1:]
fasttext.train_unsupervised(
    file, model="skipgram", dim=100, ws=5, neg=5, t=1e-4, minCount=5, thread=2,
    lr=float(rate), epoch=int(epochs), minn=int(shortest), maxn=int(longest),
    bucket=int(buckets), verbose=0,
).save_model(out)
"""


def make_trainer(text: Text, word_rows: WordRows | None) -> Engine:
    task = Task(
        config=Config(),
        counts=text.counts,
        read_block=text.read_block,
        blocks=text.blocks,
        plan=make_plan(text.counts, Config().sampling),
        schedule=Constant(),
        threads=THREADS,
        device="cpu",
        word_rows=word_rows,
    )
    _, trainer = engine.build(task)
    trainer.compile()
    return trainer


def speed(trainer: Engine, blocks: int) -> float:
    """Return million words/s."""
    words: list[int] = []

    def train() -> None:
        refs = (BlockRef(0, block) for block in range(blocks))
        words.extend(result.words for result in trainer.train(refs))

    took = seconds(train)
    return sum(words) / took / 1e6


def kernel(text: Text, words: Sequence[str], ngrams: Ngrams, repeats: int) -> None:
    """Print how fast the engine trains with and without n-grams."""
    rows = WordRows.of_words(words, ngrams)
    share = text.counts / text.counts.sum()
    engines = make_trainer(text, None), make_trainer(text, rows)
    rounds = [
        [speed(each, text.blocks) for each in engines] for _ in range(repeats + 1)
    ][1:]
    without, with_ngrams = zip(*rounds, strict=True)
    ratio = [b / a for a, b in rounds]
    print(
        f"| {len(words):,} | {ngrams.buckets:,} | {(rows.counts * share).sum():.1f} | "
        f"{statistics.median(without):.2f} | {statistics.median(with_ngrams):.2f} | "
        f"{statistics.median(ratio):.2f} ({min(ratio):.2f}-{max(ratio):.2f}) |",
        flush=True,
    )


def made_up_words(count: int) -> list[str]:
    """Return distinct words of syllables; frequent ones are shorter."""
    generator = np.random.default_rng(1)
    syllables = [a + b for a in "bcdfghjklmnprstvz" for b in "aeiou"]
    words: dict[str, None] = {}
    while len(words) < count:
        size = 1 + min(6, len(words).bit_length() // 5) + generator.integers(0, 2)
        chosen = generator.integers(0, len(syllables), size)
        words["".join(syllables[i] for i in chosen)] = None
    return list(words)


def scores(path: Path, evaluation: Evaluation) -> list[float | None]:
    is_run = path.is_dir()
    vectors = load_run_vectors(RunDirectory(path)) if is_run else WordVectors.load(path)
    return [score.value for score in evaluation(vectors) if score.is_total] + [
        score.value for score in evaluation(vectors) if score.section == "with unseen"
    ]


def peers(options: argparse.Namespace) -> None:
    """Print how long each command takes, and how good its vectors are."""
    with_unseen, plain = (
        Evaluation.from_files(
            options.similarity, options.analogies, restrict=30_000, unseen=unseen
        )
        for unseen in (True, False)
    )
    shortest, longest = options.ngrams
    times: dict[str, list[float]] = {}
    found: dict[str, list[list[float | None]]] = {}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for seed in range(1, options.repeats + 1):
            ours = [*(sys.executable, "-m", "sg_train", "train", "--overwrite")]
            ours += ["--corpus", str(options.file), "--set"]
            ours += ["corpus.tokenizer=whitespace", "--set", f"training.seed={seed}"]
            ours += ["--set", f"corpus.prepared={place / f'corpus-{seed}'}"]
            ours += ["--set", f"training.epochs={options.epochs}"]
            ours += ["--set", f"training.learning_rate={options.rate}"]
            ours += ["--set", f"training.threads={THREADS}"]
            ours += ["--set", f"sampling.negative_exponent={FASTTEXT_EXPONENT}"]
            sets = ["--set", f"model.ngrams=[{shortest},{longest}]"]
            sets += ["--set", f"model.buckets={options.buckets}"]
            theirs = [*(options.file, place / "ft.bin", options.epochs)]
            theirs += [*(options.rate, shortest, longest, options.buckets)]
            commands: dict[str, tuple[list[str], Path]] = {
                "sg-train, n-grams": ([*ours, *sets], place / "ngrams"),
                "sg-train, words": (ours, place / "words"),
                "fastText": (
                    [sys.executable, "-c", FASTTEXT, *map(str, theirs)],
                    place / "ft.bin",
                ),
            }
            for tool, (command, out) in commands.items():
                if out.suffix != ".bin":
                    command += ["--out", str(out)]
                    for file in (place / f"corpus-{seed}").glob("*"):
                        file.unlink()
                if options.shared_cache:
                    wait_for_shared_cache()
                wall, _ = run(command)
                times.setdefault(tool, []).append(wall)
                judge = plain if tool == "sg-train, words" else with_unseen
                found.setdefault(tool, []).append(scores(out, judge))
                print(f"  {tool}: {wall:.1f} s {found[tool][-1]}", file=sys.stderr)
    names = [*plain.names, *(f"{test.name}, unseen too" for test in plain.similarity)]
    print(f"\n| | s | times ours | {' | '.join(names)} |")
    print("|---|---|---|" + "---|" * len(names))
    for tool, took in times.items():
        pairs = zip(took, times["sg-train, n-grams"], strict=True)
        times_ours = statistics.median(one / own for one, own in pairs)
        columns = list(zip(*found[tool], strict=True))
        columns += [()] * (len(names) - len(columns))
        cells = [spread_of([x for x in values if x is not None]) for values in columns]
        print(
            f"| {tool} | {spread(took, 1)} | {times_ours:.1f} | {' | '.join(cells)} |"
        )


def spread_of(values: Sequence[float]) -> str:
    if not values:
        return "-"
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--ngrams", type=int, nargs=2, default=[3, 6])
    parser.add_argument("--buckets", type=int, default=300_000)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rate", type=float, default=0.05)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--similarity", type=Path, nargs="*", default=[])
    parser.add_argument("--analogies", type=Path, nargs="*", default=[])
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument(
        "--shared-cache", action="store_true", help="wait until two CPUs share a cache"
    )
    options = parser.parse_args()
    shortest, longest = options.ngrams
    print(f"{options.file.name}; {machine()}, {THREADS} threads\n")
    print("| words | buckets | rows a word | words only, M words/s | n-grams | ratio |")
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        settings = CorpusConfig(paths=[str(options.file)], tokenizer="whitespace")
        corpus = prepare(settings, VocabularyConfig(), Path(name, "c"), THREADS)
        ngrams = Ngrams(shortest, longest, options.buckets)
        words = corpus.vocabulary.words
        kernel(of_corpus(corpus.path), words, ngrams, 3 * options.repeats)
    many = Ngrams(shortest, longest, 2_000_000)
    kernel(of_zipf(1_000_000), made_up_words(1_000_000), many, options.repeats)
    if not options.no_peers:
        peers(options)


if __name__ == "__main__":
    main()
