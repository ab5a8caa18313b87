"""Gains and losses when several processes train together.

    python -m benchmarks.ranks CORPUS [--ranks 1 2 4] [--kill 2] [--seeds 1 2 3]
        [--epochs 1] [--similarity TSV ...] [--analogies TXT ...]
        [--set SECTION.KEY=VALUE ...]

CORPUS is a text or a prepared corpus. The cases run in turn: `1` is a run without
torchrun, with one thread per CPU; `N` is torchrun with N processes of one thread each,
on loopback. `--kill N` adds a run of N ranks whose last rank is killed after the first
checkpoint; all ranks then resume from it. Words per second are those of metrics.jsonl.
With more ranks than CPUs, only scores and bytes are meaningful, not speed.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import machine, write_json
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.evaluation import Evaluation


def train(
    ranks: int, corpus: Path, settings: list[str], out: Path, *, kill: bool
) -> None:
    command = [sys.executable]
    if ranks > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--max-restarts=1"]
        command += [f"--nproc-per-node={ranks}"]
        settings = ["training.threads=1", *settings]
    if kill:
        settings = ["checkpoint.every_seconds=0.5", *settings]
    command += ["-m", "sg_train", "train", "--corpus", str(corpus), "--out", str(out)]
    command += [f"--set={setting}" for setting in settings]
    with tempfile.TemporaryFile("w+") as messages:
        process = subprocess.Popen(command, stdout=messages, stderr=messages)
        if kill:
            while not list(out.glob("checkpoints/0*")):
                time.sleep(0.02)
            os.kill(process_of_rank(ranks - 1, process.pid), signal.SIGKILL)
        if process.wait():
            messages.seek(0)
            raise SystemExit(messages.read())
        messages.seek(0)
        wanted = ("no longer", "resuming from")
        lines = [line for line in messages if any(part in line for part in wanted)]
        print("".join(lines), end="", file=sys.stderr)


def process_of_rank(rank: int, agent: int) -> int:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == agent and f"RANK={rank}".encode() in variables:
            return int(path.name)
    raise SystemExit(f"no process of rank {rank}")


def figures(out: Path, tests: Evaluation) -> dict[str, float]:
    run = RunDirectory(out)
    *_, last = lines = load_metrics(run.metrics_file)
    loss = statistics.mean(line.loss for line in lines if line.loss)
    scores = tests(load_run_vectors(run))
    return {
        "words/s": last.words / last.seconds,
        "exchanging": (last.exchange_seconds or 0.0) / last.seconds,
        "MB sent": (last.exchange_bytes or 0) / 1e6,
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
    parser.add_argument("--kill", type=int, nargs="*", default=[])
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
    cases = {str(n): (n, False) for n in options.ranks}
    cases |= {f"{n}, one killed": (n, True) for n in options.kill}
    results: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for seed in options.seeds:
        for case, (ranks, kill) in cases.items():
            with tempfile.TemporaryDirectory() as name:
                out = Path(name) / "run"
                settings = [f"training.epochs={options.epochs}", *options.settings]
                settings.append(f"training.seed={seed}")
                train(ranks, options.corpus, settings, out, kill=kill)
                results[case].append(figures(out, tests))
            print(f"  {case}: {results[case][-1]}", file=sys.stderr, flush=True)
    print(f"{machine()}; {options.corpus.name}, {options.epochs} epochs, ", end="")
    print(f"{len(options.seeds)} seeds {' '.join(options.settings)}\n")
    names = list(next(iter(results.values()))[0])
    print(f"| ranks | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}")
    for case, rows in results.items():
        cells = [cell(name, [row[name] for row in rows]) for name in names]
        print(f"| {case} | {' | '.join(cells)} |")
    write_json(options.json, results)


if __name__ == "__main__":
    main()
