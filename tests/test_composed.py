"""Input vectors composed of several rows: both engines against the reference."""

from itertools import pairwise

import numpy as np
import pytest

from sg_train.blocks import Block, BlockRef
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import Frozen
from sg_train.engines.fused.machine_code import native_lanes
from sg_train.engines.reference import take_steps, take_steps_on_copies
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import SamplingPlan, Windows, draw_windows
from sg_train.vectors.ngrams import Ngrams, WordRows
from tests import building
from tests.building import Rates, fused_engine, in_plain_python
from tests.conftest import IS_SOAK

# Words without n-grams, with one n-gram twice, of one letter, of other scripts.
WORDS = ["a", "anana", "banana", "é", "ñandú", "東京", "x", "Москва", "ab", "bananas"]
WORDS += ["ba", "nan", "🙂"]
COUNTS = np.arange(len(WORDS), 0, -1) ** 3
# Words share so few rows that larger steps would diverge.
FALLING = Rates(lambda ref: (0.004 / (1 + ref.epoch), -1e-5))
NGRAMS = [Ngrams(3, 6, 50), Ngrams(2, 3, 7), Ngrams(1, 2, 1), Ngrams(5, 5, 20)]
PLACE = BlockRef(1, 1)


def read_block(number: int) -> Block:
    """Return random words, a lone word, and a sentence that is nothing but repeats."""
    generator = np.random.default_rng(number)
    ids = generator.integers(0, len(WORDS), 110).astype(np.int32)
    ids[60:85] = generator.integers(0, 2, 25)
    return Block(ids, np.array([0, 1, 12, 14, 60, 85, 110]))


def make_model(
    dimension: int, ngrams: Ngrams, whole: np.ndarray | None = None
) -> SkipGram:
    word_rows = WordRows.of_words(WORDS, ngrams, whole)
    limit = 0.4 * dimension**0.5
    return SkipGram(
        len(WORDS),
        dimension,
        u_range=4 * limit,
        v_range=limit,
        seed=dimension,
        word_rows=word_rows,
    )


def make_plan(window: int, negatives: int) -> SamplingPlan:
    return building.make_plan(
        COUNTS, window=window, negatives=negatives, subsample=0.05, seed=3
    )


def rows_of(model: SkipGram) -> list[np.ndarray]:
    assert model.word_rows is not None
    starts = model.word_rows.starts.tolist()
    return [model.word_rows.rows[i:j] for i, j in pairwise(starts)]


def windows_of(plan: SamplingPlan, place: BlockRef) -> tuple[Windows, np.ndarray]:
    """Return a block's windows and the number of the sentence of each."""
    block = read_block(place.block)
    windows = draw_windows(block.ids, block.offsets, plan, place.epoch, place.block)
    sentences = np.searchsorted(block.offsets, windows.positions, side="right")
    return windows, sentences


def weights(model: SkipGram) -> list[np.ndarray]:
    return [weight.detach().numpy() for weight in model.parameters()]


def rates_of(windows: Windows, place: BlockRef) -> list[float]:
    return [FALLING.line(place)(int(at)) for at in windows.positions]


@pytest.mark.parametrize("lanes", [4, 8, 16] if IS_SOAK else [native_lanes()])
@pytest.mark.parametrize("ngrams", NGRAMS, ids=str)
def test_the_kernel_trains_copies_of_the_words_in_reach(
    lanes: int, ngrams: Ngrams
) -> None:
    # Each is compiled; the targets of the first fill several tiles.
    for dimension, window, negatives in ((8, 1, 15), (8, 20, 5), (100, 5, 5)):
        model, plan = make_model(dimension, ngrams), make_plan(window, negatives)
        u, v = (weight.astype(np.float64) for weight in weights(model))
        before = u.copy()
        engine = fused_engine(model, read_block, plan, FALLING, lanes=lanes)
        (result,) = engine.train([PLACE])
        windows, sentences = windows_of(plan, PLACE)
        loss = take_steps_on_copies(
            u, v, windows, rates_of(windows, PLACE), sentences, rows_of(model)
        )
        assert result.pairs == windows.pairs
        assert result.loss == pytest.approx(loss, rel=1e-6)
        # All words share one bucket, whose row therefore amplifies what is rounded.
        error = 1e-4 if ngrams.buckets == 1 else 1e-5
        for found, expected in zip(weights(model), (u, v), strict=True):
            assert np.abs(found - expected).max() < error
        moved = np.abs(u - before).max(axis=1) > 1e-4
        assert moved[: len(WORDS)].any()
        assert moved[len(WORDS) :].any()


def test_the_kernel_in_plain_python_composes_and_checks_every_place() -> None:
    test = test_the_kernel_trains_copies_of_the_words_in_reach.__name__
    script = f"from tests import test_composed as t; t.{test}(4, t.NGRAMS[0])"
    result = in_plain_python(script)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("ngrams", NGRAMS, ids=str)
@pytest.mark.parametrize("dimension", [7, 100])
def test_autograd_composes_for_every_window(ngrams: Ngrams, dimension: int) -> None:
    model, plan = make_model(dimension, ngrams), make_plan(5, 5)
    u, v = (weight.astype(np.float64) for weight in weights(model))
    engine = AutogradEngine(
        model, read_block, plan, FALLING, batch_size=1, loader_workers=0
    )
    (result,) = engine.train([PLACE])
    windows, _ = windows_of(plan, PLACE)
    loss = take_steps(u, v, windows, rates_of(windows, PLACE), rows=rows_of(model))
    assert result.loss == pytest.approx(loss, rel=1e-6)
    for found, expected in zip(weights(model), (u, v), strict=True):
        assert np.abs(found - expected).max() < 1e-5


def test_a_batch_takes_every_window_with_the_same_weights() -> None:
    model, plan = make_model(20, NGRAMS[0]), make_plan(5, 5)
    before = [weight.copy() for weight in weights(model)]
    windows, _ = windows_of(plan, PLACE)
    constant = Rates(lambda _: (0.02, 0.0))
    engine = AutogradEngine(
        model, read_block, plan, constant, batch_size=1000, loader_workers=0
    )
    list(engine.train([PLACE]))
    moves = [np.zeros_like(weight, dtype=np.float64) for weight in before]
    for row in range(len(windows)):
        one = Windows(
            *(
                part[row : row + 1]
                for part in (
                    *(windows.contexts, windows.centres),
                    *(windows.negatives, windows.positions),
                )
            )
        )
        u, v = (weight.astype(np.float64) for weight in before)
        take_steps(u, v, one, [0.02], rows=rows_of(model))
        for i, new in enumerate((u, v)):
            moves[i] += new - before[i]
    for found, old, move in zip(weights(model), before, moves, strict=True):
        assert np.abs(found - old - move).max() < 1e-5


def test_the_two_references_agree_where_a_word_is_used_once() -> None:
    """Two words without a common n-gram: a copy is never older than the row."""
    model = make_model(9, Ngrams(3, 4, 10_000))
    plan = building.make_plan(COUNTS, window=5, negatives=3, subsample=0)
    block = Block(np.array([4, 5], np.int32), np.array([0, 2]))
    windows = draw_windows(block.ids, block.offsets, plan, 0, 0)
    results = []
    for copies in (False, True):
        u, v = (weight.astype(np.float64) for weight in weights(model))
        before = u.copy()
        if copies:
            take_steps_on_copies(
                u, v, windows, [0.1, 0.1], np.zeros(2, np.int64), rows_of(model)
            )
        else:
            take_steps(u, v, windows, [0.1, 0.1], rows=rows_of(model))
        moved = np.flatnonzero(np.abs(u - before).max(axis=1))
        assert set(moved) == set(np.concatenate([rows_of(model)[i] for i in (4, 5)]))
        results.append((u, v))
    for one, other in zip(*results, strict=True):
        assert np.allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_frozen_words_stay_and_have_no_ngrams(engine: str) -> None:
    generator = np.random.default_rng(4)
    frozen = generator.random(len(WORDS)) < 0.5, generator.random(len(WORDS)) < 0.3
    model, plan = make_model(50, NGRAMS[1], frozen[0]), make_plan(5, 5)
    before = [weight.copy() for weight in weights(model)]
    first = Frozen(*frozen, during=lambda ref: ref.epoch == 0)
    if engine == "fused":
        trainer = fused_engine(
            model, read_block, plan, FALLING, threads=2, frozen=first
        )
    else:
        trainer = AutogradEngine(  # type: ignore[assignment]
            model,
            read_block,
            plan,
            FALLING,
            batch_size=1,
            loader_workers=0,
            frozen=first,
        )
    u, v = (weight.astype(np.float64) for weight in weights(model))
    for place in (BlockRef(0, 0), BlockRef(1, 1)):
        list(trainer.train([place]))
        windows, sentences = windows_of(plan, place)
        rates, rows = rates_of(windows, place), rows_of(model)
        still = frozen if place.epoch == 0 else None
        if engine == "fused":
            take_steps_on_copies(u, v, windows, rates, sentences, rows, still)
        else:
            take_steps(u, v, windows, rates, still, rows)
        for found, expected in zip(weights(model), (u, v), strict=True):
            assert np.abs(found - expected).max() < 1e-5
        words = weights(model)[0][: len(WORDS)]
        stay = np.array_equal(words[frozen[0]], before[0][: len(WORDS)][frozen[0]])
        assert stay == (place.epoch == 0)


def test_one_thread_gives_the_same_bits_and_two_learn_as_much() -> None:
    plan = make_plan(5, 5)
    losses, results = [], []
    for threads in (1, 1, 2):
        model = make_model(50, NGRAMS[0])
        engine = fused_engine(model, read_block, plan, FALLING, threads=threads)
        places = [BlockRef(0, block) for block in range(40)]
        losses.append(sum(result.loss for result in engine.train(places)))
        results.append([weight.copy() for weight in weights(model)])
    for one, other in zip(results[0], results[1], strict=True):
        assert np.array_equal(one, other)
    assert losses[0] == losses[1]
    assert losses[2] == pytest.approx(losses[0], rel=0.05)
