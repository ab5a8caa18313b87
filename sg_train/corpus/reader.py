"""Reads text from files, directories, globs and stdin, in chunks of whole words.

Compression is detected from the first bytes of a file, never from its name.
"""

import fnmatch
import glob
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from sg_train.choices import OnBadText
from sg_train.errors import CorpusError
from sg_train.system.compression import compression_of, decompressed
from sg_train.system.containers import HEAD_BYTES, container_of
from sg_train.wording import listed

_LOG = logging.getLogger(__name__)

STDIN = "-"
CHUNK_BYTES = 8 << 20
_MOST_LINES = 1 << 18  # of a chunk
_PIECE_BYTES = 1 << 19
_AHEAD = 1 << 16  # bytes that can be seen before they are read

_UTF8_BOM = b"\xef\xbb\xbf"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def expand_paths(patterns: Iterable[str], *, warns: bool = True) -> list[str]:
    """List the files that `patterns` name, in reading order.

    A pattern is a file, a directory (all files below it except hidden ones, sorted), a
    glob (sorted; `**` crosses directories) or `-` for standard input. Links are
    followed, but below a directory or `**`, no directory is read twice.

    Args:
        patterns: what to read.
        warns: whether to log a warning that names what cannot be read in a directory.

    Raises:
        CorpusError: a pattern matches nothing or names a directory without files.

    >>> expand_paths(["data/sotu.*"])
    ['data/sotu.txt']
    """
    files: list[str] = []
    skipped: list[str] = []
    for pattern in patterns:
        found = _expand(pattern, skipped)
        if not found:
            why = (
                f"skipped: {listed(skipped)}" if skipped else "hidden files are skipped"
            )
            raise CorpusError(f"{pattern}: no files found; check the path ({why})")
        files.extend(found)
    if skipped and warns:
        _LOG.warning("skipped paths: %d (%s)", len(skipped), listed(skipped, 5))
    return files


def _expand(pattern: str, skipped: list[str]) -> list[str]:
    if not pattern:
        raise CorpusError(
            "corpus.paths: contains an empty path; name a file or a directory"
        )
    path = Path(pattern)
    if pattern == STDIN or path.is_file():
        return [pattern]
    if path.is_dir():
        return _files_below(pattern, lambda _: True, skipped)
    if path.exists():  # a pipe, for example
        return [pattern]
    if "**" in path.parts:
        return _files_across(path, skipped)
    if glob.has_magic(pattern):
        return _files_among(glob.glob(pattern), skipped)  # noqa: PTH207 (any root)
    raise CorpusError(f"{pattern}: no such file or directory")


def _files_among(paths: Iterable[str], skipped: list[str]) -> list[str]:
    files = []
    for path in sorted(paths):
        if Path(path).is_file():
            files.append(path)
        else:
            skipped.append(_reason(Path(path)))
    return files


def _files_across(pattern: Path, skipped: list[str]) -> list[str]:
    """Return the files that a glob with `**` matches."""
    place = pattern.parts.index("**")
    root, rest = str(Path(*pattern.parts[:place])), pattern.parts[place:]
    files: list[str] = []
    for directory in glob.glob(root):  # noqa: PTH207 (any root)

        def wanted(path: str, directory: str = directory) -> bool:
            return _fits(Path(path).relative_to(directory).parts, rest)

        if Path(directory).is_dir():
            files += _files_below(directory, wanted, skipped)
    return sorted(files)


def _fits(parts: Sequence[str], patterns: Sequence[str]) -> bool:
    """Return whether a path matches a glob; `**` stands for any number of parts."""
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        return not rest or any(_fits(parts[i:], rest) for i in range(len(parts)))
    is_first = bool(parts) and fnmatch.fnmatchcase(parts[0], first)
    return is_first and _fits(parts[1:], rest)


def _files_below(
    directory: str, wanted: Callable[[str], bool], skipped: list[str]
) -> list[str]:
    walk = _Walk(wanted, skipped)
    walk.enter(Path(directory))
    walk.follow_links()
    return sorted(walk.files)


@dataclass
class _Walk:
    """Collects the files below a directory.

    Attributes:
        wanted: tells which files to collect.
        skipped: paths that cannot be read, with the reason.
        files: the files found.
    """

    wanted: Callable[[str], bool]
    skipped: list[str]
    files: list[str] = field(default_factory=list)
    _links: list[Path] = field(default_factory=list)
    _entered: set[tuple[int, int]] = field(default_factory=set)

    def enter(self, directory: Path) -> None:
        """Collect the files below a directory, and the links to other directories."""
        for where, directories, names in os.walk(directory, onerror=_refuse):
            status = Path(where).stat()
            identity = (status.st_dev, status.st_ino)
            if identity in self._entered:
                directories.clear()
                self.skipped.append(f"{where} (a link to a directory read already)")
                continue
            self._entered.add(identity)
            visible = [name for name in sorted(directories) if not name.startswith(".")]
            directories[:] = [
                name for name in visible if not Path(where, name).is_symlink()
            ]
            self._links += [
                Path(where, name) for name in visible if name not in directories
            ]
            for name in names:
                self._take(Path(where, name))

    def follow_links(self) -> None:
        """Enter the directories behind links, each once: links may form loops."""
        while self._links:
            self.enter(self._links.pop(0))

    def _take(self, path: Path) -> None:
        if path.name.startswith(".") or not self.wanted(os.fspath(path)):
            return
        if path.is_file():
            self.files.append(os.fspath(path))
        else:
            self.skipped.append(_reason(path))


def _reason(path: Path) -> str:
    what = "not a regular file"
    if path.is_dir():
        what = "a directory; give it itself, or ** to cross directories"
    elif not path.exists():
        what = "a broken link"
    return f"{path} ({what})"


def _refuse(error: OSError) -> None:
    raise CorpusError(f"cannot read {error.filename}: {error.strerror}") from error


def read_chunks(
    file: str,
    separators: bytes,
    on_bad_text: OnBadText = "strict",
    size: int | None = None,
) -> Iterator[bytes]:
    """Yield the UTF-8 text of one file; see `chunks_of`.

    Args:
        file: a path, or `-` for standard input.
        separators: the ASCII bytes at which a line may be cut.
        on_bad_text: as for `chunks_of`.
        size: as for `chunks_of`.

    Raises:
        CorpusError: the file cannot be read, is damaged or is not UTF-8 text.
    """
    with opened(file) as (stream, name):
        yield from chunks_of(stream, name, separators, on_bad_text, size)


def chunks_of(
    stream: BinaryIO,
    name: str,
    separators: bytes,
    on_bad_text: OnBadText = "strict",
    size: int | None = None,
) -> Iterator[bytes]:
    r"""Yield the UTF-8 text of a stream in chunks of about `size` bytes.

    No chunk ends inside a word. A chunk that ends with `\n` ends a sentence; after any
    other chunk, the same line continues. Every line, including the last, ends with
    `\n`: each `\r` becomes `\n`, so `\r\n` adds an empty line. A byte order mark is
    removed. Memory is bounded by a few times `size`, however long the lines are.

    Args:
        stream: the text, at its start.
        name: of the file, for messages.
        separators: the ASCII bytes at which a line may be cut; none is part of a word.
        on_bad_text: whether to refuse invalid UTF-8 and NUL bytes or to replace them
            with U+FFFD.
        size: how many bytes to read at a time, by default 8 MB.

    Raises:
        CorpusError: the text is not UTF-8.
    """
    size = size or CHUNK_BYTES
    cut_here = bytes(byte in separators for byte in range(256))
    start, carry, ended, first = 0, b"", True, True
    while data := stream.read(size):
        if first:
            refuse_container(data[:HEAD_BYTES], name)
            start, data = _without_byte_order_mark(data)
            first = False
        data = (carry + data).replace(b"\r", b"\n")
        cut = _last_cut(data, cut_here)
        if cut == 0 and len(data) > 2 * size:
            raise CorpusError(
                f"{name}: no word ends in the {len(data)} bytes from byte {start}; "
                "check that it is text"
            )
        if cut:
            yield from _pieces(_checked(data[:cut], name, start, on_bad_text))
            ended = data[cut - 1] == ord("\n")
        start, carry = start + cut, data[cut:]
    if carry or not ended:
        yield from _pieces(_checked(carry + b"\n", name, start, on_bad_text))


def _pieces(text: bytes) -> Iterator[bytes]:
    """Cut a text of very short lines at line ends, because each line takes memory."""
    if text.count(b"\n") <= _MOST_LINES:
        yield text
        return
    start = 0
    while start < len(text):
        end = text.rfind(b"\n", start, start + _PIECE_BYTES) + 1
        end = end or text.find(b"\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _last_cut(data: bytes, cut_here: bytes) -> int:
    cut = data.rfind(b"\n") + 1
    return cut or data.translate(cut_here).rfind(b"\x01") + 1


@contextmanager
def opened(file: str) -> Iterator[tuple[BinaryIO, str]]:
    """Yield the decompressed content of a file, and its name for messages.

    Args:
        file: a path, or `-` for standard input.

    Raises:
        CorpusError: the file cannot be read or is damaged.
    """
    name = "standard input" if file == STDIN else file
    with _opened(file, name) as stream:
        try:
            kind = compression_of(stream.peek(8))
        except OSError as error:
            raise CorpusError(f"cannot read {name}: {error.strerror}") from error
        with decompressed(stream, kind, name, CorpusError) as content:
            yield content, name


def _opened(file: str, name: str) -> io.BufferedReader:
    try:
        if file == STDIN:
            return io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))
        return io.BufferedReader(io.FileIO(file), _AHEAD)
    except (OSError, ValueError, AttributeError) as error:  # standard input is closed
        reason = getattr(error, "strerror", None) or error
        raise CorpusError(f"cannot read {name}: {reason}") from error


def refuse_container(head: bytes, name: str) -> None:
    """Refuse a file whose first bytes are those of an archive, a document and so on."""
    container = container_of(head)
    if container is not None:
        raise CorpusError(
            f"{name}: {container.name}, not UTF-8 text; {container.advice}"
        )


def _without_byte_order_mark(data: bytes) -> tuple[int, bytes]:
    text = data.removeprefix(_UTF8_BOM)
    return len(data) - len(text), text


def _checked(text: bytes, name: str, start: int, on_bad_text: OnBadText) -> bytes:
    if b"\0" in text:
        if on_bad_text == "strict":
            where = start + text.index(b"\0")
            raise CorpusError(
                f"{name}: NUL byte at byte {where} (binary data or UTF-16?); convert "
                "the file to UTF-8, or set corpus.errors=replace"
            )
        text = text.replace(b"\0", _REPLACEMENT)
    if text.isascii():
        return text
    try:
        text.decode()
    except UnicodeDecodeError as error:
        if on_bad_text == "strict":
            raise CorpusError(
                f"{name}: invalid UTF-8 at byte {start + error.start}; convert the "
                "file to UTF-8, or set corpus.errors=replace"
            ) from error
        text = text.decode(errors="replace").encode()
    return text
