"""Sentences in memory, from any Python code, as a prepared corpus."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.chunks import together
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.prepare import prepare
from sg_train.errors import CorpusError

_CHUNK = 1 << 20  # characters
_NAME = "sentences in memory"


def prepare_sentences(
    sentences: Iterable[Sequence[str]],
    vocabulary: VocabularyConfig,
    out: Path | None = None,
    threads: int = 1,
    *,
    overwrite: bool = False,
) -> EncodedCorpus:
    """Prepare a corpus of sentences that are split into words already.

    Words are taken as they are; white space inside one becomes `_`. The sentences are
    read once, and not kept in memory.

    Args:
        sentences: lists of words; a generator is enough.
        vocabulary: which words to keep.
        out: the directory to write; by default a new one in `corpora/`.
        threads: how many threads split text.
        overwrite: whether to replace a corpus at `out`.

    Raises:
        CorpusError: a sentence is not a list of words, or nothing is left to train on.
        OutputError: `out` cannot be written.

    >>> from sg_train.config import VocabularyConfig
    >>> some = [["New York", "is"], ["is", "it"]]
    >>> corpus = prepare_sentences(some, VocabularyConfig(min_count=1))
    >>> corpus.vocabulary.words
    ['is', 'New_York', 'it']
    """
    if out is None:
        name = f"memory-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}-{time.time_ns()}"
        out = Path("corpora") / name
    corpus = CorpusConfig(paths=[_NAME], tokenizer="whitespace")
    chunks = _chunks(sentences)
    return prepare(corpus, vocabulary, out, threads, overwrite=overwrite, chunks=chunks)


def _chunks(sentences: Iterable[Sequence[str]]) -> Iterator[bytes]:
    lines = (f"{_line(words, n)}\n" for n, words in enumerate(sentences, start=1))
    for chunk in together(lines, _CHUNK):
        yield chunk.encode(errors="replace")


def _line(words: Sequence[str], number: int) -> str:
    if isinstance(words, str | bytes):
        raise CorpusError(
            f"sentence {number}: text, not a list of words; split it, as text.split() "
            "does"
        )
    try:
        return " ".join(["_".join(word.split()) for word in words])
    except (AttributeError, TypeError) as error:
        raise CorpusError(
            f"sentence {number}: not a list of words ({error})"
        ) from error
