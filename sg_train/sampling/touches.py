"""How often training touches each row, as expected from the words' counts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sg_train.sampling.frequency import keep_probability, negative_probability


@dataclass(frozen=True)
class Touches:
    """The expected share of each row in windows and pairs.

    Attributes:
        windows: windows per word of text.
        pairs: mean number of context words per window.
        contexts: (V,) float64, the share of context words that are this word; sums
            to 1.
        targets: (V,) float64, how often this word is the centre or a negative of a
            window; sums to 1 + K.
    """

    windows: float
    pairs: float
    contexts: NDArray[np.float64]
    targets: NDArray[np.float64]

    @classmethod
    def expect(
        cls,
        counts: NDArray[np.int64],
        *,
        window: int,
        dynamic: bool,
        negatives: int,
        negative_exponent: float,
        subsample: float,
    ) -> "Touches":
        """Derive the expected touches from the sampling distributions.

        Args:
            counts: (V,) int64, how often each word occurs.
            window: maximum number of words to each side of the centre.
            dynamic: whether each window's width is drawn from 1..window.
            negatives: K.
            negative_exponent: negatives are drawn by count ** exponent.
            subsample: the share above which words are thinned out.
        """
        kept = counts / counts.sum() * keep_probability(counts, subsample)
        centres = kept / kept.sum()
        drawn = negative_probability(counts, negative_exponent)
        pairs = window + 1 if dynamic else 2 * window
        return cls(float(kept.sum()), pairs, centres, centres + negatives * drawn)

    @property
    def busiest(self) -> float:
        """The touches per window of the row that is touched most often."""
        return float(max((self.pairs * self.contexts).max(), self.targets.max()))
