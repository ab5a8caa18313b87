from pathlib import Path

import numpy as np
import pytest

from sg_train.config import Config, EvaluationConfig
from sg_train.errors import SettingsError, VectorsError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.early_stopping import EarlyStopping
from sg_train.training.train import train
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import read_metrics


@pytest.fixture
def pairs() -> Path:
    Path("pairs.tsv").write_text("a\tb\t3\na\tc\t2\na\td\t1\nnone\td\t1\n")
    return Path("pairs.tsv")


def vectors(*angles: float) -> WordVectors:
    """Give a, b, c and d vectors at angles."""
    matrix = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    return WordVectors(list("abcd"), matrix.astype(np.float32))


GOOD, MIDDLING, BAD = (0, 1, 2, 3), (0, 1, 3, 2), (0, 3, 2, 1)


def test_the_best_is_noticed_and_patience_ends(pairs: Path) -> None:
    config = EvaluationConfig(similarity=[pairs], stop_on="pairs", patience=2)
    scoring = EarlyStopping(config, list("abcd"), "u")
    seen: list[object] = []
    for angles in (BAD, MIDDLING, BAD, GOOD, GOOD, MIDDLING):
        scores = scoring.score(vectors(*angles))
        seen.append((scores["pairs"], scoring.is_best, scoring.is_over))
    assert seen == [
        (pytest.approx(-1), True, False),
        (pytest.approx(0.5), True, False),
        (pytest.approx(-1), False, False),
        (pytest.approx(1), True, False),
        (pytest.approx(1), False, False),
        (pytest.approx(0.5), False, True),
    ]


def test_without_a_test_to_stop_on_training_continues(pairs: Path) -> None:
    scoring = EarlyStopping(
        EvaluationConfig(similarity=[pairs], patience=1), list("abcd"), "u"
    )
    for _ in range(5):
        scoring.score(vectors(*BAD))
        assert not scoring.is_best
        assert not scoring.is_over


def test_a_section_without_known_words_does_not_forbid_the_test() -> None:
    Path("q.txt").write_text(": known\na b c d\n: unknown\nx y z w\n")
    config = EvaluationConfig(analogies=[Path("q.txt")], stop_on="q")
    scoring = EarlyStopping(config, list("abcd"), "u")
    assert scoring.score(vectors(*GOOD))["q"] is not None


def test_what_cannot_decide_is_refused_before_training(pairs: Path) -> None:
    config = EvaluationConfig(similarity=[pairs], stop_on="pairs")
    with pytest.raises(SettingsError, match="evaluation.stop_on=pairs: nothing"):
        EarlyStopping(config, ["x", "y"], "u")
    pairs.write_text("a b 1\na c 1\nb d 1\n")
    with pytest.raises(SettingsError, match="all its scores are equal"):
        EarlyStopping(config, list("abcd"), "u")
    with pytest.raises(VectorsError, match="cannot read missing"):
        EarlyStopping(EvaluationConfig(similarity=[Path("missing")]), ["x"], "u")


def config(text: Path, engine: str, **evaluation: object) -> Config:
    return Config.model_validate(
        {
            "corpus": {"paths": [str(text)]},
            "vocabulary": {"min_count": 1},
            "sampling": {"subsample": 0},
            "model": {"dimension": 8},
            "training": {
                "epochs": 6,
                "threads": 1,
                "batch_size": 16,
                "engine": engine,
            },
            "evaluation": evaluation,
        }
    )


@pytest.fixture
def test_file() -> Path:
    lines = [f"w{i}\tw{(7 * i) % 30}\t{i}" for i in range(1, 29)]
    Path("likeness.tsv").write_text("\n".join(lines))
    return Path("likeness.tsv")


def score_of(run: Path, test: Path) -> float | None:
    vectors = load_run_vectors(RunDirectory(run))
    return Evaluation.from_files([test], [])(vectors)[0].value


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_evaluation_changes_nothing(text: Path, test_file: Path, engine: str) -> None:
    watched = {"similarity": [test_file], "every_words": 1230, "tensorboard": True}
    train(config(text, engine), Path("plain"))
    train(config(text, engine, **watched), Path("watched"))
    for name in ("weights.safetensors", "vectors.txt"):
        assert Path("plain", name).read_bytes() == Path("watched", name).read_bytes()
    lines = read_metrics(Path("watched"))
    assert sum("scores" in line for line in lines) == 3
    # The last score is that of the vectors which the run left.
    score = Evaluation.from_files([test_file], [])(
        load_run_vectors(RunDirectory(Path("watched")))
    )
    assert lines[-1]["scores"] == {"likeness": score[0].value}


def test_the_best_weights_are_the_runs(text: Path, test_file: Path) -> None:
    settings = config(
        text, "fused", similarity=[test_file], stop_on="likeness", patience=2
    )
    values = settings.model_dump()
    values["training"]["epochs"] = 50
    train(Config.model_validate(values), Path("r"))
    lines = [line for line in read_metrics(Path("r")) if "scores" in line]
    scores = [line["scores"]["likeness"] for line in lines]
    best = int(np.argmax(scores))
    assert len(scores) == best + 3 < 50
    found = Evaluation.from_files([test_file], [])(
        load_run_vectors(RunDirectory(Path("r")))
    )
    assert found[0].value == scores[best] != scores[-1]
    assert not Path("r/best.safetensors").exists()
