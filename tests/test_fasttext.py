"""fastText's model files, checked against fastText and gensim themselves."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models.fasttext import load_facebook_model

from sg_train.errors import VectorsError
from sg_train.vectors.formats.fasttext import load_fasttext, save_fasttext
from sg_train.vectors.ngrams import Ngrams, Subwords
from sg_train.vectors.word_vectors import WordVectors

WORDS = ["the", "praha", "prahou", "東京", "ñu", "a", "🙂", "don't"]
UNSEEN = ["prahy", "pražský", "x", "東京都", "nejnevyzpytatelnější", "PRAHY"]
NGRAMS = Ngrams(3, 6, 1000)


def some_vectors(ngrams: Ngrams = NGRAMS) -> WordVectors:
    generator = np.random.default_rng(5)
    shape = len(WORDS), 12
    subwords = Subwords(
        ngrams,
        generator.normal(size=(ngrams.buckets, 12)).astype(np.float32),
        generator.normal(size=shape).astype(np.float32),
    )
    matrix = generator.normal(size=shape).astype(np.float32)
    counts = np.arange(len(WORDS), 0, -1)
    return WordVectors(WORDS, matrix, subwords=subwords, counts=counts)


@pytest.fixture(scope="module")
def peer() -> Any:
    return pytest.importorskip("fasttext")


@pytest.mark.parametrize("ngrams", [NGRAMS, Ngrams(2, 3, 1), Ngrams(1, 2, 7)], ids=str)
def test_fasttext_and_gensim_give_equal_vectors(peer: Any, ngrams: Ngrams) -> None:
    vectors = some_vectors(ngrams)
    vectors.save("v.bin", "fasttext")
    model = peer.load_model("v.bin")
    assert model.get_words() == WORDS
    theirs = load_facebook_model("v.bin")
    assert theirs.wv.index_to_key == WORDS
    assert theirs.wv.get_vecattr("praha", "count") == 7
    assert vectors.subwords is not None
    assert (theirs.syn1neg == vectors.subwords.v).all()
    read = WordVectors.load("v.bin")
    for word in [*WORDS, *UNSEEN]:
        ours = vectors[word]
        assert read[word] == pytest.approx(ours, abs=2e-5)
        assert model.get_word_vector(word) == pytest.approx(ours, abs=2e-5)
        if vectors.subwords.vector(word) is not None:
            assert theirs.wv[word] == pytest.approx(ours, abs=2e-5)


def train(peer: Any, **settings) -> Path:
    text = "\n".join(" ".join(WORDS[i % 5 :]) for i in range(60)) + "\n"
    Path("t").write_text(text)
    settings = {"dim": 6, "minCount": 1, "epoch": 1, "verbose": 0, **settings}
    peer.train_unsupervised("t", **settings).save_model("m.bin")
    return Path("m.bin")


@pytest.mark.parametrize("ngrams", [(3, 6), (1, 3), (0, 0)])
@pytest.mark.parametrize("model", ["skipgram", "cbow"])
def test_models_that_fasttext_trained_are_read(peer: Any, ngrams, model: str) -> None:
    shortest, longest = ngrams
    path = train(peer, model=model, minn=shortest, maxn=longest, bucket=500)
    theirs, ours = peer.load_model(str(path)), WordVectors.load(path)
    assert list(ours.words) == theirs.get_words()
    for word in ours.words:
        assert ours[word] == pytest.approx(theirs.get_word_vector(word), abs=1e-6)
    for word in UNSEEN:
        assert word not in ours
        vector = ours.get(word)
        if longest == 0:
            assert vector is None
        elif vector is not None:
            expected = theirs.get_word_vector(word)
            assert vector == pytest.approx(expected, abs=1e-6)
        else:
            assert not theirs.get_word_vector(word).any()


def test_what_fasttext_trained_is_written_again(peer: Any) -> None:
    path = train(peer, minn=3, maxn=5, bucket=100)
    WordVectors.load(path).save("again.bin", "fasttext")
    one, other = peer.load_model(str(path)), peer.load_model("again.bin")
    for word in [*one.get_words()[:-1], *UNSEEN]:
        if word != "</s>":  # has n-grams in what we write
            expected = pytest.approx(one.get_word_vector(word), abs=1e-5)
            assert other.get_word_vector(word) == expected


def test_supervised_and_quantised_models_are_refused(peer: Any) -> None:
    Path("t").write_text("__label__a one two three\n__label__b four five six\n" * 50)
    model = peer.train_supervised("t", dim=4, verbose=0, minn=2, maxn=3, bucket=300)
    model.save_model("s.bin")
    with pytest.raises(VectorsError, match=r"s\.bin: a fastText model of supervised"):
        WordVectors.load("s.bin")
    model.quantize("t")
    model.save_model("s.ftz")
    with pytest.raises(VectorsError, match="supervised"):
        WordVectors.load("s.ftz")


def test_parts_that_cannot_be_read_are_named() -> None:
    some_vectors().save("v.bin", "fasttext")
    whole = Path("v.bin").read_bytes()
    u_shape = struct.pack("<bqq", 0, len(WORDS) + 1000, 12)
    place = whole.index(u_shape)
    for changed, message in (
        (whole[:4] + struct.pack("<i", 11) + whole[8:], "of version 11, not 12"),
        (whole[:8] + struct.pack("<i", 0) + whole[12:], "dimension 0"),
        (whole[:place] + b"\1" + whole[place + 1 :], "quantised"),
        (whole[: place + 1] + bytes(8) + whole[place + 9 :], "a matrix of 0 x 12"),
        (whole[:-1], "it is cut off"),
        (whole[:90], "damaged fastText model"),
        (whole[:20], "damaged fastText model"),
        (whole.replace(b"prahou\0", b"praha\0\0", 1), "damaged fastText model"),
        (whole[:64] + bytes(8) + whole[72:], "0 entries, 0 words"),
    ):
        Path("d.bin").write_bytes(changed)
        with pytest.raises(VectorsError, match=message):
            load_fasttext(Path("d.bin"))


@pytest.mark.parametrize("word", ["", "a b", "a\0b"])
def test_words_that_the_format_cannot_hold_are_refused(word: str) -> None:
    vectors = some_vectors()
    with pytest.raises(
        VectorsError, match="cannot hold (an empty word or one|a word) with"
    ):
        save_fasttext(
            [word, *WORDS[1:]], vectors.matrix, Path("v.bin"), vectors.subwords
        )
    assert not Path("v.bin").exists()


def test_vectors_without_ngrams_are_refused() -> None:
    vectors = WordVectors(["a"], np.ones((1, 2), np.float32))
    with pytest.raises(VectorsError, match=r"have none; train with model\.ngrams"):
        vectors.save("v.bin", "fasttext")
    assert not Path("v.bin").exists()


def test_unknown_counts_and_output_vectors_are_written_as_1_and_0() -> None:
    vectors = some_vectors()
    assert vectors.subwords is not None
    bare = Subwords(NGRAMS, vectors.subwords.matrix)
    WordVectors(WORDS, vectors.matrix, subwords=bare).save("v.bin", "fasttext")
    *_, read, counts = load_fasttext(Path("v.bin"))
    assert read is not None
    assert counts.tolist() == [1] * len(WORDS)
    assert read.v is not None
    assert not read.v.any()
