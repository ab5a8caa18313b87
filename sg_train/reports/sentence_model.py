"""Vectors as a model of sentences, with a card that tells where they come from.

The vector of a text is the mean of its words' vectors. Frequent words say little about
it, so each vector is multiplied by a / (a + p), where p is the word's share of the text
trained on (SIF, smooth inverse frequency: Arora, Liang and Ma 2017). Cosines between
words do not change.
"""

import importlib.metadata
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.config import Config, CorpusConfig
from sg_train.corpus.tokenizer_json import tokenizer_json
from sg_train.errors import SettingsError
from sg_train.reports.description import describe
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics
from sg_train.system.files import behind_link
from sg_train.vectors.formats.sentence_model import save_sentence_model, unknown_word
from sg_train.vectors.word_vectors import WordVectors
from sg_train.wording import printable

_LOG = logging.getLogger(__name__)

SIF = 1e-4  # a
_LEAST_SIF = 1e-6

_CARD = Path(__file__).parent / "page/model_card.md"
_AS_TRAINED = (
    "`tokenizer.json` splits a text as it was split for training, with these "
    "exceptions: it does not join phrases, call a Python function, or make words of "
    "emoji; it does not replace numbers beside joiners; and another version of Unicode "
    "decides what is a letter."
)
_AS_USUAL = (
    "`tokenizer.json` splits a text as sg-train does by default. How it was split for "
    "training is not recorded."
)
_LEFT_OUT = ("kind", "state", "command", "settings hash")


def export_sentence_model(
    vectors: WordVectors,
    path: Path,
    run: RunDirectory | None,
    sif: float | None = None,
    total: int | None = None,
) -> None:
    """Write a directory that sentence-transformers and model2vec load.

    Args:
        vectors: the words and their vectors.
        path: the directory.
        run: the run that they come from, if any; its config tells how text is split
            into words.
        sif: a, the share of the text from which on words count for less; 0 weights all
            words equally. By default 0.0001 if counts are known, else 0.
        total: number of words of the text, if `vectors` are only some of them; by
            default the sum of their counts.

    Raises:
        SettingsError: words are to be weighted, but their counts are unknown.
        VectorsError: a word is empty or contains a line end, or a vector is not finite.
        OutputError: it cannot be written, or `path` holds other files.
    """
    if sif is None and vectors.counts is None:
        _LOG.warning(
            "%s: counts of words are unknown, so all words weigh the same",
            path,
        )
    if sif is not None and sif and not _LEAST_SIF <= sif <= 1:
        raise SettingsError(f"--sif {sif:g}: expected 0, or a share from 1e-6 to 1")
    sif = (0.0 if vectors.counts is None else SIF) if sif is None else sif
    config = run.load_config() if run else Config()
    corpus = config.corpus
    if run is None and any(word != word.lower() for word in vectors.words):
        corpus = CorpusConfig(case="keep")
    words = vectors.words
    matrix = (
        vectors.matrix * sif_weights(vectors, sif, total)[:, None]
        if sif
        else vectors.matrix
    )
    tokenizer = tokenizer_json(words, corpus, unknown_word(words))
    card = _card(vectors, path.name, run, sif)
    save_sentence_model(words, matrix, behind_link(path), tokenizer, card)


def sif_weights(
    vectors: WordVectors, a: float, total: int | None = None
) -> NDArray[np.float32]:
    """Return a / (a + p) for each word, (V,), where p is its count divided by `total`.

    Raises:
        SettingsError: counts are unknown.

    >>> rare = WordVectors(["the", "a"], np.eye(2), counts=np.array([3, 1]))
    >>> sif_weights(rare, 0.25).tolist()
    [0.25, 0.5]
    """
    if vectors.counts is None:
        raise SettingsError(
            "--sif: the counts of words are unknown; give a run, a fastText model or a "
            "table with the column count, or --sif 0"
        )
    shares = vectors.counts / max(1, total or vectors.counts.sum())
    weights: NDArray[np.float32] = (a / (a + shares)).astype(np.float32)
    return weights


def _card(vectors: WordVectors, name: str, run: RunDirectory | None, sif: float) -> str:
    facts = "Converted from a file of vectors; how they were trained is not recorded."
    scores = "None are recorded."
    origin, splitting = "exported by", _AS_USUAL
    if run is not None:
        origin, splitting = "trained as word2vec skip-gram and exported by", _AS_TRAINED
        known = describe(run.path).items()
        rows = [(key, _cell(value)) for key, value in known if key not in _LEFT_OUT]
        facts = _table("what", "value", [row for row in rows if row[1]])
        lines = load_metrics(run.metrics_file) if run.metrics_file.is_file() else []
        for line in [line for line in lines if line.scores][-1:]:
            of_tests = [(test, _cell(x)) for test, x in (line.scores or {}).items()]
            scores = _table("test", "score", of_tests)
    return _CARD.read_text("utf-8").format(
        name=name,
        words=len(vectors),
        dimension=vectors.dimension,
        version=importlib.metadata.version("sg-train"),
        weights=f", each multiplied by a / (a + p), a = {sif:g}" if sif else "",
        origin=origin,
        splitting=splitting,
        facts=facts,
        scores=scores,
    )


def _table(first: str, second: str, rows: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {key} | {value} |" for key, value in rows]
    return "\n".join([f"| {first} | {second} |", "|---|---|", *lines])


def _cell(value: object) -> str:
    """Return a value as text for a cell of a Markdown table."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return printable(shown).replace("|", "\\|")
