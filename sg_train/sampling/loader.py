"""A torch loader of blocks of windows.

A whole block is drawn at once and sliced into mini-batches by the engine: the draws are
vectorised over tens of thousands of windows, and a block crosses to a worker's consumer
or to another device in one piece.
"""

import signal
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sg_train.sampling.windows import SamplingPlan, draw_windows


class Place(NamedTuple):
    """One block in one epoch, both counted from 0."""

    epoch: int
    block: int


class Sentences(Protocol):
    """What the loader needs of a block; see `corpus.encoded.Block`."""

    @property
    def ids(self) -> NDArray[np.int32]:
        """(n,) word ids."""
        ...

    @property
    def offsets(self) -> NDArray[np.int64]:
        """(sentences + 1,) where in `ids` each sentence starts, and n."""
        ...


class WindowBlock(NamedTuple):
    """The windows of one block as tensors; see `sampling.windows.Windows`.

    Attributes:
        place: which block, in which epoch.
        words: the block's words before subsampling.
        pairs: (context, centre) pairs in the windows.
        contexts: (N, 2 * window) int32.
        centres: (N,) int32.
        negatives: (N, K) int32.
        positions: (N,) int32.
    """

    place: Place
    words: int
    pairs: int
    contexts: Tensor
    centres: Tensor
    negatives: Tensor
    positions: Tensor


class _WindowDataset(Dataset[WindowBlock]):
    def __init__(
        self, read_block: Callable[[int], Sentences], plan: SamplingPlan
    ) -> None:
        self._read_block = read_block
        self._plan = plan

    def __getitem__(self, place: Place) -> WindowBlock:
        sentences = self._read_block(place.block)
        windows = draw_windows(sentences.ids, sentences.offsets, self._plan, *place)
        return WindowBlock(
            place,
            len(sentences.ids),
            windows.pairs,
            torch.from_numpy(windows.contexts),
            torch.from_numpy(windows.centres),
            torch.from_numpy(windows.negatives),
            torch.from_numpy(windows.positions),
        )


def window_loader(
    read_block: Callable[[int], Sentences],
    plan: SamplingPlan,
    places: Iterable[Place],
    *,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterable[WindowBlock]:
    """Load the windows of blocks, in the order of `places`.

    Args:
        read_block: returns a block's sentences by its number.
        plan: what decides the draws.
        places: which blocks, in which order.
        workers: processes that draw ahead; with 0 each block is drawn when asked for.
        pin_memory: whether the tensors lie in page-locked memory, for CUDA.
    """
    return DataLoader(
        _WindowDataset(read_block, plan),
        batch_size=None,
        sampler=places,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_interrupts,
    )


def _ignore_interrupts(_worker: int) -> None:
    """Leave Ctrl-C, which reaches every process, to the one that trains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
