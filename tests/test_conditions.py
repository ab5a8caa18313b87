"""Rows that are read, by the values of their columns."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from sg_train.corpus.formats.conditions import Condition, Conditions
from tests.conftest import Command

ROWS = [
    {"year": year, "author": author, "text": f"the {author} of {year} the end"}
    for year in range(1840, 1850)
    for author in ("poe", "lincoln")
]


@pytest.mark.parametrize(
    ("condition", "inside", "outside"),
    [
        ("year=1840..1899", [1840, "1899", 1850.5, "1899-05-01"], [1839, "1900", "x"]),
        (
            "year=..1899",
            ["-5", 1899],
            [1900, "", " ", "1,850", "1850s", [1850], {"a": 1}],
        ),
        ("year=1900..", [1900, "1e4"], [1899.9, "unknown", "", "1899?"]),
        ("year=1900", [1900, "1900.0", 1900.0], [1901, "1900-05-01"]),
        ("date=1840-03..1840-05", ["1840-03-01", "1840-05-31"], ["1840-06-01", "1840"]),
        ("author=Lincoln", ["Lincoln"], ["lincoln", "Lincolns", "", None]),
        ("date=1899..1899", ["1899-03-01"], ["1900-01-01", "1898-12-31"]),
        ("date=1899-03", ["1899-03"], ["1899-03-01"]),
        ("x=a=b", ["a=b"], ["a"]),
        ("x=true", [True, "true"], [False, "True"]),
    ],
)
def test_values_are_compared_as_numbers_or_as_text(condition, inside, outside) -> None:
    parsed = Condition.parse(condition)
    assert [value for value in inside if not parsed.holds(value)] == []
    assert [value for value in outside if parsed.holds(value)] == []


def test_all_conditions_must_hold() -> None:
    both = Conditions(["year=1842..1844", "author=poe"])
    assert both.columns == ["year", "author"]
    found = [row for row in ROWS if both.hold(row.get)]
    assert [row["year"] for row in found] == [1842, 1843, 1844]
    assert both.found == 3


def write(name: str) -> str:
    if name.endswith("csv"):
        pa.csv.write_csv(pa.Table.from_pylist(ROWS), name)
    elif name.endswith("parquet"):
        pq.write_table(pa.Table.from_pylist(ROWS), name)
    else:
        Path(name).write_text("\n".join(map(json.dumps, ROWS)))
    return name


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet"])
def test_a_slice_of_a_table_is_trained_on(sg_train: Command, name: str) -> None:
    command = ["prepare", write(name), "--set", "vocabulary.min_count=1", "--out", "c"]
    command.append("--set")
    result = sg_train(*command, "corpus.where=[year=1842..1844, author=poe]")
    assert result.exit_code == 0, result.stderr
    lines = Path("c/vocabulary.tsv").read_text().splitlines()
    counts = dict(line.split("\t") for line in lines)
    assert counts["poe"] == "3"
    assert counts["1843"] == "1"
    assert "lincoln" not in counts
    command[5] = "d"
    line = sg_train.refused(*command, "corpus.where=year=1950..")
    assert f"{name}: no row has year=1950.." in line
    if name != "t.jsonl":
        line = sg_train.refused(*command, "corpus.where=month=3")
        assert "no column month; set corpus.where to one of" in line
    else:
        line = sg_train.refused(*command, "corpus.where=month=3")
        assert "no row has month=3" in line


def test_where_needs_a_table(sg_train: Command, text: Path) -> None:
    command = ("prepare", text, "--out", "c", "--set")
    line = sg_train.refused(*command, "corpus.where=year=1840")
    assert "read as plain text, so it has no columns for corpus.where" in line
    for bad in ("year=1840..1850..1860", "year=1840...1850", "year=1899..1840"):
        assert f"'{bad}' is not" in sg_train.refused(*command, f"corpus.where={bad}")
    line = sg_train.refused(*command, "corpus.where=1840")
    assert "'1840' is not COLUMN=VALUE or COLUMN=LOW..HIGH" in line


def test_a_file_without_matching_rows_may_follow_others(sg_train: Command) -> None:
    Path("t").mkdir()
    for number, some in enumerate((ROWS[:10], ROWS[10:])):
        Path(f"t/{number}.jsonl").write_text("\n".join(map(json.dumps, some)))
    result = sg_train(
        *("prepare", "t", "--set", "vocabulary.min_count=1", "--out", "c"),
        *("--set", "corpus.where=year=1840..1841"),
    )
    assert result.exit_code == 0, result.stderr
