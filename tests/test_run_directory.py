import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from sg_train.config import Config, ModelConfig
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import OutputError, RunError, SettingsError
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import MetricsLine, load_metrics
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.word_vectors import WordVectors
from tests.building import a_record

VOCABULARY = Vocabulary(["a", "b"], np.array([2, 1]))


@pytest.fixture
def run() -> RunDirectory:
    run = RunDirectory(Path("runs/r"))
    run.create(Config(model=ModelConfig(dimension=3)), VOCABULARY, a_record())
    return run


def test_a_run_gives_back_what_it_was_given(run: RunDirectory) -> None:
    u = np.arange(6, dtype=np.float32).reshape(2, 3)
    v = np.asfortranarray(u * 10)  # not contiguous, as a view of wider rows would be
    checkpoint.save_weights(run.weights_file, {"u": u, "v": v})
    assert run.load_config().model.dimension == 3
    assert load_run_vectors(run).words == ["a", "b"]
    assert np.array_equal(load_run_vectors(run, "u").matrix, u)
    assert np.array_equal(load_run_vectors(run, "v").matrix, v)
    assert np.array_equal(load_run_vectors(run, "sum").matrix, u + v)
    loaded = safetensors.torch.load_file(run.weights_file)
    assert torch.equal(loaded["v"], torch.from_numpy(v))


def test_a_directory_that_is_free_may_be_taken(run: RunDirectory) -> None:
    RunDirectory(Path("new")).check_free(overwrite=False)
    Path("empty").mkdir()
    RunDirectory(Path("empty")).check_free(overwrite=False)
    run.check_free(overwrite=True)


def test_a_run_that_was_not_finished_is_not_replaced(run: RunDirectory) -> None:
    with pytest.raises(OutputError, match="stopped before its first checkpoint; start"):
        run.check_free(overwrite=False)
    run.check_free(overwrite=True)


def test_a_directory_that_is_taken_is_refused(run: RunDirectory) -> None:
    (run.checkpoints_directory / "000000003").mkdir(parents=True)
    u = np.zeros((2, 3), dtype=np.float32)
    weights = run.checkpoints_directory / "000000003/weights.safetensors"
    checkpoint.save_weights(weights, {"u": u, "v": u})
    with pytest.raises(
        OutputError, match="unfinished run; continue it with sg-train resume runs/r"
    ):
        run.check_free(overwrite=False)
    run.state_file.touch()
    with pytest.raises(OutputError, match="runs/r: already holds a run; give --over"):
        run.check_free(overwrite=False)
    run.check_free(overwrite=True)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="runs: holds files that do not belong"):
            RunDirectory(Path("runs")).check_free(overwrite=overwrite)
        with pytest.raises(OutputError, match="not a directory"):
            RunDirectory(run.config_file).check_free(overwrite=overwrite)


def test_a_new_run_does_not_keep_the_results_of_the_old(run: RunDirectory) -> None:
    u = np.zeros((2, 3), dtype=np.float32)
    checkpoint.save_weights(run.weights_file, {"u": u, "v": u})
    run.metrics_file.write_text("{}")
    run.vectors_file("text").write_text("old")
    run.vectors_file("binary").write_text("old")
    WordVectors(["a"], u[:1]).save(run.path / "projector", "projector")
    for name in ("events.out.tfevents.1", "00000/default/tensors.tsv"):
        (run.path / "tensorboard" / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / "tensorboard" / name).touch()
    left = run.checkpoints_directory / "000000001"
    left.mkdir(parents=True)
    checkpoint.save_weights(left / "weights.safetensors", {"u": u, "v": u})
    run.best_file.touch()
    (run.path / "notes.txt").write_text("mine")
    run.create(Config(), VOCABULARY, a_record())
    names = sorted(file.name for file in run.path.iterdir())
    assert names == ["config.yaml", "notes.txt", "run.json", "vocabulary.tsv"]


def test_what_others_put_into_a_run_is_left_there(run: RunDirectory) -> None:
    mine = [
        *("projector/a.txt", "tensorboard/b.txt", "tensorboard/00000/c/d.txt"),
        *("checkpoints/20240101/e.txt", "checkpoints/.f/g.txt", "h.txt"),
    ]
    for name in mine:
        (run.path / name).parent.mkdir(parents=True, exist_ok=True)
        (run.path / name).touch()
    (run.path / "tensorboard/events.out.tfevents.1").touch()
    run.create(Config(), VOCABULARY, a_record())
    assert all((run.path / name).exists() for name in mine)
    assert not (run.path / "tensorboard/events.out.tfevents.1").exists()


def test_links_inside_a_run_are_not_followed(run: RunDirectory, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    for name in ("tensorboard", "projector", "checkpoints"):
        (tmp_path / "outside" / name).mkdir()
        (tmp_path / "outside" / name / "events.out.tfevents.1").touch()
        (run.path / name).symlink_to(tmp_path / "outside" / name)
    files = ("config.yaml", "run.json", "vocabulary.tsv", "given.txt", "metrics.jsonl")
    for name in (*files, "state.json", "vectors.txt"):
        (tmp_path / "outside" / name).write_text("precious")
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(tmp_path / "outside" / name)
    run.create(Config(), VOCABULARY, a_record())
    run.save_initial_words(["a"])
    for name in (*files, "state.json", "vectors.txt"):
        assert (tmp_path / "outside" / name).read_text() == "precious"
    for name in ("tensorboard", "projector", "checkpoints"):
        assert (tmp_path / "outside" / name / "events.out.tfevents.1").exists()
    (run.path / ".lock").symlink_to(tmp_path / "outside/lock")
    with pytest.raises(OutputError, match=".lock: a link, which is not followed"):
        run.locked().__enter__()
    assert not (tmp_path / "outside/lock").exists()


def test_one_process_at_a_time_trains(run: RunDirectory) -> None:
    with run.locked():
        other = subprocess.run(
            [
                *(sys.executable, "-c"),
                "from pathlib import Path\n"
                "from sg_train.runs.directory import RunDirectory\n"
                "with RunDirectory(Path('runs/r')).locked(): pass",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"runs/r: process {os.getpid()} is training here" in other.stderr
    with run.locked():  # the lock of one that has gone is taken over
        pass


def test_a_directory_that_holds_only_a_lock_is_free() -> None:
    fresh = RunDirectory(Path("fresh"))
    with fresh.locked():
        fresh.check_free(overwrite=False)


def test_metrics_and_record_are_read_or_refused(run: RunDirectory) -> None:
    line = '{"words": 1, "seconds": 2.0}\n'
    run.metrics_file.write_text(line * 2 + '{"wor')
    assert load_metrics(run.metrics_file) == [MetricsLine(1, 2.0)] * 2
    for damaged in ("x", "[1]", "{}", '{"words": "1", "seconds": 1}'):
        run.metrics_file.write_text(f"{line}{damaged}\n")
        with pytest.raises(RunError, match="metrics.jsonl, line 2: damaged"):
            load_metrics(run.metrics_file)
    run.metrics_file.unlink()
    with pytest.raises(RunError, match="cannot read .*metrics.jsonl: No such"):
        load_metrics(run.metrics_file)
    run.record_file.write_text("[1]")
    with pytest.raises(RunError, match="run.json: damaged"):
        run.load_record()


@pytest.mark.parametrize("wrong", ["one dimension", "float64", "sizes", "nan"])
def test_weights_of_another_kind_are_refused(run: RunDirectory, wrong: str) -> None:
    u = np.zeros((2, 3), dtype=np.float32)
    v = u.copy()
    if wrong == "one dimension":
        u = v = np.zeros(6, dtype=np.float32)  # type: ignore[assignment]
    elif wrong == "float64":
        u = v = u.astype(np.float64)
    elif wrong == "sizes":
        v = v[:, :2]
    else:
        u[1, 1] = np.nan
    checkpoint.save_weights(run.weights_file, {"u": u, "v": v})
    with pytest.raises(RunError, match="must be float32 matrices|not finite"):
        load_run_vectors(run)


def test_an_unwritable_place_is_one_line() -> None:
    Path("file").touch()
    with pytest.raises(OutputError, match="cannot write file/run"):
        RunDirectory(Path("file/run")).create(Config(), VOCABULARY, a_record())


def test_what_is_no_finished_run_is_refused(run: RunDirectory) -> None:
    with pytest.raises(RunError, match="runs/r: unfinished, so it has no vectors"):
        load_run_vectors(run)
    with pytest.raises(RunError, match="runs: not a run directory"):
        RunDirectory.open(Path("runs"))
    with pytest.raises(SettingsError, match="cannot read"):
        RunDirectory(Path("runs")).load_config()


def test_damaged_weights_are_refused(run: RunDirectory) -> None:
    run.weights_file.write_bytes(b"not tensors at all")
    with pytest.raises(RunError, match="weights.safetensors: damaged"):
        load_run_vectors(run)
    u = np.zeros((3, 3), dtype=np.float32)
    checkpoint.save_weights(run.weights_file, {"u": u, "v": u})
    with pytest.raises(RunError, match="2 words in the vocabulary, but 3 vectors"):
        load_run_vectors(run)
    checkpoint.save_weights(run.weights_file, {"u": u})
    with pytest.raises(RunError, match="weights.safetensors: damaged"):
        load_run_vectors(run, "v")
    checkpoint.save_weights(run.weights_file, {"u": u[:2], "v": u[:2, :2]})
    with pytest.raises(RunError, match="of the same width|2 words in the vocab"):
        load_run_vectors(run, "sum")
    run.weights_file.write_bytes(safetensors.numpy.save({"u": u[:2], "v": u[:2]}))
    with pytest.raises(RunError, match="has format None, but this sg-train reads"):
        load_run_vectors(run)


def test_a_directory_made_only_for_the_lock_is_removed_again() -> None:
    with RunDirectory(Path("new/runs/r")).locked():
        assert Path("new/runs/r/.lock").exists()
    assert not Path("new").exists()
    Path("new/runs/r").mkdir(parents=True)
    with RunDirectory(Path("new/runs/r")).locked():
        pass
    assert Path("new/runs/r").is_dir()  # it was there before
