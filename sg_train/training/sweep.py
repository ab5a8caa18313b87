"""Many runs from one config: a grid of settings, or a sample of it."""

import itertools
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sg_train.config import Config, SweepConfig
from sg_train.engines.selection import choose_engine
from sg_train.errors import OutputError, SettingsError
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.training.train import resume, train

_MOST_POINTS = 10_000

_PLAIN = re.compile(r"[\w.+-]+")
_UNFIT = re.compile(r"[^\w.+-]+")
_ENDING = re.compile(r"(?<=.)\.[A-Za-z]\w*$")
_NUMBERED = re.compile(r"no\d+-*")
_LONGEST_NAME = 40  # characters


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        out: its run directory.
        config: its settings, without the sweep.
        is_done: whether the run exists and is finished.
    """

    out: Path
    config: Config
    is_done: bool


def train_sweep(
    config: Config,
    out: Path,
    *,
    overwrite: bool = False,
    share: tuple[int, int] = (1, 1),
) -> list[Point]:
    """Train every point that is not done yet, in directories beside `out`.

    Points are ordinary runs, so an interrupted sweep continues where it stopped.

    Args:
        config: the settings, with a sweep.
        out: prefix of the directories' names.
        overwrite: whether existing runs are trained again.
        share: (k, n) trains every n-th point, beginning with the k-th, from 1.

    Returns:
        The points of the share.

    Raises:
        SettingsError: a point's settings are wrong; then nothing has been trained.
        OutputError: a directory is taken by another experiment.
        SgTrainError: as `train` does.
    """
    if "-" in config.corpus.paths:
        raise SettingsError(
            "corpus.paths: a sweep reads its text several times, which standard input "
            "does not allow; run sg-train prepare first and train on its result"
        )
    size = math.prod(len(values) for values in config.sweep.values.values())
    size = min(size, config.sweep.samples or size)
    if size > _MOST_POINTS:
        raise SettingsError(
            f"sweep.values: {size} combinations, but at most {_MOST_POINTS} can be "
            "trained; give fewer values, or set sweep.samples"
        )
    first, step = share
    points = list(_points(config, out, overwrite=overwrite))[first - 1 :: step]
    for point in points:
        if not point.is_done:
            _train_point(point, overwrite=overwrite)
    return points


def _points(config: Config, out: Path, *, overwrite: bool) -> Iterator[Point]:
    seen: set[str] = set()
    no_sweep = {f"sweep.{key}": value for key, value in SweepConfig()}
    for settings in choose(config.sweep):
        where = out.with_name(f"{out.name}-{point_name(settings, config.sweep)}")
        earlier = out.with_name(f"{out.name}-{_earlier_name(settings, config.sweep)}")
        if earlier.is_dir() and not where.exists():
            where = earlier
        of_point = config.with_settings({**settings, **no_sweep})
        choose_engine(of_point)
        if of_point.hash() in seen:
            raise SettingsError(
                f"sweep.values: {where} is the same run as an earlier point; remove "
                "one of them"
            )
        seen.add(of_point.hash())
        run = RunDirectory(where)
        is_done = run.is_done() and not overwrite
        is_begun = is_done or run.record_file.is_file()
        if is_begun and not overwrite and not _is_of(run, of_point):
            raise OutputError(
                f"{where}: holds a run with other settings; give --overwrite or "
                "another --out"
            )
        yield Point(where, of_point, is_done)


def _is_of(run: RunDirectory, config: Config) -> bool:
    """Return whether a run has these settings."""
    if run.load_record().config_hash == config.hash():
        return True
    # A run of an earlier version lacks settings that have been added since.
    return run.load_config().with_absolute_paths() == config.with_absolute_paths()


def _train_point(point: Point, *, overwrite: bool) -> None:
    run = RunDirectory(point.out)
    if checkpoint.has_any(run.checkpoints_directory) and not overwrite:
        resume(point.out)
    else:  # a point that was stopped before its first checkpoint begins again
        is_begun = run.record_file.is_file()
        train(point.config, point.out, overwrite=overwrite or is_begun)


def choose(sweep: SweepConfig) -> Iterator[dict[str, Any]]:
    """Yield the settings of each point: the whole grid, or a sample without repeats.

    >>> list(choose(SweepConfig(values={"training.seed": [1, 2]})))
    [{'training.seed': 1}, {'training.seed': 2}]
    """
    keys = list(sweep.values)
    total = math.prod(len(values) for values in sweep.values.values())
    if sweep.samples is None or sweep.samples >= total:
        for combination in itertools.product(*sweep.values.values()):
            yield dict(zip(keys, combination, strict=True))
        return
    generator, numbers = random.Random(sweep.seed), dict[int, None]()
    while len(numbers) < sweep.samples:  # random.sample() fails if there are too many
        numbers[generator.randrange(total)] = None
    for number in numbers:
        point, rest = {}, number
        for key, values in sweep.values.items():
            rest, index = divmod(rest, len(values))
            point[key] = values[index]
        yield point


def point_name(settings: dict[str, Any], sweep: SweepConfig) -> str:
    """Return a name such as `dimension-50_seed-1`; values that do not fit are numbered.

    >>> sweep = SweepConfig(values={"model.dimension": ["50", "100"]})
    >>> point_name({"model.dimension": "50"}, sweep)
    'dimension-50'
    """
    return "_".join(f"{name}-{value}" for name, value in _fields(settings, sweep))


def _earlier_name(settings: dict[str, Any], sweep: SweepConfig) -> str:
    """Return the name that earlier versions gave to a point."""
    return ",".join(
        f"{name}={value if _is_plain(value) else _number(value, sweep.values[key])}"
        for (name, _), (key, value) in zip(
            _fields(settings, sweep), settings.items(), strict=True
        )
    )


def _fields(settings: dict[str, Any], sweep: SweepConfig) -> list[tuple[str, str]]:
    last_names = [key.rpartition(".")[2] for key in settings]
    fields = []
    for key, value in settings.items():
        short = key.rpartition(".")[2]
        name = key if last_names.count(short) > 1 else short
        fields.append((name, _shown(value, sweep.values[key])))
    return fields


def _shown(value: Any, among: Sequence[Any]) -> str:
    """Return a value as part of a name: as it is, the name of a file, or numbered.

    >>> _shown("texts/1840.txt", ["texts/1840.txt", "texts/1900.txt"])
    '1840'
    """
    plain = [each if _is_plain(each) else _as_name(each) for each in among]
    at = among.index(value)
    is_clear = plain.count(plain[at]) == 1 and len(plain[at]) <= _LONGEST_NAME
    is_name = isinstance(value, str) and plain[at].strip("-.") and is_clear
    if _is_plain(value) or (is_name and not _NUMBERED.fullmatch(plain[at])):
        return plain[at]
    name = _number(value, among)
    while name in among:
        name += "-"
    return name


def _number(value: Any, among: Sequence[Any]) -> str:
    return f"no{among.index(value) + 1}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) and _PLAIN.fullmatch(value) is not None


def _as_name(value: Any) -> str:
    return _UNFIT.sub("-", _ENDING.sub("", str(value).rpartition("/")[2]))


def sweep_of(
    config: Config, grid: Sequence[str] = (), seeds: str | None = None
) -> Config:
    """Return a config with a sweep that is given as text.

    Args:
        config: its own sweep is kept, except for the same settings.
        grid: `section.key=value,value` each.
        seeds: numbers and ranges, such as `1-3,7`, for `training.seed`.

    Raises:
        SettingsError: a text is something else.

    >>> sweep_of(Config(), ["model.dimension=16,32"], "1-2").sweep.values
    {'model.dimension': ['16', '32'], 'training.seed': ['1', '2']}
    """
    values = dict(config.sweep.values)
    for text in grid:
        key, equals, listed = text.partition("=")
        try:
            found = yaml.load(f"[{listed}]", yaml.BaseLoader)  # noqa: S506 (only text)
        except yaml.YAMLError:
            found = []
        if not (equals and found):
            raise SettingsError(
                f"--grid {text}: expected values separated by commas, as in "
                "model.dimension=50,100"
            )
        values[key.strip()] = found
    if seeds is not None:
        if any(text.startswith("training.seed=") for text in grid):
            raise SettingsError("--seeds: cannot be combined with --grid training.seed")
        values["training.seed"] = list(map(str, _numbers(seeds)))
    return config.with_settings({"sweep.values": values}) if values else config


def _numbers(seeds: str) -> list[int]:
    numbers: list[int] = []
    for part in seeds.split(","):
        found = re.fullmatch(r"\s*(\d{1,18})\s*(?:-\s*(\d{1,18})\s*)?", part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not 0 <= last - first < _MOST_POINTS:
            raise SettingsError(
                f"--seeds {seeds}: expected numbers and ranges, as in 1-3 or 1,5,7"
            )
        numbers += range(first, last + 1)
    return list(dict.fromkeys(numbers))
