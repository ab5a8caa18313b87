"""Train a finished run further on more text, with new words."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sg_train.config import Config
from sg_train.corpus.meta import is_prepared
from sg_train.corpus.mixing import mix_corpora
from sg_train.corpus.phrases.phrases import digest_of_phrases
from sg_train.corpus.prepare import open_corpus
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import CorpusError, OutputError, SettingsError, TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.system.launch import is_launched_with_others
from sg_train.training.amount import with_numbers
from sg_train.training.beginning import corpus_of
from sg_train.training.requirements import check_requirements
from sg_train.training.run import Run
from sg_train.training.setup import threads_of
from sg_train.training.train import train

_LOG = logging.getLogger(__name__)


def extend(
    run: str | Path,
    texts: Sequence[str],
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    anchor: bool = False,
    mix: float = 0.0,
    overwrite: bool = False,
) -> Run:
    """Train a new run on more text, from where a finished one ended.

    The new run has the settings of the old one. The counts of the old vocabulary and of
    the new text are added, and determine the words, their ids, subsampling and
    negatives. A word keeps its vectors, u and v, even if its id changes; a new word
    starts as usual. Words that the old run left out are unknown to it, so they are
    counted in the new text only. Training reads the new text and, with `mix`, part of
    the old one. The learning rate starts where one schedule over all texts would be, at
    final + (first - final) * words read / all words, and falls to the final one; first
    is the rate of the first run (or of the last one whose rate was set explicitly). The
    number of epochs is that of a run on all texts, times the square of the same share.

    Args:
        run: the finished run.
        texts: the new text, as `corpus.paths`.
        out: the directory of the new run.
        overrides: settings as `section.key=value`.
        anchor: whether the vectors of the old words stay fixed.
        mix: share of the sentences of the old run's corpus to train on as well.
        overwrite: whether a run that is already at `out` may be replaced.

    Returns:
        The new run.

    Raises:
        RunError: there is no run, or it is unfinished.
        TrainingError: several processes were launched.
        SgTrainError: as `train` does.
    """
    if is_launched_with_others():
        raise TrainingError(
            "extend: runs in one process only; for several, train with "
            "vocabulary.extends and model.init_from set to the run"
        )
    run, out = Path(run), Path(out)
    if out.resolve() == run.resolve():
        raise OutputError(
            f"--out {out}: this is the run to extend; choose another directory"
        )
    old = RunDirectory.open(run)
    old.check_done()
    _check_not_own(old)
    RunDirectory(out).check_free(overwrite=overwrite)
    if not 0 <= mix <= 1:
        raise SettingsError(f"--mix {mix:g}: a share of the old text, from 0 to 1")
    before = corpus_of(old) if mix else None
    config = _config(old, texts, overrides, anchor=anchor)
    check_requirements(config, RunDirectory(out))
    corpus = open_corpus(config.corpus, config.vocabulary, threads_of(config))
    if corpus.meta.fingerprint.inputs is None:  # a pipe cannot be read again
        config = config.with_settings({"corpus.paths": [str(corpus.path)]})
    earlier, first = Vocabulary.load(old.vocabulary_file), None
    all_words = corpus.words + int(earlier.counts.sum())
    if before is not None:
        corpus = mix_corpora(corpus, before, mix)
        config = config.with_settings({"corpus.paths": [str(corpus.path)]})
    share = corpus.words / all_words
    if not _is_set("training.learning_rate", overrides):
        first = _first_rate(old)
        config = config.with_settings({"training.learning_rate": first})
    config, _ = with_numbers(config, corpus.vocabulary.counts, share)
    if first is not None:
        final = config.training.final_learning_rate
        rate = final + (first - final) * share
        config = config.with_settings({"training.learning_rate": rate})
    _LOG.info(
        "training.learning_rate=%.4g, training.epochs=%d, since %s has %.0f%% of all "
        "words",
        config.training.learning_rate,
        config.training.epochs,
        "the new text" if before is None else "the mixed text",
        100 * share,
    )
    known = set(earlier.words)
    now = set(corpus.vocabulary.words)
    distinct = corpus.meta.distinct_words_counted or len(now | known)
    _LOG.info(
        "vocabulary of %d words: %d of %s, %d new; left out by min_count or "
        "max_vocabulary: %d new words, %d old ones",
        len(now),
        len(now & known),
        run,
        len(now - known),
        distinct - len(now | known),
        len(known - now),
    )
    return train(config, out, overwrite=overwrite, first_learning_rate=first)


def _check_not_own(old: RunDirectory) -> None:
    own = old.load_record().own
    if own is not None:
        raise SettingsError(
            f"{old.path}: trained the {own.kind} {own.name}, which extend does not "
            f"know; in Python, train a new run with model.init_from={old.path}"
        )


def _config(
    old: RunDirectory, texts: Sequence[str], overrides: Sequence[str], *, anchor: bool
) -> Config:
    """Return the settings of a run that extends another, except its rate."""
    settings: dict[str, Any] = {
        "corpus.paths": list(texts),
        "corpus.prepared": None,
        "vocabulary.extends": str(old.path),
        "model.init_from": str(old.path),
        "model.init_v": True,
        "training.freeze_words": 0,
        "training.epochs": "auto",
        "sweep.values": {},
    }
    config = old.load_config().with_settings(settings).with_overrides(overrides)
    if anchor:
        if _is_set("training.freeze_words", overrides):
            raise SettingsError(
                "--anchor: cannot be combined with training.freeze_words; leave one of "
                "them out"
            )
        config = config.with_settings({"training.freeze_words": None})
    if config.sweep.values:
        raise SettingsError("sweep.values: extend trains one run; leave it out")
    for path in texts:
        if is_prepared(Path(path)):
            raise CorpusError(
                f"{path}: a prepared corpus; give the text itself, whose words have to "
                f"be counted together with those of {old.path}"
            )
    _check_phrases(old, config)
    return config


def _check_phrases(old: RunDirectory, config: Config) -> None:
    """Check that new text is joined with the same phrases as the old text."""
    if config.corpus.phrases is None:
        if old.load_config().corpus.phrases is not None:
            raise SettingsError(
                f"corpus.phrases: {old.path} was trained with phrases; leave the "
                "setting as it was"
            )
        return
    before = old.load_record().corpus.fingerprint.phrases
    if before is None:
        raise SettingsError(
            f"corpus.phrases: {old.path} was trained without phrases; leave it out"
        )
    if digest_of_phrases(Path(config.corpus.phrases)) != before:
        raise CorpusError(
            f"{config.corpus.phrases}: not the phrases that {old.path} was trained "
            "with; restore that file"
        )


def _is_set(key: str, overrides: Sequence[str]) -> bool:
    return any(override.partition("=")[0].strip() == key for override in overrides)


def _first_rate(run: RunDirectory) -> float:
    """Return the rate at which the first run in a chain of `extend` began."""
    first = run.load_record().first_learning_rate
    if first is None:
        rate = run.load_config().training.learning_rate
        assert rate != "auto"  # a run's config has numbers
        return rate
    return first
