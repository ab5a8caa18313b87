"""A directory for TensorBoard's embedding projector.

vectors.tsv           D numbers a line
metadata.tsv          a word a line, without a heading, as for one column
projector_config.pbtxt  names the two, for `tensorboard --logdir DIRECTORY`
"""

from pathlib import Path

import numpy as np

from sg_train.errors import OutputError
from sg_train.files import atomic_directory
from sg_train.vectors.checks import check_read_back, check_words
from sg_train.vectors.rows import Rows
from sg_train.vectors.word2vec_formats import write_rows

_FILES = ("metadata.tsv", "projector_config.pbtxt", "vectors.tsv")
_CONFIG = """embeddings {
  tensor_name: "vectors"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def is_projector(path: Path) -> bool:
    """Say whether a directory is one that `save_projector` wrote."""
    return all((path / name).is_file() for name in _FILES)


def save_projector(vectors: Rows, path: Path) -> None:
    """Write the directory, in place of one that was written before.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
        OutputError: it cannot be written, reads back as something else, or `path` holds
            other files.
    """
    check_words(vectors)
    if (path.exists() and not path.is_dir()) or path.parent.is_file():
        raise OutputError(f"{path}: not a directory, which the projector needs")
    if path.is_dir() and not {file.name for file in path.iterdir()} <= {*_FILES}:
        raise OutputError(f"{path}: holds other files; choose another directory")
    numbers = Rows([""] * len(vectors), vectors.matrix)
    with atomic_directory(path) as aside:
        (aside / "projector_config.pbtxt").write_text(_CONFIG, "utf-8")
        words = "".join(f"{word}\n" for word in vectors.words)
        (aside / "metadata.tsv").write_text(words, "utf-8", newline="")
        with (aside / "vectors.tsv").open("w+b") as file:
            last = write_rows(file, numbers, "\t")
            for row, place in ((0, 0), (-1, last)):
                file.seek(place)
                read = np.array(file.readline().split(), dtype=np.float32)
                check_read_back(path, np.array_equal(read, vectors.matrix[row]))
