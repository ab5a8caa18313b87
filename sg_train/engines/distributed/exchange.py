"""How ranks combine the changes that each has made to its own weights.

V  words    D  dimension    n  ranks

Every rank trains from the weights last agreed on, and at intervals the changes of all
ranks are summed. For a row that few ranks touch, the sum is what one process would have
done. A row that every rank touches often is different: each rank by itself already
moves it most of the way to its equilibrium, and the sum of n such changes overshoots n
times, until the run diverges. With averages instead of sums, n ranks learn no faster
than one (both were measured).

So the sum is shrunk along the directions in which it would overshoot. Near a row, let
the loss be a bowl with curvature

    H = sigma' * sum over its pairs of (partner partner^T)  =  sigma' * t * M

for t touches since the last exchange and M, (D, D), the mean second moment of partners.
Gradient descent at rate a covers 1 - exp(-l) of the way to the bottom along an
eigenvector of M with eigenvalue m, where l = a * sigma' * t * m. One process with the
text of all ranks would cover 1 - exp(-n l). Hence the sum of all ranks' changes, n
times the mean, is multiplied along that eigenvector by

    s = (1 - exp(-n l)) / (n (1 - exp(-l)))

which is 1 (a sum) for rows touched seldom and 1 / n (a mean) for those at the bottom.
All rows of u share one M, taken from v's rows weighted by how often they are partners,
and all rows of v share one M taken from u's rows.

Rows are sorted by frequency, so the first ones are touched most. They are exchanged in
every round, four times as many in every fourth round, and so on: about as often per
touch, for a quarter of the bytes (after Ji et al. 2016, who exchange 1024 * 2^k rows).

The rows of the buckets of n-grams, which follow those of the words in u, are exchanged
together with the rarest words.
"""

from itertools import pairwise

import torch
from torch import Tensor

from sg_train.model.embeddings import Model
from sg_train.model.skip_gram import SkipGram
from sg_train.sampling.touches import Touches
from sg_train.system.ranks import Ranks

_SIGMA_SLOPE = 0.05  # sigma', by trial; its mean over pairs is 0.25 at the start
_FEW_RANKS = 4  # with more, rows and partners move so far that sigma' must grow
_GROWTH = 4  # factor from one tier to the next, of both rows and rounds
_PARTNERS = 2048  # rows that M is taken from; they carry most of the weight
_WHOLE = 512  # rows shrunk along all directions; the others, along the steepest
_STEEPEST = 8
_FRESH = 4  # rounds for which M is reused, once it changes slowly
_SETTLED = 16  # rounds until then


class Exchange:
    """Combines the changes of all ranks, one round at a time."""

    def __init__(
        self, model: Model, ranks: Ranks, touches: Touches, frequent_rows: int
    ) -> None:
        """Copy the first rank's weights to all ranks.

        Args:
            model: this rank's, on any device; its weights are read and changed.
            ranks: those that exchange.
            touches: how often each row is expected to be touched.
            frequent_rows: how many of the first rows every round exchanges.
        """
        module = SkipGram.around(model)
        self._ranks = ranks
        self._word_rows = model.word_rows
        self._weights = [weight.detach() for weight in module.parameters()]
        self._agreed = [weight.clone().contiguous() for weight in self._weights]
        for weight, agreed in zip(self._weights, self._agreed, strict=True):
            ranks.copy_first(agreed)
            weight.copy_(agreed)
        self._buckets = len(self._agreed[0]) - module.embed_size
        self._room = torch.empty(
            self._agreed[0].numel() + self._agreed[1].numel(),
            device=self._agreed[0].device,
        )
        of_words, rows = touches.contexts, model.word_rows
        of_rows = of_words if rows is None else rows.add_up(of_words)
        contexts, targets = (
            torch.from_numpy(share).to(self._agreed[0])
            for share in (of_rows, touches.targets)
        )
        # Pairs in which a row takes part, per word of text.
        pairs = touches.windows * touches.pairs
        self._touches = contexts * pairs, targets * pairs
        self._partners = targets, contexts[: module.embed_size]
        self._tiers = tier_ends(module.embed_size, frequent_rows)
        self._words = [0.0] * len(self._tiers)  # since each tier was last exchanged
        self._rounds = 0
        self._bowls: list[tuple[Tensor, Tensor]] = []

    def round(self, words: float, rate: float) -> None:
        """Exchange the rows that are due.

        Args:
            words: the mean number of words that a rank trained in this round.
            rate: the learning rate.
        """
        self._rounds += 1
        last = 0
        while self._rounds % _GROWTH ** (last + 1) == 0 and last + 1 < len(self._tiers):
            last += 1
        self._words = [since + words for since in self._words]
        self._exchange(last, rate)

    def all(self, words: float, rate: float) -> None:
        """Exchange all rows that have changed.

        Args:
            words: the mean number of words that a rank trained since the last round.
            rate: the learning rate.
        """
        self._words = [since + words for since in self._words]
        if any(self._words):
            self._exchange(len(self._tiers) - 1, rate)

    @torch.no_grad()
    def _exchange(self, last: int, rate: float) -> None:
        rows = [self._tiers[last]] * 2
        if last == len(self._tiers) - 1:
            rows[0] += self._buckets
        agreed = [matrix[:n] for matrix, n in zip(self._agreed, rows, strict=True)]
        weights = [matrix[:n] for matrix, n in zip(self._weights, rows, strict=True)]
        room = self._room[: sum(rows) * agreed[0].shape[1]].view(sum(rows), -1)
        changes = room.split(rows)
        for i in range(2):
            torch.sub(weights[i], agreed[i], out=changes[i])
        self._ranks.add(room)
        since = self._words_by_row(last)
        for i, bowl in enumerate(self._bowls_now()):
            touched = self._touches[i][: rows[i]] * since[: rows[i]]
            shrink(changes[i], touched, rate, bowl, self._size)
        for i in range(2):
            agreed[i] += changes[i]
            weights[i].copy_(agreed[i])
        self._words[: last + 1] = [0.0] * (last + 1)

    @property
    def _size(self) -> int:
        return self._ranks.size

    def _words_by_row(self, last: int) -> Tensor:
        """Return the number of words since each row of u was last exchanged."""
        ends = [0, *self._tiers[: last + 1]]
        sizes = [after - before for before, after in pairwise(ends)]
        if last == len(self._tiers) - 1:
            sizes[-1] += self._buckets
        since = torch.tensor(self._words[: last + 1], device=self._agreed[0].device)
        return since.repeat_interleave(torch.tensor(sizes, device=since.device))

    def _bowls_now(self) -> list[tuple[Tensor, Tensor]]:
        if not self._bowls or self._rounds < _SETTLED or self._rounds % _FRESH == 0:
            u, v = self._agreed
            if self._word_rows is not None:
                some = self._word_rows.first(_PARTNERS)
                u = torch.from_numpy(some.compose(u.cpu().numpy())).to(v)
            self._bowls = [
                bowl(partners, weights)
                for partners, weights in zip((v, u), self._partners, strict=True)
            ]
        return self._bowls


def tier_ends(vocabulary_size: int, frequent_rows: int) -> list[int]:
    """Return where each tier of rows ends; the last one is never a small remainder.

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
    """Return the ascending eigenvalues and eigenvectors of the partners' second moment.

    Args:
        partners: (V, D) the rows of the other matrix, the most frequent first.
        weights: (V,) how often each occurs in a pair.

    Returns:
        (D,) and (D, D), of the sum over partners of weight * partner partner^T, taken
        from the first rows and scaled up to the weight of all.
    """
    some = partners[:_PARTNERS]
    shares = weights[:_PARTNERS] * (weights.sum() / weights[:_PARTNERS].sum())
    moment = (some * shares.unsqueeze(1)).T @ some
    # Weights that are no longer finite are reported elsewhere.
    values, vectors = torch.linalg.eigh(moment.nan_to_num(0.0, 0.0, 0.0).double())
    return values.clamp_min(0.0).to(partners), vectors.to(partners)


def sigma_slope(ranks: int) -> float:
    """Return the sigma' to assume for this many ranks.

    >>> sigma_slope(8)
    0.1
    """
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
