import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.sampling.draws import draws
from sg_train.sampling.frequency import (
    alias_table,
    draw_words,
    keep_limits,
    keep_probability,
    negative_probability,
)

counts_lists = st.lists(st.integers(1, 10**9), min_size=1, max_size=50)


def chi_square(observed: np.ndarray, probability: np.ndarray) -> float:
    """Return the statistic, scaled to mean 0 and deviation 1."""
    expected = probability * observed.sum()
    some = expected > 0
    statistic = ((observed - expected)[some] ** 2 / expected[some]).sum()
    freedom = max(1, some.sum() - 1)
    return float((statistic - freedom) / np.sqrt(2 * freedom))


def test_keep_probability_is_that_of_word2vec() -> None:
    counts = np.array([900_000, 90_000, 9_990, 10])
    t = 1e-3
    expected = [min(1, (t / f) ** 0.5 + t / f) for f in counts / 1_000_000]
    assert keep_probability(counts, t) == pytest.approx(expected, rel=1e-12)
    assert (keep_probability(counts, 0) == 1).all()


def test_keep_limits_are_exact_at_both_ends() -> None:
    limits = keep_limits(np.array([1.0, 0.5, 2.0**-32, 1e-12]))
    assert limits.tolist() == [2**32 - 1, 2**31 - 1, 0, 0]


def test_tokens_are_kept_with_their_probability() -> None:
    counts = np.array([1_000_000, 50_000, 3_000, 100])
    probability = keep_probability(counts, 1e-3)
    bits = draws(99, np.arange(400_000)) >> np.uint64(32)
    for limit, wanted in zip(keep_limits(probability), probability, strict=True):
        kept = (bits <= limit).mean()
        assert abs(kept - wanted) <= 5 * np.sqrt(wanted * (1 - wanted) / 400_000)


@given(counts_lists, st.floats(-2, 2))
def test_negatives_follow_the_power_of_the_count(
    counts: list[int], exponent: float
) -> None:
    weights = [count**exponent for count in counts]
    expected = [weight / sum(weights) for weight in weights]
    found = negative_probability(np.array(counts), exponent)
    assert found == pytest.approx(expected, rel=1e-9)


def test_no_exponent_overflows() -> None:
    for exponent in (-5, 5):
        found = negative_probability(np.array([1, 10**18]), exponent)
        assert np.isfinite(found).all()
        assert found.sum() == pytest.approx(1)


def probability_of(table: np.ndarray) -> np.ndarray:
    """Add up what each word gets of all cells."""
    size = len(table)
    coin = table[:, 0] / 2.0**32
    total = np.zeros(size)
    np.add.at(total, np.arange(size), coin / size)
    np.add.at(total, table[:, 1], (1 - coin) / size)
    return total


@given(counts_lists, st.sampled_from([0.0, 0.75, 1.0, -1.0]))
def test_the_alias_table_gives_each_word_its_share(
    counts: list[int], exponent: float
) -> None:
    probability = negative_probability(np.array(counts), exponent)
    table = alias_table(probability)
    assert probability_of(table) == pytest.approx(probability, abs=1e-8)


def test_a_large_alias_table() -> None:
    counts = np.maximum(5, 10**8 // np.arange(1, 200_001))
    probability = negative_probability(counts, 0.75)
    found = probability_of(alias_table(probability))
    assert np.abs(found / probability - 1).max() < 1e-3


def test_draws_follow_the_table() -> None:
    counts = np.array([1, 2, 3, 500, 70, 8, 8, 8, 9000, 40])
    probability = negative_probability(counts, 0.75)
    bits = draws(5, np.arange(300_000).reshape(1000, 300))
    words = draw_words(alias_table(probability), bits)
    assert words.shape == (1000, 300)
    assert words.dtype == np.int32
    observed = np.bincount(words.ravel(), minlength=len(counts))
    assert chi_square(observed, probability) < 4
    assert chi_square(observed, np.full(10, 0.1)) > 100  # and the test can fail
