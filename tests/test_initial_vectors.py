from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config, ModelConfig
from sg_train.errors import RunError, SettingsError, SgTrainError, VectorsError
from sg_train.model.skip_gram import SkipGram
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors, load_run_weights
from sg_train.training.initial_vectors import InitialVectors, read_initial_vectors
from sg_train.training.train import resume, train
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import Command
from tests.test_train import config

WORDS = ["a", "b", "c", "d"]
GIVEN = WordVectors(["d", "x", "b"], np.arange(12, dtype=np.float32).reshape(3, 4))


def fresh_model() -> SkipGram:
    return SkipGram(4, 4, seed=1)


def read(config: ModelConfig, words: list[str]) -> InitialVectors:
    initial = read_initial_vectors(config, words)
    assert initial is not None
    return initial


def matrices(model: SkipGram) -> list[np.ndarray]:
    return [weight.detach().numpy().copy() for weight in model.parameters()]


def start_from(text: Path, given: Path, out: str, **training: object) -> Config:
    asked = {f"training.{key}": value for key, value in training.items()}
    asked["model.init_from"] = str(given)
    settings = config(text).with_settings(asked)
    train(settings, out)
    return settings


def test_words_in_both_take_their_vectors_and_the_rest_begin_as_usual(caplog) -> None:
    caplog.set_level("INFO")
    GIVEN.save("given.txt")
    model = fresh_model()
    given = read(ModelConfig(init_from="given.txt", dimension=4), WORDS)
    given.copy_into(model, WORDS)
    (u, v), (drawn, _) = matrices(model), matrices(fresh_model())
    np.testing.assert_array_equal(u[[1, 3]], GIVEN.matrix[[2, 0]])
    np.testing.assert_array_equal(u[[0, 2]], drawn[[0, 2]])
    assert not v.any()
    assert (given.words, given.has_v) == (["b", "d"], False)
    (message,) = caplog.messages
    assert "1 of its words are not in the vocabulary: x" in message
    assert given.words_only().u is None
    assert [rows.tolist() for rows in given.rows(WORDS)] == [
        [False, True, False, True],
        [False] * 4,
    ]


@pytest.mark.parametrize("both", [True, False])
def test_a_run_gives_u_and_v_or_only_u(text: Path, both: bool) -> None:
    train(config(text), "r")
    words, weights = load_run_weights(RunDirectory(Path("r")))
    order = np.random.default_rng(0).permutation(len(words))
    model = SkipGram(len(words), 8)
    shuffled = [words[place] for place in order]
    given = read(ModelConfig(init_from="r", init_v=both, dimension=8), shuffled)
    given.copy_into(model, shuffled)
    u, v = matrices(model)
    np.testing.assert_array_equal(u, weights["u"][order])
    np.testing.assert_array_equal(v, weights["v"][order] if both else 0 * v)
    assert given.has_v == both


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (WordVectors(["a"], np.ones((1, 3), "f4")), "length 3, not 4; set model.dim"),
        (WordVectors(["x"], np.ones((1, 4), "f4")), "none of the 4 words"),
        (WordVectors(["a"], np.full((1, 4), np.nan, "f4")), "not finite"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(vectors: WordVectors, message) -> None:
    np.save("given.npy", vectors.matrix)
    Path("given.words.txt").write_text("".join(f"{w}\n" for w in vectors.words))
    with pytest.raises(SgTrainError, match=message):
        read(ModelConfig(init_from="given.npy", dimension=4), WORDS)


@pytest.mark.parametrize("name", ["none", "\N{GRINNING FACE}.txt", "a: b # c"])
def test_a_file_may_be_called_as_it_likes(
    sg_train: Command, text: Path, name: str
) -> None:
    WordVectors(["w29"], np.ones((1, 8), dtype=np.float32)).save(name)
    small = ("--set", "model.dimension=8", "--set", "training.epochs=1")
    result = sg_train("train", "--corpus", text, "--init-from", name, *small)
    assert f"{name}: provides initial vectors (u) for 1 of 30 words" in result.stderr, (
        result.stderr
    )


def test_a_run_cannot_start_from_what_it_replaces(text: Path) -> None:
    train(config(text), "r")
    settings = config(text).with_settings({"model.init_from": "r"})
    with pytest.raises(SettingsError, match="this is the run's own directory"):
        train(settings, "r", overwrite=True)
    settings = config(text).with_settings({"model.init_from": "missing"})
    with pytest.raises(VectorsError, match="init_from=missing: no such file"):
        train(settings, "s")
    assert not Path("s").exists()


def test_vectors_that_have_changed_meanwhile_end_no_run(
    sg_train: Command, text: Path
) -> None:
    WordVectors(["w29"], np.ones((1, 8), dtype=np.float32)).save("given.txt")
    start_from(text, Path("given.txt"), "r")
    WordVectors(["w29"], np.ones((1, 9), dtype=np.float32)).save("given.txt")
    result = sg_train("resume", "r", "--set", "training.epochs=4")
    assert result.exit_code == 0
    assert "drift was not measured: vectors of length 9" in result.stderr
    assert RunDirectory(Path("r")).load_record().drift is None


def test_what_is_no_run_or_unfinished_is_refused(text: Path) -> None:
    with pytest.raises(VectorsError):
        read(ModelConfig(init_from="missing"), WORDS)
    train(config(text), "r")
    Path("r/weights.safetensors").unlink()
    with pytest.raises(RunError, match="unfinished"):
        start_from(text, Path("r"), "s")
    assert not Path("s").exists()


@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_given_vectors_stay_as_long_as_is_asked(text: Path, engine: str) -> None:
    words = [f"w{i}" for i in range(0, 60, 2)]  # half of them in the text
    matrix = np.random.default_rng(2).normal(size=(30, 8)).astype(np.float32)
    given = WordVectors(words, matrix)
    given.save("given.txt")
    epoch = len(text.read_text().split())

    def stayed(out: str) -> float:
        """Return the share of given words whose vectors are what they were."""
        vectors = load_run_vectors(RunDirectory(Path(out)))
        known = [word for word in words if word in vectors]
        assert len(known) == 15
        return np.mean([(vectors[word] == given[word]).all() for word in known])

    start_from(text, Path("given.txt"), "for-good", freeze_words=None, engine=engine)
    assert stayed("for-good") == 1
    assert np.abs(load_run_weights(RunDirectory(Path("for-good")))[1]["v"]).min() > 0
    resume(Path("for-good"), ["training.epochs=5"])
    assert stayed("for-good") == 1
    start_from(text, Path("given.txt"), "all", freeze_words=3 * epoch, engine=engine)
    assert stayed("all") == 1
    start_from(text, Path("given.txt"), "two", freeze_words=2 * epoch, engine=engine)
    assert stayed("two") == 0
    start_from(text, Path("given.txt"), "none", engine=engine)
    assert stayed("none") == 0


def test_freezing_needs_something_given() -> None:
    with pytest.raises(SettingsError, match="^settings: training.freeze_words: freez"):
        Config.load(None, ["training.freeze_words=5"])
    with pytest.raises(SettingsError, match="cannot be combined with model.max_norm"):
        Config.load(
            None,
            ["model.init_from=a", "training.freeze_words=5", "model.max_norm=1"],
        )


def test_drift_is_measured_over_words_spelled_alike(text: Path, caplog) -> None:
    text.write_text(text.read_text() + "aujourd'hui w1 w2\n" * 9)
    words = ["w1", "aujourd’hui", "W2"]
    WordVectors(words, np.eye(3, 8, dtype="f4")).save("i.txt")
    train(config(text).with_settings({"model.init_from": "i.txt"}), "r")
    assert "over 1 shared words" in caplog.text


def test_the_command_says_how_many_words_matched_and_how_far_they_went(
    sg_train: Command, text: Path
) -> None:
    train(config(text), "r")
    settings = ["--set", "vocabulary.min_count=20", "--set", "sampling.subsample=0"]
    arguments = ("train", "--corpus", text, "--init-from", "r", *settings)
    frozen_first = ("--set", "training.freeze_words=100", "--set", "model.dimension=8")
    result = sg_train(*arguments, *frozen_first, "--out", "s")
    assert (
        "r: provides initial vectors (u and v) for 16 of 16 words; 14 of its words are "
        "not in the vocabulary: w13, w12, w11, ...\n" in result.stderr
    )
    assert "over 16 shared words: mean cosine of before and after 0." in (result.stderr)
    drift = RunDirectory(Path("s")).load_record().drift
    assert drift is not None
    assert 0 < drift.cosine < 1
    assert drift.aligned is None  # of 16 words
    assert "set model.dimension=8" in sg_train.refused(
        *arguments, "--set", "model.dimension=9", "--out", "t"
    )
