import bz2
import gzip
import lzma
import pickle
from collections.abc import Callable
from pathlib import Path

import gensim
import numpy as np
import pyarrow as pa
import pytest
import torch

from sg_train.choices import VectorFormat
from sg_train.errors import VectorsError
from sg_train.vectors.formats import FILES, format_of
from sg_train.vectors.word_vectors import WordVectors
from tests.building import load_vectors, save_vectors
from tests.conftest import awkward_vectors

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
READ = ["text", "binary", "glove", "safetensors", "npy"]


@pytest.mark.parametrize("form", READ)
def test_the_format_is_recognised_by_content(tmp_path, form: VectorFormat) -> None:
    vectors = awkward_vectors()
    path = tmp_path / "vectors.npy"  # the ending says nothing but to npy
    save_vectors(vectors, path, form)
    loaded = load_vectors(path)
    assert list(loaded.words) == vectors.words
    assert np.array_equal(loaded.matrix, vectors.matrix)
    assert np.signbit(loaded.matrix[0][1])


@pytest.mark.parametrize("kind", COMPRESS)
@pytest.mark.parametrize("form", ["text", "binary", "glove"])
def test_compressed_files_are_read(tmp_path, form: VectorFormat, kind: str) -> None:
    vectors = awkward_vectors()
    save_vectors(vectors, tmp_path / "v", form)
    packed = tmp_path / "v.packed"
    packed.write_bytes(COMPRESS[kind]((tmp_path / "v").read_bytes()))
    loaded = load_vectors(packed)
    assert loaded.words == vectors.words
    assert np.array_equal(loaded.matrix, vectors.matrix)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(VectorsError, match=f"damaged or truncated {kind} data"):
        load_vectors(packed)


def test_a_compressed_header_may_claim_what_it_likes(tmp_path) -> None:
    (tmp_path / "v.gz").write_bytes(gzip.compress(b"1000000000000 2\na 1 2\n"))
    with pytest.raises(VectorsError, match="1 vectors, line 1 states 1000000000000"):
        load_vectors(tmp_path / "v.gz")


def test_pickles_are_not_loaded(tmp_path) -> None:
    keyed = gensim.models.KeyedVectors(2)
    keyed.add_vectors(["a"], np.ones((1, 2), dtype=np.float32))
    keyed.save(str(tmp_path / "kv"))
    (tmp_path / "old").write_bytes(pickle.dumps([1.0], protocol=2))
    for name in ("kv", "old"):
        with pytest.raises(VectorsError, match=r"pickle.*save_word2vec_format"):
            load_vectors(tmp_path / name)


def test_a_missing_file_is_one_line(tmp_path) -> None:
    with pytest.raises(VectorsError, match="cannot read .*v: No such file"):
        load_vectors(tmp_path / "v")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"PK\x03\x04rest", "a zip archive, not a vector file; unpack it"),
        (gzip.compress(b"PK\x03\x04rest", mtime=0), "a zip archive, not a vector file"),
        (b"%PDF-1.7", "a PDF document, not a vector file; choose a vector file"),
        ((793712314).to_bytes(4, "little") + b"\x0c\0\0\0", "damaged fastText model"),
        (
            gzip.compress((793712314).to_bytes(4, "little"), mtime=0),
            "a compressed fastText model; decompress it first",
        ),
    ],
)
def test_other_downloads_are_named(tmp_path, content: bytes, complaint: str) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(VectorsError, match=complaint):
        load_vectors(tmp_path / "v")


def test_weights_and_arrays_of_other_libraries_are_named(tmp_path) -> None:
    with (tmp_path / "v.npz").open("wb") as file:
        np.savez(file, vectors=np.ones((2, 2)))
    torch.save(torch.ones(2, 2), tmp_path / "v.pt")
    for name, kind in [("v.npz", "a numpy archive"), ("v.pt", "a PyTorch file")]:
        complaint = (
            rf"{name}: {kind}.*, not a vector file; .*WordVectors\(words, matrix"
        )
        with pytest.raises(VectorsError, match=complaint):
            load_vectors(tmp_path / name)


def test_endings_stand_for_formats() -> None:
    endings = (".npy", ".BIN", ".txt", "")
    found = [format_of(Path(f"v{ending}")) for ending in endings]
    assert found == ["npy", "binary", None, None]
    with pytest.raises(VectorsError, match=".xlsx is not the ending of a vector fi"):
        format_of(Path("v.xlsx"))


def test_the_vectors_in_a_directory_are_read(tmp_path: Path) -> None:
    vectors = awkward_vectors()
    with pytest.raises(VectorsError, match="holds no vectors.*resume.*sg-train export"):
        WordVectors.load(tmp_path)
    forms: tuple[VectorFormat, ...] = ("npy", "text")  # both there: text comes first
    for form in forms:
        vectors.save(tmp_path / FILES[form], form)
        read = WordVectors.load(str(tmp_path))
        assert list(read.words) == vectors.words
        np.testing.assert_array_equal(read.matrix, vectors.matrix)
