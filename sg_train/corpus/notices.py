"""Detects texts that are not laid out as lines of words separated by spaces.

Such texts can be trained on, but the vectors are not what the user expects.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.wording import shortened

_LOG = logging.getLogger(__name__)

_LEAST_WORDS = 10
_NOTABLE_SINGLE = 0.9  # of the lines
_LEAST_LINES = 100

Totals = Iterable[tuple[Sequence[str], NDArray[np.int64]]]


@dataclass
class _Script:
    """A script that is written without spaces between words.

    Attributes:
        name: the languages that use it.
        start: matches words that begin in it.
        mean: characters; the mean length of words is lower, that of clauses higher.
        words: running words in it.
        characters: of these.
        example: the most frequent word longer than `mean`.
        count: how often that one occurs.
    """

    name: str
    start: re.Pattern[str]
    mean: int
    words: int = 0
    characters: int = 0
    example: str = ""
    count: int = 0

    def add(self, word: str, count: int) -> None:
        self.words += count
        self.characters += count * len(word)
        if len(word) > self.mean and count > self.count:
            self.example, self.count = word, count


class UnsegmentedText:
    """Detects Chinese, Japanese, Thai and similar text without spaces between words."""

    def __init__(self) -> None:
        self._scripts = (
            _Script(
                "Chinese or Japanese", re.compile("[\u3040-\u30ff\u3400-\u9fff]"), 4
            ),
            _Script("Thai or Lao", re.compile("[\u0e00-\u0eff]"), 10),
            _Script("Khmer or Burmese", re.compile("[\u1000-\u109f\u1780-\u17ff]"), 11),
        )

    def watch(
        self, totals: Totals
    ) -> Iterator[tuple[Sequence[str], NDArray[np.int64]]]:
        """Yield batches of distinct words and their counts unchanged."""
        for words, counts in totals:
            for place, word in enumerate(words):
                if word >= "\u0e00":  # compares first characters; most words end here
                    self._add(word, int(counts[place]))
            yield words, counts

    def report(self, name: str) -> None:
        """Log a warning for each script in which many words are clauses.

        Args:
            name: of the text.
        """
        for script in self._scripts:
            mean = script.characters / max(1, script.words)
            if script.words < _LEAST_WORDS or mean <= script.mean:
                continue
            _LOG.warning(
                "%s: words in %s have %.1f characters on average, such as %s: there "
                "are no spaces between words, so whole clauses become words; segment "
                "the text first, for example with jieba, MeCab or PyThaiNLP, and train "
                "on the result with --set corpus.tokenizer=whitespace",
                name,
                script.name,
                mean,
                shortened(script.example),
            )

    def _add(self, word: str, count: int) -> None:
        for script in self._scripts:
            if script.start.match(word):
                script.add(word, count)


def single_words(single: int, lines: int, example: str) -> str | None:
    """Describe a text whose lines mostly hold one word, which then has no context.

    Args:
        single: number of lines with one word.
        lines: number of lines with words.
        example: a frequent word.

    Returns:
        None if most lines hold several words.

    >>> single_words(3, 3, "milk")
    "every line is one word, such as 'milk'; put several words on one line"
    """
    if single < lines and (lines < _LEAST_LINES or single < _NOTABLE_SINGLE * lines):
        return None
    how_many = "every line is"
    if single < lines:
        how_many = f"{single} of {lines} lines are"
    separator = re.search(r"(?<=\w)[,;|/:+](?=\w)", example)
    advice = "put several words on one line"
    if separator:
        mark = repr(separator[0])
        advice = f"separate words with spaces, not with {mark}, or set corpus.separator"
    return f"{how_many} one word, such as {shortened(example)!r}; {advice}"
