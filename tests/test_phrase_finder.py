import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import gensim
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig
from sg_train.corpus import ingest, reader
from sg_train.corpus.phrases import finder as phrase_finder
from sg_train.corpus.phrases import joiner as phrase_joiner
from sg_train.corpus.phrases.finder import find_phrases
from sg_train.corpus.phrases.phrases import ENGLISH_CONNECTORS, Phrases, PhraseSettings
from sg_train.corpus.tokenizer import make_tokenizer
from sg_train.errors import CorpusError
from tests.conftest import ROOT, Command

LINES = st.lists(
    st.lists(st.sampled_from("abcdof"), min_size=1, max_size=14),
    min_size=1,
    max_size=12,
)


def found_in(
    lines: list[list[str]], asked: PhraseSettings, threads: int = 1, **corpus
) -> tuple[Phrases, list[list[str]]]:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "text").write_text("\n".join(map(" ".join, lines)))
        paths = [str(directory / "text")]
        how = CorpusConfig(paths=paths, tokenizer="whitespace", **corpus)
        found = find_phrases(how, asked, directory, threads)
        found.save(directory / "out", threads)
        text = (directory / "out").read_text()
    return found.phrases, [
        line.split(" ") for line in text.removesuffix("\n").split("\n")
    ]


def by_gensim(
    lines: list[list[str]], asked: PhraseSettings
) -> tuple[list[dict[str, float]], list[list[str]]]:
    passes = []
    for _ in range(asked.passes):
        model = gensim.models.phrases.Phrases(
            lines,
            min_count=asked.min_count,
            threshold=asked.threshold,
            scoring={"gensim": "default"}.get(asked.scoring, asked.scoring),
            connector_words=frozenset(asked.connectors),
            delimiter=asked.delimiter,
        )
        passes.append(model.export_phrases())
        lines = [model[line] for line in lines]
    return passes, lines


@pytest.mark.parametrize(
    ("scoring", "threshold", "connectors"),
    [("gensim", 10, ENGLISH_CONNECTORS), ("npmi", 0.5, ())],
)
def test_phrases_of_the_sample_are_those_of_gensim(
    scoring, threshold: float, connectors: tuple[str, ...]
) -> None:
    tokenizer = make_tokenizer("words", "lower")
    text = (ROOT / "data/sotu.txt").read_bytes().translate(tokenizer.fold).decode()
    lines = [
        [word for token in line.split() for word in tokenizer.words(token)]
        for line in text.split("\n")[::5]
    ]
    asked = PhraseSettings(
        threshold=threshold, scoring=scoring, connectors=connectors, passes=2
    )
    theirs, joined = by_gensim([line for line in lines if line], asked)
    phrases, ours = found_in(lines, asked, threads=2)
    assert len(phrases.passes[0]) > 200
    scores = {phrases.name(phrase): phrase.score for phrase in phrases.passes[0]}
    assert scores == pytest.approx(theirs[0], rel=1e-12)
    assert ours == joined


@settings(deadline=None)
@given(
    LINES,
    st.sampled_from(["gensim", "npmi"]),
    st.integers(1, 3),
    st.floats(0.05, 0.9),
    st.sets(st.sampled_from("of")),
)
def test_phrases_of_any_text_are_those_of_gensim(
    lines, scoring, min_count: int, threshold: float, connectors: set[str]
) -> None:
    asked = PhraseSettings(
        min_count, threshold, scoring, connectors=tuple(sorted(connectors))
    )
    (theirs,), joined = by_gensim(lines, asked)
    phrases, ours = found_in(lines, asked)
    scores = {phrases.name(phrase): phrase.score for phrase in phrases.passes[0]}
    assert scores == pytest.approx(theirs, rel=1e-9)
    assert ours == joined


@given(LINES, st.integers(1, 3), st.floats(0.5, 30))
def test_the_scores_of_word2phrase_are_by_all_words(
    lines, min_count, threshold
) -> None:
    phrases, _ = found_in(lines, PhraseSettings(min_count, threshold, "word2phrase"))
    words = Counter(word for line in lines for word in line)
    expected: dict[tuple[str, ...], object] = {}
    for (first, second), many in Counter(
        pair for line in lines for pair in pairwise(line)
    ).items():
        score = (many - min_count) / words[first] / words[second] * words.total()
        if many >= min_count and score > threshold:
            expected[first, second] = (pytest.approx(score), many)
    found = {p.words: (p.score, p.count) for p in phrases.passes[0]}
    assert found == expected


@settings(deadline=None, max_examples=25)
@given(LINES, st.integers(2, 6))
def test_threads_and_memory_change_nothing(lines, chunk: int) -> None:
    asked = PhraseSettings(1, 0.2, "npmi", passes=3, connectors=("o",))
    expected = found_in(lines, asked)
    with pytest.MonkeyPatch.context() as patch:
        for module in (phrase_finder, phrase_joiner):
            patch.setattr(module, "_WORDS_AT_ONCE", chunk)
        patch.setattr(ingest, "_BYTES_PER_WORD", 1_000_000 // 3)
        patch.setattr(reader, "CHUNK_BYTES", 9)
        assert found_in(lines, asked, threads=3) == expected
        assert found_in(lines, asked, memory_limit=1) == expected


def test_later_passes_join_phrases() -> None:
    lines = [["x", "new", "york", "city", "hall"]] * 6 + [
        ["x", "y"],
        ["hall", "y"],
    ] * 20
    asked = PhraseSettings(min_count=1, threshold=0.9, scoring="npmi", passes=2)
    phrases, text = found_in(lines, asked)
    assert text[0] == ["x", "new_york_city", "hall"]
    assert [phrase.words for phrase in phrases.passes[1]] == [("new_york", "city")]


def test_a_phrase_spelt_like_a_word_is_that_word() -> None:
    lines = [["a", "b", "d"]] * 5 + [["a", "b", "e"]] * 5 + [["a_b", "d"]] * 5
    asked = PhraseSettings(min_count=6, threshold=0.1, scoring="npmi", passes=2)
    phrases, text = found_in(lines, asked)
    first, second = ({p.words: p.count for p in each} for each in phrases.passes)
    assert first == {("a", "b"): 10}
    assert second == {("a_b", "d"): 10}
    assert text[0] == text[-1] == ["a_b_d"]


def test_a_score_at_the_threshold_is_not_above_it() -> None:
    score = (3 - 1) / 3 / 3 * 6
    for threshold, found in ((score, 0), (np.nextafter(score, 0), 1)):
        asked = PhraseSettings(1, threshold, "word2phrase")
        assert len(found_in([["a", "b"]] * 3, asked)[0]) == found


def test_sentences_are_cut_where_the_corpus_is() -> None:
    lines = [["a", "b"] * 3] * 10
    asked = PhraseSettings(min_count=1, threshold=0.01, scoring="npmi")
    _, text = found_in(lines, asked, max_sentence_length=3)
    assert text[:2] == [["a_b", "a"], ["b_a", "b"]]


@pytest.mark.parametrize("spill", [True, False])
def test_a_text_without_words_is_refused(
    monkeypatch: pytest.MonkeyPatch, spill: bool
) -> None:
    Path("arrows").write_text("".join(f"{chr(0x2190 + i)}\n" for i in range(90)))
    if spill:
        monkeypatch.setattr(ingest, "_BYTES_PER_WORD", 1_000_000 // 3)
        monkeypatch.setattr(reader, "CHUNK_BYTES", 9)
    with pytest.raises(CorpusError, match="arrows: contains no words"):
        find_phrases(
            CorpusConfig(paths=["arrows"], memory_limit=1), PhraseSettings(), Path(), 1
        )


def test_the_command_leaves_text_and_phrases_and_nothing_else(
    sg_train: Command, tmp_path: Path
) -> None:
    Path("text.txt").write_text("Bank of America\nthe bank a b c\n" * 9)
    arguments = ("phrases", "text.txt", "--min-count", "1", "--threshold", ".5")
    npmi = ("--scoring", "npmi", "--connectors", "english")
    shown = sg_train(*arguments, *npmi)
    assert "1\tbank_of_america\t0." in shown.stdout
    assert shown.stdout.count("\n") == int(shown.stderr.split()[0])
    files = ("--out", "joined.txt", "--model", "p.tsv")
    result = sg_train(*arguments, *npmi, *files)
    assert result.stdout == ""
    assert "corpus.phrases=p.tsv" in result.stderr
    assert Path("joined.txt").read_text().startswith("bank_of_america\nthe ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "joined.txt",
        "p.tsv",
        "text.txt",
    ]
    assert np.isfinite([p.score for p in Phrases.load(Path("p.tsv")).passes[0]]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--scoring", "npmi", "--threshold", "10"), "between -1 and 1"),
        (("--threshold", "-1"), "above 0"),
        (("--delimiter", " "), "delimiter"),
        (("--connectors", "missing"), "--connectors missing: cannot be read"),
        (("--out", "."), "not a regular file"),
        (("--out", "t"), "is the text itself"),
        (("--model", "./t"), "is the text itself"),
        (("--out", "no/such/out"), "cannot write no/such/out"),
        (("--out", "o", "--model", "no/such/p"), "cannot write no/such/p"),
        (("--out", "o", "--model", "./o"), "both are o; name two files"),
        (("--set", "corpus.phrases=p.tsv"), "give --passes 2"),
    ],
)
def test_what_cannot_be_done_is_reported(sg_train: Command, arguments, message) -> None:
    Path("t").write_text("a b\n")
    assert message in sg_train.refused("phrases", "t", *arguments)
    assert [path.name for path in Path().iterdir()] == ["t"]


def test_connectors_are_split_as_the_text_is(sg_train: Command) -> None:
    Path("t").write_text("bank of america\na b\n" * 9)
    Path("words").write_text("OF\nThe\n")
    how = ("--scoring", "npmi", "--min-count", "1", "--connectors", "words")
    assert "bank_of_america" in sg_train("phrases", "t", *how).stdout
