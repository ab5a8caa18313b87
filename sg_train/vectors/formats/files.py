"""Reading and writing vector files of any tool.

text         word2vec's text format, also that of fastText's .vec
binary       word2vec's binary format
glove        as text, without the first line
safetensors  the tensors `vectors` and `words`
npy          numpy's array file, with the words in a file beside it, one per line
parquet      a table with a row for each word, also as csv or jsonl
projector    a directory for TensorBoard's embedding projector
fasttext     fastText's model, with the vectors of n-grams

A file's first bytes tell its format. Text, binary, GloVe, csv and jsonl files may be
compressed by gzip, bzip2, xz or zstd. Directories for sentence-transformers, which
`reports.sentence_model` writes, are read, too.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import NumberType, OnBadRows, VectorFormat
from sg_train.errors import VectorsError
from sg_train.system.compression import compression_of, decompressed
from sg_train.system.containers import HEAD_BYTES, PYTORCH, container_of
from sg_train.system.streams import buffered
from sg_train.vectors.formats import arrays, fasttext, word2vec
from sg_train.vectors.formats.compact import check_not_vanished
from sg_train.vectors.formats.projector import (
    is_projector,
    load_projector,
    save_projector,
)
from sg_train.vectors.formats.sentence_model import (
    is_sentence_model,
    load_sentence_model,
)
from sg_train.vectors.ngrams import Subwords

if TYPE_CHECKING:
    from sg_train.vectors.formats.tables import VectorTable


class Content(NamedTuple):
    """The content of a vector file.

    Attributes:
        words: V distinct words.
        matrix: (V, D) float32.
        subwords: vectors of n-grams, if there are any.
        counts: (V,) int64, how often each word occurs, if that is known.
    """

    words: Sequence[str]
    matrix: NDArray[np.float32]
    subwords: Subwords | None = None
    counts: NDArray[np.int64] | None = None


_SAVE = {
    "text": word2vec.save_text,
    "binary": word2vec.save_binary,
    "glove": word2vec.save_glove,
    "projector": save_projector,
}
_IN_TEXT = {"text", "glove", "csv", "jsonl", "projector"}
_TYPED = {"safetensors", "npy", "parquet"}
FILES: dict[VectorFormat, str] = {  # in a run directory
    "text": "vectors.txt",
    "binary": "vectors.bin",
    "glove": "vectors.glove.txt",
    "safetensors": "vectors.safetensors",
    "npy": "vectors.npy",
    "parquet": "vectors.parquet",
    "csv": "vectors.csv",
    "jsonl": "vectors.jsonl",
    "projector": "projector",
    "fasttext": "vectors.fasttext.bin",
}

_ENDINGS: dict[str, VectorFormat | None] = {
    ".txt": None,  # text or glove
    ".vec": None,
    ".bin": "binary",
    ".npy": "npy",
    ".safetensors": "safetensors",
    ".parquet": "parquet",
    ".csv": "csv",
    ".jsonl": "jsonl",
    "": None,  # also a directory for the projector
}
_DIGITS = tuple(b"%d" % digit for digit in range(10))  # a binary file of vectors
_JSON = (b'{"word"', b'{"vector"', b'{"count"')
_CSV = re.compile(rb'(\xef\xbb\xbf)?(?=[^\n]*\bword\b)"?\w+"?(,"?\w+"?)+\r?\n')
_PARQUET = b"PAR1"
_ROWS_AT_ONCE = 4096
_NPY = b"\x93NUMPY"
_PICKLE = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def format_of(path: Path) -> VectorFormat | None:
    """Return the format that a file's ending implies, or None for any text format.

    Raises:
        VectorsError: the ending is not one of a vector file.

    >>> format_of(Path("vectors.npy"))
    'npy'
    """
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise VectorsError(
            f"{path}: {path.suffix} is not the ending of a vector file; use "
            f"{', '.join(filter(None, _ENDINGS))}, or give the format explicitly"
        )
    return _ENDINGS[ending]


def save_vectors(
    content: Content,
    path: Path,
    form: VectorFormat = "text",
    *,
    dtype: NumberType = "float32",
    precision: int | None = None,
) -> None:
    """Write vectors in the format `form`, and verify the file.

    Args:
        content: words and vectors; only `fasttext` holds n-grams, only tables counts.
        path: the file to write.
        form: its format.
        dtype: type of the numbers, in `safetensors`, `npy` and `parquet`.
        precision: number of decimals, in formats that are text; by default as many as
            give exactly the same numbers.

    Raises:
        VectorsError: the format cannot hold a word, a vector is not finite, or the
            format is unknown or has no such option.
        OutputError: the file cannot be written.
    """
    _check_options(form, dtype, precision)
    if precision is not None:
        rounded = _rounded(content.matrix, precision)
        check_not_vanished(content.words, content.matrix, rounded)
        content = content._replace(matrix=rounded)
    words, matrix = content.words, content.matrix
    if form == "fasttext":
        fasttext.save_fasttext(words, matrix, path, *content[2:])
    elif form in ("safetensors", "npy"):
        save = arrays.save_npy if form == "npy" else arrays.save_safetensors
        save(words, matrix, path, dtype)
    elif form in ("parquet", "csv", "jsonl"):
        _save_table(content, path, form, dtype)
    else:
        _SAVE[form](words, matrix, path)


def _check_options(form: str, dtype: NumberType, precision: int | None) -> None:
    if form not in FILES:
        raise VectorsError(f"{form!r}: unknown format; choose from {', '.join(FILES)}")
    if dtype != "float32" and form not in _TYPED:
        raise VectorsError(
            f"--dtype {dtype}: {form} holds float32; choose {_listed(_TYPED)}"
        )
    if precision is not None and form not in _IN_TEXT:
        raise VectorsError(
            f"--precision {precision}: {form} is not text; choose {_listed(_IN_TEXT)}"
        )


def _save_table(content: Content, path: Path, form: str, dtype: NumberType) -> None:
    from sg_train.vectors.formats import tables  # noqa: PLC0415 (loads pyarrow)

    words, matrix, _, counts = content
    if form == "parquet":
        tables.save_parquet(words, matrix, path, counts, dtype)
    else:
        save = tables.save_csv if form == "csv" else tables.save_jsonl
        save(words, matrix, path, counts)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _rounded(matrix: NDArray[np.float32], precision: int) -> NDArray[np.float32]:
    """Return numbers with this many decimals, none of them -0."""
    rounded = np.empty(matrix.shape, dtype=np.float32)
    for first in range(0, len(matrix), _ROWS_AT_ONCE):
        rows = slice(first, first + _ROWS_AT_ONCE)
        rounded[rows] = np.round(matrix[rows].astype(np.float64), precision) + 0.0
    return rounded


def load_vectors(path: Path, errors: OnBadRows = "strict") -> Content:
    """Read a vector file of any format, or that in a run directory.

    safetensors and npy files of float32 are memory-mapped, not copied. Of vectors of
    the same word, the first is kept; a warning counts the others.

    Args:
        path: the file or directory.
        errors: of text and binary files, whether to refuse damaged rows, to replace
            what is not UTF-8 in words by U+FFFD, or to skip damaged rows with a warning
            that counts them.

    Raises:
        VectorsError: the file cannot be read or is damaged; the message gives the line.
    """
    try:
        if path.is_dir():
            path = _find_in(path)
        if is_projector(path):
            return Content(*load_projector(path))
        if is_sentence_model(path):
            return Content(*load_sentence_model(path))
        with path.open("rb") as file:
            start, size = file.read(HEAD_BYTES), path.stat().st_size
            file.seek(0)
            return _load_file(file, start, path, size, errors)
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror or error}") from error


def _load_file(
    file: BinaryIO, start: bytes, path: Path, size: int, errors: OnBadRows
) -> Content:
    if start.startswith(_NPY):
        return Content(*arrays.load_npy(path))
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        return Content(*arrays.load_safetensors(path))
    if start.startswith(fasttext.MAGIC):
        return Content(*fasttext.load_fasttext(path))
    if start.startswith(_PARQUET):
        from sg_train.vectors.formats import tables  # noqa: PLC0415 (loads pyarrow)

        return _of_table(tables.load_parquet(path))
    kind = compression_of(start)
    if not kind:
        return _load_text(file, start, path, size, errors)
    with decompressed(file, kind, str(path), VectorsError) as inner:
        inside = buffered(inner)
        return _load_text(inside, inside.peek(HEAD_BYTES), path, None, errors)


def _load_text(
    file: BinaryIO, start: bytes, path: Path, size: int | None, errors: OnBadRows
) -> Content:
    """Read a stream that may be compressed: a table, text or binary."""
    if start.startswith(_JSON) or _CSV.match(start):
        from sg_train.vectors.formats import tables  # noqa: PLC0415 (loads pyarrow)

        load = tables.load_jsonl if start.startswith(_JSON) else tables.load_csv
        return _of_table(load(file, path))
    _refuse_others(start, path)
    return Content(*word2vec.read(file, path, size, errors))


def _of_table(table: "VectorTable") -> Content:
    return Content(table.words, table.matrix, counts=table.counts)


def is_directory_of_vectors(path: Path) -> bool:
    """Return whether a directory is a vector file of some kind, and not a run."""
    return is_projector(path) or is_sentence_model(path)


def _find_in(directory: Path) -> Path:
    """Return the vector file in a run directory, or a directory that is one."""
    if is_directory_of_vectors(directory):
        return directory
    for name in FILES.values():
        if (directory / name).is_file() or is_projector(directory / name):
            return directory / name
    raise VectorsError(
        f"{directory}: holds no vectors; if it is a run, finish it with sg-train "
        "resume or, once it is finished, write its vectors with sg-train export"
    )


def _refuse_others(start: bytes, path: Path) -> None:
    """Refuse files of other formats, and explain how to convert them."""
    container = container_of(start)
    if start.startswith(_PICKLE) and container is not PYTORCH:
        raise VectorsError(
            f"{path}: looks like a gensim pickle, which is never loaded because it may "
            "run code; convert it in gensim: "
            "KeyedVectors.load(FILE).save_word2vec_format('vectors.txt')"
        )
    if start.startswith(fasttext.MAGIC):  # inside a compressed file
        raise VectorsError(f"{path}: a compressed fastText model; decompress it first")
    if container is not None and not start.startswith(_DIGITS):
        advice = container.vectors_advice
        raise VectorsError(f"{path}: {container.name}, not a vector file; {advice}")
