"""Tables of events, which DuckDB sorts into sequences, on disk if memory is short."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sg_train.corpus.chunks import together
from sg_train.corpus.formats.skipped import Skipped
from sg_train.errors import CorpusError
from sg_train.system.files import scratch_directory
from sg_train.system.optional import require
from sg_train.wording import listed

_ROWS_AT_ONCE = 1_000_000
_BYTES_AT_ONCE = 8 << 20  # DuckDB's own batches are small


@dataclass(frozen=True)
class Events:
    """Tables whose rows are items.

    Attributes:
        files: paths of tables of one format.
        form: `csv`, `jsonl` or `parquet`.
        item: the column of items.
        group_by: the column whose equal values make a sequence.
        order_by: the column that orders a sequence; by default the order of the rows.
        separator: between the columns of CSV; by default it is detected.
        compression: of all files: `none`, `gzip` or `zstd`.
    """

    files: Sequence[str]
    form: str
    item: str
    group_by: str
    order_by: str | None = None
    separator: str | None = None
    compression: str = "none"


def read_events(
    events: Events,
    skipped: Skipped,
    *,
    threads: int = 1,
    megabytes: int | None = None,
) -> Iterator[bytes]:
    r"""Yield the items of each group, in their order, as lines of text.

    White space inside an item becomes `_`. Rows without an item or group are skipped.

    Args:
        events: the tables.
        skipped: counts rows that are skipped.
        threads: how many threads read and sort.
        megabytes: of memory for sorting; by default most of what is free.

    Yields:
        Lines, some megabytes together.

    Raises:
        CorpusError: a file cannot be read, or a column is missing.
        MissingLibraryError: DuckDB is not installed.
    """
    duckdb = require("duckdb", "corpus.group_by", "tables")
    named = listed(list(events.files))
    with scratch_directory(None) as scratch:
        connection = duckdb.connect(
            config={
                "temp_directory": str(scratch),
                "threads": threads,
                **({"memory_limit": f"{megabytes}MB"} if megabytes else {}),
                "preserve_insertion_order": events.order_by is None,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        try:
            table = _table(events)
            by = [events.order_by] if events.order_by else []
            wanted = [events.item, events.group_by, *by]
            _check_columns(connection, table, wanted, named)
            columns = ", ".join(
                f"{_name(column)} AS {alias}"
                for column, alias in zip(wanted, "igo", strict=False)
            )
            order = "o" if by else "n"
            number = "" if by else ", row_number() OVER () AS n"
            rows = connection.sql(
                f"SELECT g, i FROM (SELECT {columns}{number} FROM {table}) "
                f"ORDER BY g, {order}"
            ).to_arrow_reader(_ROWS_AT_ONCE)
            yield from together(_lines(rows, skipped), _BYTES_AT_ONCE)
        except (duckdb.Error, pa.ArrowException) as error:
            reason = str(error).strip().splitlines()[0]
            raise CorpusError(
                f"{named}: cannot be read as {events.form} ({reason})"
            ) from error
        finally:
            connection.close()


def _table(events: Events) -> str:
    """Return the call that reads the files."""
    files = [_text(str(Path(file).absolute())) for file in events.files]
    names = f"[{', '.join(files)}]"
    if events.form == "parquet":
        return f"read_parquet({names})"
    how = f"compression = {_text(events.compression)}"
    if events.form == "jsonl":
        return f"read_json({names}, format = 'newline_delimited', {how})"
    if events.separator:
        how += f", delim = {_text(events.separator)}"
    return f"read_csv({names}, header = true, {how})"


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
        coded = items.dictionary_encode()
        trimmed = pc.utf8_trim_whitespace(coded.dictionary.cast(pa.string()))
        words = pc.replace_substring_regex(trimmed, r"\s+", "_")
        # Each word twice: as the next item of a sequence, and as the first of one.
        both = pa.concat_arrays(
            [pc.binary_join_element_wise(mark, words, "") for mark in (" ", "\n")]
        ).cast(pa.large_string())
        codes = coded.indices.to_numpy() + begins * len(words)
        lines = both.take(pa.array(codes))
        offsets = np.frombuffer(lines.buffers()[1], "<i8")[: len(lines) + 1]
        yield lines.buffers()[2].to_pybytes()[offsets[0] : offsets[-1]]
        last = groups[-1].as_py()
    yield b"\n"


def _name(column: str) -> str:
    """Return a column, or a field of a struct, as SQL names it."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in column.split("."))


def _text(value: str) -> str:
    """Return text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"
