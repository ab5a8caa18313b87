"""One process's work on a run: the loop over blocks."""

import math

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config
from sg_train.engines.base import BlockResult
from sg_train.errors import Interrupted, OutputError, TrainingError
from sg_train.files import atomic_file
from sg_train.model import SkipGram
from sg_train.ranks import Ranks
from sg_train.training import checkpoint
from sg_train.training.assembly import Parts
from sg_train.training.board import Board
from sg_train.training.checkpoint import Checkpoints, CorpusState, State, Weights
from sg_train.training.pace import Pace, Wishes
from sg_train.training.progress import Progress
from sg_train.training.run_directory import RunDirectory, to_vectors
from sg_train.training.signals import Signals


class Session:
    """One process's work on a run: block by block, with pauses, to the end."""

    def __init__(
        self,
        run: RunDirectory,
        config: Config,
        parts: Parts,
        ranks: Ranks,
        state: State | None = None,
    ) -> None:
        """Begin, or go on from a state.

        Args:
            run: where results go; of several ranks, the first one alone writes there.
            config: the settings.
            parts: what `assemble` made of them, with the state's weights.
            ranks: those that train together.
            state: where to go on.
        """
        self._run = run
        self._config = config
        self._ranks = ranks
        self._corpus, self._model = parts.corpus, parts.model
        self._schedule, self._engine = parts.schedule, parts.engine
        self._scoring = parts.scoring
        self._start = state.position if state else 0
        self._progress_state = state.progress if state else None
        self._pairs = state.pairs if state else 0
        if self._scoring and state and state.scoring:
            self._scoring.restore(state.scoring)

    def train(self) -> None:
        """Train to the end and leave the results in the run's directory.

        Raises:
            TrainingError: the weights become infinite, or nothing can be learnt.
            OutputError: the results cannot be written.
            Interrupted: a signal said so; the state has been saved.
        """
        evaluation, ranks = self._config.evaluation, self._ranks
        board = None
        if evaluation.tensorboard and ranks.is_first:
            board = Board(self._run.tensorboard_directory)
        with (
            Signals(speaks=ranks.is_first) as signals,
            Progress(
                self._run.metrics_file if ranks.is_first else None,
                self._schedule.words,
                board.add_line if board else None,
                self._progress_state,
                ranks,
            ) as progress,
            Checkpoints(self._run.checkpoints_directory, progress.say) as checkpoints,
        ):
            pace = Pace(
                self._schedule,
                signals,
                position=self._start,
                evaluate_every=self._evaluate_every(),
                save_every=self._config.checkpoint.every_seconds,
                at_once=ranks.size,
                agree=self._agree,
            )
            self._train(pace, progress, checkpoints)
            ranks.first(lambda: self._finish(pace, progress, checkpoints))
        if board:
            board.close(self._run.load_vectors(self._config.export.matrix))

    def _agree(self, wishes: Wishes) -> Wishes:
        """Stop all if one is told to, save when the first one would."""
        ranks = self._ranks
        save = wishes.save and ranks.is_first
        stop, saves = ranks.largest(wishes.stop or 0, int(save))
        return Wishes(stop or None, bool(saves))

    def _evaluate_every(self) -> int | None:
        evaluation = self._config.evaluation
        if not (evaluation.similarity or evaluation.analogies):
            return None
        return self._config.evaluation.every_words or int(self._corpus.block_starts[-1])

    def _train(
        self,
        pace: Pace,
        progress: Progress,
        checkpoints: Checkpoints,
    ) -> None:
        ranks = self._ranks
        while not pace.is_over:
            for result in self._engine.train(pace.places()):
                self._check_finite(result)
                progress.add(result)
                self._pairs += result.pairs
            self._check_learning(pace)
            if (seconds := checkpoints.took()) is not None:
                pace.note_save_took(seconds)
            if pace.is_evaluation_due and ranks.first(lambda: self._score(progress)):
                return
            stop = pace.stop
            if stop is not None or pace.is_save_due:
                ranks.first(lambda: self._save(pace, progress, checkpoints))
                pace.note_save()
            if stop is not None:
                saved = ranks.first(lambda: checkpoints.wait() is not None)
                raise ranks.agreed(self._interrupted(stop, pace, saved=saved))

    def _save(self, pace: Pace, progress: Progress, checkpoints: Checkpoints) -> None:
        weights = _weights(self._model, self._config)
        checkpoints.save(self._state(pace, progress), weights)

    def _interrupted(self, signal: int, pace: Pace, *, saved: bool) -> Interrupted:
        share = pace.position / pace.total
        how = f"saved at {share:.0%}" if saved else "not saved"
        return Interrupted(
            f"interrupted, {how}; sg-train resume {self._run.quoted} goes on", signal
        )

    def _check_finite(self, result: BlockResult) -> None:
        if math.isfinite(result.loss):
            return
        training = self._config.training
        ways = f"training.learning_rate (now {training.learning_rate}) or, with the "
        ways += f"autograd engine, training.batch_size (now {training.batch_size})"
        if self._ranks.size > 1:
            ways = f"distributed.round_words, or raise frequent_rows, or lower {ways}"
        raise self._ranks.agreed(
            TrainingError(
                f"the loss became {result.loss} in epoch {result.place.epoch}, block "
                f"{result.place.block}: lower {ways}"
            )
        )

    def _check_learning(self, pace: Pace) -> None:
        if self._pairs or not pace.has_done_an_epoch:
            return
        raise self._ranks.agreed(
            TrainingError(
                "no sentence has two words after subsampling, so nothing can be "
                "learnt: raise sampling.subsample, lower vocabulary.min_count or "
                "give more text"
            )
        )

    def _score(self, progress: Progress) -> bool:
        """Evaluate, keep the best weights, and say whether training is over."""
        scoring = self._scoring
        assert scoring is not None  # for there are tests
        with progress.pause():
            weights = _weights(self._model, self._config)
            words = self._corpus.vocabulary.words
            vectors = to_vectors(words, weights, self._config.export.matrix)
            progress.add_scores(scoring.score(vectors))
            if scoring.is_best:
                try:
                    checkpoint.save_weights(self._run.best_file, weights)
                except OutputError as error:
                    progress.say(f"the best weights are not kept: {error}")
        return scoring.is_over

    def _state(self, pace: Pace, progress: Progress) -> State:
        corpus = CorpusState(
            path=str(self._corpus.path.absolute()), checksum=self._corpus.checksum
        )
        return State(
            pace.position,
            self._pairs,
            self._config.model_dump(mode="json"),
            corpus,
            progress.state(),
            self._scoring.state() if self._scoring else None,
        )

    def _finish(self, pace: Pace, progress: Progress, checkpoints: Checkpoints) -> None:
        """Leave weights and state, by which the run is done, and export the vectors."""
        run = self._run
        weights: Weights
        if run.best_file.exists() and self._config.evaluation.stop_on is not None:
            weights = checkpoint.load_weights(run.best_file)
        else:
            weights = _weights(self._model, self._config)
        checkpoint.save_weights(run.weights_file, weights)
        with atomic_file(run.state_file) as file:
            file.write(self._state(pace, progress).to_json(weights))
        run.best_file.unlink(missing_ok=True)
        run.export()
        checkpoints.clear()


def _weights(model: SkipGram, config: Config) -> dict[str, NDArray[np.float32]]:
    u, v = (
        embedding.weight.detach().cpu().numpy()
        for embedding in (model.u_embeddings, model.v_embeddings)
    )
    if not (np.isfinite(u).all() and np.isfinite(v).all()):
        raise TrainingError(
            "the weights are no longer finite: lower training.learning_rate "
            f"(now {config.training.learning_rate})"
        )
    return {"u": u, "v": v}
