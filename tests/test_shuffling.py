from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus import shuffling
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare, prepare_again
from sg_train.errors import CorpusError, SettingsError
from sg_train.training.train import train
from tests.test_mixing import decoded
from tests.test_resume import config

FILES = ["ids.i32", "meta.json", "offsets.i64", "vocabulary.tsv"]
ALL = VocabularyConfig(min_count=1)


def shuffled(name: str, sentences: list[list[str]]) -> EncodedCorpus:
    Path(f"{name}.txt").write_text("\n".join(map(" ".join, sentences)) + "\n")
    corpus = CorpusConfig(paths=[f"{name}.txt"], shuffle=True)
    return prepare(corpus, ALL, Path(name), 1, overwrite=True)


@settings(max_examples=50)
@given(
    sentences=st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=5),
        min_size=1,
        max_size=40,
    ),
    in_memory=st.integers(1, 60),
    at_once=st.integers(1, 50),
)
def test_every_sentence_stays_whole(
    tmp_path_factory, sentences, in_memory: int, at_once: int
) -> None:
    sentences = [["a", "b"], *sentences]  # a text of one word is refused
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("shuffled"))
        patch.setattr(shuffling, "_WORDS_IN_MEMORY", in_memory)
        patch.setattr(shuffling, "_SENTENCES_AT_ONCE", at_once)
        corpus = shuffled("c", sentences)
        found = decoded(EncodedCorpus.load(Path("c")))
        assert Counter(map(tuple, found)) == Counter(map(tuple, sentences))
        assert corpus.meta.sentences == len(sentences)
        assert sorted(path.name for path in Path("c").iterdir()) == FILES


@pytest.mark.parametrize("in_memory", [500, 1 << 26])
def test_sentences_lie_in_random_order(monkeypatch, in_memory: int) -> None:
    monkeypatch.setattr(shuffling, "_WORDS_IN_MEMORY", in_memory)
    monkeypatch.setattr(shuffling, "_SENTENCES_AT_ONCE", 100)
    size = 2000
    corpus = shuffled("c", [["x", f"n{i}"] for i in range(size)])
    order = np.array([int(word[1:]) for _, word in decoded(corpus)])
    places = np.argsort(order)
    assert sorted(order) == list(range(size))
    # Independent ranks correlate by 0 ± 1 / sqrt(n); so do neighbours.
    assert abs(np.corrcoef(places, np.arange(size))[0, 1]) < 4 / size**0.5
    assert abs(np.corrcoef(places[1:], places[:-1])[0, 1]) < 4 / size**0.5
    # Each tenth of the text is spread evenly over the tenths of the result.
    tables = np.histogram2d(places, np.arange(size), bins=10)[0]
    expected = size / 100
    assert ((tables - expected) ** 2 / expected).sum() < 81 + 4 * (2 * 81) ** 0.5


def test_the_order_is_always_the_same() -> None:
    sentences = [["x", f"n{i}"] for i in range(50)]
    one, other = shuffled("one", sentences), shuffled("other", sentences)
    assert decoded(one) == decoded(other)
    assert one.checksum == other.checksum
    plain = prepare(CorpusConfig(paths=["one.txt"]), ALL, Path("plain"), 1)
    assert decoded(plain) == sentences
    assert plain.checksum != one.checksum
    again = prepare_again(one.meta, Path("again"), 1, None)
    assert decoded(again) == decoded(one)


def test_a_corpus_of_an_earlier_version_is_recognised() -> None:
    """Its metadata say nothing about the setting, as if it were false."""
    Path("text.txt").write_text("a b\nb c\n")
    plain = CorpusConfig(paths=["text.txt"])
    made = prepare(plain, ALL, Path("c"), 1)
    assert "shuffle" not in made.meta.fingerprint.settings
    assert prepare(plain, ALL, Path("c"), 1).checksum == made.checksum
    with pytest.raises(CorpusError, match=r"c: holds a corpus of .* other settings"):
        prepare(plain.model_copy(update={"shuffle": True}), ALL, Path("c"), 1)


@pytest.mark.parametrize("value", [True, False])
def test_a_prepared_corpus_keeps_its_order(value: bool) -> None:
    Path("text.txt").write_text("a b\nb c\n")
    prepare(CorpusConfig(paths=["text.txt"], shuffle=value), ALL, Path("c"), 1)
    asked = config(Path("c")).with_overrides([f"corpus.shuffle={not value}".lower()])
    with pytest.raises(CorpusError, match=f"c: was prepared with shuffle={value}, but"):
        train(asked, Path("r"))


def test_passages_cannot_be_drawn_from_shuffled_sentences() -> None:
    Path("text.txt").write_text("a b a b a b\n" * 5)
    asked = config(Path("text.txt")).with_overrides(
        ["corpus.shuffle=true", "sampling.bootstrap=true"]
    )
    with pytest.raises(SettingsError, match=r"bootstrap: .* corpus.shuffle separates"):
        train(asked, Path("r"))
    assert not Path("r").exists()
