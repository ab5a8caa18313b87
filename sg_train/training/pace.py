"""Where a run pauses: to be evaluated, to be saved, or because it was told to stop."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sg_train.sampling.loader import Place
from sg_train.training.schedule import LinearSchedule
from sg_train.training.signals import Signals

_WORTH = 50  # a checkpoint at an epoch's end may take 1 / 50 of the time since the last


class Wishes(NamedTuple):
    """What a process would do now.

    Attributes:
        stop: the signal that told it to stop, if one did.
        save: whether it would save.
    """

    stop: int | None
    save: bool


class Pace:
    """Hands out a run's blocks in order, up to the next pause.

    Attributes:
        position: how many of the run's blocks have been handed out.
    """

    def __init__(
        self,
        schedule: LinearSchedule,
        signals: Signals,
        *,
        position: int = 0,
        evaluate_every: int | None = None,
        save_every: float = 300.0,
        at_once: int = 1,
        agree: Callable[[Wishes], Wishes] = lambda wishes: wishes,
    ) -> None:
        """Begin at a position.

        Args:
            schedule: the run's blocks.
            signals: may ask for a pause.
            position: blocks that are done already.
            evaluate_every: words between evaluations, None for none. One is due after
                the block in which so many, or a multiple, have been gone through since
                the run began, and at the run's end.
            save_every: seconds between checkpoints.
            at_once: how many blocks are handed out between two looks at whether a pause
                is due.
            agree: turns what this process wishes into what all processes do.
        """
        self._schedule = schedule
        self._signals = signals
        self.position = position
        self._evaluate_every = evaluate_every
        self._save_every = save_every
        self._at_once = at_once
        self._agree = agree
        self._before = position  # when it last looked
        self._wishes = Wishes(None, save=False)
        self._saved_at = time.monotonic()
        self._save_took = 0.0

    @property
    def is_over(self) -> bool:
        """Whether all blocks have been handed out."""
        return self.position >= self.total

    def places(self) -> Iterator[Place]:
        """Yield the next blocks, at least one, until a pause is due."""
        while not self.is_over:
            self._before = self.position
            for _ in range(min(self._at_once, self.total - self.position)):
                place = Place(*divmod(self.position, self._blocks))
                self.position += 1
                yield place
            self._wishes = self._agree(Wishes(self._signals.stop, self._wants_save))
            if self.is_evaluation_due or self.is_save_due or self.stop is not None:
                return

    @property
    def stop(self) -> int | None:
        """The signal that told the run to stop before its end, if one did."""
        return None if self.is_over else self._wishes.stop

    @property
    def is_evaluation_due(self) -> bool:
        """Whether the blocks handed out last complete a share of words."""
        if self._evaluate_every is None:
            return False
        before, now = self._words(self._before), self._words(self.position)
        return (
            self.is_over or now // self._evaluate_every > before // self._evaluate_every
        )

    @property
    def is_save_due(self) -> bool:
        """Whether time, an epoch's end or a signal asks for a checkpoint."""
        return self._wishes.save and not self.is_over

    @property
    def _wants_save(self) -> bool:
        since = time.monotonic() - self._saved_at
        ends_epoch = self.position // self._blocks > self._before // self._blocks
        return (
            self._signals.save
            or since >= self._save_every
            or (ends_epoch and since >= _WORTH * self._save_took)
        )

    def note_save(self) -> None:
        """Take note that a checkpoint is being written."""
        self._saved_at = time.monotonic()
        self._signals.save = False
        self._wishes = Wishes(self.stop, save=False)

    def note_save_took(self, seconds: float) -> None:
        """Take note of how long a checkpoint kept the processor busy."""
        self._save_took = seconds

    @property
    def total(self) -> int:
        """How many blocks the whole run has."""
        return self._blocks * self._schedule.epochs

    @property
    def has_done_an_epoch(self) -> bool:
        """Whether every block has been handed out at least once."""
        return self.position >= self._blocks

    @property
    def _blocks(self) -> int:
        return len(self._schedule.block_starts) - 1

    def _words(self, position: int) -> int:
        epoch, block = divmod(position, self._blocks)
        starts = self._schedule.block_starts
        return epoch * int(starts[-1]) + int(starts[block])
