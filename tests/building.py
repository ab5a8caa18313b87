"""Engines for tests, built without a run."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sg_train.blocks import Block, BlockRef
from sg_train.choices import VectorFormat
from sg_train.config import SamplingConfig
from sg_train.corpus.meta import CorpusMeta, Fingerprint
from sg_train.engines.base import Frozen, RateLine
from sg_train.engines.fused.engine import FusedEngine
from sg_train.engines.fused.layout import lay_out
from sg_train.model.skip_gram import SkipGram
from sg_train.runs.record import RunRecord
from sg_train.sampling.touches import Touches
from sg_train.sampling.windows import SamplingPlan
from sg_train.vectors import formats
from sg_train.vectors.word_vectors import WordVectors
from tests.conftest import ROOT


def in_plain_python(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which the kernel is plain Python, which checks every index."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:overflow", "-c", script],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def sampling(**settings) -> dict[str, Any]:
    """Return all settings of a plan except the seed, by default the config's."""
    default = SamplingConfig()
    return {
        "window": default.window,
        "dynamic": default.dynamic_window,
        "negatives": default.negatives,
        "negative_exponent": default.negative_exponent,
        "subsample": default.subsample,
        **settings,
    }


def make_plan(counts, *, seed: int = 1, **settings) -> SamplingPlan:
    return SamplingPlan.from_counts(
        np.asarray(counts), seed=seed, **sampling(**settings)
    )


def expect_touches(counts, **settings) -> Touches:
    return Touches.expect(np.asarray(counts), **sampling(**settings))


class Rates:
    """A schedule given by the rate at a block's start and its slope."""

    def __init__(self, line: Callable[[BlockRef], tuple[float, float]]) -> None:
        self._line = line

    def line(self, ref: BlockRef) -> RateLine:
        return RateLine(*self._line(ref))


def constant(rate: float) -> Rates:
    return Rates(lambda _: (rate, 0.0))


def fused_engine(
    model: SkipGram,
    read_block: Callable[[int], Block],
    plan: SamplingPlan,
    schedule: Rates,
    *,
    counts: NDArray[np.int64] | None = None,
    frozen: Frozen | None = None,
    **sizes,
) -> FusedEngine:
    """Return an engine for a model, whose weights are moved to where it needs them."""
    busiest = 1.0
    if counts is not None:
        settings = {"window": plan.window, "negatives": plan.negatives}
        busiest = expect_touches(counts, **settings).busiest
    layout = lay_out(
        plan,
        model.embed_size,
        model.embed_dimension,
        busiest=busiest,
        has_frozen=frozen is not None,
        word_rows=model.word_rows,
        **sizes,
    )
    rows = []
    for embedding, mine in (
        (model.u_embeddings, layout.new_u()),
        (model.v_embeddings, layout.new_v()),
    ):
        matrix = torch.from_numpy(mine).view(-1, layout.shape.row)
        matrix = matrix[: len(embedding.weight), : model.embed_dimension]
        matrix.copy_(embedding.weight.detach())
        embedding.weight.data = matrix
        rows.append(mine)
    u, v = rows
    return FusedEngine(layout, u, v, read_block, schedule, frozen=frozen)


def save_vectors(vectors: WordVectors, path: Path, form: VectorFormat) -> None:
    formats.save_vectors(formats.Content(vectors.words, vectors.matrix), path, form)


def load_vectors(path: Path) -> WordVectors:
    words, matrix, subwords, counts = formats.load_vectors(path)
    return WordVectors(words, matrix, subwords=subwords, counts=counts)


def a_meta(**changes) -> CorpusMeta:
    """Return an example description of a prepared corpus."""
    fingerprint = Fingerprint(settings={}, inputs=None)
    known = {"words": 3, "sentences": 1, "vocabulary": 2, "checksum": "c"}
    return CorpusMeta(**{**known, "fingerprint": fingerprint, **changes})


def a_record(**changes) -> RunRecord:
    """Return an example record of a run."""
    return RunRecord(**{"config_hash": "h", "corpus": a_meta(), **changes})


def of(vectors: WordVectors) -> tuple[Sequence[str], NDArray[np.float32]]:
    """Return words and matrix, as the functions that write files take them."""
    return vectors.words, vectors.matrix
