"""The vectors of a run, from its weights and its vocabulary."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sg_train.choices import Matrix
from sg_train.config import Config, CorpusConfig, ModelConfig
from sg_train.corpus.spelling import spelling
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import RunError
from sg_train.runs.checkpoint import Weights, load_weights
from sg_train.runs.directory import RunDirectory
from sg_train.vectors.ngrams import Ngrams, Subwords, WordRows
from sg_train.vectors.spelling import Spellings, plain_spellings
from sg_train.vectors.word_vectors import WordVectors


def load_run_weights(run: RunDirectory) -> tuple[Sequence[str], Weights]:
    """Read the words, V of them, and both matrices, float32.

    `v` is (V, D), and so is `u`, unless the run has n-grams: then the rows of their
    buckets follow.

    Raises:
        CorpusError: the vocabulary is damaged.
        RunError: the run is not done or its files do not belong together.
    """
    vocabulary, weights = _load_weights(run, run.load_config().model)
    return vocabulary.words, weights


def _load_weights(run: RunDirectory, model: ModelConfig) -> tuple[Vocabulary, Weights]:
    run.check_done()
    vocabulary = Vocabulary.load(run.vocabulary_file)
    weights = load_weights(run.weights_file)
    size = len(vocabulary)
    if (len(weights["u"]), len(weights["v"])) != (model.input_rows(size), size):
        raise RunError(
            f"{run.path}: {size} words in the vocabulary, but "
            f"{len(weights['v'])} vectors; train the run again"
        )
    return vocabulary, weights


def ngrams_of(model: ModelConfig) -> Ngrams | None:
    """Return the n-grams of which a config's input vectors are made, if any."""
    return Ngrams(*model.ngrams, model.buckets) if model.ngrams else None


def word_rows_of(run: RunDirectory, words: Sequence[str]) -> WordRows | None:
    """Return the rows of u that each of a run's words is made of, if several.

    Words whose vectors were frozen have only their own row.

    Raises:
        RunError: the run does not record which words were frozen.
    """
    return _word_rows(run, run.load_config(), words)


def _word_rows(
    run: RunDirectory, config: Config, words: Sequence[str]
) -> WordRows | None:
    ngrams = ngrams_of(config.model)
    if ngrams is None:
        return None
    whole = None
    freezes_u = config.training.freeze_words != 0 and config.training.freeze != "v"
    if config.model.init_from is not None and freezes_u:
        frozen = frozenset(run.load_initial_words())
        whole = np.fromiter((word in frozen for word in words), bool, len(words))
    return WordRows.of_words(words, ngrams, whole)


def load_run_vectors(run: RunDirectory, matrix: Matrix | None = None) -> WordVectors:
    """Read the trained vectors: `u`, `v` or their `sum`, by default those exported.

    Raises:
        CorpusError: the vocabulary is damaged.
        RunError: the run is not done or its files do not belong together.
    """
    config = run.load_config()
    vocabulary, weights = _load_weights(run, config.model)
    word_rows = _word_rows(run, config, vocabulary.words)
    vectors = to_vectors(
        vocabulary.words,
        weights,
        matrix or config.export.matrix,
        spellings_of(config.corpus),
        word_rows,
        vocabulary.counts,
    )
    if not np.isfinite(vectors.matrix).all():
        raise RunError(
            f"{run.path}: some of its weights are not finite; train it again"
        )
    return vectors


def spellings_of(corpus: CorpusConfig) -> Spellings:
    """Return how the words of a text may spell a word that is typed another way."""
    of_text = spelling(corpus)
    return lambda word: [*of_text(word), *plain_spellings(word)]


def to_vectors(
    words: Sequence[str],
    weights: Weights,
    matrix: Matrix,
    spellings: Spellings = plain_spellings,
    word_rows: WordRows | None = None,
    counts: NDArray[np.int64] | None = None,
) -> WordVectors:
    """Join words and weights.

    Args:
        words: V of them.
        weights: `u` and `v`, float32; see `load_run_weights`.
        matrix: which of them, or their sum.
        spellings: returns other spellings of an unknown word.
        word_rows: the rows of u that each word is made of, if several; then u also
            gives vectors to unseen words.
        counts: (V,) how often each word occurs, if known.

    >>> ones = np.ones((1, 2), dtype=np.float32)
    >>> to_vectors(["a"], {"u": ones, "v": ones}, "sum")["a"]
    array([2., 2.], dtype=float32)
    """
    u, v, subwords = weights["u"], weights["v"], None
    if word_rows is not None and matrix != "v":
        if matrix == "u":
            of_buckets = word_rows.by_bucket(u)
            subwords = Subwords(word_rows.ngrams, of_buckets, v)
        u = word_rows.compose(u)
    chosen = {"u": u, "v": v}[matrix] if matrix != "sum" else u + v
    return WordVectors(words, chosen, spellings, subwords, counts)


def export_run(run: RunDirectory) -> None:
    """Write the vectors that the run's config asks for.

    Raises:
        OutputError: the file cannot be written.
    """
    form = run.load_config().export.format
    load_run_vectors(run).save(run.vectors_file(form), form)
