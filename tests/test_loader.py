from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sg_train.sampling.loader import Place, window_loader
from sg_train.sampling.windows import SamplingPlan, draw_windows


@dataclass
class Sentences:
    ids: np.ndarray
    offsets: np.ndarray


def read_block(number: int) -> Sentences:
    ids = (np.arange(40, dtype=np.int32) * (number + 3)) % 20
    return Sentences(ids, np.array([0, 15, 40]))


PLAN = SamplingPlan.from_counts(np.arange(20, 0, -1), window=3, negatives=4)
PLACES = [Place(0, 0), Place(0, 1), Place(1, 1), Place(1, 0)]


@pytest.mark.parametrize("workers", [0, 2])
def test_blocks_come_in_order_as_they_are_drawn(workers: int) -> None:
    blocks = list(window_loader(read_block, PLAN, iter(PLACES), workers=workers))
    assert [block.place for block in blocks] == PLACES
    for block in blocks:
        sentences = read_block(block.place.block)
        windows = draw_windows(sentences.ids, sentences.offsets, PLAN, *block.place)
        assert block.words == 40
        assert block.pairs == windows.pairs
        for name in ("contexts", "centres", "negatives", "positions"):
            tensor = getattr(block, name)
            assert tensor.dtype == torch.int32
            assert np.array_equal(tensor.numpy(), getattr(windows, name))
