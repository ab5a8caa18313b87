from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config
from sg_train.errors import OutputError, SettingsError, TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.loop import Loop, Pause
from sg_train.training.train import train
from tests.conftest import ROOT, read_metrics


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


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_a_run_leaves_everything_in_its_directory(text: Path, engine: str) -> None:
    settings = config(text, epochs=40, engine=engine)
    train(settings, Path("runs/r"))
    run = RunDirectory(Path("runs/r"))
    assert sorted(file.name for file in run.path.iterdir()) == [
        ".lock",
        "config.yaml",
        "metrics.jsonl",
        "run.json",
        "state.json",
        "vectors.txt",
        "vocabulary.tsv",
        "weights.safetensors",
    ]
    assert run.load_config() == settings.with_settings({"training.learning_rate": 0.05})
    vectors = load_run_vectors(run)
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


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_the_seed_decides_the_result(text: Path, engine: str) -> None:
    vectors = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(config(text, seed=seed, engine=engine), Path(name))
        vectors[name] = (Path(name) / "vectors.txt").read_bytes()
    assert vectors["a"] == vectors["b"] != vectors["c"]


def test_export_settings_are_heeded(text: Path) -> None:
    settings = config(text).model_dump()
    settings["export"] = {"matrix": "v", "format": "binary"}
    train(Config.model_validate(settings), Path("r"))
    assert not Path("r/vectors.txt").exists()
    assert Path("r/vectors.bin").stat().st_size > 30 * 8 * 4


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_a_run_that_diverges_names_the_block_and_the_settings(
    text: Path, engine: str
) -> None:
    with pytest.raises(
        TrainingError,
        match=r"the loss became (inf|nan) in epoch \d, blo"
        r"ck 0: lower training.learning_rate \(now 100.0\)",
    ):
        train(config(text, learning_rate=100, epochs=50, engine=engine), Path("r"))
    assert not Path("r/weights.safetensors").exists()
    assert not Path("r/vectors.txt").exists()


def test_a_corpus_without_pairs_is_refused() -> None:
    Path("text.txt").write_text("".join(f"{'ab'[i % 2]} x{i}\n" for i in range(18)))
    settings = config(Path("text.txt")).with_settings({"vocabulary.min_count": 2})
    ways = "learnt: lower vocabulary.min_count, put more words on each line or give"
    with pytest.raises(TrainingError, match=f"no sentence has two words.* {ways}"):
        train(settings, Path("r"))
    thinned = settings.with_settings({"sampling.subsample": 1})
    ways = "learnt: raise sampling.subsample, lower vocabulary.min_count, put more"
    with pytest.raises(TrainingError, match=ways):
        train(thinned, Path("r2"))


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta:x", "meta"])
def test_a_device_that_is_not_there_is_named(text: Path, device: str) -> None:
    with pytest.raises(SettingsError, match=f"training.device={device}: "):
        train(config(text, device=device), Path("r"))
    assert not Path("r").exists()


def test_a_taken_directory_is_refused_before_any_work(text: Path) -> None:
    Path("r").mkdir()
    Path("r/file").touch()
    with pytest.raises(OutputError):
        train(config(text), Path("r"))
    assert not Path("corpora").exists()


@pytest.mark.parametrize(
    ("section", "setting", "value"),
    [
        ("model", "max_norm", 1.0),
        ("model", "scale_grad_by_freq", True),
        ("training", "device", "cuda"),
    ],
)
def test_fused_refuses_what_it_does_not_have(
    text: Path, section: str, setting: str, value: object
) -> None:
    settings = config(text, engine="fused").model_dump()
    settings[section][setting] = value
    with pytest.raises(
        SettingsError,
        match=rf"{setting}.*the fused engine .*; set training.engine=auto",
    ):
        train(Config.model_validate(settings), Path("r"))
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("engine", "threads"), [("autograd", 1), ("fused", 1), ("fused", 2), ("fused", 5)]
)
def test_the_learning_rate_ends_where_it_should(
    text: Path, engine: str, threads: int
) -> None:
    settings = config(
        text, engine=engine, threads=threads, learning_rate=0.1, epochs=50
    )
    train(settings, Path("r"))
    rates = [line["learning_rate"] for line in read_metrics(Path("r"))]
    assert min(rates) == pytest.approx(1e-4, rel=0.2 if engine == "autograd" else 1e-6)
    assert 0.095 < max(rates) < 0.1
    assert len(rates) == 50


def test_a_run_on_a_prepared_corpus_says_how_that_was_made(text: Path) -> None:
    train(config(text), Path("a"))
    (prepared,) = Path("corpora").iterdir()
    loose = Config.model_validate(
        {"corpus": {"paths": [str(prepared)]}, "training": {"epochs": 1}}
    )
    train(loose, Path("b"))
    assert RunDirectory(Path("b")).load_config().vocabulary.min_count == 1
    train(RunDirectory(Path("b")).load_config(), Path("c"))


def test_too_large_a_model_is_one_line(text: Path, monkeypatch) -> None:
    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 16. TiB")

    monkeypatch.setattr("sg_train.engines.fused.engine.lay_out", no_memory)
    with pytest.raises(
        TrainingError, match=r"matrices of 60 rows of 8 numbers \(0.0 GB\): lower mod"
    ):
        train(config(text), Path("r"))


def test_weights_that_are_not_finite_are_not_saved(text: Path, monkeypatch) -> None:
    def spoil(loop: Loop) -> Pause:
        loop._model.matrices["v"][3] = float("nan")
        loop._position = loop._total
        return Pause()

    monkeypatch.setattr(Loop, "_train_to_pause", spoil)
    with pytest.raises(TrainingError, match="weights are no longer finite"):
        train(config(text), Path("r"))
    assert not Path("r/weights.safetensors").exists()


def test_item_sequences_train_as_text_does() -> None:
    generator = np.random.default_rng(1)
    shelves = [[f"{shelf}/{item}" for item in range(12)] for shelf in "ABC"]
    baskets = [generator.choice(shelves[i % 3], 6, replace=False) for i in range(600)]
    for basket in baskets[::10]:  # some hold something else
        basket[0] = generator.choice(shelves[0] + shelves[1] + shelves[2])
    Path("items.txt").write_text("\n".join(map(" ".join, baskets)))
    settings = Config.load(ROOT / "configs/items.yaml").with_settings(
        {"model.dimension": 16, "training.threads": 1}
    )
    train(settings, "r")
    vectors = load_run_vectors(RunDirectory(Path("r")))
    assert len(vectors) == 36
    for item in vectors:
        assert {near[0] for near, _ in vectors.neighbors(item, 8)} == {item[0]}
