"""fastText's model files (.bin), which also hold the vectors of n-grams.

All numbers are little-endian. The file begins with a magic number and a version, then
the settings (12 int32, 1 float64), the dictionary (3 int32, 2 int64, then each word
with a NUL, its count as int64 and its kind as int8), and the two matrices, each with a
byte that is 1 if it is quantised, its shape as int64 and its numbers as float32. The
rows of the first matrix are those of the words, then those of the buckets.
"""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import VectorsError
from sg_train.system.files import atomic_file
from sg_train.vectors.formats.checks import check_finite, check_read_back, check_words
from sg_train.vectors.ngrams import Ngrams, Subwords, WordRows

MAGIC = struct.pack("<i", 793712314)
_VERSION = 12
_SETTINGS = struct.Struct("<12id")
_SIZES = struct.Struct("<iiiqq")
_SHAPE = struct.Struct("<bqq")
_SUPERVISED = 3
_SKIP_GRAM, _NEGATIVE_SAMPLING = 2, 2
_NOT_PRUNED = -1
_LONGEST_NGRAM = 1000
_LONGEST_WORD = 1 << 16  # bytes
_END_OF_LINE = "</s>"  # has no n-grams
_ROWS_AT_ONCE = 4096


FastText = tuple[
    list[str], NDArray[np.float32], Subwords | None, NDArray[np.int64]
]  # V words, (V, D), n-grams, counts


def save_fasttext(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    subwords: Subwords | None,
    counts: NDArray[np.int64] | None = None,
) -> None:
    """Write a fastText model that gives the same vectors to words, seen and unseen.

    Settings of training that vectors do not tell are written as fastText's defaults,
    counts and output vectors that are unknown as 1 and 0.

    Raises:
        VectorsError: the vectors have no n-grams, a word is empty or contains white
            space or NUL, or a vector is not finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    if subwords is None:
        raise VectorsError(
            f"{path}: a fastText model holds vectors of n-grams, but these vectors "
            "have none; train with model.ngrams, or choose another format"
        )
    check_words(words, matrix)
    for word in words:
        if "\0" in word:
            raise VectorsError(
                f"{word!r}: a fastText model cannot hold a word with NUL; choose "
                "another format"
            )
    check_finite([str(row) for row in range(len(subwords.matrix))], subwords.matrix)
    ngrams, (size, dimension) = subwords.ngrams, matrix.shape
    word_rows = WordRows.of_words(words, ngrams, by_use=False)
    counts = np.ones(size, dtype=np.int64) if counts is None else counts
    with atomic_file(path) as file:
        file.write(MAGIC + struct.pack("<i", _VERSION))
        settings = (
            *(dimension, 5, 5, 1, 5, 1, _NEGATIVE_SAMPLING, _SKIP_GRAM),
            *(ngrams.buckets, ngrams.shortest, ngrams.longest, 100, 1e-4),
        )
        file.write(_SETTINGS.pack(*settings))
        file.write(_SIZES.pack(size, size, 0, int(counts.sum()), _NOT_PRUNED))
        for word, count in zip(words, counts.tolist(), strict=True):
            file.write(word.encode() + b"\0" + struct.pack("<qb", count, 0))
        file.write(_SHAPE.pack(0, size + ngrams.buckets, dimension))
        place = file.tell()
        for first in range(0, size, _ROWS_AT_ONCE):
            some = np.arange(first, min(first + _ROWS_AT_ONCE, size))
            _write(file, word_rows.own_rows(some, matrix[some], subwords.matrix))
        _write(file, subwords.matrix)
        file.write(_SHAPE.pack(0, size, dimension))
        for first in range(0, size, _ROWS_AT_ONCE):
            shape = min(_ROWS_AT_ONCE, size - first), dimension
            none = np.zeros(shape, dtype=np.float32)
            v = subwords.v
            _write(file, none if v is None else v[first : first + _ROWS_AT_ONCE])
        file.seek(place + 4 * size * dimension)
        last = file.read(4 * dimension)
        check_read_back(path, last == subwords.matrix[0].astype("<f4").tobytes())


def _write(file: BinaryIO, rows: NDArray[np.float32]) -> None:
    file.write(np.ascontiguousarray(rows, dtype="<f4").data)


def load_fasttext(path: Path) -> FastText:
    """Read a fastText model of unsupervised training that is not quantised.

    The matrices are memory-mapped; the words' vectors are composed in memory.

    Raises:
        VectorsError: the model is supervised or quantised, or the file is damaged.
    """
    try:
        with path.open("rb") as file:
            return _read(file, path)
    except (struct.error, UnicodeDecodeError, OverflowError) as error:
        raise _damaged(path, str(error)) from error


def _read(file: BinaryIO, path: Path) -> FastText:
    dimension, ngrams = _read_settings(file, path)
    words, counts = _read_words(file, path)
    buckets = ngrams.buckets if ngrams else 0
    u = _map(file, path, len(words) + buckets, dimension)
    v = _map(file, path, len(words), dimension)
    if ngrams is None:
        check_finite(words, u, f"{path}: ")
        return words, u, None, counts
    has_none = np.array([word == _END_OF_LINE for word in words])
    matrix = WordRows.of_words(words, ngrams, has_none, by_use=False).compose(u)
    check_finite(words, matrix, f"{path}: ")
    return words, matrix, Subwords(ngrams, u[len(words) :], v), counts


def _read_settings(file: BinaryIO, path: Path) -> tuple[int, Ngrams | None]:
    """Return the dimension and which n-grams words have."""
    _, version = struct.unpack("<ii", file.read(8))
    if version != _VERSION:
        raise VectorsError(
            f"{path}: a fastText model of version {version}, not {_VERSION}; give the "
            ".vec file beside it"
        )
    settings = _SETTINGS.unpack(file.read(_SETTINGS.size))
    dimension, kind, (buckets, shortest, longest) = (
        *(settings[0], settings[7]),
        settings[8:11],
    )
    if kind == _SUPERVISED:
        raise VectorsError(
            f"{path}: a fastText model of supervised training, which is a classifier; "
            "give a model of unsupervised training"
        )
    if dimension < 1:
        raise _damaged(path, f"dimension {dimension}")
    if longest < 1 or buckets < 1:
        return dimension, None
    if not 1 <= shortest <= longest <= _LONGEST_NGRAM:
        raise _damaged(path, f"n-grams of {shortest} to {longest} characters")
    return dimension, Ngrams(shortest, longest, buckets)


def _read_words(file: BinaryIO, path: Path) -> tuple[list[str], NDArray[np.int64]]:
    entries, count, labels, _, pruned = _SIZES.unpack(file.read(_SIZES.size))
    if not 0 < entries == count <= path.stat().st_size or labels:
        raise _damaged(path, f"{entries} entries, {count} words, {labels} labels")
    if pruned > 0:
        raise VectorsError(
            f"{path}: a pruned fastText model, whose n-grams are incomplete; give the "
            "model it was made from"
        )
    words, counts = [], np.empty(entries, dtype=np.int64)
    rest, at = b"", 0
    for entry in range(entries):
        while (end := rest.find(b"\0", at)) < 0 or len(rest) < end + 10:
            more = file.read(1 << 16)
            if not more or len(rest) - at > _LONGEST_WORD:
                raise _damaged(path, f"word {entry + 1} does not end")
            rest, at = rest[at:] + more, 0
        words.append(rest[at:end].decode())
        (counts[entry],) = struct.unpack_from("<q", rest, end + 1)
        at = end + 10
    file.seek(at - len(rest), os.SEEK_CUR)
    if len(set(words)) < entries or "" in words:
        raise _damaged(path, "a word is empty or occurs twice")
    return words, counts


def _map(file: BinaryIO, path: Path, rows: int, columns: int) -> NDArray[np.float32]:
    """Map the matrix that comes next, and move behind it."""
    is_quantised, *shape = _SHAPE.unpack(file.read(_SHAPE.size))
    if is_quantised:
        raise VectorsError(
            f"{path}: a quantised fastText model; give the .bin file it was made from"
        )
    if shape != [rows, columns]:
        raise _damaged(path, f"a matrix of {shape[0]} x {shape[1]}")
    place = file.tell()
    if place + 4 * rows * columns > path.stat().st_size:
        raise _damaged(path, "it is cut off")
    matrix = np.memmap(path, "<f4", "r", place, (rows, columns))
    file.seek(place + matrix.nbytes)
    return matrix


def _damaged(path: Path, what: str) -> VectorsError:
    return VectorsError(f"{path}: damaged fastText model ({what})")
