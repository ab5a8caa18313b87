"""Runs on bootstrap samples of the text of another run."""

import logging
from collections.abc import Iterable
from pathlib import Path

from sg_train.errors import SettingsError
from sg_train.runs.directory import RunDirectory
from sg_train.system.files import scratch_directory
from sg_train.training.beginning import corpus_of
from sg_train.training.train import train
from sg_train.vectors.word_vectors import WordVectors

_LOG = logging.getLogger(__name__)


def train_samples(path: str | Path, seeds: Iterable[int]) -> list[WordVectors]:
    """Train runs on bootstrap samples of a run's text, and keep only their vectors.

    Their settings are the run's own, except for `sampling.bootstrap` and the seed.

    Args:
        path: a finished run, whose prepared corpus is still there.
        seeds: of each sample.

    Raises:
        RunError: there is no run, or it is unfinished.
        CorpusError: its prepared corpus is missing or has changed.
        SettingsError: it has a model or an engine of the user's own.
        SgTrainError: as `train` does.
    """
    run = RunDirectory.open(Path(path))
    run.check_done()
    own = run.load_record().own
    if own is not None:
        raise SettingsError(
            f"{path}: trained the {own.kind} {own.name}, which is not at hand; give "
            "several runs a side instead of samples"
        )
    config = run.load_config().with_settings(
        {
            "corpus.paths": [str(corpus_of(run).path)],
            "corpus.prepared": None,
            "sampling.bootstrap": True,
            "evaluation.similarity": [],
            "evaluation.analogies": [],
            "evaluation.stop_on": None,
            "evaluation.held_out": 0,
            "evaluation.tensorboard": False,
        }
    )
    found = []
    with scratch_directory(None) as scratch:
        for seed in seeds:
            _LOG.info("%s: training on bootstrap sample %d", path, seed)
            out = scratch / str(seed)
            sample = train(config.with_settings({"training.seed": seed}), out)
            found.append(sample.vectors)
    return found
