import numpy as np
import pytest

from sg_train.errors import VectorsError
from sg_train.vectors.word_vectors import WordVectors


def two(first_counts=None, second_counts=None) -> tuple[WordVectors, WordVectors]:
    return (
        WordVectors(["a", "b"], np.array([[1, 2], [3, 4]]), counts=first_counts),
        WordVectors(["c", "b"], np.array([[5, 6], [7, 8]]), counts=second_counts),
    )


@pytest.mark.parametrize(
    ("duplicates", "of_b"), [("first", [3, 4]), ("second", [7, 8]), ("mean", [5, 6])]
)
def test_a_word_of_both_has_the_vector_asked_for(duplicates, of_b) -> None:
    first, second = two()
    merged = first.merge(second, duplicates=duplicates)
    assert merged.words == ["a", "b", "c"]
    assert merged.matrix.tolist() == [[1, 2], of_b, [5, 6]]
    assert merged.counts is None
    assert first.matrix.tolist() == [[1, 2], [3, 4]]


def test_counts_are_added_and_words_sorted_by_them() -> None:
    first, second = two(np.array([5, 3]), np.array([6, 4]))
    merged = first.merge(second, duplicates="first")
    assert merged.words == ["b", "c", "a"]
    assert merged.matrix.tolist() == [[3, 4], [5, 6], [1, 2]]
    assert merged.counts is not None
    assert merged.counts.tolist() == [7, 6, 5]


def test_what_cannot_be_merged_is_refused() -> None:
    first, second = two()
    with pytest.raises(VectorsError, match="'b' is in both; choose first, second or"):
        first.merge(second, duplicates="refuse")
    other = WordVectors(["d"], np.array([[1, 2]]))
    assert len(first.merge(other, duplicates="refuse")) == 3
    with pytest.raises(VectorsError, match="dimension 2 and 1 cannot be merged"):
        first.merge(WordVectors(["x"], np.array([[1]])), duplicates="first")
    with pytest.raises(VectorsError, match="duplicates='last': choose one of first, "):
        first.merge(other, duplicates="last")  # type: ignore[arg-type]
