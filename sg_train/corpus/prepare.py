"""Turns text into a prepared corpus, in two passes.

The first pass numbers words in order of first occurrence, counts them, and writes these
provisional ids and the sentence lengths to disk. The second pass renumbers the words by
count and drops those that are not in the vocabulary. Memory grows with the number of
distinct words up to a limit; beyond it, they go to disk (see `spilled_words`).
"""

import hashlib
import json
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sg_train.config import CorpusConfig, VocabularyConfig, absolute_pattern
from sg_train.corpus.counts import WordCounts, drop_negative
from sg_train.corpus.encoded import (
    IDS_FILE,
    OFFSETS_FILE,
    VOCABULARY_FILE,
    EncodedCorpus,
)
from sg_train.corpus.ingest import read_text
from sg_train.corpus.meta import META_FILE, CorpusMeta, Fingerprint, is_prepared
from sg_train.corpus.notices import UnsegmentedText, single_words
from sg_train.corpus.phrases.joiner import join_phrases
from sg_train.corpus.phrases.phrases import Phrases, digest_of_phrases
from sg_train.corpus.python_tokenizer import digest_of, is_function
from sg_train.corpus.reader import expand_paths
from sg_train.corpus.shuffling import shuffle_sentences
from sg_train.corpus.spelling import tokenizer_of
from sg_train.corpus.spool import Spool
from sg_train.corpus.vocabulary import Totals, Vocabulary, choose_vocabulary
from sg_train.corpus.word_lists import WordLists, is_file_of_words
from sg_train.errors import CorpusError, OutputError
from sg_train.system.files import atomic_directory
from sg_train.wording import listed

_LOG = logging.getLogger(__name__)

RANK = "{rank}"  # stands for the rank in corpus.paths when each rank has its own text

_PATHS = ("phrases", "extends")  # settings of which a corpus stores absolute paths

Gather = Callable[[Any], list[Any]]


def _alone(value: Any) -> list[Any]:
    return [value]


def open_corpus(
    corpus: CorpusConfig, vocabulary: VocabularyConfig, threads: int
) -> EncodedCorpus:
    """Return the prepared corpus that a config asks for, preparing it if necessary.

    If `corpus.paths` names one prepared corpus, it is used as it is. Otherwise the
    corpus is at `corpus.prepared`, by default in `corpora/` under a name built from the
    first path and a digest of the settings. When the text or a setting has changed, a
    corpus in `corpora/` is replaced; one at `corpus.prepared` is refused.

    Raises:
        CorpusError: the text cannot be read or leaves no vocabulary.
        OutputError: the prepared corpus cannot be written.
    """
    if len(corpus.paths) == 1 and is_prepared(Path(corpus.paths[0])):
        return _open_prepared(Path(corpus.paths[0]), corpus, vocabulary)
    for path in corpus.paths:
        if RANK in path:
            raise CorpusError(
                f"{path}: {RANK} stands for the rank of one of several processes, but "
                "only one is training; launch several with torchrun"
            )
    if corpus.prepared:
        return prepare(corpus, vocabulary, Path(corpus.prepared), threads)
    out = _default_directory(corpus, vocabulary)
    try:
        return prepare(corpus, vocabulary, out, threads, overwrite=True)
    except OutputError as error:
        raise OutputError(
            f"{error}; set corpus.prepared to a directory elsewhere, in which the "
            "prepared text can be written"
        ) from error


def open_shard(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    threads: int,
    rank: int,
    gather: Gather,
) -> EncodedCorpus:
    """Return this rank's shard of a corpus in which each rank has its own text.

    Args:
        corpus: its paths, with RANK replaced by the rank's number, name the shard's
            text; the name of the shard's directory also ends with that number.
        vocabulary: which words to keep, by their counts over all shards.
        threads: how many threads split text.
        rank: this rank's number.
        gather: returns every rank's value, by rank.

    Raises:
        CorpusError: the text cannot be read or leaves no vocabulary.
        OutputError: the prepared corpus cannot be written.
    """
    if vocabulary.extends is not None:
        raise CorpusError(
            f"vocabulary.extends={vocabulary.extends}: cannot be used when each rank "
            "has its own text; prepare one corpus from all texts"
        )
    whole = corpus.prepared or _default_directory(corpus, vocabulary)
    paths = [path.replace(RANK, str(rank)) for path in corpus.paths]
    shard = corpus.model_copy(update={"paths": paths})
    out = Path(f"{whole}-{rank}")
    return prepare(shard, vocabulary, out, threads, overwrite=True, gather=gather)


def prepare(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    out: Path,
    threads: int,
    *,
    overwrite: bool = False,
    gather: Gather = _alone,
    chunks: Iterable[bytes] | None = None,
) -> EncodedCorpus:
    """Prepare the corpus `out`, or open it if it already holds the same text.

    Args:
        corpus: which files to read and how to split them.
        vocabulary: which words to keep.
        out: the directory to write, which appears whole or not at all.
        threads: how many threads split text; the number does not change the result.
        overwrite: whether to replace a corpus of other text or settings.
        gather: returns every process's value, by rank; each process prepares one shard
            of a corpus, and all shards share the vocabulary of the whole corpus.
        chunks: text in memory to read instead of files, as `chunks_of` yields it.

    Raises:
        CorpusError: the text cannot be read, leaves no vocabulary, or `out` holds
            something else.
        OutputError: `out` cannot be written.
    """
    if not corpus.paths:
        raise CorpusError(
            "no text to train on: set corpus.paths in the config or give --corpus"
        )
    files = expand_paths(corpus.paths) if chunks is None else corpus.paths
    fingerprint = _fingerprint(corpus, vocabulary, files)
    shards = gather(fingerprint.model_dump(mode="json", exclude_none=True))
    if len(shards) > 1:
        digest = hashlib.sha256(json.dumps(shards).encode()).hexdigest()
        fingerprint = fingerprint.model_copy(update={"shards": digest})
    if all(gather(_is_same(out, fingerprint))):
        return EncodedCorpus.load(out)
    if out.exists():
        _check_replaceable(out, overwrite=overwrite)

    def check() -> None:
        """Refuse to replace what another process has prepared meanwhile."""
        if out.exists() and not _is_same(out, fingerprint):
            _check_replaceable(out, overwrite=overwrite)

    with atomic_directory(out, check) as aside:
        spool, counts = read_words(corpus, files, aside, threads, chunks)
        meta = _make(corpus, vocabulary, spool, counts, fingerprint, aside, gather)
        (aside / META_FILE).write_bytes(meta.to_json())
    return EncodedCorpus.load(out)


def prepare_again(
    made: CorpusMeta, out: Path, threads: int, memory_limit: int | None
) -> EncodedCorpus:
    """Prepare a corpus that was deleted, from the same files and settings.

    Args:
        made: the metadata of the corpus as it was.
        out: where it was.
        threads: how many threads split text.
        memory_limit: as in `corpus.memory_limit`.

    Raises:
        CorpusError: its text came from a pipe, or cannot be read.
        OutputError: `out` cannot be written.
    """
    inputs = made.fingerprint.inputs
    if made.fingerprint.mixed is not None:
        raise CorpusError(
            "extend --mix mixed it from two corpora; repeat that command, which "
            "prepares it again"
        )
    if inputs is None:
        raise CorpusError("its text came from standard input, which is not kept")
    settings = made.fingerprint.settings
    sections = []
    for section in (CorpusConfig, VocabularyConfig):
        known = settings.keys() & section.model_fields.keys()
        sections.append({key: settings[key] for key in known})
    files = [name for name, *_ in inputs]
    corpus = CorpusConfig(**sections[0], paths=files, memory_limit=memory_limit)
    return prepare(corpus, VocabularyConfig(**sections[1]), out, threads)


def _make(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    spool: Spool,
    counts: WordCounts,
    fingerprint: Fingerprint,
    directory: Path,
    gather: Gather,
) -> CorpusMeta:
    """Write all files except meta.json and return its content."""
    earlier = _earlier(vocabulary)
    if earlier is not None:
        counts.add(earlier.words, earlier.counts)
    unsegmented = UnsegmentedText()
    of_all = (
        counts.totals() if fingerprint.shards is None else [_merged(counts, gather)]
    )
    lists = WordLists(corpus, vocabulary)
    kept, totals = choose_vocabulary(
        unsegmented.watch(of_all),
        vocabulary.min_count,
        vocabulary.max_vocabulary,
        lists.allows if lists else None,
    )
    unsegmented.report(_name(corpus.paths))
    _check_lines(spool, totals, corpus.paths, is_whole=fingerprint.shards is None)
    final = counts.final_ids({word: id for id, word in enumerate(kept.words)})
    _check_enough(kept, totals, vocabulary, corpus.paths)
    kept.save(directory / VOCABULARY_FILE)
    digest = hashlib.sha256("\n".join(kept.words).encode())
    words, sentences, read = _renumber(spool, final, directory, digest)
    if not words:
        raise CorpusError(
            f"{_name(corpus.paths)}: none of its words is in the vocabulary; "
            f"{_more_words(vocabulary)}"
        )
    if corpus.shuffle:
        shuffle_sentences(directory, words)
        digest.update(b"shuffled")
    spool.remove()
    del final  # may map a file that is removed next
    counts.remove()
    return CorpusMeta(
        words=words,
        sentences=sentences,
        vocabulary=len(kept),
        words_read=read,
        words_counted=totals.word_count,
        distinct_words_counted=totals.distinct,
        checksum=digest.hexdigest()[:32],
        fingerprint=fingerprint,
    )


def _open_prepared(
    path: Path, corpus: CorpusConfig, vocabulary: VocabularyConfig
) -> EncodedCorpus:
    """Open a corpus, but refuse settings that differ from those it was made with."""
    opened = EncodedCorpus.load(path)
    made_with = opened.meta.fingerprint.settings
    defaults = _settings(CorpusConfig(), VocabularyConfig())
    given = corpus.model_fields_set | vocabulary.model_fields_set
    for key, value in _settings(corpus, vocabulary).items():
        # A corpus of an earlier version lacks settings that have been added since.
        before = made_with.get(key, defaults[key])
        if key in _PATHS and before is not None:
            before = absolute_pattern(before)
        if key in given and value != before:
            raise CorpusError(
                f"{path}: was prepared with {key}={before}, but the config "
                f"sets it to {value}; prepare the text again or remove the setting"
            )
    return opened


def _default_directory(corpus: CorpusConfig, vocabulary: VocabularyConfig) -> Path:
    settings = json.dumps(
        [
            list(map(absolute_pattern, corpus.paths)),
            *_identifying(corpus, vocabulary).items(),
            corpus.phrases and digest_of_phrases(Path(corpus.phrases)),
        ]
    )
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    if "-" in corpus.paths:  # unique, so that another text never replaces it
        return Path("corpora") / f"stdin-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    first = Path(corpus.paths[0]) if corpus.paths else Path()
    stem = first.name.split(".")[0]
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem) or "corpus"
    return Path("corpora") / f"{name}-{digest}"


def _settings(corpus: CorpusConfig, vocabulary: VocabularyConfig) -> dict[str, Any]:
    settings = {
        **corpus.model_dump(exclude={"paths", "prepared", "memory_limit"}),
        **vocabulary.model_dump(),
    }
    for key in _PATHS:
        if settings[key] is not None:
            settings[key] = absolute_pattern(settings[key])
    for key in ("exclude", "only"):
        if is_file_of_words(settings[key]):
            settings[key] = [absolute_pattern(settings[key][0])]
    return settings


def _identifying(corpus: CorpusConfig, vocabulary: VocabularyConfig) -> dict[str, Any]:
    """Return the settings by which a corpus is recognised.

    `shuffle` is one of them only if it is on, so that corpora that were prepared before
    there was such a setting are still recognised.
    """
    settings = _settings(corpus, vocabulary)
    if not settings["shuffle"]:
        del settings["shuffle"]
    return settings


def _fingerprint(
    corpus: CorpusConfig, vocabulary: VocabularyConfig, files: list[str]
) -> Fingerprint:
    inputs = None  # text from standard input or a pipe has no identity
    if all(Path(file).is_file() for file in files):
        inputs = [_identity(Path(file)) for file in files]
    phrases = extends = None
    if corpus.phrases is not None:
        phrases = digest_of_phrases(Path(corpus.phrases))
    if (earlier := _earlier(vocabulary)) is not None:
        words = repr(list(zip(earlier.words, earlier.counts.tolist(), strict=True)))
        extends = hashlib.sha256(words.encode()).hexdigest()
    return Fingerprint(
        settings=_identifying(corpus, vocabulary),
        inputs=inputs,
        phrases=phrases,
        extends=extends,
        lists=WordLists(corpus, vocabulary).digest,
        function=digest_of(corpus.tokenizer) if is_function(corpus.tokenizer) else None,
    )


def _identity(file: Path) -> tuple[str, int, int]:
    stat = file.stat()
    return str(file.absolute()), stat.st_size, stat.st_mtime_ns


def changed_inputs(meta: CorpusMeta) -> Iterator[str]:
    """Yield the text files that have changed since a corpus was prepared from them.

    Missing files and text from a pipe do not count as changed.

    Args:
        meta: the metadata of the corpus.
    """
    for name, *identity in meta.fingerprint.inputs or ():
        if Path(name).exists() and [*_identity(Path(name))[1:]] != identity:
            yield name


def _is_same(out: Path, fingerprint: Fingerprint) -> bool:
    if fingerprint.inputs is None:
        return False
    try:
        return CorpusMeta.load(out).fingerprint == fingerprint
    except CorpusError:
        return False


def _check_replaceable(out: Path, *, overwrite: bool) -> None:
    inside = {child.name for child in out.iterdir()} if out.is_dir() else {""}
    if inside - {IDS_FILE, OFFSETS_FILE, VOCABULARY_FILE, META_FILE}:
        raise CorpusError(
            f"{out}: exists and is not a prepared corpus; choose another directory"
        )
    if inside and not overwrite:
        raise CorpusError(
            f"{out}: holds a corpus of another text or other settings; choose another "
            "directory or give --overwrite"
        )


def read_words(
    corpus: CorpusConfig,
    files: list[str],
    directory: Path,
    threads: int,
    chunks: Iterable[bytes] | None = None,
) -> tuple[Spool, WordCounts]:
    """Read a text into a spool, with phrases joined, and count its words.

    Args:
        corpus: how to split the text and which phrases to join.
        files: the files to read, in this order.
        directory: where to write the spool and words that do not fit in memory.
        threads: how many threads split text.
        chunks: text to read instead of the files.

    Raises:
        CorpusError: a file cannot be read.
    """
    spool = Spool(directory, corpus.max_sentence_length)
    counts = read_text(corpus, files, spool, directory, threads, chunks)
    if corpus.phrases is not None:
        phrases = Phrases.load(Path(corpus.phrases)).spelled(tokenizer_of(corpus))
        spool = join_phrases(phrases, spool, counts, threads)
    return spool, counts


def _earlier(settings: VocabularyConfig) -> Vocabulary | None:
    if settings.extends is None:
        return None
    return Vocabulary.load(Path(settings.extends) / VOCABULARY_FILE)


def _merged(counts: WordCounts, gather: Gather) -> tuple[list[str], NDArray[np.int64]]:
    """Return the words of all shards with the sums of their counts, in memory."""
    mine = {
        word: count
        for words, how_often in counts.totals()
        for word, count in zip(words, how_often.tolist(), strict=True)
    }
    merged: Counter[str] = Counter()
    for shard in gather(mine):
        merged.update(shard)
    return list(merged), np.array(list(merged.values()), dtype=np.int64)


def _check_enough(
    kept: Vocabulary, totals: Totals, settings: VocabularyConfig, paths: list[str]
) -> None:
    name = _name(paths)
    if not totals.distinct:
        raise CorpusError(f"{name}: contains no words")
    if len(kept) < 2:
        times = "once" if totals.highest_count == 1 else f"{totals.highest_count} times"
        allowed = "are allowed by its lists and " if settings.has_lists else ""
        raise CorpusError(
            f"{name}: only {len(kept)} of {totals.distinct} distinct words {allowed}"
            f"reach vocabulary.min_count={settings.min_count}, but training needs at "
            f"least 2 (the most frequent, {totals.most_frequent!r}, occurs {times}); "
            f"{_more_words(settings)}"
        )


def _more_words(settings: VocabularyConfig) -> str:
    """Return how more words could get vectors."""
    if settings.min_count == 1:
        return "give more text"
    return "lower vocabulary.min_count or give more text"


def _check_lines(
    spool: Spool, totals: Totals, paths: list[str], *, is_whole: bool
) -> None:
    """Refuse a text in which every line is one word; warn if most lines are.

    Args:
        spool: the text.
        totals: its counts.
        paths: its files, for messages.
        is_whole: whether it is the whole text and not one of several shards.
    """
    if not spool.sentences:
        return
    found = single_words(spool.single, spool.sentences, totals.most_frequent)
    if found is None:
        return
    if spool.single == spool.sentences and is_whole:
        raise CorpusError(f"{_name(paths)}: {found}")
    _LOG.warning("%s: %s", _name(paths), found)


def _name(paths: list[str]) -> str:
    """Return a text's paths for a message."""
    return listed(paths)


def _renumber(
    spool: Spool, final: NDArray[np.int32], directory: Path, digest: "hashlib._Hash"
) -> tuple[int, int, int]:
    """Write final ids and sentence offsets, dropping words whose final id is -1.

    Update `digest` with both.

    Returns:
        The numbers of words and sentences written (empty sentences are dropped), and
        the number of words read.
    """
    sentences, words, read = 0, 0, 0
    with (
        (directory / IDS_FILE).open("wb") as ids_file,
        (directory / OFFSETS_FILE).open("wb") as offsets_file,
    ):
        offsets_file.write(np.zeros(1, dtype="<i8").data)
        for provisional, ends in spool.read():
            read += len(provisional)
            ids, kept_until = drop_negative(final[provisional], ends)
            content = ids.astype("<i4", copy=False)
            ids_file.write(content.data)
            digest.update(content.data)
            offsets = words + np.unique(kept_until[kept_until > 0])
            offsets_file.write(offsets.astype("<i8", copy=False).data)
            digest.update(offsets.astype("<i8", copy=False).data)
            sentences += len(offsets)
            words += int(kept_until[-1])
    return words, sentences, read
