"""Scores during training, and when to stop because they no longer improve."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sg_train.choices import Matrix
from sg_train.config import EvaluationConfig
from sg_train.errors import SettingsError
from sg_train.runs.metrics import HELD_OUT_LOSS
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.spelling import Spellings, plain_spellings
from sg_train.vectors.word_vectors import WordVectors


class EarlyStopping:
    """Scores vectors during training, and tracks which were the best.

    It only reads vectors and draws nothing at random, so a run with it gives the same
    bytes as one without.
    """

    def __init__(
        self,
        config: EvaluationConfig,
        words: Sequence[str],
        matrix: Matrix,
        spellings: Spellings = plain_spellings,
    ) -> None:
        """Read the tests.

        Args:
            config: the tests, and what to stop on.
            words: the vocabulary.
            matrix: which vectors are scored.
            spellings: returns other spellings of an unknown word.

        Raises:
            VectorsError: a test cannot be read.
            SettingsError: training would stop on a test of which no question can be
                scored.
        """
        self._evaluation = Evaluation.from_files(
            config.similarity, config.analogies, restrict=config.restrict
        )
        self._stop_on = config.stop_on
        self._patience = config.patience
        what = {"similarity", "analogies", "restrict", "stop_on", "held_out"}
        self._of = {**config.model_dump(mode="json", include=what), "matrix": matrix}
        self._best = -np.inf
        self._since_best = 0
        if self._stop_on not in (None, HELD_OUT_LOSS):
            some = np.random.default_rng(0).normal(size=(len(words), 2))
            vectors = WordVectors(words, some.astype(np.float32), spellings)
            scores = self._evaluation(vectors)
            totals = {s.test: s.value for s in scores if s.is_total}
            if totals[str(self._stop_on)] is None:
                raise SettingsError(
                    f"evaluation.stop_on={self._stop_on}: nothing in the test can be "
                    "scored (too few of its words are in the vocabulary, or all its "
                    "scores are equal); choose another test"
                )

    def score(
        self, vectors: WordVectors, held_out_loss: float | None = None
    ) -> dict[str, float | None]:
        """Return each test's score, and remember the best score or the lowest loss."""
        scores = {s.test: s.value for s in self._evaluation(vectors) if s.is_total}
        if self._stop_on is not None:
            value = scores.get(self._stop_on)
            if self._stop_on == HELD_OUT_LOSS and held_out_loss is not None:
                value = -held_out_loss
            self._since_best += 1
            if value is not None and value > self._best:
                self._best, self._since_best = value, 0
        return scores

    def state(self) -> dict[str, Any]:
        """Return the state to keep in a checkpoint."""
        best = self._best if np.isfinite(self._best) else None
        return {"best": best, "since_best": self._since_best, "of": self._of}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a result of `state`, unless the tests have changed."""
        best, since_best = state.get("best"), state.get("since_best")
        if state.get("of") == self._of and isinstance(since_best, int):
            self._best = best if isinstance(best, float) else -np.inf
            self._since_best = since_best

    @property
    def is_best(self) -> bool:
        """Whether the vectors scored last are the best so far."""
        return self._stop_on is not None and self._since_best == 0

    @property
    def is_over(self) -> bool:
        """Whether patience is exhausted: that many scores in a row were not better."""
        return self._since_best >= self._patience
