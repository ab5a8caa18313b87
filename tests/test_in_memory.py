from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sg_train.config import VocabularyConfig
from sg_train.corpus import in_memory
from sg_train.corpus.in_memory import prepare_sentences
from sg_train.errors import CorpusError, OutputError
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import load_run_vectors
from sg_train.training.train import resume, train
from tests.test_texts import sentences as decoded
from tests.test_train import config

ALL = VocabularyConfig(min_count=1)
words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(words, min_size=1, max_size=5), min_size=1, max_size=9),
    st.integers(1, 99),
)
def test_what_is_given_is_prepared(
    monkeypatch, sentences: list[list[str]], chunk: int
) -> None:
    monkeypatch.setattr(in_memory, "_CHUNK", chunk)
    several = [sentence for sentence in sentences if sentence]
    if len({word for sentence in several for word in sentence}) < 2:
        return
    if all(len(sentence) == 1 for sentence in several):
        return
    corpus = prepare_sentences(iter(several), ALL, Path("c"), overwrite=True)
    assert decoded(corpus) == several


def test_words_are_taken_as_they_are() -> None:
    some = [["New York", "Is", ""], [], ["Is", "A-1"]]
    corpus = prepare_sentences(some, ALL)
    assert decoded(corpus) == [["New_York", "Is"], ["Is", "A-1"]]
    assert corpus.path.parent == Path("corpora")
    assert corpus.meta.fingerprint.inputs is None


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([["a", "b"], "a text"], "sentence 2: text, not a list of words; split it"),
        ([["a", 1]], "sentence 1: not a list of words"),
        ([None], "sentence 1: not a list of words"),
        ([], "contains no words"),
        ([["a", "b"]] * 2, "min_count"),
    ],
)
def test_what_is_no_list_of_words_is_refused(sentences, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        prepare_sentences(sentences, VocabularyConfig(), Path("c"))
    assert not Path("c").exists()


def test_a_run_on_sentences_is_that_on_their_text(text: Path) -> None:
    train(config(text), "a")

    def once() -> Iterator[list[str]]:
        for line in text.read_text().splitlines():
            yield line.split()

    train(config(text), "b", sentences=once())
    for name in ("vectors.txt", "weights.safetensors"):
        assert (Path("a") / name).read_bytes() == (Path("b") / name).read_bytes()
    resume("b", ["training.epochs=5"])
    made = RunDirectory(Path("b"))
    assert made.load_config().corpus.tokenizer == "whitespace"
    assert len(load_run_vectors(made)) == 30


def test_a_taken_directory_is_refused_before_anything_is_read(text: Path) -> None:
    train(config(text), "a")

    def never() -> Iterator[list[str]]:
        yield [] if text.is_dir() else 1 / 0  # type: ignore[misc]

    with pytest.raises(OutputError, match="a"):
        train(config(text), "a", sentences=never())
