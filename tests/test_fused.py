import os
import subprocess
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numba import njit

from sg_train.engines import kernel
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import Engine, Frozen
from sg_train.engines.fused import FusedEngine, make_copies, make_scratch, make_shape
from sg_train.model import SkipGram
from sg_train.sampling.loader import Place
from sg_train.sampling.windows import SamplingPlan, draw_windows
from tests.conftest import ROOT
from tests.oracle import take_steps

WIDTHS = [4, 8, 16]
NEGATIVES = [1, 2, 5, 6, 7, 15, 20]
DIMENSIONS = [1, 7, 8, 50, 100, 128, 300, 512]
WINDOWS = [1, 5, 10, 20]
WORDS = 13


@dataclass
class Sentences:
    ids: np.ndarray
    offsets: np.ndarray


def read_block(number: int) -> Sentences:
    """Return random words, a lone word, and a sentence that is nothing but repeats."""
    generator = np.random.default_rng(number)
    ids = generator.integers(0, WORDS, 110).astype(np.int32)
    ids[60:85] = generator.integers(0, 2, 25)
    return Sentences(ids, np.array([0, 1, 12, 14, 60, 85, 110]))


def falling_rate(place: Place, position: int) -> float:
    return 0.03 / (1 + place.epoch) - position * 1e-4


def make_model(dimension: int) -> SkipGram:
    limit = 0.4 * dimension**0.5
    model = SkipGram(WORDS, dimension, u_range=limit, v_range=limit)
    model.init_embed(torch.Generator().manual_seed(dimension))
    return model


def make_plan(window: int, negatives: int, **settings) -> SamplingPlan:
    counts = np.arange(WORDS, 0, -1) ** 3
    return SamplingPlan.from_counts(
        counts, window=window, negatives=negatives, subsample=0.05, **settings
    )


def weights(model: SkipGram) -> list[np.ndarray]:
    return [weight.detach().numpy() for weight in model.parameters()]


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("negatives", NEGATIVES)
def test_the_step_is_that_of_the_formula(lanes: int, negatives: int) -> None:
    place, collisions, repeats = Place(2, 1), 0, 0
    for dimension in DIMENSIONS:
        for window in WINDOWS:
            model, plan = make_model(dimension), make_plan(window, negatives)
            u, v = (weight.astype(np.float64) for weight in weights(model))
            before = u.copy()
            engine = FusedEngine(model, read_block, plan, falling_rate, lanes=lanes)
            (result,) = engine.train([place])
            block = read_block(place.block)
            windows = draw_windows(
                block.ids, block.offsets, plan, place.epoch, place.block
            )
            rates = [falling_rate(place, int(at)) for at in windows.positions]
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
    places = [Place(0, 0), Place(0, 1), Place(1, 0)]
    models = make_model(dimension), make_model(dimension)
    reference = AutogradEngine(models[0], read_block, plan, falling_rate, batch_size=1)
    fused = FusedEngine(models[1], read_block, plan, falling_rate)
    for one, other in zip(reference.train(places), fused.train(places), strict=True):
        assert (one.place, one.words) == (other.place, other.words)
        assert one.pairs == other.pairs
        assert other.loss == pytest.approx(one.loss, rel=1e-6)
    for ours, theirs in zip(weights(models[1]), weights(models[0]), strict=True):
        assert np.abs(ours - theirs).max() < 2e-5


def test_weights_are_trained_in_place() -> None:
    plan = make_plan(5, 5)
    for dimension, moved in ((48, False), (50, True)):
        model = make_model(dimension)
        before = model.u_embeddings.weight.detach().clone()
        address = model.u_embeddings.weight.data_ptr()
        seen: list[torch.Tensor] = []

        def rate(place: Place, position: int, model=model, seen=seen) -> float:
            seen.append(model.u_embeddings.weight.detach().clone())
            return 0.1

        engine = FusedEngine(model, read_block, plan, rate, lanes=16)
        assert torch.equal(model.u_embeddings.weight, before)
        if not moved:
            assert model.u_embeddings.weight.data_ptr() in (address, address + 32)
        assert model.u_embeddings.weight.data_ptr() % 64 == 0
        list(engine.train([Place(0, 0), Place(0, 1)]))
        # Between blocks the rate is asked for: the first block's work is in the model.
        assert not torch.equal(seen[0], seen[-1])
        assert torch.equal(seen[0], before)


@pytest.mark.parametrize("engine", ["autograd", "fused"])
def test_the_parts_of_a_block_are_together_the_block(engine: str) -> None:
    plan = make_plan(5, 5)
    models = make_model(20), make_model(20)
    engines = [
        FusedEngine(model, read_block, plan, falling_rate)
        if engine == "fused"
        else AutogradEngine(model, read_block, plan, falling_rate, batch_size=1)
        for model in models
    ]
    (whole,) = engines[0].train([Place(1, 1)])
    parts = list(engines[1].train(Place(1, 1, part, 3) for part in range(3)))
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
        engine = FusedEngine(model, read_block, plan, falling_rate, threads=1)
        places = [
            result.place for result in engine.train(Place(0, i) for i in range(9))
        ]
        assert places == [Place(0, i) for i in range(9)]
    for one, other in zip(weights(models[0]), weights(models[1]), strict=True):
        assert np.array_equal(one, other)


def test_several_threads_do_every_block_once_and_learn_as_much() -> None:
    losses = {}
    places = [Place(epoch, block) for epoch in range(5) for block in range(20)]
    for threads in (1, 4):
        model = make_model(50)
        names: set[str] = set()

        def read(number: int, names=names) -> Sentences:
            names.add(threading.current_thread().name)
            return read_block(number)

        engine = FusedEngine(
            model, read, make_plan(5, 5), falling_rate, threads=threads
        )
        results = list(engine.train(places))
        assert sorted(result.place for result in results) == sorted(places)
        assert len(names) == threads
        losses[threads] = sum(result.loss for result in results)
    assert losses[4] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("dimension", [8, 50])
def test_a_thread_with_copies_of_hot_rows_takes_the_same_steps(
    dimension: int, lanes: int
) -> None:
    model, plan = make_model(dimension), make_plan(2, 5)
    copies = make_copies(0, 3, WORDS, plan, make_shape(dimension, plan, lanes))
    assert 0 < copies.hot < WORDS
    u, v = (weight.astype(np.float64) for weight in weights(model))
    engine = FusedEngine(model, read_block, plan, falling_rate, threads=3, lanes=lanes)
    for number in range(6):  # one at a time, so by one thread after another
        place = Place(0, number)
        (result,) = engine.train([place])
        block = read_block(number)
        windows = draw_windows(block.ids, block.offsets, plan, 0, number)
        assert len(windows) > copies.windows
        rates = [falling_rate(place, int(at)) for at in windows.positions]
        loss = take_steps(u, v, windows, rates)
        assert result.loss == pytest.approx(loss, rel=1e-6)
    for found, expected in zip(weights(model), (u, v), strict=True):
        assert np.abs(found - expected).max() < 1e-5


@njit
def hand_over(u, v, shape, scratch):
    kernel._hand_over(u, v, shape, scratch)


@pytest.mark.parametrize("lanes", WIDTHS)
def test_what_two_threads_hand_over_adds_up(lanes: int) -> None:
    plan = make_plan(2, 5)
    shape = make_shape(20, plan, lanes)
    one, other = (
        make_scratch(1, plan, shape, make_copies(number, 2, WORDS, plan, shape))
        for number in range(2)
    )
    hot = one.copies.hot
    generator = np.random.default_rng(lanes)
    size = WORDS + 2 * (hot + 1)
    u, v = generator.normal(size=(2, size * shape.row)).astype(np.float32)
    rows = u.reshape(size, -1), v.reshape(size, -1)
    expected = [table[:WORDS].astype(np.float64) for table in rows]
    for table in rows:
        table[WORDS:] = 0
    for scratch in (one, other):
        hand_over(u, v, shape, scratch)
    for table, sums in zip(rows, expected, strict=True):
        assert np.array_equal(table[:WORDS], sums)
        assert np.array_equal(table[one.copies.shift :][:hot], table[:hot])
    for _ in range(3):
        for scratch in (one, other):
            first = scratch.copies.shift
            for table, sums in zip(rows, expected, strict=True):
                moves = generator.normal(size=(hot, shape.row)).astype(np.float32)
                table[first : first + hot] += moves
                sums[:hot] += moves
            hand_over(u, v, shape, scratch)
            for table, sums in zip(rows, expected, strict=True):
                assert table[:WORDS] == pytest.approx(sums, abs=1e-5)
                assert np.array_equal(table[first : first + hot], table[:hot])


def test_moves_are_handed_over_while_a_block_is_in_work() -> None:
    ids = np.random.default_rng(0).integers(0, WORDS, 500_000).astype(np.int32)
    block = Sentences(ids, np.arange(0, len(ids) + 1, 100))
    model = make_model(50)
    engine = FusedEngine(
        model, lambda _: block, make_plan(2, 5), lambda *_: 1e-4, threads=2
    )
    engine.compile()
    (hottest, _) = weights(model)
    trainer = threading.Thread(target=lambda: list(engine.train([Place(0, 0)])))
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
    plan = SamplingPlan.from_counts(counts, window=window)
    shape = make_shape(30, plan, 8)
    copies = [
        make_copies(number, threads, len(counts), plan, shape)
        for number in range(threads)
    ]
    rows = [range(copy.shift, copy.shift + copy.hot + 1) for copy in copies]
    assert [row for mine in rows for row in mine] == list(
        range(len(counts), len(counts) + sum(map(len, rows)))
    )
    for copy, mine in zip(copies, rows, strict=True):
        assert copy.spare == mine[-1] * shape.row
        assert len(copy.given_u) == len(copy.given_v) == copy.hot * shape.row
        if threads == 1 or window < 300:
            assert (copy.hot > 0) == (threads > 1)
        touches = threads * plan.most_touches * copy.windows
        assert touches <= 256 or copy.windows == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_training_that_is_stopped_keeps_what_was_done(threads: int) -> None:
    model = make_model(50)
    engine = FusedEngine(
        model, read_block, make_plan(5, 5), falling_rate, threads=threads
    )
    before = [weight.copy() for weight in weights(model)]
    results = engine.train(Place(0, i) for i in range(10_000))
    next(results)
    results.close()  # type: ignore[attr-defined]
    for old, new in zip(before, weights(model), strict=True):
        assert not np.array_equal(old, new)
        assert np.isfinite(new).all()


def test_an_error_in_a_thread_is_the_callers() -> None:
    def broken(number: int) -> Sentences:
        if number == 3:
            raise ValueError("block 3")
        return read_block(number)

    engine = FusedEngine(
        make_model(8), broken, make_plan(5, 5), falling_rate, threads=2
    )
    with pytest.raises(ValueError, match="block 3"):
        list(engine.train(Place(0, i) for i in range(100)))


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
    frozen_first = Frozen(*rows, during=lambda place: place.epoch == 0)
    trainer: Engine
    if engine == "fused":
        trainer = FusedEngine(
            model, read_block, plan, falling_rate, threads=2, frozen=frozen_first
        )
    else:
        trainer = AutogradEngine(
            model, read_block, plan, falling_rate, batch_size=1, frozen=frozen_first
        )
    for place in (Place(0, 0), Place(1, 1)):
        (result,) = trainer.train([place])
        block = read_block(place.block)
        windows = draw_windows(block.ids, block.offsets, plan, place.epoch, place.block)
        rates = [falling_rate(place, int(at)) for at in windows.positions]
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
    FusedEngine(model, read_block, make_plan(5, 5), falling_rate).compile()
    for old, new in zip(before, weights(model), strict=True):
        assert np.array_equal(old, new)


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("negatives", [*NEGATIVES, 100, 1000])
def test_every_target_has_a_lane_and_none_has_two(lanes: int, negatives: int) -> None:
    plan = make_plan(5, negatives)
    shape = make_shape(100, plan, lanes)
    scratch = make_scratch(10, plan, shape, make_copies(0, 1, WORDS, plan, shape))
    tile = len(shape.tile)
    assert shape.row % lanes == 0
    assert shape.stride % lanes == 0
    assert 1 + negatives <= len(scratch.targets) < 1 + negatives + tile
    assert len(scratch.targets) % tile == 0
    full, odd = scratch.bias.reshape(2, -1)
    assert (full == 0).sum() == 2 * (1 + negatives)
    assert (odd == 0).sum() == 1 + negatives
    assert (scratch.signs == -1).sum() == 2


def test_long_sentences_get_more_room() -> None:
    ids = np.arange(5000, dtype=np.int32) % WORDS
    long = Sentences(ids, np.array([0, 3, 5000]))
    model = make_model(8)
    engine = FusedEngine(model, lambda _: long, make_plan(20, 5), lambda *_: 0.003)
    (result,) = engine.train([Place(0, 0)])
    windows = draw_windows(long.ids, long.offsets, make_plan(20, 5), 0, 0)
    assert result.pairs == windows.pairs
    u, v = (weight.astype(np.float64) for weight in weights(make_model(8)))
    rates = [0.003] * len(windows)
    assert result.loss == pytest.approx(take_steps(u, v, windows, rates), rel=1e-5)


def test_no_place_for_a_cache_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_cache(*arguments: object, cache: bool = False, **options: object):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: ("compiled", function)

    monkeypatch.setattr(kernel, "njit", refuse_cache)

    def function() -> None: ...

    assert kernel._cached(function) == ("compiled", function)


def test_infinite_weights_show_in_the_loss() -> None:
    for bad in (np.nan, np.inf):
        model = make_model(20)
        with torch.no_grad():
            model.u_embeddings.weight[0, 3] = bad
        engine = FusedEngine(model, read_block, make_plan(5, 5), falling_rate)
        (result,) = engine.train([Place(0, 0)])
        assert not np.isfinite(result.loss)


def test_machine_code_on_disk_is_of_this_version() -> None:
    name = kernel.train_block.py_func.__qualname__
    assert name.startswith("train_block_")
    assert len(name) == len("train_block_") + 12


IN_PLAIN_PYTHON = """
import numpy as np
from sg_train.engines import kernel
from sg_train.engines.fused import FusedEngine
from sg_train.sampling.loader import Place
from sg_train.sampling.windows import draw_windows
from tests.oracle import take_steps
from tests import test_fused as t

assert not hasattr(kernel.train_block, "py_func")
for lanes, negatives, window, dynamic in ((8, 5, 3, True), (4, 7, 2, False)):
    model = t.make_model(7)
    u, v = (weight.astype(np.float64) for weight in t.weights(model))
    plan = t.make_plan(window, negatives, dynamic=dynamic)
    engine = FusedEngine(model, t.read_block, plan, t.falling_rate, lanes=lanes)
    (result,) = engine.train([Place(0, 1)])
    block = t.read_block(1)
    windows = draw_windows(block.ids, block.offsets, plan, 0, 1)
    rates = [t.falling_rate(Place(0, 1), int(at)) for at in windows.positions]
    loss = take_steps(u, v, windows, rates)
    assert abs(result.loss / loss - 1) < 1e-6
    for found, expected in zip(t.weights(model), (u, v)):
        assert np.abs(found - expected).max() < 3e-6
corrupt = t.Sentences(np.array([1, 99, 2], dtype=np.int32), np.array([0, 3]))
engine = FusedEngine(model, lambda _: corrupt, plan, t.falling_rate)
try:
    list(engine.train([Place(0, 0)]))
except IndexError:
    print("noticed")
"""


def test_the_kernel_in_plain_python_agrees_and_checks_every_place() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-W", "ignore:overflow", "-c", IN_PLAIN_PYTHON],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.stdout == "noticed\n", result.stderr
