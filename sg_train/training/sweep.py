"""Many runs from one config: a grid of settings, or a sample of it."""

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sg_train.config import Config, SweepConfig
from sg_train.errors import OutputError, SettingsError
from sg_train.training import checkpoint
from sg_train.training.assembly import check_engine
from sg_train.training.run import resume, train
from sg_train.training.run_directory import RunDirectory

_PLAIN = re.compile(r"[\w.,+-]+")


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        out: its run directory.
        config: its settings, without the sweep.
        is_done: whether the run is there and finished.
    """

    out: Path
    config: Config
    is_done: bool


def train_sweep(
    config: Config,
    out: Path,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> list[Point]:
    """Train every point that is not done yet, in directories beside `out`.

    Points are runs like any other, so a sweep that was interrupted goes on where it
    stopped.

    Args:
        config: the settings, with a sweep.
        out: what the directories' names begin with.
        overwrite: whether runs that are there are trained anew.
        say: is told where a run goes on.

    Raises:
        SettingsError: a point's settings are wrong; nothing has been trained then.
        OutputError: a directory is taken by another experiment.
        SgTrainError: whatever keeps a run from being trained.
    """
    if "-" in config.corpus.paths:
        raise SettingsError(
            "corpus.paths: a sweep reads its text more than once, which standard input "
            "does not allow; sg-train prepare it first"
        )
    points = list(_points(config, out, overwrite=overwrite))
    for point in points:
        if not point.is_done:
            _train_point(point, say, overwrite=overwrite)
    return points


def _points(config: Config, out: Path, *, overwrite: bool) -> Iterator[Point]:
    seen: set[str] = set()
    no_sweep = {f"sweep.{key}": value for key, value in SweepConfig()}
    for settings in choose(config.sweep):
        where = out.with_name(f"{out.name}-{point_name(settings, config.sweep)}")
        of_point = config.with_settings({**settings, **no_sweep})
        check_engine(of_point)
        if of_point.hash() in seen:
            raise SettingsError(f"sweep.values: {where} would be the same run twice")
        seen.add(of_point.hash())
        run = RunDirectory(where)
        is_done = run.is_done() and not overwrite
        is_begun = is_done or checkpoint.has_any(run.checkpoints_directory)
        if (
            is_begun
            and not overwrite
            and run.load_record().get("config_hash") != of_point.hash()
        ):
            raise OutputError(
                f"{where}: holds a run with other settings; give --overwrite or "
                "another --out"
            )
        yield Point(where, of_point, is_done)


def _train_point(point: Point, say: Callable[[str], None], *, overwrite: bool) -> None:
    run = RunDirectory(point.out)
    if checkpoint.has_any(run.checkpoints_directory) and not overwrite:
        resume(point.out, (), say)
    else:
        train(point.config, point.out, overwrite=overwrite)


def choose(sweep: SweepConfig) -> Iterator[dict[str, Any]]:
    """Yield the settings of each point: the whole grid, or a sample without repeats."""
    keys = list(sweep.values)
    total = math.prod(len(values) for values in sweep.values.values())
    if sweep.samples is None or sweep.samples >= total:
        for combination in itertools.product(*sweep.values.values()):
            yield dict(zip(keys, combination, strict=True))
        return
    generator, numbers = random.Random(sweep.seed), dict[int, None]()
    while len(numbers) < sweep.samples:  # not sample(), for which there may be too many
        numbers[generator.randrange(total)] = None
    for number in numbers:
        point, rest = {}, number
        for key, values in sweep.values.items():
            rest, place = divmod(rest, len(values))
            point[key] = values[place]
        yield point


def point_name(settings: dict[str, Any], sweep: SweepConfig) -> str:
    """Return `dimension=50,seed=1`; values that make no file name go by number."""
    last_parts = [key.rpartition(".")[2] for key in settings]
    parts = []
    for key, value in settings.items():
        short = key.rpartition(".")[2]
        name = key if last_parts.count(short) > 1 else short
        is_plain = isinstance(value, str) and _PLAIN.fullmatch(value)
        shown = value if is_plain else f"no{sweep.values[key].index(value) + 1}"
        parts.append(f"{name}={shown}")
    return ",".join(parts)
