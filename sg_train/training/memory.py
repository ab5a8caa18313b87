"""How much memory a run will take, before it takes it."""

from sg_train.config import Config
from sg_train.errors import TrainingError
from sg_train.machine import available_memory

_FLOAT = 4
_LIBRARIES = 450e6  # the process with torch, numba and pyarrow, before it has any data
_A_WORD = 200  # the word itself, its place in lists and tables, limits and aliases
_LANES = 16  # the widest vectors: rows of the fused engine are padded to a multiple
_BLOCK_WORDS = 250_000


def memory_needed(
    config: Config, vocabulary_size: int, *, fused: bool = True, ranks: int = 1
) -> dict[str, float]:
    """Return the bytes that each part of a run takes at its peak.

    Args:
        config: the run's settings.
        vocabulary_size: V.
        fused: whether the fused engine trains.
        ranks: how many processes train together; the bytes are one's.
    """
    dimension = config.model.dimension
    matrices = 2.0 * _FLOAT * vocabulary_size * dimension
    row = -(-dimension // _LANES) * _LANES if fused else dimension
    parts = {
        "libraries": _LIBRARIES,
        "u and v": 2.0 * _FLOAT * vocabulary_size * row,
        "words and tables": float(_A_WORD * vocabulary_size),
        "a checkpoint while it is written": 3 * matrices,
    }
    if not fused:
        columns = 2 * config.sampling.window + config.sampling.negatives + 8
        parts["a block of windows"] = 4.0 * _FLOAT * _BLOCK_WORDS * columns
    if ranks > 1:
        parts["what the ranks have agreed on, and exchange"] = 2 * matrices
    return parts


def check_memory(
    config: Config, vocabulary_size: int, *, fused: bool = True, ranks: int = 1
) -> None:
    """Refuse a run for which the memory that is free will not do.

    Raises:
        TrainingError: it will not.
    """
    free = available_memory()
    parts = memory_needed(config, vocabulary_size, fused=fused, ranks=ranks)
    # The libraries are loaded by now.
    needed = sum(parts.values()) - parts["libraries"]
    if free is None or needed <= free:
        return
    listed = ", ".join(
        f"{name} {size / 1e9:.1f}" for name, size in parts.items() if size >= 5e7
    )
    raise TrainingError(
        f"not enough memory: {vocabulary_size} words of dimension "
        f"{config.model.dimension} need {needed / 1e9:.1f} GB ({listed}), and "
        f"{free / 1e9:.1f} GB are free; lower model.dimension or "
        "vocabulary.max_vocabulary, or raise vocabulary.min_count"
    )
