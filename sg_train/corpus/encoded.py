"""A prepared corpus: word ids on disk, cut into blocks of sentences.

A directory holds `ids.i32` (little-endian int32, the word ids of all sentences, one
after the other), `offsets.i64` (little-endian int64, the position at which each
sentence starts, then the number of words), `vocabulary.tsv` and `meta.json` (see
`meta`).
"""

import os
import weakref
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block
from sg_train.corpus.meta import CorpusMeta
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import CorpusError
from sg_train.system.files import open_regular

IDS_FILE = "ids.i32"
OFFSETS_FILE = "offsets.i64"
VOCABULARY_FILE = "vocabulary.tsv"

_BLOCKS_WANTED = 100
_MIN_BLOCK_WORDS = 10_000
_MAX_BLOCK_WORDS = 250_000

_OFFSETS_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class EncodedCorpus:
    """The encoded sentences of a prepared corpus and their vocabulary."""

    path: Path
    vocabulary: Vocabulary
    meta: CorpusMeta

    @classmethod
    def load(cls, path: Path) -> "EncodedCorpus":
        """Open a prepared corpus; the ids stay on disk until a block is read.

        Raises:
            CorpusError: it is missing, of another version, or its files do not match.
        """
        meta = CorpusMeta.load(path)
        corpus = cls(path, Vocabulary.load(path / VOCABULARY_FILE), meta)
        if len(corpus.vocabulary) != meta.vocabulary:
            raise corpus._damaged(VOCABULARY_FILE)
        if corpus._size(IDS_FILE) != 4 * meta.words:
            raise corpus._damaged(IDS_FILE)
        if corpus._size(OFFSETS_FILE) != 8 * (meta.sentences + 1):
            raise corpus._damaged(OFFSETS_FILE)
        if not corpus._offsets_rise():
            raise corpus._damaged(OFFSETS_FILE)
        return corpus

    def __reduce__(self) -> tuple[Any, ...]:
        """Let worker processes open the files themselves instead of copying them."""
        return EncodedCorpus.load, (self.path,)

    @property
    def words(self) -> int:
        """The number of running words in all sentences."""
        return self.meta.words

    @property
    def checksum(self) -> str:
        """Hexadecimal digest of words and sentences."""
        return self.meta.checksum

    @cached_property
    def block_starts(self) -> NDArray[np.int64]:
        """(blocks + 1,) int64: the position at which each block starts, then `words`.

        The cut depends only on the corpus: about 100 blocks of 10,000 to 250,000 words
        each, as far as sentence boundaries and the remainder allow (the last block may
        be up to half a block longer or shorter).
        """
        return self.starts(self._block_sentences)

    def block(self, number: int) -> Block:
        """Read block `number` from disk.

        Raises:
            CorpusError: the files are truncated or damaged.
        """
        return self.sentences(*self._block_sentences[number : number + 2].tolist())

    def sentences(self, first: int, last: int) -> Block:
        """Read the sentences from `first` up to `last`, exclusive.

        Raises:
            CorpusError: the files are truncated or damaged.
        """
        offsets = self._read(OFFSETS_FILE, "<i8", first, last + 1)
        start, end = int(offsets[0]), int(offsets[-1])
        offsets -= start
        if not (np.diff(offsets) > 0).all() or not 0 <= start <= end <= self.words:
            raise self._damaged(OFFSETS_FILE)
        ids = self._read(IDS_FILE, "<i4", start, end)
        if ids.min(initial=0) < 0 or ids.max(initial=0) >= len(self.vocabulary):
            raise self._damaged(IDS_FILE)
        return Block(ids.astype(np.int32, copy=False), offsets.astype(np.int64))

    def cut(self, blocks: int) -> NDArray[np.int64]:
        """Return where to cut the sentences into blocks of sizes as equal as possible.

        Returns:
            (blocks + 1,) the sentence at which each block starts, then the number of
            sentences; a block may be empty.
        """
        return self._first_at(np.arange(blocks + 1) * self.words // blocks)

    def starts(self, sentences: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the position of the word at which each given sentence starts."""
        starts = map(self._start, sentences.tolist())
        return np.fromiter(starts, np.int64, len(sentences))

    @cached_property
    def _block_sentences(self) -> NDArray[np.int64]:
        """(blocks + 1,) the first sentence of each block, then their number."""
        size = min(
            max(self.words // _BLOCKS_WANTED, _MIN_BLOCK_WORDS), _MAX_BLOCK_WORDS
        )
        wanted = np.arange(0, max(size, self.words - size // 2), size)
        return np.unique(np.append(self._first_at(wanted), self.meta.sentences))

    def _first_at(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first sentence that starts at or after each position."""
        sentences = range(self.meta.sentences + 1)
        found = (bisect_left(sentences, at, key=self._start) for at in positions)
        return np.fromiter(found, np.int64, len(positions))

    def _start(self, sentence: int) -> int:
        """Return the position at which a sentence starts."""
        return int(self._read(OFFSETS_FILE, "<i8", sentence, sentence + 1)[0])

    def _offsets_rise(self) -> bool:
        """Return whether no sentence is empty and the last ends with the last word."""
        end = 0
        for first in range(0, self.meta.sentences, _OFFSETS_AT_ONCE):
            last = min(first + _OFFSETS_AT_ONCE, self.meta.sentences)
            offsets = self._read(OFFSETS_FILE, "<i8", first, last + 1)
            if offsets[0] != end or not (np.diff(offsets) > 0).all():
                return False
            end = offsets[-1]
        return bool(end == self.meta.words)

    def _read(self, name: str, dtype: str, first: int, last: int) -> NDArray[Any]:
        """Read the items of a file from `first` up to `last`, exclusive.

        The file stays open, so that a corpus that replaces this one on disk does not
        mix with it. A memory map would kill the process if the file were truncated,
        and what was read of it would count as memory used.
        """
        items = np.empty(last - first, dtype)
        room, place = memoryview(items.data).cast("B"), first * items.itemsize
        while len(room):
            try:
                got = os.preadv(self._files[name], [room], place)
            except OSError as error:
                raise CorpusError(
                    f"cannot read {self.path / name}: {error.strerror}"
                ) from error
            if not got:
                raise self._damaged(name)
            room, place = room[got:], place + got
        return items

    def _size(self, name: str) -> int:
        """Return a file's size in bytes."""
        return os.fstat(self._files[name]).st_size

    @cached_property
    def _files(self) -> dict[str, int]:
        """File descriptors, closed when the corpus is no longer used."""
        descriptors = {}
        for name in (IDS_FILE, OFFSETS_FILE):
            try:
                descriptors[name] = open_regular(self.path / name)
            except OSError as error:
                raise CorpusError(
                    f"cannot read {self.path / name}: {error.strerror}"
                ) from error
            weakref.finalize(self, os.close, descriptors[name])
        return descriptors

    def _damaged(self, name: str) -> CorpusError:
        return CorpusError(
            f"{self.path / name}: damaged; delete {self.path}, then prepare the corpus "
            "again"
        )
