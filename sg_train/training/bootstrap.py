"""A bootstrap sample of a corpus: passages drawn from it with replacement.

Vectors of a small corpus depend on the documents that happen to be in it, more than on
the seed (Antoniak and Mimno 2018). Runs on several samples show how much.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.meta import CorpusMeta
from sg_train.corpus.vocabulary import Vocabulary, rank_words
from sg_train.errors import CorpusError
from sg_train.sampling.draws import Purpose, draws, stream_key

_LONGEST_PASSAGE = 1000  # words
_PASSAGES_WANTED = 1000
_LEFT_OUT = -1


@dataclass(frozen=True, eq=False)
class BootstrapCorpus:
    """As many passages as a corpus has, drawn from it with replacement.

    A passage consists of the sentences that start within a stretch of 1,000 words, or
    of fewer in texts of fewer than a million words: neighbouring sentences, which
    depend on one another, are drawn together. Copies of a sentence lie in the block of
    the original.

    Attributes:
        base: the corpus.
        copies: (passages,) int64, how often each passage is drawn.
        vocabulary: the words that occur often enough in the sample.
        block_starts: (blocks + 1,) int64, the position at which each block starts, then
            the number of words.
        checksum: digest of the corpus, the seed and min_count.
    """

    base: EncodedCorpus
    copies: NDArray[np.int64]
    vocabulary: Vocabulary
    block_starts: NDArray[np.int64]
    checksum: str
    _ids: NDArray[np.int32]  # the sample's id of each word of `base`, or _LEFT_OUT

    @classmethod
    def draw(cls, base: EncodedCorpus, seed: int, min_count: int) -> "BootstrapCorpus":
        """Draw a sample; the corpus is read twice.

        Args:
            base: the corpus.
            seed: decides which passages are drawn.
            min_count: words with fewer occurrences in the sample are left out.

        Raises:
            CorpusError: fewer than two words occur often enough, or a file is damaged.
        """
        passages = max(1, -(-base.words // _passage_words(base.words)))
        key = stream_key(seed, 0, 0, Purpose.PASSAGE)
        bits = draws(key, np.arange(passages)) >> np.uint64(32)
        drawn = (bits * np.uint64(passages)) >> np.uint64(32)
        copies = np.bincount(drawn.astype(np.int64), minlength=passages)
        size = len(base.vocabulary)
        digest = hashlib.sha256(f"{base.checksum} {seed} {min_count}".encode())
        everything = cls(
            base,
            copies,
            base.vocabulary,
            base.block_starts,
            digest.hexdigest()[:32],
            np.arange(size, dtype=np.int32),
        )
        counts = np.zeros(size, dtype=np.int64)
        blocks = len(base.block_starts) - 1
        for number in range(blocks):
            counts += np.bincount(everything.block(number).ids, minlength=size)
        ranked = rank_words(base.vocabulary.words, counts, max(1, min_count))
        if len(ranked) < 2:
            raise CorpusError(
                f"{base.path}: fewer than 2 words reach vocabulary.min_count="
                f"{min_count} in the bootstrap sample; lower it or give more text"
            )
        words = [base.vocabulary.words[row] for row in ranked.tolist()]
        ids = np.full(size, _LEFT_OUT, dtype=np.int32)
        ids[ranked] = np.arange(len(ranked), dtype=np.int32)
        sample = replace(
            everything, vocabulary=Vocabulary(words, counts[ranked]), _ids=ids
        )
        sizes = [len(sample.block(number).ids) for number in range(blocks)]
        return replace(sample, block_starts=np.concatenate(([0], np.cumsum(sizes))))

    @property
    def path(self) -> Path:
        """The directory of the corpus."""
        return self.base.path

    @property
    def meta(self) -> CorpusMeta:
        """The metadata of the corpus."""
        return self.base.meta

    def block(self, number: int) -> Block:
        """Read a block of the sample.

        Raises:
            CorpusError: the files are truncated or damaged.
        """
        block = self.base.block(number)
        starts = self.base.block_starts[number] + block.offsets[:-1]
        copies = self.copies[starts // _passage_words(self.base.words)]
        ids = self._ids[block.ids]
        is_kept = ids != _LEFT_OUT
        kept_before = np.concatenate(([0], np.cumsum(is_kept)))[block.offsets]
        lengths = np.diff(kept_before)
        copies = np.where(lengths > 0, copies, 0)
        drawn = np.repeat(np.arange(len(copies)), copies)
        return Block(ids[is_kept], kept_before).take(drawn)


def _passage_words(words: int) -> int:
    """Return within how many words the sentences of a passage start."""
    return max(1, min(_LONGEST_PASSAGE, words // _PASSAGES_WANTED))
