"""What needs processes of their own, as torchrun launches them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config
from sg_train.errors import CorpusError, RunError, TrainingError
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.system.launch import launched
from sg_train.system.ranks import Ranks, open_ranks
from sg_train.training.beginning import corpus_of
from sg_train.training.train import train
from tests.conftest import untraced

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
SETTINGS = {
    "training.threads": 1,
    "training.epochs": 40,
    "vocabulary.min_count": 1,
    "model.dimension": 16,
    "sampling.subsample": 0,
    "distributed.round_words": 20_000,
    "distributed.timeout_seconds": 20,
}
SHOWN = """
import torch
from sg_train.errors import CorpusError, SgTrainError
from sg_train.system.ranks import open_ranks

def fail_on(rank, before_gathering):
    try:
        with ranks.failing_together():
            if ranks.rank == rank and before_gathering:
                raise CorpusError(f"trouble on {rank}")
            ranks.gather("fine")
            if ranks.rank == rank:
                raise CorpusError(f"trouble on {rank}")
    except SgTrainError as error:
        return f"{type(error).__name__}: {error}"

def all_fail():
    try:
        with ranks.failing_together():
            raise CorpusError(f"trouble on {ranks.rank}")
    except SgTrainError as error:
        return f"{type(error).__name__}: {error}"

with open_ranks() as ranks:
    ranks.wait_at_most(30)
    mine = torch.arange(3.0) * (1 + ranks.rank)
    ranks.add(mine)
    copied = torch.full((2,), float(ranks.rank + 7))
    ranks.copy_first(copied)
    shown = [
        mine.tolist(),
        copied.tolist(),
        ranks.largest(ranks.rank, -ranks.rank),
        ranks.gather("ab"[ranks.rank]),
        ranks.from_first(ranks.rank + 10),
        fail_on(0, True),
        fail_on(0, False),
        fail_on(1, True),
        fail_on(1, False),
        all_fail(),
        str(ranks.alike(CorpusError("x")).__class__.__name__),
        (ranks.bytes_sent, ranks.seconds > 0),
    ]
    print(f"{ranks.rank}/{ranks.size}: {shown}\\n", end="", flush=True)
"""


@pytest.fixture
def text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    path = tmp_path / "text.txt"
    with path.open("w") as file:
        for _ in range(3000):
            words = draw.zipf(1.3, 20).clip(max=500)
            file.write(" ".join(f"w{word}" for word in words) + "\n")
    return path


def command(ranks: int, *arguments: object, restarts: int = 0) -> list[str]:
    launch = [*TORCHRUN, "--nproc-per-node", str(ranks)]
    launch += ["--max-restarts", str(restarts), "-m", "sg_train"]
    return [*launch, *map(str, arguments)]


def options(settings: Mapping[str, object]) -> list[str]:
    return [f"--set={key}={value}" for key, value in settings.items()]


def test_ranks_add_copy_gather_and_fail_together(tmp_path: Path) -> None:
    script = tmp_path / "shown.py"
    script.write_text(SHOWN)
    done = subprocess.run(
        [*TORCHRUN, "--nproc-per-node", "2", str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    shared = "[[0.0, 3.0, 6.0], [7.0, 7.0], [1, 0], ['a', 'b'], 10, "
    own, other = (
        "'CorpusError: trouble on 0', ",
        "'_OtherRankError: rank 1: trouble on 1', ",
    )
    first = own * 2 + other * 2 + own + "'CorpusError', (12, True)]"
    told = "'ReportedElsewhere: rank {0}: trouble on {0}', "
    second = told.format(0) * 2 + told.format(1) * 2 + told.format(0)
    second += "'ReportedElsewhere', (12, True)]"
    assert sorted(filter(None, done.stdout.split("\n"))) == [
        f"0/2: {shared}{first}",
        f"1/2: {shared}{second}",
    ]


def test_a_process_without_a_launcher_is_the_only_rank(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size in ("", "1"):
        if size:  # as torchrun sets it for a single one
            monkeypatch.setenv("WORLD_SIZE", size)
            monkeypatch.setenv("RANK", "0")
        with open_ranks() as ranks:
            assert (ranks.rank, ranks.size, ranks.is_first) == (0, 1, True)
            assert ranks.gather(5) == [5]
            assert ranks.largest(1, 2) == [1, 2]
            assert ranks.from_first(3) == 3
            error = CorpusError("x")
            assert ranks.alike(error) is error
            with pytest.raises(CorpusError), ranks.failing_together():
                raise error


def test_ranks_that_cannot_be_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(TrainingError, match=r"cannot join the other ranks: .*MASTER_"),
        open_ranks(),
    ):
        pass


def test_what_launched_a_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert launched() is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    unnamed = launched()
    assert unnamed is not None
    assert unnamed.job is None
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "seven")
    assert launched() == launched()
    named = launched()
    assert named is not None
    assert named.job == "seven"
    assert os.getppid() in named.agent


def test_a_run_that_a_launcher_restarts_resumes(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "job")
    config = Config.model_validate(
        {"corpus": {"paths": [str(text)]}, "training": {"epochs": 1, "threads": 1}}
    )
    train(config, Path("run"))
    before = Path("run/weights.safetensors").stat().st_mtime_ns
    # The launcher restarted its ranks after the run had ended.
    train(config, Path("run"), overwrite=True)
    assert Path("run/weights.safetensors").stat().st_mtime_ns == before
    monkeypatch.setattr("sg_train.system.launch._started_at", lambda _: "later")
    train(config, Path("run"), overwrite=True)  # the same name, by another launcher
    assert Path("run/weights.safetensors").stat().st_mtime_ns > before
    left = Path("run/checkpoints/000000001")
    left.mkdir(parents=True)
    (left / "state.json").write_text('{"format": "sg-train checkpoint"')  # cut off
    Path("run/state.json").unlink()
    monkeypatch.setattr("sg_train.system.launch._started_at", lambda _: "later still")
    with pytest.raises(RunError, match="no sound checkpoint"):
        train(config, Path("run"), overwrite=True)  # it is gone on with


@pytest.fixture
def interrupted(text: Path) -> Path:
    """Two ranks that were told to stop."""
    out = Path("run")
    settings = {**SETTINGS, "checkpoint.every_seconds": 0.1}
    process = subprocess.Popen(
        command(2, "train", "--corpus", text, "--out", out, *options(settings)),
        stderr=subprocess.PIPE,
        text=True,
        env=untraced(),
    )
    wait_for(out / "checkpoints")
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert len(re.findall(r"sg-train: interrupted, saved at \d+%", said)) == 1
    return out


def wait_for(checkpoints: Path) -> None:
    deadline = time.monotonic() + 90
    while not checkpoint.has_any(checkpoints):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_two_ranks_stop_and_three_resume(interrupted: Path) -> None:
    done = subprocess.run(
        command(3, "resume", interrupted),
        env=untraced(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert len(re.findall("resuming from checkpoint", done.stderr)) == 1
    assert len(re.findall("run: trained", done.stderr)) == 1
    run = RunDirectory(interrupted)
    state, weights = checkpoint.load(interrupted)
    # Every pair once, as a process alone counts them.
    config = run.load_config()
    alone = config.model_copy(
        update={"training": config.training.model_copy(update={"threads": 1})}
    )
    train(alone, Path("alone"))
    expected, others = checkpoint.load(Path("alone"))
    assert (state.position, state.pairs) == (expected.position, expected.pairs)
    assert state.progress["words"] == expected.progress["words"]
    assert run.load_record().ranks == 3
    last, other = (
        load_metrics(RunDirectory(Path(name)).metrics_file)[-1]
        for name in ("run", "alone")
    )
    assert (last.exchange_bytes or 0) > 0
    assert 0 < (last.exchange_seconds or 0) < last.seconds
    assert other.exchange_bytes is None
    assert last.loss == pytest.approx(other.loss, rel=0.03)
    assert last.learning_rate == pytest.approx(other.learning_rate)
    assert weights["u"].shape == others["u"].shape


def test_a_killed_rank_is_named_and_all_ranks_resume(text: Path) -> None:
    out = Path("run")
    settings = {**SETTINGS, "checkpoint.every_seconds": 0.1}
    train_it = ("train", "--corpus", text, "--out", out, *options(settings))
    process = subprocess.Popen(
        command(2, *train_it, restarts=1), stderr=subprocess.PIPE, text=True
    )
    wait_for(out / "checkpoints")
    os.kill(_process_of_rank(1, process.pid), signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert len(re.findall("sg-train: rank 1 of 2 no longer answers", said)) == 1
    assert "Traceback" not in said
    assert len(re.findall("run: resuming from checkpoint", said)) == 1
    state, _ = checkpoint.load(out)
    lines = [json.loads(x) for x in (out / "metrics.jsonl").read_text().splitlines()]
    assert lines[-1]["words"] == state.progress["words"] == 40 * 60_000
    assert not (out / "checkpoints").exists()


def _process_of_rank(rank: int, agent: int) -> int:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if parent == agent and f"RANK={rank}".encode() in variables:
            return int(path.name)
    raise AssertionError


def test_a_single_rank_exchanges_nothing() -> None:
    tensor = np.ones(3)
    ranks = Ranks()
    ranks.add(tensor)  # type: ignore[arg-type]
    ranks.copy_first(tensor)  # type: ignore[arg-type]
    ranks.wait_at_most(1)
    assert tensor.tolist() == [1, 1, 1]


def test_each_rank_can_have_a_text_of_its_own(text: Path) -> None:
    lines = text.read_text().splitlines(keepends=True)
    for rank in range(2):
        Path(f"part-{rank}.txt").write_text("".join(lines[rank::2]))
    settings = options({**SETTINGS, "training.epochs": 2})
    arguments = ("train", "--corpus", "part-{rank}.txt", "--out", "run", *settings)
    subprocess.run(command(2, *arguments), timeout=120, check=True)
    *_, last = load_metrics(RunDirectory(Path("run")).metrics_file)
    assert last.words == 2 * 60_000
    done = subprocess.run(
        command(3, "resume", "run", "--set=training.epochs=3"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = re.findall("^sg-train: (.*)", done.stderr, re.MULTILINE)
    missing = Path("part-2.txt").absolute()
    assert said == [f"rank 2: {missing}: no such file or directory"]
    with pytest.raises(CorpusError, match="only one of the shards that run was"):
        corpus_of(RunDirectory(Path("run")))
