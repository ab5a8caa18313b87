"""The loop over blocks: train, and pause to evaluate, to save, or to stop.

Read `Loop.run` first. An engine pulls blocks from `_next_blocks`, which ends where a
pause is due and leaves the reasons in one `Pause`; when the engine has finished the
blocks that it took, the loop acts on them.
"""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from sg_train.blocks import BlockRef
from sg_train.engines.base import BlockResult
from sg_train.errors import Interrupted, OutputError, TrainingError
from sg_train.runs import checkpoint
from sg_train.runs.checkpoint import Checkpoints, CorpusState, State, Weights
from sg_train.runs.vectors import spellings_of, to_vectors
from sg_train.system.files import atomic_file
from sg_train.system.ranks import Ranks
from sg_train.training.beginning import Beginning
from sg_train.training.progress import Progress
from sg_train.training.setup import Components
from sg_train.training.signals import ASKED, Signals
from sg_train.vectors.word_vectors import WordVectors

_WORTH = 50  # a checkpoint at an epoch's end may take 1 / 50 of the time since the last


@dataclass(frozen=True)
class Pause:
    """Why training pauses after a block.

    Attributes:
        stop: the signal that stops the run before its end, if one does.
        save: whether a checkpoint is due.
        evaluate: whether the vectors are to be scored.
    """

    stop: int | None = None
    save: bool = False
    evaluate: bool = False

    def __bool__(self) -> bool:
        """Return whether there is any reason to pause."""
        return self.stop is not None or self.save or self.evaluate


class Loop:
    """Trains a run block by block, from where it begins to its end."""

    def __init__(
        self,
        beginning: Beginning,
        components: Components,
        ranks: Ranks,
        signals: Signals,
        progress: Progress,
        checkpoints: Checkpoints,
    ) -> None:
        """Set the loop up.

        Args:
            beginning: where the run begins.
            components: model, engine, schedule and tests.
            ranks: those that train together; only the first writes.
            signals: ask for a stop or a checkpoint.
            progress: counts and shows results.
            checkpoints: receive the state.
        """
        self._run, self._config = beginning.run, beginning.config
        self._corpus = beginning.corpus
        self._model, self._engine = components.model, components.engine
        self._schedule, self._tests = components.schedule, components.tests
        self._held_out = components.held_out
        self._ranks = ranks
        self._signals = signals
        self._progress = progress
        self._checkpoints = checkpoints
        state = beginning.resumed.state if beginning.resumed else None
        self._position = state.position if state else 0  # blocks handed out
        self._pairs = state.pairs if state else 0  # trained
        self._pause = Pause()
        self._saved_at = time.monotonic()
        self._save_took = 0.0

    def run(self) -> bool:
        """Train to the end and leave the results in the run's directory.

        Returns:
            Whether the end was reached; not if the caller of `train` wanted to stop.

        Raises:
            TrainingError: the weights become infinite, or nothing can be learnt.
            OutputError: the results cannot be written.
            Interrupted: a signal stopped training; the state has been saved.
        """
        while not self._is_over:
            pause = self._train_to_pause()
            if pause.evaluate and self._evaluate():
                break
            if pause.save:
                self._save()
            if pause.stop is not None:
                self._stop(pause.stop)
                return False
        self._finish()
        return True

    # --- training ------------------------------------------------------------------

    def _train_to_pause(self) -> Pause:
        self._pause = Pause()
        for result in self._engine.train(self._next_blocks()):
            self._check_finite(result)
            self._progress.add(result)
            self._pairs += result.pairs
        self._check_learning()
        return self._pause

    def _next_blocks(self) -> Iterator[BlockRef]:
        """Yield the next blocks, at least one, until a pause is due."""
        while not self._is_over and not self._pause:
            before = self._position
            # With several ranks, one block per rank between two checks for a pause.
            for _ in range(min(self._ranks.size, self._total - before)):
                ref = self._schedule.ref(self._position)
                self._position += 1
                yield ref
            self._pause = self._pause_after(before)

    @property
    def _total(self) -> int:
        return self._schedule.total_blocks

    @property
    def _is_over(self) -> bool:
        return self._position >= self._total

    # --- pauses --------------------------------------------------------------------

    def _pause_after(self, before: int) -> Pause:
        """Return the reasons to pause now; `before` is the position checked last."""
        asked = self._signals.stop or 0
        save = self._ranks.is_first and self._wants_checkpoint(before)
        # A signal to one rank stops all; the first rank decides when to save.
        stop, saves = self._ranks.largest(asked, int(save))
        evaluate = self._is_evaluation_due(before)
        if self._is_over:
            return Pause(evaluate=evaluate)
        return Pause(stop=stop or None, save=bool(stop or saves), evaluate=evaluate)

    def _wants_checkpoint(self, before: int) -> bool:
        since, blocks = time.monotonic() - self._saved_at, self._schedule.blocks
        ends_epoch = self._position // blocks > before // blocks
        if (seconds := self._checkpoints.took()) is not None:
            self._save_took = seconds
        return (
            self._signals.save
            or since >= self._config.checkpoint.every_seconds
            or (
                ends_epoch
                and not self._checkpoints.is_writing  # its time is not known yet
                and since >= _WORTH * self._save_took
            )
        )

    def _is_evaluation_due(self, before: int) -> bool:
        """Return whether the blocks since `before` complete a share of words."""
        evaluation = self._config.evaluation
        if not evaluation.is_wanted:
            return False
        every = evaluation.every_words or self._schedule.epoch_words
        done, now = map(self._schedule.words_before, (before, self._position))
        return self._is_over or now // every > done // every

    def _evaluate(self) -> bool:
        """Score the vectors, keep the best, and return whether training is over."""
        with self._ranks.failing_together():
            return self._ranks.from_first(self._ranks.is_first and self._score())

    def _score(self) -> bool:
        tests = self._tests
        assert tests is not None  # this is the first rank, and there are tests
        with self._progress.pause():
            weights = self._weights()
            vectors = self._vectors(weights)
            loss = self._held_out(self._model) if self._held_out else None
            self._progress.add_scores(tests.score(vectors, loss), loss)
            if tests.is_best:
                try:
                    checkpoint.save_weights(self._run.best_file, weights)
                except OutputError as error:
                    self._progress.warn(f"the best weights were not saved: {error}")
        return tests.is_over

    def _save(self) -> None:
        with self._ranks.failing_together():
            if self._ranks.is_first:
                self._checkpoints.save(self._state(), self._weights())
        self._saved_at = time.monotonic()
        self._signals.save = False

    def _stop(self, signal: int) -> None:
        with self._ranks.failing_together():
            is_written = self._checkpoints.wait() is not None
            # Somebody may have deleted the run's directory meanwhile.
            exists = self._run.config_file.is_file()
            is_saved, exists = self._ranks.from_first((is_written and exists, exists))
        how = "not saved"
        if is_saved:
            how = f"saved at {self._position / self._total:.0%}"
        if signal == ASKED:
            if not is_saved:
                raise self._ranks.alike(OutputError(f"stopped, {how}"))
            return
        message = f"interrupted, {how}"
        if exists:
            message += f"; continue with sg-train resume {self._run.quoted}"
        else:
            message += f", because {self._run.path} was deleted meanwhile"
        raise Interrupted(message if self._ranks.is_first else "", signal)

    # --- the end -------------------------------------------------------------------

    def _finish(self) -> None:
        with self._ranks.failing_together():
            if self._ranks.is_first:
                self._write_results()

    def _write_results(self) -> None:
        """Write weights and the state that marks a run as done; export the vectors."""
        run = self._run
        weights: Weights
        if run.best_file.exists() and self._config.evaluation.stop_on is not None:
            weights = checkpoint.load_weights(run.best_file)
        else:
            weights = self._weights()
        with ThreadPoolExecutor(1) as pool:  # for the text, most of which needs no GIL
            export = pool.submit(self._export, weights)
            checkpoint.save_weights(run.weights_file, weights)
            with atomic_file(run.state_file) as file:
                file.write(self._state().to_json(weights))
            run.best_file.unlink(missing_ok=True)
            export.result()
        self._checkpoints.clear()

    def _export(self, weights: Weights) -> None:
        form = self._config.export.format
        self._vectors(weights).save(self._run.vectors_file(form), form)

    def _vectors(self, weights: Weights) -> WordVectors:
        vocabulary, word_rows = self._corpus.vocabulary, self._model.word_rows
        return to_vectors(
            vocabulary.words,
            weights,
            self._config.export.matrix,
            spellings_of(self._config.corpus),
            word_rows,
            vocabulary.counts,
        )

    def _state(self) -> State:
        corpus = CorpusState(
            path=str(self._corpus.path.absolute()), checksum=self._corpus.checksum
        )
        return State(
            self._position,
            self._pairs,
            self._config.model_dump(mode="json"),
            corpus,
            self._progress.state(),
            self._tests.state() if self._tests else None,
        )

    def _weights(self) -> Weights:
        weights = self._model.matrices
        if not all(np.isfinite(matrix).all() for matrix in weights.values()):
            raise TrainingError(
                "the weights are no longer finite: lower training.learning_rate "
                f"(now {self._config.training.learning_rate})"
            )
        return weights

    # --- checks --------------------------------------------------------------------

    def _check_finite(self, result: BlockResult) -> None:
        if math.isfinite(result.loss):
            return
        training = self._config.training
        ways = f"training.learning_rate (now {training.learning_rate}) or, with the "
        ways += "autograd or the triton engine, training.batch_size"
        if self._ranks.size > 1:
            ways = f"distributed.round_words, or raise frequent_rows, or lower {ways}"
        raise self._ranks.alike(
            TrainingError(
                f"the loss became {result.loss} in epoch {result.ref.epoch}, block "
                f"{result.ref.block}: lower {ways}"
            )
        )

    def _check_learning(self) -> None:
        if self._pairs or self._position < self._schedule.blocks:
            return
        ways = ["put more words on each line", "give more text"]
        meta = self._corpus.meta
        if meta.words_read is None or meta.words_read > meta.words:
            ways.insert(0, "lower vocabulary.min_count")
        if self._config.sampling.subsample > 0:
            ways.insert(0, "raise sampling.subsample")
        raise self._ranks.alike(
            TrainingError(
                "no sentence has two words that are in the vocabulary and survive "
                f"subsampling, so nothing can be learnt: {', '.join(ways[:-1])} or "
                f"{ways[-1]}"
            )
        )
