"""Vertical text: one token per line, columns separated by tabs, structure as tags.

Also CoNLL-U, whose sentences end with an empty line and whose first column is a number.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from sg_train.errors import CorpusError

_TAG = re.compile(rb"<(/?)([A-Za-z][\w:.-]*)(\s[^<>]*)?/?>")
_ENDS = (b"s", b"sent", b"sentence", b"p", b"head", b"doc", b"text", b"div")
_MOST_BYTES = 1_000_000  # of a line
_CONLL_COLUMNS = 10


def read_vertical(stream: BinaryIO, name: str, field: str | None) -> Iterator[bytes]:
    """Yield the tokens of each sentence, separated by spaces.

    A sentence ends at a tag of a sentence, paragraph or document, or at an empty line.

    Args:
        stream: the text, in UTF-8.
        name: of the file, for messages.
        field: the number of the column, from 1; by default the first one, or in
            CoNLL-U the second.

    Raises:
        CorpusError: a line lacks the column, or is too long.
    """
    column = _column(field)
    tokens: list[bytes] = []
    for number, line in _lines(stream, name):
        tag = _TAG.fullmatch(line.strip())
        if tag is not None or not line.strip():
            if tag is None or tag[2].lower() in _ENDS:
                if tokens:
                    yield b" ".join(tokens)
                tokens = []
        elif (token := _token(line, column, f"{name}, line {number}")) is not None:
            tokens.append(token)
    if tokens:
        yield b" ".join(tokens)


def _lines(stream: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(_MOST_BYTES):
        number += 1
        if len(line) == _MOST_BYTES:
            raise CorpusError(
                f"{name}, line {number}: longer than {_MOST_BYTES} bytes, so it is not "
                "one token; set corpus.format=text"
            )
        yield number, line.strip(b"\r\n")


def _token(line: bytes, column: int | None, where: str) -> bytes | None:
    """Return the token of a line, which stays one if it has spaces, such as New York.

    Comments of CoNLL-U, spans such as 1-2 and empty nodes such as 1.1 have none.
    """
    cells = line.split(b"\t")
    if len(cells) == 1 and line.startswith(b"# "):
        return None
    is_conll = len(cells) == _CONLL_COLUMNS and cells[0][:1].isdigit()
    if is_conll and not cells[0].isdigit():
        return None
    at = int(is_conll) if column is None else column
    if at >= len(cells):
        raise CorpusError(
            f"{where}: has {len(cells)} columns, so column {at + 1} is missing; "
            "correct the line or corpus.field"
        )
    return b"_".join(cells[at].split()) or b"_"


def _column(field: str | None) -> int | None:
    if field is None:
        return None
    if not field.isdigit() or int(field) < 1:
        raise CorpusError(
            f"corpus.field={field}: vertical text has no names of columns; give the "
            "number of a column, from 1"
        )
    return int(field) - 1
