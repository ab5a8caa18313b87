import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sg_train.config import Config, CorpusConfig, VocabularyConfig
from sg_train.corpus import python_tokenizer
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare
from sg_train.corpus.python_tokenizer import digest_of, split_lines
from sg_train.errors import CorpusError, SettingsError
from tests.conftest import Command
from tests.test_texts import sentences

MODULE = """
def upper(sentence):
    return sentence.upper().split()

def pairs(sentence):
    return [sentence[i:i + 2] for i in range(0, len(sentence), 2)]

def threes(sentence):
    return [sentence[i:i + 3] for i in range(0, len(sentence), 3)]

def text(sentence): return sentence
def number(sentence): return 3
def fails(sentence): raise ValueError("no " + sentence)
def ends(sentence): import os; os._exit(3)
value = 3
"""


@pytest.fixture(autouse=True)
def module() -> Iterator[None]:
    Path("mine.py").write_text(MODULE)
    sys.modules.pop("mine", None)  # which another test may have imported
    yield
    sys.modules.pop("mine", None)
    python_tokenizer._functions.clear()


def prepared(text: str, tokenizer: str, threads: int = 1, **settings) -> EncodedCorpus:
    Path("t.txt").write_text(text)
    corpus = CorpusConfig.model_validate(
        {"paths": ["t.txt"], "tokenizer": tokenizer, **settings}
    )
    return prepare(corpus, VocabularyConfig(min_count=1), Path("c"), threads)


def test_the_function_decides_the_words() -> None:
    corpus = prepared("a b\n\nc d, e\n", "mine:upper")
    assert sentences(corpus) == [["A", "B"], ["C", "D,", "E"]]


def test_white_space_in_a_word_becomes_a_mark() -> None:
    found = b"".join(split_lines([b"a bcd e\n"], "mine:threes", "t", 1))
    assert found == b"a_b cd e\n"


def test_a_sentence_is_given_whole() -> None:
    chunks = [b"ab", b"cd\nef", b"", b"gh"]
    found = b"".join(split_lines(chunks, "mine:pairs", "t", 1))
    assert found == b"ab cd\nef gh"
    corpus = prepared("ab\ncd\n\nef\n", "mine:upper", sentence="document")
    assert sentences(corpus) == [["AB", "CD", "EF"]]


def test_several_processes_give_the_same(monkeypatch) -> None:
    monkeypatch.setattr(python_tokenizer, "_PIECE", 100)
    text = "".join(f"w{i} w{i % 7} w{i % 3}\n" for i in range(90)).encode()
    one, two = (
        b"".join(split_lines([text[:400], text[400:]], "mine:upper", "t", n))
        for n in (1, 2)
    )
    assert one == two == text.upper()
    with pytest.raises(CorpusError, match="ended unexpectedly"):
        list(split_lines([text], "mine:ends", "t", 2))


def test_a_changed_module_gives_another_corpus() -> None:
    first = prepared("a b\n", "mine:upper").meta.fingerprint
    assert first.function == digest_of("mine:upper") != digest_of("mine:pairs")
    Path("mine.py").write_text(MODULE + "\n# changed\n")
    sys.modules.pop("mine")
    python_tokenizer._functions.clear()
    assert digest_of("mine:upper") != first.function
    with pytest.raises(CorpusError, match="holds a corpus of another text or other"):
        prepared("a b\n", "mine:upper")


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (
            "none:f",
            "corpus.tokenizer=none:f: cannot be imported .*No module named 'none'",
        ),
        ("mine:none", "cannot be imported .*no attribute 'none'"),
        ("mine:value", "corpus.tokenizer=mine:value: not a function"),
        ("mine:text", "failed in t.txt .*a str, not a list of str.* on the line 'a b'"),
        ("mine:number", "failed in t.txt .TypeError"),
        ("mine:fails", "failed in t.txt .ValueError: no a b"),
    ],
)
def test_a_function_that_does_not_work_is_refused(tokenizer: str, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        prepared("a b\n", tokenizer)
    assert not Path("c").exists()


@pytest.mark.parametrize(
    "name", ["a b:c", ":f", "m:", "m:f:g", "m.:f", "1:f", "words "]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="or a function such as 'module:function'"):
        Config().with_settings({"corpus.tokenizer": name})


def test_look_ups_call_nothing(sg_train: Command) -> None:
    Path("t.txt").write_text("a b c\n" * 20)
    result = sg_train(
        *("train", "--corpus", "t.txt", "--out", "r", "--set", "sampling.subsample=0"),
        *("--set", "corpus.tokenizer=mine:upper", "--set", "model.dimension=4"),
        *("--set", "training.epochs=1"),
    )
    assert result.exit_code == 0, result.output
    Path("mine.py").write_text("raise SystemExit('called')")
    sys.modules.pop("mine", None)
    python_tokenizer._functions.clear()
    assert sg_train("neighbors", "r", "A", "--top", 1).exit_code == 0
    assert sg_train("info", "r").exit_code == 0
