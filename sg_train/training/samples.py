"""Vectors of bootstrap samples of a run's text."""

import logging
from collections.abc import Iterable
from pathlib import Path

from sg_train.choices import Matrix
from sg_train.config import Config
from sg_train.errors import SettingsError
from sg_train.runs.directory import RunDirectory
from sg_train.system.bars import progress_bar
from sg_train.training.beginning import corpus_of
from sg_train.training.trial import Trial
from sg_train.vectors.word_vectors import WordVectors

_LOG = logging.getLogger(__name__)

_PARTS = 20  # of the bar


def train_samples(
    path: str | Path, seeds: Iterable[int], matrix: Matrix | None = None
) -> list[WordVectors]:
    """Train on bootstrap samples of a run's text, in memory.

    The settings are the run's own, except for `sampling.bootstrap` and the seed.

    Args:
        path: a finished run, whose prepared corpus is still there.
        seeds: one for each sample.
        matrix: which vectors to return; by default those that the run exports.

    Raises:
        RunError: there is no run, or it is unfinished.
        CorpusError: its prepared corpus is missing or has changed.
        SettingsError: it has a model or an engine of the user's own.
        SgTrainError: as `train` does.
    """
    config = _config_of(path, matrix)
    found = []
    for seed in seeds:
        _LOG.info("%s: training on bootstrap sample %d", path, seed)
        trial = Trial(config.with_settings({"training.seed": seed}), Path(path))
        with progress_bar(total=_PARTS, unit=" parts", leave=False) as bar:
            for _ in trial.train(_PARTS):
                bar.update(1)
        found.append(trial.vectors)
    return found


def check_samples(path: str | Path) -> None:
    """Check that `train_samples` can train; raise the same errors."""
    _config_of(path, None)


def _config_of(path: str | Path, matrix: Matrix | None) -> Config:
    run = RunDirectory.open(Path(path))
    run.check_done()
    own = run.load_record().own
    if own is not None:
        raise SettingsError(
            f"{path}: trained with its own {own.kind} {own.name}, which cannot be "
            "loaded here; give several runs a side, not --samples"
        )
    config = run.load_config()
    return config.with_settings(
        {
            "corpus.paths": [str(corpus_of(run).path)],
            "corpus.prepared": None,
            "sampling.bootstrap": True,
            "export.matrix": matrix or config.export.matrix,
            "evaluation.similarity": [],
            "evaluation.analogies": [],
            "evaluation.stop_on": None,
            "evaluation.held_out": 0,
            "evaluation.tensorboard": False,
        }
    )
