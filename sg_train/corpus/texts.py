"""Reads the files of a corpus, whatever their format, as lines of words."""

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, cast

from sg_train.choices import TextFormat
from sg_train.config import CorpusConfig
from sg_train.corpus.chunks import together
from sg_train.corpus.formats.conditions import Conditions
from sg_train.corpus.formats.detect import format_of
from sg_train.corpus.formats.layout import (
    dehyphenated,
    is_wrapped,
    join_lines,
    split_items,
)
from sg_train.corpus.formats.skipped import Skipped
from sg_train.corpus.python_tokenizer import is_function, split_lines
from sg_train.corpus.reader import (
    STDIN,
    chunks_of,
    opened,
    refuse_container,
)
from sg_train.errors import CorpusError
from sg_train.system.compression import compression_of

_LOG = logging.getLogger(__name__)

_HEAD_BYTES = 1 << 16
_CHUNK = 1 << 20  # characters
_TABLES = ("csv", "jsonl", "parquet")
_READ_BY_DUCKDB = ("", "gzip", "zstd")  # compressed in one of these ways
_BLANKS = dict.fromkeys(map(ord, "\n\r\0"), " ")
_NAMES = {
    "xml": "XML",
    "html": "HTML",
    "vertical": "vertical text",
    "jsonl": "JSON lines",
    "csv": "CSV",
    "parquet": "Parquet",
}


class Texts:
    """The files of a corpus; reports what they were read as."""

    def __init__(self, corpus: CorpusConfig, separators: bytes, threads: int) -> None:
        """Set the reading up.

        Args:
            corpus: how to read the files.
            separators: the ASCII bytes at which a line may be cut.
            threads: how many threads sort events, or processes call a tokenizer.
        """
        self._corpus = corpus
        # A Python function is called with whole lines.
        self._separators = b"\n" if is_function(corpus.tokenizer) else separators
        self._threads = threads
        self._formats: Counter[TextFormat] = Counter()
        self._skipped = Skipped()
        self._where = Conditions(corpus.where)
        self._wrapped: str | None = None

    def chunks(self, files: Sequence[str]) -> Iterator[bytes]:
        """Yield the text of files, in chunks as `chunks_of` does, and report.

        Raises:
            CorpusError: a file cannot be read as its format, or the settings do not
                fit the format.
            MissingLibraryError: a format needs a library that is not installed.
        """
        if self._corpus.group_by is not None:
            yield from self._events(files)
        else:
            for file in files:
                with opened(file) as (content, name):
                    text = self._file(_ahead(content, file), name, file)
                    yield from self._split(text, name)
        self._report(files)

    def _split(self, text: Iterator[bytes], name: str) -> Iterator[bytes]:
        """Call the tokenizer that is a Python function, if there is one."""
        function = self._corpus.tokenizer
        if self._corpus.has_items or not is_function(function):
            return text
        return split_lines(text, function, name, self._threads)

    def _file(self, stream: io.BufferedReader, name: str, file: str) -> Iterator[bytes]:
        corpus = self._corpus
        form = self._format(stream, name)
        self._formats[form] += 1
        if corpus.where and form not in _TABLES:
            raise CorpusError(
                f"{name}: read as {_NAMES.get(form, 'plain text')}, so it has no "
                "columns for corpus.where; leave it out, or set corpus.format"
            )
        if form == "text":
            yield from self._text(stream, name)
        elif form in ("xml", "html"):
            markup = _reader("markup")
            sentences = markup.read_html(stream, name)
            if form == "xml":
                blocks = markup.blocks_of(corpus.field, corpus.skip)
                recovers = corpus.errors == "replace"
                sentences = markup.read_xml(stream, name, blocks, recovers=recovers)
            yield from _in_chunks(sentences)
        elif form == "vertical":
            field = corpus.field[0] if corpus.field else None
            lines = _reader("vertical").read_vertical(stream, name, field)
            for chunk in together((line + b"\n" for line in lines), _CHUNK):
                yield from chunks_of(io.BytesIO(chunk), name, b"\n", corpus.errors)
        else:
            yield from _in_chunks(
                sentence
                for value in self._records(form, stream, name, file)
                for sentence in self._sentences(value)
            )

    def _format(self, stream: io.BufferedReader, name: str) -> TextFormat:
        corpus = self._corpus
        head = stream.peek(_HEAD_BYTES)
        if corpus.format != "auto":
            return corpus.format
        is_split = corpus.has_items and corpus.group_by is None
        if is_split or not head:
            return "text"
        if not head.startswith(b"PAR1"):
            refuse_container(head[:1024], name)
        return format_of(head.removeprefix(b"\xef\xbb\xbf"), name)

    # --- plain text ----------------------------------------------------------------

    def _text(self, stream: BinaryIO, name: str) -> Iterator[bytes]:
        corpus = self._corpus
        if corpus.has_items:
            mark = cast(str, corpus.separator)
            ends = b"\n" + mark.encode() if mark.isascii() else b"\n"
            yield from split_items(chunks_of(stream, name, ends, corpus.errors), mark)
        elif corpus.sentence == "line":
            first = True
            for chunk in chunks_of(stream, name, self._separators, corpus.errors):
                if first and self._wrapped is None:
                    head = chunk[:_HEAD_BYTES].decode(errors="replace")
                    self._wrapped = name if is_wrapped(head) else None
                first = False
                yield chunk
        else:
            unix = cast(BinaryIO, _UnixLines(stream))
            yield from join_lines(
                chunks_of(unix, name, self._separators, corpus.errors),
                corpus.sentence,
                dehyphenates=corpus.dehyphenate,
            )

    # --- records -------------------------------------------------------------------

    def _records(
        self, form: TextFormat, stream: io.BufferedReader, name: str, file: str
    ) -> Iterator[Any]:
        corpus, reader = self._corpus, _reader("records")
        skipped, where = self._skipped, self._where
        fields: Iterator[Any]
        if form == "jsonl":
            fields = reader.read_jsonl(stream, name, corpus.field, skipped, where)
            return fields
        if form == "csv":
            mark = corpus.separator
            fields = reader.read_csv(stream, name, corpus.field, mark, skipped, where)
            return fields
        whole = file if file != STDIN and Path(file).is_file() else None
        source = whole or io.BytesIO(stream.read())
        fields = reader.read_parquet(source, name, corpus.field, skipped, where)
        return fields

    def _sentences(self, value: str | list[str]) -> Iterable[str]:
        """Return the sentences of a field."""
        corpus = self._corpus
        if isinstance(value, list):
            if corpus.tokenizer == "whitespace":  # items are words as they are
                value = ["_".join(item.split()) for item in value]
            return [" ".join(value)]
        if corpus.dehyphenate:
            value = dehyphenated(value, set())
        if corpus.sentence == "document":
            return [value]
        if corpus.sentence == "paragraph":
            return re.split(r"\n\s*\n", value)
        return value.split("\n")

    def _events(self, files: Sequence[str]) -> Iterator[bytes]:
        corpus = self._corpus
        forms: dict[tuple[TextFormat, str], str] = {}
        for file in files:
            if file == STDIN:
                raise CorpusError(
                    "standard input: cannot be grouped by a column; give files"
                )
            with opened(file) as (content, name):
                form = self._format(_ahead(content, file), name)
            with Path(file).open("rb") as raw:
                kind = compression_of(raw.read(8))
            if form not in _TABLES or kind not in _READ_BY_DUCKDB:
                what = f"compressed by {kind}" if form in _TABLES else "not a table"
                raise CorpusError(
                    f"{name}: {what}, so it cannot be grouped by {corpus.group_by}; "
                    "give CSV, JSON lines or Parquet, plain or compressed by gzip or "
                    "zstd"
                )
            forms[form, kind] = name
            self._formats[form] += 1
        if len(forms) > 1:
            raise CorpusError(
                f"{' and '.join(forms.values())}: tables of different formats, or "
                "compressed differently, cannot be grouped together; convert one of "
                "them"
            )
        ((form, kind),) = forms
        reader = _reader("events")
        events = reader.Events(
            files,
            form,
            corpus.field[0],
            cast(str, corpus.group_by),
            corpus.order_by,
            corpus.separator,
            kind or "none",
        )
        yield from reader.read_events(
            events,
            self._skipped,
            threads=self._threads,
            megabytes=corpus.memory_limit,
        )

    # --- messages ------------------------------------------------------------------

    def _report(self, files: Sequence[str]) -> None:
        """Report what files were taken for, and what was skipped."""
        corpus = self._corpus
        others = [form for form in self._formats if form != "text"]
        if corpus.field and not set(others) - {"html"} and self._formats:
            raise CorpusError(
                f"{files[0]}: {'HTML' if others else 'plain text'} has no fields, but "
                f"corpus.field={corpus.field[0]}; leave it out, or set corpus.format"
            )
        if corpus.where and not self._where.found:
            raise CorpusError(
                f"{files[0]}: no row has {' and '.join(corpus.where)}; change "
                "corpus.where"
            )
        for form in others if corpus.format == "auto" else ():
            count = self._formats[form]
            what = files[0] if len(files) == 1 else f"{count} of {len(files)} files"
            _LOG.info("%s: read as %s", what, _NAMES[form])
        if self._skipped.nulls:
            _LOG.info("empty fields skipped: %d", self._skipped.nulls)
        if self._wrapped is not None:
            _LOG.warning(
                "%s: its lines look as if sentences continued on the next line; if so, "
                "set corpus.sentence=paragraph",
                self._wrapped,
            )


class _UnixLines:
    r"""A stream in which `\r\n` is `\n`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        while data.endswith(b"\r"):  # its \n may come next
            more = self._stream.read(1)
            if not more:
                break
            data += more
        return data.replace(b"\r\n", b"\n")


class _Raw(io.RawIOBase):
    """A stream that can only be read, for `io.BufferedReader`."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _ahead(stream: BinaryIO, file: str) -> io.BufferedReader:
    """Return a stream whose first bytes can be seen before they are read."""
    if isinstance(stream, io.BufferedReader) and file != STDIN:
        return stream
    return io.BufferedReader(_Raw(stream), _HEAD_BYTES)


def _reader(name: str) -> Any:
    """Import the reader of a format when a file needs it."""
    return import_module(f"sg_train.corpus.formats.{name}")


def _in_chunks(sentences: Iterable[str]) -> Iterator[bytes]:
    """Join sentences to chunks of lines; line ends inside a sentence become spaces."""
    for chunk in together(map(_line, sentences), _CHUNK):
        yield chunk.encode(errors="replace")


def _line(sentence: str) -> str:
    if "\n" in sentence or "\r" in sentence or "\0" in sentence:
        sentence = sentence.translate(_BLANKS)
    return sentence + "\n"
