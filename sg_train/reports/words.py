"""The words of a run, corpus or vector file, and the counts of their text."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config, CorpusConfig
from sg_train.corpus.encoded import VOCABULARY_FILE
from sg_train.corpus.meta import CorpusMeta, is_prepared
from sg_train.corpus.vocabulary import Vocabulary, is_vocabulary
from sg_train.errors import VectorsError
from sg_train.runs.directory import RunDirectory
from sg_train.vectors.formats import is_directory_of_vectors, load_vectors


class Words(NamedTuple):
    """Words and statistics of the text that they come from; None where unknown.

    Attributes:
        words: distinct words, most frequent first.
        counts: (V,) int64, how often each occurs.
        kept: running words of the text that are in `words`.
        read: running words of the text.
        counted: running words counted in the text, in other ranks' texts and in those
            that it extends.
        distinct: number of distinct words among those counted.
        corpus: settings by which the text was split.
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
        SgTrainError: the path holds none of these, or is damaged.
    """
    if not path.exists():
        raise VectorsError(f"cannot read {path}: no such file or directory")
    if path.is_file() or is_directory_of_vectors(path):
        if path.is_file() and is_vocabulary(path):
            vocabulary = Vocabulary.load(path)
            counts: NDArray[np.int64] | None = vocabulary.counts
            words = vocabulary.words
        else:
            words, _, _, counts = load_vectors(path)
        return Words(words, counts, None, None, None, None, CorpusConfig())
    if is_prepared(path):
        meta = CorpusMeta.load(path)
    else:
        meta = RunDirectory.open(path).load_record().corpus
    made_with = meta.fingerprint.settings
    names = set(CorpusConfig.model_fields) & set(made_with)
    known = {name: made_with[name] for name in names}
    vocabulary = Vocabulary.load(path / VOCABULARY_FILE)
    return Words(
        vocabulary.words,
        vocabulary.counts,
        meta.words,
        meta.words_read,
        meta.words_counted,
        meta.distinct_words_counted,
        Config.from_values({"corpus": known}, str(path)).corpus,
    )
