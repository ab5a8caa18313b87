"""What is gained and lost when several processes train together.

    python -m benchmarks.ranks CORPUS [--ranks 1 2 4] [--seeds 1 2 3] [--epochs 1]
        [--similarity TSV ...] [--analogies TXT ...] [--set SECTION.KEY=VALUE ...]

CORPUS is a prepared corpus. Each case is a run of its own, in turn with the others:
`1` is the plain run on as many threads as there are CPUs, `N` is torchrun with N
processes of one thread each, on loopback. Words per second are those of metrics.jsonl.
With more ranks than CPUs, speed says nothing, but scores, bytes and rounds do.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import machine, write_json
from sg_train.training.run_directory import RunDirectory
from sg_train.vectors.evaluation import Evaluation


def train(ranks: int, corpus: Path, settings: list[str], out: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launch, "--nproc-per-node", str(ranks)] if ranks > 1 else []
    if ranks > 1:
        settings = ["training.threads=1", *settings]
    command = command or [sys.executable]
    command += ["-m", "sg_train", "train", "--corpus", str(corpus), "--out", str(out)]
    for setting in settings:
        command += ["--set", setting]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def figures(out: Path, tests: Evaluation) -> dict[str, float]:
    last = RunDirectory(out).load_metrics()[-1]
    lines = RunDirectory(out).load_metrics()
    loss = statistics.mean(line["loss"] for line in lines if line.get("loss"))
    scores = tests(RunDirectory(out).load_vectors())
    return {
        "words/s": last["words"] / last["seconds"],
        "exchanging": last.get("exchange_seconds", 0.0) / last["seconds"],
        "MB sent": last.get("exchange_bytes", 0) / 1e6,
        "loss": loss,
        **{s.test: s.value for s in scores if s.is_total and s.value is not None},
    }


def cell(name: str, values: list[float]) -> str:
    middle = statistics.mean(values)
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    if name == "words/s":
        return f"{statistics.median(values):,.0f}"
    if name == "exchanging":
        return f"{middle:.0%}"
    return f"{middle:,.0f}" if name == "MB sent" else f"{middle:.3f}{spread}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--similarity", type=Path, nargs="*", default=[])
    parser.add_argument("--analogies", type=Path, nargs="*", default=[])
    parser.add_argument("--restrict", type=int, default=30_000)
    parser.add_argument("--set", nargs="*", default=[], dest="settings")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tests = Evaluation.from_files(
        options.similarity, options.analogies, restrict=options.restrict
    )
    results: dict[int, list[dict[str, float]]] = {n: [] for n in options.ranks}
    for seed in options.seeds:
        for ranks in options.ranks:
            with tempfile.TemporaryDirectory() as name:
                out = Path(name) / "run"
                settings = [f"training.epochs={options.epochs}", *options.settings]
                settings.append(f"training.seed={seed}")
                train(ranks, options.corpus, settings, out)
                results[ranks].append(figures(out, tests))
            print(f"  {ranks}: {results[ranks][-1]}", file=sys.stderr, flush=True)
    print(f"{machine()}; {options.corpus.name}, {options.epochs} epochs, ", end="")
    print(f"{len(options.seeds)} seeds {' '.join(options.settings)}\n")
    names = list(results[options.ranks[0]][0])
    print(f"| ranks | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
    for ranks, rows in results.items():
        cells = [cell(name, [row[name] for row in rows]) for name in names]
        print(f"| {ranks} | {' | '.join(cells)} |")
    write_json(options.json, results)


if __name__ == "__main__":
    main()
