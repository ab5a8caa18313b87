import numpy as np
import pytest
import torch

from sg_train.blocks import Block, BlockRef
from sg_train.sampling.loader import window_loader
from sg_train.sampling.windows import draw_windows
from tests.building import make_plan


def read_block(number: int) -> Block:
    ids = (np.arange(40, dtype=np.int32) * (number + 3)) % 20
    return Block(ids, np.array([0, 15, 40]))


PLAN = make_plan(np.arange(20, 0, -1), window=3, negatives=4)
PLACES = [BlockRef(0, 0), BlockRef(0, 1), BlockRef(1, 1), BlockRef(1, 0)]


@pytest.mark.parametrize("workers", [0, 2])
def test_blocks_come_in_order_as_they_are_drawn(workers: int) -> None:
    blocks = list(window_loader(read_block, PLAN, iter(PLACES), workers=workers))
    assert [block.ref for block in blocks] == PLACES
    for block in blocks:
        sentences = read_block(block.ref.block)
        windows = draw_windows(sentences.ids, sentences.offsets, PLAN, *block.ref[:2])
        assert block.words == 40
        assert block.pairs == windows.pairs
        for name in ("contexts", "centres", "negatives", "positions"):
            tensor = getattr(block, name)
            assert tensor.dtype == torch.int32
            assert np.array_equal(tensor.numpy(), getattr(windows, name))
