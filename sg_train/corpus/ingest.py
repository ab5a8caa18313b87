"""The first pass over a text: counts words and writes provisional ids to disk."""

from collections.abc import Iterable
from pathlib import Path

from sg_train.config import CorpusConfig
from sg_train.corpus.counts import WordCounts
from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.splitting import split_texts
from sg_train.corpus.spool import Spool
from sg_train.corpus.texts import Texts
from sg_train.system.bars import word_bar
from sg_train.system.machine import available_memory

_BYTES_PER_WORD = 400  # in memory, including its entries in lists and tables


def read_text(
    corpus: CorpusConfig,
    files: list[str],
    spool: Spool,
    directory: Path,
    threads: int,
    chunks: Iterable[bytes] | None = None,
) -> WordCounts:
    """Read text files into a spool and count their words.

    Args:
        corpus: how to split the text.
        files: the files to read, in this order.
        spool: receives the ids and sentence lengths.
        directory: where to write words that do not fit in memory.
        threads: how many threads split text.
        chunks: text to read instead of the files, as `chunks_of` yields it.

    Raises:
        CorpusError: a file cannot be read.
    """
    tokenizer = tokenizer_of(corpus)
    counts = WordCounts(tokenizer, directory, _most_words(corpus.memory_limit))
    if chunks is None:
        chunks = Texts(corpus, tokenizer.separators, threads).chunks(files)
    with spool, word_bar("reading") as bar:
        for text in split_texts(chunks, tokenizer.fold, threads):
            ids, line_starts = counts.encode(text)
            spool.write(ids, line_starts, ends_line=text.ends_line)
            bar.update(len(ids))
    return counts


def _most_words(megabytes: int | None) -> int | None:
    free = available_memory()
    if megabytes is None:
        return None if free is None else free // 2 // _BYTES_PER_WORD
    return megabytes * 1_000_000 // _BYTES_PER_WORD
