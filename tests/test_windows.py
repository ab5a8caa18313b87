import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.sampling.draws import Purpose, draws
from sg_train.sampling.frequency import draw_words
from sg_train.sampling.windows import NO_WORD, SamplingPlan, draw_windows
from tests.building import make_plan

sentence_lists = st.lists(
    st.lists(st.integers(0, 7), min_size=1, max_size=9), min_size=1, max_size=5
)


def flat(sentences: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    ids = np.array([id for sentence in sentences for id in sentence], dtype=np.int32)
    return ids, np.cumsum([0, *map(len, sentences)])


def by_hand(sentences, plan, epoch, block):
    """Draw windows word by word, as one would explain it."""
    ids, _ = flat(sentences)
    places = np.arange(len(ids))
    keep = draws(plan.key(epoch, block, Purpose.KEEP), places)
    reach = draws(plan.key(epoch, block, Purpose.WINDOW), places)
    negatives = draws(
        plan.key(epoch, block, Purpose.NEGATIVE), np.arange(len(ids) * plan.negatives)
    )
    windows, position = [], 0
    for sentence in sentences:
        kept = [
            (position + i, id)
            for i, id in enumerate(sentence)
            if int(keep[position + i]) >> 32 <= plan.keep_limits[id]
        ]
        position += len(sentence)
        for i, (place, centre) in enumerate(kept):
            width = plan.window
            if plan.dynamic:
                width = 1 + ((int(reach[place]) >> 32) * plan.window >> 32)
            around = {}
            for distance in range(-width, width + 1):
                if distance and 0 <= i + distance < len(kept):
                    around[distance] = kept[i + distance][1]
            if around:
                first = place * plan.negatives
                bits = negatives[first : first + plan.negatives]
                drawn = draw_words(plan.negative_table, bits).tolist()
                marked = [NO_WORD if id == centre else id for id in drawn]
                windows.append((place, centre, around, marked))
    return windows


@given(
    sentences=sentence_lists,
    window=st.integers(1, 12),
    dynamic=st.booleans(),
    negatives=st.integers(1, 4),
    subsample=st.sampled_from([0.0, 0.02, 0.3]),
    seed=st.integers(0, 2**63 - 1),
    epoch=st.integers(0, 3),
    block=st.integers(0, 3),
)
def test_windows_are_those_of_a_plain_loop(
    sentences, window, dynamic, negatives, subsample, seed, epoch, block
) -> None:
    plan = make_plan(
        np.array([900, 500, 100, 50, 20, 9, 5, 1]),
        window=window,
        dynamic=dynamic,
        negatives=negatives,
        subsample=subsample,
        seed=seed,
    )
    windows = draw_windows(*flat(sentences), plan, epoch, block)
    expected = by_hand(sentences, plan, epoch, block)
    assert len(windows) == len(expected)
    assert windows.contexts.shape == (len(expected), 2 * window)
    assert windows.pairs == sum(len(around) for _, _, around, _ in expected)
    columns = [*range(-window, 0), *range(1, window + 1)]
    for row, (place, centre, around, marked) in enumerate(expected):
        assert windows.positions[row] == place
        assert windows.centres[row] == centre
        found = zip(columns, windows.contexts[row].tolist(), strict=True)
        assert {d: id for d, id in found if id != NO_WORD} == around
        assert windows.negatives[row].tolist() == marked


def plan_of(counts: list[int], **settings) -> SamplingPlan:
    return make_plan(counts, **{"subsample": 0, **settings})


def test_no_window_crosses_a_sentence() -> None:
    plan = plan_of([1] * 9, window=4, dynamic=False)
    windows = draw_windows(*flat([[0, 1, 2], [3, 4], [5], [6, 7, 8]]), plan, 0, 0)
    sentence_of = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3])
    for centre, contexts in zip(windows.centres, windows.contexts, strict=True):
        around = contexts[contexts != NO_WORD]
        assert (sentence_of[around] == sentence_of[centre]).all()
    assert 5 not in windows.centres  # nobody is around it
    assert windows.pairs == 6 + 2 + 0 + 6


def test_widths_are_uniform() -> None:
    plan = plan_of([1] * 3, window=7)
    ids = np.ones(60_000, dtype=np.int32)
    windows = draw_windows(ids, np.array([0, len(ids)]), plan, 0, 0)
    widths = (windows.contexts[10:-10] != NO_WORD).sum(axis=1) // 2
    observed = np.bincount(widths, minlength=8)[1:]
    expected = observed.sum() / 7
    assert ((observed - expected) ** 2 / expected).sum() < 22.5  # p = .001, 6 degrees


def test_a_window_reaches_over_dropped_words() -> None:
    plan = plan_of([10**9, 1, 1], subsample=1e-9, window=1)
    windows = draw_windows(*flat([[1, 0, 0, 0, 2]]), plan, 0, 0)
    assert windows.centres.tolist() == [1, 2]
    assert windows.contexts.tolist() == [[NO_WORD, 2], [1, NO_WORD]]


@pytest.mark.parametrize("part", ["seed", "epoch", "block"])
def test_draws_change_with_seed_epoch_and_block(part: str) -> None:
    sentences = flat([list(range(50))])
    one = draw_windows(*sentences, plan_of([1] * 50), 0, 0)
    other = draw_windows(
        *sentences,
        plan_of([1] * 50, seed=2 if part == "seed" else 1),
        int(part == "epoch"),
        int(part == "block"),
    )
    assert not np.array_equal(one.contexts, other.contexts)
    assert not np.array_equal(one.negatives, other.negatives)


def test_a_negative_that_equals_the_centre_is_marked() -> None:
    plan = plan_of([1, 1], negatives=8)
    windows = draw_windows(*flat([[0, 1] * 50]), plan, 0, 0)
    assert not (windows.negatives == windows.centres[:, None]).any()
    marked = (windows.negatives == NO_WORD).mean()
    assert 0.4 < marked < 0.6


def test_a_block_without_windows_is_empty() -> None:
    windows = draw_windows(*flat([[0], [1]]), plan_of([1, 1]), 0, 0)
    assert len(windows) == windows.pairs == 0
    assert windows.contexts.shape == (0, 10)
