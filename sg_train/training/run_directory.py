"""What a run leaves on disk.

config.yaml          all settings, itself a config
run.json             what made the run: versions, command, corpus, hash of the config
vocabulary.tsv       word TAB count, by falling count
given.txt            words that started with vectors from elsewhere, one a line
metrics.jsonl        one JSON object a line, written while the run goes on
checkpoints/         what an unfinished run goes on from; see `checkpoint`
weights.safetensors  u and v, (V, D) float32, written when the run is done
best.safetensors     the like with the best score so far, if training stops on a score
tensorboard/         events, if they were asked for
vectors.txt          what `export` in the config asks for (or vectors.bin)
state.json           with it the run is done, and is itself a checkpoint of its end
.lock                held by the process that trains
"""

import fcntl
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sg_train.choices import Matrix, VectorFormat
from sg_train.config import Config
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import OutputError, TrainingError, VectorsError
from sg_train.files import atomic_file
from sg_train.training import checkpoint
from sg_train.vectors.formats import FILES
from sg_train.vectors.word_vectors import WordVectors


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Return the directory of a run that has begun.

        Raises:
            VectorsError: there is none.
        """
        run = cls(path)
        if not run.config_file.is_file():
            raise VectorsError(f"{path}: no run directory (it has no config.yaml)")
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
        """How the run went."""
        return self.path / "metrics.jsonl"

    @property
    def given_file(self) -> Path:
        """The words that started with vectors from elsewhere."""
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
        """What an unfinished run goes on from."""
        return self.path / "checkpoints"

    @property
    def _lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def record_file(self) -> Path:
        """What made the run."""
        return self.path / "run.json"

    @property
    def best_file(self) -> Path:
        """Both embeddings when they had the best score."""
        return self.path / "best.safetensors"

    @property
    def tensorboard_directory(self) -> Path:
        """Events for TensorBoard."""
        return self.path / "tensorboard"

    @property
    def quoted(self) -> str:
        """The path as a shell takes it."""
        return shlex.quote(str(self.path))

    def export(self) -> None:
        """Write the vectors that the run's config asks for.

        Raises:
            OutputError: the file cannot be written.
        """
        export = self.load_config().export
        vectors = self.load_vectors(export.matrix)
        vectors.save(self.vectors_file(export.format), export.format)

    @property
    def is_exported(self) -> bool:
        """Whether those vectors are there."""
        return self.vectors_file(self.load_config().export.format).exists()

    def vectors_file(self, form: VectorFormat) -> Path:
        """Return where the exported vectors of a format go."""
        return self.path / FILES[form]

    def check_free(self, *, overwrite: bool) -> None:
        """Refuse a directory that holds a finished run, or anything else.

        Raises:
            OutputError: it is taken and may not be overwritten, or is no run.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise OutputError(f"{self.path}: not a directory; choose another --out")
        if all(file.name == self._lock_file.name for file in self.path.iterdir()):
            return
        if not (self.config_file.is_file() and self.vocabulary_file.is_file()):
            raise OutputError(
                f"{self.path}: holds files that are no run; choose another --out"
            )
        if overwrite:
            return
        if self.weights_file.exists() or self.is_done():
            raise OutputError(
                f"{self.path}: holds a run already; give --overwrite or another --out"
            )
        if checkpoint.has_any(self.checkpoints_directory):
            raise OutputError(
                f"{self.path}: holds an unfinished run; sg-train resume {self.path} "
                "goes on with it, --overwrite begins anew"
            )

    def check_done(self) -> None:
        """Refuse a run that has no weights yet.

        Raises:
            TrainingError: it has none.
        """
        if not self.weights_file.is_file():
            raise TrainingError(
                f"{self.path}: has no weights, the run was not finished; sg-train "
                f"resume {self.path} goes on with it"
            )

    def is_done(self) -> bool:
        """Whether a finished run is there."""
        return self.state_file.is_file()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training here; the directory is made if need be.

        The lock goes with the process that holds it, however that ends.

        Raises:
            OutputError: another process trains here, or the directory cannot be
                written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = self._lock_file.open("a+")
        except OSError as error:
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
            yield

    def create(
        self, config: Config, vocabulary: Vocabulary, record: Mapping[str, Any]
    ) -> None:
        """Make the directory, without what an earlier run left in it.

        Args:
            config: all settings.
            vocabulary: the words.
            record: what else there is to know of how the run was made.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            files = (self.state_file, self.metrics_file, self.weights_file)
            others = (self.best_file, self.checkpoints_directory, self.given_file)
            names = (*FILES.values(), "vectors.words.txt")
            vectors = [self.path / name for name in names]
            for old in (*files, *others, self.tensorboard_directory, *vectors):
                if old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old)
                old.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        self.save_config(config)
        self.save_record(record)
        vocabulary.save(self.vocabulary_file)

    def save_record(self, record: Mapping[str, Any]) -> None:
        """Write what made the run.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(self.record_file) as file:
            file.write(json.dumps(record, indent=2).encode() + b"\n")

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

    def load_record(self) -> dict[str, Any]:
        """Read what made the run.

        Raises:
            TrainingError: the file is damaged.
        """
        try:
            record = json.loads(self.record_file.read_bytes())
        except OSError as error:
            raise TrainingError(
                f"cannot read {self.record_file}: {error.strerror}"
            ) from error
        except ValueError as error:
            raise TrainingError(f"{self.record_file}: damaged ({error})") from error
        if not isinstance(record, dict):
            raise TrainingError(f"{self.record_file}: damaged")
        return record

    def load_metrics(self) -> list[dict[str, Any]]:
        """Read the lines of metrics.jsonl; one that was being written is left out.

        Raises:
            TrainingError: another line is damaged.
        """
        try:
            lines = self.metrics_file.read_bytes().split(b"\n")
        except OSError as error:
            raise TrainingError(
                f"cannot read {self.metrics_file}: {error.strerror}"
            ) from error
        return [
            self._metrics_line(number, line)
            for number, line in enumerate(lines[:-1], start=1)
        ]

    def _metrics_line(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            values = json.loads(line)
            values["words"], values["seconds"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{self.metrics_file}, line {number}: damaged; remove the line"
            ) from error
        return dict(values)

    def load_vectors(self, matrix: Matrix = "u") -> WordVectors:
        """Read the trained vectors: `u`, `v` or their `sum`.

        Raises:
            CorpusError: the vocabulary is damaged.
            TrainingError: the run is not done or its files do not fit together.
        """
        vectors = to_vectors(*self.load_weights(), matrix)
        if not np.isfinite(vectors.matrix).all():
            raise TrainingError(f"{self.path}: some of its weights are not finite")
        return vectors

    def load_weights(self) -> tuple[Sequence[str], checkpoint.Weights]:
        """Read the words, V of them, and both matrices, `u` and `v`, (V, D) float32.

        Raises:
            CorpusError: the vocabulary is damaged.
            TrainingError: the run is not done or its files do not fit together.
        """
        self.check_done()
        words = Vocabulary.load(self.vocabulary_file).words
        weights = checkpoint.load_weights(self.weights_file)
        if len(words) != len(weights["u"]):
            raise TrainingError(
                f"{self.path}: weights and vocabulary do not fit together"
            )
        return words, weights

    def save_given(self, words: Sequence[str]) -> None:
        """Write the words that started with vectors from elsewhere.

        Raises:
            OutputError: the file cannot be written.
        """
        with atomic_file(self.given_file) as file:
            file.writelines(f"{word}\n".encode() for word in words)

    def load_given(self) -> list[str]:
        """Read the words that started with vectors from elsewhere.

        Raises:
            TrainingError: the file cannot be read.
        """
        try:
            return self.given_file.read_bytes().decode().removesuffix("\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TrainingError(
                f"cannot read {self.given_file}: {reason}; it says which vectors are "
                "frozen, so train the run anew"
            ) from error


def to_vectors(
    words: Sequence[str], weights: checkpoint.Weights, matrix: Matrix
) -> WordVectors:
    """Join words and weights.

    Args:
        words: V of them.
        weights: `u` and `v`, (V, D) float32.
        matrix: which of them, or their sum.
    """
    if matrix == "sum":
        return WordVectors(words, weights["u"] + weights["v"])
    return WordVectors(words, weights[matrix])
