"""The first pass over a text: provisional ids and sentence lengths go to disk."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sg_train.config import CorpusConfig
from sg_train.corpus.counting import WordCounter, split_texts
from sg_train.corpus.reader import read_chunks
from sg_train.corpus.tokenizer import make_tokenizer
from sg_train.corpus.word_runs import WordRuns
from sg_train.machine import available_memory

_WORDS_AT_ONCE = 1 << 22
_BYTES_A_WORD = 400  # in memory, with its places in lists and tables


class Spool:
    """Ids of words and lengths of sentences on disk, between passes over a text."""

    def __init__(
        self, directory: Path, max_sentence_length: int, name: str = "provisional"
    ) -> None:
        """Set up; a `with` block writes.

        Args:
            directory: where two files go.
            max_sentence_length: longer sentences are cut.
            name: what the files' names begin with.
        """
        self._ids = directory / f"{name}-ids"
        self._lengths = directory / f"{name}-lengths"
        self._limit = max_sentence_length
        self._unended = 0  # words so far of a sentence whose end has not been read

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
        if not ends_line:  # what is certain of an endless line is written now
            whole, self._unended = divmod(int(lengths[-1]), self._limit)
            lengths[-1] = whole * self._limit
        self.append(ids, _cut(lengths, self._limit))

    def append(self, ids: NDArray[np.int32], lengths: NDArray[np.int32]) -> None:
        """Append whole sentences, none longer than the limit."""
        # Not ndarray.tofile, which says nothing of a disk that is full.
        self._ids_file.write(ids.data)
        self._lengths_file.write(lengths.data)

    def read(
        self, words: int | None = None
    ) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int64]]]:
        """Yield ids and where in them each sentence ends.

        Args:
            words: how many ids at a time, by default a few million.
        """
        at_once = words or _WORDS_AT_ONCE
        with self._ids.open("rb") as ids, self._lengths.open("rb") as lengths:
            ahead = np.zeros(0, dtype=np.int32)  # lengths read, of sentences to come
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
    """Split lengths above `limit` into as many full ones and the rest, drop zeros.

    >>> _cut(np.array([3, 0, 7, 6]), 3)
    array([3, 3, 3, 1, 3, 3], dtype=int32)
    """
    pieces = -(-lengths // limit)
    cut = np.full(int(pieces.sum()), limit, dtype=np.int32)
    last = np.cumsum(pieces)[pieces > 0] - 1
    cut[last] = (lengths - limit * (pieces - 1))[pieces > 0]
    return cut


def read_text(
    corpus: CorpusConfig,
    files: list[str],
    spool: Spool,
    runs: WordRuns,
    threads: int,
) -> WordCounter:
    """Read text files into a spool, and count their words.

    Args:
        corpus: how the text is split.
        files: what is read, in this order.
        spool: where ids and lengths go.
        runs: where words go that are too many for memory.
        threads: how many split text at the same time.

    Raises:
        CorpusError: a file cannot be read.
    """
    tokenizer = make_tokenizer(corpus.tokenizer, corpus.case)
    counter = WordCounter(tokenizer, runs, _most_words(corpus.memory_limit))
    chunks = chain.from_iterable(
        read_chunks(file, tokenizer.separators, corpus.errors) for file in files
    )
    with spool, progress_bar("reading") as bar:
        for text in split_texts(chunks, tokenizer.fold, threads):
            ids, line_starts = counter.encode(text)
            spool.write(ids, line_starts, ends_line=text.ends_line)
            bar.update(len(ids))
    return counter


def _most_words(megabytes: int | None) -> int | None:
    free = available_memory()
    if megabytes is None:
        return None if free is None else free // 2 // _BYTES_A_WORD
    return megabytes * 1_000_000 // _BYTES_A_WORD


def progress_bar(description: str) -> "tqdm[Any]":
    """Return a bar that counts words, and stays away where stderr is no terminal."""
    return tqdm(desc=description, unit=" words", unit_scale=True, disable=None)
