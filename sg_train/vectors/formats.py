r"""The vector files of word2vec, text and binary.

Both begin with a line `V D`. Text goes on with one `word x1 ... xD` a line; binary with
`word`, a space, D little-endian float32 and a line end for each word. Words are UTF-8
and hold no white space.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.files import atomic_file
from sg_train.vectors.word_vectors import WordVectors

_ROWS_AT_ONCE = 4096
_LONGEST_WORD = 1 << 16  # bytes
_WIDEST = 1 << 20  # dimensions
_OF_NUMBERS = b"0123456789+-.eE"


VectorFormat = Literal["text", "binary"]


def save_vectors(vectors: WordVectors, path: Path, form: VectorFormat) -> None:
    """Write a vector file in the format named `form`.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
        OutputError: the file cannot be written.
    """
    {"text": save_text, "binary": save_binary}[form](vectors, path)


def save_text(vectors: WordVectors, path: Path) -> None:
    """Write word2vec's text format, each float in its shortest exact form.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
        OutputError: the file cannot be written.
    """
    _check(vectors)
    with atomic_file(path) as file:
        file.write(f"{len(vectors)} {vectors.matrix.shape[1]}\n".encode())
        for words, rows in _slices(vectors):
            columns = [pc.cast(pa.array(column), pa.string()) for column in rows.T]
            lines = pc.binary_join_element_wise(pa.array(words), *columns, " ")
            file.write("\n".join(lines.to_pylist()).encode() + b"\n")


def save_binary(vectors: WordVectors, path: Path) -> None:
    """Write word2vec's binary format.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
        OutputError: the file cannot be written.
    """
    _check(vectors)
    with atomic_file(path) as file:
        file.write(f"{len(vectors)} {vectors.matrix.shape[1]}\n".encode())
        for words, rows in _slices(vectors):
            little_endian = rows.astype("<f4", copy=False)
            for word, row in zip(words, little_endian, strict=True):
                file.write(b"%b %b\n" % (word.encode(), row.tobytes()))


def load_vectors(path: Path) -> WordVectors:
    """Read a vector file in either format, told apart by its first row.

    Raises:
        VectorsError: the file cannot be read or is damaged; the message has the line.
    """
    try:
        with path.open("rb") as file:
            rows, dimension = _read_header(file, path)
            if rows * (2 + dimension) > path.stat().st_size:
                raise VectorsError(
                    f"{path}, line 1: says {rows} vectors of {dimension} numbers, for "
                    "which the file is too short"
                )
            if _is_text(file, dimension):
                return _read_text(file, path, rows, dimension)
            return _read_binary(file, path, rows, dimension)
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror}") from error


def _check(vectors: WordVectors) -> None:
    for word in vectors.words:
        if word.split() != [word]:
            raise VectorsError(
                f"{word!r}: a word with white space cannot be written to a vector file"
            )
    if not np.isfinite(vectors.matrix).all():
        row = int(np.argmin(np.isfinite(vectors.matrix).all(axis=1)))
        raise VectorsError(f"the vector of {vectors.words[row]!r} is not finite")


def _slices(
    vectors: WordVectors,
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        part = slice(first, first + _ROWS_AT_ONCE)
        yield list(vectors.words[part]), np.asarray(vectors.matrix[part])


def _read_header(file: BinaryIO, path: Path) -> tuple[int, int]:
    fields = file.readline(64).split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        raise VectorsError(
            f"{path}, line 1: expected the number of vectors and their dimension; is "
            "it a word2vec file?"
        )
    rows, dimension = int(fields[0]), int(fields[1])
    if not (rows and 1 <= dimension <= _WIDEST):
        raise VectorsError(f"{path}, line 1: {rows} vectors of {dimension} numbers?")
    return rows, dimension


def _is_text(file: BinaryIO, dimension: int) -> bool:
    start = file.tell()
    line = file.readline(_LONGEST_WORD + 32 * dimension)
    file.seek(start)
    fields = line.split()[1:]
    if fields and not b"".join(fields).translate(None, _OF_NUMBERS):
        return True
    # A damaged row of text is still text: fields that can be printed.
    try:
        return len(fields) > 1 and line.decode().strip().isprintable()
    except UnicodeDecodeError:
        return False


def _read_text(file: BinaryIO, path: Path, rows: int, dimension: int) -> WordVectors:
    matrix = np.empty((rows, dimension), dtype=np.float32)
    words: list[str] = []
    for number, line in enumerate(file):
        where = f"{path}, line {number + 2}"
        word, _, numbers = line.strip().partition(b" ")
        if number == rows:
            raise VectorsError(f"{where}: more vectors than the {rows} of line 1")
        try:
            row = np.array(numbers.split(), dtype=np.float32)
            words.append(word.decode())
        except ValueError as error:
            raise VectorsError(f"{where}: {error}") from error
        if len(row) != dimension:
            raise VectorsError(f"{where}: {len(row)} numbers, expected {dimension}")
        matrix[number] = row
    return _complete(words, matrix, path)


def _read_binary(file: BinaryIO, path: Path, rows: int, dimension: int) -> WordVectors:
    matrix = np.empty((rows, dimension), dtype=np.float32)
    words: list[str] = []
    for number in range(rows):
        where = f"{path}, vector {number + 1}"
        word = bytearray()
        while (byte := file.read(1)) not in (b" ", b"") and len(word) < _LONGEST_WORD:
            word += byte
        numbers = file.read(4 * dimension)
        if len(numbers) < 4 * dimension:
            raise VectorsError(
                f"{where}: the file ends there, line 1 says {rows} vectors"
            )
        matrix[number] = np.frombuffer(numbers, dtype="<f4")
        try:
            words.append(bytes(word).lstrip(b"\n").decode())
        except UnicodeDecodeError as error:
            raise VectorsError(f"{where}: {error}") from error
    if file.read(2).strip(b"\n"):
        raise VectorsError(f"{path}: goes on after the {rows} vectors of line 1")
    return _complete(words, matrix, path)


def _complete(words: list[str], matrix: NDArray[np.float32], path: Path) -> WordVectors:
    if len(words) != len(matrix):
        raise VectorsError(
            f"{path}: {len(words)} vectors, but line 1 says {len(matrix)}"
        )
    if len(set(words)) != len(words):
        twice, _ = Counter(words).most_common(1)[0]
        raise VectorsError(f"{path}: {twice!r} stands there twice")
    if not np.isfinite(matrix).all():
        row = int(np.argmin(np.isfinite(matrix).all(axis=1)))
        raise VectorsError(f"{path}: the vector of {words[row]!r} is not finite")
    return WordVectors(words, matrix)
