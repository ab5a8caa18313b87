"""The engine of many processes: each trains by an engine of its own, then they agree.

Of every n consecutive blocks each of n ranks trains one. They are gone through in
rounds counted in words, never in time, and after each round the ranks put together what
they have changed; see `exchange`.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch

from sg_train.engines.base import BlockResult, Engine
from sg_train.engines.exchange import Exchange
from sg_train.errors import SgTrainError
from sg_train.ranks import Ranks
from sg_train.sampling.loader import Place

_NEARLY = 0.75  # of a round is enough, where blocks do not add up to a whole one


class DistributedEngine:
    """Shares blocks out among ranks. Every rank is to ask for the same places."""

    def __init__(
        self,
        engine: Engine,
        ranks: Ranks,
        exchange: Exchange,
        learning_rate: Callable[[Place, int], float],
        block_words: Callable[[int], int],
        *,
        round_words: int = 400_000,
        threads: int = 1,
    ) -> None:
        """Set the engine up.

        Args:
            engine: trains this rank's blocks, on the weights that `exchange` knows.
            ranks: those that share the work.
            exchange: puts changes together.
            learning_rate: the rate at a place in the run and a position in its block.
            block_words: how many words a block has.
            round_words: between two exchanges, of all ranks together.
            threads: into how many parts `engine` is to share a round's words out.
        """
        self._engine = engine
        self._ranks = ranks
        self._exchange = exchange
        self._learning_rate = learning_rate
        self._block_words = block_words
        self._round_words = round_words
        self._threads = threads
        self._rate = 0.0
        self._words = 0.0  # of all ranks, since the last exchange

    def compile(self) -> None:
        """Get this rank's engine ready."""
        self._engine.compile()

    def train(self, places: Iterable[Place]) -> Iterator[BlockResult]:
        """Train on blocks and yield each one's result, on every rank alike.

        Places are taken n at a time, and those n are done before more are taken.
        """
        rest = iter(places)
        while group := list(islice(rest, self._ranks.size)):
            yield from self._train_group(group)
        self._exchange.all(self._words / self._ranks.size, self._rate)
        self._words = 0.0

    def _train_group(self, group: list[Place]) -> list[BlockResult]:
        sizes = [self._block_words(place.block) for place in group]
        # Half a round at a time, lest a round be much longer or shorter than wanted.
        steps = max(1, round(2 * sum(sizes) / self._round_words))
        # float64 holds every count exactly; a row for each block, of its rank alone.
        done = torch.zeros((len(group), 3), dtype=torch.float64)
        for number in range(steps):
            position = number * sizes[0] // steps
            self._rate = self._learning_rate(group[0], position)
            if self._ranks.rank < len(group):
                for result in self._train_step(group, number, steps):
                    done[self._ranks.rank] += torch.tensor(
                        [result.words, result.pairs, result.loss], dtype=torch.float64
                    )
            self._words += sum(sizes) / steps
            if self._words > _NEARLY * self._round_words:
                self._exchange.round(self._words / self._ranks.size, self._rate)
                self._words = 0.0
        self._ranks.add(done)
        return [
            BlockResult(
                place,
                int(words),
                int(pairs),
                loss,
                self._learning_rate(place, size - 1),
            )
            for place, size, (words, pairs, loss) in zip(
                group, sizes, done.tolist(), strict=True
            )
        ]

    def _train_step(
        self, group: list[Place], number: int, steps: int
    ) -> Iterator[BlockResult]:
        """Train this rank's share of a step, in as many parts as there are threads."""
        mine, parts = group[self._ranks.rank], steps * self._threads
        first = number * self._threads
        try:
            yield from self._engine.train(
                mine._replace(part=part, parts=parts)
                for part in range(first, first + self._threads)
            )
        except SgTrainError as error:  # the others do not know of it
            raise type(error)(f"rank {self._ranks.rank}: {error}") from error
