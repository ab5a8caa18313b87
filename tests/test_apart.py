from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from sg_train.blocks import Block, BlockRef
from sg_train.engines.fused import engine as fused
from sg_train.engines.fused.apart import rows_apart
from sg_train.engines.fused.layout import LINE, NOT_APART, Apart, Layout, lay_out
from sg_train.engines.reference import take_steps
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import draw_windows
from sg_train.vectors.ngrams import Ngrams, WordRows
from tests import building
from tests.building import Rates, fused_engine

WORDS = 2000
COUNTS = (1e6 / np.arange(3, 3 + WORDS)).astype(np.int64)
FALLING = Rates(lambda ref: (0.03 / (1 + ref.epoch), -1e-4))
WIDTHS = [4, 8, 16]


def read_block(number: int) -> Block:
    generator = np.random.default_rng(number)
    ids = generator.integers(0, WORDS, 300).astype(np.int32)
    return Block(ids, np.arange(0, 301, 30))


def make_layout(words: int, dimension: int, **settings) -> Layout:
    counts = (1e9 / np.arange(3, 3 + words)).astype(np.int64)
    busiest = building.expect_touches(counts).busiest
    plan = building.make_plan(counts)
    return lay_out(plan, words, dimension, busiest=busiest, **settings)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("dimension", [5, 20, 100, 301])
@pytest.mark.parametrize("words", [1, 3, 2000, 40_000])
@pytest.mark.parametrize("threads", [2, 5])
def test_rows_apart_overlap_no_other_row_and_no_line_near_them(
    words: int, dimension: int, lanes: int, threads: int
) -> None:
    layout = make_layout(words, dimension, lanes=lanes, threads=threads)
    apart, row = layout.apart, layout.shape.row
    assert apart.start == min(layout.hot, words)
    assert apart.end == max(apart.start, min(words // 4, 8192))
    starts = apart.first + np.arange(apart.start, apart.end) * apart.pitch
    for matrix in (layout.new_u(), layout.new_v()):
        assert len(matrix) % row == 0
        assert (starts + row <= len(matrix)).all()
    if words == 2000 and threads == 2:
        assert len(starts)
    last = layout.scratch(threads - 1, 1)
    side_by_side = (last.hot.shift + last.hot.size + 1) * row
    assert (starts >= side_by_side).all()
    assert (starts % LINE == 0).all()
    assert (np.diff(starts) - row >= 5 * LINE).all()


def test_one_thread_and_frozen_rows_need_none_apart() -> None:
    assert make_layout(2000, 20, threads=2).apart != NOT_APART
    assert make_layout(2000, 20).apart == NOT_APART
    assert make_layout(2000, 20, threads=2, has_frozen=True).apart == NOT_APART


def test_rows_move_apart_and_back_even_after_an_error() -> None:
    apart = Apart(start=2, end=5, first=32 - 2 * 7, pitch=7)
    one, other = (np.arange(64, dtype=np.float32) + 100 * i for i in range(2))
    before = one.copy(), other.copy()
    with pytest.raises(KeyError), rows_apart((one, other), 4, apart):
        for rows, old in zip((one, other), before, strict=True):
            for word in range(2, 5):
                at = apart.first + word * apart.pitch
                assert np.array_equal(rows[at : at + 4], old[4 * word : 4 * word + 4])
                rows[at : at + 4] *= 2
        raise KeyError
    for rows, old in zip((one, other), before, strict=True):
        assert np.array_equal(rows[8:20], 2 * old[8:20])
        assert np.array_equal(rows[:8], old[:8])
        assert np.array_equal(rows[20:32], old[20:32])


@pytest.mark.parametrize("word_rows", [False, True])
@pytest.mark.parametrize("slices", [1, 2])
def test_threads_train_rows_apart_unless_blocks_are_sliced(
    slices: int, word_rows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = []

    @contextmanager
    def noted(matrices, row, apart) -> Iterator[None]:
        if apart != NOT_APART:
            moved.append(len(matrices))
        with rows_apart(matrices, row, apart):
            # What is not trained apart would be lost at the end.
            for rows in matrices:
                rows[apart.start * row : apart.end * row] = np.nan
            yield

    monkeypatch.setattr(fused, "rows_apart", noted)
    names = [f"word{i}" for i in range(WORDS)]
    rows = WordRows.of_words(names, Ngrams(3, 4, 500)) if word_rows else None
    model = SkipGram(WORDS, 8, u_range=1, v_range=1, seed=1, word_rows=rows)
    plan = building.make_plan(COUNTS, window=3, subsample=0.05)
    engine = fused_engine(model, read_block, plan, FALLING, counts=COUNTS, threads=2)
    assert engine._layout.apart.end > engine._layout.apart.start > 0
    u, v = (w.detach().numpy().astype(np.float64) for w in model.parameters())
    refs = [BlockRef(1, n, i, slices) for n in range(4) for i in range(slices)]
    refs = [BlockRef(0, 0), *refs]
    for ref in refs:  # one at a time, so that the reference is exact
        list(engine.train([ref]))
        block = read_block(ref.block)
        windows = draw_windows(block.ids, block.slice_offsets(ref), plan, *ref[:2])
        rates = [FALLING.line(ref)(int(at)) for at in windows.positions]
        if not word_rows:
            take_steps(u, v, windows, rates)
    assert moved == [1 if word_rows else 2] * (len(refs) if slices == 1 else 1)
    for matrix, old in zip(model.parameters(), (u, v), strict=True):
        found = matrix.detach().numpy()
        assert np.isfinite(found).all()
        if not word_rows:
            assert np.abs(found - old).max() < 1e-5


def test_rows_go_back_when_training_is_stopped() -> None:
    model = SkipGram(WORDS, 8, u_range=1, v_range=1, seed=1)
    plan = building.make_plan(COUNTS, window=3, subsample=0.05)
    engine = fused_engine(model, read_block, plan, FALLING, counts=COUNTS, threads=2)
    apart = engine._layout.apart
    before = [w.detach().numpy().copy() for w in model.parameters()]
    results = engine.train(BlockRef(0, i) for i in range(1000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    for matrix, old in zip(model.parameters(), before, strict=True):
        moved = (matrix.detach().numpy() != old).any(axis=1)
        assert moved[apart.start : apart.end].any()
