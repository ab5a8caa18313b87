import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sg_train.config import (
    Config,
    CorpusConfig,
    EvaluationConfig,
    VocabularyConfig,
)
from sg_train.corpus.prepare import _default_directory
from sg_train.errors import (
    CorpusError,
    Interrupted,
    OutputError,
    SgTrainError,
    TrainingError,
)
from sg_train.training.checkpoint import load
from sg_train.training.run import resume, train
from sg_train.training.run_directory import RunDirectory
from sg_train.training.scoring import Scoring
from sg_train.training.session import Session
from tests.conftest import Command, read_metrics

EPOCHS = 6
BLOCKS = 8


@pytest.fixture
def corpus() -> Path:
    """Write a text of eight blocks."""
    generator = np.random.default_rng(5)
    words = generator.zipf(1.4, (8000, 10)).clip(max=300)
    Path("text.txt").write_text(
        "\n".join(" ".join(f"w{word}" for word in line) for line in words)
    )
    return Path("text.txt")


def config(text: Path, engine: str = "fused", **training: object) -> Config:
    return Config.model_validate(
        {
            "corpus": {"paths": [str(text)]},
            "model": {"dimension": 6},
            "sampling": {"window": 3, "negatives": 2, "subsample": 0.01},
            "training": {
                "engine": engine,
                "epochs": EPOCHS,
                "threads": 1,
                "batch_size": 32,
                **training,
            },
            "checkpoint": {"every_seconds": 0.05},
        }
    )


def results(run: Path) -> list[bytes]:
    return [
        (run / name).read_bytes() for name in ("vectors.txt", "weights.safetensors")
    ]


def stop_after(monkeypatch: pytest.MonkeyPatch, blocks: int, number: int = 2) -> None:
    """Let a session be told to stop after so many blocks."""
    add = Session.__init__

    def started(self: Session, *arguments: object) -> None:
        add(self, *arguments)  # type: ignore[arg-type]
        self._left = blocks  # type: ignore[attr-defined]
        real = self._engine.train

        def counted(places):
            for result in real(places):
                self._left -= 1  # type: ignore[attr-defined]
                if self._left == 0:  # type: ignore[attr-defined]
                    os.kill(os.getpid(), number)
                yield result

        self._engine = type("Engine", (), {"train": staticmethod(counted)})()

    monkeypatch.setattr(Session, "__init__", started)


@pytest.mark.parametrize(
    ("engine", "blocks"),
    [("autograd", 11), *(("fused", blocks) for blocks in (1, 8, 21, 45))],
)
def test_interrupted_anywhere_and_resumed_the_bytes_are_the_same(
    corpus: Path, monkeypatch, engine: str, blocks: int
) -> None:
    train(config(corpus, engine), Path("whole"))
    said: list[str] = []
    with monkeypatch.context() as patch:
        stop_after(patch, blocks)
        with pytest.raises(Interrupted, match="saved at .*; sg-train resume part"):
            train(config(corpus, engine), Path("part"))
    resume(Path("part"), (), said.append)
    assert "going on from checkpoint" in said[0]
    assert results(Path("part")) == results(Path("whole"))
    timeless = [
        [(x["words"], x["loss"], x["epoch"]) for x in read_metrics(Path(run))]
        for run in ("part", "whole")
    ]
    assert timeless[0] == timeless[1]
    state, _ = load(Path("part"))
    whole, _ = load(Path("whole"))
    assert (state.position, state.pairs) == (whole.position, whole.pairs)
    assert not Path("part/checkpoints").exists()


def test_it_may_be_interrupted_again_and_again(corpus: Path, monkeypatch) -> None:
    train(config(corpus), Path("whole"))
    with monkeypatch.context() as patch:
        stop_after(patch, 5, signal.SIGTERM)
        with pytest.raises(Interrupted) as caught:
            train(config(corpus), Path("part"))
        assert caught.value.signal == signal.SIGTERM
        for _ in range(4):
            with pytest.raises(Interrupted):
                resume(Path("part"), (), lambda _: None)
    resume(Path("part"), (), lambda _: None)
    assert results(Path("part")) == results(Path("whole"))


def test_a_finished_run_can_be_trained_for_longer(corpus: Path) -> None:
    settings = config(corpus, epochs=2, learning_rate=0.05, final_learning_rate=0.05)
    train(settings, Path("short"))
    with pytest.raises(
        TrainingError, match="short: has done all its epochs; say how many"
    ):
        resume(Path("short"), (), lambda _: None)
    resume(Path("short"), ["training.epochs=3"], lambda _: None)
    longer = config(corpus, epochs=3, learning_rate=0.05, final_learning_rate=0.05)
    train(longer, Path("long"))
    assert results(Path("short")) == results(Path("long"))
    assert RunDirectory(Path("short")).load_config().training.epochs == 3


@pytest.fixture
def part(corpus: Path, monkeypatch) -> Path:
    """Leave an interrupted run."""
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        with pytest.raises(Interrupted):
            train(config(corpus), Path("part"))
    return Path("part")


def refused(run: Path, *overrides: str) -> str:
    before = sorted(path for path in run.rglob("*") if path.name != ".lock")
    with pytest.raises(SgTrainError) as caught:
        resume(run, overrides, lambda _: None)
    assert sorted(path for path in run.rglob("*") if path.name != ".lock") == before
    return str(caught.value)


def test_what_decides_the_result_must_stay(part: Path, corpus: Path) -> None:
    said = refused(part, "model.dimension=9", "training.threads=2", "sampling.window=4")
    assert "sampling.window, model.dimension cannot change" in said
    assert "unknown setting" in refused(part, "training.thread=2")
    assert "nothing: no run directory" in refused(Path("nothing"))
    settings = ("training.threads=2", "checkpoint.every_seconds=9", "training.epochs=7")
    resume(part, settings, lambda _: None)
    assert RunDirectory(part).load_config().training.epochs == 7


def test_another_text_is_refused(part: Path, corpus: Path) -> None:
    text = corpus.read_text()
    corpus.write_text(text + "more\n")
    assert "text.txt: has changed since part began" in refused(part)
    corpus.unlink()  # the prepared corpus is still there
    resume(part, (), lambda _: None)


def test_another_prepared_corpus_or_vocabulary_is_refused(part: Path) -> None:
    words = (part / "vocabulary.tsv").read_text()
    (part / "vocabulary.tsv").write_text(words.replace("w1\t", "x1\t"))
    assert "vocabulary.tsv: has changed since part began" in refused(part)
    (part / "vocabulary.tsv").write_text(words)
    (prepared,) = Path("corpora").iterdir()
    meta = prepared / "meta.json"
    content = meta.read_text()
    checksum = content.index('"checksum": "') + 14
    meta.write_text(content[:checksum] + "0" + content[checksum + 1 :])
    if meta.read_text() == content:
        meta.write_text(content[:checksum] + "1" + content[checksum + 1 :])
    assert "is another corpus than part began to train on" in refused(part)


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(part: Path) -> None:
    checkpoints = sorted((part / "checkpoints").iterdir())
    assert len(checkpoints) == 2
    weights = checkpoints[1] / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    said: list[str] = []
    resume(part, (), said.append)
    assert f"{weights}: damaged (v is wrong); looking for an earlier" in said[0]
    assert f"going on from checkpoint {checkpoints[0].name}" in said[1]
    train(config(Path("text.txt")), Path("whole"))
    assert results(part) == results(Path("whole"))


def test_without_a_sound_checkpoint_it_is_trained_anew(part: Path) -> None:
    for file in part.rglob("state.json"):
        file.write_text("")
    assert "no sound checkpoint; train it anew with --overwrite" in refused(part)
    shutil.rmtree(part / "checkpoints")
    assert "was stopped before its first checkpoint; train it" in refused(part)


def test_nan_is_never_saved(corpus: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        with pytest.raises(Interrupted):
            train(config(corpus), Path("part"))
        add = Session.__init__

        def spoiled(self: Session, *arguments: object) -> None:
            add(self, *arguments)  # type: ignore[arg-type]
            self._model.u_embeddings.weight.data[7, 1] = float("nan")

        patch.setattr(Session, "__init__", spoiled)
        with pytest.raises(TrainingError, match="no longer finite|loss became nan"):
            resume(Path("part"), (), lambda _: None)
    resume(Path("part"), (), lambda _: None)
    train(config(corpus), Path("whole"))
    assert results(Path("part")) == results(Path("whole"))


def test_a_corpus_cut_off_while_training_is_one_line(corpus: Path, monkeypatch) -> None:
    real = Session._check_learning

    def cut(self: Session, pace: object) -> None:
        (ids,) = Path("corpora").glob("*/ids.i32")
        os.truncate(ids, 1000)
        real(self, pace)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "_check_learning", cut)
    with pytest.raises(CorpusError, match="ids.i32: damaged; delete"):
        train(config(corpus), Path("r"))


def test_several_threads_lose_no_block(corpus: Path, monkeypatch) -> None:
    train(config(corpus, threads=3), Path("whole"))
    with monkeypatch.context() as patch:
        stop_after(patch, 11)
        with pytest.raises(Interrupted):
            train(config(corpus, threads=3), Path("part"))
    resume(Path("part"), (), lambda _: None)
    states = [load(Path(run))[0] for run in ("part", "whole")]
    # The draws do not depend on threads, so that pairs count every block once.
    assert states[0].pairs == states[1].pairs
    assert states[0].progress["words"] == states[1].progress["words"]


def test_deterministic_is_the_same_for_any_number_of_threads(corpus: Path) -> None:
    for threads in (1, 2, 3):
        settings = config(corpus, threads=threads, deterministic=True, epochs=1)
        train(settings, Path(f"t{threads}"))
    assert results(Path("t1")) == results(Path("t2")) == results(Path("t3"))
    record = RunDirectory(Path("t1")).load_record()
    made_by = {"config_hash", "command", "versions", "processor", "corpus"}
    assert set(record) == made_by | {"ranks", "launch"}


def test_a_finished_run_is_not_lost_by_an_attempt_to_train_it_for_longer(
    corpus: Path, monkeypatch
) -> None:
    train(config(corpus, epochs=2), Path("r"))

    def broken(self: Session) -> None:
        raise OSError("anything")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "train", broken)
        with pytest.raises(OSError, match="anything"):
            resume(Path("r"), ["training.epochs=3"], lambda _: None)
    with pytest.raises(OutputError, match="holds a"):
        train(config(corpus), Path("r"))
    (Path("r") / "metrics.jsonl").unlink()
    said: list[str] = []
    resume(Path("r"), (), said.append)
    assert "going on from checkpoint 000000016, 67% done" in said[0]
    train(config(corpus, epochs=3), Path("whole"))
    state, _ = load(Path("r"))
    assert state.position == 3 * BLOCKS


def test_what_fails_at_the_end_is_made_up_for(corpus: Path, monkeypatch) -> None:
    train(config(corpus), Path("whole"))
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "export", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config(corpus), Path("r"))
    assert not Path("r/vectors.txt").exists()
    resume(Path("r"), (), lambda _: None)
    assert results(Path("r")) == results(Path("whole"))
    assert not Path("r/checkpoints").exists()


def test_a_corpus_made_anew_meanwhile_is_not_mixed_in(
    corpus: Path, monkeypatch
) -> None:
    train(config(corpus), Path("whole"))
    real = Session._check_learning

    def replaced(self: Session, pace: object) -> None:
        if not Path("other").exists():
            Path("other").touch()
            text = corpus.read_text()
            corpus.write_text("w9 w8 w7\n" * 9000)
            train(config(corpus, epochs=1), Path("second"))
            corpus.write_text(text)
        real(self, pace)  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "_check_learning", replaced)
    train(config(corpus), Path("r"))
    assert results(Path("r")) == results(Path("whole"))


def test_runs_on_standard_input_do_not_share_a_corpus() -> None:
    settings = CorpusConfig(paths=["-"])
    name = _default_directory(settings, VocabularyConfig())
    assert str(os.getpid()) in name.name


def test_another_test_to_stop_on_begins_anew(corpus: Path) -> None:
    Path("one.tsv").write_text("w1 w2 1\nw3 w4 2\nw5 w6 3\n")
    Path("two.tsv").write_text("w1 w2 3\nw3 w4 2\nw5 w6 1\n")
    scoring = {}
    for name in ("one", "two"):
        evaluation = EvaluationConfig(similarity=[Path(f"{name}.tsv")], stop_on=name)
        scoring[name] = Scoring(evaluation, [f"w{i}" for i in range(1, 7)])
    state = {**scoring["one"].state(), "best": 0.5, "since_best": 2}
    for name, best in (("one", 0.5), ("two", None)):
        scoring[name].restore(state)
        assert scoring[name].state()["best"] == best


def test_a_sweep_cannot_be_put_into_a_run(part: Path) -> None:
    said = refused(part, "sweep.values={training.seed: [1, 2]}")
    assert "sweep.values cannot change" in said


def test_nohup_is_respected(corpus: Path) -> None:
    Path("c.yaml").write_text(config(corpus, epochs=100_000).to_yaml())
    command = [sys.executable, "-m", "sg_train", "train", "c.yaml", "--out", "r"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509
    )
    wait_for_checkpoint("r", process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.terminate()
    process.communicate()
    assert process.returncode == 143


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sg_train", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_checkpoint(run: str, process: subprocess.Popen[str]) -> None:
    """Wait for a whole one: their directory is made before the first is written."""
    deadline = time.monotonic() + 60
    while not checkpoints_of(run):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def checkpoints_of(run: str) -> set[str]:
    names = {path.name for path in Path(run, "checkpoints").glob("*")}
    return {name for name in names if name.isdigit()}


SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_saves_and_says_how_to_go_on(
    corpus: Path, sg_train: Command, number: int, code: int
) -> None:
    Path("c.yaml").write_text(config(corpus, epochs=100_000).to_yaml())
    process = start("train", "c.yaml", "--out", "r")
    wait_for_checkpoint("r", process)
    process.send_signal(number)
    out, said = process.communicate(timeout=30)
    assert process.returncode == code
    assert out == ""
    if number != signal.SIGHUP:  # nobody is there to read
        assert said.splitlines() == [
            "sg-train: finishing what is in work and saving; once more to stop at once",
            "sg-train: interrupted, saved at 0%; sg-train resume r goes on",
        ]
    state, _ = load(sorted(Path("r/checkpoints").iterdir())[-1])
    assert state.position > 0
    assert "r: holds an unfinished run" in sg_train.refused(
        "train", "c.yaml", "--out", "r"
    )
    epochs = state.position // BLOCKS + 2
    result = sg_train("resume", "r", "--set", f"training.epochs={epochs}")
    assert result.exit_code == 0, result.output
    assert "r: going on from checkpoint" in result.stderr
    assert "r: trained" in result.stderr


def test_sigusr1_saves_now_and_two_cannot_train_at_once(
    corpus: Path, sg_train: Command
) -> None:
    settings = config(corpus, epochs=100_000).model_dump(mode="json")
    settings["checkpoint"] = {"every_seconds": 1e6}
    Path("c.yaml").write_text(Config.model_validate(settings).to_yaml())
    process = start("train", "c.yaml", "--out", "r")
    wait_for_checkpoint("r", process)  # of the first epoch
    time.sleep(0.2)
    before = checkpoints_of("r")
    process.send_signal(signal.SIGUSR1)
    for _ in range(500):
        if checkpoints_of("r") - before:
            break
        time.sleep(0.01)
    assert checkpoints_of("r") - before
    said = sg_train.refused("resume", "r")
    assert f"r: process {process.pid} is training here" in said
    process.kill()
    process.communicate()


def kill_and_resume(settings: Config, kills: int, seed: int) -> int:
    """Kill a run again and again; return how many runs were killed.

    Kills come at random moments, checkpoints follow one another closely, so that many
    come while one is being written.
    """
    chance = random.Random(seed)
    killed = 0
    Path("c.yaml").write_text(settings.to_yaml())
    process = start("train", "c.yaml", "--out", "killed")
    wait_for_checkpoint("killed", process)
    while True:
        time.sleep(chance.uniform(0, 0.25))
        process.kill()
        _, said = process.communicate()
        if process.returncode == 0 or "has done" in said:  # killed when it was done
            return killed
        assert process.returncode == -signal.SIGKILL, said
        killed += 1
        before = Path("killed/metrics.jsonl").stat().st_size
        process = start("resume", "killed")
        if killed >= kills:
            _, said = process.communicate()
            assert process.returncode == 0 or "has done" in said, said
            return killed
        # Until it trains again: then it has gone on from a checkpoint.
        for _ in range(2000):
            grown = Path("killed/metrics.jsonl").stat().st_size != before
            if grown or process.poll() is not None:
                break
            time.sleep(0.005)


@pytest.mark.parametrize("kills", [int(os.environ.get("SG_TRAIN_KILLS", "3"))])
def test_killed_at_any_moment_the_bytes_are_the_same(corpus: Path, kills: int) -> None:
    seed = int(os.environ.get("SG_TRAIN_SEED", time.time()))
    print(f"seed {seed}")  # noqa: T201
    settings = config(corpus, epochs=20 * kills)
    train(settings, Path("whole"))
    killed = kill_and_resume(settings, kills, seed)
    print(f"killed {killed} times")  # noqa: T201
    assert killed >= kills - 1
    assert results(Path("killed")) == results(Path("whole"))
    assert not Path("killed/checkpoints").exists()
