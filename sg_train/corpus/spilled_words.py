"""Counts words on disk when the distinct words do not fit in memory.

Each time the words in memory reach the limit, they are written to a file of lines `word
TAB count TAB provisional id`, sorted by word, and counting restarts from zero. So a
word may be in several files, with another provisional id in each. Merging the sorted
files gives every word's total count in little memory.
"""

import heapq
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_IDS_AT_ONCE = 1 << 20
_WORDS_AT_ONCE = 1 << 16


class SpilledWords:
    """The words of one text, in sorted files."""

    def __init__(self, directory: Path) -> None:
        """Start with no files.

        Args:
            directory: where to write files; `remove` deletes them.
        """
        self._directory = directory
        self._files: list[Path] = []
        self._ids = 0

    def __len__(self) -> int:
        return len(self._files)

    @property
    def ids(self) -> int:
        """The number of provisional ids, which is the first id of the next file."""
        return self._ids

    def add(self, words: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Write words and their counts to a new file.

        Args:
            words: distinct words; the provisional id of the first is `ids`, that of the
                second `ids + 1`, and so on.
            counts: (len(words),) how often each has occurred.
        """
        path = self._directory / f"words-{len(self._files)}.tsv"
        order = sorted(range(len(words)), key=words.__getitem__)
        with path.open("w", encoding="utf-8", newline="") as file:
            for place in order:
                file.write(f"{words[place]}\t{counts[place]}\t{self._ids + place}\n")
        self._files.append(path)
        self._ids += len(words)

    def totals(self) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
        """Yield each distinct word once, in code point order, and its total count.

        Yields:
            A batch of words, and (words,) int64, their counts.
        """
        with ExitStack() as stack:
            files = [map(_split, stack.enter_context(_open(f))) for f in self._files]
            merged = groupby(heapq.merge(*files), key=itemgetter(0))
            sums = ((word, sum(line[1] for line in lines)) for word, lines in merged)
            while some := list(islice(sums, _WORDS_AT_ONCE)):
                words, counts = zip(*some, strict=True)
                yield list(words), np.array(counts, dtype=np.int64)

    def final_ids(self, vocabulary: Mapping[str, int]) -> NDArray[np.int32]:
        """Map each provisional id to its vocabulary id, or to -1.

        Returns:
            (ids,) int32, in a memory-mapped file.
        """
        final = self._new_map("final.i32")
        for path in self._files:
            with _open(path) as file:
                for word, _, number in map(_split, file):
                    if word in vocabulary:
                        final[number] = vocabulary[word]
        return final

    def renumber(self) -> tuple[pa.Array, NDArray[np.int32]]:
        """Give each distinct word one id, in code point order.

        Returns:
            The V words, and (ids,) int32, the id of each provisional id's word; both
            in memory-mapped files.
        """
        texts, ends = self._directory / "words.utf8", self._directory / "words.i64"
        final = self._new_map("one.i32")
        end = words = 0
        with ExitStack() as stack:
            files = [map(_split, stack.enter_context(_open(f))) for f in self._files]
            text, offsets = (stack.enter_context(f.open("wb")) for f in (texts, ends))
            offsets.write(struct.pack("<q", 0))
            for word, lines in groupby(heapq.merge(*files), key=itemgetter(0)):
                for _, _, number in lines:
                    final[number] = words
                spelt = word.encode()
                text.write(spelt)
                words, end = words + 1, end + len(spelt)
                offsets.write(struct.pack("<q", end))
        if not words:
            return pa.array([], pa.large_string()), final
        mapped = [pa.py_buffer(np.memmap(path, mode="r")) for path in (ends, texts)]
        return pa.LargeStringArray.from_buffers(words, *mapped), final

    def _new_map(self, name: str) -> NDArray[np.int32]:
        """Return (ids,) int32, all -1, in a new memory-mapped file."""
        path = self._directory / name
        path.unlink(missing_ok=True)  # the previous one may still be mapped
        with path.open("wb") as file:  # a full disk fails here, not in the map
            for first in range(0, self._ids, _IDS_AT_ONCE):
                size = min(_IDS_AT_ONCE, self._ids - first)
                file.write(np.full(size, -1, dtype=np.int32).data)
        if not self._ids:
            return np.zeros(0, dtype=np.int32)
        return np.memmap(path, dtype=np.int32, mode="r+", shape=self._ids)

    def remove(self) -> None:
        """Delete all files."""
        others = ("final.i32", "one.i32", "words.utf8", "words.i64")
        for path in (*self._files, *(self._directory / name for name in others)):
            path.unlink(missing_ok=True)


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8", newline="\n")


def _split(line: str) -> tuple[str, int, int]:
    word, count, number = line.split("\t")
    return word, int(count), int(number)
