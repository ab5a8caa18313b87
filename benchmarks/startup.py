"""What a command costs before and besides its own work: start-up times.

    python -m benchmarks.startup TEXT [--words 300000] [--repeats 5]

First the libraries, each imported by a Python process of its own. Then whole commands
on the first words of TEXT, in turn: `train` with five epochs at a rate of 0.05, and
commands that ask the trained run. Beside each is the time that the same work takes in a
process that has it all loaded, and which of the heavy libraries the command imports.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

from benchmarks.measure import alternate, machine, run, seconds, spread

LIBRARIES = ["numpy", "pyarrow", "pydantic", "typer", "llvmlite.binding", "numba"]
HEAVY = ["numpy", "pyarrow", "pydantic", "llvmlite", "scipy", "numba", "torch"]
SETTINGS = ["training.epochs=5", "training.learning_rate=0.05"]
TRAIN = ["--overwrite", *(word for key in SETTINGS for word in ("--set", key))]

LOADED = """
import sys
from sg_train.cli import app
try: app(sys.argv[1:])
except SystemExit: pass
print(*sorted(sys.modules), file=sys.stderr)
"""

WARM = """
import sys, time
from contextlib import redirect_stdout
from io import StringIO
from sg_train.cli import app
def once():
    try:
        with redirect_stdout(StringIO()): app(sys.argv[1:])
    except SystemExit: pass
once()
start = time.perf_counter()
once()
print(time.perf_counter() - start)
"""


def beginning(text: Path, words: int) -> str:
    """Return the first lines that have this many words together."""
    lines: list[str] = []
    count = 0
    with text.open(encoding="utf-8") as file:
        for line in file:
            count += len(line.split())
            lines.append(line)
            if count >= words:
                break
    return "".join(lines)


def commands(text: Path, out: Path) -> dict[str, list[str]]:
    words = first_words(out)
    questions = out.parent / "questions.tsv"
    pairs = [f"{a}\t{b}\t{i}" for i, (a, b) in enumerate(pairwise(words))]
    questions.write_text("\n".join(pairs))
    return {
        "train": ["train", "--corpus", str(text), "--out", str(out), *TRAIN],
        "neighbors": ["neighbors", str(out), words[0]],
        "similarity": ["similarity", str(out), *words[:2]],
        "evaluate": ["evaluate", str(out), "--similarity", str(questions)],
        "info": ["info", str(out)],
        "config": ["config", str(out / "config.yaml")],
        "--help": ["--help"],
    }


def first_words(run_directory: Path) -> list[str]:
    lines = (run_directory / "vocabulary.tsv").read_text().splitlines()
    found = (re.match(r"[a-z]+(?=\t)", line) for line in lines)
    return [match[0] for match in islice(filter(None, found), 20)]


def sg_train(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sg_train", *arguments]


def heavy(arguments: list[str]) -> Iterator[str]:
    """Yield the heavy libraries that a command imports."""
    command = [sys.executable, "-c", LOADED, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(process.stderr.splitlines()[-1].split())
    return (name for name in HEAVY if name in loaded)


def own_work(arguments: list[str]) -> float:
    command = [sys.executable, "-c", WARM, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(process.stdout.splitlines()[-1])


def print_libraries(repeats: int) -> None:
    statements = {"nothing": "pass"} | {
        name: f"import {name}" for name in (*LIBRARIES, "torch")
    }
    cases = {
        name: lambda code=code: run([sys.executable, "-c", code])[0]
        for name, code in statements.items()
    }
    print("| Python that imports | s |\n|---|---|")
    for name, times in alternate(cases, repeats).items():
        print(f"| {name} | {spread(times)} |")
    print()


def print_commands(text: Path, repeats: int) -> None:
    out = text.parent / "run"
    subprocess.run(
        sg_train("train", "--corpus", str(text), "--out", str(out), *TRAIN),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    asked = commands(text, out)
    cases = {
        name: lambda words=words: seconds(
            lambda: subprocess.run(sg_train(*words), check=True, capture_output=True)
        )
        for name, words in asked.items()
    }
    print("| command | s | of which its own work | it imports |\n|---|---|---|---|")
    for name, times in alternate(cases, repeats).items():
        libraries = ", ".join(heavy(asked[name])) or "none of them"
        own = own_work(asked[name])
        print(f"| {name} | {spread(times)} | {own:.2f} | {libraries} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path)
    parser.add_argument("--words", type=int, default=300_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    source = beginning(options.text, options.words)
    print(f"{options.text.name}, first {options.words:,} words; {machine()}\n")
    print_libraries(options.repeats)
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)  # where `train` keeps prepared corpora
        text = Path(name) / "text.txt"
        text.write_text(source, encoding="utf-8")
        print_commands(text, options.repeats)


if __name__ == "__main__":
    main()
