"""The triton engine: the same step, compiled for a GPU.

kernel  draws, windows and the step of a block, as Triton compiles them
engine  blocks on a device, one after another
"""

import os
from importlib.util import find_spec

from sg_train.config import Config, ModelConfig, SamplingConfig
from sg_train.engines.base import Engine, EngineSpec, Task
from sg_train.model.embeddings import Model

_LARGEST_BLOCK = 500_000  # words
_WIDEST_WINDOW, _MOST_NEGATIVES = 32, 31  # for which a program has registers
_IN_FLIGHT = 512  # about as many windows as an H200 trains at a time


def is_interpreted() -> bool:
    """Return whether Triton is asked to run kernels in Python, for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def in_flight(config: Config) -> int:
    """Return how many windows are trained at once, at most."""
    return config.training.batch_size or _IN_FLIGHT


def _why_not(config: Config) -> str | None:
    device = config.training.device.partition(":")[0]
    if device != "cuda" and not is_interpreted():
        return (
            f"training.device={config.training.device}: the triton engine needs a "
            "CUDA device"
        )
    if find_spec("triton") is None:
        return (
            "training.engine=triton: Triton is not installed; it comes with torch's "
            "builds for CUDA"
        )
    return _why_not_these(config.model) or _why_not_so_many(config.sampling)


def _why_not_so_many(sampling: SamplingConfig) -> str | None:
    for name, value, most in (
        ("window", sampling.window, _WIDEST_WINDOW),
        ("negatives", sampling.negatives, _MOST_NEGATIVES),
    ):
        if value > most:
            return f"sampling.{name}={value}: the triton engine takes at most {most}"
    return None


def _why_not_these(model: ModelConfig) -> str | None:
    if model.ngrams is not None:
        return "model.ngrams: the triton engine takes each word's own row only"
    if model.max_norm is not None:
        return "model.max_norm: the triton engine does not measure rows"
    if model.scale_grad_by_freq:
        return (
            "model.scale_grad_by_freq: counts words in a batch, and the triton engine "
            "has no batches"
        )
    return None


def _memory(config: Config, vocabulary_size: int) -> dict[str, float]:
    row = 4.0 * config.model.dimension
    return {
        "u and v": 2 * vocabulary_size * row,
        "a block": 2 * 40.0 * _LARGEST_BLOCK,
    }


def _build(task: Task) -> tuple[Model, Engine]:
    from sg_train.engines.triton.engine import build  # noqa: PLC0415 (loads torch)

    return build(task)


SPEC = EngineSpec(
    name="triton",
    why_not=_why_not,
    windows_per_step=in_flight,
    threads=lambda _: 1,
    memory=_memory,
    build=_build,
    compiling="compiling the kernel for this GPU",
)
