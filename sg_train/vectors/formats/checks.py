"""Checks that apply to every vector file."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import OutputError, VectorsError
from sg_train.wording import shortened

_LOG = logging.getLogger(__name__)

_ASCII_SPACE = re.compile(r"\s", re.ASCII)
_LONGEST = 1 << 15  # bytes
_ROWS_AT_ONCE = 4096


def check_words(words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    """Refuse words and vectors that a space-separated file cannot hold.

    Other white space, such as U+00A0, is part of words for word2vec, fastText and
    gensim.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
    """
    check_first(words)
    for word in words:
        if len(word) > _LONGEST and len(word.encode()) > _LONGEST:
            raise VectorsError(
                f"{shortened(repr(word))}: longer than {_LONGEST} bytes; save such "
                "words as safetensors"
            )
        if not word or _ASCII_SPACE.search(word):
            raise VectorsError(
                f"{word!r}: this format cannot hold an empty word or one with white "
                "space; save words with spaces as safetensors or npy"
            )
    check_finite(words, matrix)


def check_lines(
    words: Sequence[str], matrix: NDArray[np.float32], where: str = ""
) -> None:
    """Refuse words that are not a line of text, and vectors that are not finite.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
    """
    for row, word in enumerate(words):
        if not word:
            raise VectorsError(f"{where}the word of vector {row + 1} is empty")
        if "\n" in word or "\r" in word:
            raise VectorsError(f"{where}{word!r}: a word must not contain a line end")
    check_finite(words, matrix, where)


def first_rows(words: Sequence[str], path: Path) -> list[int] | None:
    """Return the first row of each word, or None if no word occurs twice.

    A warning counts the others.
    """
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    if len(first) == len(words):
        return None
    row = next(row for row, word in enumerate(words) if first[word] != row)
    _LOG.warning(
        "%s: rows left out because they repeat a word: %d, the first: %r in vector %d",
        path,
        len(words) - len(first),
        words[row],
        row + 1,
    )
    return list(first.values())


def check_first(words: Sequence[str]) -> None:
    """Refuse a first word that begins with a byte order mark, which readers remove.

    Raises:
        VectorsError: it does.
    """
    if words[0].startswith("\ufeff"):
        raise VectorsError(
            f"{words[0]!r}: this format cannot hold a first word that begins with a "
            "byte order mark; save as safetensors"
        )


def check_finite(
    words: Sequence[str], matrix: NDArray[np.float32], where: str = ""
) -> None:
    """Refuse vectors with numbers that are not finite.

    Raises:
        VectorsError: a vector is not finite.
    """
    for first in range(0, len(words), _ROWS_AT_ONCE):
        is_finite = np.isfinite(matrix[first : first + _ROWS_AT_ONCE])
        if not is_finite.all():
            word = words[first + int(np.argmin(is_finite.all(axis=1)))]
            raise VectorsError(f"{where}the vector of {word!r} is not finite")


def check_place(path: Path, files: Sequence[str]) -> None:
    """Refuse a place at which a directory of some files cannot be written.

    Raises:
        OutputError: `path` is a file, or holds other files.
    """
    if (path.exists() and not path.is_dir()) or path.parent.is_file():
        raise OutputError(f"{path}: not a directory; this format needs one")
    if path.is_dir() and not {file.name for file in path.iterdir()} <= {*files}:
        raise OutputError(f"{path}: holds other files; choose another directory")


def check_read_back(path: Path, holds: bool) -> None:  # noqa: FBT001
    """Refuse a file that does not read back as written.

    Raises:
        OutputError: the file reads back differently.
    """
    if not holds:
        raise OutputError(
            f"{path}: does not read back as written; check the disk and write it again"
        )
