import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.formats.records import read_csv, read_jsonl, read_parquet
from sg_train.corpus.formats.skipped import Skipped
from sg_train.errors import CorpusError

texts = st.text(max_size=9).filter(
    lambda text: text.strip() and not {"\0", "\r"} & {*text}
)


def jsonl(text: str, *fields: str, skipped: Skipped | None = None) -> list[Any]:
    stream = io.BytesIO(text.encode())
    return list(read_jsonl(stream, "f", fields, skipped or Skipped()))


def table(text: str | bytes, *fields: str, separator=None, skipped=None) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    stream = io.BufferedReader(io.BytesIO(content))
    return list(read_csv(stream, "f", fields, separator, skipped or Skipped()))


def parquet(
    columns: dict[str, Any], *fields: str, skipped: Skipped | None = None
) -> list[Any]:
    pq.write_table(pa.table(columns), "t.parquet")
    return list(read_parquet("t.parquet", "f", fields, skipped or Skipped()))


# --- JSON lines --------------------------------------------------------------------


def test_fields_are_named_by_dotted_keys() -> None:
    text = '{"text": "a b", "x": {"y": "c", "z": ["d", 1, null]}, "x.y": "e"}\n\n'
    assert jsonl(text) == ["a b"]
    assert jsonl(text, "text", "x.z") == ["a b", ["d", "1"]]
    assert jsonl(text, "x.y") == ["e"]
    assert jsonl('{"x": {"y": 2}}', "x.y") == ["2"]


def test_missing_fields_and_nulls_are_counted() -> None:
    skipped = Skipped()
    text = '{"text": "a"}\n{"text": null}\n{"other": 1}\n{"text": {"a": 1}}'
    assert jsonl(text.rpartition("\n")[0], skipped=skipped) == ["a"]
    assert skipped.nulls == 2


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ('{"text": "a"}\n{"text": ', "text", r"f, line 2: not valid JSON \("),
        ('{"text": "a"}\n["b"]\n', "text", "f, line 2: not a record"),
        ('{"text": {"a": 1}}', "text", "f, line 1: text is a dict, not text or a list"),
        ('{"text": true}', "text", "text is a bool"),
        ('{"text": [["a"]]}', "text", "text is a list of list"),
        ('{"a": 1, "b": 2}', "text", "for text; set corpus.field to one of a, b"),
        ('{"text": "\\ud800', "text", "not valid JSON"),
        ("[" * 100_000, "text", "not valid JSON"),
    ],
)
def test_faulty_records_are_refused_with_their_line(
    text: str, field: str, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        jsonl(text, field)


def test_endless_lines_are_refused(monkeypatch) -> None:
    monkeypatch.setattr("sg_train.corpus.formats.records._MOST_BYTES", 20)
    with pytest.raises(CorpusError, match="f, line 1: longer than 20 bytes"):
        jsonl('{"text": "' + "a" * 20)


@given(st.lists(texts, min_size=1, max_size=9), st.booleans())
def test_json_lines_that_are_written_are_read(values: list[str], ascii: bool) -> None:
    lines = [json.dumps({"text": value}, ensure_ascii=ascii) for value in values]
    assert jsonl("\n".join(lines)) == values


# --- CSV ---------------------------------------------------------------------------


@given(
    st.lists(texts, min_size=1, max_size=9),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
)
def test_tables_that_are_written_are_read(
    values: list[str], mark: str, end: str
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=mark, lineterminator=end)
    writer.writerow(["id", "text", "more"])
    writer.writerows((number, value, "x") for number, value in enumerate(values))
    found = table(out.getvalue().encode(errors="replace"), separator=mark)
    assert found == [value.encode(errors="replace").decode() for value in values]


@pytest.mark.parametrize("mark", ",;\t|")
def test_the_separator_is_detected(mark: str) -> None:
    text = f'id{mark}text\n1{mark}"a{mark} b"\n2{mark}c d\n'
    assert table(text) == [f"a{mark} b", "c d"]


def test_long_tables_are_read_to_their_end(monkeypatch) -> None:
    monkeypatch.setattr("sg_train.corpus.formats.records._SNIFFED", 100)
    values = [f'line {i}\nof "two"' for i in range(99)]
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["text", "n"], *([value, "1"] for value in values)])
    assert table("\ufeff" + out.getvalue()) == values


def test_several_columns_are_several_sentences_and_empty_cells_are_counted() -> None:
    skipped = Skipped()
    found = table("a,b,c\n1,,3\n\n4,5,6\n", "c", "b", skipped=skipped)
    assert found == ["3", "6", "5"]
    assert skipped.nulls == 1


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("a,b\n1,2\n", [], "f: a table; set corpus.field to the column .*: a, b"),
        ("a,b\n1,2\n", ["c"], "f: no column c; set corpus.field to one of a, b"),
        ("a,b\n1,2\n3\n", ["b"], "f, line 3: has 1 columns, but the header has 2"),
        ('a,b\n1,"2\n', ["b"], "not valid CSV"),
        (b"a,b\n1,\xff\n", ["b"], "not UTF-8"),
        ("", ["a"], "no column a"),
    ],
)
def test_faulty_tables_are_refused(text, fields: list[str], message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        table(text, *fields)


# --- Parquet -----------------------------------------------------------------------


@given(st.lists(st.none() | texts, max_size=9))
def test_columns_that_are_written_are_read(values: list[str | None]) -> None:
    skipped = Skipped()
    column = pa.array(
        [v and v.encode(errors="replace").decode() for v in values], pa.string()
    )
    found = parquet(
        {"text": column, "n": pa.array(range(len(values)))}, skipped=skipped
    )
    assert found == [value for value in column.to_pylist() if value is not None]
    assert skipped.nulls == column.null_count


def test_lists_structs_and_numbers_are_read() -> None:
    columns = {
        "items": [["a", "b c"], None, []],
        "post": [{"body": "x"}, {"body": None}, {"body": "y"}],
        "sku": [1, 2, 3],
    }
    assert parquet(columns, "items") == [["a", "b c"], []]
    assert parquet(columns, "post.body") == ["x", "y"]
    assert parquet(columns, "sku") == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("none", "f: no column none; set corpus.field to one of day, text"),
        ("day", "day is a date, not text or a list"),
    ],
)
def test_wrong_columns_are_refused(field: str, message: str) -> None:
    column = pa.array([0], pa.date32())
    with pytest.raises(CorpusError, match=message):
        parquet({"day": column, "text": ["a"]}, field)


def test_a_damaged_table_is_refused() -> None:
    parquet({"text": ["a"] * 99})
    content = Path("t.parquet").read_bytes()
    for damaged in (content[:-20], content[:4] + content[9:], b"PAR1"):
        Path("t.parquet").write_bytes(damaged)
        with pytest.raises(CorpusError, match="f: damaged Parquet table"):
            list(read_parquet("t.parquet", "f", [], Skipped()))
