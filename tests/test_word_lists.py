from pathlib import Path

import pytest

from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare
from sg_train.corpus.word_lists import WordLists
from sg_train.errors import CorpusError

TEXT = "The cat and the dog\nthe Dog and a Cat’s tail in 1945\n"


def words(out: str = "c", **lists) -> list[str]:
    Path("t.txt").write_text(TEXT)
    settings = CorpusConfig(paths=["t.txt"])
    vocabulary = VocabularyConfig(min_count=1, **lists)
    return sorted(prepare(settings, vocabulary, Path(out), 1).vocabulary.words)


ALL = sorted(["the", "cat", "and", "dog", "a", "cat's", "tail", "in", "1945"])


def test_words_are_left_out_or_kept() -> None:
    assert words("a") == ALL
    assert words("b", exclude=["The", "AND"]) == sorted({*ALL} - {"the", "and"})
    assert words("c", only=["cat", "dog", "cat’s", "bird"]) == ["cat", "cat's", "dog"]
    assert words("d", only=["cat", "dog"], exclude=["cat’s", "tail"]) == ["cat", "dog"]


def test_windows_reach_across_words_that_are_left_out() -> None:
    words("c", exclude=["the", "and"])
    corpus = EncodedCorpus.load(Path("c"))
    block = corpus.sentences(0, corpus.meta.sentences)
    assert [corpus.vocabulary.words[i] for i in block.ids[:2]] == ["cat", "dog"]
    assert corpus.meta.words_read == 13


def test_a_file_is_read_and_a_change_of_it_is_noticed() -> None:
    Path("stop.txt").write_text("\ufeffthe\nand, a\n", encoding="utf-8")
    assert words(exclude=["stop.txt"]) == sorted({*ALL} - {"the", "and", "a"})
    made = EncodedCorpus.load(Path("c")).meta.fingerprint
    assert made.settings["exclude"] == [str(Path("stop.txt").absolute())]
    Path("stop.txt").write_text("the\n")
    with pytest.raises(
        CorpusError, match="holds a corpus of another text or other set"
    ):
        words(exclude=["stop.txt"])
    absolute = Config().with_settings({"vocabulary.exclude": ["stop.txt"]})
    assert absolute.with_absolute_paths().vocabulary.exclude == [
        str(Path("stop.txt").absolute())
    ]
    absolute = Config().with_settings({"vocabulary.exclude": ["the"]})
    assert absolute.with_absolute_paths().vocabulary.exclude == ["the"]


def test_without_lists_there_is_no_digest() -> None:
    assert not WordLists(CorpusConfig(), VocabularyConfig())
    assert WordLists(CorpusConfig(), VocabularyConfig(exclude=["a"]))


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"only": ["?!"]}, r"vocabulary.only=\?!: neither a file nor one word"),
        ({"exclude": ["none.txt"]}, "vocabulary.exclude=none.txt: neither a file nor"),
        ({"only": ["empty.txt"]}, "empty.txt: contains no words to keep"),
        ({"only": ["bird"]}, "only 0 of 9 distinct words are allowed by its lists and"),
        ({"only": ["bad.txt"]}, "bad.txt: not UTF-8 text"),
    ],
)
def test_lists_that_leave_nothing_are_refused(lists, message: str) -> None:
    Path("bad.txt").write_bytes(b"\xff\n")
    Path("empty.txt").write_text("?\n")
    with pytest.raises(CorpusError, match=message):
        words(**lists)
    assert not Path("c").exists()


@pytest.mark.parametrize("tokenizer", ["words", "whitespace"])
def test_all_numbers_can_be_one_word(tokenizer: str) -> None:
    Path("t.txt").write_text("in 1945 and 3.5 or -2 x1 ٣٤ 10:30\n")
    corpus = CorpusConfig(paths=["t.txt"], numbers="one", tokenizer=tokenizer)
    made = prepare(corpus, VocabularyConfig(min_count=1), Path("c"), 1)
    assert set(made.vocabulary.words) == {"in", "0", "and", "or", "x1"}
