"""Long tables, written a part at a time: of neighbours, and of other answers.

A table is a stream of Arrow tables with the same columns. Text has four decimals, as
answers on the terminal have; Parquet and JSON lines have all digits.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sg_train.errors import SettingsError
from sg_train.reports.labels import Labels
from sg_train.system.files import atomic_file, behind_link
from sg_train.vectors.word_vectors import Neighbors, WordVectors

if TYPE_CHECKING:
    import pyarrow as pa

_NO_LABELS = Labels()
ENDINGS = (".tsv", ".csv", ".jsonl", ".parquet")

_STEPS = 10_000  # from 0 to 1, with four decimals


def check_ending(path: Path) -> None:
    """Check that a file's ending names a format.

    Raises:
        SettingsError: it does not.
    """
    if path.suffix not in ENDINGS:
        raise SettingsError(
            f"{path}: no format has the ending {path.suffix!r}; use one of "
            f"{', '.join(ENDINGS)}"
        )


def save_table(path: Path, tables: Iterable["pa.Table"]) -> None:
    """Write a table to a file, in the format of its ending; text has a header.

    Raises:
        SettingsError: there is no such format.
        OutputError: the file cannot be written.
    """
    check_ending(path)
    with atomic_file(behind_link(path)) as file:
        if path.suffix == ".parquet":
            _write_parquet(file, tables)
        elif path.suffix == ".jsonl":
            _write_json_lines(file, tables)
        else:
            write_text(file, tables, "," if path.suffix == ".csv" else "\t")


def write_text(
    file: BinaryIO,
    tables: Iterable["pa.Table"],
    separator: str = "\t",
    *,
    header: bool = True,
) -> None:
    """Write a table as text, with the decimals and separator given.

    With commas, fields that need it are quoted; with tabs, a tab in a word becomes a
    space.
    """
    for table in tables:
        if header:
            file.write(separator.join(table.column_names).encode() + b"\n")
            header = False
        file.write(_lines(table, separator))


def neighbor_tables(
    vectors: WordVectors,
    batches: Iterable[Neighbors],
    *,
    wide: bool = False,
    labels: Labels = _NO_LABELS,
) -> Iterator["pa.Table"]:
    """Turn batches of neighbours into tables.

    Args:
        vectors: those whose words the batches refer to.
        batches: from `WordVectors.neighbor_batches`.
        wide: whether each word has one row, `word`, `neighbor_1`, `cosine_1` and so on;
            else each neighbour has one, `word`, `neighbor`, `cosine`.
        labels: labels of neighbours, for a column `label`, and their groups, for a
            column `group`.
    """
    import pyarrow as pa

    words = pa.array(vectors.words, pa.string())
    more = {
        name: pa.array(list(map(of_word.get, vectors.words)), pa.string())
        for name, of_word in labels.columns.items()
    }
    for batch in batches:
        asked, has = pa.array(batch.words, pa.string()), batch.rows >= 0
        if not wide:
            of_word = asked.take(np.nonzero(has)[0])
            neighbors = words.take(batch.rows[has])
            columns = {"neighbor": neighbors, "cosine": batch.cosines[has]}
            columns |= {
                name: of_all.take(batch.rows[has]) for name, of_all in more.items()
            }
            yield pa.table({"word": of_word, **columns})
            continue
        columns = {"word": asked}
        for place in range(batch.rows.shape[1]):
            rows = pa.array(batch.rows[:, place], mask=~has[:, place])
            cosines = pa.array(batch.cosines[:, place], mask=~has[:, place])
            columns[f"neighbor_{place + 1}"] = words.take(rows)
            columns[f"cosine_{place + 1}"] = cosines
            for name, of_all in more.items():
                columns[f"{name}_{place + 1}"] = of_all.take(rows)
        yield pa.table(columns)


def decimals(numbers: NDArray[np.float32]) -> "pa.Array":
    """Return numbers as text with four decimals, as Python's format `.4f` does.

    >>> decimals(np.array([0.5, -0.25004], np.float32)).to_pylist()
    ['0.5000', '-0.2500']
    """
    import pyarrow as pa

    steps = np.rint(numbers.astype(np.float64) * _STEPS)
    if not (np.abs(steps) <= _STEPS).all():
        return pa.array([f"{number:.4f}" for number in numbers.tolist()], pa.string())
    places = steps.astype(np.int64) + _STEPS
    places[(steps == 0) & np.signbit(numbers)] = 2 * _STEPS + 1
    return _spelled().take(pa.array(places))


@cache
def _spelled() -> "pa.Array":
    """Return the texts of all numbers from -1 to 1 with four decimals, and of -0."""
    import pyarrow as pa

    steps = range(-_STEPS, _STEPS + 1)
    return pa.array([*(f"{step / _STEPS:.4f}" for step in steps), "-0.0000"])


def _lines(table: "pa.Table", separator: str) -> memoryview:
    """Return the rows of a table as lines of text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from sg_train.vectors.formats.text_rows import as_bytes  # noqa: PLC0415 (pyarrow)

    columns = []
    for column in table.columns:
        whole = pa.concat_arrays(column.chunks)
        if pa.types.is_floating(whole.type):
            text = decimals(whole.fill_null(0).to_numpy())
            columns.append(pc.if_else(whole.is_valid(), text, ""))
        else:
            words = whole.cast(pa.string()).fill_null("")
            columns.append(_fields(words, separator))
    lines = pc.binary_join_element_wise(*columns, separator)
    return as_bytes(pc.binary_join_element_wise(lines, "\n", ""))[0]


def _fields(words: "pa.Array", separator: str) -> "pa.Array":
    """Return words such that none is read as several fields."""
    import pyarrow.compute as pc

    if separator == "\t":
        return pc.replace_substring_regex(words, r"[\t\r\n]", " ")
    doubled = pc.replace_substring(words, '"', '""')
    quoted = pc.binary_join_element_wise('"', doubled, '"', "")
    return pc.if_else(pc.match_substring_regex(words, r'[",\r\n]'), quoted, words)


def _write_json_lines(file: BinaryIO, tables: Iterable["pa.Table"]) -> None:
    for table in tables:
        rows = (json.dumps(row, ensure_ascii=False) for row in table.to_pylist())
        file.write("".join(f"{row}\n" for row in rows).encode())


def _write_parquet(file: BinaryIO, tables: Iterable["pa.Table"]) -> None:
    import pyarrow.parquet as pq

    rest = iter(tables)
    first = next(rest)
    with pq.ParquetWriter(file, first.schema) as writer:
        for table in chain([first], rest):
            writer.write_table(table)
