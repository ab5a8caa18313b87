from typing import Any

import numpy as np
import pytest

from sg_train.sampling.windows import NO_WORD, draw_windows
from tests.building import expect_touches, make_plan


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize(("window", "negatives"), [(5, 2), (1, 20)])
def test_the_busiest_row_is_touched_as_often_as_foretold(
    dynamic: bool, window: int, negatives: int
) -> None:
    counts = [40_000, 30_000, 20_000, 10_000]
    ids = np.repeat(np.arange(4, dtype=np.int32), counts)
    np.random.default_rng(0).shuffle(ids)
    settings: dict[str, Any] = {
        "window": window,
        "negatives": negatives,
        "dynamic": dynamic,
        "subsample": 0.1,
    }
    plan = make_plan(counts, **settings)
    windows = draw_windows(ids, np.array([0, len(ids)]), plan, 0, 0)
    drawn = np.where(
        windows.negatives == NO_WORD, windows.centres[:, None], windows.negatives
    )
    of_u = np.bincount(windows.contexts[windows.contexts != NO_WORD])
    of_v = np.bincount(drawn.ravel()) + np.bincount(windows.centres)
    most = max(of_u.max(), of_v.max()) / len(windows)
    touches = expect_touches(counts, **settings)
    assert touches.busiest == pytest.approx(most, rel=0.02)
    assert touches.windows * len(ids) == pytest.approx(len(windows), rel=0.02)


@pytest.mark.parametrize("dynamic", [True, False])
def test_touches_are_those_that_windows_bring(dynamic: bool) -> None:
    shares = 1 / np.arange(1, 21)
    shares /= shares.sum()
    ids = np.random.default_rng(1).choice(20, 60_000, p=shares).astype(np.int32)
    counts = np.bincount(ids, minlength=20)
    settings: dict[str, Any] = {
        "window": 4,
        "dynamic": dynamic,
        "negatives": 3,
        "subsample": 0.02,
    }
    plan = make_plan(counts, **settings)
    windows = draw_windows(ids, np.array([0, len(ids)]), plan, 0, 0)
    pairs = (windows.contexts != NO_WORD).sum(1)
    u = np.bincount(windows.contexts[windows.contexts != NO_WORD], minlength=20)
    v = np.bincount(windows.centres, weights=pairs, minlength=20)
    for k in range(3):
        there = windows.negatives[:, k] != NO_WORD
        met, often = windows.negatives[there, k], pairs[there]
        v += np.bincount(met, weights=often, minlength=20)
    expected = expect_touches(counts, **settings)
    expected_pairs = expected.windows * expected.pairs * len(ids)
    assert expected_pairs * expected.contexts == pytest.approx(u, rel=0.05)
    # Collisions make them fewer.
    assert expected_pairs * expected.targets == pytest.approx(v, rel=0.15)
    assert expected.contexts.sum() == pytest.approx(1)
    assert expected.targets.sum() == pytest.approx(4)
