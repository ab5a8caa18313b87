"""The fused engine: the same step, compiled for the CPU, on several threads.

layout     the sizes that the kernel is compiled for, and each thread's scratch
tables     keys and tables of the draws
draws      which words are kept, window widths, negatives
gather     the rows of a window, and prefetching those of a later one
step       dots, slopes, merge, move
composed   input vectors that are made of several rows
frozen     rows that must not move
apart      frequent rows that lie apart while several threads train
hot_rows   each thread's copies of the most frequent words' rows
block      all windows of a block: the compiled entry
compiling  how `block` and what it calls are compiled, by numba
machine_code  compiled code on disk, loaded without numba
kernel     `block` as a function that is compiled or loaded as needed
engine     blocks on several threads
"""

from sg_train.config import Config
from sg_train.engines.base import Engine, EngineSpec, Task
from sg_train.model.embeddings import Embeddings
from sg_train.system.machine import available_cpus

_WIDEST_VECTOR = 16  # float32


def _why_not(config: Config) -> str | None:
    device = config.training.device
    if device.partition(":")[0] != "cpu":
        return f"training.device={device}: the fused engine runs on the CPU only"
    if config.model.max_norm is not None:
        return "model.max_norm: the fused engine does not measure rows"
    if config.model.scale_grad_by_freq:
        return (
            "model.scale_grad_by_freq: counts words in a batch, and the fused engine "
            "takes one window per step"
        )
    return None


def _memory(config: Config, vocabulary_size: int) -> dict[str, float]:
    row = -(-config.model.dimension // _WIDEST_VECTOR) * _WIDEST_VECTOR
    threads = config.training.threads or available_cpus()
    rows = vocabulary_size + config.model.input_rows(vocabulary_size)
    per_word = 28 + 4 * config.sampling.negatives  # of a sentence, see layout.Sentence
    return {
        "u and v": 4.0 * rows * row,
        "sentences": 1.0 * threads * config.corpus.max_sentence_length * per_word,
    }


def _build(task: Task) -> tuple[Embeddings, Engine]:
    from sg_train.engines.fused.engine import build  # noqa: PLC0415 (loads numba)

    return build(task)


SPEC = EngineSpec(
    name="fused",
    why_not=_why_not,
    windows_per_step=lambda _: 1,
    threads=lambda threads: threads,
    memory=_memory,
    build=_build,
    compiling="loading the kernel (the first run compiles it, about 5 s)",
)
