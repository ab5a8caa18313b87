import json
from pathlib import Path

import pytest

from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.meta import CorpusMeta, is_prepared
from sg_train.errors import CorpusError


def edit_meta(corpus: EncodedCorpus, **changes: object) -> None:
    meta = {**json.loads(corpus.meta.to_json()), **changes}
    (corpus.path / "meta.json").write_text(json.dumps(meta))


def test_another_format_version_is_refused(corpus: EncodedCorpus) -> None:
    edit_meta(corpus, version=99)
    with pytest.raises(CorpusError, match=r"format version 99, .* prepare the corpus"):
        EncodedCorpus.load(corpus.path)


def test_what_is_no_prepared_corpus_is_refused(corpus: EncodedCorpus) -> None:
    with pytest.raises(CorpusError, match="not a prepared corpus"):
        CorpusMeta.load(Path("missing"))
    edit_meta(corpus, format="other")
    with pytest.raises(CorpusError, match="not a prepared corpus"):
        CorpusMeta.load(corpus.path)
    edit_meta(corpus, words="many")
    with pytest.raises(CorpusError, match=r"meta.json: damaged \(words\)"):
        CorpusMeta.load(corpus.path)
    for damaged in ("{", "[]", "5", '{"format": "sg-train corpus"}'):
        (corpus.path / "meta.json").write_text(damaged)
        with pytest.raises(CorpusError, match="meta.json: damaged"):
            CorpusMeta.load(corpus.path)


def test_only_a_prepared_corpus_looks_like_one(corpus: EncodedCorpus) -> None:
    assert is_prepared(corpus.path)
    assert not is_prepared(Path("missing"))
    (corpus.path / "ids.i32").unlink()
    assert not is_prepared(corpus.path)
