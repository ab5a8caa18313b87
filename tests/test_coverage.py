from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig
from sg_train.corpus import ingest
from sg_train.corpus.coverage import Coverage, measure_coverage
from sg_train.corpus.phrases.phrases import Phrase, Phrases, PhraseSettings
from sg_train.errors import CorpusError


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1),
    st.sets(st.sampled_from("abcdxyz")),
    st.integers(1, 5),
    st.booleans(),
)
def test_known_and_unknown_words_are_counted(
    tmp_path_factory, words: list[str], known: set[str], top: int, spill: bool
) -> None:
    directory: Path = tmp_path_factory.mktemp("coverage")
    (directory / "text").write_text("\n".join(words))
    corpus = CorpusConfig(paths=[str(directory / "text")], memory_limit=1)
    with pytest.MonkeyPatch.context() as patch:
        if spill:
            patch.setattr(ingest, "_BYTES_PER_WORD", 1_000_000 // 3)
        found = measure_coverage(known, corpus, directory, 1, top)
    unknown = Counter(word for word in words if word not in known)
    ranked = sorted(unknown.items(), key=lambda pair: (-pair[1], pair[0]))
    assert found == Coverage(
        len(words), unknown.total(), len(set(words)), len(unknown), ranked[:top]
    )


def test_a_text_without_words_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(CorpusError, match="contains no words"):
        measure_coverage([], CorpusConfig(paths=["empty"]), tmp_path, 1)


def test_phrases_are_words(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("new york\nyork\n")
    phrases = Phrases(((Phrase(("new", "york"), 1.0, 1),),), PhraseSettings())
    phrases.save(tmp_path / "p.tsv")
    corpus = CorpusConfig(
        paths=[str(tmp_path / "text")], phrases=str(tmp_path / "p.tsv")
    )
    found = measure_coverage(["york"], corpus, tmp_path, 1)
    assert found == Coverage(2, 1, 2, 1, [("new_york", 1)])
