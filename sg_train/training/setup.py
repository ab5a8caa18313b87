"""The parts of a run, built from its config: model, engine, schedule and tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sg_train.blocks import BlockRef
from sg_train.config import Config, SamplingConfig
from sg_train.engines.base import Engine, EngineSpec, Frozen, Task
from sg_train.engines.selection import choose_engine
from sg_train.errors import RunError, SettingsError, TrainingError
from sg_train.model.embeddings import Model
from sg_train.runs.vectors import ngrams_of, spellings_of
from sg_train.sampling.windows import SamplingPlan
from sg_train.system.bars import progress_bar
from sg_train.system.launch import local_rank, local_ranks
from sg_train.system.machine import available_cpus
from sg_train.system.ranks import Ranks
from sg_train.training.beginning import Beginning, Corpus
from sg_train.training.early_stopping import EarlyStopping
from sg_train.training.initial_vectors import InitialVectors
from sg_train.training.memory import check_memory
from sg_train.training.requirements import check_device
from sg_train.training.schedule import LinearSchedule
from sg_train.vectors.ngrams import WordRows

if TYPE_CHECKING:
    from sg_train.training.held_out import HeldOutLoss

_SEED_OF_HELD_OUT = 0  # the same for all runs, whatever their seed


@dataclass(frozen=True, eq=False)
class Components:
    """The parts that a run trains with.

    Attributes:
        model: with the weights that the run begins with.
        engine: trains the model.
        schedule: how the learning rate falls.
        tests: score the vectors during training; None if there are no tests, and on
            ranks other than the first.
        held_out: computes the loss on the text that is held out; likewise.
    """

    model: Model
    engine: Engine
    schedule: LinearSchedule
    tests: EarlyStopping | None = None
    held_out: "HeldOutLoss | None" = None


def set_up(beginning: Beginning, ranks: Ranks) -> Components:
    """Build model, engine, schedule and tests, with the run's first weights.

    Args:
        beginning: of a new or a resumed run.
        ranks: those that train together.

    Raises:
        TrainingError: the device is missing, or memory does not suffice.
        VectorsError: a test cannot be read.
        SettingsError: training would stop on a test that cannot be scored.
    """
    config, corpus = beginning.config, beginning.corpus
    spec = choose_engine(config, beginning.own.spec if beginning.own else None)
    with ranks.failing_together():
        device = _device_of(config, ranks)
        check_device(device)
        check_memory(config, len(corpus.vocabulary), spec, ranks.size)
        schedule = LinearSchedule.of(config, corpus.block_starts)
        frozen = _freeze(config, corpus.vocabulary.words, schedule, beginning.initial)
        task = Task(
            config=config,
            counts=corpus.vocabulary.counts,
            read_block=corpus.block,
            blocks=schedule.blocks,
            plan=_make_plan(config.sampling, corpus, config.training.seed),
            schedule=schedule,
            threads=threads_of(config),
            device=device,
            frozen=frozen,
            word_rows=_word_rows(config, corpus.vocabulary.words, frozen),
        )
        with _memory_errors(config, len(corpus.vocabulary)):
            model, engine = spec.build(task)
        if ranks.is_first:
            _fill(model, beginning)
        tests = _make_tests(beginning) if ranks.is_first else None
        held_out = _hold_out(beginning, schedule) if ranks.is_first else None
    with ranks.failing_together(), _note(spec.compiling, ranks):
        # The first rank compiles, so that the others find the code on disk.
        if ranks.is_first:
            engine.compile()
        ranks.from_first(None)
        engine.compile()
    if ranks.size > 1:
        engine = _share_out(task, spec, schedule, model, engine, ranks)
    return Components(model, engine, schedule, tests, held_out)


def threads_of(config: Config) -> int:
    """Return how many threads a process uses."""
    if config.training.deterministic:
        return 1
    return config.training.threads or max(1, available_cpus() // local_ranks())


def _fill(model: Model, beginning: Beginning) -> None:
    """Give the model the weights that the run begins with, if any."""
    if beginning.resumed is None:
        if beginning.initial is not None:
            beginning.initial.copy_into(model, beginning.corpus.vocabulary.words)
        return
    weights = beginning.resumed.weights
    assert weights is not None  # this is the first rank
    for key, matrix in model.matrices.items():
        if matrix.shape != weights[key].shape:
            raise RunError(
                f"{beginning.run.path}: its weights do not have the shape that config "
                "and vocabulary require; train the run again"
            )
        model.set_rows(key, np.arange(len(matrix)), weights[key])


def _make_tests(beginning: Beginning) -> EarlyStopping | None:
    config = beginning.config
    if not config.evaluation.is_wanted:
        return None
    tests = EarlyStopping(
        config.evaluation,
        beginning.corpus.vocabulary.words,
        config.export.matrix,
        spellings_of(config.corpus),
    )
    if beginning.resumed is not None and beginning.resumed.state.scoring:
        tests.restore(beginning.resumed.state.scoring)
    return tests


def _hold_out(beginning: Beginning, schedule: LinearSchedule) -> "HeldOutLoss | None":
    config, corpus = beginning.config, beginning.corpus
    if not schedule.held_out:
        return None
    from sg_train.training.held_out import HeldOutLoss  # noqa: PLC0415 (loads torch)

    _set_torch_threads(config)
    plan = _make_plan(config.sampling, corpus, _SEED_OF_HELD_OUT)
    loss = HeldOutLoss(corpus.block, schedule.held_out, plan)
    if not loss.pairs:
        raise SettingsError(
            f"evaluation.held_out={config.evaluation.held_out}: nothing in the text "
            "that is held out can be predicted; raise it, or set it to 0"
        )
    return loss


def _freeze(
    config: Config,
    vocabulary: Sequence[str],
    schedule: LinearSchedule,
    initial: InitialVectors | None,
) -> Frozen | None:
    """Return which rows stay fixed, and for how long."""
    words = config.training.freeze_words
    if initial is None or words == 0:
        return None

    def during(ref: BlockRef) -> bool:
        return words is None or schedule.words_before_block(ref) < words

    u, v = initial.rows(vocabulary)
    freeze = config.training.freeze
    none = np.zeros_like(u)
    return Frozen(none if freeze == "v" else u, none if freeze == "u" else v, during)


def _word_rows(
    config: Config, words: Sequence[str], frozen: Frozen | None
) -> WordRows | None:
    """Return the rows of u that each word is made of; frozen words have no n-grams."""
    ngrams = ngrams_of(config.model)
    if ngrams is None:
        return None
    return WordRows.of_words(words, ngrams, frozen.u if frozen else None)


def _share_out(
    task: Task,
    spec: EngineSpec,
    schedule: LinearSchedule,
    model: Model,
    engine: Engine,
    ranks: Ranks,
) -> Engine:
    """Return an engine that shares its work with other ranks.

    All ranks begin with the first one's weights.
    """
    from sg_train.engines.distributed.engine import DistributedEngine  # noqa: PLC0415
    from sg_train.engines.distributed.exchange import Exchange  # noqa: PLC0415 (torch)

    _set_torch_threads(task.config)
    settings = task.config.distributed
    sizes = np.diff(schedule.block_starts).tolist()
    return DistributedEngine(
        engine,
        ranks,
        Exchange(model, ranks, task.touches, settings.frequent_rows),
        schedule,
        sizes.__getitem__,
        round_words=settings.round_words,
        threads=spec.threads(task.threads),
    )


def _set_torch_threads(config: Config) -> None:
    import torch

    torch.set_num_threads(threads_of(config))


def _make_plan(config: SamplingConfig, corpus: Corpus, seed: int) -> SamplingPlan:
    return SamplingPlan.from_counts(
        corpus.vocabulary.counts,
        window=config.window,
        dynamic=config.dynamic_window,
        negatives=config.negatives,
        negative_exponent=config.negative_exponent,
        subsample=config.subsample,
        seed=seed,
    )


def _device_of(config: Config, ranks: Ranks) -> str:
    """Return the device of this rank: each rank on a machine has its own GPU."""
    if config.training.device == "cuda" and ranks.size > 1:
        return f"cuda:{local_rank()}"
    return config.training.device


@contextmanager
def _memory_errors(config: Config, vocabulary_size: int) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        dimension = config.model.dimension
        rows = vocabulary_size + config.model.input_rows(vocabulary_size)
        buckets = ", model.buckets" if config.model.ngrams else ""
        raise TrainingError(
            f"not enough memory for matrices of {rows} rows of {dimension} numbers "
            f"({4 * rows * dimension / 1e9:.1f} GB): lower model.dimension{buckets} or "
            "vocabulary.max_vocabulary, or raise vocabulary.min_count"
        ) from error


@contextmanager
def _note(text: str, ranks: Ranks) -> Iterator[None]:
    """Show a note on the terminal during the `with` block."""
    shown = bool(text) and ranks.is_first
    with progress_bar(desc=text, bar_format="{desc}", leave=False, shown=shown):
        yield
