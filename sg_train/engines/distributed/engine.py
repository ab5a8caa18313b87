"""The engine for several ranks: each trains with its own engine, then they agree.

Of every n consecutive blocks, each of the n ranks trains one. The length of a round is
a number of words, never a time, and after each round the ranks combine their changes;
see `exchange`.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch

from sg_train.blocks import BlockRef
from sg_train.engines.base import BlockResult, Engine, Schedule
from sg_train.engines.distributed.exchange import Exchange
from sg_train.errors import SgTrainError
from sg_train.system.ranks import Ranks

_NEARLY = 0.75  # of a round is enough if blocks do not add up to a whole one


class DistributedEngine:
    """Distributes blocks among ranks, all of which must request the same blocks."""

    def __init__(
        self,
        engine: Engine,
        ranks: Ranks,
        exchange: Exchange,
        schedule: Schedule,
        block_words: Callable[[int], int],
        *,
        round_words: int,
        threads: int = 1,
    ) -> None:
        """Set the engine up.

        Args:
            engine: trains this rank's blocks, on the weights that `exchange` combines.
            ranks: those that share the work.
            exchange: combines the changes of all ranks.
            schedule: how the learning rate falls.
            block_words: returns how many words a block has.
            round_words: words that all ranks together train between two exchanges.
            threads: how many slices `engine` trains at the same time.
        """
        self._engine = engine
        self._ranks = ranks
        self._exchange = exchange
        self._schedule = schedule
        self._block_words = block_words
        self._round_words = round_words
        self._threads = threads
        self._rate = 0.0
        self._words = 0.0  # of all ranks, since the last exchange

    def compile(self) -> None:
        """Compile this rank's engine."""
        self._engine.compile()

    def train(self, refs: Iterable[BlockRef]) -> Iterator[BlockResult]:
        """Train on blocks and yield each one's result, the same on every rank.

        Blocks are taken n at a time, and those n are done before more are taken.
        """
        rest = iter(refs)
        while group := list(islice(rest, self._ranks.size)):
            yield from self._train_group(group)
        self._exchange.all(self._words / self._ranks.size, self._rate)
        self._words = 0.0

    def _train_group(self, group: list[BlockRef]) -> list[BlockResult]:
        sizes = [self._block_words(ref.block) for ref in group]
        # Half a round at a time, so that no round is much longer or shorter than asked.
        steps = max(1, round(2 * sum(sizes) / self._round_words))
        # float64 holds every count exactly; each rank fills only its own block's row.
        done = torch.zeros((len(group), 3), dtype=torch.float64)
        rate_at = self._schedule.line(group[0])
        for number in range(steps):
            self._rate = rate_at(number * sizes[0] // steps)
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
                ref, int(words), int(pairs), loss, self._schedule.line(ref)(size - 1)
            )
            for ref, size, (words, pairs, loss) in zip(
                group, sizes, done.tolist(), strict=True
            )
        ]

    def _train_step(
        self, group: list[BlockRef], number: int, steps: int
    ) -> Iterator[BlockResult]:
        """Train this rank's share of a step, in as many slices as there are threads."""
        mine, slices = group[self._ranks.rank], steps * self._threads
        first = number * self._threads
        try:
            yield from self._engine.train(
                mine._replace(slice=slice_, slices=slices)
                for slice_ in range(first, first + self._threads)
            )
        except SgTrainError as error:  # the others do not know of it
            raise type(error)(f"rank {self._ranks.rank}: {error}") from error
