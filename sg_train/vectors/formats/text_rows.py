"""Rows of text vectors, read and written by Arrow: in parallel, and exact."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def plain_rows(
    part: bytes, dimension: int
) -> tuple[list[str], NDArray[np.float32]] | None:
    """Read lines of a word and numbers, mostly without the GIL.

    Returns:
        The rows, or None if a line needs a closer look: it is not UTF-8, has another
        number of fields, repeats a word, or has an invalid or non-finite number.
    """
    try:
        lines = pa.array(part.removesuffix(b"\n").split(b"\n"), pa.string())
        fields = pc.ascii_split_whitespace(pc.ascii_trim_whitespace(lines))
        if (np.diff(fields.offsets) != 1 + dimension).any():
            return None
        places = np.arange(len(fields.values)).reshape(-1, 1 + dimension)
        words = fields.values.take(places[:, 0]).to_pylist()
        numbers = fields.values.take(places[:, 1:].reshape(-1)).cast(pa.float32())
    except pa.ArrowInvalid:
        return None
    matrix = numbers.to_numpy().reshape(-1, dimension)
    is_plain = len(set(words)) == len(words) and np.isfinite(matrix).all()
    return (words, matrix) if is_plain else None


def number_rows(text: bytes) -> NDArray[np.float32] | None:
    """Read lines of numbers separated by tabs; None if they are no matrix."""
    try:
        lines = pa.array(text.removesuffix(b"\n").split(b"\n"), pa.string())
        fields = pc.split_pattern(lines, "\t")
        numbers = fields.flatten().cast(pa.float32()).to_numpy()
    except pa.ArrowInvalid:
        return None
    dimensions = np.unique(np.diff(fields.offsets))
    return numbers.reshape(len(lines), -1) if len(dimensions) == 1 else None


def text_lines(
    part: tuple[Sequence[str], NDArray[np.float32]], separator: str
) -> tuple[memoryview, int]:
    """Return lines of word and numbers, and the last one's bytes, without the GIL."""
    words, rows = part
    lines = joined_numbers(rows, separator)
    if any(words):
        lines = pc.binary_join_element_wise(pa.array(words), lines, separator)
    return as_bytes(pc.binary_join_element_wise(lines, "\n", ""))


def joined_numbers(rows: NDArray[np.float32], separator: str) -> pa.Array:
    """Return each row of (n, D) as one text of numbers in their shortest exact form."""
    numbers = pc.cast(pa.array(np.ascontiguousarray(rows).reshape(-1)), pa.string())
    starts = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(starts, numbers), separator)


def as_bytes(lines: pa.Array) -> tuple[memoryview, int]:
    """Return texts one after another, without a copy, and the length of the last."""
    _, offsets, data = lines.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[: len(lines) + 1]
    last = int(ends[-1] - ends[-2]) if len(lines) else 0
    return memoryview(data)[: ends[-1]], last
