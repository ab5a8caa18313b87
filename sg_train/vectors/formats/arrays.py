"""Vectors as memory-mapped arrays: safetensors and npy.

safetensors  `vectors`, (V, D), and `words`, the words in UTF-8, each followed by a line
             end, as uint8
npy          NAME.npy, (V, D), and the words in NAME.words.txt, one per line

Numbers are float32, float16 or int8. With int8, each vector has a scale (see `compact`)
in the tensor `scales`, or in NAME.scales.npy. Only float32 is mapped and not copied.
"""

import json
import tokenize
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from sg_train.choices import NumberType
from sg_train.errors import VectorsError
from sg_train.system.files import atomic_file, read_regular
from sg_train.vectors.formats.checks import (
    check_finite,
    check_first,
    check_lines,
    check_read_back,
    first_rows,
)
from sg_train.vectors.formats.compact import Compact, compacted, expanded

_FORMAT = "sg-train vectors 1"
_TYPES = ("F32", "F16", "I8")


def save_safetensors(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    dtype: NumberType = "float32",
) -> None:
    """Write one safetensors file, with numbers of the given type.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_lines(words, matrix)
    numbers, scales = compacted(words, matrix, dtype)
    lines = np.frombuffer(_lines(words), dtype=np.uint8)
    tensors = {"vectors": numbers, "words": lines}
    if scales is not None:
        tensors["scales"] = scales
    content = safetensors.numpy.save(tensors, {"format": _FORMAT})
    with atomic_file(path) as file:
        file.write(content)
        place, size = _place_in_file(file, "vectors"), numbers[0].nbytes
        for row in (0, len(words) - 1):
            file.seek(place + row * size)
            check_read_back(path, file.read(size) == numbers[row].tobytes())


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
            if dtype not in _TYPES or len(shape) != 2:
                raise VectorsError(
                    f"{path}: `vectors` is {dtype} with {len(shape)} dimensions, "
                    f"expected a matrix of {', '.join(_TYPES)}"
                )
            compact = None
            if dtype != "F32":
                scales = file.get_tensor("scales") if dtype == "I8" else None
                compact = Compact(
                    file.get_tensor("vectors"), _checked(scales, path, shape)
                )
    except safetensors.SafetensorError as error:
        raise VectorsError(f"{path}: damaged safetensors file ({error})") from error
    if compact is not None:
        return _complete(path, text, expanded(compact))
    with path.open("rb") as raw:
        place = _place_in_file(raw, "vectors")
    matrix = np.memmap(path, np.dtype("<f4"), "r", place, tuple(shape))
    return _complete(path, text, matrix)


def _checked(
    scales: NDArray[np.float32] | None, path: Path, shape: Sequence[int]
) -> NDArray[np.float32] | None:
    """Check that there is one scale for each vector of int8."""
    if scales is None or (scales.dtype == np.float32 and scales.shape == (shape[0],)):
        return scales
    raise VectorsError(
        f"{path}: its scales are {scales.dtype} of shape {scales.shape}, expected "
        f"float32 of shape ({shape[0]},)"
    )


def save_npy(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    dtype: NumberType = "float32",
) -> None:
    """Write an array file, with the words, and the scales of int8, in files beside it.

    Raises:
        VectorsError: a word is empty or contains a line end, a vector is not finite,
            the name does not end in .npy, or only the file of words exists.
        OutputError: a file cannot be written, or does not read back as written.
    """
    if path.suffix != ".npy":
        raise VectorsError(f"{path}: the name of an npy file must end in .npy")
    check_lines(words, matrix)
    check_first(words)
    numbers, scales = compacted(words, matrix, dtype)
    beside = [_words_file(path), *([_scales_file(path)] if scales is not None else [])]
    for other in beside:
        if other.exists() and not path.exists():
            raise VectorsError(
                f"{other}: already exists, but {path} does not; choose another name"
            )
    with ExitStack() as stack:
        file, words_file = (
            stack.enter_context(atomic_file(name)) for name in (path, _words_file(path))
        )
        words_file.write(_lines(words))
        if scales is not None:
            np.save(stack.enter_context(atomic_file(_scales_file(path))), scales)
        np.save(file, numbers)
        file.seek(0)
        read = np.load(file, allow_pickle=False)
        check_read_back(path, np.array_equal(read, numbers))


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
    numbers = _load_array(path)
    if numbers.ndim != 2 or numbers.dtype not in (np.float32, np.float16, np.int8):
        raise VectorsError(
            f"{path}: {numbers.ndim} dimensions of {numbers.dtype}, expected 2 of "
            "float32; convert a matrix with numpy's astype('float32')"
        )
    scales = None
    if numbers.dtype == np.int8:
        scales = _checked(_load_array(_scales_file(path)), path, numbers.shape)
    return _complete(path, text, expanded(Compact(numbers, scales)), "utf-8-sig")


def _load_array(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise VectorsError(
            f"cannot read {path}, the scales of int8 vectors: {error.strerror}"
        ) from error
    except (
        *(ValueError, EOFError, SyntaxError, tokenize.TokenError),
        *(OverflowError, MemoryError, TypeError, RecursionError),
    ) as error:
        raise VectorsError(f"{path}: damaged npy file ({error})") from error
    return array


def _words_file(path: Path) -> Path:
    return path.with_suffix(".words.txt")


def _scales_file(path: Path) -> Path:
    return path.with_suffix(".scales.npy")


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
    kept = first_rows(words, path)
    return (
        (words, matrix)
        if kept is None
        else ([words[row] for row in kept], matrix[kept])
    )


def _place_in_file(file: BinaryIO, tensor: str) -> int:
    """Return the byte offset of a tensor, which safetensors does not expose."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    header = json.loads(file.read(length))
    return 8 + length + int(header[tensor]["data_offsets"][0])
