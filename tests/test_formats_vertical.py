import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.formats.vertical import read_vertical
from sg_train.errors import CorpusError

CONLL = (
    "# sent_id = 1\n# text = Vámonos al mar\n1-2\tVámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tVamos\tir\tV\t_\t_\t0\troot\t_\t_\n2\tnos\tnosotros\tP\t_\t_\t1\tobj\t_\t_\n"
    "2.1\tempty\tempty\tP\t_\t_\t1\tobj\t_\t_\n\n1\tmar\tmar\tN\t_\t_\t0\troot\t_\t_\n"
)


def read(text: str, field: str | None = None) -> list[str]:
    stream = io.BytesIO(text.encode())
    return [line.decode() for line in read_vertical(stream, "f", field)]


@pytest.mark.parametrize(
    ("text", "field", "sentences"),
    [
        ("a\tX\nb\tY\n", None, ["a b"]),
        ("a\tX\nb\tY", "2", ["X Y"]),
        ("<s>\na\nb\n</s>\n<s id='1'>\nc\n</s>\n", None, ["a b", "c"]),
        ("a\nb\n\nc\n", None, ["a b", "c"]),
        ("a\r\nb\r\n\r\nc\r\n", None, ["a b", "c"]),
        ("<p>\na\n<g/>\n.\n</p>\nb\n", None, ["a .", "b"]),
        ("New York\tNP\n\tX\n", None, ["New_York _"]),
        ("<\tSYM\n>\tSYM\n#\tSYM\n", None, ["< > #"]),
        (CONLL, None, ["Vamos nos", "mar"]),
        (CONLL, "3", ["ir nosotros", "mar"]),
        ("<doc>\n</doc>\n", None, []),
    ],
)
def test_sentences_end_at_tags_and_empty_lines(
    text: str, field: str | None, sentences: list[str]
) -> None:
    assert read(text, field) == sentences


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("a\tb\nc\n", "2", "f, line 2: has 1 columns, so column 2 is missing"),
        ("a\n", "lemma", "corpus.field=lemma: vertical text has no names"),
        ("a\n", "0", "corpus.field=0"),
        ("x" * 1_000_001, None, "f, line 1: longer than 1000000 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(
    text: str, field: str | None, message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        read(text, field)


words = st.text("abc<>", min_size=1, max_size=4)


@given(st.lists(st.lists(words, min_size=1, max_size=5), max_size=5), st.booleans())
def test_what_is_written_is_read(sentences: list[list[str]], tags: bool) -> None:
    begin, end = ("<s>\n", "</s>\n") if tags else ("", "\n")
    text = "".join(
        begin + "".join(f"{word}\tX\n" for word in sentence) + end
        for sentence in sentences
    )
    assert read(text) == [" ".join(sentence) for sentence in sentences]
