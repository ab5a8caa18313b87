import os
import pickle

import gensim
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import UnknownWordError, VectorsError
from sg_train.vectors import word_vectors
from sg_train.vectors.ngrams import Ngrams, Subwords
from sg_train.vectors.word_vectors import WordVectors


@pytest.fixture
def vectors() -> WordVectors:
    generator = np.random.default_rng(1)
    names = [f"w{i}" for i in range(300)]
    return WordVectors(names, generator.normal(size=(300, 9)).astype(np.float32))


@pytest.mark.parametrize("rows_at_once", [7, 1000])
def test_neighbours_are_those_of_gensim(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(word_vectors, "_ROWS_AT_ONCE", rows_at_once)
    theirs = in_gensim(vectors)
    assert_same(vectors.neighbors("w5", 20), theirs.most_similar("w5", topn=20))
    assert_same(
        vectors.neighbors("w290", 20, restrict=100),
        theirs.most_similar("w290", topn=20, restrict_vocab=100),
    )
    assert len(vectors.neighbors("w5", 1000)) == 299


def in_gensim(vectors: WordVectors) -> gensim.models.KeyedVectors:
    theirs = gensim.models.KeyedVectors(vectors.matrix.shape[1])
    theirs.add_vectors(vectors.words, vectors.matrix)
    return theirs


def assert_same(found, expected) -> None:
    assert [word for word, _ in found] == [word for word, _ in expected]
    scores = [score for _, score in expected]
    assert [score for _, score in found] == pytest.approx(scores, rel=1e-5, abs=1e-6)


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
@pytest.mark.parametrize("rows_at_once", [7, 1000])
def test_analogies_are_those_of_gensim(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr(word_vectors, "_ROWS_AT_ONCE", rows_at_once)
    theirs = in_gensim(vectors)
    asked = {"positive": ["w2", "w3"], "negative": ["w1"], "topn": 20}
    assert_same(vectors.analogy("w1", "w2", "w3", 20), theirs.most_similar(**asked))
    assert_same(
        vectors.analogy("w1", "w2", "w3", 20, method="multiply"),
        theirs.most_similar_cosmul(**asked),
    )
    assert_same(
        vectors.analogy("w1", "w2", "w3", 20, restrict=50),
        theirs.most_similar(**asked, restrict_vocab=50),
    )


def test_neighbours_of_several_words_are_those_of_gensim(vectors: WordVectors) -> None:
    words = ["w5", "w7", "w9"]
    expected = in_gensim(vectors).most_similar(words, topn=20)
    assert_same(vectors.neighbors(words, top=20), expected)


def test_vectors_hold_words(vectors: WordVectors) -> None:
    assert list(vectors) == vectors.words
    assert "w3" in vectors
    assert "x" not in vectors
    assert repr(vectors) == "WordVectors(300 words, dimension 9)"
    np.testing.assert_array_equal(vectors["w3"], vectors.matrix[3])
    for wrong in (
        lambda: vectors["x"],
        lambda: vectors[0],  # type: ignore[index]
        lambda: vectors.neighbors("w3", restrict=0),
        lambda: vectors.neighbors("w3", 0),
        lambda: vectors.neighbors([]),
        lambda: vectors.neighbors(3),  # type: ignore[arg-type]
        lambda: vectors.save("v", "bogus"),  # type: ignore[arg-type]
    ):
        with pytest.raises(VectorsError):
            wrong()


def test_several_vectors_are_one_matrix(vectors: WordVectors) -> None:
    np.testing.assert_array_equal(vectors[["w3", "w1"]], vectors.matrix[[3, 1]])
    with pytest.raises(UnknownWordError, match="2 words have no vector: 'x', 'ẅ3'"):
        vectors[["w3", "x", "ẅ3", "x"]]
    np.testing.assert_array_equal(vectors.get("w3"), vectors.matrix[3])
    assert vectors.get("x") is None
    assert vectors.get(5) is None  # type: ignore[arg-type]
    assert ["w1"] not in vectors
    assert vectors.get("x", vectors["w1"]) is not None


def test_similarity_is_the_cosine(vectors: WordVectors) -> None:
    expected = in_gensim(vectors).similarity("w1", "w2")
    assert vectors.similarity("w1", "w2") == pytest.approx(expected, abs=1e-6)
    assert vectors.similarity("w1", "w1") == pytest.approx(1, abs=1e-6)


def test_a_vector_of_zeros_has_cosine_zero() -> None:
    matrix = np.array([[1, 0], [0, 0], [1, 1], [-1, 0]], dtype=np.float32)
    vectors = WordVectors(["a", "zero", "b", "c"], matrix)
    assert vectors.neighbors("a") == [
        ("b", pytest.approx(0.5**0.5)),
        ("zero", 0.0),
        ("c", -1.0),
    ]
    assert [cosine for _, cosine in vectors.neighbors("zero")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("word", "hint"), [("w555", "similar words: w5"), ("w5w", "w5"), ("§", "$")]
)
def test_an_unknown_word_is_named_with_similar_ones(
    vectors: WordVectors, word: str, hint: str
) -> None:
    with pytest.raises(VectorsError, match=f"'{word}' has no vector.*{hint}"):
        vectors.neighbors(word)


def test_similar_words_are_sought_only_when_they_are_shown(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    sought: list[str] = []

    def similar_words(_: WordVectors, word: str) -> list[str]:
        sought.append(word)
        return ["like"]

    monkeypatch.setattr(WordVectors, "similar_words", similar_words)
    assert "x" not in vectors
    with pytest.raises(UnknownWordError) as caught:
        vectors["x"]
    assert sought == []
    assert str(caught.value) == "'x' has no vector; similar words: like"
    assert sought == ["x"]
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 (between ranks)
    assert str(copy) == str(caught.value)
    assert isinstance(copy, VectorsError)


def test_a_hint_is_bounded() -> None:
    urls = [f"https://example.org/catalogue/item/{i:07}.html" for i in range(1000)]
    vectors = WordVectors([*urls, "x" * 300], np.ones((1001, 2), dtype=np.float32))
    assert vectors.similar_words(urls[7].replace("item", "itm"))[0] == urls[7]
    assert vectors.similar_words("x" * 299) == []


@pytest.mark.parametrize(
    ("vocabulary", "typed"),
    [
        ("café", "cafe\u0301"),
        ("cafe\u0301", "café"),
        ("don't", "don’t"),
        ("don’t", "don't"),
    ],
)
def test_a_word_is_found_in_another_spelling_and_this_is_reported(
    vocabulary: str, typed: str, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = WordVectors(["a", vocabulary], np.eye(2, dtype=np.float32))
    assert typed in vectors
    assert vectors.get(typed).tolist() == [0, 1]
    assert caplog.messages == []
    assert vectors[typed].tolist() == [0, 1]
    (message,) = caplog.messages
    assert message == f"{typed!r} is looked up as {vocabulary!r}, " + (
        "its spelling among the words with vectors"
    )


def test_the_spelling_as_typed_comes_first(caplog) -> None:
    vectors = WordVectors(["don't", "don’t"], np.eye(2, dtype=np.float32))
    assert [vectors.id(word) for word in vectors] == [0, 1]
    assert caplog.messages == []


def test_other_spellings_can_be_given() -> None:
    vectors = WordVectors(
        ["a"], np.eye(1, dtype="f4"), spellings=lambda word: [word.lower()]
    )
    assert vectors.id("A") == 0
    assert vectors.most_frequent(1).id("A") == 0


@pytest.mark.parametrize(
    ("words", "matrix", "complaint"),
    [
        (["a", "b", "a"], np.ones((3, 2)), "duplicate word 'a'"),
        (["a"], np.ones((2, 2)), "1 words for 2 vectors"),
        ("ab", np.ones((2, 2)), "1 words for 2 vectors"),
        (["a", 3], np.ones((2, 2)), "the word of vector 2 is 3, not a string"),
        (["a\ud800"], np.ones((1, 2)), r"'a\\ud800': a word that UTF-8 cannot encode"),
        (
            ["a"],
            np.ones(1),
            r"vectors of shape \(1,\) and type float64: expected a mat",
        ),
        (["a"], [[1.0], [1.0, 2.0]], "expected a matrix of numbers"),
        (["a", ""], np.ones((2, 2)), "vector 2 is '': a word must not be empty"),
        (["a\nb"], np.ones((1, 2)), "must not be empty or contain a line end"),
        (["a"], [["x"]], "type <U1: expected a matrix of numbers"),
        ([], np.ones((0, 2)), r"vectors of shape \(0, 2\)"),
        (["a"], [[1e39]], "too large for float32"),
    ],
)
def test_vectors_that_cannot_be_are_refused(words, matrix, complaint: str) -> None:
    with pytest.raises(VectorsError, match=complaint):
        WordVectors(words, matrix)


@given(
    words=st.lists(st.text(max_size=3) | st.just("a"), max_size=4),
    shape=st.tuples(st.integers(0, 4), st.integers(0, 3)),
    kind=st.sampled_from(["f4", ">f4", "f8", "f2", "i8", "u1"]),
)
def test_what_is_accepted_can_be_saved_as_an_array_and_loaded(
    tmp_path_factory, words: list[str], shape: tuple[int, int], kind: str
) -> None:
    matrix = np.arange(shape[0] * shape[1]).reshape(shape).astype(kind)
    try:
        vectors = WordVectors(words, matrix)
    except VectorsError:
        is_sound = len(set(words)) == len(words) == shape[0] and 0 not in shape
        is_sound &= all(word and not {*word} & {*"\n\r"} for word in words)
        assert not (is_sound and _encodable(words))
        return
    assert vectors.matrix.dtype == np.float32
    path = tmp_path_factory.mktemp("vectors") / "v.safetensors"
    vectors.save(path, "safetensors")
    loaded = WordVectors.load(path)
    assert list(loaded.words) == words
    np.testing.assert_array_equal(loaded.matrix, matrix)


def _encodable(words: list[str]) -> bool:
    return all(not "\ud800" <= letter <= "\udfff" for word in words for letter in word)


@pytest.mark.parametrize("queries_at_once", [5, 1000])
@pytest.mark.parametrize("rows_at_once", [3, 7, 1000])
def test_a_table_of_neighbours_holds_each_words_neighbours(
    vectors: WordVectors,
    monkeypatch: pytest.MonkeyPatch,
    rows_at_once: int,
    queries_at_once: int,
) -> None:
    monkeypatch.setattr(word_vectors, "_ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(word_vectors, "_QUERIES_AT_ONCE", queries_at_once)
    rows, cosines = vectors.neighbor_table(60, 6)
    assert rows.shape == cosines.shape == (60, 6)
    for row, word in enumerate(vectors.words[:60]):
        found = [vectors.words[near] for near in rows[row]]
        expected = vectors.neighbors(word, 6)
        assert found == [near for near, _ in expected]
        np.testing.assert_allclose(cosines[row], [x for _, x in expected], atol=1e-6)
    assert vectors.neighbor_table(1000, 1000)[0].shape == (300, 299)
    assert vectors.neighbor_table(2, 0)[0].shape == (2, 0)


def test_batches_hold_what_single_questions_answer(
    vectors: WordVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_vectors, "_QUERIES_AT_ONCE", 7)
    for asked, restrict in ((None, None), (None, 40), (vectors.words[250:], 40)):
        batches = list(vectors.neighbor_batches(asked, 5, restrict=restrict))
        words = [word for batch in batches for word in batch.words]
        assert words == list(asked or vectors.words[:restrict])
        for batch in batches:
            for word, rows, cosines in zip(*batch, strict=True):
                single = vectors.neighbors(word, 5, restrict=restrict)
                assert [vectors.words[row] for row in rows] == [w for w, _ in single]
                assert cosines.tolist() == [cosine for _, cosine in single]
    with pytest.raises(VectorsError, match="'no' has no vector"):
        list(vectors.neighbor_batches(["w1", "no"]))
    with pytest.raises(VectorsError, match="must be at least 1, not 0"):
        vectors.neighbor_batches(top=0)
    with pytest.raises(VectorsError, match=r"2.5 is not a number of words; give an in"):
        vectors.neighbor_batches(top=2.5)  # type: ignore[arg-type]
    (batch,) = vectors.neighbor_batches("w1", 1000)
    assert (batch.words, batch.rows.shape) == (["w1"], (1, 299))
    (batch,) = vectors.neighbor_batches(iter(["w1", "w2"]), 1)
    assert batch.words == ["w1", "w2"]


def test_similarities_are_those_of_single_pairs(vectors: WordVectors) -> None:
    pairs = [("w1", "w2"), ("w3", "w3"), ("w1", "w9")]
    found = vectors.similarities(pairs)
    assert found.tolist() == [vectors.similarity(*pair) for pair in pairs]
    for (one, other), cosine in zip(pairs, found.tolist(), strict=True):
        x, y = vectors[one].astype(float), vectors[other].astype(float)
        assert cosine == pytest.approx(x @ y / np.sqrt(x @ x * (y @ y)), abs=1e-6)
    for wrong in (("w1",), ("w1", "w2", "w3"), "w1", "ab"):
        with pytest.raises(VectorsError, match="is not a pair of words; give two"):
            vectors.similarities([("w1", "w2"), wrong])


def test_a_vector_that_is_not_finite_comes_last(monkeypatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(9, 3)).astype("f4")
    matrix[2] = np.nan
    rows, _ = WordVectors(list("abcdefghi"), matrix).neighbor_table(9, 8)
    for row in (0, 1, 3, 8):
        assert rows[row, -1] == 2
        assert sorted([*rows[row].tolist(), row]) == list(range(9))


@pytest.mark.parametrize("form", ["npy", "safetensors"])
def test_a_mapped_file_that_is_cut_off_is_one_line(vectors, tmp_path, form) -> None:
    path = tmp_path / f"v.{form}"
    vectors.save(path)
    loaded = WordVectors.load(path)
    before = loaded.neighbors("w1")
    os.truncate(path, path.stat().st_size // 2)
    for ask in (
        lambda: loaded.neighbors("w1"),
        lambda: loaded.similarity("w1", "w2"),
        lambda: loaded.neighbor_table(5, 5),
    ):
        with pytest.raises(VectorsError, match="was cut off while it was in use"):
            ask()
    vectors.save(path)
    again = WordVectors.load(path)
    path.unlink()
    assert again.neighbors("w1") == before


def test_an_array_is_a_query(vectors: WordVectors) -> None:
    first, second = vectors.words[:2]
    asked = vectors[first] - 0.5 * vectors[second]
    best = vectors.neighbors(asked, 3)
    cosines = vectors.matrix @ asked
    cosines /= np.linalg.norm(vectors.matrix, axis=1) * np.linalg.norm(asked)
    expected = np.argsort(-cosines)[:3]
    assert [word for word, _ in best] == [vectors.words[row] for row in expected]
    assert [c for _, c in best] == pytest.approx(cosines[expected].tolist(), abs=1e-5)
    ((word, cosine),) = vectors.neighbors(vectors[first], 1)
    assert word == first
    assert cosine == pytest.approx(1)
    with pytest.raises(VectorsError, match=r"shape \(1,\), expected a vector of shape"):
        vectors.neighbors(asked[:1])
    with pytest.raises(VectorsError, match="a number that is not finite"):
        vectors.neighbors(asked * np.nan)


def test_a_slice_is_rows_of_the_matrix(vectors: WordVectors) -> None:
    assert np.array_equal(vectors[1:3], vectors.matrix[1:3])
    assert vectors[:0].shape == (0, vectors.dimension)


def test_a_subset_keeps_the_order_and_what_belongs_to_it(caplog) -> None:
    v = np.arange(6, dtype=np.float32).reshape(3, 2)
    subwords = Subwords(Ngrams(1, 1, 3), np.ones((3, 2), np.float32), v)
    counts = np.array([5, 4, 3])
    vectors = WordVectors(["a", "b", "C"], v + 9, subwords=subwords, counts=counts)
    some = vectors.subset(["C", "a", "C"])
    assert (some.words, some.ids) == (["a", "C"], {"a": 0, "C": 1})
    assert some.matrix.tolist() == [[9, 10], [13, 14]]
    assert some.counts is not None
    assert some.counts.tolist() == [5, 3]
    assert some.subwords is not None
    assert some.subwords.v is not None
    assert some.subwords.v.tolist() == [[0, 1], [4, 5]]
    few = vectors.most_frequent(2)
    assert few.subwords is not None
    assert few.subwords.v is not None
    assert few.subwords.v.tolist() == [[0, 1], [2, 3]]
    with pytest.raises(VectorsError, match="'x' has no vector"):
        vectors.subset(["a", "x"])
    with pytest.raises(VectorsError, match="no word to keep"):
        vectors.subset([])


def test_normalized_vectors_have_length_1(vectors: WordVectors) -> None:
    scaled = vectors.normalized()
    lengths = np.linalg.norm(vectors.matrix, axis=1, keepdims=True)
    np.testing.assert_allclose(scaled.matrix * lengths, vectors.matrix, rtol=1e-5)
    assert scaled.words == vectors.words
    assert type(scaled) is WordVectors


def test_torch_and_gensim_take_a_copy(vectors: WordVectors) -> None:
    counts = np.arange(len(vectors), 0, -1)
    counted = WordVectors(vectors.words, vectors.matrix, counts=counts)
    embedding = counted.to_torch()
    assert np.array_equal(embedding.weight.numpy(), vectors.matrix)
    assert not embedding.weight.requires_grad
    assert counted.to_torch(freeze=False).weight.requires_grad
    keyed = counted.to_keyed_vectors()
    assert list(keyed.index_to_key) == list(vectors.words)
    assert np.array_equal(keyed.vectors, vectors.matrix)
    assert keyed.get_vecattr(vectors.words[0], "count") == len(vectors)
    first = vectors.words[0]
    found = [word for word, _ in keyed.most_similar(first, topn=3)]
    assert found == [word for word, _ in vectors.neighbors(first, 3)]
    assert vectors.to_keyed_vectors().index_to_key == list(vectors.words)


@pytest.mark.parametrize("counts", [[1], [1, -1], [0.5, 1], [[1, 2]]], ids=str)
def test_counts_that_cannot_be_are_refused(counts) -> None:
    with pytest.raises(VectorsError, match="expected 2 whole numbers, one per word"):
        WordVectors(["a", "b"], np.array([[1], [2]]), counts=np.array(counts))
