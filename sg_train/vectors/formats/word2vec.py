r"""Vector files of word2vec, text and binary, and of GloVe.

Text is a line `V D`, then one line `word x1 ... xD` per word; GloVe's is the same
without the first line. Binary has the same first line, then `word`, a space, D
little-endian float32 and a line end per word. Words are UTF-8 and, as written here,
contain no ASCII white space.

Files of other tools may have words with spaces, repeat a word, or have damaged rows.
"""

import logging
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import OnBadRows
from sg_train.errors import VectorsError
from sg_train.system.files import atomic_file
from sg_train.system.machine import available_cpus
from sg_train.system.streams import buffered
from sg_train.system.threads import in_order
from sg_train.vectors.formats.checks import check_read_back, check_words
from sg_train.wording import shortened

_LOG = logging.getLogger(__name__)

Table = tuple[list[str], NDArray[np.float32]]  # V words, (V, D)

_ROWS_AT_ONCE = 4096
_NUMBERS_AT_ONCE = 1 << 19
_BYTES_AT_ONCE = 1 << 22
_MOST_THREADS = 8  # each takes 20 to 50 MB
_LONGEST_WORD = 1 << 16  # bytes
_LONGEST_NUMBER = 32  # bytes
_LEAST_NUMBERS = 2  # fewer after words may be a text
_WIDEST = 100_000  # dimensions
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors write
_OF_NUMBERS = b"0123456789+-.eE"


def save_text(words: Sequence[str], matrix: NDArray[np.float32], path: Path) -> None:
    """Write word2vec's text format, each float in its shortest exact form.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_words(words, matrix)
    with atomic_file(path) as file:
        _write_header(file, matrix)
        begin = file.tell()
        end = write_rows(file, words, matrix, " ")
        _verify_text(file, path, words, matrix, (begin, end))


def save_glove(words: Sequence[str], matrix: NDArray[np.float32], path: Path) -> None:
    """Write GloVe's text format: word2vec's without the first line.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_words(words, matrix)
    with atomic_file(path) as file:
        end = write_rows(file, words, matrix, " ")
        _verify_text(file, path, words, matrix, (0, end))


def save_binary(words: Sequence[str], matrix: NDArray[np.float32], path: Path) -> None:
    """Write word2vec's binary format.

    Raises:
        VectorsError: a word is empty or contains ASCII white space, or a vector is not
            finite.
        OutputError: the file cannot be written, or does not read back as written.
    """
    check_words(words, matrix)
    with atomic_file(path) as file:
        _write_header(file, matrix)
        begin = end = file.tell()
        for some, rows in _slices(words, matrix):
            little_endian = rows.astype("<f4", copy=False)
            for word, row in zip(some, little_endian, strict=True):
                end = file.tell()
                file.write(b"%b %b\n" % (word.encode(), row.tobytes()))
        for row, place in ((0, begin), (len(words) - 1, end)):
            file.seek(place)
            expected = b"%b %b" % (
                words[row].encode(),
                matrix[row].astype("<f4").tobytes(),
            )
            check_read_back(path, file.read(len(expected)) == expected)


def write_rows(
    file: BinaryIO, words: Sequence[str], matrix: NDArray[np.float32], separator: str
) -> int:
    """Write one line of word and numbers per vector; return where the last begins.

    The line of an empty word has only the numbers.
    """
    from sg_train.vectors.formats import text_rows  # noqa: PLC0415 (loads pyarrow)

    last = 0
    spell = partial(text_rows.text_lines, separator=separator)
    for text, length in in_order(spell, _slices(words, matrix), _threads()):
        file.write(text)
        last = file.tell() - length
    return last


def read(
    stream: BinaryIO,
    path: Path,
    size: int | None = None,
    errors: OnBadRows = "strict",
) -> Table:
    """Read text or binary; the first row tells which.

    Of rows with the same word, the first is kept; a warning counts the others.

    Args:
        stream: at its start; read once, front to back.
        path: named in messages.
        size: file size in bytes, if known; the vectors that the first line states must
            fit in it.
        errors: whether to refuse damaged rows, to replace what is not UTF-8 in words by
            U+FFFD, or to skip damaged rows with a warning that counts them.

    Raises:
        VectorsError: the file is damaged; the message gives the line.
        OSError: the file cannot be read.
    """
    mark = stream.read(len(_MARK))
    file = buffered(stream, b"" if mark == _MARK else mark)
    first = file.readline(_LONGEST_WORD + _LONGEST_NUMBER * _WIDEST)
    fields = first.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields):
        rows, dimension = int(fields[0][:20]), int(fields[1][:20])
        _check_header(path, rows, dimension, size)
        row = file.readline(_LONGEST_WORD + _LONGEST_NUMBER * dimension)
        file = buffered(file, row)
        if _is_text(row, dimension):
            return _Reader(path, 2, dimension, rows, size, errors).read_text(file)
        return _Reader(path, 1, dimension, rows, size, errors).read_binary(file)
    dimension = len(fields) - 1
    if dimension < 1 or not _are_numbers(fields[1:]):
        dimension = _numbers_at_end(fields)
    if dimension < 1:
        raise VectorsError(
            f"{path}, line 1: expected the number of vectors and their dimension, or a "
            "word and its numbers; is it a vector file?"
        )
    if dimension > _WIDEST:
        raise VectorsError(
            f"{path}, line 1: {dimension} numbers, expected at most {_WIDEST}"
        )
    file = buffered(file, first)
    return _Reader(path, 1, dimension, None, size, errors).read_text(file)


class _BadRow(Exception):  # noqa: N818 (never leaves this module)
    """A row that may be skipped; the message gives the reason."""


class _BadWord(_BadRow):
    """A row whose word is not UTF-8."""


@dataclass
class _Tally:
    """Rows of one kind: how many, and the first of them."""

    count: int = 0
    first: str = ""

    def add(self, which: str) -> None:
        self.first = self.first or which
        self.count += 1


class _Reader:
    """Reads rows into a matrix that grows as rows arrive.

    Only a file of known size gets room for all its rows at once.
    """

    def __init__(
        self,
        path: Path,
        first_line: int,
        dimension: int,
        rows: int | None,
        size: int | None,
        errors: OnBadRows,
    ) -> None:
        self._path = path
        self._line = first_line
        self._empty_line: int | None = None
        self._dimension = dimension
        self._rows = rows
        self._errors = errors
        room = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // dimension))
        if rows is not None and size is not None:
            room = rows
        self._matrix = np.empty((room, dimension), dtype=np.float32)
        self._words: dict[str, int] = {}
        self._read = 0  # rows, including those left out
        self._repeated = _Tally()
        self._skipped = _Tally()

    def read_text(self, file: BinaryIO) -> Table:
        """Read a part at a time; read a part that is not plain line by line."""
        from sg_train.vectors.formats import text_rows  # noqa: PLC0415 (loads pyarrow)

        longest = _LONGEST_WORD + _LONGEST_NUMBER * self._dimension

        def read(part: bytes) -> tuple[bytes, Table | None]:
            return part, text_rows.plain_rows(part, self._dimension)

        for part, plain in in_order(read, _whole_lines(file, longest), _threads()):
            if plain is not None and self._add_plain(*plain):
                continue
            for line in iter(partial(BytesIO(part).readline, longest), b""):
                self._add_line(line)
                self._line += 1
        return self._complete()

    def read_binary(self, file: BinaryIO) -> Table:
        for word, numbers, is_in_step in self._binary_rows(file):
            where = f"vector {self._read + 1}"
            if len(numbers) < 4 * self._dimension:
                if self._errors == "skip":
                    break
                raise VectorsError(
                    f"{self._path}, {where}: the file ends here, but line 1 states "
                    f"{self._rows} vectors; {self._ways(_BadRow())}"
                )
            self._read += 1
            try:
                self._add(word, np.frombuffer(numbers, dtype="<f4"), where)
            except _BadRow as fault:
                if isinstance(fault, _BadWord) and not is_in_step:
                    raise VectorsError(
                        f"{self._path}, {where}: {fault}; no line end shows where the "
                        "next row begins, so the rest cannot be read"
                    ) from fault
                self._judge(where, fault)
        if self._read == self._rows and file.read(2).strip(b"\n"):
            raise VectorsError(
                f"{self._path}: has data after the {self._rows} vectors that line 1 "
                "states"
            )
        return self._complete()

    def _binary_rows(self, file: BinaryIO) -> Iterator[tuple[bytes, bytes, bool]]:
        """Yield each word, the bytes of its numbers, and whether line ends part rows.

        Raises:
            VectorsError: a row does not begin where the one before ends.
        """
        all_end = False  # whether a line end follows each row
        for number in range(self._rows or 0):
            word = bytearray()
            while (byte := file.read(1)) not in (b" ", b"") and len(
                word
            ) < _LONGEST_WORD:
                word += byte
            ends = word.startswith(b"\n")
            all_end = ends if number == 1 else all_end
            inside = bytes(word).lstrip(b"\n")
            if (
                len(word) == _LONGEST_WORD
                or b"\n" in inside
                or (number and ends != all_end)
            ):
                raise VectorsError(
                    f"{self._path}, vector {number + 1}: {shortened(repr(inside))} is "
                    "not a word; bytes are missing, or an earlier word has a space"
                )
            numbers = file.read(4 * self._dimension)
            yield inside, numbers, all_end or number == 0

    def _judge(self, where: str, fault: _BadRow) -> None:
        """Refuse a bad row, or skip it if that is asked for."""
        if self._errors == "skip":
            self._skipped.add(f"{where}: {fault}")
            return
        raise VectorsError(
            f"{self._path}, {where}: {fault}; {self._ways(fault)}"
        ) from fault

    def _ways(self, fault: _BadRow) -> str:
        """Return what to do about a bad row."""
        how = "--errors skip"
        if isinstance(fault, _BadWord):
            how = "--errors replace (or skip)"
        file = shlex.quote(str(self._path))
        return f"to read the other rows, convert it: sg-train export {file} OUT {how}"

    def _split(self, line: bytes) -> tuple[bytes, list[bytes]]:
        """Return the word and the numbers of a line; the word may contain spaces."""
        fields = line.split()
        excess = len(fields) - 1 - self._dimension
        if excess > 0:
            # A word that is itself a number may be followed by another, as in 10 000;
            # otherwise, numbers after a word mean that there are too many.
            word = fields[: excess + 1]
            if _is_number(word[0]) or not all(map(_is_number, word[1:])):
                return b" ".join(word), fields[excess + 1 :]
        if excess:
            raise _BadRow(
                f"{max(0, len(fields) - 1)} numbers, expected {self._dimension}"
            )
        return fields[0], fields[1:]

    def _add_plain(self, words: list[str], matrix: NDArray[np.float32]) -> bool:
        """Add valid rows and return True, unless they conflict with earlier rows."""
        before, after = len(self._words), len(self._words) + len(words)
        too_many = self._rows is not None and self._read + len(words) > self._rows
        is_new = self._words.keys().isdisjoint(words)
        if too_many or not is_new or self._empty_line is not None:
            return False
        self._words.update(zip(words, range(before, after), strict=True))
        self._make_room(after)
        self._matrix[before:after] = matrix
        self._line += len(words)
        self._read += len(words)
        return True

    def _add_line(self, line: bytes) -> None:
        where = f"line {self._line}"
        if line.isspace():  # allowed at the end of the file
            self._empty_line = self._empty_line or self._line
            return
        if self._empty_line is not None:
            what = f"is empty, expected a word and {self._dimension} numbers"
            self._judge(f"line {self._empty_line}", _BadRow(what))
            self._empty_line = None
        if self._read == self._rows and self._errors != "skip":
            raise VectorsError(
                f"{self._path}, {where}: more vectors than the {self._rows} that line "
                f"1 states; {self._ways(_BadRow())}"
            )
        self._read += 1
        try:
            word, numbers = self._split(line)
            self._add(word, _to_floats(numbers), where)
        except _BadRow as fault:
            self._judge(where, fault)

    def _add(self, word: bytes, row: NDArray[np.float32], where: str) -> None:
        try:
            text = word.decode(errors=self._on_bad_words)
        except UnicodeDecodeError as error:
            place = f"byte 0x{word[error.start]:02x} at place {error.start + 1}"
            raise _BadWord(f"the word is not UTF-8 ({place})") from error
        if not text or "\n" in text:
            raise _BadRow(f"{text!r} is not a word")
        if text in self._words:
            self._repeated.add(f"{text!r} in {where}")
            return
        if not np.isfinite(row).all():
            raise _BadRow(f"the vector of {text!r} is not finite")
        number = len(self._words)
        self._words[text] = number
        self._make_room(number + 1)
        self._matrix[number] = row

    @property
    def _on_bad_words(self) -> str:
        return "replace" if self._errors == "replace" else "strict"

    def _make_room(self, rows: int) -> None:
        while len(self._matrix) < rows:
            self._matrix = np.concatenate((self._matrix, np.empty_like(self._matrix)))

    def _complete(self) -> Table:
        found = len(self._words)
        if self._rows is not None and self._read != self._rows:
            faults = f"{self._read} vectors, line 1 states {self._rows}"
            if self._errors != "skip":
                raise VectorsError(f"{self._path}: {faults}; {self._ways(_BadRow())}")
            _LOG.warning("%s: %s", self._path, faults)
        if not found:
            faults = f"all rows are damaged; the first: {self._skipped.first}"
            if not self._skipped.count:
                faults = "holds no vectors"
            raise VectorsError(f"{self._path}: {faults}")
        for tally, what in (
            (self._repeated, "rows left out because they repeat a word"),
            (self._skipped, "damaged rows skipped"),
        ):
            if tally.count:
                _LOG.warning(
                    "%s: %s: %d, the first: %s",
                    self._path,
                    what,
                    tally.count,
                    tally.first,
                )
        return list(self._words), self._matrix[:found]


def _to_floats(numbers: list[bytes]) -> NDArray[np.float32]:
    try:
        with np.errstate(over="ignore"):  # infinity is refused later
            return np.array(numbers, dtype=np.float32)
    except ValueError as error:
        raise _BadRow(str(error)) from error


def _whole_lines(file: BinaryIO, longest: int) -> Iterator[bytes]:
    while part := file.read(_BYTES_AT_ONCE):
        yield part if part.endswith(b"\n") else part + file.readline(longest)


def _write_header(file: BinaryIO, matrix: NDArray[np.float32]) -> None:
    file.write(f"{len(matrix)} {matrix.shape[1]}\n".encode())


def _verify_text(
    file: BinaryIO,
    path: Path,
    words: Sequence[str],
    matrix: NDArray[np.float32],
    bounds: tuple[int, int],
) -> None:
    """Check the header and the first and last rows, which begin at `bounds`."""
    begin, end = bounds
    file.seek(0)
    header = file.read(begin).decode().split()
    shape = [str(number) for number in matrix.shape]
    check_read_back(path, header in ([], shape))
    for row, place in ((0, begin), (len(words) - 1, end)):
        file.seek(place)
        word, *numbers = file.readline().decode().split(" ")
        read = np.array(numbers, dtype=np.float32)
        check_read_back(
            path,
            word == words[row] and np.array_equal(read, matrix[row]),
        )


def _threads() -> int:
    return min(_MOST_THREADS, available_cpus())


def _slices(
    words: Sequence[str],
    matrix: NDArray[np.float32],
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    count = max(1, min(_ROWS_AT_ONCE, _NUMBERS_AT_ONCE // matrix.shape[1]))
    for first in range(0, len(words), count):
        part = slice(first, first + count)
        yield list(words[part]), np.asarray(matrix[part])


def _check_header(path: Path, rows: int, dimension: int, size: int | None) -> None:
    if not (rows and 1 <= dimension <= _WIDEST):
        raise VectorsError(
            f"{path}, line 1: {rows} vectors of {dimension} numbers, expected at least "
            f"1 vector of 1 to {_WIDEST} numbers"
        )
    if size is not None and rows * (2 + dimension) > size:
        raise VectorsError(
            f"{path}, line 1: states {rows} vectors of {dimension} numbers, but the "
            "file is too short for them"
        )


def _is_text(row: bytes, dimension: int) -> bool:
    """Return whether the row after the first line is text and not binary."""
    fields = row.split()[1:]
    if len(fields) >= dimension and all(map(_is_number, fields[-dimension:])):
        return True
    # A damaged row still counts as text if its fields are printable.
    try:
        return len(fields) > 1 and row.decode().strip().isprintable()
    except UnicodeDecodeError:
        return False


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _numbers_at_end(fields: list[bytes]) -> int:
    """Return how many numbers follow a word with spaces; 0 if it is no such row."""
    numbers = 0
    while numbers < len(fields) - 1 and _are_numbers(fields[-1 - numbers :][:1]):
        numbers += 1
    return numbers if numbers > _LEAST_NUMBERS else 0


def _are_numbers(fields: list[bytes]) -> bool:
    return bool(fields) and not b"".join(fields).translate(None, _OF_NUMBERS)
