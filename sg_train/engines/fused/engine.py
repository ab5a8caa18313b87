"""Blocks on several threads, which share the weights."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import chain
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block, BlockRef
from sg_train.engines.base import (
    BlockResult,
    Engine,
    Frozen,
    RateLine,
    Schedule,
    Task,
)
from sg_train.engines.fused.apart import rows_apart
from sg_train.engines.fused.kernel import train_block
from sg_train.engines.fused.layout import NOT_APART, Layout, Scratch, freeze, lay_out
from sg_train.engines.fused.tables import make_draws, pack_table, trim_limits
from sg_train.model.embeddings import Embeddings


class FusedEngine:
    """Trains window by window on several threads.

    Threads do not wait for one another when they change a row (Hogwild: Recht et al.
    2011), so results are reproducible only with one thread.
    """

    def __init__(
        self,
        layout: Layout,
        u: NDArray[np.float32],
        v: NDArray[np.float32],
        read_block: Callable[[int], Block],
        schedule: Schedule,
        *,
        frozen: Frozen | None = None,
    ) -> None:
        """Set the engine up.

        Args:
            layout: how weights lie in memory, and how many threads train.
            u: input vectors, from `layout.new_u`; trained in place.
            v: output vectors, from `layout.new_v`.
            read_block: returns a block by its number, with ids checked to lie below
                the vocabulary's size and offsets that rise.
            schedule: how the learning rate falls.
            frozen: rows that stay fixed. Their updates go to a spare row, one per
                thread. While rows are frozen, threads keep no copies of frequent
                words' rows.
        """
        self._layout = layout
        self._u, self._v = u, v
        self._read_block = read_block
        self._schedule = schedule
        self._frozen = frozen
        self._apart = NOT_APART
        plan = layout.plan
        self._tables = trim_limits(plan.keep_limits), pack_table(plan.negative_table)
        self._idle: SimpleQueue[tuple[int, Scratch]] = SimpleQueue()
        for thread in range(layout.threads):
            self._idle.put((thread, layout.scratch(thread, longest=0)))

    def compile(self) -> None:
        """Load the machine code from disk, or compile it on the first run."""
        for frozen in {None, self._frozen}:
            self._run(_NO_SENTENCES, BlockRef(0, 0), RateLine(0.0, 0.0), frozen)

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        """Train on blocks as threads become free; see `Engine.train`.

        Results come in the order in which blocks are done. When the iterator is closed
        early, the blocks in progress are finished first.
        """
        rest = iter(refs)
        if (first := next(rest, None)) is None:
            return
        refs = chain([first], rest)
        # For slices of a block, moving rows would take longer than it saves.
        self._apart = self._layout.apart if first.slices == 1 else NOT_APART
        with (
            rows_apart(self._matrices, self._layout.shape.row, self._apart),
            ThreadPoolExecutor(self._layout.threads) as pool,
        ):
            yield from _in_order_of_completion(
                (pool.submit(self._train_block, ref) for ref in refs),
                # One more than there are threads, so that none has to wait.
                at_once=self._layout.threads + 1,
            )

    @property
    def _matrices(self) -> tuple[NDArray[np.float32], ...]:
        """The matrices whose rows are those of words."""
        return (self._v,) if self._layout.word_rows else (self._u, self._v)

    def _train_block(self, ref: BlockRef) -> BlockResult:
        block = self._read_block(ref.block)
        rate_at = self._schedule.line(ref)
        is_frozen = self._frozen is not None and self._frozen.during(ref)
        frozen = self._frozen if is_frozen else None
        loss, pairs = self._run(block, ref, rate_at, frozen)
        start, end = block.slice_offsets(ref)[[0, -1]].tolist()
        return BlockResult(ref, end - start, pairs, loss, rate_at(max(0, end - 1)))

    def _run(
        self, block: Block, ref: BlockRef, rate_at: RateLine, frozen: Frozen | None
    ) -> tuple[float, int]:
        thread, scratch = self._idle.get()
        try:
            offsets = block.slice_offsets(ref)
            longest = int(np.diff(offsets).max(initial=0))
            if longest > len(scratch.sentence.words):
                larger = self._layout.scratch(thread, longest)
                scratch = larger._replace(hot=scratch.hot)
            room, shape = scratch._replace(apart=self._apart), self._layout.shape
            if frozen is not None:
                room, shape = freeze(scratch, frozen.u, frozen.v, shape)
            loss, pairs = train_block(
                self._u,
                self._v,
                block.ids,
                offsets,
                tuple(rate_at),
                shape,
                make_draws(self._layout.plan, *self._tables, ref),
                room,
            )
            return loss, pairs
        finally:
            self._idle.put((thread, scratch))


def build(task: Task) -> tuple[Embeddings, Engine]:
    """Return a model whose weights have the kernel's memory layout, and its engine."""
    size = len(task.counts)
    layout = lay_out(
        task.plan,
        size,
        task.config.model.dimension,
        busiest=task.touches.busiest,
        threads=min(task.threads, task.blocks),
        has_frozen=task.frozen is not None,
        word_rows=task.word_rows,
    )
    u, v = layout.new_u(), layout.new_v()
    u_weights, v_weights = (
        rows.reshape(-1, layout.shape.row)[:trained, : layout.dimension]
        for rows, trained in ((u, layout.input_rows), (v, size))
    )
    model = Embeddings(u_weights, v_weights, task.word_rows)
    model.draw(
        task.config.training.seed,
        u_range=task.config.model.u_range,
        v_range=task.config.model.v_range,
    )
    return model, FusedEngine(
        layout, u, v, task.read_block, task.schedule, frozen=task.frozen
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


_NO_SENTENCES = Block(np.zeros(0, dtype=np.int32), np.zeros(1, dtype=np.int64))
