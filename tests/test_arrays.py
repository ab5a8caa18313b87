import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch

from sg_train.errors import OutputError, VectorsError
from sg_train.vectors.formats.arrays import (
    load_npy,
    load_safetensors,
    save_npy,
    save_safetensors,
)
from sg_train.vectors.formats.compact import compacted, expanded
from sg_train.vectors.word_vectors import WordVectors
from tests.building import of
from tests.conftest import awkward_vectors


def test_torch_and_numpy_read_safetensors() -> None:
    vectors = awkward_vectors()
    save_safetensors(*of(vectors), Path("v"))
    tensors = safetensors.torch.load_file("v")
    assert np.array_equal(tensors["vectors"].numpy(), vectors.matrix)
    words = tensors["words"].numpy().tobytes().decode().split("\n")
    assert words == [*vectors.words, ""]


def test_numpy_reads_npy() -> None:
    vectors = awkward_vectors()
    save_npy(*of(vectors), Path("v.npy"))
    assert np.array_equal(np.load("v.npy"), vectors.matrix)
    assert Path("v.words.txt").read_text().split("\n") == [*vectors.words, ""]


@pytest.mark.parametrize(
    ("save", "load"), [(save_npy, load_npy), (save_safetensors, load_safetensors)]
)
def test_files_are_mapped_whatever_the_layout_was(save, load) -> None:
    vectors = awkward_vectors()
    turned = WordVectors(vectors.words, np.asfortranarray(vectors.matrix)[:, ::-1])
    save(*of(turned), Path("v.npy"))
    loaded = WordVectors(*load(Path("v.npy")))
    assert isinstance(loaded.matrix, np.memmap)
    assert loaded.words == vectors.words
    assert np.array_equal(loaded.matrix, vectors.matrix[:, ::-1])


@pytest.mark.parametrize("save", [save_npy, save_safetensors])
def test_what_is_not_finite_is_refused_both_ways(save) -> None:
    matrix = np.ones((3, 2), dtype=np.float32)
    matrix[1, 1] = np.inf
    with pytest.raises(VectorsError, match="'b' is not finite"):
        save(["a", "b", "c"], matrix, Path("v.npy"))
    assert not Path("v.npy").exists()
    np.save("v.npy", matrix)
    Path("v.words.txt").write_text("a\nb\nc\n")
    with pytest.raises(VectorsError, match=r"v.npy: the vector of 'b' is not finite"):
        load_npy(Path("v.npy"))


def damaged(tensors: dict[str, np.ndarray], form: str = "sg-train vectors 1") -> Path:
    Path("v").write_bytes(safetensors.numpy.save(tensors, {"format": form}))
    return Path("v")


def test_other_safetensors_are_refused() -> None:
    matrix = np.ones((2, 2), dtype=np.float32)
    words = np.frombuffer(b"a\nb\n", dtype=np.uint8)
    cases: list[tuple[dict[str, np.ndarray], str]] = [
        ({"vectors": matrix}, "damaged"),
        (
            {"vectors": matrix.astype(np.float64), "words": words},
            "expected a matrix of F32, F16, I8",
        ),
        ({"vectors": matrix[0], "words": words}, "expected a matrix of F32, F16, I8"),
        ({"vectors": matrix[:1], "words": words}, "2 words for 1 vectors"),
        ({"vectors": matrix, "words": words | 128}, "not UTF-8"),
    ]
    for tensors, complaint in cases:
        with pytest.raises(VectorsError, match=f"v: .*{complaint}"):
            load_safetensors(damaged(tensors))
    with pytest.raises(VectorsError, match="has format 'weights', expected"):
        load_safetensors(damaged({"u": matrix}, "weights"))
    whole = damaged({"vectors": matrix, "words": words}).read_bytes()
    for size in range(len(whole)):
        Path("v").write_bytes(whole[:size])
        with pytest.raises(VectorsError, match="v: damaged"):
            load_safetensors(Path("v"))


def test_of_repeated_words_the_first_is_kept(caplog) -> None:
    matrix = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.save("v.npy", matrix)
    Path("v.words.txt").write_text("a\nb\na\na\n")
    words, kept = load_npy(Path("v.npy"))
    assert words == ["a", "b"]
    assert kept.tolist() == [[0, 1], [2, 3]]
    assert caplog.messages == [
        "v.npy: rows left out because they repeat a word: 2, the first: 'a' in vector 3"
    ]


def test_other_arrays_are_refused() -> None:
    Path("v.words.txt").write_text("a\nb\n")
    np.save("v.npy", np.ones((2, 2)))
    with pytest.raises(VectorsError, match="2 dimensions of float64"):
        load_npy(Path("v.npy"))
    np.save("v.npy", np.array([["a"], [{}]], dtype=object), allow_pickle=True)
    with pytest.raises(VectorsError, match="v.npy: damaged"):
        load_npy(Path("v.npy"))
    Path("v.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(VectorsError, match="v.npy: damaged"):
        load_npy(Path("v.npy"))
    Path("v.words.txt").unlink()
    with pytest.raises(VectorsError, match=r"cannot read v.words.txt, the words of v"):
        load_npy(Path("v.npy"))
    with pytest.raises(VectorsError, match="must end in .npy"):
        save_npy(*of(awkward_vectors()), Path("v"))


def test_a_file_that_reads_back_otherwise_is_not_left(monkeypatch) -> None:
    save = safetensors.numpy.save

    def shifted(tensors, metadata):
        tensors = tensors | {"vectors": np.roll(tensors["vectors"], 1, axis=0)}
        return save(tensors, metadata)

    monkeypatch.setattr(safetensors.numpy, "save", shifted)
    with pytest.raises(OutputError, match="does not read back as written"):
        save_safetensors(*of(awkward_vectors()), Path("v"))
    assert not Path("v").exists()


def test_the_header_says_where_the_vectors_are() -> None:
    save_safetensors(*of(awkward_vectors()), Path("v"))
    raw = Path("v").read_bytes()
    header = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
    assert header["__metadata__"] == {"format": "sg-train vectors 1"}
    assert header["vectors"]["shape"] == [5008, 7]


@pytest.mark.parametrize("save", [save_npy, save_safetensors])
def test_any_word_of_one_line_is_kept(save) -> None:
    words = ["a b", "\u00a0x", "tab\t"]
    save(words, np.ones((3, 2), dtype=np.float32), Path("v.npy"))
    load = load_npy if save is save_npy else load_safetensors
    assert load(Path("v.npy"))[0] == words
    for word in ("", "a\n", "a\r"):
        with pytest.raises(VectorsError, match="contain a line end|is empty"):
            save([word], np.ones((1, 2), dtype=np.float32), Path("v.npy"))


def test_words_of_windows_and_damaged_headers() -> None:
    np.save("v.npy", np.ones((2, 2), dtype=np.float32))
    Path("v.words.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\r\n")
    assert load_npy(Path("v.npy"))[0] == ["a", "b"]
    Path("v.words.txt").write_bytes(b"a\n\nb\n")
    with pytest.raises(VectorsError, match="the word of vector 2 is empty"):
        load_npy(Path("v.npy"))
    whole = Path("v.npy").read_bytes()
    for place in range(len(whole) - 16):
        for other in (b"\0", b"'", b"(", b"\\", b"9"):
            Path("v.npy").write_bytes(whole[:place] + other + whole[place + 1 :])
            with contextlib.suppress(VectorsError):
                load_npy(Path("v.npy"))
    for shape in ((0, 2), (2, 0)):
        np.save("v.npy", np.ones(shape, dtype=np.float32))
        with pytest.raises(VectorsError, match="vectors of . numbers"):
            load_npy(Path("v.npy"))


def test_another_files_words_are_left_alone() -> None:
    Path("notes.words.txt").write_text("mine")
    with pytest.raises(VectorsError, match=r"notes.words.txt: already exists"):
        save_npy(*of(awkward_vectors()), Path("notes.npy"))
    Path("d.npy").mkdir()
    with pytest.raises(OutputError, match="cannot write d.npy"):
        save_npy(*of(awkward_vectors()), Path("d.npy"))
    assert not Path("d.words.txt").exists()
    assert Path("notes.words.txt").read_text() == "mine"


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("form", ["npy", "safetensors"])
def test_small_numbers_are_read_back(form, dtype) -> None:
    matrix = np.random.default_rng(4).normal(size=(300, 40)).astype(np.float32)
    vectors = WordVectors([f"w{row}" for row in range(300)], matrix)
    vectors.save(f"v.{form}")
    vectors.save(f"small.{form}", dtype=dtype)
    share = Path(f"small.{form}").stat().st_size / Path(f"v.{form}").stat().st_size
    assert share < (0.55 if dtype == "float16" else 0.33)
    read = WordVectors.load(f"small.{form}")
    assert read.words == vectors.words
    expected = expanded(compacted(vectors.words, matrix, dtype))
    assert np.array_equal(read.matrix, expected)
    vectors.save(f"small.{form}", dtype=dtype)  # again, in its place


def test_damaged_scales_are_refused() -> None:
    vectors = WordVectors(["a", "b"], np.array([[1, 2], [3, 4]]))
    vectors.save("v.npy", dtype="int8")
    np.save("v.scales.npy", np.ones(3, np.float32))
    message = (
        r"its scales are float32 of shape \(3,\), expected float32 of shape \(2,\)"
    )
    with pytest.raises(VectorsError, match=message):
        WordVectors.load("v.npy")
    Path("v.scales.npy").unlink()
    with pytest.raises(
        VectorsError, match="cannot read v.scales.npy, the scales of in"
    ):
        WordVectors.load("v.npy")
    Path("w.scales.npy").write_text("mine")
    with pytest.raises(
        VectorsError, match="w.scales.npy: already exists, but w.npy do"
    ):
        vectors.save("w.npy", dtype="int8")
    words = np.frombuffer(b"a\nb\n", np.uint8)
    tensors = {"vectors": np.ones((2, 2), np.int8), "words": words}
    with pytest.raises(VectorsError, match="damaged safetensors file.*scales"):
        load_safetensors(damaged(tensors))
