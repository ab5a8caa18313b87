"""Vectors as arrays that are mapped into memory: safetensors and npy.

safetensors  `vectors` (V, D) float32, and `words`, their UTF-8 with a line end after
             each, as uint8
npy          NAME.npy, (V, D) float32, and the words in NAME.words.txt, one a line
"""

import json
import tokenize
from pathlib import Path
from typing import BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.files import atomic_file
from sg_train.vectors.checks import check_finite, check_read_back
from sg_train.vectors.rows import Rows

_FORMAT = "sg-train vectors 1"


def save_safetensors(vectors: Rows, path: Path) -> None:
    """Write one safetensors file.

    Raises:
        VectorsError: a word holds a line end, or a vector is not finite.
        OutputError: the file cannot be written, or reads back as something else.
    """
    _check(vectors)
    # safetensors takes the memory of an array as it lies, strides or not.
    matrix = np.ascontiguousarray(vectors.matrix, dtype=np.float32)
    words = np.frombuffer(_lines(vectors), dtype=np.uint8)
    content = safetensors.numpy.save(
        {"vectors": matrix, "words": words}, {"format": _FORMAT}
    )
    with atomic_file(path) as file:
        file.write(content)
        place, size = _place_in_file(file, "vectors"), 4 * vectors.matrix.shape[1]
        for row in (0, len(vectors) - 1):
            file.seek(place + row * size)
            check_read_back(path, file.read(size) == matrix[row].tobytes())


def load_safetensors(path: Path) -> Rows:
    """Map a file that `save_safetensors` wrote into memory.

    Raises:
        VectorsError: the file is damaged or holds something else.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            version = (file.metadata() or {}).get("format")
            if version != _FORMAT:
                raise VectorsError(
                    f"{path}: of format {version!r}, expected {_FORMAT!r}; of a run "
                    "give the directory, not its weights"
                )
            text = file.get_tensor("words").tobytes()
            kind = file.get_slice("vectors")
            shape, dtype = kind.get_shape(), kind.get_dtype()
    except safetensors.SafetensorError as error:
        raise VectorsError(f"{path}: damaged safetensors file ({error})") from error
    if dtype != "F32" or len(shape) != 2:
        raise VectorsError(f"{path}: `vectors` is no matrix of float32")
    with path.open("rb") as raw:
        place = _place_in_file(raw, "vectors")
    matrix = np.memmap(path, np.dtype("<f4"), "r", place, tuple(shape))
    return _complete(path, text, matrix)


def save_npy(vectors: Rows, path: Path) -> None:
    """Write an array file, and the words beside it.

    Raises:
        VectorsError: a word holds a line end, a vector is not finite, or the name
            does not end in .npy.
        OutputError: a file cannot be written, or reads back as something else.
    """
    if path.suffix != ".npy":
        raise VectorsError(f"{path}: the name of an npy file must end in .npy")
    _check(vectors)
    if _words_file(path).exists() and not path.exists():
        raise VectorsError(
            f"{_words_file(path)}: is there already, without {path}; choose another "
            "name"
        )
    with atomic_file(path) as file, atomic_file(_words_file(path)) as words:
        words.write(_lines(vectors))
        np.save(file, np.ascontiguousarray(vectors.matrix, dtype=np.float32))
        file.seek(0)
        read = np.load(file, allow_pickle=False)
        check_read_back(path, np.array_equal(read, vectors.matrix))


def load_npy(path: Path) -> Rows:
    """Map an array file into memory and read its words.

    Raises:
        VectorsError: a file is damaged or missing, or they do not fit together.
    """
    words = _words_file(path)
    try:
        text = words.read_bytes()
    except OSError as error:
        raise VectorsError(
            f"cannot read {words}, the words of {path}, one a line: {error.strerror}"
        ) from error
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError, tokenize.TokenError) as error:
        raise VectorsError(f"{path}: damaged npy file ({error})") from error
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        raise VectorsError(
            f"{path}: {matrix.ndim} dimensions of {matrix.dtype}, expected 2 of "
            "float32; numpy's astype('float32') makes a matrix so"
        )
    return _complete(path, text, matrix)


def _check(vectors: Rows) -> None:
    for word in vectors.words:
        if not word or "\n" in word or "\r" in word:
            raise VectorsError(f"{word!r}: a word must be of one line, and not empty")
    check_finite(vectors)


def _words_file(path: Path) -> Path:
    return path.with_suffix(".words.txt")


def _lines(vectors: Rows) -> bytes:
    return "".join(f"{word}\n" for word in vectors.words).encode()


def _complete(path: Path, text: bytes, matrix: NDArray[np.float32]) -> Rows:
    try:
        words = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise VectorsError(f"{path}: its words are not UTF-8") from error
    if words[-1] == "":
        words.pop()
    if 0 in matrix.shape:
        raise VectorsError(
            f"{path}: {len(matrix)} vectors of {matrix.shape[1]} numbers?"
        )
    if "" in words:
        raise VectorsError(f"{path}: the word of vector {words.index('') + 1} is empty")
    if len(words) != len(matrix):
        raise VectorsError(f"{path}: {len(words)} words for {len(matrix)} vectors")
    last = {word: row for row, word in enumerate(words)}
    if len(last) != len(words):
        twice = next(word for row, word in enumerate(words) if last[word] != row)
        raise VectorsError(f"{path}: {twice!r} stands there twice")
    vectors = Rows(words, matrix)
    check_finite(vectors, f"{path}: ")
    return vectors


def _place_in_file(file: BinaryIO, tensor: str) -> int:
    """Return the byte at which a tensor begins; safetensors itself does not tell."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    return 8 + length + int(header[tensor]["data_offsets"][0])
