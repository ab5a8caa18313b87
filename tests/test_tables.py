import csv
import io
import json
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import SettingsError
from sg_train.reports.tables import (
    check_ending,
    decimals,
    neighbor_tables,
    save_table,
    write_text,
)
from sg_train.vectors.word_vectors import WordVectors

WORDS = ["plain", 'a "quoted" word', "comma, here", "tab\there", "ελληνικά", "Ω", "x"]


@pytest.fixture
def vectors() -> WordVectors:
    matrix = np.random.default_rng(1).normal(size=(len(WORDS), 5)).astype("f4")
    return WordVectors(WORDS, matrix)


def expected(vectors: WordVectors, top: int) -> list[tuple[str, str, float]]:
    return [
        (word, neighbor, cosine)
        for word in vectors.words
        for neighbor, cosine in vectors.neighbors(word, top)
    ]


@given(st.lists(st.floats(-1, 1, width=32), max_size=30))
def test_decimals_are_those_of_python(numbers: list[float]) -> None:
    array = np.array(numbers, np.float32)
    assert decimals(array).to_pylist() == [f"{x:.4f}" for x in array.tolist()]


def test_decimals_of_other_numbers() -> None:
    numbers = np.array([1.00001, -7, np.inf, np.nan, 0.28125, -1e-9], np.float32)
    found = decimals(numbers).to_pylist()
    assert found == ["1.0000", "-7.0000", "inf", "nan", "0.2812", "-0.0000"]
    assert decimals(numbers[:0]).to_pylist() == []


@pytest.mark.parametrize("ending", [".tsv", ".csv", ".jsonl", ".parquet"])
def test_every_format_holds_the_neighbours(vectors: WordVectors, ending: str) -> None:
    path = Path(f"table{ending}")
    save_table(path, neighbor_tables(vectors, vectors.neighbor_batches(None, 3)))
    rows = expected(vectors, 3)
    if ending == ".parquet":
        found = [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
        assert found == rows
        return
    if ending == ".jsonl":
        parsed = map(json.loads, path.read_text().splitlines())
        assert [tuple(row.values()) for row in parsed] == rows
        return
    texts = [[word, near, f"{cosine:.4f}"] for word, near, cosine in rows]
    if ending == ".csv":
        header, *lines = csv.reader(io.StringIO(path.read_text(), newline=""))
    else:
        header, *lines = (line.split("\t") for line in path.read_text().splitlines())
        texts = [[text.replace("\t", " ") for text in row] for row in texts]
    assert header == ["word", "neighbor", "cosine"]
    assert lines == texts


def test_a_wide_table_has_a_row_per_word(vectors: WordVectors) -> None:
    few = WordVectors(WORDS[:3], vectors.matrix[:3])
    batches = few.neighbor_batches(["comma, here", "plain"], 3, restrict=2)
    (table,) = neighbor_tables(few, batches, wide=True)
    near = few.neighbors("comma, here", restrict=2)
    (only,) = few.neighbors("plain", restrict=2)  # so the second is missing
    rows = [list(row.values()) for row in table.to_pylist()]
    assert rows == [["comma, here", *near[0], *near[1]], ["plain", *only, None, None]]
    text = io.BytesIO()
    write_text(text, [table])
    header, line, shorter = text.getvalue().decode().splitlines()
    assert header.split("\t")[-2:] == ["neighbor_2", "cosine_2"]
    assert line.split("\t")[:3] == ["comma, here", near[0][0], f"{near[0][1]:.4f}"]
    assert shorter.endswith(f"{only[1]:.4f}\t\t")


def test_several_parts_have_one_header() -> None:
    tables = [pa.table({"word": [str(i)]}) for i in range(3)]
    for header, first in ((True, b"word\n"), (False, b"")):
        text = io.BytesIO()
        write_text(text, tables, header=header)
        assert text.getvalue() == first + b"0\n1\n2\n"


def test_duckdb_reads_what_was_written(vectors: WordVectors) -> None:
    tables = list(neighbor_tables(vectors, vectors.neighbor_batches(None, 2)))
    for ending in ("csv", "parquet"):
        save_table(Path(f"t.{ending}"), tables)
        found = duckdb.sql(f"from 't.{ending}'").fetchall()
        for row, (word, near, cosine) in zip(found, expected(vectors, 2), strict=True):
            assert row[:2] == (word, near)
            assert row[2] == pytest.approx(cosine, abs=6e-5)


def test_other_endings_are_refused() -> None:
    with pytest.raises(SettingsError, match="t.xlsx: no format has the ending"):
        check_ending(Path("t.xlsx"))
    with pytest.raises(SettingsError, match=r"t: no format has the ending ''; use one"):
        save_table(Path("t"), [])
