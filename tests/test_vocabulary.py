from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.vocabulary import Vocabulary, choose_vocabulary, rank_words
from sg_train.errors import CorpusError

words = st.text(min_size=1).filter(lambda word: word.split() == [word])


@given(st.dictionaries(words, st.integers(1, 2**60), min_size=1))
def test_what_is_saved_is_loaded(tmp_path_factory, counts: dict[str, int]) -> None:
    file = tmp_path_factory.mktemp("vocabulary") / "v.tsv"
    Vocabulary(list(counts), np.array(list(counts.values()))).save(file)
    loaded = Vocabulary.load(file)
    assert dict(zip(loaded.words, loaded.counts.tolist(), strict=True)) == counts
    assert len(loaded) == len(counts)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "line 1"),
        (b"a\t1\nb\n", "line 2"),
        (b"a\t1\n\t2\n", "line 2"),
        (b"a\t-1\n", "line 1"),
        (b"a\t0\n", "line 1"),
        (b"a\t99999999999999999999\n", "line 1"),
        (b"a\t1\na\t1\n", "twice"),
        (b"\xff\t1\n", "cannot read"),
    ],
)
def test_what_is_no_vocabulary_is_refused(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    (tmp_path / "v.tsv").write_bytes(content)
    with pytest.raises(CorpusError, match=complaint):
        Vocabulary.load(tmp_path / "v.tsv")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot read"):
        Vocabulary.load(tmp_path / "v.tsv")


@given(
    st.dictionaries(st.text("abc", min_size=1), st.integers(1, 5)),
    st.integers(1, 5),
    st.none() | st.integers(1, 6),
)
def test_ranking_is_by_count_then_spelling(
    counts: dict[str, int], min_count: int, limit: int | None
) -> None:
    by_hand = sorted(
        (word for word, count in counts.items() if count >= min_count),
        key=lambda word: (-Counter(counts)[word], word),
    )[:limit]
    names = list(counts)
    places = rank_words(
        names, np.array(list(counts.values()), dtype=np.int64), min_count, limit
    )
    assert [names[place] for place in places] == by_hand


@given(
    st.lists(st.dictionaries(st.text("abcd", min_size=1), st.integers(0, 9))),
    st.integers(1, 4),
    st.none() | st.integers(2, 3),
)
def test_the_vocabulary_is_that_of_all_totals_at_once(
    parts: list[dict[str, int]], min_count: int, most: int | None
) -> None:
    counts = {
        f"{word}{n}": c for n, part in enumerate(parts) for word, c in part.items()
    }
    totals = [
        ([f"{word}{n}" for word in part], np.array(list(part.values()), dtype=np.int64))
        for n, part in enumerate(parts)
    ]
    vocabulary, found = choose_vocabulary(totals, min_count, most)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    expected = [pair for pair in ranked if pair[1] >= min_count][:most]
    pairs = zip(vocabulary.words, vocabulary.counts.tolist(), strict=True)
    assert list(pairs) == expected
    assert found.word_count == sum(counts.values())
    assert found.distinct == sum(count > 0 for count in counts.values())
    if counts:
        highest = max(counts.values())
        assert found.highest_count == highest
        if highest:
            assert found.most_frequent == max(
                w for w, c in counts.items() if c == highest
            )


def test_counts_that_cannot_be_added_are_refused(tmp_path: Path) -> None:
    (tmp_path / "v.tsv").write_text(f"a\t{2**61}\nb\t{2**61}\n")
    assert len(Vocabulary.load(tmp_path / "v.tsv")) == 2
    (tmp_path / "v.tsv").write_text(f"a\t{2**62}\nb\t1\n")
    with pytest.raises(CorpusError, match="counts add up to more than"):
        Vocabulary.load(tmp_path / "v.tsv")
