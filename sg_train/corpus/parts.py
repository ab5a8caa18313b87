"""A corpus of which each of several ranks holds a part."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.corpus.encoded import Block, EncodedCorpus
from sg_train.corpus.vocabulary import Vocabulary


@dataclass(frozen=True)
class PartedCorpus:
    """The parts of all ranks as one corpus, of which this rank can read its own.

    Each part is cut into the same number of blocks, and they are numbered in turn: of n
    ranks, rank r has the blocks r, r + n, r + 2 n and so on.

    Attributes:
        part: this rank's.
        rank: this rank's number.
        block_starts: (blocks + 1,) int64, the word of the whole at which each block
            starts, and the number of words.
        checksum: tells the parts from others, and their order.
        ranks: how many there are.
    """

    part: EncodedCorpus
    rank: int
    ranks: int
    block_starts: NDArray[np.int64]
    checksum: str

    @classmethod
    def join(
        cls, part: EncodedCorpus, rank: int, gather: Callable[[Any], list[Any]]
    ) -> "PartedCorpus":
        """Put this rank's part and those of the others together.

        Args:
            part: this rank's.
            rank: this rank's number.
            gather: returns what all ranks give it.
        """
        blocks = max(gather(len(part.block_starts) - 1))
        sizes = gather(np.diff(part.starts(part.cut(blocks))))
        starts = np.append(0, np.cumsum(np.stack(sizes, axis=1)))
        checksums = "".join(gather(part.checksum))
        digest = hashlib.sha256(checksums.encode()).hexdigest()[:32]
        return cls(part, rank, len(sizes), starts, digest)

    @property
    def path(self) -> Path:
        """Where this rank's part lies."""
        return self.part.path

    @property
    def vocabulary(self) -> Vocabulary:
        """The words of the whole."""
        return self.part.vocabulary

    @property
    def meta(self) -> dict[str, Any]:
        """What is known of this rank's part."""
        return self.part.meta

    def block(self, number: int) -> Block:
        """Read a block of this rank from disk.

        Raises:
            CorpusError: the files are cut off or damaged.
            IndexError: the block is another rank's.
        """
        mine, rank = divmod(number, self.ranks)
        if rank != self.rank:
            raise IndexError(f"block {number} is rank {rank}'s")
        return self.part.sentences(*self._cut[mine : mine + 2].tolist())

    @cached_property
    def _cut(self) -> NDArray[np.int64]:
        return self.part.cut((len(self.block_starts) - 1) // self.ranks)
