"""How ranks put together what they have learnt apart.

V  words   D  dimension   n  ranks   p  negatives' distribution   K  negatives a window

Every rank trains on from the weights last agreed upon, and from time to time their
changes d are summed. Where few ranks touch a row, that is what one process would have
done. A row that each rank touches often is another matter: by itself each rank already
takes it most of the way to where its neighbours hold it, and the sum of n such changes
overshoots n times, until the run diverges. Averaging instead makes n ranks learn no
faster than one (both were measured).

So a sum is shrunk along those directions in which it would overshoot. Let a row move in
the bowl that the loss is near it, with curvature

    H = sigma' * sum over its pairs of (partner partner^T)  =  sigma' * t * M

for t touches since the last exchange and M, (D, D), the mean second moment of partners.
Gradient descent at rate a takes 1 - exp(-l) of the way to the bottom along an
eigenvector of M with eigenvalue m, where l = a * sigma' * t * m. One process with the
text of all ranks would take 1 - exp(-n l). Hence the sum of all ranks' changes, n times
the mean, is multiplied along that eigenvector by

    s = (1 - exp(-n l)) / (n (1 - exp(-l)))

which is 1 (a sum) for rows touched seldom and 1 / n (a mean) for those at rest. All of
u's rows share one M, of v's rows weighted by how often they are partners, and all of
v's rows share one of u's.

Rows are sorted by frequency, so the first ones are touched most and are exchanged in
every round, four times as many in every fourth, and so on: as often a touch, a quarter
of the bytes (after Ji et al. 2016, who exchange 1024 * 2^k rows).
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sg_train.model import SkipGram
from sg_train.ranks import Ranks

_SIGMA_SLOPE = 0.05  # sigma', by trial; its mean over pairs is 0.25 at the start
_FEW_RANKS = (
    4  # with more, rows and partners move at once so far that it has to be more
)
_GROWTH = 4  # times as many rows in every so many-th round
_PARTNERS = 2048  # rows that M is taken from; they have most of the weight
_WHOLE = 512  # rows shrunk along all directions; the others, along the steepest
_STEEPEST = 8
_FRESH = 4  # rounds that M is used for, once it no longer changes quickly
_SETTLED = 16  # rounds until then


@dataclass(frozen=True)
class Touches:
    """How often a word of text touches each row, and what it meets there.

    Attributes:
        u: (V,) pairs in which a row of u takes part, per word of text.
        v: (V,) the like of v, as centre or as negative.
        u_partners: (V,) how often a row of u is the partner in a pair, summing to 1.
        v_partners: (V,) the like of v, summing to 1 + K.
    """

    u: NDArray[np.float64]
    v: NDArray[np.float64]
    u_partners: NDArray[np.float64]
    v_partners: NDArray[np.float64]

    @classmethod
    def expect(
        cls,
        kept: NDArray[np.float64],
        negative: NDArray[np.float64],
        negatives: int,
        pairs: float,
    ) -> "Touches":
        """Work them out from the distributions that windows are drawn from.

        Args:
            kept: (V,) the share of a text's words that are this one and are kept.
            negative: (V,) the probability of each word as a negative.
            negatives: K.
            pairs: the mean number of context words of a window.
        """
        centres = kept / kept.sum()
        met = centres + negatives * negative
        return cls(kept * pairs, kept.sum() * pairs * met, centres, met)


class Exchange:
    """Puts the changes of all ranks together, a round at a time."""

    def __init__(
        self, model: SkipGram, ranks: Ranks, touches: Touches, frequent_rows: int
    ) -> None:
        """Begin with the first rank's weights on all.

        Args:
            model: this rank's, on any device; its weights are read and changed.
            ranks: those that exchange.
            touches: how often each row is touched.
            frequent_rows: how many of the first rows every round exchanges.
        """
        embeddings = model.u_embeddings, model.v_embeddings
        self._ranks = ranks
        self._weights = [embedding.weight.detach() for embedding in embeddings]
        self._agreed = [weight.clone().contiguous() for weight in self._weights]
        for weight, agreed in zip(self._weights, self._agreed, strict=True):
            ranks.copy_first(agreed)
            weight.copy_(agreed)
        self._room = torch.empty(
            2 * self._agreed[0].numel(), device=self._agreed[0].device
        )
        u, v, of_u, of_v = (
            torch.from_numpy(share).to(self._agreed[0])
            for share in (touches.u, touches.v, touches.u_partners, touches.v_partners)
        )
        self._touches = u, v
        self._partners = of_v, of_u
        self._tiers = tier_ends(model.embed_size, frequent_rows)
        self._words = [0.0] * len(self._tiers)  # since each tier was exchanged last
        self._rounds = 0
        self._bowls: list[tuple[Tensor, Tensor]] = []

    def round(self, words: float, rate: float) -> None:
        """Exchange the rows that are due.

        Args:
            words: how many this round took a rank to train, on the mean.
            rate: the learning rate.
        """
        self._rounds += 1
        last = 0
        while self._rounds % _GROWTH ** (last + 1) == 0 and last + 1 < len(self._tiers):
            last += 1
        self._words = [since + words for since in self._words]
        self._exchange(last, rate)

    def all(self, words: float, rate: float) -> None:
        """Exchange whatever has changed.

        Args:
            words: how many it took a rank to train since the last round.
            rate: the learning rate.
        """
        self._words = [since + words for since in self._words]
        if any(self._words):
            self._exchange(len(self._tiers) - 1, rate)

    @torch.no_grad()
    def _exchange(self, last: int, rate: float) -> None:
        rows = self._tiers[last]
        agreed = [matrix[:rows] for matrix in self._agreed]
        weights = [matrix[:rows] for matrix in self._weights]
        changes = self._room[: 2 * agreed[0].numel()].view(2, *agreed[0].shape)
        for i in range(2):
            torch.sub(weights[i], agreed[i], out=changes[i])
        self._ranks.add(changes)
        since = self._words_by_row(last)
        for i, bowl in enumerate(self._bowls_now()):
            shrink(changes[i], self._touches[i][:rows] * since, rate, bowl, self._size)
        for i in range(2):
            agreed[i] += changes[i]
            weights[i].copy_(agreed[i])
        self._words[: last + 1] = [0.0] * (last + 1)

    @property
    def _size(self) -> int:
        return self._ranks.size

    def _words_by_row(self, last: int) -> Tensor:
        """Return how many words there were since each row was exchanged."""
        ends = [0, *self._tiers[: last + 1]]
        sizes = [after - before for before, after in pairwise(ends)]
        since = torch.tensor(self._words[: last + 1], device=self._agreed[0].device)
        return since.repeat_interleave(torch.tensor(sizes, device=since.device))

    def _bowls_now(self) -> list[tuple[Tensor, Tensor]]:
        if not self._bowls or self._rounds < _SETTLED or self._rounds % _FRESH == 0:
            u, v = self._agreed
            self._bowls = [
                bowl(partners, weights)
                for partners, weights in zip((v, u), self._partners, strict=True)
            ]
        return self._bowls


def tier_ends(vocabulary_size: int, frequent_rows: int) -> list[int]:
    """Return where each tier of rows ends; the last one is not a small rest.

    >>> tier_ends(100_000, 4096)
    [4096, 16384, 100000]
    """
    ends = []
    end = frequent_rows
    while 2 * end < vocabulary_size:
        ends.append(end)
        end *= _GROWTH
    return [*ends, vocabulary_size]


def bowl(partners: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Return the eigenvalues, rising, and eigenvectors of the partners' second moment.

    Args:
        partners: (V, D) the rows of the other matrix, the most frequent first.
        weights: (V,) how often each is met in a pair.

    Returns:
        (D,) and (D, D), of the sum over partners of weight * partner partner^T, taken
        from the first rows and scaled up to the weight of all.
    """
    some = partners[:_PARTNERS]
    shares = weights[:_PARTNERS] * (weights.sum() / weights[:_PARTNERS].sum())
    moment = (some * shares.unsqueeze(1)).T @ some
    # Weights that are no longer finite are another's to report.
    values, vectors = torch.linalg.eigh(moment.nan_to_num(0.0, 0.0, 0.0).double())
    return values.clamp_min(0.0).to(partners), vectors.to(partners)


def sigma_slope(ranks: int) -> float:
    """Return the sigma' that is reckoned with among so many ranks."""
    return _SIGMA_SLOPE * max(1.0, ranks / _FEW_RANKS)


def shrink(
    changes: Tensor,
    touches: Tensor,
    rate: float,
    bowl: tuple[Tensor, Tensor],
    ranks: int,
) -> None:
    """Shrink summed changes, in place, where their sum overshoots.

    Args:
        changes: (R, D) summed over the ranks.
        touches: (R,) how often one rank has touched each row.
        rate: the learning rate.
        bowl: from `bowl`.
        ranks: n.
    """
    values, vectors = bowl
    steps = (sigma_slope(ranks) * rate * touches).unsqueeze(1)
    for rows, first in (
        (slice(0, _WHOLE), 0),
        (slice(_WHOLE, None), max(0, len(values) - _STEEPEST)),
    ):
        basis, part = vectors[:, first:], changes[rows]
        ways = (steps[rows] * values[first:]).clamp_min(1e-6)
        kept = torch.expm1(-ranks * ways) / (ranks * torch.expm1(-ways))
        part.addmm_((part @ basis) * (1 - kept), basis.T, alpha=-1)
