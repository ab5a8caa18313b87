"""What a vector file holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rows:
    """Words and a row of numbers for each.

    Attributes:
        words: V words.
        matrix: (V, D) float32; may lie in a file that is mapped into memory.
    """

    words: Sequence[str]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.words)
