"""A corpus split into shards, one per rank."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.meta import CorpusMeta
from sg_train.corpus.vocabulary import Vocabulary


@dataclass(frozen=True)
class ShardedCorpus:
    """The shards of all ranks as one corpus; this rank can read only its own shard.

    Each shard is cut into the same number of blocks, and these are numbered in turn:
    with n ranks, rank r has blocks r, r + n, r + 2 n and so on.

    Attributes:
        shard: this rank's shard.
        rank: this rank's number.
        block_starts: (blocks + 1,) int64, the position in the whole corpus at which
            each block starts, then the number of words.
        checksum: digest of the shards, in rank order.
        ranks: number of ranks.
    """

    shard: EncodedCorpus
    rank: int
    ranks: int
    block_starts: NDArray[np.int64]
    checksum: str

    @classmethod
    def join(
        cls, shard: EncodedCorpus, rank: int, gather: Callable[[Any], list[Any]]
    ) -> "ShardedCorpus":
        """Join this rank's shard with those of the other ranks.

        Args:
            shard: this rank's shard.
            rank: this rank's number.
            gather: returns every rank's value, by rank.
        """
        blocks = max(gather(len(shard.block_starts) - 1))
        sizes = gather(np.diff(shard.starts(shard.cut(blocks))))
        starts = np.append(0, np.cumsum(np.stack(sizes, axis=1)))
        checksums = "".join(gather(shard.checksum))
        digest = hashlib.sha256(checksums.encode()).hexdigest()[:32]
        return cls(shard, rank, len(sizes), starts, digest)

    @property
    def path(self) -> Path:
        """The directory of this rank's shard."""
        return self.shard.path

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary of the whole corpus."""
        return self.shard.vocabulary

    @property
    def meta(self) -> CorpusMeta:
        """The metadata of this rank's shard."""
        return self.shard.meta

    def block(self, number: int) -> Block:
        """Read a block of this rank from disk.

        Raises:
            CorpusError: the files are truncated or damaged.
            IndexError: the block belongs to another rank.
        """
        mine, rank = divmod(number, self.ranks)
        if rank != self.rank:
            raise IndexError(f"block {number} belongs to rank {rank}")
        return self.shard.sentences(*self._cut[mine : mine + 2].tolist())

    @cached_property
    def _cut(self) -> NDArray[np.int64]:
        return self.shard.cut((len(self.block_starts) - 1) // self.ranks)
