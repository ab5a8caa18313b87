"""The directory of a run.

config.yaml          all settings, itself a config
run.json             how the run was made: versions, command, corpus, config hash
vocabulary.tsv       word TAB count, by falling count
given.txt            words that started with vectors from model.init_from, one per line
metrics.jsonl        one JSON object per line, written during training
checkpoints/         the states that an unfinished run resumes from; see `checkpoint`
weights.safetensors  u and v, (V, D) float32, written when the run is done
best.safetensors     u and v with the best score so far, if training stops on a score
tensorboard/         events, if evaluation.tensorboard is set
vectors.txt          the exported vectors (or vectors.bin and so on, by export.format)
state.json           the final state, written last to mark the run as done
.lock                held by the process that trains
"""

import contextlib
import fcntl
import io
import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sg_train.choices import VectorFormat
from sg_train.config import Config
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import OutputError, RunError
from sg_train.runs import checkpoint
from sg_train.runs.checkpoint import Checkpoints
from sg_train.runs.record import RunRecord
from sg_train.system.files import atomic_file, open_to_append, read_regular
from sg_train.vectors.formats import FILES
from sg_train.vectors.formats.projector import remove_projector


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Return the directory of a run that has begun.

        Raises:
            RunError: there is none.
        """
        run = cls(path)
        if not path.exists():
            raise RunError(f"{path}: no such directory; give the directory of a run")
        if not run.config_file.is_file():
            raise RunError(f"{path}: not a run directory (it has no config.yaml)")
        return run

    @property
    def config_file(self) -> Path:
        """All settings of the run."""
        return self.path / "config.yaml"

    @property
    def vocabulary_file(self) -> Path:
        """The words, in the order of the weights' rows."""
        return self.path / "vocabulary.tsv"

    @property
    def metrics_file(self) -> Path:
        """The metrics recorded during training; see `metrics`."""
        return self.path / "metrics.jsonl"

    @property
    def initial_words_file(self) -> Path:
        """The words that started with vectors from `model.init_from`."""
        return self.path / "given.txt"

    @property
    def weights_file(self) -> Path:
        """Both embeddings."""
        return self.path / checkpoint.WEIGHTS_FILE

    @property
    def state_file(self) -> Path:
        """The state at the run's end."""
        return self.path / checkpoint.STATE_FILE

    @property
    def checkpoints_directory(self) -> Path:
        """The checkpoints that an unfinished run resumes from."""
        return self.path / "checkpoints"

    @property
    def _lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def record_file(self) -> Path:
        """How the run was made; see `record`."""
        return self.path / "run.json"

    @property
    def best_file(self) -> Path:
        """Both embeddings as they were at the best score."""
        return self.path / "best.safetensors"

    @property
    def tensorboard_directory(self) -> Path:
        """Events for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def quoted(self) -> str:
        """The path, quoted for a shell."""
        return shlex.quote(str(self.path))

    @property
    def is_exported(self) -> bool:
        """Whether the exported vectors exist."""
        return self.vectors_file(self.load_config().export.format).exists()

    def vectors_file(self, form: VectorFormat) -> Path:
        """Return where the exported vectors of a format go."""
        return self.path / FILES[form]

    def check_free(self, *, overwrite: bool) -> None:
        """Refuse a directory that holds a run, unless the run may be overwritten.

        Raises:
            OutputError: it holds a run, or other files.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise OutputError(f"{self.path}: not a directory; choose another --out")
        if all(file.name == self._lock_file.name for file in self.path.iterdir()):
            return
        if not (self.config_file.is_file() and self.vocabulary_file.is_file()):
            raise OutputError(
                f"{self.path}: holds files that do not belong to a run; choose another "
                "--out"
            )
        if overwrite:
            return
        if self.weights_file.exists() or self.is_done():
            raise OutputError(
                f"{self.path}: already holds a run; give --overwrite or another --out"
            )
        if checkpoint.has_any(self.checkpoints_directory):
            raise OutputError(
                f"{self.path}: holds an unfinished run; continue it with sg-train "
                f"resume {self.quoted}, or start again with --overwrite"
            )
        raise OutputError(
            f"{self.path}: holds a run that was stopped before its first checkpoint; "
            "start again with --overwrite, or give another --out"
        )

    def check_done(self) -> None:
        """Refuse a run that has no weights yet.

        Raises:
            RunError: it has none.
        """
        if not self.weights_file.is_file():
            raise RunError(
                f"{self.path}: unfinished, so it has no vectors yet; continue it with "
                f"sg-train resume {self.quoted}"
            )

    def is_done(self) -> bool:
        """Return whether the run is finished."""
        return self.state_file.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training here; create the directory if necessary.

        The lock is released when the process that holds it exits, however it ends. A
        directory that was made for it and is still empty is removed again.

        Raises:
            OutputError: another process trains here, or the directory cannot be
                written.
        """
        made = [path for path in (self.path, *self.path.parents) if not path.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = io.TextIOWrapper(open_to_append(self._lock_file), write_through=True)
        except OSError as error:
            if self._lock_file.is_symlink():
                raise OutputError(
                    f"{self._lock_file}: a link, which is not followed inside a run; "
                    "remove it"
                ) from error
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise OutputError(
                    f"{self.path}: process {file.read().strip() or 'unknown'} is "
                    "training here; wait for it or choose another --out"
                ) from error
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            try:
                yield
            finally:
                if (
                    made
                    and self.path.is_dir()
                    and [x.name for x in self.path.iterdir()] == [self._lock_file.name]
                ):
                    self._lock_file.unlink()
                    _remove_empty(made)

    def create(self, config: Config, vocabulary: Vocabulary, record: RunRecord) -> None:
        """Create the directory, and remove the files of an earlier run.

        Args:
            config: all settings.
            vocabulary: the words.
            record: how the run was made.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in (*FILES.values(), "vectors.words.txt"):
                _remove_vectors(self.path / name)
            for file in (
                self.state_file,
                self.metrics_file,
                self.weights_file,
                self.best_file,
                self.initial_words_file,
            ):
                file.unlink(missing_ok=True)
            with Checkpoints(self.checkpoints_directory) as checkpoints:
                checkpoints.clear()
            _remove_events(self.tensorboard_directory)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        self.save_config(config)
        record.save(self.record_file)
        vocabulary.save(self.vocabulary_file)

    def save_config(self, config: Config) -> None:
        """Write the run's settings.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(self.config_file) as file:
            file.write(config.to_yaml().encode())

    def load_config(self) -> Config:
        """Read the run's settings.

        Raises:
            SettingsError: they cannot be read.
        """
        return Config.load(self.config_file)

    def load_record(self) -> RunRecord:
        """Read how the run was made.

        Raises:
            RunError: the file is missing or damaged.
        """
        return RunRecord.load(self.record_file)

    def save_initial_words(self, words: Sequence[str]) -> None:
        """Write the words that started with vectors from `model.init_from`.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(self.initial_words_file) as file:
            file.writelines(f"{word}\n".encode() for word in words)

    def load_initial_words(self) -> list[str]:
        """Read the words that started with vectors from `model.init_from`.

        Raises:
            RunError: the file cannot be read.
        """
        file = self.initial_words_file
        try:
            return read_regular(file).decode().removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RunError(
                f"cannot read {file}: {reason}; it lists the words whose vectors are "
                "frozen, so train the run again"
            ) from error


def _remove_vectors(path: Path) -> None:
    """Remove an exported file, or the files of a projector directory."""
    if path.is_dir() and not path.is_symlink():
        remove_projector(path)
    else:
        path.unlink(missing_ok=True)


def _remove_events(directory: Path) -> None:
    """Remove what TensorBoard's writer has written, and leave all other files."""
    if directory.is_symlink() or not directory.is_dir():
        return
    patterns = ("events.out.tfevents.*", "projector_config.pbtxt", "*/*/*.tsv")
    for file in [file for pattern in patterns for file in directory.glob(pattern)]:
        if file.is_file():
            file.unlink()
    below = [*directory.glob("*/*"), *directory.glob("*"), directory]
    for place in below:
        if place.is_dir() and not place.is_symlink():
            with contextlib.suppress(OSError):  # it holds other files
                place.rmdir()


def _remove_empty(directories: Sequence[Path]) -> None:
    """Remove directories, the innermost first, as far as they are empty."""
    for path in directories:
        try:
            path.rmdir()
        except OSError:
            return
