"""What a run is made of, put together by its config."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Optional

import numpy as np
import torch
from tqdm import tqdm

from sg_train.config import Config, ModelConfig, SamplingConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.parts import PartedCorpus
from sg_train.engines.base import Engine, Frozen
from sg_train.engines.distributed import DistributedEngine
from sg_train.engines.exchange import Exchange, Touches
from sg_train.errors import TrainingError
from sg_train.extras import require
from sg_train.machine import available_cpus
from sg_train.model import SkipGram
from sg_train.ranks import Ranks, local_rank, local_ranks
from sg_train.sampling.frequency import keep_probability, negative_probability
from sg_train.sampling.loader import Place
from sg_train.sampling.windows import SamplingPlan
from sg_train.training.memory import check_memory
from sg_train.training.schedule import LinearSchedule
from sg_train.training.start import Given

if TYPE_CHECKING:
    from sg_train.training.scoring import Scoring


class Parts(NamedTuple):
    """What a run is made of."""

    corpus: EncodedCorpus | PartedCorpus
    model: SkipGram
    schedule: LinearSchedule
    engine: Engine
    scoring: Optional["Scoring"]
    given: Given | None = None


def assemble(
    config: Config,
    corpus: EncodedCorpus | PartedCorpus,
    ranks: Ranks,
    fill: Callable[[SkipGram], Given | None],
) -> Parts:
    """Put a run together, on each of the ranks, which do not share work yet.

    Args:
        config: the settings.
        corpus: what is trained on.
        ranks: those that train together.
        fill: gives a new model what it starts from, on the first rank alone.

    Raises:
        TrainingError: the device is not there, or memory does not suffice.
        VectorsError: a test cannot be read.
        SettingsError: training should stop on a test that cannot be scored.
        SgTrainError: what `fill` raises.
    """
    model = ranks.together(lambda: _make_ready(config, corpus, ranks))
    given = ranks.first(lambda: fill(model))
    parts = ranks.together(lambda: _assemble(config, corpus, model, given, ranks))
    if _is_fused(config):
        # The first rank compiles, so that the others find the code on disk.
        note = "getting the kernel ready (the first run compiles it, about 5 s)"
        hidden = None if ranks.is_first else True
        with tqdm(desc=note, bar_format="{desc}", leave=False, disable=hidden):
            ranks.first(parts.engine.compile)
            parts.engine.compile()
    return parts


def _make_ready(
    config: Config, corpus: EncodedCorpus | PartedCorpus, ranks: Ranks
) -> SkipGram:
    """See that there is what training needs, and make the model."""
    device = _open_device(device_of(config, ranks))
    torch.set_num_threads(threads_of(config))
    if config.evaluation.tensorboard:
        require("torch.utils.tensorboard", "tensorboard", "evaluation.tensorboard")
    check_memory(
        config, len(corpus.vocabulary), fused=_is_fused(config), ranks=ranks.size
    )
    with _memory_errors(config.model, len(corpus.vocabulary)):
        model = _make_model(config.model, len(corpus.vocabulary), config.training.seed)
        return model.to(device)


def _assemble(
    config: Config,
    corpus: EncodedCorpus | PartedCorpus,
    model: SkipGram,
    given: Given | None,
    ranks: Ranks,
) -> Parts:
    schedule = LinearSchedule(
        config.training.learning_rate,
        config.training.final_learning_rate,
        config.training.epochs,
        corpus.block_starts,
    )
    plan = _make_plan(config.sampling, corpus, config.training.seed)
    scoring = None
    tests = config.evaluation.similarity or config.evaluation.analogies
    if tests and ranks.is_first:
        from sg_train.training.scoring import Scoring  # with scipy, which takes long

        words, matrix = corpus.vocabulary.words, config.export.matrix
        scoring = Scoring(config.evaluation, words, matrix)
    frozen = _freeze(config, corpus.vocabulary.words, schedule, given)
    engine = _make_engine(config, model, corpus, plan, schedule, frozen)
    return Parts(corpus, model, schedule, engine, scoring, given)


def _freeze(
    config: Config,
    vocabulary: Sequence[str],
    schedule: LinearSchedule,
    given: Given | None,
) -> Frozen | None:
    """Say which rows stay as they were given, and for how long."""
    words = config.training.freeze_words
    if given is None or words == 0:
        return None

    def during(place: Place) -> bool:
        return words is None or schedule.words_before(place) < words

    return Frozen(*given.rows(vocabulary), during)


def share_out(config: Config, parts: Parts, ranks: Ranks) -> Parts:
    """Let the engine of a run share its work with other ranks, if there are any.

    All of them begin with the first one's weights.
    """
    if ranks.size == 1:
        return parts
    sampling, counts = config.sampling, parts.corpus.vocabulary.counts
    kept = counts / counts.sum() * keep_probability(counts, sampling.subsample)
    touches = Touches.expect(
        kept,
        negative_probability(counts, sampling.negative_exponent),
        sampling.negatives,
        sampling.window + 1 if sampling.dynamic_window else 2 * sampling.window,
    )
    exchange = Exchange(parts.model, ranks, touches, config.distributed.frequent_rows)
    sizes = np.diff(parts.schedule.block_starts).tolist()
    engine = DistributedEngine(
        parts.engine,
        ranks,
        exchange,
        parts.schedule,
        sizes.__getitem__,
        round_words=config.distributed.round_words,
        threads=threads_of(config) if _is_fused(config) else 1,
    )
    return parts._replace(engine=engine)


def threads_of(config: Config) -> int:
    """Return how many threads a process uses."""
    if config.training.deterministic:
        return 1
    return config.training.threads or max(1, available_cpus() // local_ranks())


def device_of(config: Config, ranks: Ranks) -> str:
    """Return the device of this rank: each rank of a machine has a GPU of its own."""
    if config.training.device == "cuda" and ranks.size > 1:
        return f"cuda:{local_rank()}"
    return config.training.device


@contextmanager
def _memory_errors(config: ModelConfig, vocabulary_size: int) -> Iterator[None]:
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        gigabytes = 2 * 4 * vocabulary_size * config.dimension / 1e9
        raise TrainingError(
            f"no room for two matrices of {vocabulary_size} x {config.dimension} "
            f"({gigabytes:.1f} GB): lower model.dimension (or "
            "vocabulary.max_vocabulary, or raise min_count)"
        ) from error


def _make_model(config: ModelConfig, vocabulary_size: int, seed: int) -> SkipGram:
    return SkipGram(
        vocabulary_size,
        config.dimension,
        u_range=config.u_range,
        v_range=config.v_range,
        max_norm=config.max_norm,
        scale_grad_by_freq=config.scale_grad_by_freq,
        generator=torch.Generator().manual_seed(seed),
    )


def _make_plan(
    config: SamplingConfig, corpus: EncodedCorpus | PartedCorpus, seed: int
) -> SamplingPlan:
    return SamplingPlan.from_counts(
        corpus.vocabulary.counts,
        window=config.window,
        dynamic=config.dynamic_window,
        negatives=config.negatives,
        negative_exponent=config.negative_exponent,
        subsample=config.subsample,
        seed=seed,
    )


def check_engine(config: Config) -> None:
    """Refuse settings that the engine asked for does not have.

    Raises:
        TrainingError: it does not have them.
    """
    if config.training.engine != "fused":
        return
    for setting, is_asked in _beyond_fused(config).items():
        if is_asked:
            raise TrainingError(
                f"{setting}: the fused engine does not have it; set "
                "training.engine=autograd, which does, or auto"
            )


def _is_fused(config: Config) -> bool:
    return config.training.engine != "autograd" and not any(
        _beyond_fused(config).values()
    )


def _beyond_fused(config: Config) -> dict[str, bool]:
    """Say which settings ask for what only the autograd engine does."""
    return {
        f"training.device={config.training.device}": not _is_cpu(config),
        "model.max_norm": config.model.max_norm is not None,
        "model.scale_grad_by_freq": config.model.scale_grad_by_freq,
    }


def _is_cpu(config: Config) -> bool:
    return config.training.device.partition(":")[0] == "cpu"


def _make_engine(
    config: Config,
    model: SkipGram,
    corpus: EncodedCorpus | PartedCorpus,
    plan: SamplingPlan,
    schedule: LinearSchedule,
    frozen: Frozen | None,
) -> Engine:
    training = config.training
    if not _is_fused(config):
        from sg_train.engines.autograd import AutogradEngine

        return AutogradEngine(
            model,
            corpus.block,
            plan,
            schedule,
            batch_size=training.batch_size,
            loader_workers=training.loader_workers,
            frozen=frozen,
        )
    from sg_train.engines.fused import FusedEngine

    return FusedEngine(
        model,
        corpus.block,
        plan,
        schedule,
        threads=min(threads_of(config), len(corpus.block_starts) - 1),
        frozen=frozen,
    )


def _open_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        if device.type == "cpu":
            return device
        # What training needs of it: sparse gradients, and numbers to read back.
        probe = SkipGram(2, 2).to(device)
        row = torch.zeros(1, dtype=torch.int32, device=device)
        probe(row, row, row.unsqueeze(1)).backward()
        torch.optim.SGD(probe.parameters(), lr=0.1).step()
        probe.u_embeddings.weight.tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise TrainingError(f"training.device={name}: {reason}") from error
    return device
