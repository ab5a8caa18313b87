"""A run's state on disk, from which it can go on.

A checkpoint is a directory of two files:

weights.safetensors  u and v, (V, D) float32
state.json           format and version; `position`, the blocks done, in the order of
                     the schedule; `pairs`, `progress` and `scoring`, what the run has
                     counted; `config`; `corpus`, its checksum; `parts`, the checksums
                     of u and v; and the checksum of all this
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
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

from sg_train.errors import OutputError, SgTrainError, TrainingError
from sg_train.files import atomic_directory, atomic_file

WEIGHTS_FILE = "weights.safetensors"
WEIGHTS_FORMAT = "sg-train weights 1"
STATE_FILE = "state.json"
_FORMAT = "sg-train checkpoint"
VERSION = 1
_KEPT = 2  # one more than the newest: should that be damaged, the other is there

Weights = Mapping[str, NDArray[np.float32]]


class CorpusState(TypedDict):
    """Which prepared corpus a run trains on: its checksum, and where it lies."""

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
    """What there is to know of a run besides its weights.

    Attributes:
        position: blocks done; they are the first ones of the schedule, each once.
        pairs: trained so far.
        config: all settings, as plain values.
        corpus: what it trains on.
        progress: what it has counted.
        scoring: see `Scoring.state`; None where nothing is scored.
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
    """Read a checkpoint and check every part of it.

    Raises:
        TrainingError: a part is missing or damaged, or of another version.
    """
    content = _read_state(directory / STATE_FILE)
    parts = content.pop("parts", None)
    try:
        state = State(**content)
        checksums = {key: parts[key] for key in "uv"}
    except (ValidationError, TypeError, KeyError) as error:
        raise TrainingError(f"{directory / STATE_FILE}: damaged") from error
    weights = load_weights(directory / WEIGHTS_FILE)
    for key, checksum in checksums.items():
        if _checksum(weights[key]) != checksum:
            raise TrainingError(f"{directory / WEIGHTS_FILE}: damaged ({key} is wrong)")
    return state, weights


def load_weights(file: Path) -> dict[str, NDArray[np.float32]]:
    """Read u and v.

    Raises:
        TrainingError: the file is missing, damaged or of another version.
    """
    try:
        with safetensors.safe_open(file, framework="numpy") as tensors:
            version = (tensors.metadata() or {}).get("format")
            if version != WEIGHTS_FORMAT:
                raise TrainingError(
                    f"{file}: of format {version!r}, this sg-train reads "
                    f"{WEIGHTS_FORMAT!r}"
                )
            weights = {key: tensors.get_tensor(key) for key in "uv"}
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingError(f"{file}: damaged ({error})") from error
    kinds = {(matrix.shape, str(matrix.dtype)) for matrix in weights.values()}
    if len(kinds) > 1 or any(m.ndim != 2 or m.dtype != "f4" for m in weights.values()):
        raise TrainingError(f"{file}: u and v are no matrices of float32, of one size")
    return weights


def save_weights(file: Path, weights: Weights) -> None:
    """Write u and v, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    # safetensors takes the memory of an array as it lies, strides or not.
    tensors = {key: np.ascontiguousarray(value) for key, value in weights.items()}
    with atomic_file(file) as out:
        out.write(safetensors.numpy.save(tensors, {"format": WEIGHTS_FORMAT}))


class Checkpoints:
    """The checkpoints of a run, in a directory of their own, named by blocks done.

    They are written by a thread of their own while training goes on.
    """

    def __init__(self, directory: Path, complain: Callable[[str], None]) -> None:
        """Set up; nothing is written yet.

        Args:
            directory: holds the checkpoints.
            complain: is told when one could not be written. Training goes on, for the
                one before is still there, and the next one may succeed.
        """
        self._directory = directory
        self._complain = complain
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[float] | None = None

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()
        self._writer.shutdown()

    def save(self, state: State, weights: Weights) -> None:
        """Copy weights, and begin to write them and a state."""
        self.wait()
        copies = {key: np.array(value) for key, value in weights.items()}
        self._writing = self._writer.submit(self._write, state, copies)

    def wait(self) -> float | None:
        """Wait until the one being written is safe.

        Returns:
            The seconds that it took, or None if it failed or there is none.
        """
        writing, self._writing = self._writing, None
        if writing is None:
            return None
        try:
            return writing.result()
        except SgTrainError as error:
            self._complain(f"no checkpoint was written: {error}")
            return None

    def took(self) -> float | None:
        """Return the seconds that the one written last took, None while it is at it."""
        return self.wait() if self._writing and self._writing.done() else None

    def newest(
        self,
    ) -> tuple[Path, State, dict[str, NDArray[np.float32]]] | None:
        """Return the newest sound checkpoint; complain of those that are damaged."""
        damaged = []
        for path in reversed(self._all()):
            try:
                state, weights = load(path)
            except TrainingError as error:
                self._complain(f"{error}; looking for an earlier checkpoint")
                damaged.append(path)
                continue
            for other in damaged:  # lest it pass for one of those that are kept
                shutil.rmtree(other, ignore_errors=True)
            return path, state, weights
        return None

    def clear(self) -> None:
        """Remove them all."""
        self.wait()
        for path in self._all():
            shutil.rmtree(path, ignore_errors=True)
        if not self._directory.is_symlink():
            shutil.rmtree(self._directory, ignore_errors=True)

    def _write(self, state: State, weights: Weights) -> float:
        began = time.perf_counter()
        path = self._directory / f"{state.position:09d}"
        try:
            self._directory.mkdir(exist_ok=True)
            for left in self._directory.glob(".*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error
        with atomic_directory(path) as aside:
            save_weights(aside / WEIGHTS_FILE, weights)
            (aside / STATE_FILE).write_bytes(state.to_json(weights))
        try:
            load(path)
        except TrainingError as error:  # the earlier ones stay
            raise OutputError(str(error)) from error
        for old in self._all()[:-_KEPT]:
            shutil.rmtree(old, ignore_errors=True)
        return time.perf_counter() - began

    def _all(self) -> list[Path]:
        if not self._directory.is_dir():
            return []
        return sorted(p for p in self._directory.iterdir() if p.name.isdigit())


def has_any(directory: Path) -> bool:
    """Say whether a directory of checkpoints holds one."""
    return any(path.name.isdigit() for path in directory.glob("*"))


def _read_state(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_bytes())
        if (content["format"], content["version"]) != (_FORMAT, VERSION):
            raise TrainingError(
                f"{file}: {content['format']} {content['version']}, this sg-train "
                f"reads {_FORMAT} {VERSION}"
            )
        if content.pop("checksum") != _checksum_of_json(content):
            raise TrainingError(f"{file}: damaged (its checksum is wrong)")
    except OSError as error:
        raise TrainingError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{file}: damaged ({error!r})") from error
    del content["format"], content["version"]
    return content


def _checksum_of_json(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _checksum(matrix: NDArray[np.float32]) -> str:
    digest = hashlib.sha256(str(matrix.shape).encode())
    digest.update(np.ascontiguousarray(matrix, dtype="<f4").data)
    return digest.hexdigest()[:32]
