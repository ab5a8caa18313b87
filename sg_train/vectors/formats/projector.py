"""A directory for TensorBoard's embedding projector.

vectors.tsv           D numbers per line
metadata.tsv          one word per line, without a heading; or words and other columns,
                      with one
projector_config.pbtxt  names the two, for `tensorboard --logdir DIRECTORY`
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.system.files import atomic_directory, read_regular
from sg_train.vectors.formats.checks import (
    check_place,
    check_read_back,
    check_words,
)
from sg_train.vectors.formats.word2vec import write_rows

_FILES = ("metadata.tsv", "projector_config.pbtxt", "vectors.tsv")
_WORD = "word"
_CONFIG = """embeddings {
  tensor_name: "vectors"
  tensor_path: "vectors.tsv"
  metadata_path: "metadata.tsv"
}
"""


def is_projector(path: Path) -> bool:
    """Return whether `save_projector` wrote the directory."""
    return all((path / name).is_file() for name in _FILES)


def remove_projector(path: Path) -> None:
    """Remove what `save_projector` wrote, and the directory if it is then empty."""
    if not is_projector(path):
        return
    for name in _FILES:
        (path / name).unlink()
    with contextlib.suppress(OSError):  # it holds other files
        path.rmdir()


def save_projector(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    columns: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """Write the directory, replacing one written earlier.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors.
        path: the directory.
        columns: V texts each, by heading, which the projector shows beside the words.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
        OutputError: it cannot be written, does not read back as written, or `path`
            holds other files.
    """
    check_words(words, matrix)
    check_place(path, _FILES)
    no_words = [""] * len(words)
    with atomic_directory(path) as aside:
        (aside / "projector_config.pbtxt").write_text(_CONFIG, "utf-8")
        metadata = "".join(f"{word}\n" for word in words)
        if columns:
            table = zip(words, *columns.values(), strict=True)
            rows = [(_WORD, *columns), *table]
            metadata = "".join("\t".join(map(_cell, row)) + "\n" for row in rows)
        (aside / "metadata.tsv").write_text(metadata, "utf-8", newline="")
        with (aside / "vectors.tsv").open("w+b") as file:
            last = write_rows(file, no_words, matrix, "\t")
            for row, place in ((0, 0), (-1, last)):
                file.seek(place)
                read = np.array(file.readline().split(), dtype=np.float32)
                check_read_back(path, np.array_equal(read, matrix[row]))


def _cell(text: str) -> str:
    return " ".join(text.split())


def load_projector(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Read a directory that `save_projector` wrote.

    Raises:
        VectorsError: a file is damaged, or the two do not match.
        OSError: a file cannot be read.
    """
    from sg_train.vectors.formats import text_rows  # noqa: PLC0415 (loads pyarrow)

    text = read_regular(path / "metadata.tsv").decode(errors="replace")
    words = text.removesuffix("\n").split("\n")
    if words[0].startswith(f"{_WORD}\t"):
        words = [line.partition("\t")[0] for line in words[1:]]
    file = path / "vectors.tsv"
    matrix = text_rows.number_rows(read_regular(file))
    if matrix is None:
        raise VectorsError(f"{file}: not a table of numbers separated by tabs")
    if len(words) != len(matrix) or len(set(words)) < len(words):
        raise VectorsError(
            f"{path}: {len(set(words))} distinct words in metadata.tsv for "
            f"{len(matrix)} vectors"
        )
    check_words(words, matrix)
    return words, matrix
