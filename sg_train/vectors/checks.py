"""What every vector file must hold to."""

from pathlib import Path

import numpy as np

from sg_train.errors import OutputError, VectorsError
from sg_train.vectors.rows import Rows

_ROWS_AT_ONCE = 4096


def check_words(vectors: Rows) -> None:
    """Refuse what no vector file can hold.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
    """
    for word in vectors.words:
        if word.split() != [word]:
            raise VectorsError(
                f"{word!r}: a word with white space cannot be written to such a file; "
                "the formats safetensors and npy hold any word"
            )
    check_finite(vectors)


def check_finite(vectors: Rows, where: str = "") -> None:
    """Refuse vectors with numbers that are not finite.

    Raises:
        VectorsError: a vector is not finite.
    """
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        is_finite = np.isfinite(vectors.matrix[first : first + _ROWS_AT_ONCE])
        if not is_finite.all():
            word = vectors.words[first + int(np.argmin(is_finite.all(axis=1)))]
            raise VectorsError(f"{where}the vector of {word!r} is not finite")


def check_read_back(path: Path, holds: bool) -> None:  # noqa: FBT001
    """Refuse a file that does not hold what was just written to it.

    Raises:
        OutputError: it does not.
    """
    if not holds:
        raise OutputError(f"{path}: what was written reads back as something else")
