import gzip
import json
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.corpus.formats import events
from sg_train.corpus.formats.events import Events, read_events
from sg_train.corpus.formats.skipped import Skipped
from sg_train.errors import CorpusError

rows = st.lists(
    st.tuples(
        st.none() | st.integers(0, 3),
        st.none() | st.sampled_from(["a", "b c", 'q"', "é"]),
        st.integers(0, 10**6),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda row: row[2],
)


def write(rows, form: str) -> str:
    if form == "parquet":
        users, items, times = zip(*rows, strict=True)
        columns = {
            "user id": pa.array(users, pa.int64()),
            "item": pa.array(items, pa.string()),
            "time": times,
        }
        pq.write_table(pa.table(columns), "t.parquet")
        return "t.parquet"
    names = ("user id", "item", "time")
    lines = [json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows]
    Path("compressed").write_bytes(gzip.compress("".join(lines).encode()))
    return "compressed"


def read(
    file: str, form: str, order: str | None = "time"
) -> tuple[list[list[str]], Skipped]:
    skipped = Skipped()
    kind = "gzip" if form == "jsonl" else "none"
    table = Events([file], form, "item", "user id", order, compression=kind)
    text = b"".join(read_events(table, skipped)).decode()
    assert text.endswith("\n")
    return [line.split(" ") for line in text.split("\n") if line], skipped


def expected(rows, *, ordered: bool) -> list[list[str]]:
    some = [row for row in rows if row[0] is not None and row[1] is not None]
    some = sorted(some, key=lambda row: (row[0], row[2] * ordered))
    return [
        [item.replace(" ", "_") for _, item, _ in group]
        for _, group in groupby(some, key=lambda row: row[0])
    ]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows, st.sampled_from(["parquet", "jsonl"]), st.booleans(), st.integers(1, 40))
def test_equal_values_make_sequences(
    monkeypatch, rows, form: str, ordered: bool, at_once: int
) -> None:
    monkeypatch.setattr(events, "_ROWS_AT_ONCE", at_once)
    if all(row[1] is None for row in rows) or all(row[0] is None for row in rows):
        return
    found, skipped = read(write(rows, form), form, "time" if ordered else None)
    assert found == expected(rows, ordered=ordered)
    assert skipped.nulls == sum(None in row[:2] for row in rows)


def test_csv_is_read_with_its_separator() -> None:
    Path("t.csv").write_text("u;i\n1;a\n2;b\n1;c d\n")
    for separator in (None, ";"):
        table = Events(["t.csv"], "csv", "i", "u", separator=separator)
        lines = read_events(table, Skipped())
        assert b"".join(lines) == b"\na c_d\nb\n"


@pytest.mark.parametrize(
    ("item", "content", "message"),
    [
        ("none", b"u,i\n1,a\n", "t.csv: no column none; the columns are u, i"),
        ('i"; DROP', b"u,i\n1,a\n", "no column i"),
        ("i", b"", "t.csv: "),
        ("[1, 2] AS i", b"u,i\n1,a\n", "no column"),
        ("i", b"u,i\n1,\xff\xfe\n", r"t.csv: cannot be read as csv \("),
    ],
)
def test_what_cannot_be_read_is_refused(
    item: str, content: bytes, message: str
) -> None:
    Path("t.csv").write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        list(read_events(Events(["t.csv"], "csv", item, "u"), Skipped()))


def test_items_of_other_types_are_text() -> None:
    columns = {"u": [1, 1, 1], "n": [3, 1, 2], "x": [0.5, 1.0, 2.0]}
    pq.write_table(pa.table({**columns, "l": [[1], [2], [3]]}), "t.parquet")
    for item, text in (("n", b"\n1 2 3\n"), ("x", b"\n1 2 0.5\n")):
        table = Events(["t.parquet"], "parquet", item, "u", "n")
        assert b"".join(read_events(table, Skipped())) == text
    with pytest.raises(CorpusError, match="cannot be read as parquet"):
        list(read_events(Events(["t.parquet"], "parquet", "l", "u"), Skipped()))
