"""The model of scaling, held against two nodes with a link of limited speed.

    python -m benchmarks.links CORPUS [--gigabits 0.1 1 10] [--repeats 3]

CORPUS is a prepared corpus. Each node is a network namespace of this machine with one
thread; between them is a link (veth) that tc limits. Needs a kernel that lets users
make namespaces, and `unshare`, `nsenter`, `ip` and `tc`.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.kernel import Trainer, of_corpus
from benchmarks.measure import machine
from benchmarks.scaling import Links, arithmetic, predict, round_bytes
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics

INSIDE = "SG_TRAIN_IN_NAMESPACE"
LATENCY = 50e-6  # of a veth link and gloo on top, about


def ip(process: int, *command: str) -> None:
    enter = ["nsenter", "-t", str(process), "-n"]
    subprocess.run([*enter, *command], check=True)


@contextmanager
def two_nodes(gigabits: float) -> Iterator[list[int]]:
    """Join two namespaces by a link, and yield the processes that hold them."""
    holders = [subprocess.Popen(["unshare", "-n", "sleep", "600"]) for _ in range(2)]
    pids = [holder.pid for holder in holders]
    try:
        time.sleep(0.5)  # until they have theirs
        pair = ["ip", "link", "add", "n0", "type", "veth", "peer", "name", "n1"]
        subprocess.run(pair, check=True)
        for number, pid in enumerate(pids):
            name = f"n{number}"
            move = ["ip", "link", "set", name, "netns", str(pid)]
            subprocess.run(move, check=True)
            ip(pid, "ip", "link", "set", "lo", "up")
            ip(pid, "ip", "addr", "add", f"10.9.0.{number + 1}/24", "dev", name)
            ip(pid, "ip", "link", "set", name, "up")
            burst = str(max(65_536, int(gigabits * 1e9 / 8 * 0.002)))  # 2 ms
            limit = ["rate", f"{gigabits * 1000:.0f}mbit", "burst", burst]
            queue = ["tc", "qdisc", "add", "dev", name, "root", "tbf"]
            ip(pid, *queue, *limit, "latency", "100ms")
        yield pids
    finally:
        for holder in holders:
            holder.kill()
            holder.wait()


def train(pids: list[int], corpus: Path, out: Path) -> tuple[float, float]:
    """Train an epoch; return words/s and the share of time spent exchanging."""
    nodes = []
    for number, pid in enumerate(pids):
        launch = ["--nnodes", "2", "--nproc-per-node", "1", "--node-rank", str(number)]
        where = ["--master-addr", "10.9.0.1", "--master-port", "29511"]
        settings = ["training.epochs=1", "training.threads=1"]
        command = [
            *("nsenter", "-t", str(pid), "-n"),
            *(sys.executable, "-m", "torch.distributed.run", *launch, *where),
            *("-m", "sg_train", "train", "--corpus", str(corpus), "--out", str(out)),
            *(word for setting in settings for word in ("--set", setting)),
        ]
        environment = {**os.environ, "GLOO_SOCKET_IFNAME": f"n{number}"}
        nodes.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        )
    if any(node.wait(300) for node in nodes):
        raise SystemExit("a node failed")
    *_, last = load_metrics(RunDirectory(out).metrics_file)
    exchanging = (last.exchange_seconds or 0.0) / last.seconds
    return last.words / last.seconds, exchanging


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--gigabits", type=float, nargs="*", default=[0.1, 1, 10])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if INSIDE not in os.environ:
        again = ["unshare", "-rnm", sys.executable, "-m", "benchmarks.links"]
        os.environ[INSIDE] = "1"
        os.execvp(again[0], [*again, *sys.argv[1:]])
    text = of_corpus(options.corpus)
    trainer = Trainer(text, 100, 5, 1)
    speed = 1e6 * statistics.median(trainer.train()[0] for _ in range(3))
    cost, size = arithmetic(100), round_bytes(len(text.counts), 100)
    print(f"{machine()}; {options.corpus.name}, two nodes of one thread\n")
    print("| Gbit/s | model words/s (exchanging) | measured | ratio |")
    print("|---|---|---|---|")
    for gigabits in options.gigabits:
        model, share = predict(2, size, speed, cost, Links(LATENCY, gigabits * 1e9 / 8))
        found = []
        for _ in range(options.repeats):
            with tempfile.TemporaryDirectory() as name, two_nodes(gigabits) as pids:
                found.append(train(pids, options.corpus, Path(name) / "run"))
        words, spent = (
            statistics.median(values) for values in zip(*found, strict=True)
        )
        print(
            f"| {gigabits:g} | {model:,.0f} ({share:.0%}) | {words:,.0f} ({spent:.0%}) "
            f"| {model / words:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
