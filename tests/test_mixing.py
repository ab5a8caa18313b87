from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus import mixing
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.mixing import mix_corpora
from sg_train.corpus.prepare import prepare, prepare_again
from sg_train.errors import CorpusError

SENTENCES = st.lists(
    st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=5),
    min_size=3,
    max_size=40,
)


def prepared(name: str, sentences: list[list[str]], most: int | None = None):
    Path(f"{name}.txt").write_text("\n".join(map(" ".join, sentences)) + "\n")
    corpus = CorpusConfig(paths=[f"{name}.txt"])
    vocabulary = VocabularyConfig(min_count=1, max_vocabulary=most)
    return prepare(corpus, vocabulary, Path(name), 1, overwrite=True)


def decoded(corpus: EncodedCorpus) -> list[list[str]]:
    block = corpus.sentences(0, corpus.meta.sentences)
    words = [corpus.vocabulary.words[i] for i in block.ids]
    offsets = block.offsets.tolist()
    return [words[a:b] for a, b in pairwise(offsets)]


def expected(new, old, share: float) -> list[list[str]]:
    """Mix two lists of sentences, one sentence at a time."""
    known = {word for sentence in new for word in sentence}
    placed = [((i + 0.5) / len(new), 0, sentence) for i, sentence in enumerate(new)]
    for i, sentence in enumerate(old):
        if int((i + 1) * share) > int(i * share):
            left = [word for word in sentence if word in known]
            placed.append(((i + 0.5) / len(old), 1, left))
    return [
        sentence for *_, sentence in sorted(placed, key=lambda x: x[:2]) if sentence
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SENTENCES, SENTENCES, st.sampled_from([0.25, 0.5, 1.0]), st.integers(1, 50))
def test_old_sentences_lie_evenly_among_the_new_ones(
    monkeypatch, new, old, share: float, at_once: int
) -> None:
    monkeypatch.setattr(mixing, "_SENTENCES_AT_ONCE", at_once)
    if len({word for sentence in new for word in sentence}) < 2:
        return
    if len({word for sentence in old for word in sentence}) < 2:
        return
    one, other = prepared("new", new, 5), prepared("old", old)
    mixed = mix_corpora(one, other, share)
    assert mixed.vocabulary.words == one.vocabulary.words
    assert mixed.vocabulary.counts.tolist() == one.vocabulary.counts.tolist()
    assert decoded(mixed) == expected(decoded(one), decoded(other), share)
    assert mixed.words == sum(map(len, decoded(mixed)))


def test_a_mixed_corpus_is_made_once_and_cannot_be_prepared_again() -> None:
    one = prepared("new", [["a", "b"], ["c", "a"]])
    other = prepared("old", [["b", "c"]] * 4)
    mixed = mix_corpora(one, other, 0.5)
    made = (mixed.path / "ids.i32").stat().st_mtime_ns
    assert mix_corpora(one, other, 0.5).checksum == mixed.checksum
    assert (mixed.path / "ids.i32").stat().st_mtime_ns == made
    assert mix_corpora(one, other, 0.25).path != mixed.path
    with pytest.raises(CorpusError, match="extend --mix mixed it from two corpora"):
        prepare_again(mixed.meta, Path("again"), 1, None)


def test_the_order_of_sentences_counts_in_the_checksum() -> None:
    other = prepared("old", [["b", "c"]])
    checksums = set()
    for sentences in ([["a", "b"], ["c", "a"]], [["c", "a"], ["a", "b"]]):
        one = prepared("new", sentences)
        checksums.add(mix_corpora(one, other, 1.0).checksum)
    assert len(checksums) == 2
    assert np.all(np.diff(EncodedCorpus.load(Path("old")).block_starts) > 0)
