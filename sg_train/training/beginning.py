"""Where a run begins: a new one at its first block, a resumed one at a checkpoint."""

import importlib.metadata
import logging
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sg_train.config import Config, differences
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import (
    RANK,
    changed_inputs,
    open_corpus,
    open_shard,
    prepare_again,
)
from sg_train.corpus.sharded import ShardedCorpus
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.engines.selection import choose_engine
from sg_train.errors import CorpusError, RunError, SettingsError, TrainingError
from sg_train.runs import checkpoint
from sg_train.runs.checkpoint import Checkpoints, State, Weights
from sg_train.runs.directory import RunDirectory
from sg_train.runs.record import RunRecord
from sg_train.runs.vectors import export_run, spellings_of
from sg_train.system.files import scratch_directory
from sg_train.system.launch import Launch, launched
from sg_train.system.machine import available_cpus
from sg_train.system.ranks import Ranks
from sg_train.training.amount import with_numbers
from sg_train.training.bootstrap import BootstrapCorpus
from sg_train.training.initial_vectors import (
    InitialVectors,
    read_initial_vectors,
    report_drift,
    resumed_initial_vectors,
)
from sg_train.training.own import Own, check_same
from sg_train.training.requirements import check_requirements
from sg_train.training.schedule import LinearSchedule

_LOG = logging.getLogger(__name__)

# Settings that a resumed run may change: none of them alters the steps.
_MAY_CHANGE = ("checkpoint.", "distributed.", "evaluation.", "export.")
_MAY_NOT_CHANGE = ("evaluation.held_out",)
_MAY_CHANGE_TOO = ("training.epochs", "training.threads", "training.loader_workers")

Corpus = EncodedCorpus | ShardedCorpus | BootstrapCorpus


@dataclass(frozen=True, eq=False)
class Resumed:
    """The checkpoint that a run resumes from.

    Attributes:
        state: position, counts and settings.
        source: its name, for messages.
        weights: u and v, (V, D) float32 each; None on ranks other than the first, and
            once a model has them.
    """

    state: State
    source: str
    weights: Weights | None

    def without_weights(self) -> "Resumed":
        """Return the parts that the other ranks need."""
        return replace(self, weights=None)


@dataclass(frozen=True, eq=False)
class Beginning:
    """All that training starts from, whether the run is new or resumed.

    Attributes:
        run: where results go; of several ranks, only the first writes there.
        config: all settings.
        corpus: the prepared corpus.
        record: how the run was made.
        initial: the vectors that words start with, or started with.
        resumed: the checkpoint; None for a new run.
        own: the user's own model or engine, if any.
    """

    run: RunDirectory
    config: Config
    corpus: Corpus
    record: RunRecord
    initial: InitialVectors | None = None
    resumed: Resumed | None = None
    own: Own | None = None

    def without_weights(self) -> "Beginning":
        """Return it without the weights, once a model has them."""
        return replace(
            self,
            initial=None if self.initial is None else self.initial.words_only(),
            resumed=None if self.resumed is None else self.resumed.without_weights(),
        )


def begin_new(
    run: RunDirectory,
    config: Config,
    ranks: Ranks,
    *,
    first_learning_rate: float | None = None,
    own: Own | None = None,
) -> Beginning:
    """Return the beginning of a new run; its directory is not written yet.

    Args:
        run: the directory, which is free.
        config: the settings as requested.
        ranks: those that train together.
        first_learning_rate: of the first run in a chain of `extend`.
        own: the user's own model or engine, if any.

    Raises:
        CorpusError: the text cannot be read or leaves no vocabulary.
        SettingsError: settings contradict one another.
        VectorsError: `model.init_from` cannot be read.
    """
    choose_engine(config, own.spec if own else None)
    if config.sweep.values:
        raise SettingsError(
            "sweep.values: cannot be set to train a single run; run the sweep with "
            "sg-train train"
        )
    with ranks.failing_together():
        if ranks.is_first:
            check_requirements(config, run)
        corpus = _open_corpus(config, ranks)
        asked, config = config, _with_corpus_settings(config, corpus)
        corpus = _sampled(config, corpus)
        _check_held_out(config, corpus)
        config, automatic = with_numbers(config, corpus.vocabulary.counts)
        initial = None
        if ranks.is_first:
            initial = read_initial_vectors(
                config.model, corpus.vocabulary.words, spellings_of(config.corpus)
            )
        words_only = ranks.from_first(None if initial is None else initial.words_only())
    libraries = ("sg-train", "torch", "numpy", "numba", "pyarrow")
    versions = {name: importlib.metadata.version(name) for name in libraries}
    record = RunRecord(
        config_hash=asked.hash(),
        command=sys.argv,
        versions={"python": platform.python_version(), **versions},
        processor=platform.processor() or platform.machine(),
        corpus=corpus.meta,
        ranks=ranks.size,
        launch=launched(),
        output_vectors_given=None if words_only is None else words_only.has_v,
        first_learning_rate=first_learning_rate,
        automatic=automatic or None,
        own=own.record if own else None,
    )
    config = config.with_absolute_paths()
    return Beginning(run, config, corpus, record, initial or words_only, own=own)


def begin_again(
    run: RunDirectory,
    overrides: Sequence[str],
    ranks: Ranks,
    own: Own | None = None,
) -> Beginning | None:
    """Return where a run resumes: at its newest sound checkpoint, or at its end.

    Args:
        run: the directory, locked.
        overrides: settings as `section.key=value`.
        ranks: those that train together.
        own: the user's own model or engine, if any.

    Returns:
        None if only the exported vectors were missing; they have now been written.

    Raises:
        RunError: there is no run, no checkpoint, or another model or engine.
        SettingsError: a setting may not change.
        CorpusError: the text or the prepared corpus has changed.
        TrainingError: all epochs are done.
    """
    with ranks.failing_together():
        mine = None
        if ranks.is_first:
            RunDirectory.open(run.path)
            check_same(own, run.load_record().own, str(run.path))
            mine = _find(run, overrides)
        shared = ranks.from_first(mine and (mine[0].without_weights(), mine[1]))
        if shared is None:
            return None
        resumed, config = mine or shared
        ranks.wait_at_most(config.distributed.timeout_seconds)
        corpus = _same_corpus(run, resumed.state, config, ranks)
        if ranks.is_first:
            _check_same(run, resumed.state, corpus)
        config, _ = with_numbers(config, corpus.vocabulary.counts)
        schedule = LinearSchedule.of(config, corpus.block_starts)
        if resumed.state.position >= schedule.total_blocks:
            raise TrainingError(
                f"{run.path}: finished; to train longer, raise training.epochs, as in "
                f"--set training.epochs={schedule.epochs + 5}"
            )
        record = None
        initial = None
        if ranks.is_first:
            initial = resumed_initial_vectors(run, config)
            record = run.load_record()
            record = record.replaced(
                config_hash=config.hash() if overrides else record.config_hash,
                ranks=ranks.size,
                launch=launched(),
                drift=None,
            )
        record, initial = ranks.from_first((record, initial))
    assert record is not None  # the first rank has read it
    return Beginning(run, config, corpus, record, initial, resumed, own)


def is_restart(run: RunDirectory) -> bool:
    """Return whether this launch began the existing run before a restart.

    torchrun repeats the same command after a failure, which then means to resume.
    """
    now, before = launched(), _launch_of(run)
    if now is None or before is None:
        return False
    if now.agent == before.agent:
        return checkpoint.has_any(run.checkpoints_directory) or run.is_done()
    # A restart on another machine, or a reused job name.
    is_same = now.job is not None and now.job == before.job
    return is_same and checkpoint.has_any(run.checkpoints_directory)


def is_begun_by_this_launch(run: RunDirectory) -> bool:
    """Return whether this launch began the run, so that it may begin it again."""
    now, before = launched(), _launch_of(run)
    return now is not None and before is not None and now.agent == before.agent


def _launch_of(run: RunDirectory) -> Launch | None:
    return run.load_record().launch if run.record_file.is_file() else None


def _needed_only_export(run: RunDirectory) -> bool:
    """Export the vectors if a run lacks only these, and return whether it did."""
    if not run.is_done() or run.is_exported:
        return False
    export_run(run)
    report_drift(run, run.load_config())
    _clear_checkpoints(run)
    return True


def _clear_checkpoints(run: RunDirectory) -> None:
    with Checkpoints(run.checkpoints_directory) as checkpoints:
        checkpoints.clear()


def _find(run: RunDirectory, overrides: Sequence[str]) -> tuple[Resumed, Config] | None:
    """Return the checkpoint and the settings to resume with, if training remains."""
    if not overrides and _needed_only_export(run):
        return None
    resumed = _find_state(run)
    return resumed, _changed(run, resumed, overrides)


def _find_state(run: RunDirectory) -> Resumed:
    if run.is_done():
        # A run that was killed at the very end may have left some.
        _clear_checkpoints(run)
        state, weights = checkpoint.load(run.path)
        if state.config["evaluation"]["stop_on"] is not None:
            raise TrainingError(
                f"{run.path}: finished, and holds the weights with the best score, not "
                "the last ones, so it cannot be resumed; train another run"
            )
        return Resumed(state, "its end", weights)
    with Checkpoints(run.checkpoints_directory) as checkpoints:
        found = checkpoints.newest()
    if found is None:
        any_left = checkpoint.has_any(run.checkpoints_directory)
        what = "has no sound checkpoint"
        if not any_left:
            what = "was stopped before its first checkpoint"
        raise RunError(f"{run.path}: {what}; train it again with --overwrite")
    path, state, weights = found
    return Resumed(state, f"checkpoint {path.name}", weights)


def _changed(run: RunDirectory, resumed: Resumed, overrides: Sequence[str]) -> Config:
    before = Config.from_values(resumed.state.config, f"{run.path}, {resumed.source}")
    if not overrides:
        return before
    before = before.with_absolute_paths()
    config = before.with_overrides(overrides).with_absolute_paths()
    wrong = [
        key
        for key in differences(before, config)
        if key in _MAY_NOT_CHANGE
        or (not key.startswith(_MAY_CHANGE) and key not in _MAY_CHANGE_TOO)
    ]
    if wrong:
        raise SettingsError(
            f"{run.path}: {', '.join(wrong)} cannot change in a resumed run; train "
            "another run"
        )
    return config


def _open_corpus(config: Config, ranks: Ranks) -> Corpus:
    """Open the prepared corpus, which the first rank makes if necessary.

    If each rank has its own text, every rank prepares its shard.
    """
    threads = config.training.threads or available_cpus()
    if ranks.size == 1:
        return open_corpus(config.corpus, config.vocabulary, threads)
    if any(RANK in path for path in config.corpus.paths):
        shard = open_shard(
            config.corpus, config.vocabulary, threads, ranks.rank, ranks.gather
        )
        return ShardedCorpus.join(shard, ranks.rank, ranks.gather)
    path = Path()
    if ranks.is_first:
        path = open_corpus(config.corpus, config.vocabulary, threads).path
    return EncodedCorpus.load(ranks.from_first(path))


def _check_held_out(config: Config, corpus: Corpus) -> None:
    """Check that blocks of the corpus can be kept out of training."""
    if not config.evaluation.held_out:
        return
    wrong = None
    if isinstance(corpus, ShardedCorpus):
        wrong = "every rank has a text of its own"
    elif len(corpus.block_starts) < 3:
        wrong = "the corpus is too small to be divided"
    if wrong is not None:
        raise SettingsError(
            f"evaluation.held_out={config.evaluation.held_out}: {wrong}; leave it out"
        )


def _same_corpus(
    run: RunDirectory, state: State, config: Config, ranks: Ranks
) -> Corpus:
    """Open the prepared corpus of a run."""
    corpus: Corpus
    if any(RANK in path for path in config.corpus.paths):
        corpus = _open_corpus(config, ranks)
    else:
        path = Path(state.corpus["path"])
        if ranks.is_first and not path.exists():
            threads = config.training.threads or available_cpus()
            _prepare_again(run, path, threads, config.corpus.memory_limit)
        ranks.from_first(None)
        corpus = EncodedCorpus.load(path)
    return _sampled(config, corpus)


def corpus_of(run: RunDirectory) -> EncodedCorpus:
    """Open the prepared corpus of a run, whole even if the run used a sample of it.

    Raises:
        CorpusError: it is missing, a shard, or no longer the same.
    """
    state, _ = checkpoint.load(run.path)
    path = Path(state.corpus["path"])
    corpus = EncodedCorpus.load(path)
    if corpus.meta.fingerprint.shards is not None:
        raise CorpusError(
            f"{path}: only one of the shards that {run.path} was trained on; prepare "
            "the whole text and train on that"
        )
    if corpus.checksum != run.load_record().corpus.checksum:
        raise CorpusError(
            f"{path}: no longer the corpus that {run.path} was trained on; prepare the "
            "original text again"
        )
    return corpus


def _sampled(config: Config, corpus: Corpus) -> Corpus:
    """Return the corpus, or the bootstrap sample of it that settings ask for."""
    if not config.sampling.bootstrap:
        return corpus
    if not isinstance(corpus, EncodedCorpus):
        raise SettingsError(
            "sampling.bootstrap: cannot be combined with a text of its own for every "
            "rank; leave one of them out"
        )
    if config.vocabulary.extends is not None:
        raise SettingsError(
            "sampling.bootstrap: cannot be combined with vocabulary.extends, which "
            "also counts words of other texts; set sampling.bootstrap=false"
        )
    if corpus.meta.fingerprint.settings.get("shuffle"):
        raise SettingsError(
            "sampling.bootstrap: draws passages of neighbouring sentences, which "
            "corpus.shuffle separates; set one of them to false"
        )
    return BootstrapCorpus.draw(
        corpus, config.training.seed, config.vocabulary.min_count
    )


def _prepare_again(
    run: RunDirectory, path: Path, threads: int, memory_limit: int | None
) -> None:
    """Prepare a run's corpus again, which was deleted."""
    made = run.load_record().corpus
    if made.fingerprint.inputs is not None:
        _LOG.info("%s: was deleted; preparing it again", path)
    try:
        corpus = prepare_again(made, path, threads, memory_limit)
    except CorpusError as error:
        raise CorpusError(
            f"{path}: was deleted, and cannot be prepared again for {run.path}: {error}"
        ) from error
    if corpus.checksum != made.checksum:
        shutil.rmtree(path)
        changed = [*changed_inputs(made)] or ["the text or this version of sg-train"]
        raise CorpusError(
            f"{path}: was deleted, and preparing it again gives a different corpus "
            f"from the one that {run.path} was trained on, because {changed[0]} has "
            "changed; restore the text or train another run"
        )


def _check_same(run: RunDirectory, state: State, corpus: Corpus) -> None:
    changed = list(changed_inputs(corpus.meta))
    if changed and not _gives_the_same(corpus):
        raise CorpusError(
            f"{changed[0]}: has changed since {run.path} began to train on it; restore "
            "the text or train another run"
        )
    if corpus.checksum != state.corpus["checksum"]:
        again = "prepare the original again"
        if isinstance(corpus, ShardedCorpus):
            again = "launch the same number of ranks on the same texts"
        raise CorpusError(
            f"{corpus.path}: not the corpus that {run.path} began to train on; {again} "
            "or train another run"
        )
    if Vocabulary.load(run.vocabulary_file).words != corpus.vocabulary.words:
        raise CorpusError(
            f"{run.vocabulary_file}: has changed since {run.path} began to train; "
            "restore it or train another run"
        )


def _gives_the_same(corpus: Corpus) -> bool:
    """Return whether a text that was touched still gives the same corpus."""
    if isinstance(corpus, ShardedCorpus):
        return False
    with scratch_directory(corpus.path) as scratch:
        try:
            again = prepare_again(
                corpus.meta, scratch / "again", available_cpus(), None
            )
        except CorpusError:  # a file is missing, so the content cannot be compared
            return False
        return again.checksum == corpus.meta.checksum


def _with_corpus_settings(config: Config, corpus: Corpus) -> Config:
    """Return a config that describes how the prepared corpus was made."""
    made_with = corpus.meta.fingerprint.settings
    values = config.model_dump()
    for section in (values["corpus"], values["vocabulary"]):
        section.update({key: made_with[key] for key in section if key in made_with})
    return Config.model_validate(values)
