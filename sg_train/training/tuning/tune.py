"""Search for better settings within a given time, and train with the best ones.

The time is divided in two halves. First Optuna's TPE sampler proposes settings; trials
that are worse than half of the earlier ones at the same point, or that would take too
long, are stopped. Then the best few and the settings as given are trained with seeds
that the search has not used, because the best of many single scores owes something to
luck. The winner is trained as an ordinary run.
"""

import hashlib
import json
import logging
import math
import signal
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sg_train.config import Config, Range
from sg_train.errors import Interrupted, OutputError, SettingsError, TrainingError
from sg_train.runs.directory import RunDirectory
from sg_train.system.bars import progress_bar
from sg_train.system.launch import is_launched_with_others
from sg_train.system.optional import require
from sg_train.training.train import train
from sg_train.training.trial import Trial
from sg_train.training.tuning.journal import Journal, Stage, TrialRecord
from sg_train.training.tuning.judges import Judge, make_judge
from sg_train.training.tuning.space import Space, space_of

_LOG = logging.getLogger(__name__)

_PARTS = 4  # of a trial; after each but the last it may be stopped
_SEARCH = 0.5  # of the time; the rest is for the finalists and the winner
_LONGEST = 1 / 15  # of the time, for one trial
_FINALISTS = 3  # besides the settings as given
_SEEDS = 3  # of each finalist, or more if time is left
_MOST_SEEDS = 8
_LEAST_RUNS = 20  # as long as the first trial, that the time must allow


@dataclass(frozen=True)
class Finalist:
    """Settings that were trained with several seeds.

    Attributes:
        settings: those that differ from the config as given.
        seeds: number of seeds.
        score: mean on the half of the questions that settings were chosen by.
        score_spread: standard deviation over the seeds (n - 1).
        unseen: mean on the other half.
        unseen_spread: likewise.
        seconds: mean time of a run.
        is_tied: whether it differs from the best score by less than the larger of the
            two spreads, so that seeds may explain the difference.
        is_chosen: whether the run was trained with it.
    """

    settings: dict[str, Any]
    seeds: int
    score: float
    score_spread: float
    unseen: float
    unseen_spread: float
    seconds: float
    is_tied: bool = False
    is_chosen: bool = False


def tune(
    config: Config,
    out: Path,
    on: Sequence[str],
    minutes: float,
    *,
    overwrite: bool = False,
) -> list[Finalist]:
    """Search for better settings, and leave a run that is trained with the best ones.

    Every trial is a line of the file `out` with the ending `.trials.jsonl`. A search
    that was interrupted, or one that is given more time, continues from there.

    Args:
        config: the settings as given; `tune.space` says what to try.
        out: directory of the run.
        on: what to improve: tests (the mean of several), or `held_out_loss`.
        minutes: for the whole search.
        overwrite: whether to replace an existing run, and trials of another search.

    Returns:
        The finalists, best first.

    Raises:
        SettingsError: the space or the tests are wrong, or the time is too short.
        OutputError: `out` is taken or cannot be written.
        Interrupted: a signal stopped the search; the trials so far are kept.
        SgTrainError: as `train` does.
    """
    require("optuna", "sg-train tune", "tune")
    if is_launched_with_others():
        raise TrainingError("tune: runs in one process only; start it without torchrun")
    if config.sweep.values:
        raise SettingsError("sweep.values: tune trains one run; leave it out")
    judge, config = make_judge(config, on)
    trials_file = out.with_name(f"{out.name}.trials.jsonl")
    run = RunDirectory(out)
    if not trials_file.exists():
        run.check_free(overwrite=overwrite)
    with _one_interruption(trials_file):
        first = Trial(config, out)
        space = space_of(first.config, judge.name)
        digest = _digest(config, space, judge.name, on, first)
        with closing(Journal(trials_file, digest, overwrite=overwrite)) as journal:
            # With numbers for each `auto`, as the trials have them: automatic epochs
            # would change with a rate that the search has found.
            base = first.config
            if not _is_result(run, base, journal):
                run.check_free(overwrite=overwrite)
            search = _Search(base, out, judge, space, journal, 60 * minutes)
            if run.is_done() and search.is_over and not overwrite:
                raise OutputError(
                    f"{out}: already tuned for {minutes:g} minutes; give more "
                    "--minutes to continue, or --overwrite to begin again"
                )
            finalists = search.run()
    best = next(finalist for finalist in finalists if finalist.is_chosen)
    train(base.with_settings(best.settings), out, overwrite=True)
    return finalists


def _is_result(run: RunDirectory, config: Config, journal: Journal) -> bool:
    """Return whether a run is the result of an earlier part of this search."""
    if not run.record_file.is_file():
        return False
    made = run.load_record().config_hash
    return any(
        made == config.with_settings(trial.settings).hash() for trial in journal.trials
    )


class _Search:
    def __init__(
        self,
        config: Config,
        out: Path,
        judge: Judge,
        space: Space,
        journal: Journal,
        seconds: float,
    ) -> None:
        self._config = config
        self._out = out
        self._judge = judge
        self._space = space
        self._journal = journal
        self._seconds = seconds

    def run(self) -> list[Finalist]:
        with progress_bar(
            total=round(self._seconds),
            initial=min(round(self._seconds), round(self._journal.seconds)),
            desc="tuning",
            unit=" s",
        ) as self._bar:
            self._explore()
            return self._decide()

    @property
    def is_over(self) -> bool:
        """Whether the time for the search, without that for the finalists, is spent."""
        searched = self._journal.of_stage("search")
        spent = sum(trial.seconds for trial in searched)
        return spent >= _SEARCH * self._seconds

    # --- the search ------------------------------------------------------------------

    def _explore(self) -> None:
        optuna = require("optuna", "sg-train tune", "tune")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self._config.training.seed),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5),
        )
        distributions = {key: _distribution(of) for key, of in self._space.items()}
        for trial in self._journal.of_stage("search"):
            if trial.settings:
                study.add_trial(_known(trial, distributions))
        if not self._journal.trials:
            self._check_time(self._train("search", {}).seconds)
        while not self.is_over:
            asked = study.ask(distributions)

            def is_hopeless(part: int, score: float, asked: Any = asked) -> bool:
                asked.report(score, part)
                return bool(asked.should_prune())

            settings = {
                key: _rounded(value, self._space[key])
                for key, value in asked.params.items()
            }
            done = self._train("search", settings, is_hopeless)
            if done.state == "done":
                study.tell(asked, done.score)
            else:
                study.tell(asked, state=optuna.trial.TrialState.PRUNED)

    def _check_time(self, seconds: float) -> None:
        """Refuse a search that could try only a few settings."""
        least = math.ceil(10 * _LEAST_RUNS * seconds / 60) / 10
        if self._seconds / 60 < least:
            raise SettingsError(
                f"--minutes {self._seconds / 60:g}: too short, because one run takes "
                f"{seconds:.1f} seconds; give at least {least:g}, or less text"
            )

    def _train(
        self,
        stage: Stage,
        settings: dict[str, Any],
        is_hopeless: Callable[[int, float], bool] = lambda *_: False,
        seed: int | None = None,
    ) -> TrialRecord:
        """Train and judge one model, unless it is stopped; add it to the journal."""
        began = time.monotonic()
        seed = self._config.training.seed if seed is None else seed
        config = self._config.with_settings({**settings, "training.seed": seed})
        trial = Trial(config, self._out)
        by_part: list[float] = []
        unseen, is_stopped = None, False
        try:
            for part in trial.train(_PARTS):
                if stage == "final" and part < _PARTS:
                    continue
                score, unseen = self._judge(trial)
                by_part.append(score)
                self._show()
                so_far = time.monotonic() - began
                too_long = so_far * _PARTS / part > _LONGEST * self._seconds
                if part == _PARTS or not settings:
                    continue
                if (stage == "search" and too_long) or is_hopeless(part, score):
                    is_stopped = True
                    break
        except TrainingError as error:  # a rate at which the weights become infinite
            if not settings:
                raise
            _LOG.debug("%s: %s", settings, error)
            is_stopped = True
            by_part = by_part or [0.0]
        record = TrialRecord(
            stage=stage,
            settings=settings,
            seed=seed,
            state="stopped" if is_stopped else "done",
            by_part=by_part,
            unseen=None if is_stopped else unseen,
            seconds=time.monotonic() - began,
        )
        self._journal.add(record)
        self._show()
        return record

    def _show(self) -> None:
        done = [t for t in self._journal.of_stage("search") if t.state == "done"]
        self._bar.n = min(round(self._journal.seconds), round(self._seconds))
        if done:
            best = max(trial.score for trial in done)
            self._bar.set_postfix_str(
                f"{len(self._journal.trials)} trials, best {best:.4f}, as given "
                f"{done[0].score:.4f}"
            )

    # --- the finalists ---------------------------------------------------------------

    def _decide(self) -> list[Finalist]:
        """Train the best settings with other seeds, while time is left."""
        done = [t for t in self._journal.of_stage("search") if t.state == "done"]
        ranked = sorted(done, key=lambda trial: -trial.score)
        finalists = [trial for trial in done if not trial.settings]
        for trial in [trial for trial in ranked if trial.settings][:_FINALISTS]:
            longest = max(each.seconds for each in [*finalists, trial])  # the winner
            a_round = sum(each.seconds for each in [*finalists, trial])
            left = self._seconds - self._journal.seconds - longest
            if len(finalists) == 1 or _SEEDS * a_round < left:
                finalists.append(trial)
        longest = max(trial.seconds for trial in finalists)
        a_round = sum(trial.seconds for trial in finalists)
        for number in range(1, _MOST_SEEDS + 1):
            seed = self._config.training.seed + number
            left = self._seconds - self._journal.seconds - longest
            if number > _SEEDS and left < a_round:
                break
            for trial in finalists:
                if not self._is_trained(trial.settings, seed):
                    self._train("final", trial.settings, seed=seed)
        return _ranked([self._sum_up(trial.settings) for trial in finalists])

    def _is_trained(self, settings: dict[str, Any], seed: int) -> bool:
        return any(
            (trial.settings, trial.seed) == (settings, seed)
            for trial in self._journal.of_stage("final")
        )

    def _sum_up(self, settings: dict[str, Any]) -> Finalist:
        trials = [t for t in self._journal.of_stage("final") if t.settings == settings]
        scores = [trial.score for trial in trials]
        unseen = [trial.unseen or 0.0 for trial in trials]
        return Finalist(
            settings=settings,
            seeds=len(trials),
            score=statistics.fmean(scores),
            score_spread=statistics.stdev(scores),
            unseen=statistics.fmean(unseen),
            unseen_spread=statistics.stdev(unseen),
            seconds=statistics.fmean(trial.seconds for trial in trials),
        )


def _ranked(finalists: list[Finalist]) -> list[Finalist]:
    """Sort finalists, mark ties with the best, and choose one.

    Of those that are tied, the settings as given are chosen, or else the best.
    """
    best, *others = sorted(finalists, key=lambda finalist: -finalist.score)
    ranked = [best] + [
        replace(
            other,
            is_tied=best.score - other.score
            < max(best.score_spread, other.score_spread),
        )
        for other in others
    ]
    given = [each for each in ranked if not each.settings and each.is_tied]
    chosen = (given or ranked)[0]
    return [replace(each, is_chosen=each is chosen) for each in ranked]


def _distribution(values: Range | list[Any]) -> Any:
    """Return how Optuna draws a setting."""
    draw = require("optuna", "sg-train tune", "tune").distributions
    if isinstance(values, list):
        return draw.CategoricalDistribution(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return draw.IntDistribution(values.low, values.high, log=values.log)
    return draw.FloatDistribution(values.low, values.high, log=values.log)


def _rounded(value: Any, of: Range | list[Any]) -> Any:
    """Return a number with three digits, within its range; a choice as it is.

    >>> _rounded(0.0123456, Range(low=0.01, high=0.1)), _rounded(17, [17])
    (0.0123, 17)
    """
    if isinstance(of, list) or isinstance(value, int):
        return value
    return min(max(float(f"{value:.3g}"), of.low), of.high)


def _known(trial: TrialRecord, distributions: dict[str, Any]) -> Any:
    """Return a trial of the journal for Optuna."""
    optuna = require("optuna", "sg-train tune", "tune")
    is_done = trial.state == "done"
    states = optuna.trial.TrialState
    return optuna.trial.create_trial(
        state=states.COMPLETE if is_done else states.PRUNED,
        value=trial.score if is_done else None,
        params=trial.settings,
        distributions=distributions,
        intermediate_values=dict(enumerate(trial.by_part, start=1)),
    )


def _digest(
    config: Config, space: Space, judge: str, on: Sequence[str], first: Trial
) -> str:
    """Return a digest of everything that decides the results of trials."""
    settings = config.with_settings({"training.threads": None}).hash()
    ranges = {
        key: values.model_dump() if isinstance(values, Range) else values
        for key, values in space.items()
    }
    files = [
        hashlib.sha256(Path(name).read_bytes()).hexdigest()
        for name in on
        if Path(name).is_file()
    ]
    everything = [settings, ranges, judge, files, first.checksum]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:16]


@contextmanager
def _one_interruption(trials_file: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(
            f"interrupted; {trials_file} keeps the trials; continue with the same "
            "command",
            signal.SIGINT,
        ) from error
