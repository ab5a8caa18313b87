"""Side-by-side comparison of runs and vector files."""

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sg_train.errors import SettingsError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import HELD_OUT_LOSS, MetricsLine, load_metrics
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.evaluation import Evaluation
from sg_train.vectors.formats import is_directory_of_vectors
from sg_train.vectors.word_vectors import WordVectors

_SEED = "training.seed"
_NOT_OF_THE_EXPERIMENT = ("checkpoint.", "evaluation.", "export.format", "sweep.")
_OF_SEED = re.compile(r"[-_,. ]*(seed)?[-_=]*$")
_UNFINISHED = " (unfinished)"
_COLUMNS = ("run", "seeds", HELD_OUT_LOSS, "loss", "words_per_second")


@dataclass(frozen=True)
class Figure:
    """A number measured once, or once per seed.

    Attributes:
        mean: mean over the seeds.
        spread: standard deviation over the seeds (n - 1); None for one seed.
        is_close: whether it differs from the best of its column by less than the larger
            of the two spreads, so that seeds may explain the difference.
    """

    mean: float
    spread: float | None = None
    is_close: bool = False

    def __str__(self) -> str:
        """Return the mean, the spread and a mark if it is close to the best."""
        digits = 4 if abs(self.mean) < 1000 else 0
        spread = "" if self.spread is None else f" ± {self.spread:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}{' ≈' if self.is_close else ''}"


@dataclass(frozen=True)
class Entry:
    """A run, several runs that differ only in their seed, or a vector file.

    Attributes:
        name: the path; for several runs, without the seed.
        seeds: number of runs.
        settings: by dotted key; empty for a vector file.
        figures: `loss`, `held_out_loss`, `words_per_second` and the score on each test,
            where known.
    """

    name: str
    seeds: int
    settings: dict[str, Any]
    figures: dict[str, Figure] = field(default_factory=dict)


def compare(
    paths: Sequence[Path], evaluation: Evaluation | None, sort: str | None = None
) -> list[Entry]:
    """Collect the figures of runs and vector files, best first.

    Args:
        paths: run directories and vector files.
        evaluation: the tests to score all of them on; without it, runs keep the last
            scores measured in training.
        sort: name of a figure; by default the first test, or a loss without tests, that
            of text held out if there is one.

    Raises:
        SgTrainError: a path is neither, or no figure is named `sort`.
    """
    for name in evaluation.names if evaluation else ():
        if name in _COLUMNS:
            raise SettingsError(
                f"the test {name} has the name of another column; rename its file"
            )
    once: dict[Path, Path] = {}
    for path in paths:
        once.setdefault(path.absolute(), path)
    entries = _join_seeds([_entry(path, evaluation) for path in once.values()])
    names = figure_names(entries)
    scores = [name for name in names if name not in _COLUMNS]
    if sort is None:
        losses = [name for name in (HELD_OUT_LOSS,) if name in names]
        sort = (scores or losses or names or [""])[0]
    elif sort not in names:
        known = ", ".join(names) or "none"
        raise SettingsError(f"--sort {sort}: no such column; choose one of {known}")
    for name in names:
        entries = _mark_close(entries, name)
    return sorted(entries, key=lambda entry: _order(entry, sort))


def figure_names(entries: Iterable[Entry]) -> list[str]:
    """Return the names of all figures, each once."""
    return list(dict.fromkeys(name for entry in entries for name in entry.figures))


def differing_settings(entries: Sequence[Entry]) -> list[str]:
    """Return the settings in which runs differ, except the seed."""
    runs = [entry.settings for entry in entries if entry.settings]
    keys = dict.fromkeys(key for settings in runs for key in settings)
    return [
        key
        for key in keys
        if key != _SEED and not key.startswith(_NOT_OF_THE_EXPERIMENT)
        if len({repr(settings.get(key)) for settings in runs}) > 1
    ]


def _entry(path: Path, evaluation: Evaluation | None) -> Entry:
    if not path.is_dir() or is_directory_of_vectors(path):
        vectors = WordVectors.load(path)
        return Entry(str(path), 1, {}, _scores(evaluation, vectors))
    run = RunDirectory.open(path)
    config = run.load_config()
    settings = {
        f"{section}.{key}": value
        for section, values in config.model_dump(mode="json").items()
        for key, value in values.items()
    }
    lines = _up_to_the_best(load_metrics(run.metrics_file), config.evaluation.stop_on)
    figures = _measured(lines)
    if not run.is_done():
        return Entry(f"{path}{_UNFINISHED}", 1, settings, figures)
    if evaluation is not None:
        figures = {key: figures[key] for key in figures if key in _COLUMNS}
        figures |= _scores(evaluation, load_run_vectors(run, config.export.matrix))
    return Entry(str(path), 1, settings, figures)


def _measured(lines: list[MetricsLine]) -> dict[str, Figure]:
    """Return the last value of each figure in metrics.jsonl."""
    figures: dict[str, Figure] = {}
    for line in lines:
        values = {"loss": line.loss, HELD_OUT_LOSS: line.held_out_loss}
        values |= line.scores or {}
        if line.seconds > 0:
            values["words_per_second"] = line.words / line.seconds
        figures |= {
            k: Figure(value) for k, value in values.items() if value is not None
        }
    return figures


def _up_to_the_best(lines: list[MetricsLine], stop_on: str | None) -> list[MetricsLine]:
    """Drop the lines after the weights that a run kept."""
    scores = [(line.scores or {}).get(stop_on or "") for line in lines]
    if stop_on == HELD_OUT_LOSS:
        losses = (line.held_out_loss for line in lines)
        scores = [None if loss is None else -loss for loss in losses]
    known = [score for score in scores if score is not None]
    return lines[: scores.index(max(known)) + 1] if known else lines


def _scores(evaluation: Evaluation | None, vectors: Any) -> dict[str, Figure]:
    if evaluation is None:
        return {}
    return {
        score.test: Figure(score.value)
        for score in evaluation(vectors)
        if score.is_total and score.value is not None
    }


def _join_seeds(entries: Sequence[Entry]) -> list[Entry]:
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        key = entry.name
        if entry.settings and not entry.name.endswith(_UNFINISHED):
            of_group = {k: v for k, v in entry.settings.items() if k != _SEED}
            key = repr(sorted(of_group.items()))
        seeds = [other.settings.get(_SEED) for other in groups.get(key, ())]
        if entry.settings.get(_SEED) in seeds:  # not another seed: a separate row
            key = entry.name
        groups.setdefault(key, []).append(entry)
    return [_join(group) for group in groups.values()]


def _join(group: list[Entry]) -> Entry:
    first = group[0]
    if len(group) == 1:
        return first
    figures = {}
    for name in figure_names(group):
        values = [e.figures[name].mean for e in group if name in e.figures]
        spread = statistics.stdev(values) if len(values) > 1 else None
        figures[name] = Figure(statistics.fmean(values), spread)
    name = _without_seed([entry.name for entry in group])
    return replace(first, name=name, seeds=len(group), figures=figures)


def _without_seed(names: Sequence[str]) -> str:
    """Return what is common to names of runs that differ in their seed.

    >>> _without_seed(["runs/d-50_seed-1_x", "runs/d-50_seed-12_x"])
    'runs/d-50_x'
    """
    parts = [re.split(r"(\d+)", name) for name in names]
    if len(set(map(len, parts))) > 1:
        return names[0]
    differing = [
        at for at, part in enumerate(zip(*parts, strict=True)) if len({*part}) > 1
    ]
    if len(differing) != 1 or not parts[0][differing[0]].isdigit():
        return names[0]
    (at,) = differing
    before, after = "".join(parts[0][:at]), "".join(parts[0][at + 1 :])
    name = _OF_SEED.sub("", before) + after
    return names[0] if name in ("", after) or name.endswith("/") else name


def _is_better_low(name: str) -> bool:
    return name in ("loss", HELD_OUT_LOSS)


def _order(entry: Entry, name: str) -> tuple[bool, float]:
    figure = entry.figures.get(name)
    if figure is None:
        return True, 0.0
    return False, figure.mean if _is_better_low(name) else -figure.mean


def _mark_close(entries: list[Entry], name: str) -> list[Entry]:
    with_figure = [entry for entry in entries if name in entry.figures]
    best = min(with_figure, key=lambda entry: _order(entry, name))
    marked = []
    for entry in entries:
        figure, top = entry.figures.get(name), best.figures[name]
        if figure is not None and entry is not best:
            spread = max(figure.spread or 0.0, top.spread or 0.0)
            is_close = abs(figure.mean - top.mean) < spread
            figures = {**entry.figures, name: replace(figure, is_close=is_close)}
            entry = replace(entry, figures=figures)  # noqa: PLW2901
        marked.append(entry)
    return marked
