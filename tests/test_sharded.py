from pathlib import Path

import numpy as np
import pytest

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import open_corpus, open_shard, prepare
from sg_train.corpus.sharded import ShardedCorpus
from sg_train.errors import CorpusError
from sg_train.system.ranks import Ranks
from tests.local_ranks import on_ranks

RANKS = 3


@pytest.fixture
def texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three texts of unlike lengths and words."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(3)
    files = []
    for rank, lines in enumerate((2000, 900, 30)):
        file = tmp_path / f"part-{rank}.txt"
        words = draw.zipf(1.2, (lines, 12)).clip(max=9000) + 100 * rank
        file.write_text("".join(" ".join(f"w{w}" for w in x) + "\n" for x in words))
        files.append(file)
    return files


def open_all(**corpus: object) -> list[EncodedCorpus]:
    config = CorpusConfig.model_validate({"paths": ["part-{rank}.txt"], **corpus})
    vocabulary = VocabularyConfig(min_count=3)

    def work(ranks: Ranks) -> EncodedCorpus:
        return open_shard(config, vocabulary, 1, ranks.rank, ranks.gather)

    return on_ranks(RANKS, work)


@pytest.mark.parametrize("memory_limit", [None, 1])
def test_parts_have_the_ids_that_one_process_gives_the_whole(
    texts: list[Path], memory_limit: int | None
) -> None:
    parts = open_all(memory_limit=memory_limit)
    whole = prepare(
        CorpusConfig(paths=[str(file) for file in texts]),
        VocabularyConfig(min_count=3),
        Path("whole"),
        1,
    )
    for part in parts:
        assert list(part.vocabulary.words) == list(whole.vocabulary.words)
        assert np.array_equal(part.vocabulary.counts, whole.vocabulary.counts)
        for key in ("words_counted", "distinct_words_counted"):
            assert getattr(part.meta, key) == getattr(whole.meta, key)
    read = [part.meta.words_read or 0 for part in parts]
    assert sum(read) == whole.meta.words_read == whole.meta.words_counted
    ids = [(part.path / "ids.i32").read_bytes() for part in parts]
    assert b"".join(ids) == (whole.path / "ids.i32").read_bytes()
    lengths = [
        np.diff(np.fromfile(corpus.path / "offsets.i64", "<i8"))
        for corpus in (*parts, whole)
    ]
    assert np.array_equal(np.concatenate(lengths[:-1]), lengths[-1])


def test_shards_are_prepared_again_together(texts: list[Path]) -> None:
    def stamps() -> list[int]:
        return [c.path.joinpath("meta.json").stat().st_mtime_ns for c in open_all()]

    first = stamps()
    assert stamps() == first
    texts[1].write_text("new words here new words here new words here\n" * 5)
    after = stamps()
    assert all(new > old for new, old in zip(after, first, strict=True))
    for part in open_all():
        assert "here" in part.vocabulary.words


def test_every_sentence_is_in_one_block_of_its_rank(texts: list[Path]) -> None:
    parts = open_all()

    def work(ranks: Ranks) -> ShardedCorpus:
        return ShardedCorpus.join(parts[ranks.rank], ranks.rank, ranks.gather)

    corpora = on_ranks(RANKS, work)
    starts = corpora[0].block_starts
    assert starts[-1] == sum(part.words for part in parts)
    assert (len(starts) - 1) % RANKS == 0
    for rank, corpus in enumerate(corpora):
        assert np.array_equal(corpus.block_starts, starts)
        assert corpus.checksum == corpora[0].checksum
        mine = range(rank, len(starts) - 1, RANKS)
        blocks = [corpus.block(number) for number in mine]
        assert [len(block.ids) for block in blocks] == np.diff(starts)[mine].tolist()
        ids = np.concatenate([block.ids for block in blocks])
        assert ids.tobytes() == (corpus.path / "ids.i32").read_bytes()
        assert sum(len(b.offsets) - 1 for b in blocks) == corpus.meta.sentences
        with pytest.raises(IndexError, match="belongs to rank"):
            corpus.block((rank + 1) % RANKS)
    # Of the smallest part some blocks are empty.
    assert 0 in np.diff(starts) or len(starts) - 1 < 30 * RANKS


def test_a_single_process_has_no_shard(texts: list[Path]) -> None:
    config = CorpusConfig(paths=["part-{rank}.txt"])
    with pytest.raises(CorpusError, match=r"part-\{rank\}.txt: \{rank\} stands for"):
        open_corpus(config, VocabularyConfig(), 1)
