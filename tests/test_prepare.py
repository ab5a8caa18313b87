import io
import itertools
import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus import ingest as module
from sg_train.corpus import reader, spool
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import open_corpus, prepare
from sg_train.errors import CorpusError, OutputError


def settings(path: Path | str, **changes) -> CorpusConfig:
    return CorpusConfig(paths=[str(path)], **{"tokenizer": "whitespace", **changes})


def decode(corpus: EncodedCorpus) -> list[list[str]]:
    ids = np.fromfile(corpus.path / "ids.i32", dtype="<i4")
    offsets = np.fromfile(corpus.path / "offsets.i64", dtype="<i8")
    assert len(offsets) == corpus.meta.sentences + 1
    return [
        [corpus.vocabulary.words[id] for id in ids[start:end]]
        for start, end in itertools.pairwise(offsets)
    ]


def by_hand(
    text: str, length: int, min_count: int, limit: int | None
) -> tuple[list[tuple[str, int]], list[list[str]]]:
    counts = Counter(text.split())
    ranked = sorted(counts, key=lambda word: (-counts[word], word))
    kept = [word for word in ranked if counts[word] >= min_count][:limit]
    lines = [line.split() for line in text.split("\n")]
    cut = [line[i : i + length] for line in lines for i in range(0, len(line), length)]
    sentences = [[word for word in line if word in kept] for line in cut]
    return [(word, counts[word]) for word in kept], [line for line in sentences if line]


@given(
    lines=st.lists(
        st.lists(st.sampled_from("abcdefgh"), max_size=12), min_size=1, max_size=12
    ),
    length=st.integers(2, 5),
    min_count=st.integers(1, 3),
    limit=st.none() | st.integers(2, 5),
    chunk=st.integers(3, 12),
    threads=st.integers(1, 3),
)
def test_a_prepared_corpus_is_the_text(
    tmp_path_factory, lines, length, min_count, limit, chunk, threads
) -> None:
    directory = tmp_path_factory.mktemp("prepare")
    text = "\n".join(" ".join(line) for line in lines)
    vocabulary, sentences = by_hand(text, length, min_count, limit)
    (directory / "text").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "_WORDS_AT_ONCE", 4)
        patch.setattr(reader, "CHUNK_BYTES", chunk)
        arguments = (
            settings(directory / "text", max_sentence_length=length),
            VocabularyConfig(min_count=min_count, max_vocabulary=limit),
            directory / "c",
            threads,
        )
        if len(vocabulary) < 2:
            with pytest.raises(CorpusError):
                prepare(*arguments)
            assert [child.name for child in directory.iterdir()] == ["text"]
            return
        corpus = prepare(*arguments)
    counts = corpus.vocabulary.counts.tolist()
    assert list(zip(corpus.vocabulary.words, counts, strict=True)) == vocabulary
    assert decode(corpus) == sentences
    assert corpus.words == sum(map(len, sentences))
    assert corpus.meta.words_read == len(text.split())
    assert sorted(child.name for child in corpus.path.iterdir()) == [
        "ids.i32",
        "meta.json",
        "offsets.i64",
        "vocabulary.tsv",
    ]


def test_several_files_are_one_corpus_and_no_sentence_spans_two() -> None:
    Path("texts").mkdir()
    Path("texts/1").write_text("a b")
    Path("texts/2").write_text("b a\nb")
    corpus = prepare(settings("texts"), VocabularyConfig(min_count=1), Path("c"), 2)
    assert decode(corpus) == [["a", "b"], ["b", "a"], ["b"]]


def test_the_same_text_is_not_prepared_again(text: Path) -> None:
    vocabulary = VocabularyConfig()
    first = prepare(settings(text), vocabulary, Path("c"), 1)
    before = (first.path / "ids.i32").stat().st_ino
    again = prepare(settings(text), vocabulary, Path("c"), 2)
    assert (again.path / "ids.i32").stat().st_ino == before


@pytest.mark.parametrize(
    "change", ["text", "time", "setting", "vocabulary", "version", "damage"]
)
def test_another_text_or_setting_is_not_the_same(text: Path, change: str) -> None:
    corpus, vocabulary = settings(text), VocabularyConfig()
    prepare(corpus, vocabulary, Path("c"), 1)
    meta = Path("c/meta.json")
    if change == "text":
        text.write_text(text.read_text() + "w1 w2\n")
    elif change == "time":
        os.utime(text, ns=(1, 1))
    elif change == "setting":
        corpus = settings(text, max_sentence_length=5)
    elif change == "vocabulary":
        vocabulary = VocabularyConfig(min_count=7)
    elif change == "version":
        meta.write_text(json.dumps({**json.loads(meta.read_text()), "version": 0}))
    else:
        meta.write_text("{")
    with pytest.raises(CorpusError, match="c: holds a corpus of another text"):
        prepare(corpus, vocabulary, Path("c"), 1)
    before = Path("c/ids.i32").stat().st_ino
    prepare(corpus, vocabulary, Path("c"), 1, overwrite=True)
    assert Path("c/ids.i32").stat().st_ino != before


def test_what_is_no_corpus_is_never_replaced(text: Path) -> None:
    prepare(settings(text), VocabularyConfig(), Path("mine"), 1)
    Path("mine/thesis.txt").write_text("years of work")
    text.write_text(text.read_text() * 2)
    for taken in (Path("mine"), text):
        with pytest.raises(CorpusError, match="exists and is not a prepared"):
            prepare(settings(text), VocabularyConfig(), taken, 1, overwrite=True)
    assert Path("mine/thesis.txt").exists()


def test_a_config_without_text_is_refused() -> None:
    with pytest.raises(CorpusError, match="set corpus.paths"):
        prepare(CorpusConfig(), VocabularyConfig(), Path("c"), 1)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "contains no words"),
        ("... !!!", "contains no words"),
        ("one two two", r"only 0 of 2 distinct words reach .*'two', occurs 2 times"),
        ("one " * 9, "only 1 of 1 distinct words reach"),
    ],
)
def test_a_text_with_nothing_to_learn_is_refused(content: str, complaint: str) -> None:
    Path("text.txt").write_text(content)
    with pytest.raises(CorpusError, match=complaint):
        prepare(CorpusConfig(paths=["text.txt"]), VocabularyConfig(), Path("c"), 1)
    assert not Path("c").exists()


def test_an_unwritable_place_is_one_line(text: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        prepare(settings(text), VocabularyConfig(), text / "c", 1)


def test_a_default_place_that_cannot_be_written_names_the_setting(text: Path) -> None:
    Path("corpora").write_text("a file, not a directory")
    complaint = "cannot write corpora/text-.*; set corpus.prepared to a directory"
    with pytest.raises(OutputError, match=complaint):
        open_corpus(CorpusConfig(paths=[str(text)]), VocabularyConfig(), 1)
    with pytest.raises(OutputError, match="cannot write corpora/x: [^;]*$"):
        settings = CorpusConfig(paths=[str(text)], prepared="corpora/x")
        open_corpus(settings, VocabularyConfig(), 1)


def test_what_cannot_help_is_not_advised() -> None:
    Path("one.txt").write_text("one one\none\n")
    complaint = r"occurs 3 times\); give more text$"
    with pytest.raises(CorpusError, match=complaint):
        prepare(
            CorpusConfig(paths=["one.txt"]), VocabularyConfig(min_count=1), Path("c"), 1
        )


def test_a_corpus_of_an_earlier_version_has_the_defaults_of_new_settings(
    text: Path,
) -> None:
    prepare(settings(text), VocabularyConfig(), Path("c"), 1)
    meta = Path("c/meta.json")
    meta.write_text(meta.read_text().replace('"emoji": false,', ""))
    given = CorpusConfig(paths=["c"], emoji=False, case="lower")
    assert open_corpus(given, VocabularyConfig(), 1).path == Path("c")
    given = CorpusConfig(paths=["c"], emoji=True)
    with pytest.raises(CorpusError, match="prepared with emoji=False"):
        open_corpus(given, VocabularyConfig(), 1)


def test_a_corpus_is_opened_where_the_config_says(text: Path) -> None:
    vocabulary = VocabularyConfig()
    named = open_corpus(settings(text, prepared="here"), vocabulary, 1)
    assert named.path == Path("here")
    default = open_corpus(settings(text), vocabulary, 1)
    assert default.path.parent == Path("corpora")
    assert default.path.name.startswith("text-")
    other = open_corpus(settings(text), VocabularyConfig(min_count=7), 1)
    assert other.path != default.path
    prepared = open_corpus(settings("here"), VocabularyConfig(), 1)
    assert prepared.meta == named.meta


def test_the_default_corpus_follows_the_text(text: Path) -> None:
    first = open_corpus(settings(text), VocabularyConfig(), 1)
    text.write_text(text.read_text() * 2)
    second = open_corpus(settings(text), VocabularyConfig(), 1)
    assert first.path == second.path
    assert second.meta.words == 2 * first.meta.words


def test_a_prepared_corpus_is_not_passed_off_as_another(text: Path) -> None:
    prepare(settings(text), VocabularyConfig(min_count=6), Path("c"), 1)
    same = CorpusConfig(paths=["c"], tokenizer="whitespace")
    assert open_corpus(same, VocabularyConfig(min_count=6), 1).path == Path("c")
    assert open_corpus(CorpusConfig(paths=["c"]), VocabularyConfig(), 1).words
    other = CorpusConfig(paths=["c"], tokenizer="words")
    with pytest.raises(
        CorpusError, match="tokenizer=whitespace, but the config sets it to words"
    ):
        open_corpus(other, VocabularyConfig(), 1)
    with pytest.raises(CorpusError, match="min_count=6, but the config sets it to 9"):
        open_corpus(same, VocabularyConfig(min_count=9), 1)


def test_a_full_disk_is_noticed_however_little_is_written(
    text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    opened = Path.open

    def open_full(self: Path, mode: str = "r", *rest: object, **more: object):
        return Full() if self.name == "ids.i32" else opened(self, mode)

    monkeypatch.setattr(Path, "open", open_full)
    with pytest.raises(OutputError, match="No space left on device"):
        prepare(settings(text), VocabularyConfig(), Path("c"), 1)
    assert not Path("c").exists()


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    lines=st.lists(
        st.lists(st.integers(0, 40).map("w{}".format), max_size=9), min_size=1
    ),
    most=st.integers(1, 30),
    keep=st.none() | st.integers(2, 20),
)
def test_too_many_words_for_memory_change_nothing(
    tmp_path_factory, monkeypatch, lines, most: int, keep: int | None
) -> None:
    directory = tmp_path_factory.mktemp("spill")
    monkeypatch.chdir(directory)
    Path("t").write_text("\n".join(" ".join(line) for line in lines))
    monkeypatch.setattr(reader, "CHUNK_BYTES", 50)
    monkeypatch.setattr(module, "_BYTES_PER_WORD", 1_000_000 // most)
    found = []
    for limit in (None, 1):
        corpus = CorpusConfig(paths=["t"], memory_limit=limit)
        vocabulary = VocabularyConfig(min_count=2, max_vocabulary=keep)
        out = Path(f"c{limit}")
        try:
            prepare(corpus, vocabulary, out, 2)
        except CorpusError as error:
            found.append({"error": str(error).encode()})
        else:
            found.append({file.name: file.read_bytes() for file in out.iterdir()})
    assert found[0] == found[1]
