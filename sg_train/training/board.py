"""What TensorBoard shows of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sg_train.extras import require
from sg_train.vectors.word_vectors import WordVectors

_WORDS_PROJECTED = 10_000
_SCALARS = ("loss", "learning_rate", "words_per_second")


class Board:
    """Writes event files to a directory, for `tensorboard --logdir`."""

    def __init__(self, directory: Path) -> None:
        """Begin to write.

        Raises:
            MissingLibraryError: TensorBoard is not installed.
        """
        library = require(
            "torch.utils.tensorboard", "tensorboard", "evaluation.tensorboard"
        )
        self._writer = library.SummaryWriter(str(directory))

    def add_line(self, line: Mapping[str, Any]) -> None:
        """Take over a line of metrics.jsonl; the words are the step."""
        values = {key: line.get(key) for key in _SCALARS}
        values |= {f"scores/{test}": s for test, s in line.get("scores", {}).items()}
        for name, value in values.items():
            if value is not None:
                self._writer.add_scalar(name, value, line["words"])
        self._writer.flush()

    def close(self, vectors: WordVectors | None = None) -> None:
        """End, with the most frequent words in the projector if there are vectors."""
        if vectors is not None:
            some = vectors.most_frequent(_WORDS_PROJECTED)
            self._writer.add_embedding(some.matrix, metadata=list(some.words))
        self._writer.close()
