import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.vectors.ngrams import Ngrams, Subwords, WordRows

KNOWN = [
    167652,
    989715,
    1526707,
    1071586,
    420941,
    312621,
    969176,
    121234,
    1473420,
    1540811,
    114991,
    1529033,
    1568469,
    867498,
    1412202,
    746172,
    1166254,
]
WORDS = ["the", "a", "anana", "東京", "é", "🙂", "x" * 40]


def hashed(ngram: str) -> int:
    """fastText's hash, one byte after another: FNV-1a of signed bytes."""
    value = 2166136261
    for byte in ngram.encode():
        signed = byte - 256 if byte > 127 else byte
        value = ((value ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return value


def test_ngrams_have_borders_and_come_in_fasttexts_order() -> None:
    assert Ngrams(3, 6, 9).of("ab") == ["<ab", "<ab>", "ab>"]
    assert Ngrams(2, 2, 9).of("é東") == ["<é", "é東", "東>"]
    assert Ngrams(1, 2, 9).of("ab") == ["<a", "a", "ab", "b", "b>"]  # no border alone
    assert Ngrams(5, 6, 9).of("a") == []


def test_known_buckets() -> None:
    """As `fasttext` 0.9.2 gives them: get_subwords(word)[1] - the number of words."""
    starts, buckets = Ngrams(3, 6, 2_000_000).buckets_of(["where", "ñu"])
    assert starts.tolist() == [0, 14, 17]
    assert buckets.tolist() == KNOWN


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=9),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from([1, 2, 97, 2_000_000]),
)
def test_buckets_are_hashes_of_the_ngrams(words, shortest, more, size) -> None:
    ngrams = Ngrams(shortest, shortest + more, size)
    starts, buckets = ngrams.buckets_of(words)
    assert len(starts) == len(words) + 1
    for i, word in enumerate(words):
        expected = [hashed(ngram) % size for ngram in ngrams.of(word)]
        assert buckets[starts[i] : starts[i + 1]].tolist() == expected


def test_many_words_are_hashed_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Ngrams(2, 4, 50).buckets_of(WORDS)
    monkeypatch.setattr("sg_train.vectors.ngrams._WORDS_AT_ONCE", 2)
    for one, other in zip(whole, Ngrams(2, 4, 50).buckets_of(WORDS), strict=True):
        assert np.array_equal(one, other)


@pytest.fixture(params=[1, 3, 8192])
def rows(request, monkeypatch: pytest.MonkeyPatch) -> WordRows:
    monkeypatch.setattr("sg_train.vectors.ngrams._ROWS_AT_ONCE", request.param)
    whole = np.array([word == "東京" for word in WORDS])
    return WordRows.of_words(WORDS, Ngrams(3, 5, 11), whole, by_use=False)


def test_the_rows_of_a_word_are_its_own_and_those_of_its_ngrams(rows: WordRows) -> None:
    for i, word in enumerate(WORDS):
        mine = rows.rows[rows.starts[i] : rows.starts[i + 1]].tolist()
        ngrams = [] if word == "東京" else rows.ngrams.of(word)
        assert mine == [i] + [len(WORDS) + hashed(ngram) % 11 for ngram in ngrams]
        assert rows.counts[i] == 1 + len(ngrams)


def test_a_vector_is_the_mean_of_its_rows(rows: WordRows) -> None:
    u = np.random.default_rng(1).normal(size=(len(WORDS) + 11, 4)).astype(np.float32)
    composed = rows.compose(u)
    for i in range(len(WORDS)):
        mine = rows.rows[rows.starts[i] : rows.starts[i + 1]]
        assert composed[i] == pytest.approx(u[mine].mean(axis=0), rel=1e-5, abs=1e-6)
    assert np.array_equal(rows.first(2).compose(u), composed[:2])


def test_own_rows_give_the_wanted_vectors(rows: WordRows) -> None:
    generator = np.random.default_rng(1)
    u = generator.normal(size=(len(WORDS) + 11, 4)).astype(np.float32)
    wanted = generator.normal(size=(3, 4)).astype(np.float32)
    words = np.array([6, 0, 3])
    u[words] = rows.own_rows(words, wanted, u[len(WORDS) :])
    assert rows.compose(u)[words] == pytest.approx(wanted, abs=1e-5)


def test_the_mean_of_the_ngrams_of_words(rows: WordRows) -> None:
    buckets = np.random.default_rng(1).normal(size=(11, 4)).astype(np.float32)
    means = rows.ngram_means(np.array([0, 3, 2]), buckets)
    for mean, word in zip(means, ("the", "東京", "anana"), strict=True):
        if word == "東京":
            assert not mean.any()
            continue
        vector = Subwords(rows.ngrams, buckets).vector(word)
        assert vector is not None
        assert mean == pytest.approx(vector, rel=1e-5)


def test_shares_of_words_add_up_by_row(rows: WordRows) -> None:
    shares = np.arange(1.0, len(WORDS) + 1)
    added = rows.add_up(shares)
    assert added[: len(WORDS)].tolist() == shares.tolist()
    assert added.sum() == pytest.approx((shares * rows.counts).sum())
    assert added[len(WORDS) + hashed("<the") % 11] >= shares[0]


def test_any_word_has_the_vector_of_its_ngrams() -> None:
    buckets = np.eye(5, dtype=np.float32)
    subwords = Subwords(Ngrams(3, 3, 5), buckets)
    found = subwords.vector("ab")
    assert found is not None
    assert found == pytest.approx(
        (buckets[hashed("<ab") % 5] + buckets[hashed("ab>") % 5]) / 2
    )
    assert subwords.vector("") is None
    never_trained = Subwords(Ngrams(3, 3, 5), np.zeros_like(buckets))
    assert never_trained.vector("ab") is None
    assert Subwords(Ngrams(4, 4, 5), buckets).vector("a") is None


def test_rows_of_buckets_lie_in_the_order_of_their_use() -> None:
    by_use = WordRows.of_words(WORDS, Ngrams(3, 5, 40))
    plain = WordRows.of_words(WORDS, Ngrams(3, 5, 40), by_use=False)
    size = len(WORDS)
    used = [row for row in by_use.rows.tolist() if row >= size]
    firsts = list(dict.fromkeys(used))
    assert firsts == list(range(size, size + len(firsts)))
    vectors = np.random.default_rng(1).normal(size=(size + 40, 3)).astype(np.float32)
    moved = np.concatenate((vectors[:size], by_use.by_row(vectors[size:])))
    assert np.array_equal(by_use.by_bucket(moved), vectors[size:])
    assert np.array_equal(plain.by_bucket(vectors), vectors[size:])
    assert np.array_equal(by_use.compose(moved), plain.compose(vectors))
    assert by_use.buckets is not None
    assert sorted(by_use.buckets.tolist()) == list(range(40))
