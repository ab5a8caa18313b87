"""A finished run goes on with more text and new words."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sg_train.config import Config
from sg_train.corpus.encoded import is_prepared
from sg_train.corpus.phrases import digest_of_phrases
from sg_train.corpus.prepare import open_corpus
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import CorpusError, OutputError, SettingsError, TrainingError
from sg_train.ranks import is_launched_with_others
from sg_train.training.assembly import threads_of
from sg_train.training.run import train
from sg_train.training.run_directory import RunDirectory


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
    begins where a schedule over all texts in a row would have come to, final + (first -
    final) * new words / all words with the rate of the first run (or of one that was
    extended at a rate of its own), and falls to the final one.

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
    if is_launched_with_others():
        raise TrainingError(
            "extend: is for one process; for several, train with vocabulary.extends "
            "and model.init_from set to the run"
        )
    if out.resolve() == run.resolve():
        raise OutputError(f"--out {out}: is the run itself; choose another directory")
    old = RunDirectory.open(run)
    old.check_done()
    RunDirectory(out).check_free(overwrite=overwrite)
    config = _config(old, texts, overrides, anchor=anchor)
    corpus = open_corpus(config.corpus, config.vocabulary, threads_of(config))
    if corpus.meta["fingerprint"]["inputs"] is None:  # a pipe cannot be read again
        config = config.with_settings({"corpus.paths": [str(corpus.path)]})
    earlier, notes = Vocabulary.load(old.vocabulary_file), {}
    if not _is_set("training.learning_rate", overrides):
        first = _first_rate(old)
        notes["first_learning_rate"] = first
        final = config.training.final_learning_rate
        share = corpus.words / (corpus.words + int(earlier.counts.sum()))
        rate = final + (first - final) * share
        config = config.with_settings({"training.learning_rate": rate})
        say(f"training.learning_rate={rate:.4g}, where {share:.0%} is new")
    before = set(earlier.words)
    now = set(corpus.vocabulary.words)
    say(
        f"vocabulary {len(now)}: {len(now & before)} words of {run}, "
        f"{len(now - before)} new ones; {len(before - now)} left out"
    )
    train(config, out, overwrite=overwrite, say=say, notes=notes)


def _config(
    old: RunDirectory, texts: Sequence[str], overrides: Sequence[str], *, anchor: bool
) -> Config:
    """Return the settings of a run that extends another, but for its rate."""
    settings: dict[str, Any] = {
        "corpus.paths": list(texts),
        "corpus.prepared": None,
        "vocabulary.extends": str(old.path),
        "model.init_from": str(old.path),
        "model.init_v": True,
        "training.freeze_words": 0,
        "sweep.values": {},
    }
    config = old.load_config().with_settings(settings).with_overrides(overrides)
    if anchor:
        if _is_set("training.freeze_words", overrides):
            raise SettingsError(
                "--anchor: keeps old vectors for good; leave it or freeze_words out"
            )
        config = config.with_settings({"training.freeze_words": None})
    if config.sweep.values:
        raise SettingsError("sweep.values: extend makes one run; leave them out")
    for path in texts:
        if is_prepared(Path(path)):
            raise CorpusError(
                f"{path}: a prepared corpus; give the text itself, whose words have to "
                f"be counted together with those of {old.path}"
            )
    _check_phrases(old, config)
    return config


def _check_phrases(old: RunDirectory, config: Config) -> None:
    """See that new text is joined as the old one was."""
    if config.corpus.phrases is None:
        if old.load_config().corpus.phrases is not None:
            raise SettingsError(
                f"corpus.phrases: {old.path} was trained with phrases; leave them as "
                "they were"
            )
        return
    corpus = old.load_record().get("corpus") or {}
    before = (corpus.get("fingerprint") or {}).get("phrases")
    if before is None:
        raise SettingsError(
            f"corpus.phrases: {old.path} was trained without; leave it out"
        )
    if digest_of_phrases(Path(config.corpus.phrases)) != before:
        raise CorpusError(
            f"{config.corpus.phrases}: its phrases are not those that {old.path} was "
            "trained with; bring them back"
        )


def _is_set(key: str, overrides: Sequence[str]) -> bool:
    return any(override.partition("=")[0].strip() == key for override in overrides)


def _first_rate(run: RunDirectory) -> float:
    """Return the rate at which the schedule began that a run is the last part of."""
    first = run.load_record().get("first_learning_rate")
    if first is None:
        return run.load_config().training.learning_rate
    if not isinstance(first, float | int):
        raise TrainingError(f"{run.record_file}: damaged (first_learning_rate)")
    return float(first)
