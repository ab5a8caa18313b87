"""Reading and writing vector files of any tool.

text         word2vec's text format, also that of fastText's .vec
binary       word2vec's binary format
glove        as text, without the first line
safetensors  the tensors `vectors` and `words`
npy          numpy's array file, with the words in a file beside it, one per line
projector    a directory for TensorBoard's embedding projector
fasttext     fastText's model, with the vectors of n-grams

All but projector directories can be read; a file's first bytes tell its format. Text,
binary and GloVe files may be compressed by gzip, bzip2, xz or zstd.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import OnBadRows, VectorFormat
from sg_train.errors import VectorsError
from sg_train.system.compression import compression_of, decompressed
from sg_train.system.containers import HEAD_BYTES, PYTORCH, container_of
from sg_train.system.streams import buffered
from sg_train.vectors.formats import arrays, fasttext, projector, word2vec
from sg_train.vectors.ngrams import Subwords

_SAVE = {
    "text": word2vec.save_text,
    "binary": word2vec.save_binary,
    "glove": word2vec.save_glove,
    "safetensors": arrays.save_safetensors,
    "npy": arrays.save_npy,
    "projector": projector.save_projector,
}


class Loaded(NamedTuple):
    """The content of a vector file.

    Attributes:
        words: V distinct words.
        matrix: (V, D) float32.
        subwords: vectors of n-grams, if the file holds any.
    """

    words: list[str]
    matrix: NDArray[np.float32]
    subwords: Subwords | None = None


FILES: dict[VectorFormat, str] = {  # in a run directory
    "text": "vectors.txt",
    "binary": "vectors.bin",
    "glove": "vectors.glove.txt",
    "safetensors": "vectors.safetensors",
    "npy": "vectors.npy",
    "projector": "projector",
    "fasttext": "vectors.fasttext.bin",
}

_ENDINGS: dict[str, VectorFormat | None] = {
    ".txt": None,  # text or glove
    ".vec": None,
    ".bin": "binary",
    ".npy": "npy",
    ".safetensors": "safetensors",
    "": None,  # also a directory for the projector
}
_DIGITS = tuple(b"%d" % digit for digit in range(10))  # a binary file of vectors
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
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    form: VectorFormat,
    subwords: Subwords | None = None,
) -> None:
    """Write vectors in the format `form`, and verify the file.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors.
        path: the file to write.
        form: its format.
        subwords: vectors of n-grams, which only `fasttext` holds.

    Raises:
        VectorsError: the format cannot hold a word, a vector is not finite, or the
            format is unknown.
        OutputError: the file cannot be written.
    """
    if form == "fasttext":
        fasttext.save_fasttext(words, matrix, path, subwords)
        return
    if form not in _SAVE:
        raise VectorsError(f"{form!r}: unknown format; choose from {', '.join(FILES)}")
    _SAVE[form](words, matrix, path)


def load_vectors(path: Path, errors: OnBadRows = "strict") -> Loaded:
    """Read a vector file of any format but the projector's, or that in a run directory.

    safetensors and npy files are memory-mapped, not copied. Of vectors of the same
    word, the first is kept; a warning counts the others.

    Args:
        path: the file or directory.
        errors: of text and binary files, whether to refuse damaged rows, to replace
            what is not UTF-8 in words by U+FFFD, or to skip damaged rows with a warning
            that counts them.

    Raises:
        VectorsError: the file cannot be read or is damaged; the message gives the line.
    """
    if path.is_dir():
        path = _find_in(path)
    try:
        with path.open("rb") as file:
            start, size = file.read(HEAD_BYTES), path.stat().st_size
            if start.startswith(_NPY):
                return Loaded(*arrays.load_npy(path))
            if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
                return Loaded(*arrays.load_safetensors(path))
            if start.startswith(fasttext.MAGIC):
                return Loaded(*fasttext.load_fasttext(path))
            file.seek(0)
            kind = compression_of(start)
            if not kind:
                _refuse_others(start, path)
                return Loaded(*word2vec.read(file, path, size, errors))
            with decompressed(file, kind, str(path), VectorsError) as content:
                inside = buffered(content)
                _refuse_others(inside.peek(HEAD_BYTES), path)
                return Loaded(*word2vec.read(inside, path, None, errors))
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror or error}") from error


def _find_in(directory: Path) -> Path:
    for name in FILES.values():
        if (directory / name).is_file():
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
