import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sg_train.blocks import Block, BlockRef


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 40))
def test_every_sentence_is_in_one_slice(lengths: list[int], slices: int) -> None:
    ends = np.cumsum(lengths)
    block = Block(np.zeros(ends[-1], dtype=np.int32), np.append(0, ends))
    cuts = [block.slice_offsets(BlockRef(0, 0, i, slices)) for i in range(slices)]
    assert np.array_equal(
        np.concatenate([cut[:-1] for cut in cuts] + [ends[-1:]]), block.offsets
    )
    for part, cut in enumerate(cuts):
        share = len(block.ids) / slices
        assert ((cut[:-1] >= part * share) & (cut[:-1] < (part + 1) * share)).all()
