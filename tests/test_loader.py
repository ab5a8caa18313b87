from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sg_train.sampling.loader import Place, offsets_of, window_loader
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
        windows = draw_windows(sentences.ids, sentences.offsets, PLAN, *block.place[:2])
        assert block.words == 40
        assert block.pairs == windows.pairs
        for name in ("contexts", "centres", "negatives", "positions"):
            tensor = getattr(block, name)
            assert tensor.dtype == torch.int32
            assert np.array_equal(tensor.numpy(), getattr(windows, name))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 40))
def test_every_sentence_is_in_one_part(lengths: list[int], parts: int) -> None:
    ends = np.cumsum(lengths)
    block = Sentences(np.zeros(ends[-1], dtype=np.int32), np.append(0, ends))
    cuts = [offsets_of(Place(0, 0, part, parts), block) for part in range(parts)]
    assert np.array_equal(
        np.concatenate([cut[:-1] for cut in cuts] + [ends[-1:]]), block.offsets
    )
    for part, cut in enumerate(cuts):
        share = len(block.ids) / parts
        assert ((cut[:-1] >= part * share) & (cut[:-1] < (part + 1) * share)).all()
