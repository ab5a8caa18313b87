"""What a search improves, in two halves: one to choose by, and one to report."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from sg_train.config import Config
from sg_train.errors import SettingsError, TrainingError
from sg_train.runs.metrics import HELD_OUT_LOSS
from sg_train.training.trial import Trial
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.question_files import AnalogyTest, SimilarityTest, read_test

_HELD_OUT = 0.04  # of the corpus, unless the config holds out some of it


class Scores(NamedTuple):
    """The score on the half that settings are chosen by, and on the unseen half.

    Higher is better.
    """

    chosen_by: float
    unseen: float


class Judge(Protocol):
    """Scores models, always on the same questions."""

    name: str

    def __call__(self, trial: Trial) -> Scores:
        """Return the scores of a model, however far it is trained."""
        ...


class TestJudge:
    """Scores vectors by the mean of tests."""

    def __init__(
        self, tests: Sequence[SimilarityTest | AnalogyTest], restrict: int | None
    ) -> None:
        """Divide the tests into halves."""
        self.name = ", ".join(test.name for test in tests)
        halves = zip(*(test.halves() for test in tests), strict=True)
        self._halves = [
            Evaluation(
                [test for test in half if isinstance(test, SimilarityTest)],
                [test for test in half if isinstance(test, AnalogyTest)],
                restrict,
            )
            for half in halves
        ]

    def __call__(self, trial: Trial) -> Scores:
        """Return the mean of the tests' scores on each half."""
        vectors = trial.vectors
        means = []
        for evaluation in self._halves:
            values = [s.value for s in evaluation(vectors) if s.is_total]
            known = [value for value in values if value is not None]
            if len(known) < len(values):
                raise TrainingError(
                    f"--on {self.name}: too few of its words are in the vocabulary, so "
                    "that half of its questions cannot be scored; give another test"
                )
            means.append(statistics.fmean(known))
        return Scores(*means)


class LossJudge:
    """Scores models by their loss on text that is held out, with its sign changed."""

    name = HELD_OUT_LOSS

    def __call__(self, trial: Trial) -> Scores:
        """Return the negative loss on either half of the text."""
        assert trial.held_out is not None
        return Scores(*(-loss for loss in trial.held_out.by_half(trial.model)))


def make_judge(config: Config, on: Sequence[str]) -> tuple[Judge, Config]:
    """Return the judge that `--on` asks for, and the settings that it needs.

    Args:
        config: the settings, whose tests can be named.
        on: names of tests or files, or `held_out_loss`.

    Raises:
        SettingsError: there is no such test, or the loss is combined with tests.
        VectorsError: a test cannot be read.
    """
    if HELD_OUT_LOSS in on:
        if len(on) > 1:
            raise SettingsError(
                f"--on {HELD_OUT_LOSS}: cannot be combined with tests; give it once"
            )
        if not config.evaluation.held_out:
            config = config.with_settings({"evaluation.held_out": _HELD_OUT})
        return LossJudge(), config
    evaluation = config.evaluation
    named = {
        path.stem: path for path in (*evaluation.similarity, *evaluation.analogies)
    }
    tests = []
    for name in on:
        path = named.get(name, Path(name))
        if name not in named and not path.is_file():
            known = ", ".join([*named, HELD_OUT_LOSS])
            raise SettingsError(
                f"--on {name}: neither a file nor a test of the config ({known})"
            )
        tests.append(read_test(path))
    return TestJudge(tests, evaluation.restrict), config
