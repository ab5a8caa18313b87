"""A finished run goes on with more text and new words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sg_train.corpus.prepare import open_corpus
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import OutputError, TrainingError
from sg_train.ranks import launched
from sg_train.training.assembly import threads_of
from sg_train.training.run import train
from sg_train.training.run_directory import RunDirectory

_RATE = "training.learning_rate"


def extend(
    run: Path,
    texts: Sequence[str],
    out: Path,
    overrides: Sequence[str] = (),
    *,
    anchor: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> None:
    """Train a new run on more text, from where a finished one ended.

    Its settings are those of the old run. The counts of the old vocabulary and of the
    new text are added up, and give the words, their ids, subsampling and negatives; a
    word keeps its vectors, u and v, wherever its id goes, and a new one starts as
    usual. What the old run left out of its vocabulary it does not know: such words
    count from the new text alone. Only the new text is trained on. Its learning rate
    begins where a schedule over the old text and the new in a row would have come to,
    final + (first - final) * new words / all words, and falls to the final one.

    Args:
        run: the finished run.
        texts: the new text, as `corpus.paths`.
        out: the directory of the new run.
        overrides: settings as `section.key=value`.
        anchor: whether the vectors of the old words stay as they are.
        overwrite: whether a run that is at `out` already may be replaced.
        say: is told what becomes of the words.

    Raises:
        VectorsError: there is no run.
        TrainingError: it was not finished, or several processes were launched.
        SgTrainError: as `train` does.
    """
    if launched() is not None:
        raise TrainingError(
            "extend: is for one process; for several, train with vocabulary.extends "
            "and model.init_from set to the run"
        )
    if out.resolve() == run.resolve():
        raise OutputError(f"--out {out}: is the run itself; choose another directory")
    old = RunDirectory.open(run)
    old.check_done()
    RunDirectory(out).check_free(overwrite=overwrite)
    settings: dict[str, Any] = {
        "corpus.paths": list(texts),
        "corpus.prepared": None,
        "vocabulary.extends": str(run),
        "model.init_from": str(run),
        "model.init_v": True,
        "training.freeze_words": None if anchor else 0,
        "sweep.values": {},
    }
    config = old.load_config().with_settings(settings).with_overrides(overrides)
    corpus = open_corpus(config.corpus, config.vocabulary, threads_of(config))
    if not any(override.partition("=")[0].strip() == _RATE for override in overrides):
        share = corpus.words / (corpus.words + _words(old))
        config = config.with_settings({_RATE: _rate_after(old, share)})
        say(f"{_RATE}={config.training.learning_rate:.4g}, where {share:.0%} is new")
    before = set(Vocabulary.load(old.vocabulary_file).words)
    now = set(corpus.vocabulary.words)
    say(
        f"vocabulary {len(now)}: {len(now & before)} words of {run}, "
        f"{len(now - before)} new ones; {len(before - now)} left out"
    )
    train(config, out, overwrite=overwrite, say=say)


def _words(run: RunDirectory) -> int:
    """Return how many words a run and those that it extends have trained on."""
    return int(Vocabulary.load(run.vocabulary_file).counts.sum())


def _rate_after(run: RunDirectory, share: float) -> float:
    """Return the learning rate where `share` of all words is still to come."""
    config = run.load_config()
    final, rate = config.training.final_learning_rate, config.training.learning_rate
    if (
        config.vocabulary.extends is not None
    ):  # its rate began lower than the first run's
        own = int(run.load_record()["corpus"]["words"])
        rate = final + (rate - final) * _words(run) / own
    return final + (rate - final) * share
