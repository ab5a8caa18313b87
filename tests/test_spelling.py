from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train import Config, train
from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.corpus.prepare import prepare
from sg_train.corpus.spelling import spelling, tokenizer_of
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.initial_vectors import read_initial_vectors
from sg_train.vectors.spelling import plain_spellings, same_spellings
from sg_train.vectors.word_vectors import WordVectors


@pytest.mark.parametrize(
    ("typed", "spelled"),
    [
        ("CAFE\u0301", ["café"]),
        ("l’E\u0301te\u0301", ["l'été"]),
        ("New York", ["new_york"]),
        ("New_York", ["new_york"]),
        ("...", []),
    ],
)
def test_a_typed_word_is_spelled_as_its_tokenizer_spells(typed, spelled) -> None:
    assert spelling(CorpusConfig())(typed) == spelled
    assert spelling(CorpusConfig(tokenizer="whitespace"))("a\u3000b") == ["a_b"]


def test_a_phrase_is_joined_as_the_file_of_phrases_joins_it() -> None:
    settings = PhraseSettings(delimiter="~")
    Phrases(((Phrase(("new", "york"), 1.0, 5),),), settings).save(Path("p.tsv"))
    assert spelling(CorpusConfig(phrases="p.tsv"))("New York") == ["new~york"]
    assert spelling(CorpusConfig(phrases="gone.tsv"))("New York") == ["new_york"]


@given(word=st.text(max_size=5))
def test_same_spellings_look_the_same(word: str) -> None:
    same = same_spellings(word)
    for other in same:
        assert same_spellings(other)[1] == same[1]
    assert plain_spellings(word)[: len(same)] == same


def test_long_words_have_no_other_spellings() -> None:
    assert plain_spellings("a" + "\u0301" * 2000) == []


def test_a_text_that_is_already_split_is_asked_in_any_spelling(text: Path) -> None:
    text.write_text("Le café n’est pas été\n" * 9)
    settings = {
        "corpus.paths": [str(text)],
        "corpus.tokenizer": "whitespace",
        "model.dimension": 4,
        "sampling.subsample": 0,
    }
    train(Config().with_settings(settings), "r")
    vectors = load_run_vectors(RunDirectory(Path("r")))
    assert vectors.id("cafe\u0301") == vectors.ids["café"]
    assert vectors.id("n'est") == vectors.ids["n’est"]
    exported = WordVectors.load("r")
    assert exported.id("CAFÉ") == exported.ids["café"]


def test_a_run_is_asked_in_any_spelling(text: Path, caplog) -> None:
    text.write_text(text.read_text() + "Le café n’est pas été\n" * 9)
    settings = {"corpus.paths": [str(text)], "model.dimension": 4}
    train(Config().with_settings(settings), "r")
    vectors = load_run_vectors(RunDirectory(Path("r")))
    caplog.clear()
    for typed, found in [("CAFE\u0301", "café"), ("N’est", "n'est")]:
        assert vectors.id(typed) == vectors.ids[found]
        assert f"{typed!r} is looked up as {found!r}" in caplog.text
    assert "Thé" not in vectors


def test_initial_vectors_may_be_spelled_otherwise(caplog) -> None:
    words = ["Cafe\u0301", "cafe\u0301", "don’t", "the", "The"]
    WordVectors(words, np.arange(10, dtype="f4").reshape(5, 2)).save("v.txt")
    config = Config().with_settings(
        {"model.init_from": "v.txt", "model.dimension": 2, "corpus.case": "lower"}
    )
    vocabulary = ["the", "x", "don't", "café"]
    initial = read_initial_vectors(config.model, vocabulary, spelling(config.corpus))
    assert initial is not None
    assert initial.words == ["the", "don't", "café"]
    assert initial.u is not None
    assert initial.u.tolist() == [[6, 7], [4, 5], [0, 1]]
    assert "words with initial vectors in another spelling: 2" in caplog.text
    assert "2 of its words are not in the vocabulary: cafe\u0301, The" in caplog.text


def test_phrases_edited_by_hand_are_joined() -> None:
    Path("text.txt").write_text("Le café d’hier est le café d’hier\n" * 5)
    found = Phrases(
        (
            (
                Phrase(("Cafe\u0301", "d’hier"), 2.0, 5),
                Phrase(("café", "d'hier"), 1.0, 5),
            ),
            (Phrase(("Le", "Cafe\u0301+d’hier"), 1.0, 5),),
        ),
        PhraseSettings(passes=2, delimiter="+", connectors=("De", "de")),
    )
    spelled = found.spelled(tokenizer_of(CorpusConfig()))
    assert [phrase.words for phrase in spelled.passes[0]] == [("café", "d'hier")]
    assert spelled.settings.connectors == ("de",)
    assert spelled.spelled(tokenizer_of(CorpusConfig())) == spelled
    found.save(Path("phrases.tsv"))
    settings = CorpusConfig(paths=["text.txt"], phrases="phrases.tsv")
    corpus = prepare(settings, VocabularyConfig(min_count=1), Path("c"), 1)
    assert list(corpus.vocabulary.words) == ["le+café+d'hier", "est"]
