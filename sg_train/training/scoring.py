"""Scores while a run goes on, and when to stop for them."""

from collections.abc import Iterator, Sequence

import numpy as np

from sg_train.config import EvaluationConfig
from sg_train.errors import SettingsError
from sg_train.sampling.loader import Place
from sg_train.training.schedule import LinearSchedule
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.word_vectors import WordVectors


class Scoring:
    """Judges vectors now and then, and knows which were the best.

    It reads vectors and never changes them, and takes no random draw, so that a run
    with it gives the same bytes as one without.
    """

    def __init__(self, config: EvaluationConfig, words: Sequence[str]) -> None:
        """Read the tests.

        Args:
            config: names the tests.
            words: the vocabulary.

        Raises:
            VectorsError: a test cannot be read.
            SettingsError: training should stop on a test of which no question can be
                scored.
        """
        self._evaluation = Evaluation.from_files(
            config.similarity, config.analogies, restrict=config.restrict
        )
        self._stop_on = config.stop_on
        self._patience = config.patience
        self._best = -np.inf
        self._since_best = 0
        if self._stop_on is not None:
            nothing = WordVectors(words, np.zeros((len(words), 1), dtype=np.float32))
            scored = {s.test: s.scored for s in self._evaluation(nothing) if s.is_total}
            if scored[self._stop_on] < 2:
                raise SettingsError(
                    f"evaluation.stop_on={self._stop_on}: hardly a question of the "
                    "test has all its words in the vocabulary; choose another test"
                )

    def score(self, vectors: WordVectors) -> dict[str, float | None]:
        """Return each test's score, and take note of the best."""
        scores = {s.test: s.value for s in self._evaluation(vectors) if s.is_total}
        if self._stop_on is not None:
            value = scores[self._stop_on]
            self._since_best += 1
            if value is not None and value > self._best:
                self._best, self._since_best = value, 0
        return scores

    @property
    def is_best(self) -> bool:
        """Whether the vectors scored last are the best so far."""
        return self._stop_on is not None and self._since_best == 0

    @property
    def is_over(self) -> bool:
        """Whether the score has not risen for as long as patience goes."""
        return self._since_best >= self._patience


def segments(
    schedule: LinearSchedule, every_words: int | None
) -> Iterator[list[Place]]:
    """Cut a run where it is to be evaluated: between blocks, and at its end.

    Args:
        schedule: the run's blocks.
        every_words: a segment ends with the block in which so many words, or a multiple
            of them, have been gone through since the run began; by default an epoch's.
    """
    starts = schedule.block_starts
    every = every_words or int(starts[-1])
    places: list[Place] = []
    done = 0
    for epoch in range(schedule.epochs):
        for block in range(len(starts) - 1):
            places.append(Place(epoch, block))
            before, done = done, epoch * int(starts[-1]) + int(starts[block + 1])
            if done // every > before // every:
                yield places
                places = []
    if places:
        yield places
