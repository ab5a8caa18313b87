"""The rows with the highest cosines for each of many queries, exactly.

Most of the work is one product of matrices in float32 per block of queries and rows.
Rounding there depends on the blocks, so it only decides which rows are candidates: the
best ones, and those so near the last of them that rounding may have decided. The
candidates' cosines are then computed in float64, and decide the order. So the answer to
a question is the same whether it is asked alone or among a million.

n  queries    r  rows of a block    D  dimension
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Exact = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]

LOWEST = np.finfo(np.float32).min  # the cosine of a vector that is not finite

_QUERIES_AT_ONCE = 1 << 8
_GROUP = 16  # columns that are first looked at together, by their maximum
_PAIRS_AT_ONCE = 1 << 16
_MOST_TIES = 64  # with more and four times `top` candidates, exact scores decide


def nearest_rows(
    asked: NDArray[np.float32],
    own: NDArray[np.int64],
    blocks: Iterable[tuple[int, NDArray[np.float32]]],
    unit_rows: Callable[[NDArray[np.int64]], NDArray[np.float32]],
    top: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the nearest rows of each query, and their cosines.

    Args:
        asked: (n, D) float32, of length 1.
        own: (n, m) rows to leave out; -1 for none.
        blocks: all rows, of length 1: where a block starts, and the block, (r, D).
        unit_rows: returns some rows, by their numbers, of length 1.
        top: how many to return.

    Returns:
        (n, top) rows, nearest first, ties in row order, and float32 cosines; -1 and
        -inf where there are fewer rows.
    """

    def exact(query: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        cosines = np.empty(len(rows), dtype=np.float32)
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            some = slice(start, start + _PAIRS_AT_ONCE)
            one, other = asked[query[some]], unit_rows(rows[some])
            cosines[some] = np.einsum("ij,ij->i", one, other, dtype=np.float64)
        cosines[~np.isfinite(cosines)] = LOWEST
        return cosines

    query, rows = _candidates(asked, own, blocks, exact, top)
    cosines = exact(query, rows)
    order, rank = _ranked(query, rows, cosines, len(asked))
    kept = order[rank < top]
    best = np.full((len(asked), top), -1)
    scores = np.full((len(asked), top), -np.inf, dtype=np.float32)
    best[query[kept], rank[rank < top]] = rows[kept]
    scores[query[kept], rank[rank < top]] = cosines[kept]
    return best, scores


def _candidates(
    asked: NDArray[np.float32],
    own: NDArray[np.int64],
    blocks: Iterable[tuple[int, NDArray[np.float32]]],
    exact: Exact,
    top: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return queries, rising, and rows that may be among their nearest."""
    is_strange = ~np.isfinite(asked).all(axis=1)
    strange = np.flatnonzero(is_strange)
    # Twice the largest error of a sum of D products. Scores of other queries are exact.
    margins = np.full(len(asked), np.finfo(np.float32).eps * asked.shape[1], np.float32)
    margins[is_strange | ~asked.any(axis=1)] = 0
    starts = range(0, len(asked), _QUERIES_AT_ONCE)
    parts = [slice(start, start + _QUERIES_AT_ONCE) for start in starts]
    candidates = [
        Candidates(margins[part], top, _from(part.start, exact)) for part in parts
    ]
    # One piece of memory for all scores: new pages would take as long as the product.
    room = np.empty(0, dtype=np.float32)
    for first, block in blocks:
        lowest = np.flatnonzero(~np.isfinite(block).all(axis=1))
        for part, mine in zip(parts, candidates, strict=True):
            shape = len(asked[part]), len(block)
            if len(room) < shape[0] * shape[1]:
                room = np.empty(shape[0] * shape[1], dtype=np.float32)
            found = room[: shape[0] * shape[1]].reshape(shape)
            np.matmul(asked[part], block.T, out=found)
            if len(lowest):
                found[:, lowest] = LOWEST
            here = (strange >= part.start) & (strange < part.stop)
            found[strange[here] - part.start] = LOWEST
            rows = own[part]
            query, which = np.nonzero((rows >= first) & (rows < first + len(block)))
            found[query, rows[query, which] - first] = -np.inf
            mine.add(found, first)
    pairs = [mine.pairs() for mine in candidates]
    queries = [
        query + part.start for part, (query, _) in zip(parts, pairs, strict=True)
    ]
    return np.concatenate(queries), np.concatenate([rows for _, rows in pairs])


def _from(first: int, exact: Exact) -> Exact:
    return lambda query, rows: exact(query + first, rows)


class Candidates:
    """The rows that may be among the best ones of n queries, out of blocks of rows."""

    def __init__(self, margins: NDArray[np.float32], top: int, exact: Exact) -> None:
        """Begin without rows.

        Args:
            margins: (n,) how far below the last of the best rows a score makes a
                candidate; 0 for queries whose scores are exact.
            top: how many rows per query are wanted.
            exact: returns the exact scores of pairs, for queries with many candidates.
        """
        self._queries, self._top, self._margins = len(margins), top, margins
        self._exact = exact
        self._edges = np.full(len(margins), -np.inf, np.float32)  # the lowest score
        self._parts: list[tuple[NDArray[np.int64], ...]] = []
        self._scores: list[NDArray[np.float32]] = []
        self._size = 0

    def add(self, found: NDArray[np.float32], first: int) -> None:
        """Add the candidates in a block of rows.

        Args:
            found: (n, r) scores; -inf for rows that are no candidates.
            first: the number of the block's first row.
        """
        groups = found.shape[1] // _GROUP
        whole, rest = np.split(found, [groups * _GROUP], axis=1)
        # Column c belongs to group c % groups, so that maxima run along rows.
        maxima = whole.reshape(len(found), _GROUP, groups).max(axis=1, initial=-np.inf)
        if np.isneginf(self._edges).any():
            self._edges = np.maximum(self._edges, self._edges_of(found, maxima))
        query, group = np.nonzero(maxima >= self._edges[:, None])
        columns = group[:, None] + groups * np.arange(_GROUP)
        self._keep(query[:, None], columns, found[query[:, None], columns], first)
        query, column = np.nonzero(rest >= self._edges[:, None])
        self._keep(query, column + groups * _GROUP, rest[query, column], first)
        if self._size > 4 * self._queries * self._top:
            self._shorten()

    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the candidates: queries, rising, and rows."""
        self._shorten()
        query, row = self._parts[0]
        return query, row

    def _edges_of(
        self, found: NDArray[np.float32], maxima: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return a score per query that at least `top` rows of a block reach."""
        scores = maxima if maxima.shape[1] >= self._top else found
        if scores.shape[1] < self._top:
            return self._edges
        place = scores.shape[1] - self._top
        edges: NDArray[np.float32] = np.partition(scores, place, axis=1)[:, place]
        return edges - self._margins

    def _keep(
        self,
        query: NDArray[np.int64],
        column: NDArray[np.int64],
        scores: NDArray[np.float32],
        first: int,
    ) -> None:
        is_kept = (scores >= self._edges[query]) & (scores > -np.inf)
        query = np.broadcast_to(query, scores.shape)[is_kept]
        self._parts.append((query, column[is_kept] + first))
        self._scores.append(scores[is_kept])
        self._size += len(query)

    def _shorten(self) -> None:
        """Keep the best rows, and those within the margin."""
        none = np.zeros(0, dtype=np.int64)
        query, row = (
            np.concatenate(parts)
            for parts in zip((none, none), *self._parts, strict=True)
        )
        scores = np.concatenate((none.astype(np.float32), *self._scores))
        order, rank = _ranked(query, row, scores, self._queries)
        query, row, scores = query[order], row[order], scores[order]
        kept = self._wanted(query, scores, rank)
        query, row, scores, rank = query[kept], row[kept], scores[kept], rank[kept]
        many = np.bincount(query, minlength=self._queries) > 4 * self._top + _MOST_TIES
        if many.any():
            pairs = many[query]
            scores[pairs] = self._exact(query[pairs], row[pairs])
            order, rank = _ranked(query, row, scores, self._queries)
            query, row, scores = query[order], row[order], scores[order]
            kept = self._wanted(query, scores, rank)
            kept &= (rank < self._top) | ~many[query]
            query, row, scores = query[kept], row[kept], scores[kept]
        self._parts, self._scores = [(query, row)], [scores]
        self._size = 0  # of what is added from now on

    def _wanted(
        self,
        query: NDArray[np.int64],
        scores: NDArray[np.float32],
        rank: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return which pairs to keep, and raise the edges."""
        last = rank == self._top - 1
        self._edges[query[last]] = scores[last] - self._margins[query[last]]
        is_near = (scores >= self._edges[query]) & (self._margins[query] > 0)
        return (rank < self._top) | is_near


def _ranked(
    query: NDArray[np.int64],
    row: NDArray[np.int64],
    scores: NDArray[np.float32],
    queries: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order pairs by query and score, best first; return order and rank in a query."""
    order = np.lexsort((row, -scores, query))
    starts = np.searchsorted(query[order], np.arange(queries))
    return order, np.arange(len(order)) - starts[query[order]]
