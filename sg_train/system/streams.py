"""Streams whose first bytes can be looked at and then read again."""

import io
from typing import Any, BinaryIO

_BUFFER = 1 << 20


class _Stream(io.RawIOBase):
    def __init__(self, stream: BinaryIO, first: bytes) -> None:
        self._stream = stream
        self._first = first

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._first[: len(buffer)] or self._stream.read(len(buffer))
        self._first = self._first[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def buffered(stream: BinaryIO, first: bytes = b"") -> "io.BufferedReader[Any]":
    """Return a reader of a stream, after bytes that were read from it already.

    >>> buffered(io.BytesIO(b"cd"), b"ab").read()
    b'abcd'
    """
    return io.BufferedReader(_Stream(stream, first), _BUFFER)
