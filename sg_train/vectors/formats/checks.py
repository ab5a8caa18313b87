"""Checks that apply to every vector file."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import OutputError, VectorsError

_ASCII_SPACE = re.compile(r"\s", re.ASCII)
_ROWS_AT_ONCE = 4096


def check_words(words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    """Refuse words and vectors that a space-separated file cannot hold.

    Other white space, such as U+00A0, is part of words for word2vec, fastText and
    gensim.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
    """
    for word in words:
        if not word or _ASCII_SPACE.search(word):
            raise VectorsError(
                f"{word!r}: this format cannot hold an empty word or one with white "
                "space; save words with spaces as safetensors or npy"
            )
    check_finite(words, matrix)


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


def check_read_back(path: Path, holds: bool) -> None:  # noqa: FBT001
    """Refuse a file that does not read back as written.

    Raises:
        OutputError: the file reads back differently.
    """
    if not holds:
        raise OutputError(
            f"{path}: does not read back as written; check the disk and write it again"
        )
