import bz2
import contextlib
import glob
import gzip
import io
import lzma
import os
import random
import sqlite3
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus import reader
from sg_train.corpus.reader import expand_paths, read_chunks
from sg_train.errors import CorpusError

SPACE = b" \t\n\r\x0b\x0c"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}


def read(path: Path, size: int = 1 << 20, on_bad_text="strict") -> list[bytes]:
    return list(read_chunks(str(path), SPACE, on_bad_text, size))


@pytest.mark.parametrize("kind", COMPRESS)
def test_compression_is_recognised_by_content(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "misleading.zip"
    path.write_bytes(COMPRESS[kind](b"one two\nthree\n" * 1000))
    assert b"".join(read(path, 1000)) == b"one two\nthree\n" * 1000


@pytest.mark.parametrize("kind", [kind for kind in COMPRESS if kind != "plain"])
def test_truncated_and_damaged_data_are_refused(tmp_path: Path, kind: str) -> None:
    numbers = random.Random(1)
    words = [f"{numbers.randrange(10**9):x}" for _ in range(2000)]
    data = COMPRESS[kind](" ".join(words).encode())
    path = tmp_path / "text"
    for part in (data[: len(data) // 2], data[:-1]):
        path.write_bytes(part)
        with pytest.raises(CorpusError, match=f"text: damaged or truncated {kind}"):
            read(path)
    # Without a checksum, which Arrow does not add, zstd notices damage to its frame.
    where = 4 if kind == "zstd" else 1000
    path.write_bytes(data[:where] + bytes(9) + data[where + 9 :])
    with pytest.raises(CorpusError, match="text: "):  # or the text that it gives is bad
        read(path)


def test_several_compressed_parts_in_a_row_are_one_text(tmp_path: Path) -> None:
    path = tmp_path / "parts.gz"
    path.write_bytes(gzip.compress(b"one ") + gzip.compress(b"two\n"))
    assert b"".join(read(path)) == b"one two\n"


@given(
    lines=st.lists(st.text(st.sampled_from("ab é\t"), max_size=12)),
    size=st.integers(16, 40),
    last_line_ends=st.booleans(),
)
def test_chunks_are_the_text_cut_between_words(
    tmp_path_factory, lines: list[str], size: int, last_line_ends: bool
) -> None:
    text = "\n".join(lines).encode() + (b"\n" if lines and last_line_ends else b"")
    path = tmp_path_factory.mktemp("reader") / "text"
    path.write_bytes(text)
    chunks = read(path, size)
    whole = b"".join(chunks)
    assert whole == text if text.endswith(b"\n") else whole == text + b"\n" * bool(text)
    for chunk in chunks:
        assert chunk[-1] in SPACE
        assert b"\n" not in chunk[:-1] or chunk.endswith(b"\n")


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_all_systems_end_sentences(tmp_path: Path, ends: bytes) -> None:
    path = tmp_path / "text"
    path.write_bytes(ends.join([b"a b", b"c", b"d"]))
    assert b"".join(read(path)).split(b"\n") in (
        [b"a b", b"c", b"d", b""],
        [b"a b", b"", b"c", b"", b"d", b""],
    )


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfone\n")
    assert read(path) == [b"one\n"]
    path.write_bytes(b"\xef\xbb\xbfone \xff\n")
    with pytest.raises(CorpusError, match="invalid UTF-8 at byte 7"):
        read(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("on_bad_text", ["strict", "replace"])
def test_utf16_is_named(tmp_path: Path, encoding: str, on_bad_text: str) -> None:
    (tmp_path / "text").write_bytes("one two\nthree".encode(encoding))
    with pytest.raises(CorpusError, match="UTF-16 text, not UTF-8 text; convert it"):
        read(tmp_path / "text", on_bad_text=on_bad_text)
    (tmp_path / "text").write_bytes("one two".encode("utf-32"))
    with pytest.raises(CorpusError, match="UTF-32 text, not UTF-8 text; convert it"):
        read(tmp_path / "text", on_bad_text=on_bad_text)


def test_binary_data_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(random.Random(1).randbytes(5000))
    with pytest.raises(CorpusError, match="binary data, not UTF-8 text"):
        read(tmp_path / "text", on_bad_text="replace")


def test_very_short_lines_are_read_in_small_pieces(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(reader, "_MOST_LINES", 10)
    monkeypatch.setattr(reader, "_PIECE_BYTES", 16)
    for text in (b"\n" * 100, b"a\n" * 50, b"a\n" * 20 + b"b" * 40 + b" c\n\n" * 9):
        (tmp_path / "text").write_bytes(text)
        pieces = read(tmp_path / "text")
        assert b"".join(pieces) == text
        assert max(map(len, pieces)) <= 43
        assert all(piece.endswith(b"\n") for piece in pieces)


def test_bad_bytes_are_located_across_chunks(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"word " * 100 + b"\xe9t\xe9 " + b"word " * 100)
    with pytest.raises(CorpusError, match=r"text: invalid UTF-8 at byte 500;"):
        read(path, 64)
    path.write_bytes(b"word " * 100 + b"\0" + b"word " * 100)
    with pytest.raises(CorpusError, match="text: NUL byte at byte 500"):
        read(path, 64)


def test_bad_bytes_are_replaced_when_told(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"caf\xe9 a\0b\n")
    assert b"".join(read(path, 64, "replace")).decode() == "caf\ufffd a\ufffdb\n"


def test_a_text_without_words_is_refused_before_it_fills_memory(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(CorpusError, match="no word ends in the"):
        read(path, 64)


def test_standard_input_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(gzip.compress(b"one two")))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert b"".join(read_chunks("-", SPACE)) == b"one two\n"


def test_closed_standard_input_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(b""))
    stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(CorpusError, match="cannot read standard input"):
        list(read_chunks("-", SPACE))
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(CorpusError, match="cannot read standard input"):
        list(read_chunks("-", SPACE))


def test_paths_are_expanded_in_order(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "b/.hidden", "a.txt", "c.txt", "b/d/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = expand_paths(["c.txt", "b", "*.txt", "b/**/3*", "-"])
    assert found == [
        "c.txt",
        *("b/1.txt", "b/2.txt", "b/d/3.txt"),
        *("a.txt", "c.txt"),
        "b/d/3.txt",
        "-",
    ]


def test_links_are_followed_once_and_the_rest_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "texts/real/deep").mkdir(parents=True)
    (tmp_path / "texts/real/deep/1.txt").write_text("x")
    (tmp_path / "elsewhere/more").mkdir(parents=True)
    (tmp_path / "elsewhere/2.txt").write_text("x")
    (tmp_path / "elsewhere/more/back").symlink_to(tmp_path / "texts")
    (tmp_path / "texts/a-link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "texts/again").symlink_to("real")
    (tmp_path / "texts/broken").symlink_to("nowhere")
    (tmp_path / "texts/file.txt").symlink_to("real/deep/1.txt")
    os.mkfifo(tmp_path / "texts/pipe")
    assert expand_paths(["texts"]) == [
        *("texts/a-link/2.txt", "texts/file.txt", "texts/real/deep/1.txt")
    ]
    (warning,) = caplog.messages
    assert warning.startswith("skipped paths: 4 (")
    for reason in (
        "texts/broken (a broken link)",
        "texts/pipe (not a regular file)",
        "texts/again (a link to a directory read already)",
        "texts/a-link/more/back (a link to a directory read already)",
    ):
        assert reason in warning


def test_a_directory_above_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "w/corpus").mkdir(parents=True)
    (tmp_path / "w/corpus/a.txt").write_text("x")
    (tmp_path / "w/b.txt").write_text("x")
    (tmp_path / "w/corpus/up").symlink_to("..")
    assert expand_paths(["w/corpus"]) == ["w/corpus/a.txt", "w/corpus/up/b.txt"]


def test_two_links_to_their_own_directory_end(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g/a.txt").write_text("x")
    for name in ("one", "other"):
        (tmp_path / "g" / name).symlink_to(".")
    assert expand_paths(["g/**/*.txt", "g/**"]) == ["g/a.txt"] * 2


def test_what_a_glob_or_an_empty_directory_skips_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "g/sub").mkdir(parents=True)
    (tmp_path / "g/t.txt").write_text("x")
    assert expand_paths(["g/*"]) == ["g/t.txt"]
    assert "g/sub (a directory; give it itself" in caplog.text
    (tmp_path / "only").mkdir()
    (tmp_path / "only/x").symlink_to("nowhere")
    (tmp_path / "only/null").symlink_to("/dev/null")
    with pytest.raises(CorpusError, match="only/x .a broken link.") as caught:
        expand_paths(["only"])
    assert "only/null (not a regular file)" in str(caught.value)


@pytest.mark.parametrize(
    "pattern", ["**/*.txt", "b/**/3*", "**/d/*", "b/**", "*/**/?.txt", "**/b/**/3.txt"]
)
def test_a_glob_across_directories_matches_what_python_does(
    tmp_path: Path, pattern: str
) -> None:
    for name in ("b/2.txt", "b/.hidden", "b/.h/1.txt", "a.txt", "b/d/3.txt", "b/d/e/3"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 (the oracle)
    assert expand_paths([pattern]) == sorted(x for x in found if Path(x).is_file())


def test_a_glob_reads_a_directory_once_though_links_form_a_loop(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/1.txt").write_text("x")
    (tmp_path / "b/2.txt").symlink_to("1.txt")
    (tmp_path / "b/3.txt").symlink_to("gone.txt")
    (tmp_path / "b/a").symlink_to(tmp_path / "b")
    assert expand_paths(["**/*.txt"]) == ["b/1.txt", "b/2.txt"]
    assert "b/3.txt (a broken link)" in caplog.text


def zipped(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "text")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    return file.getvalue()


def as_table(write: Callable[[pa.Table, Path], None], path: Path) -> bytes:
    write(pa.table({"text": ["a b"]}), path)
    return path.read_bytes()


def as_database(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("create table texts (body text)")
        database.commit()
    return path.read_bytes()


CONTAINERS: dict[str, tuple[str, Callable[[Path], bytes]]] = {
    "a.zip": ("a zip archive", lambda _: zipped("a.txt")),
    "a.docx": ("an Office document", lambda _: zipped("word/document.xml")),
    "a.epub": ("an OpenDocument or EPUB file", lambda _: zipped("mimetype")),
    "a.tar": ("a tar archive", lambda _: tarred()),
    "a.tar.gz": ("a tar archive", lambda _: gzip.compress(tarred())),
    "a.tar.xz": ("a tar archive", lambda _: lzma.compress(tarred())),
    "a.parquet": ("a Parquet table", lambda path: as_table(pq.write_table, path)),
    "a.orc": ("an ORC table", lambda path: as_table(orc.write_table, path)),
    "a.feather": ("an Arrow table", lambda path: as_table(feather.write_feather, path)),
    "a.sqlite": ("a SQLite database", as_database),
    "a.pdf": ("a PDF document", lambda _: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"),
}


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize("on_bad_text", ["strict", "replace"])
def test_a_container_is_named_and_refused(
    tmp_path: Path, name: str, on_bad_text: str
) -> None:
    kind, make = CONTAINERS[name]
    content = make(tmp_path / "made")
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(CorpusError, match=f"text: {kind}.*, not UTF-8 text; "):
        read(tmp_path / "text", on_bad_text=on_bad_text)


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("missing.txt", "missing.txt: no such file or directory"),
        ("*.none", "no files found"),
        ("empty", "empty: no files found"),
        ("", "an empty path"),
    ],
)
def test_a_pattern_that_names_nothing_is_refused(
    tmp_path: Path, pattern: str, complaint: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=complaint):
        expand_paths([pattern])


def test_a_file_that_vanishes_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot read .*gone: No such file"):
        read(tmp_path / "gone")
    with pytest.raises(CorpusError, match="cannot read .*: Is a directory"):
        read(tmp_path)


def test_an_unreadable_directory_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "texts" / "locked").mkdir(parents=True)
    (tmp_path / "texts" / "a.txt").write_text("x")
    scandir = os.scandir

    def refuse(path: str):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match="cannot read texts/locked: Permission"):
        expand_paths(["texts"])
