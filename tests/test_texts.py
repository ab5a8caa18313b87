import bz2
import csv
import gzip
import html
import io
import json
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus import reader, texts
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare
from sg_train.errors import CorpusError, SettingsError
from tests.conftest import ROOT, Command

# 200 paragraphs of prose, without the signs that a format would change.
LINES = [
    " ".join(line.replace("\x02", " ").split())
    for line in (ROOT / "data/sotu.txt").read_text(encoding="utf-8").splitlines()[:200]
]


def as_vertical(lines: list[str]) -> str:
    tokens = ("".join(f"{word}\tX\n" for word in line.split()) for line in lines)
    return "".join(f"<s>\n{some}</s>\n" for some in tokens)


def paragraphs(lines: list[str], mark: str = "") -> str:
    return "\n".join(f"<p>{html.escape(line)}{mark}" for line in lines)


def as_xml(lines: list[str]) -> str:
    return f"<TEI><text>{paragraphs(lines, '</p>')}</text></TEI>"


def as_html(lines: list[str]) -> str:
    return f"<!doctype html><body>{paragraphs(lines)}"


def as_wrapped(lines: list[str]) -> str:
    return "\n\n".join(textwrap.fill(x, break_on_hyphens=False) for x in lines)


def as_dos(lines: list[str]) -> str:
    return "\r\n\r\n".join(line.replace(", ", ",\r\n") for line in lines)


def as_jsonl(lines: list[str]) -> str:
    return "".join(json.dumps({"text": line}) + "\n" for line in lines)


def as_csv(lines: list[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["id", "text"], *enumerate(lines)])
    return out.getvalue()


FORMS: dict[str, tuple[Callable[[list[str]], str], dict[str, object]]] = {
    "xml": (as_xml, {}),
    "html": (as_html, {}),
    "vertical": (as_vertical, {}),
    "wrapped": (as_wrapped, {"sentence": "paragraph"}),
    "dos": (as_dos, {"sentence": "paragraph"}),
    "jsonl": (as_jsonl, {}),
    "csv": (as_csv, {"format": "csv"}),
}


def prepared(out: str, paths: list[str], **settings) -> EncodedCorpus:
    corpus = CorpusConfig.model_validate({"paths": paths, **settings})
    return prepare(corpus, VocabularyConfig(min_count=1), Path(out), 1, overwrite=True)


def sentences(corpus: EncodedCorpus) -> list[list[str]]:
    block = corpus.sentences(0, corpus.meta.sentences)
    words = np.array(corpus.vocabulary.words, dtype=object)[block.ids].tolist()
    return [words[a:b] for a, b in pairwise(block.offsets.tolist())]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_text_in_another_format_is_the_same(form: str) -> None:
    Path("plain").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    expected = prepared("a", ["plain"])
    write, settings = FORMS[form]
    Path("other").write_bytes(write(LINES).encode())
    found = prepared("b", ["other"], **settings)
    assert found.vocabulary.words == expected.vocabulary.words
    assert found.vocabulary.counts.tolist() == expected.vocabulary.counts.tolist()
    assert sentences(found) == sentences(expected)


def test_a_directory_is_read_file_by_file(caplog) -> None:
    Path("d").mkdir()
    Path("d/a.txt").write_text("one two\n")
    Path("d/b.xml").write_bytes(gzip.compress(b"<t><p>three four</p></t>"))
    Path("d/c.xml").write_text("<t><p>five six</p></t>")
    Path("d/e.jsonl").write_bytes(bz2.compress(b'{"text": "seven eight"}\n{"a": 1}\n'))
    found = sentences(prepared("c", ["d"]))
    assert found == [
        ["one", "two"],
        ["three", "four"],
        ["five", "six"],
        ["seven", "eight"],
    ]
    assert "2 of 4 files: read as XML" in caplog.messages
    assert "1 of 4 files: read as JSON lines" in caplog.messages
    assert "empty fields skipped: 1" in caplog.messages
    caplog.clear()
    prepared("c", ["d/a.txt"])
    assert caplog.messages == []


def test_tables_are_read_by_their_columns() -> None:
    columns = {"body": ["one two\nthree", "four"], "title": ["Five", None]}
    pq.write_table(pa.table(columns), "t.parquet")
    found = prepared("c", ["t.parquet"], field=["title", "body"])
    assert sentences(found) == [["five"], ["one", "two"], ["three"], ["four"]]
    found = prepared("c", ["t.parquet"], field=["body"], sentence="document")
    assert sentences(found) == [["one", "two", "three"], ["four"]]


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [("words", ["red", "shoes", "sku", "1"]), ("whitespace", ["Red_shoes", "SKU-1"])],
)
def test_lists_are_sequences(tokenizer: str, words: list[str]) -> None:
    Path("t.jsonl").write_text('{"text": ["Red shoes", "SKU-1"]}\n')
    found = prepared("c", ["t.jsonl"], tokenizer=tokenizer)
    assert sentences(found) == [words]


def test_events_become_sequences(sg_train: Command) -> None:
    rows = {
        "user": [1, 2, 1, 2, 1],
        "item": ["A-1", "B 2", "c", "A-1", "d"],
        "at": [3, 1, 2, 0, 1],
    }
    pq.write_table(pa.table(rows), "e.parquet")
    sets = ("field=item", "group_by=user", "order_by=at")
    arguments = [word for name in sets for word in ("--set", f"corpus.{name}")]
    result = sg_train(
        "prepare",
        "e.parquet",
        "--out",
        "c",
        "--set",
        "vocabulary.min_count=1",
        *arguments,
    )
    assert result.exit_code == 0, result.output
    assert "e.parquet: read as Parquet" in result.stderr
    found = EncodedCorpus.load(Path("c"))
    assert sentences(found) == [["d", "c", "A-1"], ["A-1", "B_2"]]


def test_lines_of_items_are_split_at_a_separator(sg_train: Command) -> None:
    Path("baskets.csv").write_text("Red shoes, SKU-1\nSKU-1\tx,Red shoes\n")
    result = sg_train(
        *("prepare", "baskets.csv", "--out", "c", "--set", "corpus.separator=,"),
        *("--set", "vocabulary.min_count=1"),
    )
    assert result.exit_code == 0, result.output
    found = EncodedCorpus.load(Path("c"))
    assert sentences(found) == [["Red_shoes", "SKU-1"], ["SKU-1_x", "Red_shoes"]]


@pytest.mark.parametrize("tab", [r"\t", '"\\t"', "\t"])
def test_a_tab_separates_items(sg_train: Command, tab: str) -> None:
    Path("baskets.txt").write_text("Red shoes\tSKU-1\nSKU-1\tRed shoes\n")
    result = sg_train(
        *("prepare", "baskets.txt", "--out", "c", "--set", f"corpus.separator={tab}"),
        *("--set", "vocabulary.min_count=1"),
    )
    assert result.exit_code == 0, result.output
    found = EncodedCorpus.load(Path("c"))
    assert sentences(found) == [["Red_shoes", "SKU-1"], ["SKU-1", "Red_shoes"]]


def test_standard_input_is_recognised(sg_train: Command) -> None:
    text = "<t><p>one two</p><p>one two</p></t>"
    for content in (text.encode(), gzip.compress(text.encode())):
        result = sg_train(
            *("prepare", "-", "--out", "c", "--overwrite"),
            *("--set", "vocabulary.min_count=1"),
            input=content,
        )
        assert result.exit_code == 0, result.output
        assert EncodedCorpus.load(Path("c")).words == 4


def test_wrapped_text_is_noticed(caplog) -> None:
    some = [" ".join(LINES[i : i + 5]) for i in range(0, len(LINES), 5)]
    text = "\n\n".join(textwrap.fill(paragraph, width=60) for paragraph in some)
    Path("w.txt").write_text(text)
    prepared("c", ["w.txt"])
    assert "w.txt: its lines look as if sentences continued" in caplog.text
    caplog.clear()
    prepared("c", ["w.txt"], sentence="paragraph")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"group_by": "a"}, "group_by: needs one column of items in field"),
        ({"order_by": "a"}, "order_by: needs group_by"),
        ({"dehyphenate": True}, "dehyphenate: needs sentence to be paragraph"),
        ({"separator": "ab"}, "should have at most 1 character"),
        ({"format": "docx"}, "format"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Config().with_settings({f"corpus.{k}": v for k, v in settings.items()})


@pytest.mark.parametrize(
    ("files", "settings", "message"),
    [
        (
            {"t.txt": "one two\n"},
            {"field": ["p"]},
            "plain text has no fields, but corpus",
        ),
        ({"t.html": "<!doctype html>a b"}, {"field": ["p"]}, "HTML has no fields"),
        (
            {"t.txt": "a b\n"},
            {"field": ["a"], "group_by": "b"},
            "t.txt: not a table, so",
        ),
        (
            {"a.csv": "u,i\n1,2\n", "b.jsonl": '{"u": 1, "i": 2}\n'},
            {"field": ["i"], "group_by": "u"},
            "a.csv and .*b.jsonl: tables of different formats, or compressed diff",
        ),
        (
            {"t.txt": "no xml\n"},
            {"format": "xml"},
            "t.txt, line 1: not well-formed XML",
        ),
        (
            {"t.txt": "a\tb\n"},
            {"format": "vertical", "field": ["3"]},
            "column 3 is missing",
        ),
        ({"t.vert": "<s>\n" + "\xff\tX\n" * 9}, {}, "invalid UTF-8|not well-formed"),
    ],
)
def test_what_does_not_fit_is_refused(files, settings, message: str) -> None:
    Path("d").mkdir()
    for name, text in files.items():
        Path("d", name).write_text(text, encoding="latin-1")
    with pytest.raises(CorpusError, match=message):
        prepared("c", ["d"], **settings)
    assert not Path("c").exists()


def test_standard_input_cannot_be_grouped(sg_train: Command) -> None:
    line = sg_train.refused(
        *("prepare", "-", "--out", "c", "--set", "corpus.field=i"),
        *("--set", "corpus.group_by=u"),
        input="u,i\n1,2\n",
    )
    assert "standard input: cannot be grouped" in line


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_line_ends_of_dos_may_lie_between_chunks(monkeypatch, size: int) -> None:
    monkeypatch.setattr(reader, "CHUNK_BYTES", size)
    monkeypatch.setattr(texts, "_CHUNK", size)
    Path("t.txt").write_bytes(b"ab cd\r\nef\r\n\r\ngh ij\r\n\rk l\r")
    found = sentences(prepared("c", ["t.txt"], sentence="paragraph"))
    assert found == [["ab", "cd", "ef"], ["gh", "ij"], ["k", "l"]]
    Path("t.jsonl").write_text('{"text": "a b"}\n{"text": "c d"}\n')
    assert sentences(prepared("c", ["t.jsonl"])) == [["a", "b"], ["c", "d"]]


def test_fields_have_sentences_as_texts_do() -> None:
    record = {"text": "one exam-\nple\n\ntwo of\nthem"}
    Path("t.jsonl").write_text(json.dumps(record) + "\n")
    found = prepared("c", ["t.jsonl"], sentence="paragraph", dehyphenate=True)
    assert sentences(found) == [["one", "example"], ["two", "of", "them"]]
