"""Vectors as memory-mapped arrays: safetensors and npy.

safetensors  `vectors`, (V, D) float32, and `words`, the words in UTF-8, each followed
             by a line end, as uint8
npy          NAME.npy, (V, D) float32, and the words in NAME.words.txt, one per line
"""

import json
import logging
import tokenize
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.system.files import atomic_file, read_regular
from sg_train.vectors.formats.checks import check_finite, check_first, check_read_back

_LOG = logging.getLogger(__name__)

_FORMAT = "sg-train vectors 1"


def save_safetensors(
    words: Sequence[str], matrix: NDArray[np.float32], path: Path
) -> None:
    """Write one safetensors file.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    _check(words, matrix)
    # safetensors writes an array's raw memory and ignores its strides.
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    lines = np.frombuffer(_lines(words), dtype=np.uint8)
    content = safetensors.numpy.save(
        {"vectors": matrix, "words": lines}, {"format": _FORMAT}
    )
    with atomic_file(path) as file:
        file.write(content)
        place, size = _place_in_file(file, "vectors"), 4 * matrix.shape[1]
        for row in (0, len(words) - 1):
            file.seek(place + row * size)
            check_read_back(path, file.read(size) == matrix[row].tobytes())


def load_safetensors(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Memory-map a file that `save_safetensors` wrote.

    Raises:
        VectorsError: the file is damaged or has another format.
    """
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            version = (file.metadata() or {}).get("format")
            if version != _FORMAT:
                raise VectorsError(
                    f"{path}: has format {version!r}, expected {_FORMAT!r}; for a run, "
                    "give its directory, not its weights"
                )
            words_kind = file.get_slice("words").get_dtype()
            if words_kind != "U8":
                raise VectorsError(f"{path}: `words` is {words_kind}, expected U8")
            text = file.get_tensor("words").tobytes()
            kind = file.get_slice("vectors")
            shape, dtype = kind.get_shape(), kind.get_dtype()
    except safetensors.SafetensorError as error:
        raise VectorsError(f"{path}: damaged safetensors file ({error})") from error
    if dtype != "F32" or len(shape) != 2:
        raise VectorsError(f"{path}: `vectors` is not a float32 matrix")
    with path.open("rb") as raw:
        place = _place_in_file(raw, "vectors")
    matrix = np.memmap(path, np.dtype("<f4"), "r", place, tuple(shape))
    return _complete(path, text, matrix)


def save_npy(words: Sequence[str], matrix: NDArray[np.float32], path: Path) -> None:
    """Write an array file, with the words in a second file beside it.

    Raises:
        VectorsError: a word is empty or contains a line end, a vector is not finite,
            the name does not end in .npy, or only the file of words exists.
        OutputError: a file cannot be written, or does not read back as written.
    """
    if path.suffix != ".npy":
        raise VectorsError(f"{path}: the name of an npy file must end in .npy")
    _check(words, matrix)
    check_first(words)
    if _words_file(path).exists() and not path.exists():
        raise VectorsError(
            f"{_words_file(path)}: already exists, but {path} does not; choose another "
            "name"
        )
    with atomic_file(path) as file, atomic_file(_words_file(path)) as words_file:
        words_file.write(_lines(words))
        np.save(file, np.ascontiguousarray(matrix, dtype=np.float32))
        file.seek(0)
        read = np.load(file, allow_pickle=False)
        check_read_back(path, np.array_equal(read, matrix))


def load_npy(path: Path) -> tuple[list[str], NDArray[np.float32]]:
    """Memory-map an array file and read its words.

    Raises:
        VectorsError: a file is damaged or missing, or the two do not match.
    """
    file = _words_file(path)
    try:
        text = read_regular(file)
    except OSError as error:
        raise VectorsError(
            f"cannot read {file}, the words of {path}, one per line: {error.strerror}"
        ) from error
    try:
        matrix = np.load(path, mmap_mode="r", allow_pickle=False)
    except (
        *(ValueError, EOFError, SyntaxError, tokenize.TokenError),
        *(OverflowError, MemoryError, TypeError, RecursionError),
    ) as error:
        raise VectorsError(f"{path}: damaged npy file ({error})") from error
    if matrix.ndim != 2 or matrix.dtype != np.float32:
        raise VectorsError(
            f"{path}: {matrix.ndim} dimensions of {matrix.dtype}, expected 2 of "
            "float32; convert a matrix with numpy's astype('float32')"
        )
    return _complete(path, text, matrix, "utf-8-sig")


def _check(words: Sequence[str], matrix: NDArray[np.float32]) -> None:
    for word in words:
        if not word or "\n" in word or "\r" in word:
            raise VectorsError(
                f"{word!r}: a word must not be empty or contain a line end"
            )
    check_finite(words, matrix)


def _words_file(path: Path) -> Path:
    return path.with_suffix(".words.txt")


def _lines(words: Sequence[str]) -> bytes:
    return "".join(f"{word}\n" for word in words).encode()


def _complete(
    path: Path, text: bytes, matrix: NDArray[np.float32], encoding: str = "utf-8"
) -> tuple[list[str], NDArray[np.float32]]:
    try:
        words = text.decode(encoding).replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise VectorsError(f"{path}: its words are not UTF-8") from error
    if words[-1] == "":
        words.pop()
    if 0 in matrix.shape:
        raise VectorsError(
            f"{path}: holds {len(matrix)} vectors of {matrix.shape[1]} numbers, "
            "expected at least 1 of each"
        )
    if "" in words:
        raise VectorsError(f"{path}: the word of vector {words.index('') + 1} is empty")
    if len(words) != len(matrix):
        raise VectorsError(f"{path}: {len(words)} words for {len(matrix)} vectors")
    check_finite(words, matrix, f"{path}: ")
    first: dict[str, int] = {}
    for row, word in enumerate(words):
        first.setdefault(word, row)
    if len(first) < len(words):
        kept = list(first.values())
        row = next(row for row, word in enumerate(words) if first[word] != row)
        _LOG.warning(
            "%s: rows left out because they repeat a word: %d, the first: %r in vector "
            "%d",
            path,
            len(words) - len(first),
            words[row],
            row + 1,
        )
        return list(first), matrix[kept]
    return words, matrix


def _place_in_file(file: BinaryIO, tensor: str) -> int:
    """Return the byte offset of a tensor, which safetensors does not expose."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    return 8 + length + int(header[tensor]["data_offsets"][0])
