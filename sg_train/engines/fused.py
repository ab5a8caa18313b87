"""The fused engine: the same step on the same weights at the speed of the processor."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sg_train.engines import kernel
from sg_train.engines.base import BlockResult, Frozen
from sg_train.engines.vector import native_lanes
from sg_train.model import SkipGram
from sg_train.sampling.draws import Purpose
from sg_train.sampling.loader import Place, Sentences, offsets_of
from sg_train.sampling.windows import SamplingPlan

_CACHE_LINE = 64  # bytes, and the widest vectors
_WIDEST_TILE = {4: 6, 8: 6, 16: 8}  # targets that leave registers for the rest
# How often all threads together may touch the row of the most frequent word before
# copies of it are made equal again: with ten times as many, learning suffers.
_TOUCHES = 256
_WINDOWS_A_COPY = 8  # or handing over takes longer than it saves
_MOST_COPIES = 1024


class FusedEngine:
    """Trains window by window on several threads, which share the weights.

    Threads do not wait for one another when they change a row (Hogwild: Recht et al.
    2011), so only one thread gives the same result every time. Several have copies of
    the rows of the most frequent words, as caches of one's own are much faster to write
    to than what another has just written to (cf. Zhang, Hsieh and Akella 2016).
    """

    def __init__(
        self,
        model: SkipGram,
        read_block: Callable[[int], Sentences],
        plan: SamplingPlan,
        learning_rate: Callable[[Place, int], float],
        *,
        threads: int = 1,
        lanes: int | None = None,
        frozen: Frozen | None = None,
    ) -> None:
        """Set the engine up, and lay the model's weights out as vectors need them.

        Args:
            model: on the CPU; its weights are trained in place. Their rows are moved to
                where they start on a multiple of the vector width, so the weights are
                no longer contiguous.
            read_block: returns a block's sentences by its number, with ids checked to
                lie below the vocabulary's size and offsets that rise.
            plan: what decides the draws.
            learning_rate: the rate at a place in the run and a position in its block;
                linear within a block.
            threads: blocks that are worked on at the same time.
            lanes: the vector width in float32, by default the processor's own.
            frozen: rows that stay as they are. What would move them goes to a spare
                row, of which each thread has its own. While some are, there are no
                copies of frequent words' rows.
        """
        self._read_block = read_block
        self._plan = plan
        self._learning_rate = learning_rate
        self._threads = threads
        self._shape = make_shape(model.embed_dimension, plan, lanes or native_lanes())
        copies = [
            make_copies(number, threads, model.embed_size, plan, self._shape)
            for number in range(threads)
        ]
        more = sum(copy.hot + 1 for copy in copies) if threads > 1 or frozen else 0
        self._u, self._v = (
            _lay_out(embedding.weight, self._shape.row, more)
            for embedding in (model.u_embeddings, model.v_embeddings)
        )
        self._frozen = frozen
        self._tables = trim_limits(plan.keep_limits), pack_table(plan.negative_table)
        self._idle: SimpleQueue[kernel.Scratch] = SimpleQueue()
        for copy in copies:
            self._idle.put(make_scratch(0, plan, self._shape, copy))

    def compile(self) -> None:
        """Get the machine code ready, from disk unless this is the first time."""
        for frozen in {None, self._frozen}:
            self._run(_NO_SENTENCES, Place(0, 0), (0.0, 0.0), frozen)

    def train(self, places: Iterable[Place]) -> Iterator[BlockResult]:
        """Train on blocks as threads come free; see `Engine.train`.

        Results come in the order in which blocks are done. When the iterator is closed
        early, the blocks in work are finished first.
        """
        with ThreadPoolExecutor(self._threads) as pool:
            yield from _in_order_of_completion(
                (pool.submit(self._train_block, place) for place in places),
                # One more than there are threads, so that none has to wait.
                at_once=self._threads + 1,
            )

    def _train_block(self, place: Place) -> BlockResult:
        sentences = self._read_block(place.block)
        first = self._learning_rate(place, 0)
        last = self._learning_rate(place, len(sentences.ids) - 1)
        slope = (last - first) / max(1, len(sentences.ids) - 1)
        is_frozen = self._frozen is not None and self._frozen.during(place)
        frozen = self._frozen if is_frozen else None
        loss, pairs = self._run(sentences, place, (first, slope), frozen)
        start, end = offsets_of(place, sentences)[[0, -1]].tolist()
        rate = self._learning_rate(place, max(0, end - 1))
        return BlockResult(place, end - start, pairs, loss, rate)

    def _run(
        self,
        sentences: Sentences,
        place: Place,
        rates: tuple[float, float],
        frozen: Frozen | None,
    ) -> tuple[float, int]:
        scratch = self._idle.get()
        try:
            offsets = offsets_of(place, sentences)
            longest = int(np.diff(offsets).max(initial=0))
            if longest > len(scratch.words):
                scratch = make_scratch(longest, self._plan, self._shape, scratch.copies)
            shape, room = self._shape, scratch
            if frozen is not None:
                shape = shape._replace(frozen=(0,))
                room = scratch._replace(
                    frozen_u=frozen.u,
                    frozen_v=frozen.v,
                    copies=_without_hot(scratch.copies),
                )
            loss, pairs = kernel.train_block(
                self._u,
                self._v,
                sentences.ids,
                offsets,
                rates,
                shape,
                make_draws(self._plan, *self._tables, place),
                room,
            )
            return loss, pairs
        finally:
            self._idle.put(scratch)


def make_shape(dimension: int, plan: SamplingPlan, lanes: int) -> kernel.Shape:
    """Lay the kernel out for vectors of `lanes` float32.

    Targets, the centre and its negatives, are shared out evenly among as few tiles as
    the registers allow.
    """
    targets = 1 + plan.negatives
    tiles = -(-targets // _WIDEST_TILE[lanes])
    tile = -(-targets // tiles)
    return kernel.Shape(
        row=-(-dimension // lanes) * lanes,
        stride=-(-2 * tile // lanes) * lanes,
        lanes=(0,) * lanes,
        tile=(0,) * tile,
        frozen=(),
    )


def make_copies(
    number: int, threads: int, size: int, plan: SamplingPlan, shape: kernel.Shape
) -> kernel.Copies:
    """Choose which words are hot, and lay out what one of several threads needs.

    Args:
        number: the thread's, from 0.
        threads: how many there are.
        size: V.
        plan: for how often rows are touched.
        shape: from `make_shape`.
    """
    windows = max(1, int(_TOUCHES / (threads * plan.most_touches)))
    hot = min(windows // _WINDOWS_A_COPY, _MOST_COPIES, size) if threads > 1 else 0
    shift = size + number * (hot + 1)
    return kernel.Copies(
        hot=hot,
        shift=shift,
        windows=windows,
        given_u=_zeros(hot * shape.row, np.float32),
        given_v=_zeros(hot * shape.row, np.float32),
        spare=(shift + hot) * shape.row,
    )


def _without_hot(copies: kernel.Copies) -> kernel.Copies:
    return copies._replace(
        hot=0, given_u=copies.given_u[:0], given_v=copies.given_v[:0]
    )


def make_draws(
    plan: SamplingPlan,
    limits: NDArray[np.uint32],
    table: NDArray[np.uint64],
    place: Place,
) -> kernel.Draws:
    """Gather what decides the draws in a block.

    Args:
        plan: the settings.
        limits: from `trim_limits`.
        table: from `pack_table`.
        place: the block and the epoch.
    """
    keep, window, negative = (
        np.uint64(plan.key(place.epoch, place.block, purpose))
        for purpose in (Purpose.KEEP, Purpose.WINDOW, Purpose.NEGATIVE)
    )
    return kernel.Draws(
        keep,
        window,
        negative,
        limits,
        table,
        plan.window,
        plan.dynamic,
        plan.negatives,
    )


def trim_limits(limits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Cut the limits off after the first of those that all say: always keep.

    Most words are rare and always kept, so what is left stays in the nearest cache.
    """
    thinned = np.flatnonzero(limits < np.iinfo(np.uint32).max)
    last = thinned[-1] + 1 if len(thinned) else 0
    return np.append(limits[:last], np.iinfo(np.uint32).max).astype(np.uint32)


def pack_table(table: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Put a cell's coin and alias into one number, so that one read fetches both."""
    return table[:, 0] | table[:, 1].astype(np.uint64) << np.uint64(32)


def make_scratch(
    longest: int, plan: SamplingPlan, shape: kernel.Shape, copies: kernel.Copies
) -> kernel.Scratch:
    """Make room for one thread.

    Args:
        longest: the most words in a sentence.
        plan: for the window's width and the number of negatives.
        shape: from `make_shape`.
        copies: from `make_copies`.
    """
    longest = max(1, longest)
    width, tile = len(shape.lanes), len(shape.tile)
    tiles = -(-(1 + plan.negatives) // tile)
    contexts = 2 * plan.window + 1
    signs = _zeros((tiles, shape.stride), np.float32)
    signs[:] = 1
    signs[0, [0, tile]] = -1
    bias = _zeros((2, tiles, shape.stride), np.float32)
    bias[:] = kernel.NOWHERE
    for target in range(1 + plan.negatives):
        where, lane = divmod(target, tile)
        bias[:, where, lane] = 0
        bias[0, where, lane + tile] = 0
    return kernel.Scratch(
        bits=_zeros(longest, np.uint64),
        words=_zeros(longest, np.int32),
        places=_zeros(longest, np.int32),
        reach=_zeros(longest, np.int32),
        repeats=_zeros(longest, np.int64),
        negatives=_zeros(longest * plan.negatives, np.int32),
        last_seen=_zeros(kernel.SLOTS, np.int64),
        contexts=_zeros(contexts, np.int64),
        slots=_zeros(contexts, np.int64),
        targets=_zeros(tiles * tile, np.int64),
        slopes=_zeros(tiles * (plan.window + 1) * shape.stride, np.float32),
        signs=signs.reshape(-1),
        bias=bias.reshape(-1),
        held_u=_zeros(contexts * width, np.float32),
        held_v=_zeros(tiles * tile * width, np.float32),
        held_rows=np.arange(0, tiles * tile * width, width, dtype=np.int64),
        coming=_zeros(2 + plan.negatives, np.int64),
        context_goals=_zeros(contexts, np.int64),
        target_goals=_zeros(tiles * tile, np.int64),
        frozen_u=_zeros(0, np.bool_),
        frozen_v=_zeros(0, np.bool_),
        copies=copies,
    )


def _in_order_of_completion(
    futures: Iterator[Future[BlockResult]], at_once: int
) -> Iterator[BlockResult]:
    waiting: deque[Future[BlockResult]] = deque()
    try:
        for future in futures:
            waiting.append(future)
            while len(waiting) >= at_once:
                yield from _take_done(waiting)
        while waiting:
            yield from _take_done(waiting)
    finally:
        for future in waiting:
            future.cancel()


def _take_done(waiting: deque[Future[BlockResult]]) -> Iterator[BlockResult]:
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    for future in [future for future in waiting if future in done]:
        waiting.remove(future)
        yield future.result()


def _lay_out(weight: Tensor, row: int, more: int) -> NDArray[np.float32]:
    """Move weights, if need be, to rows of `row` floats, and return all of these.

    Returns:
        ((V + more) * row,) float32, the memory of the weights, what pads their rows,
        and `more` rows after them.
    """
    size, dimension = weight.shape
    old = weight.detach().numpy()
    if dimension == row and old.ctypes.data % _CACHE_LINE == 0 and not more:
        return old.reshape(-1)
    rows = _zeros((size + more) * row, np.float32)
    rows.reshape(-1, row)[:size, :dimension] = old
    weight.data = torch.from_numpy(rows).view(-1, row)[:size, :dimension]
    return rows


def _zeros(shape: int | tuple[int, ...], dtype: type) -> NDArray[Any]:
    """Return zeros that share no cache line with anything else.

    Two threads that write to one line, each to its own part, wait for one another; and
    some processors fetch lines in pairs.
    """
    alignment = 2 * _CACHE_LINE
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    room = np.zeros(size + 2 * alignment, dtype=np.uint8)
    start = -room.ctypes.data % alignment
    return room[start : start + size].view(dtype).reshape(shape)


class _NoSentences:
    ids = np.zeros(0, dtype=np.int32)
    offsets = np.zeros(1, dtype=np.int64)


_NO_SENTENCES = _NoSentences()
