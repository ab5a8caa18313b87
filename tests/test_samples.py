import shutil
from pathlib import Path

import numpy as np
import pytest

from sg_train import Run, train
from sg_train.errors import CorpusError, SettingsError
from sg_train.model.skip_gram import SkipGram
from sg_train.training.samples import train_samples
from tests.test_bootstrap import settings

__all__ = ["settings"]  # a fixture


class Mine(SkipGram):
    pass


def test_samples_are_bootstrap_runs_with_the_settings_of_the_run(settings) -> None:
    plain = settings.with_settings({"sampling.bootstrap": False, "training.epochs": 2})
    train(plain, "run")
    found = train_samples("run", [7, 8])
    assert not list(Path.cwd().glob("[78]"))
    for seed, vectors in zip((7, 8), found, strict=True):
        again = {"sampling.bootstrap": True, "training.seed": seed}
        expected = train(plain.with_settings(again), f"again{seed}").vectors
        assert vectors.words == expected.words
        assert np.array_equal(vectors.matrix, expected.matrix)
    (of_v,) = train_samples("run", [7], "v")
    assert np.array_equal(of_v.matrix, Run("again7").load("v").matrix)
    # The text is no longer needed, and a sample of a sample is one of the text.
    Path("text.txt").unlink()
    (same,) = train_samples("again7", [7])
    assert np.array_equal(same.matrix, found[0].matrix)


def test_a_run_whose_text_cannot_be_sampled_is_refused(settings) -> None:
    plain = settings.with_settings({"sampling.bootstrap": False, "training.epochs": 1})
    own = plain.with_settings({"training.engine": "autograd"})
    train(own, "own", model=Mine)
    with pytest.raises(SettingsError, match="own: trained with its own model .*Mine"):
        train_samples("own", [1])
    run = train(plain, "run")
    shutil.rmtree("corpora")
    with pytest.raises(CorpusError, match="not a prepared corpus"):
        train_samples(run.path, [1])
    assert isinstance(run, Run)
