from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.phrases import pairs
from sg_train.corpus.phrases.pairs import PairNumbers, SpilledPairs, count
from sg_train.errors import CorpusError

WORDS = 9
SENTENCES = st.lists(
    st.lists(st.integers(0, WORDS - 1), min_size=1, max_size=9), min_size=1, max_size=6
)


def by_hand(
    sentence: list[int], digits: dict[int, int]
) -> list[tuple[int, list[int], int]]:
    plain = [place for place, word in enumerate(sentence) if word not in digits]
    return [
        (
            sentence[first],
            [digits[word] for word in sentence[first + 1 : second]],
            sentence[second],
        )
        for first, second in pairwise(plain)
    ]


@given(SENTENCES, st.sets(st.integers(0, WORDS - 1), max_size=4))
def test_pairs_are_numbered_within_sentences_and_over_connectors(
    sentences: list[list[int]], connectors: set[int]
) -> None:
    digits = {word: number for number, word in enumerate(sorted(connectors), start=1)}
    table = np.array([digits.get(word, 0) for word in range(WORDS)], dtype=np.int32)
    numbers = PairNumbers(table)
    ids = np.concatenate(sentences).astype(np.int32)
    ends = np.cumsum([len(sentence) for sentence in sentences])
    places, found = numbers.of(ids, ends)
    assert places.tolist() == [i for i, word in enumerate(ids) if word not in digits]
    expected = [pair for sentence in sentences for pair in by_hand(sentence, digits)]
    found = found[found >= 0]
    assert [numbers.words(number) for number in found.tolist()] == expected
    assert [numbers.number(*pair) for pair in expected] == found.tolist()
    first, second = numbers.ends_of(found)
    assert first.tolist() == [pair[0] for pair in expected]
    assert second.tolist() == [pair[2] for pair in expected]


def test_more_connectors_than_a_number_holds_make_no_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "_KEY_BITS", 4 + 3)  # 2 bits a word, 3 between
    numbers = PairNumbers(np.array([0, 0, 1], dtype=np.int32))
    ids = np.array([0, 2, 2, 1, 2, 2, 2, 0], dtype=np.int32)
    _, found = numbers.of(ids, np.array([8]))
    assert [number >= 0 for number in found] == [True, False]
    assert numbers.words(int(found[0])) == (0, [1, 1], 1)
    assert numbers.number(1, [1, 1, 1], 0) is None


@pytest.mark.parametrize(("words", "connectors"), [(9, 0), (8, 1)])
def test_more_words_than_a_number_holds_are_refused(
    monkeypatch: pytest.MonkeyPatch, words: int, connectors: int
) -> None:
    monkeypatch.setattr(pairs, "_KEY_BITS", 6)
    table = np.zeros(words, dtype=np.int32)
    table[:connectors] = 1
    with pytest.raises(CorpusError, match=f"{words} distinct words are too many"):
        PairNumbers(table)


@given(
    st.lists(st.lists(st.integers(-1, 30), max_size=40), max_size=8),
    st.integers(1, 50),
)
def test_runs_add_up_to_the_whole(tmp_path_factory, runs, at_once: int) -> None:
    directory: Path = tmp_path_factory.mktemp("runs")
    written = SpilledPairs(directory)
    for run in runs:
        written.add(*count(np.array(run, dtype=np.int64)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_MERGED_AT_ONCE", max(at_once, len(runs)))
        parts = list(written.totals())
    numbers = [number for part, _ in parts for number in part.tolist()]
    counts = [many for _, part in parts for many in part.tolist()]
    expected = Counter(number for run in runs for number in run if number >= 0)
    assert numbers == sorted(expected)
    assert counts == [expected[number] for number in numbers]
    written.remove()
    assert not list(directory.iterdir())
