"""The event files of a run for TensorBoard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sg_train.errors import OutputError
from sg_train.runs.metrics import HELD_OUT_LOSS, MetricsLine
from sg_train.system.optional import require
from sg_train.vectors.word_vectors import WordVectors

_WORDS_PROJECTED = 10_000
_SCALARS = ("loss", HELD_OUT_LOSS, "learning_rate", "words_per_second")


class TensorBoardWriter:
    """Writes event files to a directory, for `tensorboard --logdir`."""

    def __init__(self, directory: Path) -> None:
        """Start writing.

        Raises:
            MissingLibraryError: TensorBoard is not installed.
        """
        library = require(
            "torch.utils.tensorboard", "evaluation.tensorboard", "tensorboard"
        )
        self._writer = library.SummaryWriter(str(directory))

    @classmethod
    @contextmanager
    def opened(cls, directory: Path | None) -> Iterator["TensorBoardWriter | None"]:
        """Yield a writer, closed at the end of the block; None without a directory."""
        if directory is None:
            yield None
            return
        if directory.is_symlink():
            raise OutputError(
                f"{directory}: a link, which is not followed inside a run; remove it"
            )
        writer = cls(directory)
        try:
            yield writer
        finally:
            writer.close()

    def add_line(self, line: MetricsLine) -> None:
        """Add a line of metrics.jsonl; its words are the step."""
        values = {key: getattr(line, key) for key in _SCALARS}
        values |= {f"scores/{test}": s for test, s in (line.scores or {}).items()}
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, line.words)
        self._writer.flush()

    def add_vectors(self, vectors: WordVectors) -> None:
        """Show the most frequent words in the projector."""
        some = vectors.most_frequent(_WORDS_PROJECTED)
        self._writer.add_embedding(some.matrix, metadata=list(some.words))

    def close(self) -> None:
        """Write pending events and close the file."""
        self._writer.close()
