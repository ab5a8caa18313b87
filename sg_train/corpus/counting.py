"""One pass over a text: words are numbered by first sight and counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sg_train.corpus.tokenizer import Tokenizer
from sg_train.corpus.word_runs import WordRuns
from sg_train.threads import in_order


@dataclass(frozen=True)
class SplitText:
    """A chunk of text split at ASCII white space.

    Attributes:
        tokens: the distinct tokens; the empty one may be among them.
        places: (n,) int32, for each token of the text its place in `tokens`.
        line_starts: (lines + 1,) int64, where in `places` each line starts, and n.
        ends_line: whether the text ends with a line end.
    """

    tokens: list[str]
    places: NDArray[np.int32]
    line_starts: NDArray[np.int64]
    ends_line: bool


def split_text(text: bytes, fold: bytes) -> SplitText:
    """Fold a chunk of text and split it; nearly all of it runs without the GIL."""
    folded = np.frombuffer(text.translate(fold), dtype=np.uint8)
    ends = np.flatnonzero(folded == ord("\n")) + 1
    ends_line = len(ends) > 0 and ends[-1] == len(folded)
    bounds = np.concatenate(([0], ends, [] if ends_line else [len(folded)]))
    lines = pa.StringArray.from_buffers(
        len(bounds) - 1, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(folded)
    )
    split = pc.ascii_split_whitespace(lines)
    encoded = split.values.dictionary_encode()
    return SplitText(
        tokens=encoded.dictionary.to_pylist(),
        places=encoded.indices.to_numpy(),
        line_starts=split.offsets.to_numpy().astype(np.int64),
        ends_line=ends_line,
    )


def split_texts(
    chunks: Iterable[bytes], fold: bytes, threads: int
) -> Iterator[SplitText]:
    """Apply `split_text` on several threads; the results keep the chunks' order."""
    return in_order(partial(split_text, fold=fold), chunks, threads)


def drop_negative(
    ids: NDArray[np.int32], places: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Drop the ids below 0, and move rising places among them to where they are then.

    >>> drop_negative(np.array([7, -1, -1, 8, 9]), np.array([0, 2, 3, 5]))
    (array([7, 8, 9]), array([0, 1, 1, 3]))
    """
    dropped = np.flatnonzero(ids < 0)
    return np.delete(ids, dropped), places - np.searchsorted(dropped, places)


class WordCounter:
    """Numbers words by first sight and counts them.

    Attributes:
        words: the distinct words in memory; a word's provisional id is its place, after
            the ids that have gone into runs.
        runs: words that have become too many for memory.
    """

    def __init__(
        self, tokenizer: Tokenizer, runs: WordRuns, most_words: int | None = None
    ) -> None:
        """Begin to count.

        Args:
            tokenizer: what a word is.
            runs: where words go that are too many for memory.
            most_words: how many words, and variants of them, may be in memory.
        """
        self.words: list[str] = []
        self.runs = runs
        self._most_words = most_words
        self._grew = 0  # by the last chunk, as the next one may
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
        """Count the words of a chunk.

        Returns:
            Their provisional ids, (n,) int32, and where in them each line starts,
            (lines + 1,) int64.
        """
        before = self.size
        if self._most_words is not None and before + self._grew > self._most_words:
            self.spill()
            before = self.size
        ids, lengths = self._look_up(text.tokens)
        self._grew = self.size - before
        self._count(
            ids,
            np.repeat(np.bincount(text.places, minlength=len(text.tokens)), lengths),
        )
        ids += np.int32(self.runs.ids)
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
        """Count words beside those of the text.

        Args:
            words: n distinct ones.
            counts: (n,) how often each occurs; less than nothing takes some off.

        Returns:
            (n,) their provisional ids.
        """
        ids = np.fromiter(map(self._number, words), np.int32, len(counts))
        self._count(ids, counts)
        return ids + np.int32(self.runs.ids)

    def id(self, word: str) -> int | None:
        """Return the provisional id of a word that is in memory."""
        number = self._ids.get(word)
        return None if number is None else number + self.runs.ids

    @property
    def size(self) -> int:
        """How many words and variants are in memory."""
        return len(self._ids) + len(self._variants)

    def spill(self) -> None:
        """Write the words in memory as a run, and begin anew."""
        self.runs.add(self.words, self.counts)
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
