"""A run: from a config to trained vectors, block by block."""

import importlib.metadata
import math
import platform
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from sg_train.config import Config, ModelConfig, SamplingConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import open_corpus
from sg_train.engines.base import BlockResult, Engine
from sg_train.errors import TrainingError
from sg_train.machine import available_cpus
from sg_train.model import SkipGram
from sg_train.sampling.loader import Place
from sg_train.sampling.windows import SamplingPlan
from sg_train.training.board import Board
from sg_train.training.progress import Progress
from sg_train.training.run_directory import RunDirectory
from sg_train.training.schedule import LinearSchedule
from sg_train.training.scoring import Scoring, segments
from sg_train.vectors.formats import save_vectors


def train(config: Config, out: Path, *, overwrite: bool = False) -> None:
    """Train what `config` describes and leave the result in the directory `out`.

    Raises:
        OutputError: `out` is taken or cannot be written.
        CorpusError: the text cannot be read or leaves no vocabulary.
        TrainingError: the device is not there, or the weights become infinite.
    """
    run = RunDirectory(out)
    run.check_free(overwrite=overwrite)
    threads = config.training.threads or available_cpus()
    _check_engine(config)
    device = _open_device(config.training.device)
    corpus = open_corpus(config.corpus, config.vocabulary, threads)
    asked = config
    config = _with_corpus_settings(config, corpus)
    torch.set_num_threads(threads)
    with _memory_errors(config.model, len(corpus.vocabulary)):
        model = _make_model(config.model, len(corpus.vocabulary), config.training.seed)
        model.to(device)
    schedule = LinearSchedule(
        config.training.learning_rate,
        config.training.final_learning_rate,
        config.training.epochs,
        corpus.block_starts,
    )
    plan = _make_plan(config.sampling, corpus, config.training.seed)
    engine = _make_engine(config, model, corpus, plan, schedule)
    evaluation = config.evaluation
    scoring = None
    if evaluation.similarity or evaluation.analogies:
        scoring = Scoring(evaluation, corpus.vocabulary.words)
    run.create(config, corpus.vocabulary, _record(asked, corpus))
    board = Board(run.tensorboard_directory) if evaluation.tensorboard else None
    listener = board.add_line if board else None
    with Progress(run.metrics_file, schedule.words, listener) as progress:
        blocks = _Blocks(engine, schedule, progress, config)
        every = evaluation.every_words if scoring else schedule.words
        for places in segments(schedule, every):
            blocks.train(places)
            if scoring and _score(model, scoring, progress, run, config):
                break
    _save(model, run, config)
    if board:
        board.close(run.load_vectors(config.export.matrix))


def _record(config: Config, corpus: EncodedCorpus) -> dict[str, Any]:
    libraries = ("sg-train", "torch", "numpy", "numba", "pyarrow")
    versions = {name: importlib.metadata.version(name) for name in libraries}
    return {
        "config_hash": config.hash(),
        "command": sys.argv,
        "versions": {"python": platform.python_version(), **versions},
        "processor": platform.processor() or platform.machine(),
        "corpus": corpus.meta,
    }


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


def _with_corpus_settings(config: Config, corpus: EncodedCorpus) -> Config:
    """Let the run's config say how a corpus that was prepared before was made."""
    made_with = corpus.meta["fingerprint"]["settings"]
    values = config.model_dump()
    for section in (values["corpus"], values["vocabulary"]):
        section.update({key: made_with[key] for key in section if key in made_with})
    return Config.model_validate(values)


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
    config: SamplingConfig, corpus: EncodedCorpus, seed: int
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


def _check_engine(config: Config) -> None:
    if config.training.engine != "fused":
        return
    for setting, is_asked in _beyond_fused(config).items():
        if is_asked:
            raise TrainingError(
                f"{setting}: the fused engine does not have it; set "
                "training.engine=autograd, which does, or auto"
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
    corpus: EncodedCorpus,
    plan: SamplingPlan,
    schedule: LinearSchedule,
) -> Engine:
    training = config.training
    if training.engine == "autograd" or any(_beyond_fused(config).values()):
        from sg_train.engines.autograd import AutogradEngine

        return AutogradEngine(
            model,
            corpus.block,
            plan,
            schedule,
            batch_size=training.batch_size,
            loader_workers=training.loader_workers,
        )
    from sg_train.engines.fused import FusedEngine

    fused = FusedEngine(
        model,
        corpus.block,
        plan,
        schedule,
        threads=min(training.threads or available_cpus(), len(corpus.block_starts) - 1),
    )
    note = "getting the kernel ready (the first run compiles it, about 5 s)"
    with tqdm(desc=note, bar_format="{desc}", leave=False, disable=None):
        fused.compile()
    return fused


class _Blocks:
    """Trains on blocks and watches what comes of it."""

    def __init__(
        self,
        engine: Engine,
        schedule: LinearSchedule,
        progress: Progress,
        config: Config,
    ) -> None:
        self._engine = engine
        self._words_an_epoch = schedule.words // schedule.epochs
        self._progress = progress
        self._config = config
        self._words = self._pairs = 0

    def train(self, places: Iterable[Place]) -> None:
        for result in self._engine.train(places):
            _check_finite(result, self._config)
            self._progress.add(result)
            self._pairs += result.pairs
            self._words += result.words
            if not self._pairs and self._words >= self._words_an_epoch:
                raise TrainingError(
                    "no sentence has two words after subsampling, so nothing can be "
                    "learnt: raise sampling.subsample, lower vocabulary.min_count or "
                    "give more text"
                )


def _score(
    model: SkipGram,
    scoring: Scoring,
    progress: Progress,
    run: RunDirectory,
    config: Config,
) -> bool:
    """Evaluate, keep the best weights, and say whether training is over."""
    with progress.pause():
        weights = _weights(model, config)
        scores = scoring.score(run.to_vectors(weights, config.export.matrix))
        if scoring.is_best:
            run.save_weights(weights, as_best=True)
        progress.add_scores(scores)
    return scoring.is_over


def _check_finite(result: BlockResult, config: Config) -> None:
    if not math.isfinite(result.loss):
        raise TrainingError(
            f"the loss became {result.loss} in epoch {result.place.epoch}, block "
            f"{result.place.block}: lower training.learning_rate "
            f"(now {config.training.learning_rate}) or, with the autograd engine, "
            f"training.batch_size (now {config.training.batch_size})"
        )


def _save(model: SkipGram, run: RunDirectory, config: Config) -> None:
    if run.best_file.exists():
        run.take_best()
    else:
        run.save_weights(_weights(model, config))
    save_vectors(
        run.load_vectors(config.export.matrix),
        run.vectors_file(config.export.format),
        config.export.format,
    )


def _weights(model: SkipGram, config: Config) -> dict[str, NDArray[np.float32]]:
    u, v = (
        embedding.weight.detach().cpu().numpy()
        for embedding in (model.u_embeddings, model.v_embeddings)
    )
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise TrainingError(
            "the weights are no longer finite: lower training.learning_rate "
            f"(now {config.training.learning_rate})"
        )
    return {"u": u, "v": v}
