import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from sg_train.corpus import encoded
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.errors import CorpusError
from tests.building import a_meta


def sentences(corpus: EncodedCorpus) -> list[list[str]]:
    found = []
    for number in range(len(corpus.block_starts) - 1):
        block = corpus.block(number)
        for start, end in zip(block.offsets[:-1], block.offsets[1:], strict=True):
            found.append([corpus.vocabulary.words[id] for id in block.ids[start:end]])
    return found


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_blocks_are_the_corpus_cut_between_sentences(
    corpus: EncodedCorpus, text: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(encoded, "_MIN_BLOCK_WORDS", size)
    monkeypatch.setattr(encoded, "_BLOCKS_WANTED", corpus.words)
    lines = [line.split() for line in text.read_text().splitlines()]
    assert sentences(corpus) == lines
    lengths = np.diff(corpus.block_starts)
    assert (lengths >= 1).all()
    assert lengths.sum() == corpus.words
    assert (lengths[:-1] < size + max(map(len, lines))).all()


def test_block_size_depends_only_on_the_corpus(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(words: int) -> np.ndarray:
        corpus = EncodedCorpus(Path(), None, a_meta(words=words, sentences=words // 10))  # type: ignore[arg-type]
        np.arange(0, words + 1, 10, dtype="<i8").tofile("offsets.i64")
        Path("ids.i32").touch()
        return np.diff(corpus.block_starts)

    assert cut(30_000).tolist() == [10_000] * 3
    assert cut(2_000_000).tolist() == [20_000] * 100
    assert cut(50_000_000).tolist() == [250_000] * 200


def test_a_pickle_is_a_path(corpus: EncodedCorpus) -> None:
    corpus.block(0)
    pickled = pickle.dumps(corpus)
    assert len(pickled) < 200
    assert pickle.loads(pickled).words == corpus.words  # noqa: S301


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ids.i32", bytes(4)),
        ("ids.i32", bytes(3)),
        ("ids.i32", b""),
        ("offsets.i64", bytes(16)),
        ("vocabulary.tsv", b"a\t1\n"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    corpus: EncodedCorpus, name: str, content: bytes
) -> None:
    (corpus.path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=name):
        EncodedCorpus.load(corpus.path)


@pytest.mark.parametrize("bad", [-1, 30, 2**31 - 1])
def test_ids_out_of_range_never_reach_an_engine(
    corpus: EncodedCorpus, bad: int
) -> None:
    ids = np.fromfile(corpus.path / "ids.i32", dtype="<i4")
    ids[5] = bad
    ids.tofile(corpus.path / "ids.i32")
    with pytest.raises(CorpusError, match="ids.i32: damaged"):
        EncodedCorpus.load(corpus.path).block(0)


@pytest.mark.parametrize("bad", [-1, 0, 10**9])
def test_offsets_out_of_order_never_reach_an_engine(
    corpus: EncodedCorpus, bad: int
) -> None:
    offsets = np.fromfile(corpus.path / "offsets.i64", dtype="<i8")
    offsets[2] = bad
    offsets.tofile(corpus.path / "offsets.i64")
    with pytest.raises(CorpusError, match="offsets.i64: damaged"):
        EncodedCorpus.load(corpus.path)


def test_offsets_that_change_under_a_run_never_reach_an_engine(
    corpus: EncodedCorpus,
) -> None:
    corpus.block(0)
    offsets = np.memmap(corpus.path / "offsets.i64", dtype="<i8", mode="r+")
    offsets[2] = 10**9
    offsets.flush()
    with pytest.raises(CorpusError, match="offsets.i64: damaged"):
        corpus.block(0)


def test_a_file_that_is_read_bit_by_bit_is_read_whole(
    corpus: EncodedCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = corpus.block(0)
    read = os.preadv

    def little(descriptor: int, rooms: list[memoryview], place: int) -> int:
        return read(descriptor, [rooms[0][:7]], place)

    monkeypatch.setattr(os, "preadv", little)
    again = corpus.block(0)
    assert np.array_equal(again.ids, whole.ids)
    assert np.array_equal(again.offsets, whole.offsets)
