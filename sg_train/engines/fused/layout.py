"""The kernel's data: the sizes that it is compiled for, and each thread's scratch.

    W  lanes of a vector               R  floats per row: the dimension, padded to W
    m  context words of a window       K  negatives per window
    T  targets per tile                C  tiles: C * T >= 1 + K, the centre first
    S  room for the 2 * T numbers of a pair of contexts, in whole vectors
    H  hot words, the most frequent ones
    V  words of the vocabulary         U  rows of u that are trained: V, or with n-grams
                                          V and their buckets

A row is given by the flat index at which it starts in u or v.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.engines.fused.machine_code import native_lanes
from sg_train.sampling.windows import SamplingPlan
from sg_train.vectors.ngrams import WordRows

WINDOWS = 4  # whose targets are known at a time; a power of two
SLOTS = 4096  # of the table that notices repeats; a power of two
LINE = 16  # numbers that a cache line holds
EXCLUDED = np.float32(-1e30)  # the bias of a lane that takes no part: loss 0, c 0

_CACHE_LINE = 64  # bytes, and the widest vectors
_WIDEST_TILE = {4: 6, 8: 6, 16: 8}  # targets that leave registers for the rest
# How often all threads together may touch the row of the most frequent word before
# its copies are synchronised: with ten times as many touches, learning suffers.
_TOUCHES = 256
_WINDOWS_PER_COPY = 8  # with fewer, handing over takes longer than it saves
_MOST_COPIES = 1024
_APART = 8_192  # words; the rows of rarer ones are seldom in two caches
_GAP = 5 * LINE  # numbers; a processor reads no further ahead
_FEW_THREADS = 2  # that seldom have to wait for one another's cache lines
_MOST_SUMS = 13  # vectors that leave registers for the rest


class Shape(NamedTuple):
    """The sizes that code is compiled for; a tuple's length is part of its type."""

    row: int  # R
    stride: int  # S: 2 * T, rounded up to whole vectors
    lanes: tuple[int, ...]  # W zeros
    tile: tuple[int, ...]  # T zeros
    more_tiles: tuple[int, ...]  # a zero if there is more than one tile, else nothing
    contended: tuple[int, ...]  # a zero if many threads move one row, else nothing
    frozen: tuple[int, ...]  # a zero if rows may be frozen, else nothing
    # If input vectors have several rows: a zero for each of the vectors of a row that
    # are composed at a time, and for each of those that remain; else nothing.
    composed: tuple[int, ...]
    composed_last: tuple[int, ...]


class HotRows(NamedTuple):
    """One thread's copies of the rows of hot words; see `hot_rows`."""

    size: int  # H
    shift: int  # rows between a hot word's row and its copy
    windows: int  # from one hand-over to the next
    handed_over_u: NDArray[np.float32]  # (H * R,) the copies after the last hand-over
    handed_over_v: NDArray[np.float32]  # (H * R,)


class Apart(NamedTuple):
    """The rows of frequent words that lie apart; see `apart`."""

    start: int  # the first of these words, in the order of frequency
    end: int  # the word after the last one
    first: int  # where the row of word 0 would begin
    pitch: int  # floats from one of these rows to the next


NOT_APART = Apart(0, 0, 0, 0)


class FrozenRows(NamedTuple):
    """Rows that stay fixed; see `frozen`."""

    u: NDArray[np.bool_]  # (V,), empty where none may be frozen
    v: NDArray[np.bool_]  # (V,)
    spare: int  # a row of this thread that is never read


class Composed(NamedTuple):
    """One thread's copies of input vectors that have several rows; see `composed`."""

    starts: NDArray[np.int64]  # (V + 1,) where each word's rows start in `rows`
    rows: NDArray[np.int32]
    first: int  # the first row of this thread's copies
    slots: int  # rows of the ring: at least 2 * window + 1, a power of two
    begun: NDArray[np.float32]  # (slots * R,) the copies as they were composed


class Sentence(NamedTuple):
    """The draws of a sentence, made when it begins."""

    bits: NDArray[np.uint64]  # (K * longest,) raw draws; in the end, the negatives'
    words: NDArray[np.int32]  # (longest,) the kept words
    positions: NDArray[np.int32]  # (longest,) their positions in the block
    reach: NDArray[np.int32]  # (longest,) words to each side
    repeats: NDArray[np.int64]  # (longest,) see `draws._note_repeats`
    last_seen: NDArray[np.int64]  # (SLOTS,)


class Rows(NamedTuple):
    """The rows of the windows of a sentence; see `gather`."""

    contexts: NDArray[np.int64]  # (longest,) rows of u, of kept words but the centre
    targets: NDArray[np.int64]  # (WINDOWS * C * T,) rows of v, of some windows in turn
    distinct: NDArray[np.int64]  # (2 * window + 1,) contexts of a window with repeats
    contexts_to: NDArray[np.int64]  # (2 * window + 1,) see `Window`
    targets_to: NDArray[np.int64]  # (C * T,)


class Window(NamedTuple):
    """The rows of one window, and those that a later one needs."""

    contexts: NDArray[np.int64]  # (m + 1 or more,) rows of u, the last for an odd pair
    targets: NDArray[np.int64]  # (C * T,) rows of v, the centre's first
    contexts_to: NDArray[np.int64]  # (m or more,) where moved rows are written,
    targets_to: NDArray[np.int64]  # (C * T,)  if some may be frozen
    coming_targets: NDArray[np.int64]  # (C * T or more,) rows of v
    coming_context: np.int64  # a row of u, or if vectors are composed,
    coming_parts: NDArray[np.int32]  # the numbers of all rows of one


class Step(NamedTuple):
    """The numbers of one step."""

    pairs: NDArray[np.float32]  # (C * (window + 1) * S,) x of each pair, then its c
    slots: NDArray[np.int64]  # (2 * window + 1,) where a context's c begin in a tile
    signs: NDArray[np.float32]  # (C * S,) -1 in the centre's lanes, else 1
    bias: NDArray[np.float32]  # (2 * C * S,) EXCLUDED or 0: full pairs, then odd ones
    held_u: NDArray[np.float32]  # ((2 * window + 1) * W,) moves by earlier tiles
    held_v: NDArray[np.float32]  # (C * T * W,)
    held_rows: NDArray[np.int64]  # (C * T,) multiples of W


class Scratch(NamedTuple):
    """One thread's memory, grouped by how long its content lasts."""

    sentence: Sentence
    rows: Rows
    step: Step
    hot: HotRows
    apart: Apart
    frozen: FrozenRows
    composed: Composed


@dataclass(frozen=True)
class Layout:
    """How weights and scratch lie in memory.

    Attributes:
        plan: window, negatives and tables.
        vocabulary_size: V.
        dimension: D.
        threads: how many share the weights.
        shape: the sizes that code is compiled for.
        hot: H; 0 with one thread.
        windows: number of windows between two hand-overs.
        has_frozen: whether rows may be frozen.
        word_rows: the rows of u that each input vector is made of, if several.
    """

    plan: SamplingPlan
    vocabulary_size: int
    dimension: int
    threads: int
    shape: Shape
    hot: int
    windows: int
    has_frozen: bool
    word_rows: WordRows | None = None

    @property
    def input_rows(self) -> int:
        """U, how many rows of u are trained."""
        buckets = self.word_rows.ngrams.buckets if self.word_rows else 0
        return self.vocabulary_size + buckets

    def new_u(self) -> NDArray[np.float32]:
        """Return zeros for u, (rows * R,) float32.

        The first U rows are trained; the threads' own rows follow.
        """
        if self.word_rows is None:
            return self.new_v()
        rows = self.input_rows + self.threads * self._slots
        return _zeros(rows * self.shape.row, np.float32)

    def new_v(self) -> NDArray[np.float32]:
        """Return zeros for v, (rows * R,) float32.

        The first V rows are the words'; the threads' own rows and room for those that
        lie apart follow.
        """
        words = self.apart.end - self.apart.start
        end = self._end_of_rows + words * self.apart.pitch
        return _zeros(-(-end // self.shape.row) * self.shape.row, np.float32)

    @property
    def _end_of_rows(self) -> int:
        """Where rows of v end that lie side by side, in whole cache lines."""
        own = self.hot + 1 if self.threads > 1 or self.has_frozen else 0
        rows = self.vocabulary_size + self.threads * own
        return -(-rows * self.shape.row // LINE) * LINE

    @property
    def apart(self) -> Apart:
        """The rows that lie apart while several threads train.

        Words of which each thread has copies are not among them.
        """
        if self.threads == 1 or self.has_frozen:
            return NOT_APART
        end = max(self.hot, min(self.vocabulary_size // 4, _APART))
        pitch = -(-self.shape.row // LINE) * LINE + _GAP
        return Apart(self.hot, end, self._end_of_rows - self.hot * pitch, pitch)

    @property
    def _slots(self) -> int:
        return 1 << (2 * self.plan.window).bit_length()

    def scratch(self, thread: int, longest: int) -> Scratch:
        """Return the memory for one thread.

        Args:
            thread: its number, from 0.
            longest: maximum number of words in a sentence.
        """
        shape, plan, longest = self.shape, self.plan, max(1, longest)
        width, tile = len(shape.lanes), len(shape.tile)
        targets = _tiles(plan.negatives, tile) * tile
        contexts = 2 * plan.window + 1
        signs, bias = _signs_and_bias(plan.negatives, shape)
        shift = self.vocabulary_size + thread * (self.hot + 1)
        return Scratch(
            Sentence(
                bits=_zeros(longest * max(1, plan.negatives), np.uint64),
                words=_zeros(longest, np.int32),
                positions=_zeros(longest, np.int32),
                reach=_zeros(longest, np.int32),
                repeats=_zeros(longest, np.int64),
                last_seen=_zeros(SLOTS, np.int64),
            ),
            Rows(
                contexts=_zeros(longest, np.int64),
                targets=_zeros(WINDOWS * targets, np.int64),
                distinct=_zeros(contexts, np.int64),
                contexts_to=_zeros(contexts, np.int64),
                targets_to=_zeros(targets, np.int64),
            ),
            Step(
                pairs=_zeros(
                    targets // tile * (plan.window + 1) * shape.stride, np.float32
                ),
                slots=_zeros(contexts, np.int64),
                signs=signs,
                bias=bias,
                held_u=_zeros(contexts * width, np.float32),
                held_v=_zeros(targets * width, np.float32),
                held_rows=np.arange(0, targets * width, width, dtype=np.int64),
            ),
            HotRows(
                size=self.hot,
                shift=shift,
                windows=self.windows,
                handed_over_u=_zeros(
                    0 if self.word_rows else self.hot * shape.row, np.float32
                ),
                handed_over_v=_zeros(self.hot * shape.row, np.float32),
            ),
            NOT_APART,
            FrozenRows(
                u=_zeros(0, np.bool_),
                v=_zeros(0, np.bool_),
                spare=(shift + self.hot) * shape.row,
            ),
            self._composed(thread),
        )

    def _composed(self, thread: int) -> Composed:
        if self.word_rows is None:
            none = np.zeros(0, np.int64), np.zeros(0, np.int32)
            return Composed(*none, 0, 1, np.zeros(0, np.float32))
        return Composed(
            starts=self.word_rows.starts,
            rows=self.word_rows.rows,
            first=self.input_rows + thread * self._slots,
            slots=self._slots,
            begun=_zeros(self._slots * self.shape.row, np.float32),
        )


def lay_out(
    plan: SamplingPlan,
    vocabulary_size: int,
    dimension: int,
    *,
    busiest: float,
    threads: int = 1,
    has_frozen: bool = False,
    word_rows: WordRows | None = None,
    lanes: int | None = None,
) -> Layout:
    """Choose the sizes.

    Targets (the centre and its negatives) are split evenly among as few tiles as the
    registers allow. With several threads, each has copies of as many frequent words'
    rows as can be handed over in time.

    Args:
        plan: window, negatives and tables.
        vocabulary_size: V.
        dimension: D.
        busiest: touches per window of the row that is touched most often.
        threads: how many train at the same time.
        has_frozen: whether rows may be frozen.
        word_rows: the rows of u that each input vector is made of, if several.
        lanes: the vector width in float32, by default the processor's own.
    """
    lanes = lanes or native_lanes()
    targets = 1 + plan.negatives
    tile = -(-targets // -(-targets // _WIDEST_TILE[lanes]))
    windows = max(1, int(_TOUCHES / (threads * busiest)))
    hot = min(windows // _WINDOWS_PER_COPY, _MOST_COPIES, vocabulary_size)
    composed, composed_last = _blocks(-(-dimension // lanes)) if word_rows else ((), ())
    shape = Shape(
        row=-(-dimension // lanes) * lanes,
        stride=-(-2 * tile // lanes) * lanes,
        lanes=(0,) * lanes,
        tile=(0,) * tile,
        more_tiles=(0,) if targets > tile else (),
        contended=(0,) if threads > _FEW_THREADS else (),
        frozen=(),
        composed=composed,
        composed_last=composed_last,
    )
    return Layout(
        plan=plan,
        vocabulary_size=vocabulary_size,
        dimension=dimension,
        threads=threads,
        shape=shape,
        hot=hot if threads > 1 else 0,
        windows=windows,
        has_frozen=has_frozen,
        word_rows=word_rows,
    )


def freeze(
    scratch: Scratch, u: NDArray[np.bool_], v: NDArray[np.bool_], shape: Shape
) -> tuple[Scratch, Shape]:
    """Return scratch and shape for a block in which rows are frozen.

    The thread keeps no copies of hot rows in such a block.
    """
    hot, nothing = scratch.hot, scratch.hot.handed_over_u[:0]
    return (
        scratch._replace(
            frozen=scratch.frozen._replace(u=u, v=v),
            hot=hot._replace(size=0, handed_over_u=nothing, handed_over_v=nothing),
        ),
        shape._replace(frozen=(0,)),
    )


def _blocks(vectors: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Split the vectors of a row into blocks whose sums fit in registers, and a rest.

    >>> [len(block) for block in _blocks(25)]
    [13, 12]
    """
    size = min(vectors, _MOST_SUMS)
    return (0,) * size, (0,) * (vectors % size)


def _tiles(negatives: int, tile: int) -> int:
    return -(-(1 + negatives) // tile)


def _signs_and_bias(
    negatives: int, shape: Shape
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    tile = len(shape.tile)
    tiles = _tiles(negatives, tile)
    signs = _zeros((tiles, shape.stride), np.float32)
    signs[:] = 1
    signs[0, [0, tile]] = -1
    bias = _zeros((2, tiles, shape.stride), np.float32)
    bias[:] = EXCLUDED
    for target in range(1 + negatives):
        which, lane = divmod(target, tile)
        bias[:, which, lane] = 0
        bias[0, which, lane + tile] = 0
    return signs.reshape(-1), bias.reshape(-1)


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
