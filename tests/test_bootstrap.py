from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train import Run
from sg_train.config import Config, VocabularyConfig
from sg_train.corpus import encoded
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.in_memory import prepare_sentences
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import CorpusError, SettingsError
from sg_train.sampling.draws import Purpose, draws, stream_key
from sg_train.training import bootstrap
from sg_train.training.bootstrap import BootstrapCorpus
from sg_train.training.train import resume, train
from tests.test_encoded import sentences
from tests.test_resume import config, results, stopping, train_with


def prepared(lines: list[list[str]]) -> EncodedCorpus:
    return prepare_sentences(lines, VocabularyConfig(min_count=1))


def expected(lines: list[list[str]], seed: int, size: int, least: int):
    """Return the sample, sentence by sentence, in plain Python."""
    words = sum(map(len, lines))
    passages = -(-words // size)
    key = stream_key(seed, 0, 0, Purpose.PASSAGE)
    bits = draws(key, np.arange(passages)).tolist()
    copies = Counter((each >> 32) * passages >> 32 for each in bits)
    sample, at = [], 0
    for line in lines:
        sample += [line] * copies[at // size]
        at += len(line)
    counts = Counter(word for line in sample for word in line)
    kept = [[word for word in line if counts[word] >= least] for line in sample]
    ranked = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    ranked = [each for each in ranked if each[1] >= least]
    return [line for line in kept if line], ranked


@given(
    lines=st.lists(
        st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=9),
        min_size=1,
        max_size=40,
    ),
    seed=st.integers(0, 2**63 - 1),
    size=st.integers(1, 30),
    least=st.integers(1, 3),
)
def test_a_sample_is_passages_drawn_with_replacement(
    tmp_path_factory, lines, seed: int, size: int, least: int
) -> None:
    lines = [["a", "b"], *lines]  # a text of one word is refused
    sample, ranked = expected(lines, seed, size, least)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sample"))
        patch.setattr(bootstrap, "_passage_words", lambda _: size)
        patch.setattr(encoded, "_MIN_BLOCK_WORDS", 25)
        if len(ranked) < 2:
            with pytest.raises(CorpusError, match="fewer than 2 words"):
                BootstrapCorpus.draw(prepared(lines), seed, least)
            return
        drawn = BootstrapCorpus.draw(prepared(lines), seed, least)
        assert sentences(drawn) == sample  # type: ignore[arg-type]
        blocks = range(len(drawn.block_starts) - 1)
        sizes = [len(drawn.block(number).ids) for number in blocks]
        assert np.diff(drawn.block_starts).tolist() == sizes
    counts = drawn.vocabulary.counts.tolist()
    assert [*zip(drawn.vocabulary.words, counts, strict=True)] == ranked


def test_passages_are_shorter_in_small_texts() -> None:
    sizes = [bootstrap._passage_words(words) for words in (5, 20_000, 10**6, 10**9)]
    assert sizes == [1, 20, 1000, 1000]


def test_samples_of_two_seeds_differ_and_each_stays_as_it_is(corpus) -> None:
    one, same, other = (BootstrapCorpus.draw(corpus, seed, 1) for seed in (1, 1, 2))
    assert sentences(one) == sentences(same) != sentences(other)  # type: ignore[arg-type]
    assert one.checksum == same.checksum
    assert len({one.checksum, other.checksum, corpus.checksum}) == 3
    assert one.copies.sum() == len(one.copies)
    assert (one.copies == 0).any()


@pytest.fixture
def settings() -> Config:
    generator = np.random.default_rng(5)
    lines = generator.zipf(1.4, (4000, 10)).clip(max=300)
    Path("text.txt").write_text(
        "\n".join(" ".join(f"w{word}" for word in line) for line in lines)
    )
    return config(Path("text.txt")).with_settings({"sampling.bootstrap": True})


def test_a_run_trains_on_its_sample_and_resumes_it(settings: Config) -> None:
    whole = train(settings, "whole")
    counts = Vocabulary.load(Path("whole/vocabulary.tsv"))
    assert counts.counts.min() >= settings.vocabulary.min_count
    base = EncodedCorpus.load(next(Path("corpora").iterdir()))
    assert counts.words != base.vocabulary.words
    drawn = BootstrapCorpus.draw(base, 1, settings.vocabulary.min_count)
    assert counts.words == drawn.vocabulary.words
    assert whole.metrics["words"][-1] == 6 * drawn.block_starts[-1]
    with pytest.raises(Exception, match="saved at"):
        train_with(stopping(5), settings, Path("part"))
    Path("text.txt").touch()  # its content stays the same
    resume(Path("part"))
    assert results(Path("part")) == results(Path("whole"))
    again = train(settings.with_settings({"training.seed": 2}), "again")
    assert again.vectors.words != whole.vectors.words
    plain = train(settings.with_settings({"sampling.bootstrap": False}), "plain")
    assert plain.vectors.words == base.vocabulary.words


def test_what_a_sample_cannot_be_drawn_from_is_refused(settings: Config) -> None:
    train(settings, "run")
    with pytest.raises(SettingsError, match=r"vocabulary\.extends.*bootstrap=false"):
        Run("run").extend(["text.txt"], "more")
    run = Run("run").extend(["text.txt"], "more", ["sampling.bootstrap=false"])
    assert run.is_done
