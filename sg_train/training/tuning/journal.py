"""The file of a search: one JSON line per trial, from which it can be continued."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sg_train.errors import OutputError, RunError
from sg_train.system.files import atomic_file, open_to_append, read_regular

Stage = Literal["search", "final"]

_FORMAT = "sg-train tune"
_VERSION = 1


class TrialRecord(BaseModel):
    """A trial that has ended.

    Attributes:
        stage: `search`, or `final` for the best settings with other seeds.
        settings: those that differ from the config, by dotted key.
        seed: of its draws.
        state: `done`, or `stopped` early because others were better at that point.
        by_part: the score on the half to choose by, after each part of the training.
        unseen: the score on the other half; None if the trial was stopped.
        seconds: that it took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Stage
    settings: dict[str, Any]
    seed: int
    state: Literal["done", "stopped"]
    by_part: list[float]
    unseen: float | None
    seconds: float

    @property
    def score(self) -> float:
        """The last score on the half to choose by."""
        return self.by_part[-1]


class Journal:
    """Reads and appends the trials of a search."""

    def __init__(self, file: Path, search: str, *, overwrite: bool) -> None:
        """Open a file, or begin one.

        Args:
            file: the file.
            search: digest of what decides the results of trials.
            overwrite: whether a file of another search may be replaced.

        Raises:
            OutputError: the file belongs to another search, or cannot be written.
            RunError: the file is damaged.
        """
        self.trials: list[TrialRecord] = []
        head = {"format": _FORMAT, "version": _VERSION, "search": search}
        if file.exists() and not overwrite:
            self.trials = _read(file, head)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {file}: {error.strerror}") from error
        with atomic_file(file) as out:
            out.write(json.dumps(head).encode() + b"\n")
            out.writelines(_line(trial) for trial in self.trials)
        self._file = open_to_append(file)

    def add(self, trial: TrialRecord) -> None:
        """Append a trial."""
        self.trials.append(trial)
        self._file.write(_line(trial))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def seconds(self) -> float:
        """Seconds that all trials have taken."""
        return sum(trial.seconds for trial in self.trials)

    def of_stage(self, stage: Stage) -> Sequence[TrialRecord]:
        """Return the trials of a stage."""
        return [trial for trial in self.trials if trial.stage == stage]


def _line(trial: TrialRecord) -> bytes:
    return trial.model_dump_json().encode() + b"\n"


def _read(file: Path, head: dict[str, object]) -> list[TrialRecord]:
    try:
        first, *lines = read_regular(file).split(b"\n")[:-1]
        before = json.loads(first)
        if before["format"] != _FORMAT or before["version"] != _VERSION:
            raise OutputError(f"{file}: not trials of this version; give --overwrite")
        if before != head:
            raise OutputError(
                f"{file}: holds trials with other settings, tests or text; give "
                "--overwrite or another --out"
            )
        return [TrialRecord.model_validate_json(line) for line in lines]
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, RecursionError, ValidationError) as error:
        raise RunError(f"{file}: damaged; give --overwrite to begin again") from error
