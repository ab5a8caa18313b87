"""Small pieces of text, joined to chunks that are worth a step of their own."""

from collections.abc import Iterable, Iterator
from typing import AnyStr


def together(pieces: Iterable[AnyStr], size: int) -> Iterator[AnyStr]:
    """Join pieces, str or bytes, to chunks of at least `size` characters or bytes.

    The last chunk may be smaller.

    >>> list(together(["a", "b", "cd", "e"], 2))
    ['ab', 'cd', 'e']
    """
    some: list[AnyStr] = []
    length = 0
    for piece in pieces:
        some.append(piece)
        length += len(piece)
        if length >= size:
            yield piece[:0].join(some)
            some, length = [], 0
    if some:
        yield some[0][:0].join(some)
