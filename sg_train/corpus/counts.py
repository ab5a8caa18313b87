"""Numbers the words of a text in order of first occurrence and counts them.

Distinct words that do not fit in memory go to disk (see `spilled_words`); callers do
not notice.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from sg_train.corpus.spilled_words import SpilledWords
from sg_train.corpus.splitting import SplitText
from sg_train.corpus.tokenizer import Tokenizer
from sg_train.errors import CorpusError

_MOST_IDS = 2**31 - 1


def drop_negative(
    ids: NDArray[np.int32], places: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Drop the ids below 0 and shift ascending places among them to match.

    >>> drop_negative(np.array([7, -1, -1, 8, 9]), np.array([0, 2, 3, 5]))
    (array([7, 8, 9]), array([0, 1, 1, 3]))
    """
    dropped = np.flatnonzero(ids < 0)
    return np.delete(ids, dropped), places - np.searchsorted(dropped, places)


class WordCounts:
    """Numbers words in order of first occurrence and counts them.

    Attributes:
        words: the distinct words in memory; a word's provisional id is its index here
            plus the number of provisional ids on disk.
    """

    def __init__(
        self, tokenizer: Tokenizer, directory: Path, most_words: int | None = None
    ) -> None:
        """Start with no words.

        Args:
            tokenizer: decides what a word is.
            directory: where to write words that do not fit in memory.
            most_words: how many words and variants of them memory may hold; None for
                no limit.
        """
        self.words: list[str] = []
        self._spilled = SpilledWords(directory)
        self._most_words = most_words
        self._grew = 0  # growth in the last chunk, the estimate for the next one
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = {}
        # Tokens that are not themselves words, such as `don’t` or `the.`
        self._variants: dict[str, tuple[int, ...]] = {"": ()}
        self._counts = np.zeros(1 << 16, dtype=np.int64)

    @property
    def counts(self) -> NDArray[np.int64]:
        """(len(words),) int64, how often each word has occurred."""
        return self._counts[: len(self.words)]

    def encode(self, text: SplitText) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Count the words of a chunk and return their ids.

        Returns:
            The provisional ids, (n,) int32, and the position in them at which each line
            starts, (lines + 1,) int64.
        """
        before = self._size
        if self._most_words is not None and before + self._grew > self._most_words:
            self._spill()
            before = self._size
        ids, lengths = self._look_up(text.tokens)
        self._grew = self._size - before
        self._count(
            ids,
            np.repeat(np.bincount(text.places, minlength=len(text.tokens)), lengths),
        )
        ids += self._first_id()
        if lengths.max(initial=0) <= 1:
            of_tokens = np.full(len(lengths), -1, dtype=np.int32)
            of_tokens[lengths > 0] = ids
            return drop_negative(of_tokens[text.places], text.line_starts)
        starts = np.cumsum(lengths) - lengths
        per_token = lengths[text.places]
        positions = np.concatenate(([0], np.cumsum(per_token)))
        inside = np.arange(positions[-1]) - np.repeat(positions[:-1], per_token)
        places = np.repeat(starts[text.places], per_token) + inside
        return ids[places], positions[text.line_starts]

    def add(self, words: Iterable[str], counts: NDArray[np.int64]) -> NDArray[np.int32]:
        """Adjust the counts of words, adding words that are new.

        Args:
            words: n distinct words.
            counts: (n,) how much to add to each word's count; may be negative.

        Returns:
            (n,) their provisional ids.
        """
        ids = np.fromiter(map(self._number, words), np.int32, len(counts))
        self._count(ids, counts)
        return ids + self._first_id()

    def totals(self) -> Iterator[tuple[list[str], NDArray[np.int64]]]:
        """Yield batches of distinct words with their counts, each word once.

        After phrases are joined, a count may be 0.
        """
        if not self._spilled:
            yield self.words, self.counts
            return
        self._spill()
        yield from self._spilled.totals()

    def final_ids(self, vocabulary: Mapping[str, int]) -> NDArray[np.int32]:
        """Map each provisional id to its vocabulary id, or to -1; (ids,) int32."""
        if self._spilled:
            self._spill()
            return self._spilled.final_ids(vocabulary)
        final = np.full(len(self.words), -1, dtype=np.int32)
        for word, id in vocabulary.items():
            number = self._ids.get(word)
            if number is not None:
                final[number] = id
        return final

    def distinct(self) -> tuple[pa.Array, NDArray[np.int32] | None]:
        """Return the distinct words, and the index of each provisional id's word.

        Returns:
            V words, and (ids,) int32, or None if each provisional id is its own index.
        """
        if not self._spilled:
            return pa.array(self.words, pa.large_string()), None
        self._spill()
        return self._spilled.renumber()

    def remove(self) -> None:
        """Delete the files on disk."""
        self._spilled.remove()

    @property
    def _size(self) -> int:
        """The number of words and variants in memory."""
        return len(self._ids) + len(self._variants)

    def _first_id(self) -> np.int32:
        """Return the provisional id of the first word in memory."""
        if self._spilled.ids + len(self.words) > _MOST_IDS:
            raise CorpusError(
                f"the text needs more than {_MOST_IDS} word ids, because a word gets a "
                "new one each time that memory is full; raise corpus.memory_limit or "
                "split the text"
            )
        return np.int32(self._spilled.ids)

    def _spill(self) -> None:
        """Write the words in memory to disk and clear them."""
        if not self.words:
            return
        self._spilled.add(self.words, self.counts)
        self.words = []
        self._ids.clear()
        self._variants = {"": ()}
        self._counts = np.zeros(1 << 16, dtype=np.int64)

    def _look_up(
        self, tokens: list[str]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of all tokens' words, and how many words each token has."""
        known = np.fromiter(
            map(self._ids.get, tokens, repeat(-1)), np.int32, len(tokens)
        )
        lengths = np.ones(len(tokens), dtype=np.int64)
        unknown = np.flatnonzero(known < 0)
        if not len(unknown):
            return known, lengths
        words = [self._variant(tokens[place]) for place in unknown.tolist()]
        lengths[unknown] = [len(ids) for ids in words]
        ids = np.repeat(known, lengths)
        ids[ids < 0] = [id for several in words for id in several]
        return ids, lengths

    def _variant(self, token: str) -> tuple[int, ...]:
        ids = self._variants.get(token)
        if ids is None:
            words = self._tokenizer.words(token)
            ids = tuple(map(self._number, words))
            if words != [token]:
                self._variants[token] = ids
        return ids

    def _number(self, word: str) -> int:
        number = self._ids.setdefault(word, len(self.words))
        if number == len(self.words):
            self.words.append(word)
        return number

    def _count(self, ids: NDArray[np.int32], counts: NDArray[np.int64]) -> None:
        if len(self.words) > len(self._counts):
            self._counts.resize(2 * len(self.words), refcheck=False)
        np.add.at(self._counts, ids, counts)
