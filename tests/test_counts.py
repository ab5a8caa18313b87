import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.counts import WordCounts
from sg_train.corpus.spilled_words import SpilledWords
from sg_train.corpus.splitting import split_text
from sg_train.corpus.tokenizer import WhitespaceTokenizer, WordsTokenizer
from sg_train.errors import CorpusError

lines = st.lists(
    st.text(st.sampled_from("ab'’é. \t\u00a0"), max_size=12), min_size=1, max_size=8
)


def by_hand(text: str) -> list[list[str]]:
    tokenizer = WordsTokenizer("lower")
    return [
        [word for token in line.split() for word in tokenizer.words(token)]
        for line in text.replace(".", " ").split("\n")
    ]


@given(chunks=st.lists(lines, min_size=1, max_size=4))
def test_ids_and_lines_are_those_of_a_plain_loop(chunks: list[list[str]]) -> None:
    tokenizer = WordsTokenizer("lower")
    counter = WordCounts(tokenizer, Path())
    everything = Counter[str]()
    for chunk in chunks:
        text = "\n".join(chunk) + "\n"
        ids, starts = counter.encode(split_text(text.encode(), tokenizer.fold))
        expected = by_hand(text)[:-1]
        found = [
            [counter.words[id] for id in ids[start:end]]
            for start, end in itertools.pairwise(starts)
        ]
        assert found == expected
        everything.update(word for line in expected for word in line)
    assert dict(zip(counter.words, counter.counts.tolist(), strict=True)) == everything


def test_ids_are_by_first_sight() -> None:
    tokenizer = WhitespaceTokenizer()
    counter = WordCounts(tokenizer, Path())
    ids, _ = counter.encode(split_text(b"b a b c\n", tokenizer.fold))
    assert ids.tolist() == [0, 1, 0, 2]
    assert counter.words == ["b", "a", "c"]


def test_many_distinct_words_outgrow_the_first_table() -> None:
    tokenizer = WhitespaceTokenizer()
    counter = WordCounts(tokenizer, Path())
    text = " ".join(f"w{i}" for i in range(200_000)).encode() + b"\n"
    for _ in range(2):
        ids, _ = counter.encode(split_text(text, tokenizer.fold))
        assert np.array_equal(ids, np.arange(200_000))
    assert (counter.counts == 2).all()


def test_ids_beyond_32_bits_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = WordCounts(WhitespaceTokenizer(), tmp_path)
    counts.encode(split_text(b"a b\n", WhitespaceTokenizer.fold))
    monkeypatch.setattr(SpilledWords, "ids", 2**31 - 3)
    ids, _ = counts.encode(split_text(b"b\n", WhitespaceTokenizer.fold))
    assert ids.tolist() == [2**31 - 2]
    with pytest.raises(CorpusError, match="more than 2147483647 word ids"):
        counts.encode(split_text(b"c\n", WhitespaceTokenizer.fold))
    with pytest.raises(CorpusError, match="more than 2147483647 word ids"):
        counts.add(["d"], np.array([1]))
