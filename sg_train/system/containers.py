"""Files that hold text or vectors in a container of another program.

A container is recognised by its first bytes, never by its name.
"""

import struct
from dataclasses import dataclass

HEAD_BYTES = 1024  # how much of a file `container_of` needs


@dataclass(frozen=True)
class Container:
    """A kind of file that is neither text nor vectors.

    Attributes:
        name: the kind, with an article.
        advice: how to get text out of it.
        vectors_advice: how to get vectors out of it.
    """

    name: str
    advice: str
    vectors_advice: str = "choose a vector file"


_UNPACK = "unpack it and give the files inside"
_SAVE = "save it as plain text in UTF-8"
_EXPORT = "export its text, one sentence or sequence per line"

_CONVERT = (
    "load it in Python and convert it: "
    "sg_train.WordVectors(words, matrix).save('vectors.txt')"
)

PYTORCH = Container("a PyTorch file", _EXPORT, _CONVERT)
NPZ = Container("a numpy archive (.npz)", _EXPORT, _CONVERT)

_OFFICE = Container("an Office document (such as .docx or .xlsx)", _SAVE)
_ZIP = Container("a zip archive", _UNPACK, _UNPACK)
_TAR = Container("a tar archive", _UNPACK, _UNPACK)
_TO_UTF8 = "convert it to UTF-8"
_UTF16 = Container("UTF-16 text", _TO_UTF8, _TO_UTF8)
_UTF32 = Container("UTF-32 text", _TO_UTF8, _TO_UTF8)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_BINARY = Container("binary data", "give text files only")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\r\f\v\x1c\x1d\x1e\x1f\x1a\x1b"})
_MOST_CONTROLS = 0.05  # of the bytes; random ones have .08
_LEAST_JUDGED = 64  # bytes
_TWICE = Container("compressed data", "decompress it, once more if necessary", _UNPACK)
_PICTURE = Container("an image", "give text files only")

_SIGNATURES = {
    b"%PDF-": Container("a PDF document", "extract its text, as pdftotext does"),
    b"%!PS": Container("a PostScript document", "extract its text, as ps2ascii does"),
    b"{\\rtf": Container("an RTF document", _SAVE),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": Container(
        "an old Office document (such as .doc or .xls)", _SAVE
    ),
    b"SQLite format 3\0": Container("a SQLite database", _EXPORT),
    b"PAR1\x15": Container("a Parquet table", _EXPORT),
    b"ARROW1\0\0": Container("an Arrow table", _EXPORT),
    b"ORC\x0a": Container("an ORC table", _EXPORT),
    b"Obj\x01": Container("an Avro table", _EXPORT),
    b"\x89HDF\r\n\x1a\n": Container("an HDF5 file", _EXPORT),
    b"\x93NUMPY": Container("a numpy array", _EXPORT),
    b"7z\xbc\xaf\x27\x1c": Container("a 7z archive", _UNPACK),
    b"Rar!\x1a\x07": Container("a rar archive", _UNPACK),
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": PYTORCH,
    b"\x1f\x8b\x08": _TWICE,
    b"\x28\xb5\x2f\xfd": _TWICE,
    b"\xfd7zXZ\0": _TWICE,
    b"\x04\x22\x4d\x18": _TWICE,
    b"\x5d\0\0": _TWICE,
    b"\x1f\x9d": _TWICE,
    b"PK\x05\x06": Container("an empty zip archive", _UNPACK),
    b"\x89PNG\r\n\x1a\n": _PICTURE,
    b"\xff\xd8\xff": _PICTURE,
    b"GIF8": _PICTURE,
    b"\x7fELF": Container("a program", "give text files only"),
}
# The first file in a zip archive tells whose archive it is.
_INSIDE_ZIP = {
    "[Content_Types].xml": _OFFICE,
    "_rels/": _OFFICE,
    "docProps/": _OFFICE,
    "word/": _OFFICE,
    "xl/": _OFFICE,
    "mimetype": Container("an OpenDocument or EPUB file", _SAVE),
}


def container_of(head: bytes) -> Container | None:
    """Return the container that a file's first HEAD_BYTES bytes announce, or None.

    >>> container_of(b"%PDF-1.7").name
    'a PDF document'
    >>> container_of(b"PAR1 is a word")
    """
    if head.startswith(b"PK\x03\x04"):
        return _zip(head)
    if head.startswith(_UTF32_MARKS):
        return _UTF32
    if head.startswith(_UTF16_MARKS) or _is_utf16(head):
        return _UTF16
    if head[257:262] == b"ustar":
        return _TAR
    for signature, container in _SIGNATURES.items():
        if head.startswith(signature):
            return container
    controls = len(head) - len(head.translate(None, _CONTROLS))
    is_binary = len(head) >= _LEAST_JUDGED and controls > _MOST_CONTROLS * len(head)
    return _BINARY if is_binary else None


def _is_utf16(head: bytes) -> bool:
    """Return whether nearly every other byte is NUL, as in UTF-16 of Latin letters."""
    for first in (0, 1):
        half, other = head[first::2], head[1 - first :: 2]
        if half.count(0) > 0.7 * len(half) and other.count(0) < 0.1 * len(other):
            return len(head) > 7
    return False


def _zip(head: bytes) -> Container:
    if len(head) < 30:
        return _ZIP
    (length,) = struct.unpack_from("<H", head, 26)
    name = head[30 : 30 + length].decode(errors="replace")
    for start, container in _INSIDE_ZIP.items():
        if name.startswith(start):
            return container
    if name.endswith(".npy"):
        return NPZ
    if name.endswith(("/data.pkl", "/.format_version", "/.storage_alignment")):
        return PYTORCH
    return _ZIP
