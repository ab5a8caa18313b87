"""How much memory a run needs, checked before it is allocated."""

from sg_train.config import Config
from sg_train.engines.base import EngineSpec
from sg_train.errors import TrainingError
from sg_train.system.machine import available_memory

_FLOAT = 4
_LIBRARIES = 250e6  # the process with its libraries, without torch, but no data
_INT = 4
_NGRAMS_PER_WORD = 50  # of 3 to 6 characters, long words included
_PER_WORD = 200  # the word itself, its place in lists and tables, limits and aliases


def memory_needed(
    config: Config, vocabulary_size: int, spec: EngineSpec, ranks: int = 1
) -> dict[str, float]:
    """Return the bytes that a run needs at its peak, by purpose.

    Args:
        config: the run's settings.
        vocabulary_size: V.
        spec: the engine that trains it.
        ranks: how many processes train together; the result is for one of them.
    """
    rows = vocabulary_size + config.model.input_rows(vocabulary_size)
    matrices = 1.0 * _FLOAT * rows * config.model.dimension
    per_word = _PER_WORD + (_NGRAMS_PER_WORD * _INT if config.model.ngrams else 0)
    needed = {
        "libraries": _LIBRARIES,
        **spec.memory(config, vocabulary_size),
        "words and tables": float(per_word * vocabulary_size),
        "a checkpoint while it is written": 3 * matrices,
    }
    if ranks > 1:
        needed["the exchange between ranks"] = 2 * matrices
    return needed


def check_memory(
    config: Config, vocabulary_size: int, spec: EngineSpec, ranks: int = 1
) -> None:
    """Refuse a run that needs more than the free memory.

    Raises:
        TrainingError: it needs more.
    """
    free = available_memory()
    by_purpose = memory_needed(config, vocabulary_size, spec, ranks)
    # The libraries are loaded by now.
    needed = sum(by_purpose.values()) - by_purpose["libraries"]
    if free is None or needed <= free:
        return
    listed = ", ".join(
        f"{purpose} {size / 1e9:.1f} GB"
        for purpose, size in by_purpose.items()
        if size >= 5e7
    )
    buckets = ", model.buckets" if config.model.ngrams else ""
    raise TrainingError(
        f"not enough memory: {vocabulary_size} words of dimension "
        f"{config.model.dimension} need {needed / 1e9:.1f} GB ({listed}), but only "
        f"{free / 1e9:.1f} GB is free; lower model.dimension{buckets} or "
        "vocabulary.max_vocabulary, or raise vocabulary.min_count"
    )
