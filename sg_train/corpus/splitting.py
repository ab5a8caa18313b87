"""Splits chunks of text at ASCII white space, on several threads."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sg_train.system.threads import in_order


@dataclass(frozen=True)
class SplitText:
    """A chunk of text split at ASCII white space.

    Attributes:
        tokens: the distinct tokens, possibly including the empty one.
        places: (n,) int32, the index in `tokens` of each token of the text.
        line_starts: (lines + 1,) int64, where in `places` each line starts, then n.
        ends_line: whether the text ends with a newline.
    """

    tokens: list[str]
    places: NDArray[np.int32]
    line_starts: NDArray[np.int64]
    ends_line: bool


def split_text(text: bytes, fold: bytes) -> SplitText:
    """Fold a chunk of text and split it; nearly all of it runs without the GIL.

    >>> split_text(b"a b a", bytes(range(256))).tokens
    ['a', 'b']
    """
    folded = np.frombuffer(text.translate(fold), dtype=np.uint8)
    ends = np.flatnonzero(folded == ord("\n")) + 1
    ends_line = len(ends) > 0 and ends[-1] == len(folded)
    bounds = np.concatenate(([0], ends, [] if ends_line else [len(folded)]))
    lines = pa.StringArray.from_buffers(
        len(bounds) - 1, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(folded)
    )
    split = pc.ascii_split_whitespace(lines)
    encoded = split.values.dictionary_encode()
    return SplitText(
        tokens=encoded.dictionary.to_pylist(),
        places=encoded.indices.to_numpy(),
        line_starts=split.offsets.to_numpy().astype(np.int64),
        ends_line=ends_line,
    )


def split_texts(
    chunks: Iterable[bytes], fold: bytes, threads: int
) -> Iterator[SplitText]:
    """Apply `split_text` on several threads; the results keep the chunks' order."""
    return in_order(partial(split_text, fold=fold), chunks, threads)
