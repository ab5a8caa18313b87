"""Vectors as tables of other tools, a row for each word: Parquet, CSV and JSON lines.

parquet  columns `word`, `count` (int64, empty if unknown) and `vector`, a list of D
         float32 or float16, or of D int8 beside a column `scale` (see `compact`)
csv      `word,count,vector`, where a vector is written "[x1,...,xD]"
jsonl    objects of `word`, `count` and `vector`

Text has each number in its shortest exact form.
"""

import csv
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sg_train.choices import NumberType
from sg_train.errors import VectorsError
from sg_train.system.files import atomic_file
from sg_train.system.machine import available_cpus
from sg_train.system.threads import in_order
from sg_train.vectors.formats.checks import (
    check_lines,
    check_read_back,
    first_rows,
)
from sg_train.vectors.formats.compact import Compact, compacted, expanded
from sg_train.vectors.formats.text_rows import as_bytes, joined_numbers

_LOG = logging.getLogger(__name__)

_NUMBERS_AT_ONCE = 1 << 20
_MOST_THREADS = 8
_TYPES = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}
_LISTS = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
_COUNT_IN_TEXT = pa.decimal128(38, 6)
_BLOCK_BYTES = 1 << 24  # read at once; a line must fit


class VectorTable(NamedTuple):
    """The content of a table.

    Attributes:
        words: V distinct words.
        matrix: (V, D) float32.
        counts: (V,) int64, how often each word occurs; None if that is unknown.
    """

    words: list[str]
    matrix: NDArray[np.float32]
    counts: NDArray[np.int64] | None


def save_parquet(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    counts: NDArray[np.int64] | None = None,
    dtype: NumberType = "float32",
) -> None:
    """Write a Parquet table.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors.
        path: the file to write.
        counts: (V,) how often each word occurs, if known.
        dtype: type of the numbers.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite
            or does not fit into the type.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_lines(words, matrix)
    numbers, scales = compacted(words, matrix, dtype)
    kind = pa.list_(_TYPES[dtype], matrix.shape[1])
    schema = pa.schema({"word": pa.string(), "count": pa.int64(), "vector": kind})
    if scales is not None:
        schema = schema.append(pa.field("scale", pa.float32()))
    how = {
        # Parquet has no type of one byte: a dictionary makes int8 as small.
        "use_dictionary": ["vector.list.element"] if dtype == "int8" else False,
        # Numbers of vectors are as good as random: only other columns get smaller.
        "compression": {"word": "zstd", "count": "zstd"},
    }
    with atomic_file(path) as file:
        with pq.ParquetWriter(file, schema, **how) as writer:
            for rows in _parts(matrix):
                columns = [*_columns(words, counts, rows), _lists(numbers[rows], kind)]
                if scales is not None:
                    columns.append(pa.array(scales[rows]))
                writer.write_table(pa.table(columns, schema=schema))
        file.seek(0)
        read = _of_table(pq.read_table(file), path)
        check_read_back(path, read.words == list(words))
        whole = expanded(Compact(numbers, scales))
        check_read_back(path, np.array_equal(read.matrix, whole))


def save_csv(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    counts: NDArray[np.int64] | None = None,
) -> None:
    """Write comma-separated values.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors.
        path: the file to write.
        counts: (V,) how often each word occurs, if known.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_lines(words, matrix)

    def spell(rows: slice) -> pa.Array:
        names, times = _columns(words, counts, rows)
        names = _joined('"', pc.replace_substring(names, '"', '""'), '"')
        times = times.cast(pa.string()).fill_null("")
        return _joined(
            names, ",", times, ',"[', joined_numbers(matrix[rows], ","), ']"\n'
        )

    def parse(line: str) -> tuple[str, list[float]]:
        ((word, _, vector),) = csv.reader([line])
        return word, json.loads(vector)

    with atomic_file(path) as file:
        file.write(b"word,count,vector\n")
        _write_lines(file, path, (words, matrix), spell, parse)


def save_jsonl(
    words: Sequence[str],
    matrix: NDArray[np.float32],
    path: Path,
    counts: NDArray[np.int64] | None = None,
) -> None:
    """Write JSON lines.

    Args:
        words: V distinct words.
        matrix: (V, D) their vectors.
        path: the file to write.
        counts: (V,) how often each word occurs, if known.

    Raises:
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_lines(words, matrix)

    def spell(rows: slice) -> pa.Array:
        quoted = [json.dumps(word, ensure_ascii=False) for word in words[rows]]
        names = pa.array(quoted, pa.string())
        times = _columns(words, counts, rows)[1].cast(pa.string()).fill_null("null")
        begin, middle, numbers = (
            '{"word": ',
            ', "count": ',
            joined_numbers(matrix[rows], ","),
        )
        return _joined(begin, names, middle, times, ', "vector": [', numbers, "]}\n")

    def parse(line: str) -> tuple[str, list[float]]:
        row = json.loads(line)
        return row["word"], row["vector"]

    with atomic_file(path) as file:
        _write_lines(file, path, (words, matrix), spell, parse)


def load_parquet(path: Path) -> VectorTable:
    """Read a Parquet table with the columns `word` and `vector`, of any tool.

    Raises:
        VectorsError: the file is damaged or has other columns.
    """
    return _load(path, lambda: pq.read_table(path))


def load_csv(file: IO[bytes], path: Path) -> VectorTable:
    """Read comma-separated values with the columns `word` and `vector`.

    Args:
        file: at its start.
        path: named in messages.

    Raises:
        VectorsError: the file is damaged or has other columns.
    """
    # pandas writes counts as 3.0 if one is missing; floats would round large ones.
    types = {"word": pa.string(), "vector": pa.string(), "count": _COUNT_IN_TEXT}
    convert = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=False)

    def read() -> pa.Table:
        table = pa.csv.read_csv(
            file,
            read_options=pa.csv.ReadOptions(block_size=_BLOCK_BYTES),
            convert_options=convert,
        )
        place = table.schema.get_field_index("vector")
        if place < 0:
            return table
        inside = pc.utf8_trim(table["vector"], "[]{} ")
        if pc.any(pc.match_substring_regex(inside, r"\s")).as_py():  # as Python spells
            inside = pc.replace_substring_regex(inside, r"[,\s]+", ",")
        vectors = pc.split_pattern(inside, ",").cast(pa.list_(pa.float32()))
        return table.set_column(place, "vector", vectors)

    return _load(path, read)


def load_jsonl(file: IO[bytes], path: Path) -> VectorTable:
    """Read JSON lines, objects of `word` and `vector`.

    Args:
        file: at its start.
        path: named in messages.

    Raises:
        VectorsError: the file is damaged or has other fields.
    """
    types = {
        "word": pa.string(),
        "count": pa.int64(),
        "vector": pa.list_(pa.float32()),
    }
    parse = pa.json.ParseOptions(explicit_schema=pa.schema(types))
    read = pa.json.ReadOptions(block_size=_BLOCK_BYTES)
    return _load(path, lambda: pa.json.read_json(file, read, parse))


def _load(path: Path, read: Callable[[], pa.Table]) -> VectorTable:
    try:
        return _of_table(read(), path)
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError) as error:
        reason = str(error).splitlines()[0]
        raise VectorsError(f"{path}: damaged table of vectors ({reason})") from error


def _of_table(table: pa.Table, path: Path) -> VectorTable:
    _check_columns(table.column_names, path)
    if not table.num_rows:
        raise VectorsError(f"{path}: holds no vectors")
    vectors = _whole(table["vector"])
    matrix = _matrix(vectors, path)
    if vectors.type.value_type == pa.int8() and "scale" in table.column_names:
        scales = _whole(table["scale"]).cast(pa.float32())
        if scales.null_count:
            raise VectorsError(f"{path}: a scale of an int8 vector is missing")
        matrix *= scales.to_numpy()[:, None]
    words = table["word"].cast(pa.string()).fill_null("").to_pylist()
    counts = None
    unknown = table["count"].null_count if "count" in table.column_names else 0
    if 0 < unknown < table.num_rows:
        _LOG.warning("%s: counts are ignored, because some are missing", path)
    if "count" in table.column_names and not unknown:
        counts = _whole(table["count"]).cast(pa.int64()).to_numpy()
        if (counts < 0).any():
            row = int(np.argmax(counts < 0))
            raise VectorsError(f"{path}: the count of {words[row]!r} is negative")
    check_lines(words, matrix, f"{path}: ")
    kept = first_rows(words, path)
    if kept is None:
        return VectorTable(words, matrix, counts)
    words = [words[row] for row in kept]
    return VectorTable(words, matrix[kept], None if counts is None else counts[kept])


def _check_columns(names: Sequence[str], path: Path) -> None:
    for name in ("word", "vector"):
        if name not in names:
            raise VectorsError(
                f"{path}: has no column {name!r}; a table of vectors has the columns "
                "word, vector (a list of numbers) and, if known, count"
            )
    for name in ("word", "vector", "count", "scale"):
        if names.count(name) > 1:
            raise VectorsError(
                f"{path}: has {names.count(name)} columns {name!r}; keep one"
            )


def _matrix(vectors: pa.Array, path: Path) -> NDArray[np.float32]:
    """Return lists of numbers, which must have the same length, as a matrix."""
    if not any(is_list(vectors.type) for is_list in _LISTS):
        raise VectorsError(
            f"{path}: the column vector holds {vectors.type}, expected lists of numbers"
        )
    lengths = pc.list_value_length(vectors).fill_null(0).to_numpy()
    dimension = int(lengths[0])
    if not dimension or (lengths != dimension).any():
        row = int(np.argmax(lengths != dimension)) if dimension else 0
        raise VectorsError(
            f"{path}: vector {row + 1} has {lengths[row]} numbers, expected "
            f"{dimension or 'at least 1'}"
        )
    numbers = vectors.flatten()
    if numbers.null_count:
        row = int(np.argmax(numbers.is_null())) // dimension
        raise VectorsError(f"{path}: vector {row + 1} lacks a number")
    matrix: NDArray[np.float32] = numbers.cast(pa.float32(), safe=False).to_numpy(
        zero_copy_only=False, writable=True
    )
    return matrix.reshape(-1, dimension)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece."""
    return pa.concat_arrays(column.chunks)


def _columns(
    words: Sequence[str], counts: NDArray[np.int64] | None, rows: slice
) -> tuple[pa.Array, pa.Array]:
    """Return some words and their counts, null if they are unknown."""
    names = pa.array(words[rows], pa.string())
    if counts is None:
        return names, pa.nulls(len(names), pa.int64())
    return names, pa.array(counts[rows], pa.int64())


def _lists(numbers: NDArray[Any], kind: pa.DataType) -> pa.Array:
    flat = pa.array(numbers.reshape(-1), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def _joined(*parts: pa.Array | str) -> pa.Array:
    return pc.binary_join_element_wise(*parts, "")


def _parts(matrix: NDArray[np.float32]) -> Iterator[slice]:
    count = max(1, _NUMBERS_AT_ONCE // matrix.shape[1])
    for first in range(0, len(matrix), count):
        yield slice(first, first + count)


def _write_lines(
    file: BinaryIO,
    path: Path,
    expected: tuple[Sequence[str], NDArray[np.float32]],
    spell: Callable[[slice], pa.Array],
    parse: Callable[[str], tuple[str, list[float]]],
) -> None:
    """Write lines, and check that the first and the last read back.

    Args:
        file: at its end; the lines are appended.
        path: named in messages.
        expected: words and vectors.
        spell: returns the lines of some rows.
        parse: returns the word and the numbers of a line.
    """
    words, matrix = expected
    first = last = file.tell()
    for lines in in_order(spell, _parts(matrix), min(_MOST_THREADS, available_cpus())):
        text, length = as_bytes(lines)
        file.write(text)
        last = file.tell() - length
    for row, place in ((0, first), (-1, last)):
        file.seek(place)
        word, numbers = parse(file.readline().decode())
        read = np.array(numbers, dtype=np.float32)
        check_read_back(path, word == words[row] and np.array_equal(read, matrix[row]))
