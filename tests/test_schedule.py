import numpy as np
import pytest

from sg_train.blocks import BlockRef
from sg_train.training.schedule import LinearSchedule


def test_the_rate_falls_by_the_same_amount_every_word() -> None:
    schedule = LinearSchedule(0.5, 0.1, epochs=3, block_starts=np.array([0, 4, 9]))
    rates = [
        schedule.line(BlockRef(epoch, block))(position)
        for epoch in range(3)
        for block, length in ((0, 4), (1, 5))
        for position in range(length)
    ]
    assert schedule.words == 27
    assert rates[0] == 0.5
    assert rates[-1] == pytest.approx(0.1)
    assert np.diff(rates) == pytest.approx([-0.4 / 26] * 26)
    assert [schedule.words_before(i) for i in range(7)] == [0, 4, 9, 13, 18, 22, 27]
    assert (schedule.blocks, schedule.total_blocks) == (2, 6)


def test_a_run_of_one_word_has_a_rate() -> None:
    schedule = LinearSchedule(0.5, 0.1, epochs=1, block_starts=np.array([0, 1]))
    assert schedule.line(BlockRef(0, 0))(0) == 0.5
