import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus import ingest, reader
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.phrases import joiner as phrase_joiner
from sg_train.corpus.phrases.finder import find_phrases
from sg_train.corpus.phrases.phrases import Phrases, PhraseSettings
from sg_train.corpus.prepare import prepare
from sg_train.errors import CorpusError
from tests.test_phrase_finder import LINES

ASKED = PhraseSettings(1, 0.15, "npmi", passes=3, connectors=("o",))


def corpus(path: str, **changes) -> CorpusConfig:
    return CorpusConfig(paths=[path], tokenizer="whitespace", **changes)


@settings(deadline=None)
@given(LINES, LINES, st.integers(1, 3), st.booleans())
def test_a_corpus_with_phrases_is_that_of_the_joined_text(
    tmp_path_factory, lines, others, min_count: int, spill: bool
) -> None:
    directory: Path = tmp_path_factory.mktemp("joined")
    text, model = str(directory / "text"), directory / "p.tsv"
    # Of words that are spelt like phrases there are some, too.
    Path(text).write_text("\n".join(map(" ".join, [*lines, ["a_b", "c"]])))
    found = find_phrases(corpus(text), ASKED, directory, 1)
    found.save(directory / "joined", 1)
    found.phrases.save(model)
    vocabulary = VocabularyConfig(min_count=min_count)
    with pytest.MonkeyPatch.context() as patch:
        if spill:
            patch.setattr(ingest, "_BYTES_PER_WORD", 1_000_000 // 3)
            # A joined line, of 14 words at most, may be one word.
            patch.setattr(reader, "CHUNK_BYTES", 15)
            patch.setattr(phrase_joiner, "_WORDS_AT_ONCE", 5)
        made: list[EncodedCorpus | None] = []
        for name, settings in (
            ("one", corpus(str(directory / "joined"))),
            ("other", corpus(text, phrases=str(model), memory_limit=1)),
        ):
            try:
                made.append(prepare(settings, vocabulary, directory / name, 2))
            except CorpusError as error:
                assert re.search(  # noqa: PT017
                    "training needs at least 2|every line is one word", str(error)
                )
                made.append(None)
    one, other = made
    if one is None or other is None:
        assert one is other is None
        return
    assert one.checksum == other.checksum
    assert one.vocabulary.words == other.vocabulary.words
    assert one.vocabulary.counts.tolist() == other.vocabulary.counts.tolist()
    for key in ("words", "words_read", "distinct_words_counted", "sentences"):
        assert getattr(one.meta, key) == getattr(other.meta, key)


def test_other_phrases_make_another_corpus() -> None:
    Path("text").write_text("a b c\n" * 9)
    vocabulary = VocabularyConfig(min_count=1)
    for threshold, words in ((0.1, ["a_b", "c"]), (0.9, ["a", "b", "c"])):
        asked = PhraseSettings(1, threshold, "npmi")
        if threshold == 0.9:
            Phrases(((),), asked).save(Path("p.tsv"))
        else:
            find_phrases(corpus("text"), asked, Path(), 1).phrases.save(Path("p.tsv"))
        made = prepare(
            corpus("text", phrases="p.tsv"), vocabulary, Path("c"), 1, overwrite=True
        )
        assert made.vocabulary.words == words


def test_phrases_that_cannot_be_read_are_named() -> None:
    Path("text").write_text("a b c\n" * 9)
    with pytest.raises(CorpusError, match="cannot read phrases from missing.tsv"):
        prepare(corpus("text", phrases="missing.tsv"), VocabularyConfig(), Path("c"), 1)
