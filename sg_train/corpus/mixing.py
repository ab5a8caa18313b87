"""Mixes sentences of an earlier corpus into a new one."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block
from sg_train.corpus.encoded import (
    IDS_FILE,
    OFFSETS_FILE,
    VOCABULARY_FILE,
    EncodedCorpus,
)
from sg_train.corpus.meta import META_FILE, CorpusMeta
from sg_train.errors import CorpusError
from sg_train.system.files import atomic_directory

_SENTENCES_AT_ONCE = 1 << 16


def mix_corpora(new: EncodedCorpus, old: EncodedCorpus, share: float) -> EncodedCorpus:
    """Prepare a corpus of all new sentences, with some old ones evenly among them.

    It has the vocabulary of the new corpus; words of the old one that this lacks are
    left out. It lies beside the new corpus, under a name built from both and the share.

    Args:
        new: the corpus to extend.
        old: where the further sentences come from, evenly from all of it.
        share: of its sentences, above 0 and at most 1.

    Raises:
        CorpusError: a corpus is damaged.
        OutputError: the result cannot be written.
    """
    mixed = hashlib.sha256(repr((new.checksum, old.checksum, share)).encode())
    out = new.path.with_name(f"{new.path.name}-mixed-{mixed.hexdigest()[:8]}")
    fingerprint = new.meta.fingerprint.model_copy(
        update={"inputs": None, "mixed": mixed.hexdigest()}
    )
    if out.exists() and _holds(out, mixed.hexdigest()):
        return EncodedCorpus.load(out)
    ids_of = {word: number for number, word in enumerate(new.vocabulary.words)}
    renumbered = np.fromiter(
        (ids_of.get(word, -1) for word in old.vocabulary.words), "<i4"
    )
    digest = hashlib.sha256("\n".join(new.vocabulary.words).encode())
    words = sentences = 0
    with atomic_directory(out) as aside:
        new.vocabulary.save(aside / VOCABULARY_FILE)
        with (
            (aside / IDS_FILE).open("wb") as ids_file,
            (aside / OFFSETS_FILE).open("wb") as offsets_file,
        ):
            offsets_file.write(np.zeros(1, "<i8").data)
            for block in _mixed(new, old, share, renumbered):
                ids = block.ids.astype("<i4", copy=False)
                offsets = (words + block.offsets[1:]).astype("<i8", copy=False)
                for file, content in ((ids_file, ids), (offsets_file, offsets)):
                    file.write(content.data)
                    digest.update(content.data)
                words += len(ids)
                sentences += len(offsets)
        meta = CorpusMeta(
            words=words,
            sentences=sentences,
            vocabulary=len(new.vocabulary),
            checksum=digest.hexdigest()[:32],
            fingerprint=fingerprint,
            words_counted=new.meta.words_counted,
            distinct_words_counted=new.meta.distinct_words_counted,
        )
        (aside / META_FILE).write_bytes(meta.to_json())
    return EncodedCorpus.load(out)


def _holds(path: Path, mixed: str) -> bool:
    try:
        return CorpusMeta.load(path).fingerprint.mixed == mixed
    except CorpusError:
        return False


def _mixed(
    new: EncodedCorpus, old: EncodedCorpus, share: float, renumbered: NDArray[np.int32]
) -> Iterator[Block]:
    """Yield sentences, in the order of the result.

    Sentence i of n lies at (i + 1/2) / n, in both corpora.
    """
    new_total, old_total = new.meta.sentences, old.meta.sentences
    pieces = max(1, (new_total + old_total) // _SENTENCES_AT_ONCE)
    for piece in range(pieces):
        first, last = (_first_in(i, pieces, new_total) for i in (piece, piece + 1))
        block = new.sentences(first, last)
        new_ids, new_lengths = block.ids, np.diff(block.offsets)
        new_at = (np.arange(first, last) + 0.5) / new_total

        first, last = (_first_in(i, pieces, old_total) for i in (piece, piece + 1))
        block = old.sentences(first, last)
        number = np.arange(first, last)
        chosen = np.floor((number + 1) * share) > np.floor(number * share)
        ids = renumbered[block.ids]
        keep = np.repeat(chosen, np.diff(block.offsets)) & (ids >= 0)
        kept_before = np.concatenate(([0], np.cumsum(keep)))
        old_lengths = np.diff(kept_before[block.offsets])
        old_at = (number + 0.5) / old_total

        lengths = np.concatenate((new_lengths, old_lengths))
        both = Block(
            np.concatenate((new_ids, ids[keep])),
            np.concatenate(([0], np.cumsum(lengths))),
        )
        order = np.argsort(np.concatenate((new_at, old_at)), kind="stable")
        yield both.take(order[lengths[order] > 0])


def _first_in(piece: int, pieces: int, sentences: int) -> int:
    """Return the first of n sentences that lies in a piece, or in a later one.

    >>> [_first_in(piece, 2, 5) for piece in range(3)]
    [0, 2, 5]
    """
    return max(0, -(-(2 * sentences * piece - pieces) // (2 * pieces)))
