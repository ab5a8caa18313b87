"""A run's state on disk, from which it resumes.

A checkpoint is a directory of two files:

weights.safetensors  u and v, (V, D) float32
state.json           format and version; `position`, the number of blocks done, in the
                     order of the schedule; `pairs`, `progress` and `scoring`, the
                     run's counters; `config`; `corpus`, its path and checksum;
                     `parts`, the checksums of u and v; and the checksum of all these
"""

import contextlib
import hashlib
import json
import logging
import re
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray
from pydantic import ConfigDict, NonNegativeFloat, NonNegativeInt, ValidationError
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from sg_train.errors import OutputError, RunError, SgTrainError
from sg_train.system.files import (
    atomic_directory,
    atomic_file,
    check_regular,
    read_regular,
    remove_leftovers,
)

_LOG = logging.getLogger(__name__)

WEIGHTS_FILE = "weights.safetensors"
WEIGHTS_FORMAT = "sg-train weights 1"
STATE_FILE = "state.json"
_FORMAT = "sg-train checkpoint"
VERSION = 1
_HEAD_BYTES = 512  # of a file, which contain its mark
_KEPT = 2  # if the newest is damaged, the previous one remains

Weights = Mapping[str, NDArray[np.float32]]


class CorpusState(TypedDict):
    """The prepared corpus that a run trains on: its path and its checksum."""

    path: str
    checksum: str


class ProgressState(TypedDict):
    """See `Progress.state`."""

    words: NonNegativeInt
    seconds: NonNegativeFloat
    epoch: NonNegativeInt
    lines: NonNegativeInt
    line_words: NonNegativeInt
    line_pairs: NonNegativeInt
    line_loss: float


@dataclass(frozen=True, config=ConfigDict(strict=True, extra="forbid"))
class State:
    """Everything about a run except its weights.

    Attributes:
        position: number of blocks done, in the order of the schedule.
        pairs: number of pairs trained.
        config: all settings, as plain values.
        corpus: the prepared corpus that it trains on.
        progress: its counters.
        scoring: see `EarlyStopping.state`; None if nothing is scored.
    """

    position: NonNegativeInt
    pairs: NonNegativeInt
    config: dict[str, Any]
    corpus: CorpusState
    progress: ProgressState
    scoring: dict[str, Any] | None

    def to_json(self, weights: Weights) -> bytes:
        """Return the content of state.json for a state and its weights."""
        content = {
            "format": _FORMAT,
            "version": VERSION,
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "parts": {key: _checksum(weights[key]) for key in "uv"},
        }
        content["checksum"] = _checksum_of_json(content)
        return json.dumps(content, indent=2).encode() + b"\n"


def load(directory: Path) -> tuple[State, dict[str, NDArray[np.float32]]]:
    """Read a checkpoint and check each of its files.

    Raises:
        RunError: a file is missing or damaged, or of another version.
    """
    content = _read_state(directory / STATE_FILE)
    parts = content.pop("parts", None)
    try:
        state = State(**content)
        checksums = {key: parts[key] for key in "uv"}
    except (ValidationError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{directory / STATE_FILE}: damaged") from error
    weights = load_weights(directory / WEIGHTS_FILE)
    for key, checksum in checksums.items():
        if _checksum(weights[key]) != checksum:
            raise RunError(f"{directory / WEIGHTS_FILE}: damaged ({key} is wrong)")
    return state, weights


def load_weights(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read u and v; u may have more rows, those of the buckets of n-grams.

    Raises:
        RunError: the file is missing, damaged or of another version.
    """
    try:
        check_regular(file)
        with safetensors.safe_open(file, framework="numpy") as tensors:
            version = (tensors.metadata() or {}).get("format")
            if version != WEIGHTS_FORMAT:
                raise RunError(
                    f"{file}: has format {version!r}, but this sg-train reads "
                    f"{WEIGHTS_FORMAT!r}; use the version that wrote it"
                )
            weights = {key: tensors.get_tensor(key) for key in "uv"}
    except (OSError, safetensors.SafetensorError) as error:
        raise RunError(f"{file}: damaged ({error})") from error
    u, v = weights["u"], weights["v"]
    if (
        any(matrix.ndim != 2 or matrix.dtype != "f4" for matrix in (u, v))
        or u.shape[1] != v.shape[1]
        or len(u) < len(v)
    ):
        raise RunError(
            f"{file}: u and v must be float32 matrices of the same width, u with at "
            "least the rows of v"
        )
    return weights


def save_weights(file: Path, weights: Weights) -> None:
    """Write u and v, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    # safetensors copies the memory of an array as it is and ignores strides.
    tensors = {key: np.ascontiguousarray(value) for key, value in weights.items()}
    with atomic_file(file) as out:
        out.write(safetensors.numpy.save(tensors, {"format": WEIGHTS_FORMAT}))


class Checkpoints:
    """The checkpoints of a run, in one directory, named by the number of blocks done.

    A background thread writes them while training continues. If one cannot be written,
    that is logged; the previous one remains, and the next may succeed.
    """

    def __init__(self, directory: Path) -> None:
        """Set up; nothing is written yet.

        Args:
            directory: holds the checkpoints.
        """
        self._directory = directory
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[float] | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._writer.shutdown()

    def save(self, state: State, weights: Weights) -> None:
        """Copy the weights, and start writing them and the state."""
        self.wait()
        copies = {key: np.array(value) for key, value in weights.items()}
        self._writing = self._writer.submit(self._write, state, copies)

    def wait(self) -> float | None:
        """Wait until the checkpoint being written is on disk.

        Returns:
            The seconds that it took, or None if it failed or none is being written.
        """
        writing, self._writing = self._writing, None
        if writing is None:
            return None
        try:
            return writing.result()
        except SgTrainError as error:
            _LOG.warning("no checkpoint was written: %s", error)
            return None

    def took(self) -> float | None:
        """Return the seconds that the last one took; None while it is being written."""
        return self.wait() if self._writing and self._writing.done() else None

    @property
    def is_writing(self) -> bool:
        """Whether one is being written, or its time has not been asked for."""
        return self._writing is not None

    def newest(
        self,
    ) -> tuple[Path, State, dict[str, NDArray[np.float32]]] | None:
        """Return the newest sound checkpoint; log those that are damaged."""
        damaged = []
        for path in reversed(self._all()):
            try:
                state, weights = load(path)
            except RunError as error:
                _LOG.warning("%s; looking for an earlier checkpoint", error)
                damaged.append(path)
                continue
            for other in damaged:  # else they would count among those that are kept
                _remove(other)
            return path, state, weights
        return None

    def clear(self) -> None:
        """Remove all checkpoints, and their directory if nothing else is in it."""
        self.wait()
        for path in self._all():
            _remove(path)
        with contextlib.suppress(OSError):
            remove_leftovers(self._directory)
            _remove_emptied(self._directory)
            if not self._directory.is_symlink():
                self._directory.rmdir()

    def _write(self, state: State, weights: Weights) -> float:
        began = time.perf_counter()
        path = self._directory / f"{state.position:09d}"
        try:
            self._directory.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        with atomic_directory(path) as aside:
            save_weights(aside / WEIGHTS_FILE, weights)
            (aside / STATE_FILE).write_bytes(state.to_json(weights))
        try:
            load(path)
        except RunError as error:  # the earlier ones stay
            raise OutputError(str(error)) from error
        for old in self._all()[:-_KEPT]:
            _remove(old)
        return time.perf_counter() - began

    def _all(self) -> list[Path]:
        return checkpoints_in(self._directory)


def checkpoints_in(directory: Path) -> list[Path]:
    """Return the checkpoints in a directory, the oldest first.

    Only what bears the mark of a checkpoint counts, however damaged; whatever else is
    in the directory is left alone.
    """
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if _is_checkpoint(path))


def has_any(directory: Path) -> bool:
    """Return whether a directory holds a checkpoint.

    >>> has_any(Path("data"))
    False
    """
    return bool(checkpoints_in(directory))


def _is_checkpoint(path: Path) -> bool:
    if not re.fullmatch("[0-9]+", path.name) or path.is_symlink() or not path.is_dir():
        return False
    marks = {STATE_FILE: _FORMAT, WEIGHTS_FILE: WEIGHTS_FORMAT}
    return any(_begins_with(path / name, mark) for name, mark in marks.items())


def _begins_with(file: Path, mark: str) -> bool:
    try:
        check_regular(file)
        with file.open("rb") as content:
            return mark.encode() in content.read(_HEAD_BYTES)
    except OSError:
        return False


def _remove(path: Path) -> None:
    """Remove a checkpoint, but not what others have put into it."""
    with contextlib.suppress(OSError):
        for name in (STATE_FILE, WEIGHTS_FILE):
            (path / name).unlink(missing_ok=True)
        path.rmdir()


def _remove_emptied(directory: Path) -> None:
    """Remove the directories of checkpoints whose removal was killed at the end."""
    for path in directory.iterdir():
        if re.fullmatch("[0-9]{9,}", path.name):
            with contextlib.suppress(OSError):  # a file, a link, or not empty
                path.rmdir()


def _read_state(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(read_regular(file))
        if (content["format"], content["version"]) != (_FORMAT, VERSION):
            raise RunError(
                f"{file}: has format {content['format']} {content['version']}, but "
                f"this sg-train reads {_FORMAT} {VERSION}; use the version that wrote "
                "it"
            )
        if content.pop("checksum") != _checksum_of_json(content):
            raise RunError(f"{file}: damaged (its checksum is wrong)")
    except OSError as error:
        raise RunError(f"cannot read {file}: {error.strerror}") from error
    except (
        *(ValueError, KeyError, TypeError, AttributeError),
        *(RecursionError, OverflowError),
    ) as error:
        raise RunError(f"{file}: damaged ({type(error).__name__})") from error
    del content["format"], content["version"]
    return content


def _checksum_of_json(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _checksum(matrix: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(str(matrix.shape).encode())
    digest.update(np.ascontiguousarray(matrix, dtype="<f4").data)
    return digest.hexdigest()[:32]
