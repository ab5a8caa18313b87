"""Test files: questions to word vectors with known answers.

Similarity: two words and a human score per line, separated by tabs, commas, semicolons
or spaces, with or without a header. Analogies: four words per line under headings
`: section`, as in word2vec's questions-words.txt. Empty lines and lines that begin with
# are skipped.
"""

import csv
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from sg_train.errors import VectorsError
from sg_train.system.containers import HEAD_BYTES, container_of

_LONGEST_FILE = 100_000_000  # bytes
_SEPARATORS = ("\t", ";", ",")

T = TypeVar("T")


@dataclass(frozen=True)
class SimilarityTest:
    """Pairs of words with human similarity scores.

    Attributes:
        name: the file's name without its extension.
        pairs: (word, word, score).
    """

    name: str
    pairs: list[tuple[str, str, float]]

    def halves(self) -> tuple["SimilarityTest", "SimilarityTest"]:
        """Return two tests with half of the pairs each, always the same halves."""
        first, second = _halves(self.pairs, lambda pair: pair[:2])
        return replace(self, pairs=first), replace(self, pairs=second)


@dataclass(frozen=True)
class AnalogyTest:
    """Questions a : b :: c : d, by section.

    Attributes:
        name: the file's name without its extension.
        sections: each section's name and questions (a, b, c, d).
    """

    name: str
    sections: list[tuple[str, list[tuple[str, str, str, str]]]]

    def halves(self) -> tuple["AnalogyTest", "AnalogyTest"]:
        """Return two tests with half of each section each, always the same halves.

        A question and its reverse, c : d :: a : b, are in the same half.
        """
        halves = [
            (name, _halves(questions, lambda words: sorted((words[:2], words[2:]))))
            for name, questions in self.sections
        ]
        first, second = (
            replace(self, sections=[(name, half[i]) for name, half in halves])
            for i in (0, 1)
        )
        return first, second


def read_test(path: Path) -> SimilarityTest | AnalogyTest:
    """Read a test of either kind; analogies are those that begin with a section.

    Raises:
        VectorsError: the file cannot be read, or a line has another format.

    >>> type(read_test(Path("data/analogies.txt"))).__name__
    'AnalogyTest'
    """
    for _, line in _lines(path):
        return (read_analogies if line.startswith(":") else read_similarity)(path)
    return read_similarity(path)


def read_similarity(path: Path) -> SimilarityTest:
    """Read a word-similarity test; columns after the third are ignored.

    Raises:
        VectorsError: the file cannot be read, or a line has another format.
    """
    pairs: list[tuple[str, str, float]] = []
    separator: str | None = None
    for number, line in _lines(path):
        is_first = separator is None
        if separator is None:
            separator = next((mark for mark in _SEPARATORS if mark in line), " ")
        fields = _split(line, separator)
        if is_first and len(fields) >= 3 and not re.search(r"\d", fields[2]):
            continue  # a header
        try:
            one, other, text = fields[:3]
            score = float(text)
            if not (one and other and math.isfinite(score)):
                raise ValueError
        except ValueError as error:
            raise VectorsError(
                f"{path}, line {number}: expected two words and a number with a "
                f"decimal point in the first three columns, not {_short(line)!r}"
            ) from error
        pairs.append((one, other, score))
    if not pairs:
        raise VectorsError(f"{path}: holds no pair of words with a score")
    return SimilarityTest(path.stem, pairs)


def read_analogies(path: Path) -> AnalogyTest:
    """Read an analogy test.

    Raises:
        VectorsError: the file cannot be read, or a line has another format.

    >>> read_analogies(Path("data/analogies.txt")).name
    'analogies'
    """
    sections: list[tuple[str, list[tuple[str, str, str, str]]]] = []
    for number, line in _lines(path):
        if line.startswith(":"):
            name = line.lstrip(": ") or "unnamed"
            sections.append((f"{name} (section)" if name == "total" else name, []))
            continue
        words = line.split()
        if len(words) != 4:
            raise VectorsError(
                f"{path}, line {number}: expected four words or `: section`, not "
                f"{_short(line)!r}"
            )
        if not sections:
            sections.append((path.stem, []))
        a, b, c, d = words
        sections[-1][1].append((a, b, c, d))
    if not any(questions for _, questions in sections):
        raise VectorsError(f"{path}: holds no questions of four words")
    return AnalogyTest(path.stem, sections)


def _halves(
    questions: Sequence[T], key: Callable[[T], object]
) -> tuple[list[T], list[T]]:
    """Divide questions by a digest of their keys; equal keys stay together."""
    halves: tuple[list[T], list[T]] = ([], [])
    by_key: dict[str, list[T]] = {}
    for question in questions:
        by_key.setdefault(repr(key(question)), []).append(question)
    mixed = sorted(by_key, key=lambda text: hashlib.sha256(text.encode()).digest())
    for number, text in enumerate(mixed):
        halves[number % 2].extend(by_key[text])
    return halves


def _split(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    try:
        fields = next(csv.reader([line], delimiter=separator))
    except csv.Error:  # a field exceeds csv's size limit
        return []
    return [field.strip() for field in fields]


def _short(line: str) -> str:
    return line if len(line) <= 80 else f"{line[:77]}..."


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE + 1)
        if len(content) > _LONGEST_FILE:
            raise VectorsError(
                f"{path}: longer than {_LONGEST_FILE} bytes; give a test file"
            )
        container = container_of(content[:HEAD_BYTES])
        if container is not None:
            raise VectorsError(f"{path}: {container.name}, not a test file in UTF-8")
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise VectorsError(f"{path}: not UTF-8 text; convert it to UTF-8") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()
