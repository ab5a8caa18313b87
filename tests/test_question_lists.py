import io
import sys
from pathlib import Path

import pytest

from sg_train.errors import VectorsError
from sg_train.vectors.question_lists import read_questions


def read(text: str | bytes, size: int) -> list[tuple[str, ...]]:
    content = text.encode() if isinstance(text, str) else text
    Path("q.txt").write_bytes(content)
    return read_questions("q.txt", size)


@pytest.mark.parametrize(
    ("text", "size", "questions"),
    [
        ("a\nb\n", 1, [("a",), ("b",)]),
        ("\ufeffnew york\r\n\r\n #tag \r\n", 1, [("new york",), ("#tag",)]),
        ("a b\n c   d \n", 2, [("a", "b"), ("c", "d")]),
        ("new york\tparis\n", 2, [("new york", "paris")]),
        ("a b c", 3, [("a", "b", "c")]),
    ],
)
def test_a_line_is_a_question(text: str, size: int, questions: object) -> None:
    assert read(text, size) == questions


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("a b\nc\n", 2, "q.txt, line 2: expected two words, not 'c'"),
        ("a b c\n", 2, "q.txt, line 1: expected two words, not 'a b c'"),
        ("a\tb\n", 1, "q.txt, line 1: expected one word, not 'a"),
        ("a\t\tb\n", 3, "q.txt, line 1: expected three words"),
        ("\n \n", 1, "q.txt: contains no questions; give one per line"),
        (b"a\nb\xff\n", 1, "q.txt, line 2: not UTF-8"),
        (b"PK\x03\x04" + b"\0" * 40, 1, "q.txt: a zip archive, not text"),
    ],
)
def test_other_lines_are_named(text: str | bytes, size: int, message: str) -> None:
    with pytest.raises(VectorsError, match=message):
        read(text, size)


def test_files_that_cannot_be_read() -> None:
    with pytest.raises(VectorsError, match="cannot read no.txt: No such file"):
        read_questions("no.txt", 1)
    with pytest.raises(VectorsError, match="cannot read '': Is a directory; give"):
        read_questions("", 1)


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO("ä\nb\n".encode()))
    monkeypatch.setattr(sys, "stdin", given)
    assert read_questions("-", 1) == [("ä",), ("b",)]
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(VectorsError, match="-: standard input is closed; give a file"):
        read_questions("-", 1)
