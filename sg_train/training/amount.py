"""How much training a corpus gets where its settings are `auto`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config
from sg_train.sampling.frequency import keep_probability

_AMOUNT = 0.45  # learning rate times epochs, for a million words
_RATE = 0.025
_RATE_OF_GIVEN_EPOCHS = 0.05  # people give fewer than `auto` would take
_LOWEST_RATE, _HIGHEST_RATE = 0.0125, 0.1  # measured
_MOST_EPOCHS = 100


def automatic_epochs(words: float, rate: float = _RATE) -> int:
    """Return the number of epochs for a corpus of this size.

    It falls with the fourth root of the size, so that sixteen times as much text gets
    half as many epochs, and with the learning rate. "How much training" in
    docs/notebook.md has the measurements.

    Args:
        words: the number of words that survive subsampling in an epoch.
        rate: the learning rate at the first word.

    >>> [automatic_epochs(words) for words in (1e5, 1e6, 16e6)]
    [32, 18, 9]
    """
    rate = min(max(rate, _LOWEST_RATE), _HIGHEST_RATE)
    epochs: float = _AMOUNT / rate * (1e6 / max(1.0, words)) ** 0.25
    return min(max(1, round(epochs)), _MOST_EPOCHS)


def with_numbers(
    config: Config, counts: NDArray[np.int64], share: float = 1.0
) -> tuple[Config, dict[str, Any]]:
    """Return a config in which each `auto` is replaced by a number, and the numbers.

    Args:
        config: the settings.
        counts: (V,) int64, how often each word of the corpus occurs.
        share: of these words that the run passes over, which is less than 1 if it
            extends another. It counts twice: little new text should be passed over
            less often, too, or the old text is forgotten.

    >>> with_numbers(Config(), np.array([9_000_000, 1_000_000]))[1]
    {'training.learning_rate': 0.025, 'training.epochs': 30}
    """
    training, numbers = config.training, dict[str, Any]()
    rate = training.learning_rate
    if rate == "auto":
        rate = _RATE if training.epochs == "auto" else _RATE_OF_GIVEN_EPOCHS
        numbers["training.learning_rate"] = rate
    if training.epochs == "auto":
        kept = float(counts @ keep_probability(counts, config.sampling.subsample))
        epochs = share**2 * automatic_epochs(kept, rate)
        numbers["training.epochs"] = max(1, round(epochs))
    return config.with_settings(numbers) if numbers else config, numbers
