"""Text of XML and HTML: the content of block elements, each a sentence.

Both are parsed by libxml2 as they are read, and what has been read is dropped, so that
memory does not grow with the file. Entities that a document defines are resolved up to
a limit; nothing is ever fetched.
"""

import io
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from lxml import etree

from sg_train.errors import CorpusError
from sg_train.wording import listed

_HEAD_BYTES = 4096
_CHARSET = re.compile(rb"charset\s*=|<\?xml[^>]*encoding\s*=", re.IGNORECASE)
_BLOCKS_KEPT = 100  # before what has been read is dropped
_ANY = "{*}"  # a tag in any namespace, or in none
# Line and page breaks, words and punctuation: a new word begins after them.
_DIVIDING = frozenset(["lb", "pb", "cb", "br", "hr", "w", "pc", "img", "input"])


@dataclass(frozen=True)
class Blocks:
    """Which elements of a document are sentences.

    Attributes:
        elements: names of the elements, without namespaces.
        skipped: names of elements that are left out, with all that is in them.
        word: name of the elements that hold one word each; None for running text.
        attribute: the attribute of `word` that is the word; None for its text.
    """

    elements: Sequence[str]
    skipped: Sequence[str]
    word: str | None = None
    attribute: str | None = None


XML_BLOCKS = ("p", "s", "l", "head", "ab")
XML_SKIPPED = ("teiHeader", "note", "fw")
HTML_BLOCKS = (
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "blockquote", "pre"),
    *("td", "th", "caption", "figcaption", "div", "section", "article", "main"),
    *("header", "footer", "aside", "summary", "details", "label", "option", "body"),
)
HTML_SKIPPED = ("head", "script", "style", "template", "noscript", "svg", "math")


def blocks_of(fields: Sequence[str], skipped: Sequence[str] | None) -> Blocks:
    """Return which elements of an XML document `corpus.field` and `corpus.skip` name.

    Args:
        fields: elements such as `p`, or one `w@lemma`: the attribute of each word; by
            default the usual blocks of TEI.
        skipped: by default metadata, notes and running heads.

    Raises:
        CorpusError: words are combined with other elements.
    """
    skipped = XML_SKIPPED if skipped is None else skipped
    words = [field for field in fields if "@" in field]
    if not words:
        return Blocks(fields or XML_BLOCKS, skipped)
    if len(fields) > 1:
        raise CorpusError(
            f"corpus.field: {words[0]} takes one word from each element, so it cannot "
            "be combined with other fields; leave them out"
        )
    element, _, attribute = words[0].partition("@")
    return Blocks(XML_BLOCKS, skipped, element, attribute)


def read_xml(
    stream: BinaryIO, name: str, blocks: Blocks, *, recovers: bool = False
) -> Iterator[str]:
    """Yield the text of each block, in the order in which blocks end.

    A block inside another is a sentence of its own; what is left of the outer one
    follows it.

    Args:
        stream: the document; its encoding is the declared one.
        name: of the file, for messages.
        blocks: which elements are sentences.
        recovers: whether to read past faults.

    Raises:
        CorpusError: the document is not well-formed, or has no such block.
    """
    found = 0
    try:
        for sentence in _sentences(stream, blocks, recovers=recovers):
            found += 1
            yield sentence
    except etree.XMLSyntaxError as error:
        raise CorpusError(
            f"{name}, line {error.lineno}: not well-formed XML ({_reason(error)}); "
            "correct it, or set corpus.errors=replace to read past faults"
        ) from error
    if not found:
        raise CorpusError(
            f"{name}: no text in the elements {listed(list(blocks.elements), 9)}"
            f"{_elements_with_text(stream)}; set corpus.field to the elements that "
            "hold the text"
        )


def read_html(stream: io.BufferedReader, name: str) -> Iterator[str]:
    """Yield the text of each paragraph, heading, list item, cell and so on.

    Scripts and styles are left out. Broken markup is read as browsers read it. The
    encoding is the declared one, or else UTF-8.

    Raises:
        CorpusError: there is no text.
    """
    blocks, found = Blocks(HTML_BLOCKS, HTML_SKIPPED), 0
    encoding = None if _CHARSET.search(stream.peek(_HEAD_BYTES)) else "utf-8"
    try:
        for sentence in _sentences(stream, blocks, encoding=encoding, recovers=True):
            found += 1
            yield sentence
    except etree.XMLSyntaxError as error:
        raise CorpusError(f"{name}: not HTML ({_reason(error)})") from error
    if not found:
        raise CorpusError(f"{name}: HTML without text; leave the file out")


def _sentences(
    stream: BinaryIO,
    blocks: Blocks,
    *,
    encoding: str | None = None,
    recovers: bool,
) -> Iterator[str]:
    """Yield the text of blocks that have any, and drop what has been read."""
    html = blocks.elements is HTML_BLOCKS
    inside = skipping = 0  # how many blocks and skipped elements are open
    skipped, elements = frozenset(blocks.skipped), frozenset(blocks.elements)
    if blocks.word is not None:
        elements -= {blocks.word}
    # In HTML, a choice of tags would delay the ends of implied elements.
    tags = None if html else [_ANY + tag for tag in (*elements, *skipped)]
    events = etree.iterparse(
        stream,
        events=("start", "end"),
        tag=tags,
        html=html,
        encoding=encoding,
        recover=recovers,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    kinds = _Kinds(elements, skipped)
    ended = 0
    for event, element in events:
        kind = kinds[element.tag]
        change = 1 if event == "start" else -1
        inside += change * (kind == "block")
        skipping += change * (kind == "skipped")
        if event == "start" or not kind:
            continue
        if kind == "block" and not skipping and (text := _text(element, blocks)):
            yield text
        element.clear(keep_tail=True)
        ended += 1
        if not inside and not skipping and ended >= _BLOCKS_KEPT:
            _drop_before(element)
            ended = 0


class _Kinds(dict[str, str]):
    """What each tag is: `block`, `skipped`, or empty for other elements."""

    def __init__(self, blocks: Collection[str], skipped: Collection[str]) -> None:
        super().__init__()
        self._blocks, self._skipped = blocks, skipped

    def __missing__(self, tag: str) -> str:
        name = tag.rpartition("}")[2]
        kind = "block" if name in self._blocks else ""
        self[tag] = "skipped" if name in self._skipped else kind
        return self[tag]


def _text(element: Any, blocks: Blocks) -> str:
    if blocks.word is None:
        return _running_text(element, blocks.elements).strip()
    words: list[str] = []
    for word in element.iter(_ANY + blocks.word):
        value = (
            word.get(blocks.attribute) if blocks.attribute else "".join(word.itertext())
        )
        words += (value or "").split()
    return " ".join(words)


def _running_text(element: Any, blocks: Collection[str]) -> str:
    """Return the text of an element; only some elements inside it divide words."""
    if not len(element):
        return element.text or ""
    parts: list[str] = []
    for event, node in etree.iterwalk(element, events=("start", "end")):
        name = node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
        divides = (name in _DIVIDING or name in blocks) and node.get("break") != "no"
        if event == "start":
            parts += [" " * divides, node.text or ""]
        elif node is not element:
            parts += [" " * divides, node.tail or ""]
    return "".join(parts)


def _drop_before(element: Any) -> None:
    """Remove all that comes before an element, at every level."""
    while (parent := element.getparent()) is not None:
        while element.getprevious() is not None:
            del parent[0]
        element = parent


def _reason(error: etree.XMLSyntaxError) -> str:
    return str(error.msg).partition(", line ")[0]


def _elements_with_text(stream: BinaryIO) -> str:
    """Return the names of elements with text, if the file can be read again."""
    if not stream.seekable():
        return ""
    stream.seek(0)
    counts: Counter[str] = Counter()
    events = etree.iterparse(stream, events=("end",), no_network=True, recover=True)
    for number, (_, element) in enumerate(events):
        if isinstance(element.tag, str) and (element.text or "").strip():
            counts[element.tag.rpartition("}")[2]] += 1
        if number > 10_000:
            break
    names = [name for name, _ in counts.most_common(5)]
    return f"; those with text are {listed(names, 5)}" if names else ""
