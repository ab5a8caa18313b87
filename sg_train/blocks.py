"""The unit of work: a block of whole sentences, and its address in a run."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class BlockRef(NamedTuple):
    """The address of a block, or of one of its equal slices; all counted from 0.

    A slice has the same draws as that part of the whole block.
    """

    epoch: int
    block: int
    slice: int = 0
    slices: int = 1


@dataclass(frozen=True)
class Block:
    """Whole sentences of the corpus.

    Attributes:
        ids: (n,) int32 word ids, checked to lie below the vocabulary's size.
        offsets: (sentences + 1,) int64, where in `ids` each sentence starts, and n.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def take(self, sentences: NDArray[np.int64]) -> "Block":
        """Return the given sentences in the given order; one may occur repeatedly.

        Args:
            sentences: (n,) int64, their numbers, counted from 0.

        >>> Block(np.array([7, 8, 9]), np.array([0, 2, 3])).take(np.array([1, 0])).ids
        array([9, 7, 8])
        """
        starts, lengths = self.offsets[sentences], np.diff(self.offsets)[sentences]
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        # From where each id of the result comes: its sentence's start, and onwards.
        shift = np.repeat(starts - offsets[:-1], lengths)
        return Block(self.ids[shift + np.arange(len(shift))], offsets)

    def slice_offsets(self, ref: BlockRef) -> NDArray[np.int64]:
        """Return where the sentences of a slice start in this block, and its end.

        A sentence belongs to the slice in which it starts, by words.

        >>> block = Block(np.zeros(9, np.int32), np.array([0, 2, 5, 9]))
        >>> [block.slice_offsets(BlockRef(0, 0, i, 2)).tolist() for i in (0, 1)]
        [[0, 2, 5], [5, 9]]
        """
        if ref.slices == 1:
            return self.offsets
        bounds = len(self.ids) * np.array([ref.slice, ref.slice + 1])
        first, last = np.searchsorted(self.offsets * ref.slices, bounds)
        return self.offsets[first : last + 1]
