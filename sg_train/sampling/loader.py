"""A torch loader of blocks of windows.

A whole block is drawn at once and sliced into mini-batches by the engine: the draws are
vectorised over tens of thousands of windows, and a block crosses to a worker's consumer
or to another device in one piece.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sg_train.errors import SgTrainError, TrainingError
from sg_train.sampling.windows import SamplingPlan, draw_windows


class Place(NamedTuple):
    """One block in one epoch, or one of the equal parts of it; all counted from 0.

    The draws of a part are those that the whole block has there.
    """

    epoch: int
    block: int
    part: int = 0
    parts: int = 1


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


def offsets_of(place: Place, sentences: Sentences) -> NDArray[np.int64]:
    """Return where the sentences of a part start in their block, and its end.

    A sentence belongs to the part in which it starts, by words.

    >>> class Block:
    ...     ids, offsets = np.zeros(9), np.array([0, 2, 5, 9])
    >>> [offsets_of(Place(0, 0, part, 2), Block).tolist() for part in (0, 1)]
    [[0, 2, 5], [5, 9]]
    """
    offsets = sentences.offsets
    if place.parts == 1:
        return offsets
    bounds = len(sentences.ids) * np.array([place.part, place.part + 1])
    first, last = np.searchsorted(offsets * place.parts, bounds)
    return offsets[first : last + 1]


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


class _WindowDataset(Dataset[WindowBlock | SgTrainError]):
    def __init__(
        self, read_block: Callable[[int], Sentences], plan: SamplingPlan
    ) -> None:
        self._read_block = read_block
        self._plan = plan

    def __getitem__(self, place: Place) -> WindowBlock | SgTrainError:
        try:
            sentences = self._read_block(place.block)
        except SgTrainError as error:  # raised, it would bring a worker's traceback
            return error
        offsets = offsets_of(place, sentences)
        windows = draw_windows(
            sentences.ids, offsets, self._plan, place.epoch, place.block
        )
        return WindowBlock(
            place,
            int(offsets[-1] - offsets[0]),
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
) -> Iterator[WindowBlock]:
    """Load the windows of blocks, in the order of `places`.

    Args:
        read_block: returns a block's sentences by its number.
        plan: what decides the draws.
        places: which blocks, in which order.
        workers: processes that draw ahead; with 0 each block is drawn when asked for.
        pin_memory: whether the tensors lie in page-locked memory, for CUDA.
    """
    loader = DataLoader(
        _WindowDataset(read_block, plan),
        batch_size=None,
        sampler=places,
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_signals,
    )
    try:
        for block in loader:
            if isinstance(block, SgTrainError):
                raise block
            yield block
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise TrainingError(
            "a process that draws windows was ended from outside (for want of "
            "memory?): lower training.loader_workers; sg-train resume goes on"
        ) from error


def _ignore_signals(_worker: int) -> None:
    """Leave signals, which may reach every process, to the one that trains."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
