import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sg_train.corpus.formats.detect import HEAD_BYTES, format_of
from sg_train.errors import CorpusError
from tests.conftest import ROOT

VERTICAL = "<doc>\n<s>\n" + "the\tDT\tthe\n" * 9 + "</s>\n</doc>\n"
PARQUET = io.BytesIO()
pq.write_table(pa.table({"text": ["a"]}), PARQUET)


@pytest.mark.parametrize(
    ("text", "name", "form"),
    [
        ("one two\nthree\n", "a.txt", "text"),
        ("one two\nthree\n", "a.xml", "text"),
        ("", "a.csv", "text"),
        ("1 < 2, or <3\n", "a", "text"),
        ("<3 is a heart\n", "a", "text"),
        ("a <b>bold</b> word\n", "a", "text"),
        ("{curly} words\n", "a", "text"),
        ("[1] a footnote\n", "a", "text"),
        ("word\tcount\n" * 9, "a", "text"),
        ('<?xml version="1.0"?>\n<TEI><p>a</p></TEI>', "a.txt", "xml"),
        ("<TEI xmlns='x'><text><p>a</p></text></TEI>", "a", "xml"),
        ("\n <t>" + "<p>a</p>" * 20_000 + "</t>", "a", "xml"),
        ("<!DOCTYPE TEI><TEI/>", "a", "xml"),
        ("<!DOCTYPE html><p>a", "a.txt", "html"),
        ("<!-- a --><HTML lang='cs'>", "a", "html"),
        ('<?xml version="1.0"?><html xmlns="x"><p>a</p></html>', "a", "html"),
        (VERTICAL, "a.vert", "vertical"),
        (VERTICAL.replace("\tDT\tthe", ""), "a", "vertical"),
        ('{"text": "a"}\n{"text": "b"}\n', "a.txt", "jsonl"),
        ('{"a": 1}', "a", "jsonl"),
        ('{"text": "' + "a" * 2 * HEAD_BYTES + '"}\n', "a.jsonl", "jsonl"),
        ("id,text\n1,one two\n", "a.csv", "csv"),
        ("id;text\n1;one two\n", "A.CSV.gz", "csv"),
        ("id\ttext\n" * 9, "a.tsv", "csv"),
        ("one, two and three\n", "a.txt", "text"),
    ],
)
def test_the_content_decides(text: str, name: str, form: str) -> None:
    assert format_of(text.encode()[:HEAD_BYTES], name) == form


def test_parquet_is_recognised() -> None:
    assert format_of(PARQUET.getvalue(), "a.txt") == "parquet"
    assert format_of(gzip.compress(b"x"), "a.parquet") == "text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "<b>Bold</b> words first\n",
            "not well-formed XML; give --set corpus.format=text",
        ),
        ("<p>one\n<p>two\n", "corpus.format=text or --set corpus.format=html"),
        ('[{"a": 1}]', "JSON, but not one record per line; convert it"),
        ('{\n  "a": 1,\n', "JSON, but not one record per line"),
        ("a\tb\tc\n" * 9, "has 3 columns .*corpus.format=vertical, .*csv or .*text"),
    ],
)
def test_what_could_be_two_formats_is_refused(text: str, message: str) -> None:
    with pytest.raises(CorpusError, match=f"f: .*{message}"):
        format_of(text.encode(), "f")


@pytest.mark.parametrize("name", ["data/sotu.txt", "README.md", "CHANGELOG.md"])
def test_texts_are_texts(name: str) -> None:
    assert format_of((ROOT / name).read_bytes()[:HEAD_BYTES], name) == "text"
