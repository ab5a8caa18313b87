"""Train a run: from a config, from a checkpoint, or from a prepared beginning."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sg_train.config import Config, CorpusConfig
from sg_train.corpus.in_memory import prepare_sentences
from sg_train.errors import OutputError, TrainingError
from sg_train.runs.checkpoint import Checkpoints
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import MetricsLine, OnProgress
from sg_train.runs.vectors import load_run_vectors
from sg_train.system.launch import is_launched_with_others
from sg_train.system.ranks import Ranks, open_ranks
from sg_train.training.beginning import (
    Beginning,
    Resumed,
    begin_again,
    begin_new,
    is_begun_by_this_launch,
    is_restart,
)
from sg_train.training.initial_vectors import report_drift
from sg_train.training.loop import Loop
from sg_train.training.own import own_part
from sg_train.training.progress import Progress
from sg_train.training.run import Run
from sg_train.training.setup import Components, set_up, threads_of
from sg_train.training.signals import Signals
from sg_train.training.tensorboard import TensorBoardWriter

if TYPE_CHECKING:
    from sg_train.engines.base import EngineSpec
    from sg_train.model.skip_gram import SkipGram

_LOG = logging.getLogger(__name__)


def train(
    config: Config,
    out: str | Path,
    *,
    overwrite: bool = False,
    sentences: Iterable[Sequence[str]] | None = None,
    first_learning_rate: float | None = None,
    on_progress: OnProgress | None = None,
    model: "type[SkipGram] | None" = None,
    engine: "EngineSpec | None" = None,
) -> "Run":
    """Train vectors as `config` describes and save the run in the directory `out`.

    Processes that torchrun launches train together. When it restarts them after a
    failure, they resume from the newest sound checkpoint. Messages go to the logger
    `sg_train`.

    Args:
        config: all settings.
        out: the run directory; of several ranks, only the first uses it.
        overwrite: whether an existing run may be replaced.
        sentences: lists of words to train on, instead of `corpus.paths`. They are read
            once into a prepared corpus in `corpora/`, from which the run resumes.
        first_learning_rate: of the first run in a chain of `extend`, for the record.
        on_progress: called with the values of each new line of metrics.jsonl; training
            stops, and can be resumed, if it returns True.
        model: a subclass of `SkipGram` to train, on the autograd engine.
        engine: an engine of your own; see `engines.base`.

    Returns:
        The run, which is unfinished if `on_progress` stopped it.

    Raises:
        OutputError: `out` is taken or cannot be written.
        CorpusError: the text cannot be read or leaves no vocabulary.
        SettingsError: settings contradict one another.
        VectorsError: `model.init_from` or a test cannot be read.
        TrainingError: the device is missing, memory does not suffice, the weights
            become infinite, or another rank no longer answers.
        Interrupted: a signal stopped training; `resume` continues it.
    """
    own = own_part(model, engine)
    run = RunDirectory(Path(out))
    if sentences is not None:
        run.check_free(overwrite=overwrite)
        config = _with_sentences(config, sentences)
    with open_ranks() as ranks, ExitStack() as stack:
        with ranks.failing_together():
            restarted = ranks.from_first(ranks.is_first and is_restart(run))
            is_finished = False
            if ranks.is_first:
                free = overwrite or is_begun_by_this_launch(run)
                if not restarted:
                    run.check_free(overwrite=free)
                stack.enter_context(run.locked())
                if not restarted:
                    run.check_free(overwrite=free)
                is_finished = restarted and run.is_done() and run.is_exported
            if ranks.from_first(is_finished):
                return Run(run.path)
        ranks.wait_at_most(config.distributed.timeout_seconds)
        beginning = (
            begin_again(run, (), ranks, own)
            if restarted
            else begin_new(
                run, config, ranks, first_learning_rate=first_learning_rate, own=own
            )
        )
        if beginning is not None:
            components = set_up(beginning, ranks)
            beginning = beginning.without_weights()  # the model has them
            train_from(beginning, components, ranks, on_progress)
    return Run(run.path)


def _with_sentences(config: Config, sentences: Iterable[Sequence[str]]) -> Config:
    """Prepare a corpus of sentences, and return a config that trains on it."""
    if is_launched_with_others():
        raise TrainingError(
            "sentences: can train in one process only; prepare a corpus for several"
        )
    corpus = prepare_sentences(sentences, config.vocabulary, threads=threads_of(config))
    made = corpus.meta.fingerprint.settings
    settings = {
        f"corpus.{key}": made[key] for key in made if key in CorpusConfig.model_fields
    }
    return config.with_settings({**settings, "corpus.paths": [str(corpus.path)]})


def resume(
    out: str | Path,
    overrides: Sequence[str] = (),
    *,
    on_progress: OnProgress | None = None,
    model: "type[SkipGram] | None" = None,
    engine: "EngineSpec | None" = None,
) -> "Run":
    """Continue a run from its newest sound checkpoint, or train a finished one longer.

    Args:
        out: the run directory.
        overrides: settings as `section.key=value`. Only training.epochs, threads and
            loader_workers, and the sections checkpoint, distributed, evaluation and
            export can change, because the others decide what is computed.
        on_progress: as for `train`.
        model: that with which the run began, if it is your own.
        engine: likewise.

    Returns:
        The run.

    Raises:
        RunError: there is no run, no checkpoint, or another model or engine.
        TrainingError: all epochs are done.
        SettingsError: a setting may not change.
        CorpusError: the text or the prepared corpus has changed.
        OutputError: another process trains there, or it cannot be written.
        Interrupted: a signal stopped training.
    """
    own = own_part(model, engine)
    run = RunDirectory(Path(out))
    with open_ranks() as ranks, ExitStack() as stack:
        with ranks.failing_together():
            if ranks.is_first:
                RunDirectory.open(run.path)
                stack.enter_context(run.locked())
        beginning = begin_again(run, overrides, ranks, own)
        if beginning is not None:
            components = set_up(beginning, ranks)
            beginning = beginning.without_weights()  # the model has them
            train_from(beginning, components, ranks, on_progress)
    return Run(run.path)


def train_from(
    beginning: Beginning,
    components: Components,
    ranks: Ranks,
    on_progress: OnProgress | None = None,
) -> None:
    """Train to the end, from wherever the run begins.

    Args:
        beginning: of a new or a resumed run, whose directory is locked.
        components: model, engine and schedule, from `set_up`.
        ranks: those that train together.
        on_progress: as for `train`; only the first rank calls it.

    Raises:
        OutputError: the results cannot be written.
        TrainingError: the weights become infinite, or nothing can be learnt.
        Interrupted: a signal stopped training; the state has been saved.
    """
    run, config, resumed = beginning.run, beginning.config, beginning.resumed
    with ranks.failing_together():
        if ranks.is_first:
            _write_beginning(beginning, components)
    with (
        Signals(reports=ranks.is_first) as signals,
        TensorBoardWriter.opened(
            run.tensorboard_directory
            if config.evaluation.tensorboard and ranks.is_first
            else None
        ) as board,
        Progress(
            run.metrics_file if ranks.is_first else None,
            components.schedule.words,
            _listener(board, on_progress if ranks.is_first else None, signals),
            resumed.state.progress if resumed else None,
            ranks,
        ) as progress,
        Checkpoints(run.checkpoints_directory) as checkpoints,
    ):
        loop = Loop(beginning, components, ranks, signals, progress, checkpoints)
        is_finished = loop.run()
        if board and is_finished:
            board.add_vectors(load_run_vectors(run))
    with ranks.failing_together():
        if ranks.is_first and is_finished:
            report_drift(run, config)


def _listener(
    board: TensorBoardWriter | None, on_progress: OnProgress | None, signals: Signals
) -> Callable[[MetricsLine], None]:
    """Return what to do with a new line of metrics.jsonl."""

    def listen(line: MetricsLine) -> None:
        if board:
            board.add_line(line)
        if on_progress and on_progress(line.values()) is True:
            signals.stop_as_asked()

    return listen


def _write_beginning(beginning: Beginning, components: Components) -> None:
    """Make the directory of a new run, or bring that of a resumed one up to date."""
    run, config, resumed = beginning.run, beginning.config, beginning.resumed
    if resumed is None:
        _report_numbers(beginning.record.automatic or {})
        run.create(config, beginning.corpus.vocabulary, beginning.record)
        if beginning.initial is not None:
            run.save_initial_words(beginning.initial.words)
        return
    settings = config.model_dump(mode="json")
    if run.is_done():  # keep its final state as a checkpoint to resume from
        _keep_as_checkpoint(run, resumed, settings, components)
    if settings != resumed.state.config:
        run.save_config(config)
    beginning.record.save(run.record_file)
    share = resumed.state.position / components.schedule.total_blocks
    _LOG.info(
        "%s: resuming from %s, %.0f%% done", run.path, resumed.source, 100 * share
    )


def _report_numbers(automatic: Mapping[str, float]) -> None:
    """Report what was chosen for a corpus of this size."""
    if "training.epochs" in automatic:
        chosen = ", ".join(f"{key}={number:g}" for key, number in automatic.items())
        _LOG.info("%s, by the size of the corpus", chosen)


def _keep_as_checkpoint(
    run: RunDirectory,
    resumed: Resumed,
    settings: dict[str, object],
    components: Components,
) -> None:
    state, weights = replace(resumed.state, config=settings), components.model.matrices
    with Checkpoints(run.checkpoints_directory) as checkpoints:
        checkpoints.save(state, weights)
        if checkpoints.wait() is None:
            raise OutputError(f"{run.path}: cannot write a checkpoint there")
    run.state_file.unlink()
