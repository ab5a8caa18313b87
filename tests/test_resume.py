import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sg_train.blocks import BlockRef
from sg_train.config import (
    Config,
    CorpusConfig,
    EvaluationConfig,
    VocabularyConfig,
)
from sg_train.corpus.prepare import _default_directory, prepare
from sg_train.engines.base import BlockResult, Engine
from sg_train.errors import (
    CorpusError,
    Interrupted,
    OutputError,
    SgTrainError,
    TrainingError,
)
from sg_train.runs.checkpoint import load
from sg_train.runs.directory import RunDirectory
from sg_train.system.ranks import Ranks
from sg_train.training import loop
from sg_train.training.beginning import Beginning, begin_again, begin_new
from sg_train.training.early_stopping import EarlyStopping
from sg_train.training.setup import set_up
from sg_train.training.train import resume, train, train_from
from tests.conftest import Command, read_metrics, untraced

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
            "sampling": {"window": 3, "subsample": 0.01},
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


Wrap = Callable[[Engine], Engine]


class Watched:
    """An engine whose every result is noted before it is passed on."""

    def __init__(self, engine: Engine, note: Callable[[int], None]) -> None:
        self._engine = engine
        self._note = note
        self._blocks = 0

    def compile(self) -> None:
        self._engine.compile()

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        for result in self._engine.train(refs):
            self._blocks += 1
            self._note(self._blocks)
            yield result


def stopping(blocks: int, number: int = 2) -> Wrap:
    """Send this process a signal after some blocks."""

    def note(done: int) -> None:
        if done == blocks:
            os.kill(os.getpid(), number)

    return lambda engine: Watched(engine, note)


def train_with(wrap: Wrap, settings: Config, out: Path) -> None:
    """Train as `train` does, with another engine."""
    run, ranks = RunDirectory(out), Ranks()
    with run.locked():
        finish(begin_new(run, settings, ranks), wrap)


def resume_with(wrap: Wrap, out: Path, *overrides: str) -> None:
    """Resume as `resume` does, with another engine."""
    run = RunDirectory(out)
    with run.locked():
        finish(begin_again(run, overrides, Ranks()), wrap)


def finish(beginning: Beginning | None, wrap: Wrap) -> None:
    assert beginning is not None
    components = set_up(beginning, Ranks())
    train_from(beginning, replace(components, engine=wrap(components.engine)), Ranks())


@pytest.mark.parametrize(
    ("engine", "blocks"),
    [("autograd", 6), *(("fused", blocks) for blocks in (1, 8, 21, 45))],
)
def test_interrupted_anywhere_and_resumed_the_bytes_are_the_same(
    corpus: Path, caplog, engine: str, blocks: int
) -> None:
    settings = config(corpus, engine, epochs=1 if engine == "autograd" else EPOCHS)
    train(settings, Path("whole"))
    with pytest.raises(
        Interrupted, match="saved at .*; continue with sg-train resume part"
    ):
        train_with(stopping(blocks), settings, Path("part"))
    resume(Path("part"))
    assert any("part: resuming from checkpoint" in line for line in caplog.messages)
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


def test_it_may_be_interrupted_again_and_again(corpus: Path) -> None:
    train(config(corpus), Path("whole"))
    with pytest.raises(Interrupted) as caught:
        train_with(stopping(5, signal.SIGTERM), config(corpus), Path("part"))
    assert caught.value.signal == signal.SIGTERM
    for _ in range(4):
        with pytest.raises(Interrupted):
            resume_with(stopping(5, signal.SIGTERM), Path("part"))
    resume(Path("part"))
    assert results(Path("part")) == results(Path("whole"))


def test_a_finished_run_can_be_trained_for_longer(corpus: Path) -> None:
    settings = config(corpus, epochs=2, learning_rate=0.05, final_learning_rate=0.05)
    train(settings, Path("short"))
    with pytest.raises(
        TrainingError, match="short: finished; to train longer, raise training.epochs"
    ):
        resume(Path("short"))
    resume(Path("short"), ["training.epochs=3"])
    longer = config(corpus, epochs=3, learning_rate=0.05, final_learning_rate=0.05)
    train(longer, Path("long"))
    assert results(Path("short")) == results(Path("long"))
    assert RunDirectory(Path("short")).load_config().training.epochs == 3


@pytest.fixture
def part(corpus: Path) -> Path:
    """Leave an interrupted run."""
    with pytest.raises(Interrupted):
        train_with(stopping(20), config(corpus), Path("part"))
    return Path("part")


def refused(run: Path, *overrides: str) -> str:
    before = sorted(path for path in run.rglob("*") if path.name != ".lock")
    with pytest.raises(SgTrainError) as caught:
        resume(run, overrides)
    assert sorted(path for path in run.rglob("*") if path.name != ".lock") == before
    return str(caught.value)


def test_what_decides_the_result_must_stay(part: Path, corpus: Path) -> None:
    said = refused(part, "model.dimension=9", "training.threads=2", "sampling.window=4")
    assert "sampling.window, model.dimension cannot change" in said
    assert "unknown setting" in refused(part, "training.thread=2")
    assert "nothing: no such directory" in refused(Path("nothing"))
    settings = ("training.threads=2", "checkpoint.every_seconds=9", "training.epochs=7")
    resume(part, settings)
    assert RunDirectory(part).load_config().training.epochs == 7


def test_another_text_is_refused(part: Path, corpus: Path) -> None:
    text = corpus.read_text()
    corpus.write_text(text + "more\n")
    assert "text.txt: has changed since part began" in refused(part)
    corpus.unlink()  # the prepared corpus is still there
    resume(part)


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
    assert "not the corpus that part began to train on" in refused(part)


def test_a_deleted_corpus_is_prepared_again(part: Path, corpus: Path, caplog) -> None:
    train(config(corpus), Path("whole"))
    shutil.rmtree("corpora")
    os.utime(corpus, (1, 1))  # the content decides, not the time
    resume(part)
    assert "was deleted; preparing it again" in caplog.text
    assert results(part) == results(Path("whole"))


def test_a_deleted_run_is_not_said_to_be_saved(corpus: Path) -> None:
    def delete(done: int) -> None:
        if done == 9:
            Path("r").rename("elsewhere")  # a save in the background may still write
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        train_with(lambda engine: Watched(engine, delete), config(corpus), Path("r"))
    assert str(caught.value) == (
        "interrupted, not saved, because r was deleted meanwhile"
    )


def test_a_text_that_was_only_touched_is_the_same(part: Path, corpus: Path) -> None:
    train(config(corpus), Path("whole"))
    os.utime(corpus, (1, 1))
    resume(part)
    assert results(part) == results(Path("whole"))


def test_a_deleted_corpus_of_another_text_is_refused(part: Path, corpus: Path) -> None:
    shutil.rmtree("corpora")
    text = corpus.read_text()
    corpus.write_text(text + "\nw1 w2\n")
    line = refused(part)
    assert f"because {corpus.absolute()} has changed; restore the text" in line
    assert not [*Path("corpora").iterdir()]  # so that restoring the text helps
    corpus.unlink()
    assert f"{corpus.absolute()}: no such file or directory" in refused(part)
    corpus.write_text(text)
    resume(part)


def test_a_deleted_corpus_of_standard_input_is_missed(
    monkeypatch: pytest.MonkeyPatch, corpus: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(corpus.open("rb")))
    settings = config(Path("-"))
    with pytest.raises(Interrupted):
        train_with(stopping(9), settings, Path("r"))
    shutil.rmtree("corpora")
    assert "its text came from standard input, which is not kept" in refused(Path("r"))


def test_a_corpus_prepared_by_hand_is_prepared_again(corpus: Path) -> None:
    settings = config(corpus)
    prepare(settings.corpus, settings.vocabulary, Path("by-hand"), 1)
    by_hand = config(Path("by-hand"))
    train(by_hand, Path("whole"))
    with pytest.raises(Interrupted):
        train_with(stopping(9), by_hand, Path("r"))
    shutil.rmtree("by-hand")
    resume(Path("r"))
    assert results(Path("r")) == results(Path("whole"))


def test_a_damaged_checkpoint_is_reported_and_the_one_before_used(
    part: Path, caplog
) -> None:
    checkpoints = sorted((part / "checkpoints").iterdir())
    assert len(checkpoints) == 2
    weights = checkpoints[1] / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    caplog.clear()
    resume(part)
    damaged, resumed, *_ = caplog.messages
    assert f"{weights}: damaged (v is wrong); looking for an earlier" in damaged
    assert f"resuming from checkpoint {checkpoints[0].name}" in resumed
    train(config(Path("text.txt")), Path("whole"))
    assert results(part) == results(Path("whole"))


def test_without_a_sound_checkpoint_it_has_to_be_trained_again(part: Path) -> None:
    for file in part.rglob("state.json"):
        file.write_text("")
    assert "no sound checkpoint; train it again with --overwrite" in refused(part)
    shutil.rmtree(part / "checkpoints")
    assert "was stopped before its first checkpoint; train it" in refused(part)


def test_nan_is_never_saved(part: Path, corpus: Path) -> None:
    with RunDirectory(part).locked():
        beginning = begin_again(RunDirectory(part), (), Ranks())
        assert beginning is not None
        components = set_up(beginning, Ranks())
        components.model.matrices["u"][7, 1] = float("nan")
        with pytest.raises(TrainingError, match="no longer finite|loss became nan"):
            train_from(beginning, components, Ranks())
    resume(Path("part"))
    train(config(corpus), Path("whole"))
    assert results(Path("part")) == results(Path("whole"))


def test_a_corpus_cut_off_while_training_is_one_line(corpus: Path) -> None:
    def cut(_: int) -> None:
        (ids,) = Path("corpora").glob("*/ids.i32")
        os.truncate(ids, 1000)

    with pytest.raises(CorpusError, match="ids.i32: damaged; delete"):
        train_with(lambda engine: Watched(engine, cut), config(corpus), Path("r"))


def test_several_threads_lose_no_block(corpus: Path) -> None:
    train(config(corpus, threads=3), Path("whole"))
    with pytest.raises(Interrupted):
        train_with(stopping(11), config(corpus, threads=3), Path("part"))
    resume(Path("part"))
    states = [load(Path(run))[0] for run in ("part", "whole")]
    # The draws do not depend on threads, so that pairs count every block once.
    assert states[0].pairs == states[1].pairs
    assert states[0].progress["words"] == states[1].progress["words"]


def test_deterministic_is_the_same_for_any_number_of_threads(corpus: Path) -> None:
    for threads in (1, 2, 3):
        settings = config(corpus, threads=threads, deterministic=True, epochs=1)
        train(settings, Path(f"t{threads}"))
    assert results(Path("t1")) == results(Path("t2")) == results(Path("t3"))
    record = json.loads(Path("t1/run.json").read_text())
    made_by = {"config_hash", "command", "versions", "processor", "corpus", "ranks"}
    made_by |= {"automatic"}  # the learning rate
    assert set(record) == made_by | {"format", "version"}


def test_a_finished_run_is_not_lost_by_an_attempt_to_train_it_for_longer(
    corpus: Path, caplog
) -> None:
    train(config(corpus, epochs=2), Path("r"))

    def fail(_: int) -> None:
        raise OSError("anything")

    with pytest.raises(OSError, match="anything"):
        resume_with(
            lambda engine: Watched(engine, fail), Path("r"), "training.epochs=3"
        )
    with pytest.raises(OutputError, match="holds a"):
        train(config(corpus), Path("r"))
    (Path("r") / "metrics.jsonl").unlink()
    caplog.clear()
    resume(Path("r"))
    assert "resuming from checkpoint 000000016, 67% done" in caplog.messages[0]
    train(config(corpus, epochs=3), Path("whole"))
    state, _ = load(Path("r"))
    assert state.position == 3 * BLOCKS


def test_what_fails_at_the_end_is_made_up_for(corpus: Path, monkeypatch) -> None:
    train(config(corpus), Path("whole"))
    with monkeypatch.context() as patch:
        patch.setattr(loop.Loop, "_export", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train(config(corpus), Path("r"))
    assert not Path("r/vectors.txt").exists()
    resume(Path("r"))
    assert results(Path("r")) == results(Path("whole"))
    assert not Path("r/checkpoints").exists()


def test_a_corpus_prepared_again_meanwhile_is_not_mixed_in(
    corpus: Path,
) -> None:
    train(config(corpus), Path("whole"))

    def replace_corpus(done: int) -> None:
        if done == 1:
            text = corpus.read_text()
            corpus.write_text("w9 w8 w7\n" * 9000)
            train(config(corpus, epochs=1), Path("second"))
            corpus.write_text(text)

    train_with(
        lambda engine: Watched(engine, replace_corpus), config(corpus), Path("r")
    )
    assert results(Path("r")) == results(Path("whole"))


def test_runs_on_standard_input_do_not_share_a_corpus() -> None:
    settings = CorpusConfig(paths=["-"])
    name = _default_directory(settings, VocabularyConfig())
    assert str(os.getpid()) in name.name


def test_another_test_to_stop_on_starts_over(corpus: Path) -> None:
    Path("one.tsv").write_text("w1 w2 1\nw3 w4 2\nw5 w6 3\n")
    Path("two.tsv").write_text("w1 w2 3\nw3 w4 2\nw5 w6 1\n")
    scoring = {}
    for name in ("one", "two"):
        evaluation = EvaluationConfig(similarity=[Path(f"{name}.tsv")], stop_on=name)
        scoring[name] = EarlyStopping(evaluation, [f"w{i}" for i in range(1, 7)], "u")
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
        env=untraced(),
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
        env=untraced(),
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
def test_a_signal_saves_and_reports_how_to_resume(
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
            "sg-train: finishing the current blocks and saving; "
            "press again to quit now",
            "sg-train: interrupted, saved at 0%; continue with sg-train resume r",
        ]
    state, _ = load(sorted(Path("r/checkpoints").iterdir())[-1])
    assert state.position > 0
    assert "r: holds an unfinished run" in sg_train.refused(
        "train", "c.yaml", "--out", "r"
    )
    epochs = state.position // BLOCKS + 2
    result = sg_train("resume", "r", "--set", f"training.epochs={epochs}")
    assert result.exit_code == 0, result.output
    assert "r: resuming from checkpoint" in result.stderr
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
        if process.returncode == 0 or "to train longer" in said:  # it was done
            return killed
        assert process.returncode == -signal.SIGKILL, said
        killed += 1
        before = Path("killed/metrics.jsonl").stat().st_size
        process = start("resume", "killed")
        if killed >= kills:
            _, said = process.communicate()
            assert process.returncode == 0 or "to train longer" in said, said
            return killed
        # Until it trains again: then it has gone on from a checkpoint.
        for _ in range(2000):
            grown = Path("killed/metrics.jsonl").stat().st_size != before
            if grown or process.poll() is not None:
                break
            time.sleep(0.005)


@pytest.mark.parametrize("kills", [int(os.environ.get("SG_TRAIN_KILLS", "2"))])
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
