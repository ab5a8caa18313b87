"""Puts the sentences of a corpus in random order, in bounded memory.

Texts lie in the order of their topics or dates. Vectors of a large corpus on many
topics can be better if each block is a sample of all of it.

A corpus that is too large to be shuffled in memory is first divided into groups on
disk: each sentence goes to a random one. Then each group is shuffled in memory.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sg_train.blocks import Block
from sg_train.corpus.encoded import IDS_FILE, OFFSETS_FILE
from sg_train.system.bars import word_bar

_WORDS_IN_MEMORY = 1 << 25
_SENTENCES_AT_ONCE = 1 << 15


def shuffle_sentences(directory: Path, words: int) -> None:
    """Put the sentences of a corpus in random order, which is always the same.

    Args:
        directory: holds the ids and offsets of the sentences, which are replaced.
        words: their number.
    """
    # Raw numbers, unlike those of a Generator, are the same in all versions of numpy.
    draws = np.random.PCG64(0)
    with word_bar("shuffling") as bar:
        groups = -(-words // _WORDS_IN_MEMORY)
        sources = _grouped(directory, groups, draws) if groups > 1 else [directory]
        with (
            (directory / "shuffled.ids").open("wb") as ids_file,
            (directory / "shuffled.offsets").open("wb") as offsets_file,
        ):
            offsets_file.write(np.zeros(1, "<i8").data)
            written = 0
            for source in sources:
                for block in _shuffled(source, draws):
                    ids_file.write(block.ids.data)
                    offsets = written + block.offsets[1:]
                    offsets_file.write(offsets.astype("<i8", copy=False).data)
                    written += len(block.ids)
                    bar.update(len(block.ids))
    (directory / "shuffled.ids").replace(directory / IDS_FILE)
    (directory / "shuffled.offsets").replace(directory / OFFSETS_FILE)


def _grouped(directory: Path, groups: int, draws: np.random.PCG64) -> Iterator[Path]:
    """Yield directories with the sentences of one group each; remove them later."""
    parts = [directory / f"group-{group}" for group in range(groups)]
    for part in parts:
        part.mkdir()
        _append(part / OFFSETS_FILE, np.zeros(1, "<i8"))
    sizes = np.zeros(groups, dtype=np.int64)
    with word_bar("dividing") as bar:
        for block in _blocks(directory):
            bits = draws.random_raw(len(block.offsets) - 1) >> np.uint64(32)
            group_of = (bits * np.uint64(groups)) >> np.uint64(32)
            for group, part in enumerate(parts):
                some = block.take(np.flatnonzero(group_of == group))
                _append(part / IDS_FILE, some.ids)
                _append(part / OFFSETS_FILE, sizes[group] + some.offsets[1:])
                sizes[group] += len(some.ids)
            bar.update(len(block.ids))
    for part in parts:
        yield part
        for file in (IDS_FILE, OFFSETS_FILE):
            (part / file).unlink()
        part.rmdir()


def _append(file: Path, content: NDArray[np.int32] | NDArray[np.int64]) -> None:
    with file.open("ab") as out:
        out.write(content.data)


def _blocks(directory: Path) -> Iterator[Block]:
    """Yield the sentences in order, some at a time."""
    with (
        (directory / IDS_FILE).open("rb") as ids_file,
        (directory / OFFSETS_FILE).open("rb") as offsets_file,
    ):
        start = np.fromfile(offsets_file, "<i8", 1)
        while len(ends := np.fromfile(offsets_file, "<i8", _SENTENCES_AT_ONCE)):
            offsets = np.concatenate((start, ends))
            start = ends[-1:]
            ids = np.fromfile(ids_file, "<i4", int(offsets[-1] - offsets[0]))
            yield Block(ids, offsets - offsets[0])


def _shuffled(directory: Path, draws: np.random.PCG64) -> Iterator[Block]:
    """Yield the sentences in random order, some at a time, from memory."""
    offsets = np.fromfile(directory / OFFSETS_FILE, "<i8")
    whole = Block(np.fromfile(directory / IDS_FILE, "<i4"), offsets)
    order = np.argsort(draws.random_raw(len(offsets) - 1), kind="stable")
    for first in range(0, len(order), _SENTENCES_AT_ONCE):
        yield whole.take(order[first : first + _SENTENCES_AT_ONCE])
