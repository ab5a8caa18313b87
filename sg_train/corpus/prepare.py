"""Text to a prepared corpus: read once, number by first sight, renumber by count.

The first pass writes provisional ids and sentence lengths to disk while it counts. When
the counts are known, the second pass renumbers them and drops the words that are left
out of the vocabulary. Memory grows with the distinct words, up to a limit; beyond it
they go to disk, see `word_runs`.
"""

import hashlib
import heapq
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sg_train.config import CorpusConfig, VocabularyConfig
from sg_train.corpus.counting import WordCounter, drop_negative
from sg_train.corpus.encoded import (
    FORMAT,
    IDS_FILE,
    META_FILE,
    OFFSETS_FILE,
    VERSION,
    VOCABULARY_FILE,
    EncodedCorpus,
    is_prepared,
    read_meta,
)
from sg_train.corpus.first_pass import Spool, read_text
from sg_train.corpus.phrase_joiner import join_phrases
from sg_train.corpus.phrases import Phrases, digest_of_phrases
from sg_train.corpus.reader import expand_paths
from sg_train.corpus.vocabulary import Vocabulary, rank_words
from sg_train.corpus.word_runs import WordRuns
from sg_train.errors import CorpusError
from sg_train.files import atomic_directory

RANK = "{rank}"  # in corpus.paths, where each of several processes has its own text

Gather = Callable[[Any], list[Any]]


def _alone(value: Any) -> list[Any]:
    return [value]


def open_corpus(
    corpus: CorpusConfig, vocabulary: VocabularyConfig, threads: int
) -> EncodedCorpus:
    """Return the prepared corpus that a config asks for, preparing it when missing.

    When `corpus.paths` names one prepared corpus, that is used as it is. Otherwise it
    lies at `corpus.prepared`, by default in `corpora/` under a name made of the first
    path and a digest of the settings, and is made anew when the text or a setting has
    changed.

    Raises:
        CorpusError: the text cannot be read or leaves no vocabulary.
        OutputError: the prepared corpus cannot be written.
    """
    if len(corpus.paths) == 1 and is_prepared(Path(corpus.paths[0])):
        return _open_prepared(Path(corpus.paths[0]), corpus, vocabulary)
    for path in corpus.paths:
        if RANK in path:
            raise CorpusError(
                f"{path}: {RANK} stands for the number of a process among several, and "
                "this one trains alone; launch it by torchrun"
            )
    out = Path(corpus.prepared or _default_directory(corpus, vocabulary))
    return prepare(corpus, vocabulary, out, threads, overwrite=not corpus.prepared)


def open_part(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    threads: int,
    rank: int,
    gather: Gather,
) -> EncodedCorpus:
    """Return this rank's part of a corpus of which each rank has its own text.

    Args:
        corpus: its paths, with the rank's number for RANK, are the part's text, and its
            directory ends with the number, too.
        vocabulary: which words are kept, by the counts of all parts.
        threads: how many split text at the same time.
        rank: the number of this rank.
        gather: returns what all ranks give it.

    Raises:
        CorpusError: the text cannot be read or leaves no vocabulary.
        OutputError: the prepared corpus cannot be written.
    """
    if vocabulary.extends is not None:
        raise CorpusError(
            f"vocabulary.extends={vocabulary.extends}: not with a text for each rank; "
            "prepare one corpus of all"
        )
    whole = corpus.prepared or _default_directory(corpus, vocabulary)
    paths = [path.replace(RANK, str(rank)) for path in corpus.paths]
    part = corpus.model_copy(update={"paths": paths})
    out = Path(f"{whole}-{rank}")
    return prepare(part, vocabulary, out, threads, overwrite=True, gather=gather)


def prepare(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    out: Path,
    threads: int,
    *,
    overwrite: bool = False,
    gather: Gather = _alone,
) -> EncodedCorpus:
    """Make the prepared corpus `out`, or open it if it is of the same text already.

    Args:
        corpus: which files are read and how they are split.
        vocabulary: which words are kept.
        out: the directory, which appears whole or not at all.
        threads: how many split text at the same time; they do not change the result.
        overwrite: whether a corpus of other text or settings may be replaced.
        gather: returns what all processes give it, each of which prepares a part of one
            corpus; their vocabulary is that of the whole.

    Raises:
        CorpusError: the text cannot be read, leaves no vocabulary, or `out` holds
            something else.
        OutputError: `out` cannot be written.
    """
    if not corpus.paths:
        raise CorpusError(
            "no text to train on: set corpus.paths in the config or give --corpus"
        )
    files = expand_paths(corpus.paths)
    fingerprint = _fingerprint(corpus, vocabulary, files)
    parts = gather(dict(fingerprint))
    if len(parts) > 1:
        fingerprint["parts"] = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    if all(gather(_is_same(out, fingerprint))):
        return EncodedCorpus.load(out)
    if out.exists():
        _check_replaceable(out, overwrite=overwrite)
    choose = _choose_together if len(parts) > 1 else _choose
    with atomic_directory(out) as aside:
        meta = _make(
            corpus, vocabulary, files, aside, threads, partial(choose, gather=gather)
        )
        meta["fingerprint"] = fingerprint
        (aside / META_FILE).write_text(json.dumps(meta, indent=2) + "\n")
    return EncodedCorpus.load(out)


def _make(
    corpus: CorpusConfig,
    vocabulary: VocabularyConfig,
    files: list[str],
    directory: Path,
    threads: int,
    choose: Callable[[WordCounter, VocabularyConfig], "_Choice"],
) -> dict[str, Any]:
    """Make all files but the one of what is known, and return that but its origin."""
    runs = WordRuns(directory)
    spool, counter = read_words(corpus, files, runs, directory, threads)
    earlier = _earlier(vocabulary)
    if earlier is not None:
        counter.add(earlier.words, earlier.counts)
    if runs:
        counter.spill()
    kept, final, total = choose(counter, vocabulary)
    _check_enough(kept, total, vocabulary, corpus.paths)
    kept.save(directory / VOCABULARY_FILE)
    digest = hashlib.sha256("\n".join(kept.words).encode())
    words, sentences, read = _renumber(spool, final, directory, digest)
    if not words:
        raise CorpusError(
            f"{', '.join(corpus.paths)}: none of its words is in the vocabulary; lower "
            "vocabulary.min_count or give more text"
        )
    spool.remove()
    del final  # it may be mapped
    runs.remove()
    return {
        "format": FORMAT,
        "version": VERSION,
        "words": words,
        "sentences": sentences,
        "vocabulary": len(kept),
        "words_read": read,
        "words_counted": total.words,
        "distinct_words_counted": total.distinct,
        "checksum": digest.hexdigest()[:32],
    }


def _open_prepared(
    path: Path, corpus: CorpusConfig, vocabulary: VocabularyConfig
) -> EncodedCorpus:
    """Open a corpus, and refuse settings that ask for another than it is."""
    opened = EncodedCorpus.load(path)
    made_with = opened.meta["fingerprint"]["settings"]
    asked = {
        key: getattr(section, key)
        for section in (corpus, vocabulary)
        for key in section.model_fields_set & set(_settings(corpus, vocabulary))
    }
    for key, value in asked.items():
        if value != made_with.get(key):
            raise CorpusError(
                f"{path}: was prepared with {key}={made_with.get(key)}, the config "
                f"says {value}; prepare the text again or leave the setting out"
            )
    return opened


def _default_directory(corpus: CorpusConfig, vocabulary: VocabularyConfig) -> Path:
    settings = json.dumps(
        [
            corpus.paths,
            *_settings(corpus, vocabulary).items(),
            corpus.phrases and digest_of_phrases(Path(corpus.phrases)),
        ]
    )
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    if "-" in corpus.paths:  # no other text shall take this one's place
        return Path("corpora") / f"stdin-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    first = Path(corpus.paths[0]) if corpus.paths else Path()
    stem = first.name.split(".")[0]
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in stem) or "corpus"
    return Path("corpora") / f"{name}-{digest}"


def _settings(corpus: CorpusConfig, vocabulary: VocabularyConfig) -> dict[str, Any]:
    return {
        **corpus.model_dump(exclude={"paths", "prepared", "memory_limit"}),
        **vocabulary.model_dump(),
    }


def _fingerprint(
    corpus: CorpusConfig, vocabulary: VocabularyConfig, files: list[str]
) -> dict[str, Any]:
    inputs = None  # what came through standard input or a pipe cannot be known again
    if all(Path(file).is_file() for file in files):
        inputs = [_identity(Path(file)) for file in files]
    known: dict[str, Any] = {
        "settings": _settings(corpus, vocabulary),
        "inputs": inputs,
    }
    if corpus.phrases is not None:
        known["phrases"] = digest_of_phrases(Path(corpus.phrases))
    if (earlier := _earlier(vocabulary)) is not None:
        words = repr(list(zip(earlier.words, earlier.counts.tolist(), strict=True)))
        known["extends"] = hashlib.sha256(words.encode()).hexdigest()
    return known


def _identity(file: Path) -> list[str | int]:
    stat = file.stat()
    return [str(file.absolute()), stat.st_size, stat.st_mtime_ns]


def changed_inputs(meta: dict[str, Any]) -> Iterator[str]:
    """Yield the text files that are not what they were when a corpus was made of them.

    Those that are gone, and what came through a pipe, cannot have changed.

    Args:
        meta: what is known of the corpus.
    """
    for name, *identity in meta["fingerprint"].get("inputs") or ():
        if Path(name).exists() and _identity(Path(name))[1:] != identity:
            yield name


def _is_same(out: Path, fingerprint: dict[str, Any]) -> bool:
    if fingerprint["inputs"] is None:
        return False
    try:
        return bool(read_meta(out)["fingerprint"] == fingerprint)
    except CorpusError:
        return False


def _check_replaceable(out: Path, *, overwrite: bool) -> None:
    inside = {child.name for child in out.iterdir()} if out.is_dir() else {""}
    if inside - {IDS_FILE, OFFSETS_FILE, VOCABULARY_FILE, META_FILE}:
        raise CorpusError(f"{out}: exists and is no prepared corpus; choose another")
    if inside and not overwrite:
        raise CorpusError(
            f"{out}: holds a corpus of another text or other settings; choose another "
            "directory or give --overwrite"
        )


def read_words(
    corpus: CorpusConfig,
    files: list[str],
    runs: WordRuns,
    directory: Path,
    threads: int,
) -> tuple[Spool, WordCounter]:
    """Read a text into a spool, with phrases joined, and count its words.

    Args:
        corpus: how the text is split, and which phrases are joined.
        files: what is read, in this order.
        runs: where words go that are too many for memory.
        directory: where the spool goes.
        threads: how many split text at the same time.

    Raises:
        CorpusError: a file cannot be read.
    """
    spool = Spool(directory, corpus.max_sentence_length)
    counter = read_text(corpus, files, spool, runs, threads)
    if corpus.phrases is not None:
        phrases = Phrases.load(Path(corpus.phrases))
        spool = join_phrases(phrases, spool, counter, threads)
    return spool, counter


def _earlier(settings: VocabularyConfig) -> Vocabulary | None:
    if settings.extends is None:
        return None
    return Vocabulary.load(Path(settings.extends) / VOCABULARY_FILE)


class _Total(NamedTuple):
    """What there was in a text."""

    words: int
    distinct: int
    most_frequent: tuple[str, int]  # and how often it occurs


_Choice = tuple[Vocabulary, NDArray[np.int32], _Total]


def _choose(
    counter: WordCounter, settings: VocabularyConfig, gather: Gather = _alone
) -> _Choice:
    """Return the vocabulary and each provisional id's place in it, or -1."""
    del gather  # there is but one part
    if counter.runs:
        return _choose_from_runs(counter, settings)
    counts = counter.counts
    places = rank_words(
        counter.words, counts, settings.min_count, settings.max_vocabulary
    )
    kept = Vocabulary(
        [counter.words[place] for place in places.tolist()], counts[places]
    )
    final = np.full(len(counter.words), -1, dtype=np.int32)
    final[places] = np.arange(len(places))
    top = max(zip(counts.tolist(), counter.words, strict=True), default=(0, ""))
    distinct = int(np.count_nonzero(counts))
    return kept, final, _Total(int(counts.sum()), distinct, (top[1], top[0]))


def _choose_from_runs(counter: WordCounter, settings: VocabularyConfig) -> _Choice:
    """Do as `_choose` does, with no more in memory than the vocabulary."""
    words = distinct = 0
    top = ("", 0)

    def frequent() -> Iterator[tuple[int, str]]:
        nonlocal words, distinct, top
        for word, count in counter.runs.totals():
            words, distinct = words + count, distinct + (count > 0)
            top = max(top, (word, count), key=lambda pair: (pair[1], pair[0]))
            if count >= settings.min_count:
                yield -count, word

    if settings.max_vocabulary is None:
        ranked = sorted(frequent())
    else:
        ranked = heapq.nsmallest(settings.max_vocabulary, frequent())
    kept = Vocabulary(
        [word for _, word in ranked], np.array([-n for n, _ in ranked], dtype=np.int64)
    )
    places = {word: place for place, word in enumerate(kept.words)}
    return kept, counter.runs.final_ids(places), _Total(words, distinct, top)


def _choose_together(
    counter: WordCounter, settings: VocabularyConfig, gather: Gather
) -> _Choice:
    """Do as `_choose` does, with the words of all parts of a corpus in memory."""
    if counter.runs:
        mine = dict(counter.runs.totals())
    else:
        mine = dict(zip(counter.words, counter.counts.tolist(), strict=True))
    merged: Counter[str] = Counter()
    for part in gather(mine):
        merged.update(part)
    words, counts = list(merged), np.array(list(merged.values()), dtype=np.int64)
    ranked = rank_words(words, counts, settings.min_count, settings.max_vocabulary)
    kept = Vocabulary([words[place] for place in ranked.tolist()], counts[ranked])
    places = {word: place for place, word in enumerate(kept.words)}
    if counter.runs:
        final = counter.runs.final_ids(places)
    else:
        final = np.array([places.get(w, -1) for w in counter.words], dtype=np.int32)
    top = max(zip(counts.tolist(), words, strict=True), default=(0, ""))
    distinct = int(np.count_nonzero(counts))
    return kept, final, _Total(int(counts.sum()), distinct, (top[1], top[0]))


def _check_enough(
    kept: Vocabulary, total: _Total, settings: VocabularyConfig, paths: list[str]
) -> None:
    name = ", ".join(paths)
    if not total.distinct:
        raise CorpusError(f"{name}: no words in it")
    if len(kept) < 2:
        word, count = total.most_frequent
        raise CorpusError(
            f"{name}: {len(kept)} of {total.distinct} distinct words stay at "
            f"vocabulary.min_count={settings.min_count}, training needs 2 (the most "
            f"frequent, {word!r}, occurs {count} times); lower it or give more text"
        )


def _renumber(
    spool: Spool, final: NDArray[np.int32], directory: Path, digest: "hashlib._Hash"
) -> tuple[int, int, int]:
    """Write final ids and sentence offsets, without the words whose final id is -1.

    Both go into `digest` too.

    Returns:
        How many words and how many sentences were written (empty ones are dropped),
        and how many words were read.
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
