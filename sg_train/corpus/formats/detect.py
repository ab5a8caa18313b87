"""Tells the format of a file by its first bytes.

A name alone never decides. What could be two formats is refused, with the settings that
settle it.
"""

import json
import re
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from sg_train.choices import TextFormat
from sg_train.errors import CorpusError

HEAD_BYTES = 1 << 16  # how much of a file `format_of` needs

_PARQUET = b"PAR1"
_LEAST_LINES = 5  # of a table
_TABLE_NAMES = {".csv": b",;|\t", ".tsv": b"\t", ".tab": b"\t"}
_COMPRESSED = re.compile(r"\.(gz|bz2|xz|zst)$")
_MARKUP = re.compile(rb"\s*<[A-Za-z!?]")
_HTML = re.compile(
    rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
_TAG_LINE = re.compile(rb"</?[A-Za-z][^<>]*>\s*")


def format_of(head: bytes, name: str) -> TextFormat:
    """Return the format of a file.

    Args:
        head: its first HEAD_BYTES bytes, decompressed.
        name: its path, for messages and as a hint that it is a table.

    Raises:
        CorpusError: it could be text or something else.

    >>> format_of(b"<TEI><p>One</p></TEI>", "a.txt"), format_of(b"1 < 2", "a.xml")
    ('xml', 'text')
    """
    if head.startswith(_PARQUET):
        return "parquet"
    lines = _whole_lines(head)
    if head.lstrip()[:1] in (b"[", b"{"):
        return _json_or_text(head, lines, name)
    if _MARKUP.match(head):
        return _markup(head, lines, name)
    if _is_table(lines, name):
        return "csv"
    columns = _columns(lines, b"\t")
    if columns > 2 and len(lines) >= _LEAST_LINES:
        kind = f"has {columns} columns separated by tabs in every line"
        return _refuse(name, kind, "vertical", "csv", "text")
    return "text"


def _markup(head: bytes, lines: Sequence[bytes], name: str) -> TextFormat:
    """Return the format of a file that begins with a tag."""
    if _is_vertical(lines):
        return "vertical"
    if _HTML.match(head):
        return "html"
    if _is_xml(head):
        return "xml"
    why = "begins with a tag, but is not well-formed XML"
    return _refuse(name, why, "text", "html")


def _whole_lines(head: bytes) -> Sequence[bytes]:
    """Return the lines with content, without the last one if it may be cut off."""
    lines = head.replace(b"\r\n", b"\n").split(b"\n")
    if len(head) >= HEAD_BYTES and len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip()]


def _is_records(lines: Sequence[bytes]) -> bool:
    """Return whether the first lines are JSON objects."""
    if not lines or not lines[0].lstrip().startswith(b"{"):
        return False
    if len(lines) == 1 and len(lines[0]) >= HEAD_BYTES - 2:  # cut off
        return re.match(rb"\s*\{\s*\"[^\"]*\"\s*:", lines[0]) is not None
    try:
        return all(isinstance(json.loads(line), dict) for line in lines[:3])
    except (ValueError, RecursionError):
        return False


def _json_or_text(head: bytes, lines: Sequence[bytes], name: str) -> TextFormat:
    """Refuse JSON that is not one record per line; other text may begin so, too."""
    if _is_records(lines):
        return "jsonl"
    start = head.lstrip()
    if re.match(rb"\{\s*\"[^\"\n]*\"\s*:|\[\s*[\[{\"]", start):
        raise CorpusError(
            f"{name}: JSON, but not one record per line; convert it, as "
            "`jq -c '.[]'` does, or set corpus.format=text"
        )
    return "text"


def _is_vertical(lines: Sequence[bytes]) -> bool:
    """Return whether lines are tags, or tokens with the same number of columns."""
    tokens = [line for line in lines if not _TAG_LINE.fullmatch(line)]
    tags = len(lines) - len(tokens)
    if not tags or len(tokens) < _LEAST_LINES:
        return False
    if _columns(tokens, b"\t") > 1:
        return True
    # One column: running text between tags would have spaces.
    return not any(b" " in line.strip() or b"<" in line for line in tokens)


def _is_xml(head: bytes) -> bool:
    """Return whether the beginning of a file is well-formed."""
    etree = import_module("lxml.etree")
    parser = etree.XMLPullParser(events=(), no_network=True)
    try:
        parser.feed(head)
        if len(head) < HEAD_BYTES:
            parser.close()
    except etree.XMLSyntaxError:
        # Whatever comes later is an error of an XML file, which is reported with its
        # line; but text may begin with a tag.
        return head.lstrip().startswith(b"<?xml")
    return True


def _columns(lines: Sequence[bytes], separator: bytes) -> int:
    """Return how many columns all lines have, or 0 if they differ."""
    counts = {line.count(separator) for line in lines}
    return counts.pop() + 1 if len(counts) == 1 else 0


def _is_table(lines: Sequence[bytes], name: str) -> bool:
    """Return whether a file is named as a table and its first line looks like one."""
    stem = _COMPRESSED.sub("", name.lower())
    for ending, separators in _TABLE_NAMES.items():
        if stem.endswith(ending) and lines:
            return any(bytes([mark]) in lines[0] for mark in separators)
    return False


def _refuse(name: str, why: str, *formats: str) -> NoReturn:
    ways = [f"--set corpus.format={form}" for form in formats]
    raise CorpusError(f"{name}: {why}; give {', '.join(ways[:-1])} or {ways[-1]}")
