"""Blocks on a GPU: each is copied there, and everything else happens there."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
import triton
from numpy.typing import NDArray
from torch import Tensor

from sg_train.blocks import Block, BlockRef
from sg_train.engines.base import (
    BlockResult,
    Engine,
    Frozen,
    RateLine,
    Schedule,
    Task,
)
from sg_train.engines.triton import in_flight
from sg_train.engines.triton.kernel import close_up, keep_words, train_windows
from sg_train.errors import TrainingError
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.draws import Purpose
from sg_train.sampling.windows import SamplingPlan

_WORDS_PER_PROGRAM = 1024  # while words are kept and closed up
_WARPS = 2  # of a program that trains
_NUMBERS = 2048  # of a window's rows of u or v, that such a program holds at a time
_SMALLEST_PRODUCT = 16  # rows and columns that `tl.dot` takes at least
_PURPOSES = (Purpose.KEEP, Purpose.WINDOW, Purpose.NEGATIVE)


class _Launched(NamedTuple):
    """A block whose work is on its way."""

    ref: BlockRef
    words: int
    rate: float
    totals: Tensor  # (2,) float64 on the host: the loss and the pairs
    is_done: torch.cuda.Event | None  # None on a CPU, which is done at once


class TritonEngine:
    """Trains window by window in many places of a block at once."""

    def __init__(
        self,
        model: SkipGram,
        read_block: Callable[[int], Block],
        plan: SamplingPlan,
        schedule: Schedule,
        *,
        in_flight: int,
        frozen: Frozen | None = None,
    ) -> None:
        """Copy the tables to the device that holds `model`.

        Args:
            model: trained in place.
            read_block: returns a block by its number.
            plan: the settings and tables that decide the draws.
            schedule: how the learning rate falls.
            in_flight: W, the number of windows that are trained at once.
            frozen: rows that stay fixed.
        """
        self._u, self._v = (weight.data for weight in model.parameters())
        self._read_block, self._plan, self._schedule = read_block, plan, schedule
        self._in_flight = in_flight
        self._frozen = frozen
        self._limits = self._on_device(plan.keep_limits.astype(np.int64))
        self._table = self._on_device(plan.negative_table.astype(np.int64))
        free = (~frozen.u, ~frozen.v) if frozen else (np.ones(1, dtype=np.bool_),) * 2
        self._free = [self._on_device(rows.astype(np.int8)) for rows in free]

    def compile(self) -> None:
        """Compile the kernels by training on one word, which has no contexts.

        Raises:
            TrainingError: Triton cannot compile for this device.
        """
        one = Block(np.zeros(1, dtype=np.int32), np.array([0, 1]))
        for is_frozen in {False, self._frozen is not None}:
            try:
                self._launch(one, BlockRef(0, 0), RateLine(0, 0), is_frozen=is_frozen)
            except Exception as error:
                # Triton's own classes of errors differ between its versions.
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                raise TrainingError(
                    f"training.device={self._u.device}: Triton cannot compile for it "
                    f"({reason}); set training.engine=autograd"
                ) from error

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        """Train on blocks in the order of `refs`; see `Engine.train`.

        The next block is read while the device works on one.
        """
        before: _Launched | None = None
        for ref in refs:
            is_frozen = self._frozen is not None and self._frozen.during(ref)
            line = self._schedule.line(ref)
            block = self._read_block(ref.block)
            launched = self._launch(block, ref, line, is_frozen=is_frozen)
            if before is not None:
                yield _result(before)
            before = launched
        if before is not None:
            yield _result(before)

    def _launch(
        self, block: Block, ref: BlockRef, rate_at: RateLine, *, is_frozen: bool
    ) -> _Launched:
        offsets = block.slice_offsets(ref)
        first, end = int(offsets[0]), int(offsets[-1])
        words = end - first
        rate = rate_at(max(0, end - 1))
        if not words:
            return _Launched(ref, 0, rate, torch.zeros(2), None)
        losses = torch.zeros(
            self._in_flight, dtype=torch.float64, device=self._u.device
        )
        pairs = torch.zeros(self._in_flight, dtype=torch.int64, device=self._u.device)
        keys = self._on_device(keys_of(self._plan, ref))
        kept, count = self._kept(block.ids[first:end], offsets, keys)
        plan, dimension = self._plan, self._u.shape[1]
        contexts, targets = _padded(2 * plan.window), _padded(1 + plan.negatives)
        train_windows[(self._in_flight,)](
            self._u,
            self._v,
            *self._free,
            kept,
            count,
            keys,
            self._table,
            losses,
            pairs,
            words,
            len(self._v),
            rate_at.start,
            rate_at.slope,
            REACH=plan.window,
            DYNAMIC=plan.dynamic,
            K=plan.negatives,
            M=contexts,
            T=targets,
            D=_columns(max(contexts, targets), dimension),
            DIMENSION=dimension,
            FROZEN=is_frozen,
            num_warps=_WARPS,
        )
        totals = torch.stack((losses.sum(), pairs.sum().double()))
        # Copied before the next block, for whose end the copy would wait otherwise.
        totals = totals.to("cpu", non_blocking=True)
        is_done = torch.cuda.Event() if self._u.is_cuda else None
        if is_done is not None:
            is_done.record()
        return _Launched(ref, words, rate, totals, is_done)

    def _kept(
        self, ids: NDArray[np.int32], offsets: NDArray[np.int64], keys: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the words that are kept, as `close_up` writes them, and their number.

        The number stays on the device, so that nothing waits for it.
        """
        first, words = int(offsets[0]), len(ids)
        on_device = self._on_device(ids)
        starts = self._on_device(offsets - first)
        grid = (triton.cdiv(words, _WORDS_PER_PROGRAM),)
        kept = torch.empty(words, dtype=torch.int32, device=self._u.device)
        keep_words[grid](
            on_device, keys, self._limits, kept, first, words, SIZE=_WORDS_PER_PROGRAM
        )
        before = torch.cumsum(kept, 0, dtype=torch.int32)
        lengths = starts.diff()
        sentences = torch.repeat_interleave(
            torch.arange(len(lengths), dtype=torch.int32, device=self._u.device),
            lengths,
            output_size=words,
        )
        counts = torch.cat((before.new_zeros(1), before))
        out = torch.empty((4, words), dtype=torch.int32, device=self._u.device)
        close_up[grid](
            on_device,
            kept,
            before,
            sentences,
            counts[starts],
            out,
            first,
            words,
            SIZE=_WORDS_PER_PROGRAM,
        )
        return out, counts[-1:]

    def _on_device(self, array: NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._u.is_cuda:
            tensor = tensor.pin_memory()  # else the copy waits for the blocks before
        return tensor.to(self._u.device, non_blocking=True)


def _result(launched: _Launched) -> BlockResult:
    if launched.is_done is not None:
        launched.is_done.synchronize()
    loss, pairs = launched.totals.tolist()
    return BlockResult(launched.ref, launched.words, int(pairs), loss, launched.rate)


def keys_of(plan: SamplingPlan, ref: BlockRef) -> NDArray[np.int64]:
    """Return the bits of the keys of a block's draws, (3,) int64."""
    keys = [plan.key(ref.epoch, ref.block, purpose) for purpose in _PURPOSES]
    return np.array(keys, dtype=np.uint64).view(np.int64)


def _columns(rows: int, dimension: int) -> int:
    """Return how many columns of a window's rows a program takes at a time.

    >>> [_columns(rows, 100) for rows in (16, 32, 64)], _columns(16, 20)
    ([128, 64, 32], 32)
    """
    return min(_NUMBERS // rows, _padded(dimension))


def _padded(size: int) -> int:
    return int(max(_SMALLEST_PRODUCT, triton.next_power_of_2(size)))


def build(task: Task) -> tuple[SkipGram, Engine]:
    """Return a model with initial weights on the device, and its engine."""
    config = task.config
    model = SkipGram(
        len(task.counts),
        config.model.dimension,
        u_range=config.model.u_range,
        v_range=config.model.v_range,
        seed=config.training.seed,
    ).to(task.device)
    return model, TritonEngine(
        model,
        task.read_block,
        task.plan,
        task.schedule,
        in_flight=in_flight(config),
        frozen=task.frozen,
    )
