"""Vertical text: one token per line, columns separated by tabs, structure as tags.

Also CoNLL-U, whose sentences end with an empty line and whose first column is a number.
"""

import re
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

from sg_train.errors import CorpusError

_TAG = re.compile(rb"<(/?)([A-Za-z][\w:.-]*)(\s[^<>]*)?/?>")
_ENDS = (b"s", b"sent", b"sentence", b"p", b"head", b"doc", b"text", b"div")
_MARKS = (b"<", b"\n", b"\r", b"#", b" ", b"\t")  # how special lines begin
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
    at = column or 0
    tokens: list[bytes] = []
    for number, line in enumerate(iter(partial(stream.readline, _MOST_BYTES), b""), 1):
        ends = False
        token: bytes | None
        if line[:1] in _MARKS or len(line) == _MOST_BYTES:
            ends, token = _special(line, column, f"{name}, line {number}")
        else:
            cells = line.split(b"\t")
            if at < len(cells) != _CONLL_COLUMNS:
                token = cells[at].strip()
            else:
                token = _token(cells, column, f"{name}, line {number}")
        if ends and tokens:
            yield b" ".join(tokens)
            tokens = []
        if token is not None:
            tokens.append(b"_".join(token.split()) if b" " in token else token or b"_")
    if tokens:
        yield b" ".join(tokens)


def _special(line: bytes, column: int | None, where: str) -> tuple[bool, bytes | None]:
    """Return whether a tag, comment or empty line ends a sentence, or its token."""
    if len(line) == _MOST_BYTES:
        raise CorpusError(
            f"{where}: longer than {_MOST_BYTES} bytes, so it is not one token; set "
            "corpus.format=text"
        )
    text = line.strip()
    if not text:
        return True, None
    tag = _TAG.fullmatch(text)
    if tag is not None:
        return tag[2].lower() in _ENDS, None
    if line.startswith(b"# ") and b"\t" not in line:  # of CoNLL-U
        return False, None
    return False, _token(line.split(b"\t"), column, where)


def _token(cells: list[bytes], column: int | None, where: str) -> bytes | None:
    """Return the token of a line; spans such as 1-2 and empty nodes have none."""
    is_conll = len(cells) == _CONLL_COLUMNS and cells[0][:1].isdigit()
    if is_conll and not cells[0].isdigit():
        return None
    at = int(is_conll) if column is None else column
    if at >= len(cells):
        raise CorpusError(
            f"{where}: has {len(cells)} columns, so column {at + 1} is missing; "
            "correct the line or corpus.field"
        )
    return cells[at].strip()


def _column(field: str | None) -> int | None:
    if field is None:
        return None
    if not field.isdigit() or int(field) < 1:
        raise CorpusError(
            f"corpus.field={field}: vertical text has no names of columns; give the "
            "number of a column, from 1"
        )
    return int(field) - 1
