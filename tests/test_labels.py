import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import SettingsError
from sg_train.reports.labels import Labels, parse_groups, split_words_at_commas

CELLS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="\t"), min_size=1
)


@given(st.dictionaries(CELLS, st.tuples(CELLS, CELLS), min_size=1), st.booleans())
def test_a_table_is_read_back(table: dict[str, tuple[str, str]], tabs: bool) -> None:
    out = io.StringIO()
    if tabs:
        lines = ["\t".join((word, *more)) for word, more in table.items()]
        out.write("word\tlabel\tgroup\n" + "".join(f"{line}\n" for line in lines))
    else:
        rows = [("word", "label", "group"), *((w, *more) for w, more in table.items())]
        csv.writer(out).writerows(rows)
    Path("l").write_text(out.getvalue(), encoding="utf-8", newline="")
    labels = Labels.load(Path("l"))
    assert labels.names == {word: name for word, (name, _) in table.items()}
    assert labels.groups == {word: group for word, (_, group) in table.items()}


def test_groups_and_a_header_may_be_missing() -> None:
    Path("l").write_text("\ufeffSKU1\tRed shoes\n\nSKU2\t\tshoes\nSKU3\t \t \n")
    labels = Labels.load(Path("l"))
    assert labels.names == {"SKU1": "Red shoes", "SKU2": "SKU2", "SKU3": "SKU3"}
    assert labels.groups == {"SKU2": "shoes"}
    assert list(labels.columns) == ["label", "group"]
    assert list(Labels({"a": "b"}).columns) == ["label"]
    assert Labels().columns == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("SKU1 Red\n", "l, line 1: 1 columns, expected a word, its label and"),
        ("a\tb\nc\td\te\tf\n", "l, line 2: 4 columns, expected"),
        ("\tb\n", "l, line 1: 2 columns, expected a word"),
        ("a,b\nc,d\na,e\n", "l, line 3: 'a' is there twice; keep one row"),
        ("word,label\n", "l: holds no labels"),
        ("", "l: holds no labels"),
        (b"\xff\t\xff\n", "cannot read l: it is not UTF-8"),
    ],
)
def test_a_faulty_table_is_refused(content: str | bytes, complaint: str) -> None:
    raw = content if isinstance(content, bytes) else content.encode()
    Path("l").write_bytes(raw)
    with pytest.raises(SettingsError, match=complaint):
        Labels.load(Path("l"))


def test_a_table_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="cannot read l: No such file"):
        Labels.load(Path("l"))


def test_groups_are_words_under_a_name() -> None:
    groups = parse_groups(["cities=Praha,Brno", 'money="1,000",Kč', "cities=Plzeň"])
    assert groups == {"cities": ["Praha", "Brno", "Plzeň"], "money": ["1,000", "Kč"]}


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["cities"], "--group cities: expected a name and words, as in cities=Praha"),
        (["=a,b"], "--group =a,b: expected a name"),
        (["a="], "--group a=: expected a name"),
        (["a=b,,c"], "--group a=b,,c: contains an empty word"),
        (["a=b", "c=b"], "--group: 'b' is in a and in c; choose one"),
    ],
)
def test_faulty_groups_are_refused(texts: list[str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse_groups(texts)


def test_an_open_quote_is_refused() -> None:
    with pytest.raises(SettingsError, match="--words: unexpected end of data"):
        split_words_at_commas('a,"b', "--words")


def test_a_quote_that_does_not_end_and_a_huge_field_are_refused() -> None:
    Path("l").write_text('the,"THE\nof,OF\n')
    with pytest.raises(SettingsError, match=r"l, line \d: unexpected end of data"):
        Labels.load(Path("l"))
    Path("l").write_text("the," + "x" * 200_000)
    limit = csv.field_size_limit(131_072)  # reading CSV corpora raises it
    try:
        with pytest.raises(
            SettingsError, match="l, line 1: field larger than field li"
        ):
            Labels.load(Path("l"))
    finally:
        csv.field_size_limit(limit)


def test_only_line_feeds_end_lines() -> None:
    Path("l").write_text("a\tA\x0cB\tg\r\nb\tB\u2028C\n", newline="")
    assert Labels.load(Path("l")).names == {"a": "A\x0cB", "b": "B\u2028C"}
