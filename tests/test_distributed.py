from typing import Any

import numpy as np
import pytest
import torch

from sg_train.blocks import Block, BlockRef
from sg_train.engines.autograd import AutogradEngine
from sg_train.engines.base import BlockResult, Engine
from sg_train.engines.distributed.engine import DistributedEngine
from sg_train.engines.distributed.exchange import Exchange
from sg_train.errors import CorpusError
from sg_train.model.skip_gram import SkipGram
from sg_train.system.ranks import Ranks
from tests.building import Rates, expect_touches, fused_engine, make_plan
from tests.local_ranks import on_ranks

SIZES = [400, 380, 420, 390, 410]
WORDS = 60


def read_block(number: int) -> Block:
    draw = np.random.default_rng(number)
    ids = (WORDS * draw.random(SIZES[number]) ** 2).astype(np.int32)
    # A word is followed by its like, so there is something to learn.
    ids[1::2] = ids[: len(ids) // 2 * 2 : 2] ^ 1
    return Block(ids, np.append(np.arange(0, SIZES[number], 20), SIZES[number]))


COUNTS = np.bincount(
    np.concatenate([read_block(i).ids for i in range(len(SIZES))]), minlength=WORDS
).clip(1)
SAMPLING: dict[str, Any] = {"window": 3, "negatives": 4, "subsample": 0.1}
PLAN = make_plan(COUNTS, **SAMPLING)
TOUCHES = expect_touches(COUNTS, **SAMPLING)
PLACES = [BlockRef(epoch, block) for epoch in range(6) for block in range(len(SIZES))]


RATES = Rates(lambda ref: (0.1 - 0.01 * ref.epoch - 1e-3 * ref.block, -1e-6))


def make(name: str, model: SkipGram, threads: int = 1) -> Engine:
    if name == "fused":
        return fused_engine(
            model, read_block, PLAN, RATES, counts=COUNTS, threads=threads
        )
    return AutogradEngine(
        model, read_block, PLAN, RATES, batch_size=8, loader_workers=0
    )


def train(
    ranks: Ranks, name: str, round_words: int, threads: int = 1
) -> tuple[list[BlockResult], torch.Tensor]:
    model = SkipGram(WORDS, 10, seed=1)
    engine = make(name, model, threads)
    engine.compile()
    exchange = Exchange(model, ranks, TOUCHES, frequent_rows=16)
    several = DistributedEngine(
        engine,
        ranks,
        exchange,
        RATES,
        SIZES.__getitem__,
        round_words=round_words,
        threads=threads,
    )
    results = list(several.train(PLACES))
    return results, model.u_embeddings.weight.detach()


@pytest.mark.parametrize(
    ("name", "size"), [("fused", 1), ("fused", 2), ("fused", 4), ("autograd", 2)]
)
def test_ranks_share_the_blocks_and_learn_as_much(name: str, size: int) -> None:
    model = SkipGram(WORDS, 10, seed=1)
    alone = list(make(name, model).train(PLACES))
    every = on_ranks(size, lambda ranks: train(ranks, name, 200))
    for results, weights in every:
        assert results == every[0][0]  # the same on all ranks
        assert torch.equal(weights, every[0][1])
        for one, other in zip(results, alone, strict=True):
            assert (one.ref, one.words, one.pairs) == (
                other.ref,
                other.words,
                other.pairs,
            )
            assert one.learning_rate == pytest.approx(other.learning_rate, rel=1e-3)
    ends = [
        sum(r.loss for r in results[-5:]) / sum(r.pairs for r in results[-5:])
        for results in (every[0][0], alone, alone[:5])
    ]
    # Ranks lower the loss at least 90 % as far as one process does.
    begin = sum(r.loss for r in alone[:5]) / sum(r.pairs for r in alone[:5])
    assert ends[0] - ends[1] < 0.1 * (begin - ends[1])


def test_a_single_rank_takes_the_same_steps() -> None:
    model = SkipGram(WORDS, 10, seed=1)
    list(make("fused", model).train(PLACES))
    _, weights = train(Ranks(), "fused", 10_000_000)
    assert torch.allclose(weights, model.u_embeddings.weight, atol=1e-5)


def test_a_rank_shares_its_part_out_among_threads() -> None:
    every = on_ranks(2, lambda ranks: train(ranks, "fused", 300, threads=2))
    assert [r.words for r in every[0][0]] == SIZES * 6
    assert torch.equal(every[0][1], every[1][1])


def test_rounds_are_counted_in_words() -> None:
    class Counting(Ranks):
        size = 1
        added = 0

        def add(self, tensor: torch.Tensor) -> None:
            self.added += tensor.dtype == torch.float32

    for words, at_least, at_most in ((100, 90, 140), (1000, 9, 16), (10**6, 1, 1)):
        ranks = Counting()
        train(ranks, "fused", words)
        assert at_least <= ranks.added <= at_most


def test_an_error_on_a_rank_names_it() -> None:
    def fails(number: int) -> Block:
        raise CorpusError("cannot read x")

    model = SkipGram(WORDS, 10)
    engine = fused_engine(model, fails, PLAN, RATES)
    exchange = Exchange(model, Ranks(), TOUCHES, frequent_rows=16)
    several = DistributedEngine(
        engine, Ranks(), exchange, RATES, SIZES.__getitem__, round_words=400
    )
    with pytest.raises(CorpusError, match="rank 0: cannot read x"):
        list(several.train([BlockRef(0, 0)]))
