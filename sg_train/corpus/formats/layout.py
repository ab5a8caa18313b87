"""The layout of plain text: what a sentence is, words divided at line ends, items."""

import re
from collections.abc import Iterable, Iterator

import regex

from sg_train.choices import SentenceUnit

_BREAKS = re.compile(rb"[^\S\n]*\n\s*")
_DIVIDED = regex.compile(
    "(?P<first>[\\p{L}\\p{M}]+)(?P<mark>[-\u2010\u00ad\u00ac])\n[^\\S\n]*"
    "(?P<second>\\p{Ll}[\\p{L}\\p{M}]*)"
)
_HYPHENED = regex.compile("[\\p{L}\\p{M}]+(?:[-\u2010][\\p{L}\\p{M}]+)+")
_SURE = "\u00ad\u00ac"  # marks that only divide words

_LEAST_LINES = 50
_SHORTEST, _LONGEST = 35, 110  # characters of a line in text that is wrapped
_WITHIN = 0.25  # of the length, in which most lines of wrapped text end
_MOST_WRAPPED, _MOST_ENDED = 0.6, 0.5  # of the lines
_ENDS = tuple(".!?:;\"'”»)…。")
_INSIDE = re.compile(r"[.!?…] ")  # a sentence that ends inside a line
_LEAST_INSIDE = 0.05  # of the lines


def join_lines(
    chunks: Iterable[bytes], unit: SentenceUnit, *, dehyphenates: bool
) -> Iterator[bytes]:
    r"""Change line ends inside of sentences to spaces.

    Args:
        chunks: of one file, in UTF-8, as `chunks_of` yields them, but with `\r\n`
            changed to `\n`.
        unit: what a sentence is.
        dehyphenates: whether to join words that are divided at the end of a line.

    >>> list(join_lines([b"one\ntwo\n\nthree\n"], "paragraph", dehyphenates=False))
    [b'one two\n', b'three\n']
    """
    known: set[str] = set()
    carry = b""
    for chunk in chunks:
        text = carry + chunk
        # The last line may belong to what follows.
        cut = text.rfind(b"\n", 0, len(text.rstrip())) + 1
        text, carry = text[:cut], text[cut:]
        if text:
            yield _joined(text, unit, known if dehyphenates else None)
    last = _joined(carry.rstrip(), unit, known if dehyphenates else None)
    yield last + b"\n"


def _joined(text: bytes, unit: SentenceUnit, known: set[str] | None) -> bytes:
    if known is not None:
        text = dehyphenated(text.decode(), known).encode()

    def mark(found: re.Match[bytes]) -> bytes:
        ends = unit == "paragraph" and found[0].count(b"\n") > 1
        return b"\n" if ends else b" "

    return _BREAKS.sub(mark, text)


def dehyphenated(text: str, known: set[str]) -> str:
    r"""Join words that are divided at the end of a line.

    The hyphen stays if the hyphened word occurs inside a line.

    Args:
        text: whole lines.
        known: hyphened words of the text so far, to which those of `text` are added.

    >>> dehyphenated("exam-\nple of well-\nknown, well-known", set())
    'example\n of well-known\n, well-known'
    """
    known.update(
        word.replace("\u2010", "-").lower() for word in _HYPHENED.findall(text)
    )

    def join(found: "regex.Match[str]") -> str:
        first, mark, second = found["first"], found["mark"], found["second"]
        is_hyphened = mark not in _SURE and f"{first}-{second}".lower() in known
        return f"{first}{'-' if is_hyphened else ''}{second}\n"

    return _DIVIDED.sub(join, text)


def split_items(chunks: Iterable[bytes], separator: str) -> Iterator[bytes]:
    r"""Separate the items of lines with spaces; spaces inside an item become `_`.

    >>> list(split_items([b"red shoes, hat\n"], ","))
    [b'red_shoes hat\n']
    """
    mark = re.escape(separator.encode())
    between = re.compile(rb"[^\S\n]*" + mark + rb"[^\S\n]*")
    edges, inside = re.compile(rb"(?m)^[ \t]+|[ \t]+$"), re.compile(rb"[ \t]+")
    for chunk in chunks:
        lines = edges.sub(b"", between.sub(b"\x1f", chunk))
        yield inside.sub(b"_", lines).replace(b"\x1f", b" ")


def is_wrapped(text: str) -> bool:
    r"""Return whether lines look as if sentences continued on the next one.

    >>> is_wrapped("A short line.\n" * 99)
    False
    """
    lines = [line.rstrip() for line in text.split("\n")[:-1] if line.strip()]
    if len(lines) < _LEAST_LINES:
        return False
    lengths = sorted(map(len, lines))
    longest = lengths[int(0.98 * (len(lengths) - 1))]
    if not _SHORTEST <= longest <= _LONGEST:
        return False
    near = sum(length >= (1 - _WITHIN) * longest for length in lengths)
    ended = sum(line.endswith(_ENDS) for line in lines)
    inside = sum(_INSIDE.search(line) is not None for line in lines)
    return (
        near > _MOST_WRAPPED * len(lines)
        and ended < _MOST_ENDED * len(lines)
        and inside > _LEAST_INSIDE * len(lines)
    )
