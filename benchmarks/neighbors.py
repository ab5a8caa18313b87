"""The nearest neighbours of many words, against FAISS's exact index.

    python -m benchmarks.neighbors [--dimension 100] [--top 20] [--repeats 3]

Random vectors: all of 20,000, and 8,192 of a million. FAISS (install faiss-cpu)
searches its flat index of vectors of length 1. Each runs in its own process, in turn,
on all CPUs; the time to make the vectors and the index is not counted. Memory is what
the search adds to the peak of the process.
"""

import argparse
import json
import subprocess
import sys

from benchmarks.measure import alternate, machine, ratio, spread

MAKE = """
import json, resource, sys, time
import numpy as np
words, asked, dimension, top = map(int, sys.argv[1:])
generator = np.random.default_rng(0)
matrix = generator.standard_normal((words, dimension), np.float32)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
"""

OURS = f"""{MAKE}
from sg_train.vectors.word_vectors import WordVectors
vectors = WordVectors([str(i) for i in range(words)], matrix)
names = None if asked == words else vectors.words[:asked]
before, start = peak(), time.perf_counter()
for batch in vectors.neighbor_batches(names, top): pass
print(json.dumps([time.perf_counter() - start, peak() - before]))
"""

FAISS = f"""{MAKE}
import faiss
matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
index = faiss.IndexFlatIP(dimension)
index.add(matrix)
before, start = peak(), time.perf_counter()
index.search(matrix[:asked], top + 1)
print(json.dumps([time.perf_counter() - start, peak() - before]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dimension", type=int, default=100)
    parser.add_argument("--top", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(f"dimension {options.dimension}, top {options.top}; {machine()}\n")
    print("| vectors | asked | | s | MB | of FAISS's time |\n|---|---|---|---|---|---|")
    for words, asked in ((20_000, 20_000), (1_000_000, 8_192)):
        sizes = [str(n) for n in (words, asked, options.dimension, options.top)]
        memory: dict[str, list[float]] = {"sg-train": [], "FAISS": []}

        def seconds(name: str, script: str, sizes=sizes, memory=memory) -> float:
            command = [sys.executable, "-c", script, *sizes]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            taken, added = json.loads(done.stdout)
            memory[name].append(added)
            return float(taken)

        cases = {
            "sg-train": lambda ask=seconds: ask("sg-train", OURS),
            "FAISS": lambda ask=seconds: ask("FAISS", FAISS),
        }
        times = alternate(cases, options.repeats)
        for name, values in times.items():
            share = f"{ratio(times, name, 'FAISS'):.2f}"
            most = f"{max(memory[name]):.0f}"
            row = f"| {words:,} | {asked:,} | {name} | {spread(values, 1)} | {most}"
            print(f"{row} | {share} |", flush=True)


if __name__ == "__main__":
    main()
