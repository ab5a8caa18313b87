"""Runs on parts of a text, in the space of a run on all of it."""

from pathlib import Path

import numpy as np
import pytest

from sg_train import Config, Run, WordVectors
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import SettingsError
from tests.conftest import TINY, Command


@pytest.fixture
def part(text: Path) -> Path:
    lines = text.read_text().splitlines()
    Path("part.txt").write_text("\n".join(lines[:40]) + "\nnew 34 6 words\n")
    return Path("part.txt")


@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_v_is_that_of_the_compass_and_u_is_trained(
    sg_train: Command, trained: Path, part: Path, engine: str
) -> None:
    command = ("train", "--corpus", part, "--compass", trained, *TINY[2:])
    settings = ("--set", f"training.engine={engine}", "--set", "vocabulary.min_count=1")
    result = sg_train(*command, *settings, "--out", "p")
    assert result.exit_code == 0, result.output
    compass, run = Run.open(trained), Run.open("p")
    words = run.vectors.words
    assert {*words} == {*part.read_text().split()} - {"new", "34", "6", "words"}
    for matrix in ("u", "v"):
        of_all, of_part = compass.load(matrix)[words], run.load(matrix)[words]
        assert np.array_equal(of_all, of_part) == (matrix == "v")
        assert np.isfinite(of_part).all()
    assert run.config.model.dimension == compass.config.model.dimension == 8
    more = sg_train("resume", "p", "--set", "training.epochs=5")
    assert more.exit_code == 0, more.output
    assert np.array_equal(Run.open("p").load("v")[words], compass.load("v")[words])


def test_u_may_be_frozen_instead(sg_train: Command, trained: Path, text: Path) -> None:
    command = ("train", "--corpus", text, "--init-from", trained, *TINY)
    frozen = ("--set", "training.freeze=u", "--set", "training.freeze_words=null")
    result = sg_train(*command, *frozen, "--set", "model.init_v=true", "--out", "p")
    assert result.exit_code == 0, result.output
    before, after = Run.open(trained), Run.open("p")
    assert np.array_equal(before.load("u").matrix, after.load("u").matrix)
    assert not np.array_equal(before.load("v").matrix, after.load("v").matrix)


def test_n_grams_train_with_a_compass(sg_train: Command, text: Path) -> None:
    ngrams = ("--set", "model.ngrams=[2,3]", "--set", "model.buckets=100")
    command = ("train", "--corpus", text, *TINY, *ngrams)
    assert sg_train(*command, "--out", "all").exit_code == 0
    result = sg_train(*command, "--compass", "all", "--out", "p")
    assert result.exit_code == 0, result.output
    every, part = Run.open("all"), Run.open("p")
    assert np.array_equal(every.load("v").matrix, part.load("v").matrix)
    moved = part.load("u").matrix - every.load("u").matrix
    assert (np.abs(moved).max(axis=1) > 0).mean() > 0.9
    assert np.array_equal(WordVectors.load("p").matrix, part.load("u").matrix)


def test_a_compass_that_cannot_be_is_refused(
    sg_train: Command, trained: Path, text: Path
) -> None:
    command = ("train", "--corpus", text, "--out", "p")
    line = sg_train.refused(*command, "--compass", trained, "--init-from", trained)
    assert "--compass: cannot be combined with --init-from" in line
    assert "absent: no such directory" in sg_train.refused(
        *command, "--compass", "absent"
    )
    settings = ("--set", "model.init_v=false")
    line = sg_train.refused(*command, "--compass", trained, *settings)
    assert "training.freeze=v: there are no output vectors to freeze" in line
    assert not Path("p").exists()
    with pytest.raises(
        SettingsError, match=r"training.freeze=u: freezes nothing, as fr"
    ):
        Config().with_settings({"training.freeze": "u"})


def test_a_vocabulary_is_a_list_of_words(sg_train: Command, text: Path) -> None:
    assert sg_train("prepare", text, "--out", "c").exit_code == 0
    Path("t.txt").write_text("w1 w2 6 35 1\n" * 9)
    only = (
        "--set",
        "vocabulary.only=c/vocabulary.tsv",
        "--set",
        "vocabulary.min_count=1",
    )
    assert sg_train("prepare", "t.txt", "--out", "d", *only).exit_code == 0
    assert Vocabulary.load(Path("d/vocabulary.tsv")).words == ["w1", "w2"]
