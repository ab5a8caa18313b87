"""The vectors of a run, from its weights and its vocabulary."""

from collections.abc import Sequence

import numpy as np

from sg_train.choices import Matrix
from sg_train.config import CorpusConfig
from sg_train.corpus.spelling import spelling
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import RunError
from sg_train.runs.checkpoint import Weights, load_weights
from sg_train.runs.directory import RunDirectory
from sg_train.vectors.formats import save_vectors
from sg_train.vectors.spelling import Spellings, plain_spellings
from sg_train.vectors.word_vectors import WordVectors


def load_run_weights(run: RunDirectory) -> tuple[Sequence[str], Weights]:
    """Read the words, V of them, and both matrices, `u` and `v`, (V, D) float32.

    Raises:
        CorpusError: the vocabulary is damaged.
        RunError: the run is not done or its files do not belong together.
    """
    run.check_done()
    words = Vocabulary.load(run.vocabulary_file).words
    weights = load_weights(run.weights_file)
    if len(words) != len(weights["u"]):
        raise RunError(
            f"{run.path}: {len(words)} words in the vocabulary, but "
            f"{len(weights['u'])} vectors; train the run again"
        )
    return words, weights


def load_run_vectors(run: RunDirectory, matrix: Matrix | None = None) -> WordVectors:
    """Read the trained vectors: `u`, `v` or their `sum`, by default those exported.

    Raises:
        CorpusError: the vocabulary is damaged.
        RunError: the run is not done or its files do not belong together.
    """
    matrix = matrix or run.load_config().export.matrix
    words, weights = load_run_weights(run)
    vectors = to_vectors(words, weights, matrix, spellings_of(run.load_config().corpus))
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
) -> WordVectors:
    """Join words and weights.

    Args:
        words: V of them.
        weights: `u` and `v`, (V, D) float32.
        matrix: which of them, or their sum.
        spellings: returns other spellings of an unknown word.

    >>> ones = np.ones((1, 2), dtype=np.float32)
    >>> to_vectors(["a"], {"u": ones, "v": ones}, "sum")["a"]
    array([2., 2.], dtype=float32)
    """
    chosen = weights["u"] + weights["v"] if matrix == "sum" else weights[matrix]
    return WordVectors(words, chosen, spellings)


def export_run(run: RunDirectory) -> None:
    """Write the vectors that the run's config asks for.

    Raises:
        OutputError: the file cannot be written.
    """
    form = run.load_config().export.format
    vectors = load_run_vectors(run)
    save_vectors(vectors.words, vectors.matrix, run.vectors_file(form), form)
