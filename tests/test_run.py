from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config
from sg_train.errors import OutputError, TrainingError
from sg_train.training.run import train
from sg_train.training.run_directory import RunDirectory
from tests.conftest import read_metrics


def config(text: Path, **training: object) -> Config:
    return Config.model_validate(
        {
            "corpus": {"paths": [str(text)]},
            "vocabulary": {"min_count": 1},
            "sampling": {"subsample": 0},
            "model": {"dimension": 8},
            "training": {"epochs": 3, "batch_size": 16, "threads": 1, **training},
        }
    )


def test_a_run_leaves_everything_in_its_directory(text: Path) -> None:
    settings = config(text, epochs=40)
    train(settings, Path("runs/r"))
    run = RunDirectory(Path("runs/r"))
    assert sorted(file.name for file in run.path.iterdir()) == [
        "config.yaml",
        "metrics.jsonl",
        "vectors.txt",
        "vocabulary.tsv",
        "weights.safetensors",
    ]
    assert run.load_config() == settings
    vectors = run.load_vectors()
    assert vectors.matrix.shape == (30, 8)
    assert np.isfinite(vectors.matrix).all()
    metrics = read_metrics(run.path)
    words = len(text.read_text().split())
    assert metrics[-1]["words"] == 40 * words
    assert metrics[-1]["loss"] < metrics[0]["loss"] < 6 * np.log(2)


def test_each_epoch_sees_other_draws(text: Path) -> None:
    train(config(text, learning_rate=1e-9), Path("r"))
    losses = [line["loss"] for line in read_metrics(Path("r"))]
    assert len(set(losses)) == len(losses) == 3


def test_the_seed_decides_the_result(text: Path) -> None:
    vectors = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(config(text, seed=seed), Path(name))
        vectors[name] = (Path(name) / "vectors.txt").read_bytes()
    assert vectors["a"] == vectors["b"] != vectors["c"]


def test_export_settings_are_heeded(text: Path) -> None:
    settings = config(text).model_dump()
    settings["export"] = {"matrix": "v", "format": "binary"}
    train(Config.model_validate(settings), Path("r"))
    assert not Path("r/vectors.txt").exists()
    assert Path("r/vectors.bin").stat().st_size > 30 * 8 * 4


def test_a_run_that_diverges_names_the_block_and_the_settings(text: Path) -> None:
    with pytest.raises(
        TrainingError,
        match=r"the loss became (inf|nan) in epoch \d, blo"
        r"ck 0: lower training.learning_rate \(now 100.0\)",
    ):
        train(config(text, learning_rate=100, epochs=50), Path("r"))
    assert not Path("r/weights.safetensors").exists()
    assert not Path("r/vectors.txt").exists()


def test_a_corpus_without_pairs_is_refused() -> None:
    Path("text.txt").write_text("a\nb\n" * 9)
    with pytest.raises(TrainingError, match="no sentence has two words"):
        train(config(Path("text.txt")), Path("r"))
    assert not Path("r/weights.safetensors").exists()


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta:x"])
def test_a_device_that_is_not_there_is_named(text: Path, device: str) -> None:
    with pytest.raises(TrainingError, match=f"training.device={device}: "):
        train(config(text, device=device), Path("r"))
    assert not Path("r").exists()


def test_a_taken_directory_is_refused_before_any_work(text: Path) -> None:
    Path("r").mkdir()
    Path("r/file").touch()
    with pytest.raises(OutputError):
        train(config(text), Path("r"))
    assert not Path("corpora").exists()
