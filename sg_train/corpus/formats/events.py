"""Tables of events, which DuckDB sorts into sequences, on disk if memory is short."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sg_train.corpus.formats.records import Skipped
from sg_train.errors import CorpusError
from sg_train.system.optional import require
from sg_train.wording import listed

_ROWS_AT_ONCE = 1_000_000


def read_events(
    files: Sequence[str],
    form: str,
    item: str,
    group_by: str,
    order_by: str | None,
    *,
    separator: str | None = None,
    threads: int = 1,
    skipped: Skipped,
) -> Iterator[bytes]:
    r"""Yield the items of each group, in their order, as lines of text.

    White space inside an item becomes `_`. Rows without an item or group are skipped.

    Args:
        files: paths of tables of one format, not compressed or by gzip or zstd.
        form: `csv`, `jsonl` or `parquet`.
        item: the column of items.
        group_by: the column whose equal values make a sequence.
        order_by: the column that orders a sequence; by default the order of the rows.
        separator: between the columns of CSV; by default it is detected.
        threads: how many threads read and sort.
        skipped: counts rows that are skipped.

    Yields:
        Whole lines, of about a million items together.

    Raises:
        CorpusError: a file cannot be read, or a column is missing.
        MissingLibraryError: DuckDB is not installed.
    """
    duckdb = require("duckdb", "corpus.group_by", "tables")
    named = listed(list(files))
    with tempfile.TemporaryDirectory(prefix="sg-train-") as scratch:
        connection = duckdb.connect(
            config={
                "temp_directory": scratch,
                "threads": threads,
                "preserve_insertion_order": order_by is None,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            table = _table(files, form, separator)
            wanted = [item, group_by, *([order_by] if order_by else [])]
            _check_columns(connection, table, wanted, named)
            columns = ", ".join(
                f"{_name(column)} AS {alias}"
                for column, alias in zip(wanted, "igo", strict=False)
            )
            order = "g, o" if order_by else "g, n"
            number = "" if order_by else ", row_number() OVER () AS n"
            rows = connection.sql(
                f"SELECT g, i FROM (SELECT CAST(i AS VARCHAR) AS i, g, "
                f"{'o' if order_by else 'n'} FROM (SELECT {columns}{number} FROM "
                f"{table})) ORDER BY {order}"
            ).to_arrow_reader(_ROWS_AT_ONCE)
            yield from _lines(rows, skipped)
        except duckdb.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise CorpusError(
                f"{named}: cannot be read as {form} ({reason})"
            ) from error
        finally:
            connection.close()


def _table(files: Sequence[str], form: str, separator: str | None) -> str:
    """Return the call that reads the files."""
    names = ", ".join(_text(str(Path(file).absolute())) for file in files)
    if form == "parquet":
        return f"read_parquet([{names}])"
    if form == "jsonl":
        return f"read_json([{names}], format = 'newline_delimited')"
    mark = f", delim = {_text(separator)}" if separator else ""
    return f"read_csv([{names}], header = true{mark})"


def _check_columns(
    connection: Any, table: str, wanted: Sequence[str], named: str
) -> None:
    described = connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    known = [row[0] for row in described]
    for column in wanted:
        if column not in known and column.partition(".")[0] not in known:
            raise CorpusError(
                f"{named}: no column {column}; the columns are {listed(known, 20)}"
            )


def _lines(batches: Any, skipped: Skipped) -> Iterator[bytes]:
    """Yield the items of sorted rows, a line for each group."""
    last: Any = None  # the group of the last row of the batch before
    for batch in batches:
        some = pc.and_(pc.is_valid(batch.column(0)), pc.is_valid(batch.column(1)))
        kept = batch.filter(some)
        skipped.nulls += len(batch) - len(kept)
        if not len(kept):
            continue
        groups, items = kept.column(0), kept.column(1)
        begins = np.ones(len(kept), dtype=np.bool_)
        begins[1:] = pc.not_equal(groups[1:], groups[:-1]).to_numpy(
            zero_copy_only=False
        )
        first = groups[0].as_py()
        if last is not None and first == last:
            begins[0] = False
        items = pc.replace_substring_regex(pc.utf8_trim_whitespace(items), r"\s+", "_")
        marks = pa.array(np.where(begins, "\n", " "), items.type)
        lines = pc.binary_join_element_wise(marks, items, "")
        _, _, content = lines.buffers()
        offsets = np.frombuffer(lines.buffers()[1], "<i4")[: len(lines) + 1]
        yield content.to_pybytes()[offsets[0] : offsets[-1]]
        last = groups[-1].as_py()
    yield b"\n"


def _name(column: str) -> str:
    """Return a column, or a field of a struct, as SQL names it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in column.split("."))


def _text(value: str) -> str:
    """Return text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
