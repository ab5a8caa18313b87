from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sg_train.engines.distributed import exchange
from sg_train.engines.distributed.exchange import Exchange, bowl, shrink, tier_ends
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.touches import Touches
from sg_train.system.ranks import Ranks
from tests.local_ranks import on_ranks


def evenly(size: int, touches: float = 0.0) -> Touches:
    shares = np.full(size, 1 / size)
    return Touches(touches, 1.0, shares, shares)


@pytest.mark.parametrize("ranks", [1, 2, 8])
def test_a_shrunk_sum_goes_as_far_as_one_process_with_all_the_text(ranks: int) -> None:
    draw = np.random.default_rng(0)
    partners = draw.normal(size=(50, 6)).astype(np.float32)
    weights = draw.uniform(size=50).astype(np.float32)
    values, vectors = bowl(torch.from_numpy(partners), torch.from_numpy(weights))
    moment = (partners.T * weights).astype(np.float64) @ partners
    touches = np.array([0.0, 1e-3, 0.3, 2, 10, 1e4])
    to_bottom = draw.normal(size=(6, 6))
    expected = []
    changes = []
    for many, way in zip(touches, to_bottom, strict=True):
        # Gradient descent in small steps, in float64: exp(-n H) by repeated squaring.
        curvature = exchange.sigma_slope(ranks) * 0.05 * many * moment
        stay = np.linalg.matrix_power(np.eye(6) - curvature / 2**20, 2**20)
        changes.append(ranks * (np.eye(6) - stay) @ way)
        stay_all = np.linalg.matrix_power(np.eye(6) - curvature / 2**20, ranks * 2**20)
        expected.append((np.eye(6) - stay_all) @ way)
    summed = torch.tensor(np.array(changes), dtype=torch.float32)
    shrink(summed, torch.tensor(touches).float(), 0.05, (values, vectors), ranks)
    assert np.allclose(summed.numpy(), np.array(expected), atol=2e-4)


def test_rows_touched_seldom_are_shrunk_along_the_steepest_directions() -> None:
    draw = torch.Generator().manual_seed(0)
    partners = torch.randn((40, 30), generator=draw)
    basin = bowl(partners, torch.ones(40))
    rows = exchange._WHOLE + 5
    changes = torch.randn((rows, 30), generator=draw)
    before = changes.clone()
    shrink(changes, torch.full((rows,), 50.0), 0.05, basin, 4)
    along = [(matrix @ basin[1]).abs() for matrix in (changes, before)]
    ratio = along[0] / along[1]
    assert ratio[: exchange._WHOLE, 0].max() < 0.999
    assert torch.allclose(ratio[exchange._WHOLE :, 0], torch.tensor(1.0), atol=1e-2)
    assert ratio[:, -1].max() < 0.5
    assert ratio[:, -1].min() > 0.25 - 1e-3


def test_the_bowl_is_taken_from_the_most_frequent_rows(monkeypatch) -> None:
    monkeypatch.setattr(exchange, "_PARTNERS", 3)
    partners = torch.eye(4)
    values, _ = bowl(partners, torch.tensor([2.0, 1.0, 1.0, 4.0]))
    assert values.tolist() == pytest.approx([0, 2, 2, 4])
    values, _ = bowl(torch.full((2, 2), torch.nan), torch.ones(2))
    assert torch.isfinite(values).all()


@dataclass
class Sentences:
    ids: np.ndarray
    offsets: np.ndarray


def test_all_begin_with_the_first_ranks_weights_and_changes_add_up() -> None:
    def work(ranks: Ranks) -> tuple[torch.Tensor, ...]:
        model = SkipGram(6, 3, seed=ranks.rank)
        both = Exchange(model, ranks, evenly(6), frequent_rows=100)
        u = model.u_embeddings.weight.detach()
        first = u.clone()
        u[ranks.rank] += 1.0  # each its own row
        u[5] += 0.5  # all of them, but it counts as touched never
        both.round(1.0, 0.05)
        return first, u

    results = on_ranks(3, work)
    own = SkipGram(6, 3, seed=0)
    for first, after in results:
        assert torch.equal(first, own.u_embeddings.weight)
        moved = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 1.5]).unsqueeze(1)
        assert torch.allclose(after - first, moved.expand(6, 3), atol=1e-6)
        assert torch.equal(after, results[0][1])


def test_rows_are_exchanged_as_often_as_their_tier_says() -> None:
    def work(ranks: Ranks) -> list[list[int]]:
        model = SkipGram(40, 2)
        both = Exchange(model, ranks, evenly(40), frequent_rows=2)
        weights = model.v_embeddings.weight.detach()
        seen = []
        for _ in range(16):
            before = weights.clone()
            weights += 1.0
            both.round(10.0, 0.05)
            # One's own change stays; with the other's a row has moved further.
            moved = (weights - before)[:, 0] > 1.5
            seen.append([int(i) for i in moved.nonzero().flatten()])
        weights += 1.0
        both.all(10.0, 0.05)
        assert torch.allclose(weights, weights[0])
        return seen

    assert tier_ends(40, 2) == [2, 8, 40]
    for seen in on_ranks(2, work):
        for number, rows in enumerate(seen, start=1):
            due = 40 if number % 16 == 0 else 8 if number % 4 == 0 else 2
            assert rows == list(range(due))
