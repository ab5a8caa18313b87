import threading
from itertools import product

import numpy as np
import pytest
import torch
from numba import njit

from sg_train.blocks import Block, BlockRef
from sg_train.config import Config
from sg_train.engines import autograd
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import Engine, Frozen, Task
from sg_train.engines.fused import SPEC, hot_rows
from sg_train.engines.fused.layout import lay_out
from sg_train.engines.fused.machine_code import native_lanes
from sg_train.engines.reference import take_steps
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import SamplingPlan, draw_windows
from tests import building
from tests.building import Rates, constant, fused_engine, in_plain_python
from tests.conftest import IS_SOAK

WIDTHS = [4, 8, 16]
NEGATIVES = [1, 5, 7, 15]  # less and more than a tile, one, and several
# Each has a kernel of its own, whose compilation takes seconds.
SHAPES = [*product(WIDTHS, NEGATIVES)] if IS_SOAK else [(4, 7), (8, 5), (16, 15)]
DIMENSIONS = [1, 7, 8, 50, 100, 128, 300, 512]
WINDOWS = [1, 5, 10, 20]
WORDS = 13


def read_block(number: int) -> Block:
    """Return random words, a lone word, and a sentence that is nothing but repeats."""
    generator = np.random.default_rng(number)
    ids = generator.integers(0, WORDS, 110).astype(np.int32)
    ids[60:85] = generator.integers(0, 2, 25)
    return Block(ids, np.array([0, 1, 12, 14, 60, 85, 110]))


FALLING = Rates(lambda ref: (0.03 / (1 + ref.epoch), -1e-4))
COUNTS = np.arange(WORDS, 0, -1) ** 3


def make_model(dimension: int) -> SkipGram:
    limit = 0.4 * dimension**0.5
    return SkipGram(WORDS, dimension, u_range=limit, v_range=limit, seed=dimension)


def make_plan(window: int, negatives: int, **settings) -> SamplingPlan:
    return building.make_plan(
        COUNTS, window=window, negatives=negatives, subsample=0.05, **settings
    )


def weights(model: SkipGram) -> list[np.ndarray]:
    return [weight.detach().numpy() for weight in model.parameters()]


@pytest.mark.parametrize(("lanes", "negatives"), SHAPES)
def test_the_step_is_that_of_the_formula(lanes: int, negatives: int) -> None:
    place, collisions, repeats = BlockRef(2, 1), 0, 0
    for dimension in DIMENSIONS:
        for window in WINDOWS:
            model, plan = make_model(dimension), make_plan(window, negatives)
            u, v = (weight.astype(np.float64) for weight in weights(model))
            before = u.copy()
            engine = fused_engine(model, read_block, plan, FALLING, lanes=lanes)
            (result,) = engine.train([place])
            block = read_block(place.block)
            windows = draw_windows(
                block.ids, block.offsets, plan, place.epoch, place.block
            )
            rates = [FALLING.line(place)(int(at)) for at in windows.positions]
            loss = take_steps(u, v, windows, rates)
            assert result.pairs == windows.pairs
            assert result.loss == pytest.approx(loss, rel=1e-6)
            for found, expected in zip(weights(model), (u, v), strict=True):
                assert np.abs(found - expected).max() < 1e-5
            assert np.abs(u - before).max() > 5e-4
            collisions += int((windows.negatives == -1).sum())
            repeats += sum(
                len(set(row[row >= 0])) < (row >= 0).sum() for row in windows.contexts
            )
    assert collisions > 100  # the hard cases were there
    assert repeats > 100


@pytest.mark.parametrize("dimension", [7, 100, 128])
@pytest.mark.parametrize(("window", "negatives"), [(5, 5), (10, 15)])
@pytest.mark.parametrize("dynamic", [True, False])
def test_both_engines_take_the_same_steps(
    dimension: int, window: int, negatives: int, dynamic: bool
) -> None:
    plan = make_plan(window, negatives, dynamic=dynamic)
    places = [BlockRef(0, 0), BlockRef(0, 1), BlockRef(1, 0)]
    models = make_model(dimension), make_model(dimension)
    reference = AutogradEngine(
        models[0], read_block, plan, FALLING, batch_size=1, loader_workers=0
    )
    fused = fused_engine(models[1], read_block, plan, FALLING)
    for one, other in zip(reference.train(places), fused.train(places), strict=True):
        assert (one.ref, one.words) == (other.ref, other.words)
        assert one.pairs == other.pairs
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
    for ours, theirs in zip(weights(models[1]), weights(models[0]), strict=True):
        assert np.abs(ours - theirs).max() < 2e-5


def test_weights_are_trained_in_place() -> None:
    lanes = native_lanes()
    for dimension in (48, 50):
        model = make_model(dimension)
        seen: list[torch.Tensor] = []

        def rate(_: BlockRef, model=model, seen=seen) -> tuple[float, float]:
            seen.append(model.u_embeddings.weight.detach().clone())
            return 0.1, 0.0

        engine = fused_engine(model, read_block, make_plan(5, 5), Rates(rate))
        before = model.u_embeddings.weight.detach().clone()
        assert model.u_embeddings.weight.data_ptr() % 64 == 0
        assert model.u_embeddings.weight.stride() == (-(-dimension // lanes) * lanes, 1)
        list(engine.train([BlockRef(0, 0), BlockRef(0, 1)]))
        # Between blocks the rate is asked for: the first block's work is in the model.
        assert not torch.equal(seen[0], seen[-1])
        assert torch.equal(seen[0], before)


def test_a_model_is_born_as_the_kernel_needs_it() -> None:
    config = Config.load().with_settings({"model.dimension": 50})
    plan = make_plan(5, 5)
    task = Task(
        config=config,
        counts=COUNTS,
        read_block=read_block,
        blocks=4,
        plan=plan,
        schedule=FALLING,
        threads=3,
        device="cpu",
    )
    model, engine = SPEC.build(task)
    plain, _ = autograd.SPEC.build(task)
    row = -(-50 // native_lanes()) * native_lanes()
    for key, ours in model.matrices.items():
        # the same draws, in rows of another length
        assert np.array_equal(ours, plain.matrices[key])
        assert ours.strides == (4 * row, 4)
    before = model.matrices["u"].copy()
    list(engine.train([BlockRef(0, 0)]))
    assert not np.array_equal(model.matrices["u"], before)


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_the_slices_of_a_block_are_together_the_block(engine: str) -> None:
    plan = make_plan(5, 5)
    models = make_model(20), make_model(20)
    engines = [
        fused_engine(model, read_block, plan, FALLING)
        if engine == "fused"
        else AutogradEngine(
            model, read_block, plan, FALLING, batch_size=1, loader_workers=0
        )
        for model in models
    ]
    (whole,) = engines[0].train([BlockRef(1, 1)])
    parts = list(engines[1].train(BlockRef(1, 1, part, 3) for part in range(3)))
    assert sum(part.words for part in parts) == whole.words
    assert min(part.words for part in parts) > 0
    assert sum(part.pairs for part in parts) == whole.pairs
    assert sum(part.loss for part in parts) == pytest.approx(whole.loss)
    assert parts[-1].learning_rate == whole.learning_rate
    for ours, theirs in zip(weights(models[1]), weights(models[0]), strict=True):
        assert np.array_equal(ours, theirs)


def test_one_thread_gives_the_same_bits_every_time() -> None:
    plan, models = make_plan(5, 5), [make_model(50), make_model(50)]
    for model in models:
        engine = fused_engine(model, read_block, plan, FALLING, threads=1)
        places = [
            result.ref for result in engine.train(BlockRef(0, i) for i in range(9))
        ]
        assert places == [BlockRef(0, i) for i in range(9)]
    for one, other in zip(weights(models[0]), weights(models[1]), strict=True):
        assert np.array_equal(one, other)


def test_several_threads_do_every_block_once_and_learn_as_much() -> None:
    losses = {}
    places = [BlockRef(epoch, block) for epoch in range(5) for block in range(20)]
    for threads in (1, 4):
        model = make_model(50)
        names: set[str] = set()

        def read(number: int, names=names) -> Block:
            names.add(threading.current_thread().name)
            return read_block(number)

        engine = fused_engine(model, read, make_plan(5, 5), FALLING, threads=threads)
        results = list(engine.train(places))
        assert sorted(result.ref for result in results) == sorted(places)
        assert len(names) == threads
        losses[threads] = sum(result.loss for result in results)
    assert losses[4] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("lanes", WIDTHS if IS_SOAK else [native_lanes()])
@pytest.mark.parametrize("dimension", [8, 50])
def test_a_thread_with_copies_of_hot_rows_takes_the_same_steps(
    dimension: int, lanes: int
) -> None:
    model, plan = make_model(dimension), make_plan(2, 5)
    u, v = (weight.astype(np.float64) for weight in weights(model))
    engine = fused_engine(
        model, read_block, plan, FALLING, counts=COUNTS, threads=3, lanes=lanes
    )
    assert 0 < engine._layout.hot < WORDS
    for number in range(6):  # one at a time, so by one thread after another
        place = BlockRef(0, number)
        (result,) = engine.train([place])
        block = read_block(number)
        windows = draw_windows(block.ids, block.offsets, plan, 0, number)
        assert len(windows) > engine._layout.windows
        rates = [FALLING.line(place)(int(at)) for at in windows.positions]
        loss = take_steps(u, v, windows, rates)
        assert result.loss == pytest.approx(loss, rel=1e-6)
    for found, expected in zip(weights(model), (u, v), strict=True):
        assert np.abs(found - expected).max() < 1e-5


@njit
def hand_over(u, v, shape, hot):
    hot_rows.hand_over(u, v, shape, hot)


@pytest.mark.parametrize("lanes", WIDTHS)
def test_what_two_threads_hand_over_adds_up(lanes: int) -> None:
    plan = make_plan(2, 5)
    busiest = building.expect_touches(COUNTS, window=2, subsample=0.05).busiest
    layout = lay_out(plan, WORDS, 20, busiest=busiest, threads=2, lanes=lanes)
    shape, hot = layout.shape, layout.hot
    one, other = (layout.scratch(thread, 1).hot for thread in range(2))
    generator = np.random.default_rng(lanes)
    size = WORDS + 2 * (hot + 1)
    assert len(layout.new_v()) >= size * shape.row
    u, v = generator.normal(size=(2, size * shape.row)).astype(np.float32)
    rows = u.reshape(size, -1), v.reshape(size, -1)
    expected = [table[:WORDS].astype(np.float64) for table in rows]
    for table in rows:
        table[WORDS:] = 0
    for mine in (one, other):
        hand_over(u, v, shape, mine)
    for table, sums in zip(rows, expected, strict=True):
        assert np.array_equal(table[:WORDS], sums)
        assert np.array_equal(table[one.shift :][:hot], table[:hot])
    for _ in range(3):
        for mine in (one, other):
            first = mine.shift
            for table, sums in zip(rows, expected, strict=True):
                moves = generator.normal(size=(hot, shape.row)).astype(np.float32)
                table[first : first + hot] += moves
                sums[:hot] += moves
            hand_over(u, v, shape, mine)
            for table, sums in zip(rows, expected, strict=True):
                assert table[:WORDS] == pytest.approx(sums, abs=1e-5)
                assert np.array_equal(table[first : first + hot], table[:hot])


def test_moves_are_handed_over_while_a_block_is_trained() -> None:
    ids = np.random.default_rng(0).integers(0, WORDS, 500_000).astype(np.int32)
    block = Block(ids, np.arange(0, len(ids) + 1, 100))
    model = make_model(50)
    engine = fused_engine(
        model,
        lambda _: block,
        make_plan(2, 5),
        constant(1e-4),
        counts=COUNTS,
        threads=2,
    )
    engine.compile()
    (hottest, _) = weights(model)
    trainer = threading.Thread(target=lambda: list(engine.train([BlockRef(0, 0)])))
    trainer.start()
    seen = set()
    while trainer.is_alive():
        seen.add(hottest[0, 0].item())
    trainer.join()
    assert len(seen) > 10


@pytest.mark.parametrize("window", [1, 5, 300])
@pytest.mark.parametrize("threads", [1, 2, 8, 100])
def test_more_threads_and_busier_rows_are_handed_over_more_often(
    threads: int, window: int
) -> None:
    counts = (1e6 / np.arange(2, 3000)).astype(np.int64)
    plan = building.make_plan(counts, window=window)
    busiest = building.expect_touches(counts, window=window).busiest
    layout = lay_out(plan, len(counts), 30, busiest=busiest, threads=threads, lanes=8)
    scratches = [layout.scratch(thread, 1) for thread in range(threads)]
    rows = [range(s.hot.shift, s.hot.shift + s.hot.size + 1) for s in scratches]
    assert [row for mine in rows for row in mine] == list(
        range(len(counts), len(counts) + sum(map(len, rows)))
    )
    row = layout.shape.row
    if threads > 1:
        assert len(layout.new_v()) >= (rows[-1][-1] + 1) * row
    for scratch, mine in zip(scratches, rows, strict=True):
        hot = scratch.hot
        assert scratch.frozen.spare == mine[-1] * row
        assert len(hot.handed_over_u) == len(hot.handed_over_v) == hot.size * row
    if threads == 1 or window < 300:
        assert (layout.hot > 0) == (threads > 1)
    assert threads * busiest * layout.windows <= 256 or layout.windows == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_training_that_is_stopped_keeps_what_was_done(threads: int) -> None:
    model = make_model(50)
    engine = fused_engine(model, read_block, make_plan(5, 5), FALLING, threads=threads)
    before = [weight.copy() for weight in weights(model)]
    results = engine.train(BlockRef(0, i) for i in range(10_000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    for old, new in zip(before, weights(model), strict=True):
        assert not np.array_equal(old, new)
        assert np.isfinite(new).all()


def test_an_error_in_a_thread_is_the_callers() -> None:
    def broken(number: int) -> Block:
        if number == 3:
            raise ValueError("block 3")
        return read_block(number)

    engine = fused_engine(make_model(8), broken, make_plan(5, 5), FALLING, threads=2)
    with pytest.raises(ValueError, match="block 3"):
        list(engine.train(BlockRef(0, i) for i in range(100)))


@pytest.mark.parametrize("negatives", [5, 15])
@pytest.mark.parametrize("dimension", [50, 128])
@pytest.mark.parametrize("engine", ["fused", "autograd"])
def test_frozen_rows_stay_and_the_others_move_as_ever(
    engine: str, negatives: int, dimension: int
) -> None:
    model, plan = make_model(dimension), make_plan(5, negatives)
    generator = np.random.default_rng(4)
    rows = generator.random(WORDS) < 0.5, generator.random(WORDS) < 0.3
    u, v = (weight.astype(np.float64) for weight in weights(model))
    before = [weight.copy() for weight in weights(model)]
    frozen_first = Frozen(*rows, during=lambda ref: ref.epoch == 0)
    trainer: Engine
    if engine == "fused":
        trainer = fused_engine(
            model, read_block, plan, FALLING, threads=2, frozen=frozen_first
        )
    else:
        trainer = AutogradEngine(
            model,
            read_block,
            plan,
            FALLING,
            batch_size=1,
            frozen=frozen_first,
            loader_workers=0,
        )
    for place in (BlockRef(0, 0), BlockRef(1, 1)):
        (result,) = trainer.train([place])
        block = read_block(place.block)
        windows = draw_windows(block.ids, block.offsets, plan, place.epoch, place.block)
        rates = [FALLING.line(place)(int(at)) for at in windows.positions]
        frozen = rows if place.epoch == 0 else None
        loss = take_steps(u, v, windows, rates, frozen)
        assert result.loss == pytest.approx(loss, rel=1e-6)
        for found, expected in zip(weights(model), (u, v), strict=True):
            assert np.abs(found - expected).max() < 1e-5
        for found, old, stay in zip(weights(model), before, rows, strict=True):
            assert np.array_equal(found[stay], old[stay]) == (place.epoch == 0)
            assert (found[~stay] != old[~stay]).any(axis=1).all()


def test_compiling_changes_nothing() -> None:
    model = make_model(50)
    before = [weight.copy() for weight in weights(model)]
    fused_engine(model, read_block, make_plan(5, 5), FALLING).compile()
    for old, new in zip(before, weights(model), strict=True):
        assert np.array_equal(old, new)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("negatives", [*NEGATIVES, 100, 1000])
def test_every_target_has_a_lane_and_none_has_two(lanes: int, negatives: int) -> None:
    plan = make_plan(5, negatives)
    layout = lay_out(plan, WORDS, 100, busiest=1.0, lanes=lanes)
    shape, scratch = layout.shape, layout.scratch(0, 10)
    tile, targets = len(shape.tile), len(scratch.rows.targets_to)
    assert shape.row % lanes == 0
    assert shape.stride % lanes == 0
    assert 1 + negatives <= targets < 1 + negatives + tile
    assert targets % tile == 0
    full, odd = scratch.step.bias.reshape(2, -1)
    assert (full == 0).sum() == 2 * (1 + negatives)
    assert (odd == 0).sum() == 1 + negatives
    assert (scratch.step.signs == -1).sum() == 2


def test_long_sentences_get_more_room() -> None:
    ids = np.arange(5000, dtype=np.int32) % WORDS
    long = Block(ids, np.array([0, 3, 5000]))
    model = make_model(8)
    engine = fused_engine(model, lambda _: long, make_plan(20, 5), constant(0.003))
    (result,) = engine.train([BlockRef(0, 0)])
    windows = draw_windows(long.ids, long.offsets, make_plan(20, 5), 0, 0)
    assert result.pairs == windows.pairs
    u, v = (weight.astype(np.float64) for weight in weights(make_model(8)))
    rates = [0.003] * len(windows)
    assert result.loss == pytest.approx(take_steps(u, v, windows, rates), rel=1e-5)


def test_infinite_weights_show_in_the_loss() -> None:
    for bad in (np.nan, np.inf):
        model = make_model(20)
        with torch.no_grad():
            model.u_embeddings.weight[0, 3] = bad
        engine = fused_engine(model, read_block, make_plan(5, 5), FALLING)
        (result,) = engine.train([BlockRef(0, 0)])
        assert not np.isfinite(result.loss)


IN_PLAIN_PYTHON = """
import numpy as np
from sg_train.blocks import BlockRef
from sg_train.engines.base import Frozen
from sg_train.engines.fused import kernel
from sg_train.engines.reference import take_steps
from sg_train.sampling.windows import draw_windows
from tests import test_fused as t
from tests.building import fused_engine

kernel._load = None  # nothing is compiled
rows = np.arange(t.WORDS) % 2 == 0, np.arange(t.WORDS) % 3 == 0
for lanes, negatives, window, dynamic, threads, frozen in (
    (8, 5, 3, True, 1, None),
    (4, 7, 2, False, 1, rows),
    (8, 2, 2, True, 3, None),
):
    model = t.make_model(7)
    u, v = (weight.astype(np.float64) for weight in t.weights(model))
    plan = t.make_plan(window, negatives, dynamic=dynamic)
    engine = fused_engine(
        model,
        t.read_block,
        plan,
        t.FALLING,
        counts=t.COUNTS,
        frozen=None if frozen is None else Frozen(*frozen, during=lambda _: True),
        threads=threads,
        lanes=lanes,
    )
    (result,) = engine.train([BlockRef(0, 1)])
    block = t.read_block(1)
    windows = draw_windows(block.ids, block.offsets, plan, 0, 1)
    rates = [t.FALLING.line(BlockRef(0, 1))(int(at)) for at in windows.positions]
    loss = take_steps(u, v, windows, rates, frozen)
    assert abs(result.loss / loss - 1) < 1e-6
    for found, expected in zip(t.weights(model), (u, v)):
        assert np.abs(found - expected).max() < 3e-6
corrupt = t.Block(np.array([1, 99, 2], dtype=np.int32), np.array([0, 3]))
engine = fused_engine(model, lambda _: corrupt, plan, t.FALLING)
try:
    list(engine.train([BlockRef(0, 0)]))
except IndexError:
    print("noticed")
"""


def test_the_kernel_in_plain_python_agrees_and_checks_every_place() -> None:
    result = in_plain_python(IN_PLAIN_PYTHON)
    assert result.stdout == "noticed\n", result.stderr
