"""Word ids and sentence lengths on disk, between passes over a text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_WORDS_AT_ONCE = 1 << 20


class Spool:
    """Word ids and sentence lengths on disk, between passes over a text.

    Attributes:
        sentences: number of sentences written.
        single: number of these that have one word.
    """

    def __init__(
        self, directory: Path, max_sentence_length: int, name: str = "provisional"
    ) -> None:
        """Set up the spool; write to it in a `with` block.

        Args:
            directory: where to write two files.
            max_sentence_length: in words; longer sentences are cut.
            name: prefix of the file names.
        """
        self._ids = directory / f"{name}-ids"
        self._lengths = directory / f"{name}-lengths"
        self._limit = max_sentence_length
        self.sentences = self.single = 0
        self._unended = 0  # words so far in a sentence whose end is not read yet

    def next(self, name: str) -> "Spool":
        """Return an empty spool beside this one, for another pass."""
        return Spool(self._ids.parent, self._limit, name)

    def __enter__(self) -> "Spool":
        self._ids_file = self._ids.open("wb")
        self._lengths_file = self._lengths.open("wb")
        return self

    def __exit__(self, *_: object) -> None:
        self._ids_file.close()
        self._lengths_file.close()

    def write(
        self, ids: NDArray[np.int32], line_starts: NDArray[np.int64], *, ends_line: bool
    ) -> None:
        """Append a chunk's ids, and the lengths of the sentences that it completes."""
        lengths = np.diff(line_starts)
        lengths[0] += self._unended
        self._unended = 0
        if not ends_line:  # write the full pieces of an unfinished line now
            whole, self._unended = divmod(int(lengths[-1]), self._limit)
            lengths[-1] = whole * self._limit
        self.append(ids, _cut(lengths, self._limit))

    def append(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Append whole sentences, none longer than the limit."""
        # Not ndarray.tofile, which does not report a full disk.
        self._ids_file.write(ids.data)
        self._lengths_file.write(lengths.data)
        self.sentences += len(lengths)
        self.single += int(np.count_nonzero(lengths == 1))

    def read(
        self, words: int | None = None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Yield ids and the positions in them at which sentences end.

        Args:
            words: how many ids to yield at a time, by default a few million.
        """
        at_once = words or _WORDS_AT_ONCE
        with self._ids.open("rb") as ids, self._lengths.open("rb") as lengths:
            ahead = np.zeros(0, dtype=np.int32)  # lengths of sentences not yielded yet
            while True:
                more = np.fromfile(lengths, np.int32, at_once - len(ahead))
                ahead = np.concatenate((ahead, more))
                if not len(ahead):
                    return
                ends = np.cumsum(ahead, dtype="<i8")
                ends = ends[: max(1, np.searchsorted(ends, at_once))]
                yield np.fromfile(ids, np.int32, ends[-1]), ends
                ahead = ahead[len(ends) :]

    def remove(self) -> None:
        """Delete both files."""
        self._ids.unlink()
        self._lengths.unlink()


def _cut(lengths: NDArray[np.int64], limit: int) -> NDArray[np.int32]:
    """Split lengths above `limit` into full pieces and a remainder, and drop zeros.

    >>> _cut(np.array([3, 0, 7, 6]), 3)
    array([3, 3, 3, 1, 3, 3], dtype=int32)
    """
    pieces = -(-lengths // limit)
    cut = np.full(int(pieces.sum()), limit, dtype=np.int32)
    last = np.cumsum(pieces)[pieces > 0] - 1
    cut[last] = (lengths - limit * (pieces - 1))[pieces > 0]
    return cut
