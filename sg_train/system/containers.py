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

PYTORCH = Container("a PyTorch file (zip)", _EXPORT, _CONVERT)
NPZ = Container("a numpy archive (.npz)", _EXPORT, _CONVERT)

_OFFICE = Container("an Office document (such as .docx or .xlsx)", _SAVE)
_ZIP = Container("a zip archive", _UNPACK, _UNPACK)
_TAR = Container("a tar archive", _UNPACK, _UNPACK)
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
    if head[257:262] == b"ustar":
        return _TAR
    for signature, container in _SIGNATURES.items():
        if head.startswith(signature):
            return container
    return None


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
