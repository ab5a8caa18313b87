"""The metrics of a run: the lines of metrics.jsonl."""

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from sg_train.errors import RunError
from sg_train.system.files import read_regular

HELD_OUT_LOSS = "held_out_loss"  # in tables, and for `evaluation.stop_on`


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="ignore"))
class MetricsLine:
    """A part of the run, or an evaluation, which has `scores` and no `loss`.

    Attributes:
        words: trained since the run began, up to the end of the part.
        seconds: likewise, without the time for evaluations.
        epoch: of the part's last block, from 0.
        loss: mean over the part's pairs; None if it has none.
        learning_rate: at the part's last word.
        words_per_second: over the part, or over the last second if that is longer.
        exchange_seconds: spent exchanging by the first of several ranks since it began.
        exchange_bytes: sent by that rank, likewise.
        scores: by test; None if nothing could be scored.
        held_out_loss: mean over the pairs of the text that is held out.
    """

    words: int
    seconds: float
    epoch: int = 0
    loss: float | None = None
    learning_rate: float | None = None
    words_per_second: float | None = None
    exchange_seconds: float | None = None
    exchange_bytes: int | None = None
    scores: dict[str, float | None] | None = None
    held_out_loss: float | None = None

    def values(self) -> dict[str, Any]:
        """Return the values of a line of metrics.jsonl, by name."""
        always = ("loss",) if self.scores is None else ("scores",)
        return {
            field.name: value
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None or field.name in always
        }

    def to_json(self) -> bytes:
        """Return the line, including its newline.

        >>> MetricsLine(10, 0.5, loss=2.0).to_json().decode().strip()
        '{"words": 10, "seconds": 0.5, "epoch": 0, "loss": 2.0}'
        """
        return json.dumps(self.values()).encode() + b"\n"


# Called with the values of a line; returns True to stop.
OnProgress = Callable[[dict[str, Any]], bool | None]

_ADAPTER = TypeAdapter(MetricsLine)


def load_metrics(file: Path) -> list[MetricsLine]:
    """Read the lines of a metrics file, except one that is still being written.

    Raises:
        RunError: the file cannot be read, or another line is damaged.
    """
    try:
        lines = read_regular(file).split(b"\n")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from error
    return [
        _load_line(line, f"{file}, line {number}")
        for number, line in enumerate(lines[:-1], start=1)
    ]


def _load_line(line: bytes, where: str) -> MetricsLine:
    try:
        return _ADAPTER.validate_json(line)
    except (ValidationError, ValueError, RecursionError) as error:
        raise RunError(f"{where}: damaged; remove the line") from error


def trained_lines(lines: Sequence[MetricsLine]) -> list[MetricsLine]:
    """Return the lines that have a loss."""
    return [line for line in lines if line.loss is not None]


def as_columns(lines: Sequence[MetricsLine]) -> dict[str, NDArray[np.float64]]:
    """Return lines as columns of numbers, (n,) float64 each, NaN where there is none.

    Scores have the names of their tests.

    >>> columns = as_columns([MetricsLine(5, 0.5, loss=2.0), MetricsLine(9, 0.7)])
    >>> columns["loss"]
    array([ 2., nan])
    """
    rows = [{**(line.scores or {}), **line.values()} for line in lines]
    names = dict.fromkeys(name for row in rows for name in row if name != "scores")
    return {
        name: np.array([row.get(name) for row in rows], dtype=np.float64)
        for name in names
    }
