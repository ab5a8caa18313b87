"""A run, as Python code sees it."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import Matrix
from sg_train.config import Config
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import as_columns, load_metrics
from sg_train.runs.vectors import load_run_vectors
from sg_train.vectors.word_vectors import WordVectors

if TYPE_CHECKING:
    from sg_train.engines.base import EngineSpec
    from sg_train.model.skip_gram import SkipGram
    from sg_train.runs.metrics import OnProgress


class Run:
    """A run in a directory: its settings, metrics and vectors.

    Attributes:
        path: the directory.
    """

    def __init__(self, path: str | Path) -> None:
        """Name a run, which need not exist yet; see `open`."""
        self.path = Path(path)
        self._directory = RunDirectory(self.path)

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Return the run in a directory.

        Raises:
            RunError: there is none.
        """
        return cls(RunDirectory.open(Path(path)).path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def config(self) -> Config:
        """The settings, with the numbers that were chosen for `auto`.

        Raises:
            RunError: they are missing or damaged.
        """
        return self._directory.load_config()

    @property
    def is_done(self) -> bool:
        """Whether training reached its end."""
        return self._directory.is_done()

    @property
    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """The columns of metrics.jsonl, (n,) float64 each, NaN without a value.

        Scores have the names of their tests. pandas.DataFrame(metrics) is a table.

        Raises:
            RunError: they are missing or damaged.
        """
        return as_columns(load_metrics(self._directory.metrics_file))

    @cached_property
    def vectors(self) -> WordVectors:
        """The vectors that the run exports.

        Raises:
            RunError: the run is not done.
        """
        return self.load()

    def load(self, matrix: Matrix | None = None) -> WordVectors:
        """Return the input vectors `u`, the output vectors `v`, or their `sum`.

        Args:
            matrix: which of them; by default what the run exports.

        Raises:
            RunError: the run is not done.
        """
        return load_run_vectors(self._directory, matrix)

    def resume(
        self,
        overrides: Sequence[str] = (),
        *,
        on_progress: "OnProgress | None" = None,
        model: "type[SkipGram] | None" = None,
        engine: "EngineSpec | None" = None,
    ) -> "Run":
        """Continue training; see `training.train.resume`."""
        from sg_train.training import train  # noqa: PLC0415 (imports this module)

        own: dict[str, Any] = {"model": model, "engine": engine}
        return train.resume(self.path, overrides, on_progress=on_progress, **own)

    def extend(
        self, texts: Sequence[str], out: str | Path, *args: Any, **options: Any
    ) -> "Run":
        """Train further on more text, in another run; see `training.extend.extend`."""
        from sg_train.training import extend  # noqa: PLC0415 (imports this module)

        return extend.extend(self.path, texts, out, *args, **options)
