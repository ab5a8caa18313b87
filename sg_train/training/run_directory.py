"""What a run leaves on disk.

config.yaml          all settings, itself a config
vocabulary.tsv       word TAB count, by falling count
metrics.jsonl        one JSON object a line, written while the run goes on
weights.safetensors  u and v, (V, D) float32, written when the run is done
vectors.txt          what `export` in the config asks for (or vectors.bin)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from sg_train.config import Config, load_config
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import OutputError, TrainingError, VectorsError
from sg_train.files import atomic_file
from sg_train.vectors.word_vectors import WordVectors

Matrix = Literal["u", "v", "sum"]

_WEIGHTS_FORMAT = "sg-train weights 1"


@dataclass(frozen=True)
class RunDirectory:
    """The files of one run."""

    path: Path

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
    def weights_file(self) -> Path:
        """Both embeddings."""
        return self.path / "weights.safetensors"

    def vectors_file(self, form: str) -> Path:
        """Return where the exported vectors of a format go."""
        return self.path / {"text": "vectors.txt", "binary": "vectors.bin"}[form]

    def check_free(self, *, overwrite: bool) -> None:
        """Refuse a directory that holds a finished run, or anything else.

        Raises:
            OutputError: it is taken and may not be overwritten, or is no run.
        """
        if not self.path.exists():
            return
        if not self.path.is_dir():
            raise OutputError(f"{self.path}: not a directory; choose another --out")
        if not any(self.path.iterdir()):
            return
        if not (self.config_file.is_file() and self.vocabulary_file.is_file()):
            raise OutputError(
                f"{self.path}: holds files that are no run; choose another --out"
            )
        if self.weights_file.exists() and not overwrite:
            raise OutputError(
                f"{self.path}: holds a run already; give --overwrite or another --out"
            )

    def create(self, config: Config, vocabulary: Vocabulary) -> None:
        """Make the directory, without what an earlier run left in it.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for old in (self.weights_file, self.metrics_file):
                old.unlink(missing_ok=True)
            for form in ("text", "binary"):
                self.vectors_file(form).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error
        with atomic_file(self.config_file) as file:
            file.write(config.to_yaml().encode())
        vocabulary.save(self.vocabulary_file)

    def save_weights(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Write u and v, (V, D) float32.

        Raises:
            OutputError: the file cannot be written.
        """
        # safetensors takes the memory of an array as it lies, strides or not.
        tensors = {key: np.ascontiguousarray(value) for key, value in weights.items()}
        with atomic_file(self.weights_file) as file:
            file.write(safetensors.numpy.save(tensors, {"format": _WEIGHTS_FORMAT}))

    def load_config(self) -> Config:
        """Read the run's settings.

        Raises:
            SettingsError: they cannot be read.
        """
        return load_config(self.config_file)

    def load_vectors(self, matrix: Matrix = "u") -> WordVectors:
        """Read the trained vectors: `u`, `v` or their `sum`.

        Raises:
            VectorsError: `path` is no run.
            CorpusError: the vocabulary is damaged.
            TrainingError: the run is not done or its files do not fit together.
        """
        if not self.config_file.is_file():
            raise VectorsError(
                f"{self.path}: neither a run directory nor a vector file"
            )
        if not self.weights_file.is_file():
            raise TrainingError(
                f"{self.path}: has no weights, the run was not finished"
            )
        vocabulary = Vocabulary.load(self.vocabulary_file)
        try:
            with safetensors.safe_open(self.weights_file, framework="numpy") as file:
                version = (file.metadata() or {}).get("format")
                parts = {
                    key: file.get_tensor(key) for key in "uv" if matrix in (key, "sum")
                }
        except (OSError, safetensors.SafetensorError) as error:
            raise TrainingError(f"{self.weights_file}: damaged ({error})") from error
        if version != _WEIGHTS_FORMAT:
            raise TrainingError(
                f"{self.weights_file}: of format {version!r}, this sg-train reads "
                f"{_WEIGHTS_FORMAT!r}"
            )
        shapes = {part.shape for part in parts.values()}
        if {shape[:1] for shape in shapes} != {(len(vocabulary),)} or len(shapes) > 1:
            raise TrainingError(
                f"{self.path}: weights and vocabulary do not fit together"
            )
        matrices = list(parts.values())
        summed: NDArray[np.float32] = matrices[0] if matrix != "sum" else sum(matrices)
        return WordVectors(vocabulary.words, summed)
