"""Initial vectors of a run, from another run or from any vector file."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config, ModelConfig
from sg_train.errors import SettingsError, SgTrainError, VectorsError
from sg_train.model.embeddings import Model
from sg_train.runs.directory import RunDirectory
from sg_train.runs.vectors import (
    load_run_vectors,
    load_run_weights,
    ngrams_of,
    to_vectors,
    word_rows_of,
)
from sg_train.vectors.drift import measure_drift
from sg_train.vectors.formats import is_directory_of_vectors, load_vectors
from sg_train.vectors.ngrams import Subwords
from sg_train.vectors.spelling import Spellings, plain_spellings
from sg_train.vectors.word_vectors import WordVectors
from sg_train.wording import listed

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class InitialVectors:
    """The vectors that words of a run start with.

    Attributes:
        words: n words of the vocabulary, in its order.
        has_v: whether they also start with output vectors from the same source.
        u: (n, D) float32, their input vectors; None if only the words are known: on
            ranks other than the first, and in a resumed run.
        v: (n, D) float32, their output vectors; None as above, or without `has_v`.
        buckets: (B, D) float32, the vectors of n-grams from the same source; None as
            above, or if source and run do not have the same n-grams and buckets.
    """

    words: Sequence[str]
    has_v: bool
    u: NDArray[np.float32] | None = None
    v: NDArray[np.float32] | None = None
    buckets: NDArray[np.float32] | None = None

    def rows(
        self, vocabulary: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (V,) bool each: which rows of u and of v start with such a vector."""
        known = frozenset(self.words)
        u = np.fromiter((word in known for word in vocabulary), bool, len(vocabulary))
        return u, u & self.has_v

    def words_only(self) -> "InitialVectors":
        """Return the words without their vectors."""
        return replace(self, u=None, v=None, buckets=None)

    def copy_into(self, model: Model, vocabulary: Sequence[str]) -> None:
        """Copy the vectors into the model's rows; all other rows stay unchanged.

        With n-grams, a word's own row becomes such that the mean of its rows is the
        given vector; if the vectors of n-grams are given as well, words without a given
        vector begin with the mean of those of their n-grams.
        """
        is_given = self.rows(vocabulary)[0]
        given, others = np.flatnonzero(is_given), np.flatnonzero(~is_given)
        u, word_rows = self.u, model.word_rows
        if u is not None and word_rows is not None:
            size = len(vocabulary)
            if self.buckets is not None:
                every = np.arange(size, size + word_rows.ngrams.buckets)
                model.set_rows("u", every, word_rows.by_row(self.buckets))
            buckets = model.matrices["u"][size:]
            u = word_rows.own_rows(given, u, buckets)
            if self.buckets is not None:
                of_ngrams = word_rows.ngram_means(others, buckets)
                some = word_rows.counts[others] > 1
                model.set_rows("u", others[some], of_ngrams[some])
        if u is not None:
            model.set_rows("u", given, u)
        if self.v is not None:
            model.set_rows("v", given, self.v)


def read_initial_vectors(
    config: ModelConfig,
    vocabulary: Sequence[str],
    spellings: Spellings = plain_spellings,
) -> InitialVectors | None:
    """Read the vectors that `config.init_from` names, for the words that it has.

    A run has u and v; the vectors of a file become u. A word that has no vector may get
    that of another spelling.

    Args:
        config: the settings.
        vocabulary: the V words of the model's rows.
        spellings: returns how the vocabulary may spell another word.

    Raises:
        VectorsError: the vectors cannot be read, are not finite, or include none of
            the words.
        RunError: the run is not done.
        SettingsError: their dimension differs from the model's.
    """
    if config.init_from is None:
        return None
    path = Path(config.init_from)
    words, u, v, subwords = _read(path)
    if u.shape[1] != config.dimension:
        raise SettingsError(
            f"model.init_from={path}: has vectors of length {u.shape[1]}, not "
            f"{config.dimension}; set model.dimension={u.shape[1]}"
        )
    row_of = _rows_of(words, vocabulary, spellings)
    known = [word for word in vocabulary if word in row_of]
    if not known:
        raise VectorsError(
            f"model.init_from={path}: has none of the {len(vocabulary)} words of the "
            "vocabulary; check that language and case match"
        )
    rows = np.array([row_of[word] for word in known])
    has_v = v is not None and config.init_v
    initial = InitialVectors(
        known,
        has_v,
        _finite(u[rows], path),
        _finite(v[rows], path) if v is not None and has_v else None,
        _finite(subwords.matrix, path)
        if subwords is not None and subwords.ngrams == ngrams_of(config)
        else None,
    )
    unused = [words[row] for row in np.setdiff1d(np.arange(len(words)), rows).tolist()]
    _log_matches(initial, unused, vocabulary, path)
    return initial


def _rows_of(
    words: Sequence[str], vocabulary: Sequence[str], spellings: Spellings
) -> dict[str, int]:
    """Return the row of each word of a vocabulary that is among the given words.

    A word in its own spelling comes first, then the first other spelling of it.
    """
    row_of = {word: row for row, word in enumerate(words)}
    known = frozenset(vocabulary)
    missing = known - row_of.keys()
    if not missing:
        return row_of
    respelled: dict[str, int] = {}
    for row, word in enumerate(words):
        if word not in known:
            for other in spellings(word):
                if other in missing:
                    respelled.setdefault(other, row)
    if respelled:
        word, row = next(iter(respelled.items()))
        _LOG.info(
            "words with initial vectors in another spelling: %d, such as %r from %r",
            len(respelled),
            word,
            words[row],
        )
    return row_of | respelled


def resumed_initial_vectors(run: RunDirectory, config: Config) -> InitialVectors | None:
    """Return which words started with given vectors, if these may be frozen.

    Raises:
        RunError: the run's files do not record which.
    """
    if config.training.freeze_words == 0:
        return None
    has_v = bool(run.load_record().output_vectors_given)
    return InitialVectors(run.load_initial_words(), has_v)


def report_drift(run: RunDirectory, config: Config) -> None:
    """Log and record how far words have moved from the vectors they started with."""
    if config.model.init_from is None:
        return
    try:
        words, u, *_ = _read(Path(config.model.init_from))
        drift = measure_drift(WordVectors(words, u), load_run_vectors(run, "u"))
    except SgTrainError as error:
        _LOG.warning("%s: drift was not measured: %s", run.path, error)
        return
    run.load_record().replaced(drift=drift).save(run.record_file)
    aligned = "" if drift.aligned is None else f", {drift.aligned:.3f} after alignment"
    _LOG.info(
        "%s: drift from %s over %d shared words: mean cosine of before and after "
        "%.3f%s",
        run.path,
        config.model.init_from,
        drift.words,
        drift.cosine,
        aligned,
    )


def _log_matches(
    initial: InitialVectors,
    unused: Sequence[str],
    vocabulary: Sequence[str],
    path: Path,
) -> None:
    some = listed(unused)
    _LOG.info(
        "%s: provides initial vectors (%s) for %d of %d words%s",
        path,
        "u and v" if initial.has_v else "u",
        len(initial.words),
        len(vocabulary),
        f"; {len(unused)} of its words are not in the vocabulary: {some}"
        if unused
        else "",
    )


def _finite(matrix: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    matrix = np.array(matrix)
    if not np.isfinite(matrix).all():
        raise VectorsError(
            f"model.init_from={path}: some vectors are not finite; choose other vectors"
        )
    return matrix


def _read(
    path: Path,
) -> tuple[
    Sequence[str],
    NDArray[np.float32],
    NDArray[np.float32] | None,
    Subwords | None,
]:
    """Return words and their vectors, u, v and those of n-grams, if known."""
    if path.is_dir() and not is_directory_of_vectors(path):
        run = RunDirectory.open(path)
        words, weights = load_run_weights(run)
        vectors = to_vectors(words, weights, "u", word_rows=word_rows_of(run, words))
        return words, vectors.matrix, weights["v"], vectors.subwords
    words, u, subwords, _ = load_vectors(path)
    return words, u, None, subwords
