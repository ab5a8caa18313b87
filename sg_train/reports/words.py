"""The words of a run, a corpus or a vector file, and what is known of their text."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config, CorpusConfig
from sg_train.corpus.encoded import VOCABULARY_FILE, is_prepared, read_meta
from sg_train.corpus.vocabulary import Vocabulary, is_vocabulary
from sg_train.errors import TrainingError
from sg_train.training.run_directory import RunDirectory
from sg_train.vectors.formats import load_vectors


class Words(NamedTuple):
    """Words, and what is known of the text that they are of.

    Attributes:
        words: the most frequent first.
        counts: (V,) how often each occurs; None of a vector file.
        kept: how many words of the text are among them, if that is known.
        read: how many words the text has, likewise.
        counted: how many words were counted: of the text, and of other ranks' texts and
            of those that it extends. Likewise.
        distinct: how many different ones those are, likewise.
        corpus: how the text was split.
    """

    words: Sequence[str]
    counts: NDArray[np.int64] | None
    kept: int | None
    read: int | None
    counted: int | None
    distinct: int | None
    corpus: CorpusConfig


def open_words(path: Path) -> Words:
    """Read the words of a run, a prepared corpus, a vocabulary or a vector file.

    Raises:
        SgTrainError: there are none, or they are damaged.
    """
    if path.is_file():
        if is_vocabulary(path):
            vocabulary = Vocabulary.load(path)
            counts: NDArray[np.int64] | None = vocabulary.counts
            words = vocabulary.words
        else:
            words, counts = load_vectors(path).words, None
        return Words(words, counts, None, None, None, None, CorpusConfig())
    if is_prepared(path):
        meta = read_meta(path)
    else:
        meta = RunDirectory.open(path).load_record().get("corpus") or {}
    try:
        made_with = dict(meta.get("fingerprint", {}).get("settings", {}))
    except (AttributeError, TypeError, ValueError) as error:
        raise TrainingError(f"{path}: damaged ({error!r})") from error
    names = set(CorpusConfig.model_fields) & set(made_with)
    known = {name: made_with[name] for name in names}
    vocabulary = Vocabulary.load(path / VOCABULARY_FILE)
    return Words(
        vocabulary.words,
        vocabulary.counts,
        meta.get("words"),
        meta.get("words_read"),
        meta.get("words_counted"),
        meta.get("distinct_words_counted"),
        Config.from_values({"corpus": known}, str(path)).corpus,
    )
