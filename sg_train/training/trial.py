"""A run in memory, to judge settings: trained in parts, and never written."""

from collections.abc import Iterator
from pathlib import Path

from sg_train.config import Config
from sg_train.errors import TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import spellings_of, to_vectors
from sg_train.system.ranks import Ranks
from sg_train.training.beginning import begin_new
from sg_train.training.setup import set_up
from sg_train.vectors.word_vectors import WordVectors


class Trial:
    """Trains a model as `train` does, without a directory.

    Attributes:
        config: the settings, with numbers for each `auto`.
        model: is trained.
        held_out: computes its loss on the text that is held out, if any.
        checksum: of the corpus.
    """

    def __init__(self, config: Config, out: Path) -> None:
        """Prepare the corpus, if that has not been done, and set the engine up.

        Args:
            config: the settings.
            out: where the run would go, for messages.

        Raises:
            SgTrainError: as `train` does.
        """
        ranks = Ranks()
        beginning = begin_new(RunDirectory(out), config, ranks)
        components = set_up(beginning, ranks)
        self.config = beginning.config
        self.model = components.model
        self.held_out = components.held_out
        self.checksum = beginning.corpus.checksum
        self._words = beginning.corpus.vocabulary.words
        self._engine, self._schedule = components.engine, components.schedule

    def train(self, parts: int) -> Iterator[int]:
        """Train, and yield how many of equal parts are done.

        Raises:
            TrainingError: the weights become infinite.
        """
        total = self._schedule.total_blocks
        for part in range(parts):
            first, last = total * part // parts, total * (part + 1) // parts
            refs = map(self._schedule.ref, range(first, last))
            losses = sum(result.loss for result in self._engine.train(refs))
            if not losses < float("inf"):
                raise TrainingError("the loss became infinite")
            yield part + 1

    @property
    def vectors(self) -> WordVectors:
        """The vectors that would be exported now."""
        return to_vectors(
            self._words,
            self.model.matrices,
            self.config.export.matrix,
            spellings_of(self.config.corpus),
            self.model.word_rows,
        )
