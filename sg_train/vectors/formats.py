"""Vector files, written and read, whoever trained them.

text         word2vec's text format, which fastText's .vec is too
binary       word2vec's binary format
glove        as text, without the first line
safetensors  the tensors `vectors` and `words`
npy          numpy's array file, and the words beside it, one a line
projector    a directory for TensorBoard's embedding projector

All but the last are read; what a file holds is told by its first bytes. Text and binary
may be compressed by gzip.
"""

import gzip
import zlib
from pathlib import Path
from typing import BinaryIO, cast

from sg_train.choices import VectorFormat
from sg_train.errors import VectorsError
from sg_train.vectors import array_formats, projector, word2vec_formats
from sg_train.vectors.rows import Rows

_SAVE = {
    "text": word2vec_formats.save_text,
    "binary": word2vec_formats.save_binary,
    "glove": word2vec_formats.save_glove,
    "safetensors": array_formats.save_safetensors,
    "npy": array_formats.save_npy,
    "projector": projector.save_projector,
}

FILES: dict[VectorFormat, str] = {  # in a run directory
    "text": "vectors.txt",
    "binary": "vectors.bin",
    "glove": "vectors.glove.txt",
    "safetensors": "vectors.safetensors",
    "npy": "vectors.npy",
    "projector": "projector",
}

_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_FASTTEXT = (793712314).to_bytes(4, "little")
_NPY = b"\x93NUMPY"
_PICKLE = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def format_of(path: Path) -> VectorFormat | None:
    """Tell the format that a file's ending stands for, if it stands for one."""
    endings: dict[str, VectorFormat] = {
        ".bin": "binary",
        ".npy": "npy",
        ".safetensors": "safetensors",
    }
    return endings.get(path.suffix)


def save_vectors(vectors: Rows, path: Path, form: VectorFormat) -> None:
    """Write vectors in the format named `form`, and check what was written.

    Raises:
        VectorsError: a word holds white space, or a vector is not finite.
        OutputError: the file cannot be written.
    """
    if form not in _SAVE:
        raise VectorsError(f"{form!r}: no such format; there are {', '.join(_SAVE)}")
    _SAVE[form](vectors, path)


def load_vectors(path: Path) -> Rows:
    """Read a vector file of any format but the projector's, or that in a run directory.

    Files of safetensors and npy are mapped into memory, not copied.

    Raises:
        VectorsError: the file cannot be read or is damaged; the message has the line.
    """
    if path.is_dir():
        path = _find_in(path)
    try:
        with path.open("rb") as file:
            start, size = file.read(9), path.stat().st_size
            file.seek(0)
            if start.startswith(_NPY):
                return array_formats.load_npy(path)
            if start[8:] == b"{" and int.from_bytes(start[:8], "little") < size:
                return array_formats.load_safetensors(path)
            _refuse_pickles(start, path)
            if start.startswith(_GZIP):
                return _read_compressed(file, path)
            return word2vec_formats.read(file, path, size)
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror or error}") from error


def _find_in(directory: Path) -> Path:
    for name in FILES.values():
        if (directory / name).is_file():
            return directory / name
    raise VectorsError(
        f"{directory}: holds no vectors; if it is a run, sg-train resume ends one that "
        "was stopped, and sg-train export writes them"
    )


def _read_compressed(file: BinaryIO, path: Path) -> Rows:
    try:
        with gzip.open(file) as text:
            return word2vec_formats.read(cast("BinaryIO", text), path)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise VectorsError(f"{path}: damaged gzip file ({error})") from error


def _refuse_pickles(start: bytes, path: Path) -> None:
    if start.startswith(_PICKLE):
        raise VectorsError(
            f"{path}: looks like a file that gensim saved by pickle, which is never "
            "loaded, since it may run code; convert it in gensim: "
            "KeyedVectors.load(FILE).save_word2vec_format('vectors.txt')"
        )
    if start.startswith(_ZIP):
        raise VectorsError(f"{path}: a zip archive; unpack it and give the file inside")
    if start.startswith(_FASTTEXT):
        raise VectorsError(
            f"{path}: a model of fastText; give the .vec file that lies beside it"
        )
