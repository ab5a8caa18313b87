import gensim
import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors import queries
from sg_train.vectors.queries import neighbors
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
    monkeypatch.setattr(queries, "_ROWS_AT_ONCE", rows_at_once)
    theirs = gensim.models.KeyedVectors(9)
    theirs.add_vectors(vectors.words, vectors.matrix)
    found = neighbors(vectors, "w5", 20)
    expected = theirs.most_similar("w5", topn=20)
    assert [word for word, _ in found] == [word for word, _ in expected]
    cosines = [cosine for _, cosine in expected]
    assert [cosine for _, cosine in found] == pytest.approx(cosines, abs=1e-6)


def test_a_vector_of_zeros_has_cosine_zero() -> None:
    matrix = np.array([[1, 0], [0, 0], [1, 1], [-1, 0]], dtype=np.float32)
    vectors = WordVectors(["a", "zero", "b", "c"], matrix)
    assert neighbors(vectors, "a") == [
        ("b", pytest.approx(0.5**0.5)),
        ("zero", 0.0),
        ("c", -1.0),
    ]
    assert [cosine for _, cosine in neighbors(vectors, "zero")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("word", "hint"), [("W5", "similar words: w5$"), ("w5w", "w5"), ("§", "$")]
)
def test_an_unknown_word_is_named_with_similar_ones(
    vectors: WordVectors, word: str, hint: str
) -> None:
    with pytest.raises(VectorsError, match=f"'{word}' has no vector.*{hint}"):
        neighbors(vectors, word)
