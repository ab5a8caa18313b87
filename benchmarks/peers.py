"""Training against other tools, on the same file with the same settings.

    python -m benchmarks.peers FILE [--epochs 1] [--rate 0.025] [--repeats 5]
        [--fasttext] [--word2vec PATH] [--pword2vec PATH] [--similarity TSV ...]
        [--analogies TXT] [--defaults] [--shared-cache] [--json OUT]

Each tool runs in its own process, from the text file to a vector file in text format,
in turn with the others. gensim always takes part, fastText with --fasttext (install its
Python package), word2vec.c with --word2vec PATH, pWord2Vec (Ji et al. 2016; build it
with MKL) with --pword2vec PATH. Words per second cover training only, as each tool
measures it, and count the words in the vocabulary. gensim computes the scores of all
tools.

On virtual machines, two CPUs may share a cache in one minute and not in the next
(benchmarks/round_trip.py). With --shared-cache, each run waits until they do.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import gensim

from benchmarks.measure import machine, run, spread, write_json
from benchmarks.round_trip import wait_for_shared_cache

GENSIM_DEFAULTS = """
import json, sys, time
from gensim.models import Word2Vec
file, out, report, settings = *sys.argv[1:4], json.loads(sys.argv[4])
model = Word2Vec(workers=settings["gensim_workers"], seed=settings["seed"])
model.build_vocab(corpus_file=file)
start = time.perf_counter()
model.train(corpus_file=file, total_words=model.corpus_total_words,
            total_examples=model.corpus_count, epochs=model.epochs)
json.dump({"seconds": time.perf_counter() - start}, open(report, "w"))
model.wv.save_word2vec_format(out)
"""

GENSIM = """
import json, sys, time
from gensim.models import Word2Vec
file, out, report, settings = *sys.argv[1:4], json.loads(sys.argv[4])
model = Word2Vec(
    vector_size=settings["dimension"], window=settings["window"], sg=1, hs=0,
    negative=settings["negatives"], sample=settings["subsample"],
    min_count=settings["min_count"], workers=settings["gensim_workers"],
    alpha=settings["rate"], min_alpha=1e-4, seed=settings["seed"],
)
model.build_vocab(corpus_file=file)
start = time.perf_counter()
model.train(corpus_file=file, total_words=model.corpus_total_words,
            total_examples=model.corpus_count, epochs=settings["epochs"])
json.dump({"seconds": time.perf_counter() - start}, open(report, "w"))
model.wv.save_word2vec_format(out)
"""

FASTTEXT = """
import json, sys
import fasttext
file, out, report, settings = *sys.argv[1:4], json.loads(sys.argv[4])
model = fasttext.train_unsupervised(
    file, model="skipgram", dim=settings["dimension"], ws=settings["window"],
    neg=settings["negatives"], t=settings["subsample"], minCount=settings["min_count"],
    thread=settings["threads"], lr=settings["rate"], epoch=settings["epochs"],
    minn=0, maxn=0, bucket=0, verbose=0,
)
words = model.get_words()
with open(out, "w") as vectors:
    vectors.write(f"{len(words)} {settings['dimension']}\\n")
    for word in words:
        numbers = " ".join(map(str, model.get_word_vector(word)))
        vectors.write(f"{word} {numbers}\\n")
"""


@dataclass
class Result:
    """What a tool's runs came to."""

    seconds: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    scores: list[dict[str, float]] = field(default_factory=list)


def commands(options: argparse.Namespace, seed: int, directory: Path):
    """Return each tool's command, vector file and the file it reports seconds in."""
    settings = {
        **{key: vars(options)[key] for key in ("dimension", "window", "negatives")},
        **{key: vars(options)[key] for key in ("subsample", "epochs", "rate")},
        "min_count": options.min_count,
        "threads": options.threads,
        "seed": seed,
    }
    out, report = directory / "vectors.txt", directory / "report.json"
    ours = {
        "training.epochs": options.epochs,
        "training.learning_rate": options.rate,
        "training.threads": options.threads,
        "training.seed": seed,
        "model.dimension": options.dimension,
        "sampling.window": options.window,
        "sampling.negatives": options.negatives,
        "sampling.subsample": options.subsample,
        "vocabulary.min_count": options.min_count,
        "corpus.tokenizer": "whitespace",
        "corpus.prepared": directory / f"corpus-{seed}",
    }
    if options.defaults:
        kept = ("training.threads", "training.seed", "corpus.prepared")
        ours = {key: ours[key] for key in kept}
    sets = [word for key, value in ours.items() for word in ("--set", f"{key}={value}")]
    tools: dict[str, tuple[list[str], Path, Path | None]] = {}
    for engine in options.engines:
        run_directory = directory / f"run-{engine}-{seed}"
        command = [
            *(sys.executable, "-m", "sg_train", "train", "--overwrite"),
            *("--corpus", str(options.file), "--out", str(run_directory)),
            *(*sets, "--set", f"training.engine={engine}"),
        ]
        files = run_directory / "vectors.txt", run_directory / "metrics.jsonl"
        tools[f"sg-train, {engine}"] = (command, *files)
    for workers in options.gensim_workers:
        theirs = json.dumps({**settings, "gensim_workers": workers})
        files_of = [str(file) for file in (options.file, out, report)]
        script = GENSIM_DEFAULTS if options.defaults else GENSIM
        command = [sys.executable, "-c", script, *files_of, theirs]
        name = f"gensim {gensim.__version__} corpus_file, {workers} workers"
        tools[name] = (command, out, report)
    if options.fasttext:
        files_of = [str(file) for file in (options.file, out, report)]
        command = [sys.executable, "-c", FASTTEXT, *files_of, json.dumps(settings)]
        tools["fastText"] = (command, out, None)
    tools |= of_binaries(options, out)
    return tools


def of_binaries(
    options: argparse.Namespace, out: Path
) -> dict[str, tuple[list[str], Path, Path]]:
    """Return the same of word2vec.c and its descendants, if their paths are given."""
    tools = {}
    for name, binary in (
        ("word2vec.c", options.word2vec),
        ("pWord2Vec", options.pword2vec),
    ):
        if binary is None:
            continue
        flags = {
            "train": options.file,
            "output": out,
            "size": options.dimension,
            "window": options.window,
            "negative": options.negatives,
            "sample": options.subsample,
            "min-count": options.min_count,
            "iter": options.epochs,
            "threads": options.threads,
            "alpha": options.rate,
            "debug": 2,  # report progress and speed
        }
        if name == "word2vec.c":
            flags |= dict.fromkeys(("hs", "cbow"), 0)
        if options.defaults:
            flags = {key: flags[key] for key in ("train", "output", "threads", "debug")}
        words = [word for key, value in flags.items() for word in (f"-{key}", value)]
        command = [str(word) for word in (binary, *words)]
        tools[name] = (command, out, out.with_name(f"{name}.log"))
    return tools


def training_seconds(report: Path | None, words: int) -> float | None:
    """Read how long a tool trained on some words, by its own report."""
    if report is None:
        return None
    if report.suffix == ".log":
        speeds = re.findall(r"Words/\S*sec: *([\d.]+)k", report.read_text())
        return words / (float(speeds[-1]) * 1000)
    last = report.read_text().splitlines()[-1]
    return float(json.loads(last)["seconds"])


def score(vectors: Path, options: argparse.Namespace) -> dict[str, float]:
    """Judge a vector file with gensim."""
    scores: dict[str, float] = {}
    if not (options.similarity or options.analogies):
        return scores
    loaded = gensim.models.KeyedVectors.load_word2vec_format(
        str(vectors), unicode_errors="replace"
    )
    for file in options.similarity:
        pairs = loaded.evaluate_word_pairs(str(file))
        scores[file.stem] = float(pairs[1][0])
    if options.analogies:
        found, _ = loaded.evaluate_word_analogies(
            str(options.analogies), restrict_vocab=30_000
        )
        scores["analogies"] = float(found)
    return scores


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--engines", nargs="*", default=["fused"])
    parser.add_argument("--gensim-workers", type=int, nargs="*", default=[2])
    parser.add_argument("--fasttext", action="store_true")
    parser.add_argument("--word2vec", type=Path)
    parser.add_argument("--pword2vec", type=Path)
    parser.add_argument("--similarity", type=Path, nargs="*", default=[])
    parser.add_argument("--analogies", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0.025)
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--window", type=int, default=5)
    parser.add_argument("--negatives", type=int, default=5)
    parser.add_argument("--subsample", type=float, default=1e-4)
    parser.add_argument("--min-count", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scored", type=int, default=3, help="runs that are scored")
    parser.add_argument(
        "--defaults", action="store_true", help="every tool with its own settings"
    )
    parser.add_argument(
        "--shared-cache", action="store_true", help="wait until two CPUs share a cache"
    )
    parser.add_argument("--no-warm-up", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.defaults:
        options.epochs = 5  # as all others do; ours follow from the text
    return options


def main() -> None:
    options = parse_options()
    results: dict[str, Result] = {}
    words = 0
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for seed in range(int(options.no_warm_up), options.repeats + 1):
            for tool, (command, vectors, report) in commands(
                options, seed, directory
            ).items():
                log = report if report and report.suffix == ".log" else None
                if options.shared_cache:
                    wait_for_shared_cache()
                wall, memory = run(command, log)
                if seed == 0:  # a warm-up: page cache, and our machine code on disk
                    continue
                result = results.setdefault(tool, Result())
                result.seconds.append(wall)
                result.memory.append(memory)
                if not words:  # ours, which runs first, has counted them
                    meta = json.loads(
                        (directory / f"corpus-{seed}/meta.json").read_text()
                    )
                    words = meta["words"] * options.epochs
                trained = training_seconds(report, words)
                if trained is not None:
                    result.training.append(trained)
                if seed <= options.scored:
                    result.scores.append(score(vectors, options))
                print(f"  {tool}: {wall:.1f} s {result.scores[-1:]}", file=sys.stderr)
    print_table(options, results, words)
    write_json(options.json, {tool: vars(result) for tool, result in results.items()})


def print_table(
    options: argparse.Namespace, results: dict[str, Result], words: int
) -> None:
    """Print what the README shows."""
    settings = (
        f"rate {options.rate}, dimension {options.dimension}, window {options.window}, "
        f"{options.negatives} negatives, subsample {options.subsample}"
    )
    waited = ""
    if options.shared_cache:
        waited = ", each begun while two CPUs shared a cache"
    print(
        f"{options.file.name}, {words:,} words in {options.epochs} epochs, "
        f"{'each tool by its own defaults' if options.defaults else settings}, "
        f"{options.threads} threads; {options.repeats} alternating runs{waited}, "
        f"median (min-max); {machine()}\n"
    )
    first = next(iter(results.values()))
    names = list(first.scores[0]) if first.scores else []
    columns = [
        "",
        "training, words/s",
        "times ours",
        "text to vectors, s",
        "times ours",
        "MB",
        *names,
    ]
    print("| " + " | ".join(columns) + " |")
    print("|" + "---|" * len(columns))
    for tool, result in results.items():
        training, whole = (
            [statistics.median(a / b for a, b in zip(one, other, strict=True))]
            if one
            else []
            for one, other in (
                (result.training, first.training),
                (result.seconds, first.seconds),
            )
        )
        row = [
            tool,
            spread([words / seconds for seconds in result.training], 0)
            if result.training
            else "-",
            "".join(f"{times:.1f}" for times in training) or "-",
            spread(result.seconds, 1),
            "".join(f"{times:.1f}" for times in whole),
            f"{statistics.median(result.memory):,.0f}",
        ]
        for score_name in names:
            values = [scores[score_name] for scores in result.scores]
            mean = statistics.fmean(values)
            row.append(f"{mean:.3f} ± {statistics.pstdev(values):.3f}")
        print("| " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
