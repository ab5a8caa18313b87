"""Writing and reading a vector file, against gensim.

python -m benchmarks.export [--rows 70000] [--dimension 100] [--repeats 5]
"""

import argparse
import tempfile
from pathlib import Path

import gensim
import numpy as np

from benchmarks.measure import alternate, machine, seconds, spread
from sg_train.vectors.formats import load_vectors
from sg_train.vectors.formats.word2vec import save_binary, save_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=70_000)
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    shape = (options.rows, options.dimension)
    matrix = generator.normal(0, 0.3, shape).astype(np.float32)
    table = [f"word{i}" for i in range(options.rows)], matrix
    theirs = gensim.models.KeyedVectors(options.dimension)
    theirs.add_vectors(*table)
    with tempfile.TemporaryDirectory() as name:
        text, binary = Path(name, "text"), Path(name, "binary")
        gensim_text = Path(name, "gensim")
        cases = {
            "sg-train, write text": lambda: seconds(lambda: save_text(*table, text)),
            "sg-train, write binary": lambda: seconds(
                lambda: save_binary(*table, binary)
            ),
            "sg-train, read text": lambda: seconds(lambda: load_vectors(text)),
            "sg-train, read binary": lambda: seconds(lambda: load_vectors(binary)),
            "gensim, write text": lambda: seconds(
                lambda: theirs.save_word2vec_format(str(gensim_text))
            ),
            "gensim, read text": lambda: seconds(
                lambda: gensim.models.KeyedVectors.load_word2vec_format(str(text))
            ),
        }
        results = alternate(cases, options.repeats)
    print(f"{options.rows:,} x {options.dimension}; {machine()}\n")
    print("| | seconds, median (min-max) |")
    print("|---|---|")
    for case, values in results.items():
        print(f"| {case} | {spread(values)} |")


if __name__ == "__main__":
    main()
