import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.formats.layout import (
    dehyphenated,
    is_wrapped,
    join_lines,
    split_items,
)
from tests.conftest import ROOT


def joined(text: str, unit="paragraph", *, size: int = 1 << 20, hyphens=False) -> str:
    data = text.encode()
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    return b"".join(join_lines(chunks, unit, dehyphenates=hyphens)).decode()


lines = st.lists(st.sampled_from(["a b", "c", "", " ", " d "]), max_size=12)


@given(lines, st.integers(1, 9))
def test_an_empty_line_ends_a_paragraph(lines: list[str], size: int) -> None:
    paragraphs: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            paragraphs[-1].append(line.strip())
        else:
            paragraphs.append([])
    expected = [" ".join(paragraph) for paragraph in paragraphs if paragraph]
    text = "\n".join(lines) + "\n"
    for unit, sentences in (
        ("paragraph", expected),
        ("document", expected and [" ".join(expected)]),
    ):
        found = joined(text, unit, size=size).split("\n")
        assert [" ".join(s.split()) for s in found if s.strip()] == sentences


def test_a_document_is_one_sentence() -> None:
    assert joined("one\ntwo\n\nthree", "document") == "one two three\n"


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("exam-\nple", "example\n"),
        ("exam\u2010\n  ple of", "example\n of"),
        ("soft\u00ad\nly", "softly\n"),
        ("well-\nknown and well-known", "well-known\n and well-known"),
        ("Well-\nknown and well-known", "Well-known\n and well-known"),
        ("soft\u00ad\nly, soft-ly", "softly\n, soft-ly"),
        ("1914-\n1918", "1914-\n1918"),
        ("Jean-\nPaul", "Jean-\nPaul"),  # a name, not a divided word
        ("a dash -\nlike this", "a dash -\nlike this"),
        ("čaj-\nový", "čajový\n"),
    ],
)
def test_divided_words_are_joined(text: str, joined: str) -> None:
    assert dehyphenated(text, set()) == joined


def test_a_text_that_a_script_wraps_is_restored() -> None:
    """Divide every long word at line ends; nearly all words come back."""
    words = (ROOT / "data/sotu.txt").read_text(encoding="utf-8").split()[:20_000]
    lines, line = [], ""
    for word in words:
        room = 60 - len(line)
        if len(word) > room > 3 and len(word) > 7 and word.isalpha():
            lines.append(f"{line} {word[:room]}-")
            line = word[room:]
        elif len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}"
    lines.append(line)
    text = "\n".join(lines)
    assert text.count("-\n") > 300
    found = joined(text, hyphens=True).split()
    wrong = set(found) - set(words)
    assert len(wrong) < 0.01 * text.count("-\n")
    assert abs(len(found) - len(words)) <= len(wrong) + 3


@pytest.mark.parametrize(
    ("text", "mark", "items"),
    [
        ("red shoes, hat\nhat,hat\n", ",", "red_shoes hat\nhat hat\n"),
        (" a ; b c;d \n", ";", "a b_c d\n"),
        ("a\tb c\td\n", "\t", "a b_c d\n"),
        ("a|b.c|d-e\n", "|", "a b.c d-e\n"),
        ("č·ď x\n", "·", "č ď_x\n"),
    ],
)
def test_items_are_kept_as_they_are(text: str, mark: str, items: str) -> None:
    (found,) = split_items([text.encode()], mark)
    assert found.decode() == items


def test_wrapped_text_is_detected() -> None:
    text = (ROOT / "data/sotu.txt").read_text(encoding="utf-8")[:50_000]
    assert not is_wrapped(text)
    assert not is_wrapped("word\n" * 1000)
    words, lines, line = text.split(), [], ""
    for word in words:
        if len(line) + len(word) > 70:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    assert is_wrapped("\n".join(lines) + "\n")
    assert not is_wrapped("\n".join(lines[:40]) + "\n")
