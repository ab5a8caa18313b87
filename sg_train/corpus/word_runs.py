"""Counts of words on disk, when there are too many distinct words for memory.

Each time the words in memory become too many, they are written as a run: a file of
lines `word TAB count TAB provisional id`, sorted by word, after which counting begins
anew. A word may so be in several runs, with a provisional id in each. Merging the runs,
which are all sorted, gives every word's whole count with little memory.
"""

import heapq
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_IDS_AT_ONCE = 1 << 20


class WordRuns:
    """The runs of one text."""

    def __init__(self, directory: Path) -> None:
        """Set up; nothing is written yet.

        Args:
            directory: where files may be written; they are removed by `remove`.
        """
        self._directory = directory
        self._files: list[Path] = []
        self._ids = 0

    def __len__(self) -> int:
        return len(self._files)

    @property
    def ids(self) -> int:
        """How many provisional ids the runs hold: the first id of the next one."""
        return self._ids

    def add(self, words: Sequence[str], counts: NDArray[np.int64]) -> None:
        """Write a run.

        Args:
            words: distinct; the first one has the provisional id `ids`, and so on.
            counts: (len(words),) how often each has occurred.
        """
        path = self._directory / f"words-{len(self._files)}.tsv"
        order = sorted(range(len(words)), key=words.__getitem__)
        with path.open("w", encoding="utf-8", newline="") as file:
            for place in order:
                file.write(f"{words[place]}\t{counts[place]}\t{self._ids + place}\n")
        self._files.append(path)
        self._ids += len(words)

    def totals(self) -> Iterator[tuple[str, int]]:
        """Yield each distinct word once, by code points, and its whole count."""
        with ExitStack() as stack:
            runs = [map(_split, stack.enter_context(_open(f))) for f in self._files]
            for word, parts in groupby(heapq.merge(*runs), key=lambda part: part[0]):
                yield word, sum(count for _, count, _ in parts)

    def final_ids(self, vocabulary: Mapping[str, int]) -> NDArray[np.int32]:
        """Return each provisional id's place in a vocabulary, or -1.

        Returns:
            (ids,) int32, in a file that is mapped into memory.
        """
        final = self._new_map("final.i32")
        for path in self._files:
            with _open(path) as file:
                for word, _, number in map(_split, file):
                    if word in vocabulary:
                        final[number] = vocabulary[word]
        return final

    def renumber(self) -> tuple[pa.Array, NDArray[np.int32]]:
        """Give each distinct word one id, by code points.

        Returns:
            The V words and, for each provisional id, (ids,) int32, its word's id; both
            in files that are mapped into memory.
        """
        texts, ends = self._directory / "words.utf8", self._directory / "words.i64"
        final = self._new_map("one.i32")
        end = words = 0
        with ExitStack() as stack:
            runs = [map(_split, stack.enter_context(_open(f))) for f in self._files]
            text, offsets = (stack.enter_context(f.open("wb")) for f in (texts, ends))
            offsets.write(struct.pack("<q", 0))
            for word, parts in groupby(heapq.merge(*runs), key=lambda part: part[0]):
                for _, _, number in parts:
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
        """Return (ids,) int32, all -1, in a new file that is mapped into memory."""
        path = self._directory / name
        path.unlink(missing_ok=True)  # the one before may still be mapped
        with path.open("wb") as file:  # a full disk is noticed here, not when mapped
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
