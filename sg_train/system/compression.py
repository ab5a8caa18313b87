"""Compressed files, recognised by their first bytes, never by their name."""

import gzip
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from sg_train.errors import SgTrainError

_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def compression_of(head: bytes) -> str:
    """Return how a file that begins with `head` is compressed; empty if it is not.

    >>> compression_of(b"BZh91AY")
    'bz2'
    """
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), "")


@contextmanager
def decompressed(
    stream: BinaryIO, kind: str, name: str, error_class: type[SgTrainError]
) -> Iterator[BinaryIO]:
    """Yield the decompressed content of a stream, which can be read but not sought.

    Args:
        stream: at the start of the compressed data.
        kind: as returned by `compression_of`; if empty, the stream itself is yielded.
        name: of the file, for messages.
        error_class: raised if the file is damaged or cannot be read.
    """
    try:
        yield _decompressor(stream, kind)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        if kind:
            raise error_class(
                f"{name}: damaged or truncated {kind} data ({error})"
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise error_class(f"cannot read {name}: {reason}") from error


def _decompressor(stream: BinaryIO, kind: str) -> BinaryIO:
    if not kind:
        return stream
    if kind == "gzip":  # Arrow does not accept the zeros that some tools append
        return cast(BinaryIO, gzip.open(stream))
    if kind == "xz":  # Arrow would return xz data still compressed
        return cast(BinaryIO, lzma.open(stream))
    import pyarrow as pa

    inside = pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), kind)
    return cast(BinaryIO, inside)
