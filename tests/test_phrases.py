from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.corpus.phrases.phrases import (
    Phrase,
    Phrases,
    PhraseSettings,
    check_settings,
)
from sg_train.errors import CorpusError, SettingsError

WORD = st.text(
    st.characters(exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=5
)
CONNECTORS = ("of", "the", "ı")
PHRASE = st.builds(
    lambda first, inside, last, score, count: Phrase(
        (first, *inside, last), score, count
    ),
    WORD,
    st.lists(st.sampled_from(CONNECTORS), max_size=3),
    WORD,
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(1, 2**40),
)


@given(st.lists(st.lists(PHRASE, max_size=4).map(tuple), min_size=1, max_size=3))
def test_phrases_are_read_as_they_were_written(tmp_path_factory, passes) -> None:
    path = tmp_path_factory.mktemp("phrases") / "phrases.tsv"
    settings = PhraseSettings(passes=len(passes), connectors=CONNECTORS, min_count=2)
    phrases = Phrases(tuple(passes), settings)
    phrases.save(path)
    assert Phrases.load(path) == phrases
    assert len(phrases) == sum(map(len, passes))


def test_a_phrase_is_one_word() -> None:
    phrases = Phrases((), PhraseSettings(delimiter="~"))
    assert phrases.name(Phrase(("bank", "of", "america"), 1.0, 1)) == "bank~of~america"


HEAD = (
    '{"format": "sg-train phrases", "version": 1, "min_count": 5, "threshold": 10, '
    '"scoring": "gensim", "passes": 2, "delimiter": "_", "connectors": ["of"]}\n'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a file of phrases"),
        ("new york\n", "not a file of phrases"),
        ("[]\n", "not a file of phrases"),
        ('{"format": "sg-train phrases", "version": 1}\n', "not a file of phrases"),
        (HEAD.replace('"_"', "1"), "not a file of phrases"),
        (HEAD.replace('"version": 1', '"version": 9'), "unsupported version"),
        (HEAD.replace('"passes": 2', '"passes": 0'), "number of passes"),
        (HEAD.replace('"passes": 2', '"passes": 2.5'), "number of passes"),
        (HEAD.replace('"_"', '" "'), "not a file of phrases"),
        (HEAD.replace('"gensim"', '"other"'), "not a file of phrases"),
        ("[" * 100_000, "not a file of phrases"),
        (HEAD + "1\t2.5\t3\n", "line 2: expected `PASS"),
        (HEAD.replace('["of"]', '"of"'), "not a file of phrases"),
        (HEAD + "1\t2.5\t3\ta b\r\n", "line 2"),
        (HEAD + "1\t2.5\t3\ta b\nx\t2.5\t3\ta b\n", "line 3: expected"),
        (HEAD + "3\t2.5\t3\ta b\n", "line 2"),
        (HEAD + "0\t2.5\t3\ta b\n", "line 2"),
        (HEAD + "1\t2.5\t3\ta\n", "line 2"),
        (HEAD + "1\t2.5\t3\ta  b\n", "line 2"),
        (HEAD + "1\t2.5\t3\ta to b\n", "line 2"),  # `to` is no connector
        (HEAD + "1\t2.5\tx\ta b\n", "line 2"),
        ("\udcff", "cannot read"),
    ],
)
def test_what_is_no_file_of_phrases_is_refused(text: str, message: str) -> None:
    Path("p.tsv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CorpusError, match=f"p.tsv.*{message}|{message}.*p.tsv"):
        Phrases.load(Path("p.tsv"))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CorpusError, match="phrases from nowhere.tsv: No such"):
        Phrases.load(Path("nowhere.tsv"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PhraseSettings(threshold=10, scoring="npmi"), "between -1 and 1"),
        (PhraseSettings(threshold=0), "above 0"),
        (PhraseSettings(threshold=float("nan")), "above 0"),
        (PhraseSettings(scoring="other"), "no such formula"),  # type: ignore[arg-type]
        (PhraseSettings(connectors=("of", "of")), "duplicate word"),
        (PhraseSettings(delimiter=""), "delimiter ''"),
        (PhraseSettings(delimiter=" "), "delimiter ' '"),
        (PhraseSettings(delimiter="a\u3000b"), "delimiter"),
        (PhraseSettings(delimiter="\udcff"), "delimiter"),
    ],
)
def test_settings_that_find_nothing_are_refused(
    settings: PhraseSettings, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        check_settings(settings)
    check_settings(PhraseSettings())
    check_settings(PhraseSettings(threshold=-0.5, scoring="npmi"))
