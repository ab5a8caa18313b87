"""Phrases of a text, against gensim: from the text file to the joined text file.

    python -m benchmarks.phrases FILE [--repeats 3] [--without-gensim]

FILE is tokenised text, one sentence per line. Both tools find phrases by gensim's
formula with its defaults (min_count 5, threshold 10) and write the text with the
phrases joined, each in its own process.
"""

import argparse
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import alternate, machine, ratio, run, spread

_GENSIM = """
import sys
from gensim.models.phrases import Phrases
from gensim.models.word2vec import LineSentence
lines = LineSentence(sys.argv[1], max_sentence_length=1000)
phrases = Phrases(lines).freeze()
with open(sys.argv[2], "w") as out:
    out.writelines(" ".join(phrases[line]) + "\\n" for line in lines)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--without-gensim", action="store_true")
    options = parser.parse_args()
    words = sum(len(line.split()) for line in options.file.open(encoding="utf-8"))
    memory: dict[str, list[float]] = {}

    def measured(name: str, *command: str) -> float:
        seconds, megabytes = run([sys.executable, *command])
        memory.setdefault(name, []).append(megabytes)
        return words / seconds

    with tempfile.TemporaryDirectory() as directory:
        text, out = str(options.file), f"{directory}/out"
        ours = ("-m", "sg_train", "phrases", text, "--out", out)
        whitespace = ("--set", "corpus.tokenizer=whitespace")
        names = {
            "sg-train": (*ours, *whitespace),
            "sg-train, English connectors": (
                *(*ours, *whitespace),
                *("--connectors", "english"),
            ),
            "sg-train, 3 passes": (*ours, *whitespace, "--passes", "3"),
            "sg-train, 1 thread": (*ours, *whitespace, "--set", "training.threads=1"),
        }
        if not options.without_gensim:
            names["gensim"] = ("-c", _GENSIM, text, out)
        cases = {
            name: partial(measured, name, *command) for name, command in names.items()
        }
        results = alternate(cases, options.repeats)
    print(f"{machine()}; {words:,} words, text to joined text\n")
    print("| | words/s | MB |\n|---|---|---|")
    for name, values in results.items():
        peak = statistics.median(memory[name])
        print(f"| {name} | {spread(values, 0)} | {peak:,.0f} |")
    if not options.without_gensim:
        print(
            f"\nsg-train does {ratio(results, 'sg-train', 'gensim'):.1f} times gensim's"
        )


if __name__ == "__main__":
    main()
