import gensim
import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors import word_vectors
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
    ("word", "hint"), [("W5", "similar words: w5$"), ("w5w", "w5"), ("§", "$")]
)
def test_an_unknown_word_is_named_with_similar_ones(
    vectors: WordVectors, word: str, hint: str
) -> None:
    with pytest.raises(VectorsError, match=f"'{word}' has no vector.*{hint}"):
        vectors.neighbors(word)
