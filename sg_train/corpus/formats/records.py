"""Records: JSON lines, CSV and Parquet. Fields hold text, or lists of items."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from sg_train.corpus.formats.conditions import NO_CONDITIONS, Conditions
from sg_train.corpus.formats.skipped import Skipped
from sg_train.errors import CorpusError
from sg_train.wording import listed

DEFAULT_FIELD = "text"  # the usual name of a column of texts

_MOST_BYTES = 100_000_000  # of a line
_SNIFFED = 1 << 16  # characters
_MARKS = ",;\t|"
_ROWS_AT_ONCE = 4096
_DECODER = json.JSONDecoder()
_LINES_SHOWN = 1000  # of which a message names the keys


def read_jsonl(
    stream: BinaryIO,
    name: str,
    fields: Sequence[str],
    skipped: Skipped,
    where: Conditions = NO_CONDITIONS,
) -> Iterator[Any]:
    """Yield the fields of each record: text, or lists of items.

    A dotted key names a field inside another. A record may lack a field, but not every
    record. Records for which the conditions do not hold are left out.

    Raises:
        CorpusError: a line is not a JSON object, a field has another type, or no record
            has a field.
    """
    fields = fields or (DEFAULT_FIELD,)
    found, known, before = False, dict[str, None](), where.found
    for number, record in _records(stream, name):
        if not where.hold(partial(_inside, record)):
            continue
        for field in fields:
            value = record.get(field)
            if value is None and (value := _inside(record, field)) is None:
                skipped.nulls += 1
                continue
            found = True
            if type(value) is not str:
                value = _checked(value, f"{name}, line {number}", field)
            yield value
        if not found and number <= _LINES_SHOWN:
            known.update(dict.fromkeys(record))
    if not found and (where.found > before or not where.columns):
        raise CorpusError(
            f"{name}: no record has a value for {listed(list(fields), 9)}; set "
            f"corpus.field to one of {listed(list(known), 20)}"
        )


def _records(stream: BinaryIO, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the record of each line that is not empty."""
    for number, line in enumerate(iter(partial(stream.readline, _MOST_BYTES), b""), 1):
        if len(line) == _MOST_BYTES:
            raise CorpusError(f"{name}, line {number}: longer than {_MOST_BYTES} bytes")
        try:
            record = _DECODER.decode(line.decode())
        except (ValueError, RecursionError) as error:
            if not line.strip():
                continue
            reason = getattr(error, "msg", None) or type(error).__name__
            raise CorpusError(
                f"{name}, line {number}: not valid JSON ({reason}); correct the line, "
                "or set corpus.format=text"
            ) from error
        if not isinstance(record, dict):
            raise CorpusError(
                f"{name}, line {number}: not a record, which begins with {{"
            )
        yield number, record


def read_csv(
    stream: BinaryIO,
    name: str,
    fields: Sequence[str],
    separator: str | None,
    skipped: Skipped,
    where: Conditions = NO_CONDITIONS,
) -> Iterator[str]:
    """Yield the fields of each row of a table with a header.

    Args:
        stream: the table, in UTF-8.
        name: of the file, for messages.
        fields: names of columns.
        separator: by default it is detected.
        skipped: counts empty cells.
        where: conditions for a row to be read.

    Raises:
        CorpusError: a column is missing, a row has too few columns, or the text is not
            UTF-8.
    """
    csv.field_size_limit(_MOST_BYTES)
    text = io.TextIOWrapper(stream, "utf-8-sig", newline="")
    try:
        head = text.read(_SNIFFED)
        rows = csv.reader(_lines(head, text), _dialect(head, separator), strict=True)
        yield from _cells(rows, name, fields, skipped, where)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{name}: not UTF-8; convert the file to UTF-8") from error
    finally:
        text.detach()


def _cells(
    rows: Any,
    name: str,
    fields: Sequence[str],
    skipped: Skipped,
    where: Conditions,
) -> Iterator[str]:
    """Yield the cells of some columns that have text."""
    try:
        header: list[str] = next(rows, [])
        at = columns_of(header, fields, name)
        compared = _compared(header, where, name)
        for row in filter(None, rows):
            if len(row) <= max(at + compared):
                raise CorpusError(
                    f"{name}, line {rows.line_num}: has {len(row)} columns, but the "
                    f"header has {len(header)}; correct the line"
                )
            values = [row[column] for column in compared]
            if not where.hold(dict(zip(where.columns, values, strict=True)).get):
                continue
            cells = [row[column] for column in at]
            some = [cell for cell in cells if cell.strip()]
            skipped.nulls += len(cells) - len(some)
            yield from some
    except csv.Error as error:
        raise CorpusError(
            f"{name}, line {rows.line_num}: not valid CSV ({error})"
        ) from error


def read_parquet(
    file: Any,
    name: str,
    fields: Sequence[str],
    skipped: Skipped,
    where: Conditions = NO_CONDITIONS,
) -> Iterator[Any]:
    """Yield the fields of each row: text, or lists of items.

    Args:
        file: a path, or a file that can be sought.
        name: of the file, for messages.
        fields: names of columns; a dotted name is a field of a struct.
        skipped: counts nulls.
        where: conditions for a row to be read.

    Raises:
        CorpusError: the file is damaged, or a column is missing or of another type.
    """
    try:
        table = pq.ParquetFile(file)
        names = table.schema_arrow.names
        columns_of(names, [f.partition(".")[0] for f in fields], name)
        _compared(names, where, name)
        fields = fields or (DEFAULT_FIELD,)
        columns = list(dict.fromkeys([*fields, *where.columns]))
        for batch in table.iter_batches(_ROWS_AT_ONCE, columns=columns):
            for row in batch.to_pylist():
                if not where.hold(partial(_inside, row)):
                    continue
                for field in fields:
                    value = _inside(row, field)
                    if value is None:
                        skipped.nulls += 1
                    else:
                        yield _checked(value, name, field)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise CorpusError(f"{name}: damaged Parquet table ({reason})") from error


def columns_of(
    header: Sequence[str], fields: Sequence[str], name: str, setting: str = "field"
) -> list[int]:
    """Return the places of columns that a setting of the corpus names.

    Raises:
        CorpusError: one is missing.

    >>> columns_of(["id", "text"], [], "a.csv")
    [1]
    """
    if not fields and DEFAULT_FIELD not in header:
        raise CorpusError(
            f"{name}: a table; set corpus.field to the column with the text: "
            f"{listed(list(header), 20)}; or, if each line is a list of items, set "
            "corpus.separator"
        )
    for field in fields:
        if field not in header:
            raise CorpusError(
                f"{name}: no column {field}; set corpus.{setting} to one of "
                f"{listed(list(header), 20)}"
            )
    return [list(header).index(field) for field in fields or (DEFAULT_FIELD,)]


def _compared(header: Sequence[str], where: Conditions, name: str) -> list[int]:
    """Return the places of the columns, or of the structs, that conditions compare."""
    columns = [
        column if column in header else column.partition(".")[0]
        for column in where.columns
    ]
    return columns_of(header, columns, name, "where") if columns else []


def _inside(record: Any, field: str) -> Any:
    """Return a field by its dotted key; None if it is missing."""
    if isinstance(record, dict) and field in record:
        return record[field]
    for key in field.split("."):
        if not isinstance(record, dict):
            return None
        record = record.get(key)
    return record


def _checked(value: Any, where: str, field: str) -> Any:
    """Return text or a list of items; numbers become text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | list):
        raise CorpusError(
            f"{where}: {field} is a {type(value).__name__}, not text or a list; set "
            "corpus.field to another field"
        )
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, str | int | float) and item is not None:
                raise CorpusError(
                    f"{where}: {field} is a list of {type(item).__name__}, not of "
                    "items; set corpus.field to another field"
                )
        return [str(item) for item in value if item is not None]
    return str(value)


def _dialect(head: str, separator: str | None) -> Any:
    if separator is None:
        try:
            separator = csv.Sniffer().sniff(head, _MARKS).delimiter
        except csv.Error:
            separator = max(_MARKS, key=head.partition("\n")[0].count)

    mark = separator

    class Dialect(csv.excel):
        delimiter = mark

    return Dialect


def _lines(head: str, text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines of a text whose beginning has been read."""
    for line in io.StringIO(head, newline=""):
        yield line if line.endswith("\n") else line + text.readline(_MOST_BYTES)
    while line := text.readline(_MOST_BYTES):
        yield line
