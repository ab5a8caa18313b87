"""A torch loader of blocks of windows.

The windows of a whole block are drawn at once, and the engine slices them into
mini-batches. So the draws are vectorised over tens of thousands of windows, and a block
moves from a worker process or to another device in one piece.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sg_train.blocks import Block, BlockRef
from sg_train.errors import SgTrainError, TrainingError
from sg_train.sampling.windows import SamplingPlan, draw_windows


class WindowBlock(NamedTuple):
    """The windows of one block as tensors; see `sampling.windows.Windows`.

    Attributes:
        ref: which block, in which epoch.
        words: the block's words before subsampling.
        pairs: (context, centre) pairs in the windows.
        contexts: (N, 2 * window) int32.
        centres: (N,) int32.
        negatives: (N, K) int32.
        positions: (N,) int32.
    """

    ref: BlockRef
    words: int
    pairs: int
    contexts: Tensor
    centres: Tensor
    negatives: Tensor
    positions: Tensor


class _WindowDataset(Dataset[WindowBlock | SgTrainError]):
    def __init__(self, read_block: Callable[[int], Block], plan: SamplingPlan) -> None:
        self._read_block = read_block
        self._plan = plan

    def __getitem__(self, ref: BlockRef) -> WindowBlock | SgTrainError:
        try:
            block = self._read_block(ref.block)
        except SgTrainError as error:  # raising it would add a worker's traceback
            return error
        offsets = block.slice_offsets(ref)
        windows = draw_windows(block.ids, offsets, self._plan, ref.epoch, ref.block)
        return WindowBlock(
            ref,
            int(offsets[-1] - offsets[0]),
            windows.pairs,
            torch.from_numpy(windows.contexts),
            torch.from_numpy(windows.centres),
            torch.from_numpy(windows.negatives),
            torch.from_numpy(windows.positions),
        )


def window_loader(
    read_block: Callable[[int], Block],
    plan: SamplingPlan,
    refs: Iterable[BlockRef],
    *,
    workers: int = 0,
    pin_memory: bool = False,
) -> Iterator[WindowBlock]:
    """Load the windows of blocks, in the order of `refs`.

    Args:
        read_block: returns a block by its number.
        plan: the settings and tables that decide the draws.
        refs: which blocks, in which order.
        workers: processes that draw ahead; with 0, blocks are drawn on demand.
        pin_memory: whether the tensors lie in page-locked memory, for CUDA.
    """
    loader = DataLoader(
        _WindowDataset(read_block, plan),
        batch_size=None,
        sampler=refs,
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
            "a loader process was killed, perhaps because memory ran out: lower "
            "training.loader_workers, then continue with sg-train resume"
        ) from error


def _ignore_signals(_worker: int) -> None:
    """Leave signals, which may reach every process, to the one that trains."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
