"""Text to a prepared corpus, against a plain loop and gensim's vocabulary scan.

    python -m benchmarks.ingest FILE [--repeats 5]

The plain loop does the same work as `sg-train prepare`: it splits each line, numbers
and counts the words in a dict and writes their final ids. gensim only counts.
"""

import argparse
import logging
import shutil
import tempfile
from array import array
from pathlib import Path

import gensim
import numpy as np

from benchmarks.measure import alternate, machine, ratio, seconds, spread
from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.prepare import prepare
from sg_train.system.machine import available_cpus


def plain_loop(file: Path, out: Path) -> None:
    ids: dict[str, int] = {}
    counts: list[int] = []
    tokens, lengths = array("i"), array("q")
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            lengths.append(len(words))
            for word in words:
                number = ids.setdefault(word, len(counts))
                if number == len(counts):
                    counts.append(0)
                counts[number] += 1
                tokens.append(number)
    words = list(ids)
    ranked = sorted(
        (i for i in range(len(words)) if counts[i] >= 5),
        key=lambda i: (-counts[i], words[i]),
    )
    final = np.full(len(words), -1, dtype=np.int32)
    final[ranked] = np.arange(len(ranked))
    encoded = final[np.frombuffer(tokens, dtype=np.int32)]
    encoded[encoded >= 0].tofile(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    logging.disable()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)

        def ours(tokenizer: str, threads: int) -> float:
            out = directory / "corpus"
            shutil.rmtree(out, ignore_errors=True)
            settings = CorpusConfig.model_validate(
                {"paths": str(options.file), "tokenizer": tokenizer}
            )
            return seconds(lambda: prepare(settings, VocabularyConfig(), out, threads))

        def scan() -> float:
            model = gensim.models.Word2Vec(min_count=5)
            return seconds(lambda: model.build_vocab(corpus_file=str(options.file)))

        cpus = available_cpus()
        cases = {
            f"sg-train prepare, words, {cpus} threads": lambda: ours("words", cpus),
            "sg-train prepare, words, 1 thread": lambda: ours("words", 1),
            f"sg-train prepare, whitespace, {cpus} threads": lambda: ours(
                "whitespace", cpus
            ),
            "str.split and a dict": lambda: seconds(
                lambda: plain_loop(options.file, directory / "ids")
            ),
            "gensim, only its vocabulary scan": scan,
        }
        results = alternate(cases, options.repeats)
    with options.file.open(encoding="utf-8") as lines:
        words = sum(len(line.split()) for line in lines)
    print(f"{options.file.name}, {words:,} words; {machine()}\n")
    print("| | seconds, median (min-max) | million words/s | times the plain loop |")
    print("|---|---|---|---|")
    for case, values in results.items():
        speed = words / 1e6 / sorted(values)[len(values) // 2]
        times = ratio(results, "str.split and a dict", case)
        print(f"| {case} | {spread(values)} | {speed:.2f} | {times:.2f} |")


if __name__ == "__main__":
    main()
