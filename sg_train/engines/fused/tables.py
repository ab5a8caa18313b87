"""The keys and tables that the draws of a block need.

They are those of `sampling.windows.SamplingPlan`, in the form that the kernel reads.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import BlockRef
from sg_train.sampling.draws import Purpose
from sg_train.sampling.windows import SamplingPlan


class Draws(NamedTuple):
    """Keys and tables of the draws in a block; see `sampling.windows.SamplingPlan`."""

    keep_key: np.uint64
    window_key: np.uint64
    negative_key: np.uint64
    keep_limits: NDArray[np.uint32]  # the last one applies to all later words
    negative_table: NDArray[np.uint64]  # (V,) alias in the high half, coin in the low
    window: int
    dynamic: bool
    negatives: int  # K


def make_draws(
    plan: SamplingPlan,
    limits: NDArray[np.uint32],
    table: NDArray[np.uint64],
    ref: BlockRef,
) -> Draws:
    """Collect the keys and tables of the draws in a block.

    Args:
        plan: the settings.
        limits: from `trim_limits`.
        table: from `pack_table`.
        ref: the block and the epoch.
    """
    keep, window, negative = (
        np.uint64(plan.key(ref.epoch, ref.block, purpose))
        for purpose in (Purpose.KEEP, Purpose.WINDOW, Purpose.NEGATIVE)
    )
    return Draws(
        keep,
        window,
        negative,
        limits,
        table,
        plan.window,
        plan.dynamic,
        plan.negatives,
    )


def trim_limits(limits: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Keep only the first of the trailing limits that mean "always keep".

    Most words are rare and always kept, so the remaining limits stay in the nearest
    cache.
    """
    thinned = np.flatnonzero(limits < np.iinfo(np.uint32).max)
    last = thinned[-1] + 1 if len(thinned) else 0
    return np.append(limits[:last], np.iinfo(np.uint32).max).astype(np.uint32)


def pack_table(table: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Put a cell's coin and alias into one number, so that one read fetches both."""
    return table[:, 0] | table[:, 1].astype(np.uint64) << np.uint64(32)
