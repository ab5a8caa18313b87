import numpy as np
import pytest
import torch

from sg_train.blocks import Block, BlockRef
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import BlockResult
from sg_train.engines.reference import take_steps
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.windows import draw_windows
from tests.building import Rates, make_plan

PLACES = [BlockRef(0, 0), BlockRef(0, 1), BlockRef(1, 0)]
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[
            pytest.mark.gpu,
            pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"),
        ],
    ),
]


def read_block(number: int) -> Block:
    generator = np.random.default_rng(number)
    ids = generator.integers(0, 12, 60).astype(np.int32)
    return Block(ids, np.array([0, 1, 20, 22, 60]))


FALLING = Rates(lambda ref: (0.5 / (1 + ref.epoch + ref.block), -1 / 1000))
PLAN = make_plan(np.arange(12, 0, -1), window=3, negatives=4, subsample=0.1)


def make_model(device: str = "cpu") -> SkipGram:
    return SkipGram(12, 7, u_range=2.0, v_range=2.0, seed=1).to(device)


def run(
    device: str, batch_size: int, loader_workers: int = 0
) -> tuple[SkipGram, list[BlockResult]]:
    model = make_model(device)
    engine = AutogradEngine(
        model,
        read_block,
        PLAN,
        FALLING,
        batch_size=batch_size,
        loader_workers=loader_workers,
    )
    return model, list(engine.train(iter(PLACES)))


@pytest.mark.parametrize("device", DEVICES)
def test_single_windows_are_the_steps_of_the_formula(device: str) -> None:
    model, results = run(device, batch_size=1)
    u, v = (w.detach().numpy().astype(np.float64) for w in make_model().parameters())
    for place, result in zip(PLACES, results, strict=True):
        sentences = read_block(place.block)
        windows = draw_windows(
            sentences.ids, sentences.offsets, PLAN, place.epoch, place.block
        )
        rates = [FALLING.line(place)(int(position)) for position in windows.positions]
        loss = take_steps(u, v, windows, rates)
        assert result.loss == pytest.approx(loss, rel=1e-5)
        assert result.learning_rate == pytest.approx(rates[-1])
        assert (result.ref, result.words) == (place, 60)
        assert result.pairs == windows.pairs
    for weight, expected in zip(model.parameters(), (u, v), strict=True):
        assert weight.detach().cpu().numpy() == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_is_one_step_on_its_summed_loss(device: str) -> None:
    model = make_model(device)
    engine = AutogradEngine(
        model, read_block, PLAN, FALLING, batch_size=1000, loader_workers=0
    )
    (result,) = engine.train([BlockRef(0, 0)])
    reference = make_model()
    sentences = read_block(0)
    windows = draw_windows(sentences.ids, sentences.offsets, PLAN, 0, 0)
    loss = reference(
        torch.from_numpy(windows.contexts),
        torch.from_numpy(windows.centres),
        torch.from_numpy(windows.negatives),
    )
    loss.backward()
    rate = FALLING.line(BlockRef(0, 0))(int(windows.positions[0]))
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        expected = theirs.detach() - rate * theirs.grad.to_dense()
        torch.testing.assert_close(ours.detach().cpu(), expected)
    assert result.loss == pytest.approx(loss.item(), rel=1e-6)


def test_loader_workers_change_nothing() -> None:
    alone, _ = run("cpu", batch_size=8)
    helped, _ = run("cpu", batch_size=8, loader_workers=1)
    for one, other in zip(alone.parameters(), helped.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_block_without_windows_has_no_loss() -> None:
    lonely = Block(np.array([1, 2], dtype=np.int32), np.array([0, 1, 2]))
    engine = AutogradEngine(
        make_model(), lambda _: lonely, PLAN, FALLING, batch_size=8, loader_workers=0
    )
    (result,) = engine.train([BlockRef(0, 0)])
    assert (result.words, result.pairs, result.loss) == (2, 0, 0.0)


def test_frequency_scaling_reaches_the_step() -> None:
    model = SkipGram(12, 7, u_range=2.0, v_range=2.0, scale_grad_by_freq=True)
    engine = AutogradEngine(
        model, read_block, PLAN, FALLING, batch_size=64, loader_workers=0
    )
    list(engine.train(PLACES))
    plain, _ = run("cpu", batch_size=64)
    assert not torch.equal(model.u_embeddings.weight, plain.u_embeddings.weight)
