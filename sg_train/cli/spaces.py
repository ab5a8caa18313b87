"""Commands that compare spaces: shift, align."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sg_train.cli.app import EVALUATE, EXPORT, app
from sg_train.cli.options import (
    AsJson,
    Header,
    MatrixOption,
    OutTable,
    OverwriteFile,
    Strict,
    Vectors,
    asked_questions,
    check_free,
    check_table,
    is_run,
    load_vectors,
    show_table,
)
from sg_train.errors import SettingsError, VectorsError
from sg_train.wording import listed

if TYPE_CHECKING:
    from sg_train.choices import Matrix
    from sg_train.vectors.shift import Shift, Sides
    from sg_train.vectors.word_vectors import WordVectors

_LOG = logging.getLogger(__name__)

_NEIGHBORS = 5
_MOST_NAMED = 20
_SEED = re.compile(r"[-_,. ]*(seed)?[-_=]*\d+$")

AlignOn = Annotated[
    int | None,
    typer.Option(
        min=1, help="Align only on words among the N most frequent of each side."
    ),
]


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train shift runs/example runs/more --top 5 --min-count 20",
)
def shift(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="VECTORS",
            help="Two runs or vector files; or several runs a side, whose names differ "
            "only in the number of their seed.",
        ),
    ],
    *,
    top: Annotated[int, typer.Option(min=1, help="Number of words to show.")] = 30,
    words: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Show these words instead, one per line; - for standard input.",
        ),
    ] = None,
    min_count: Annotated[
        int,
        typer.Option(
            min=0,
            help="Words with fewer occurrences on a side are marked and come last.",
        ),
    ] = 50,
    samples: Annotated[
        int,
        typer.Option(
            min=0,
            max=100,
            help="Number of bootstrap samples of each text to train on first, to tell "
            "change from noise word by word: 0, or 2 or more.",
        ),
    ] = 0,
    restrict: AlignOn = None,
    out: OutTable = None,
    overwrite: OverwriteFile = False,
    header: Header = False,
    strict: Strict = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the words whose meaning moved most between two texts.

    Columns: word, counts, cosine after alignment (with several runs a side, its spread
    over runs; with these or --samples, within: the mean cosine on the same side), local
    cosine of the neighbourhoods, p, q, a mark if the word is rare, and the nearest
    words before and after. p is the chance that a word that has not changed moves so
    far, judged by words of similar frequency; q is the expected share of false
    discoveries among words with a p no larger.
    """
    from sg_train.vectors.alignment import shared_words
    from sg_train.vectors.shift import measure_shift

    before, after = _two_sides(paths)
    if samples:
        _check_can_be_sampled(samples, paths)
    for path in (*before, *after):
        check_table(out, path, overwrite=overwrite, as_json=as_json)
    asked = None
    if words is not None:
        asked = [word for (word,) in asked_questions([], words, 1, "--words")]
    one, other = (
        [load_vectors(path, matrix) for path in side] for side in (before, after)
    )
    shared = shared_words([*one, *other])
    known, absent = _asked_of(asked or [], shared, one[0])
    if absent and (strict or not known):
        raise VectorsError(_not_shared(absent))
    drawn = _samples_of(paths, samples, matrix) if samples else None
    found = measure_shift(one, other, restrict, min_count, drawn)
    rows = list(range(min(top, len(found.words))))
    if asked is not None:
        rows = [row for row, word in enumerate(found.words) if word in known]
    _LOG.info(
        "%s and %s: %d shared words; residual after alignment %.2f%s",
        before[0],
        after[0],
        len(found.words),
        found.residual,
        "" if len(paths) == 2 else ", the mean over runs",
    )
    table = [_row(found, row, one[0], other[0]) for row in rows]
    show_table(table, out, as_json=as_json, heading=header)
    if absent:
        raise VectorsError(_not_shared(absent))


def _check_can_be_sampled(samples: int, paths: Sequence[Path]) -> None:
    if samples == 1:
        raise SettingsError("--samples 1: shows no difference; give at least 2")
    if len(paths) > 2:
        raise SettingsError("--samples: give one run a side")
    for path in paths:
        if path.exists() and not is_run(path):
            raise SettingsError(
                f"--samples: {path} is not a run, so there is no text to sample"
            )


def _samples_of(paths: Sequence[Path], count: int, matrix: "Matrix | None") -> "Sides":
    """Train runs on bootstrap samples of the texts of two runs."""
    from sg_train.training.samples import check_samples, train_samples

    before, after = paths
    check_samples(after)  # rather than when all samples of `before` are trained
    return (
        train_samples(before, range(1, count + 1), matrix),
        train_samples(after, range(count + 1, 2 * count + 1), matrix),
    )


def _asked_of(
    asked: Sequence[str], shared: Sequence[str], spelled: "WordVectors"
) -> tuple[set[str], list[str]]:
    """Return which shared words are asked for, and which asked words are not shared."""
    words, known, absent = set(shared), set(), []
    for word in dict.fromkeys(asked):
        name = spelled.words[spelled.id(word)] if word in spelled else word
        if name in words:
            known.add(name)
        else:
            absent.append(word)
    return known, absent


def _not_shared(words: Sequence[str]) -> str:
    return f"words without a vector on one of the sides: {listed(words, _MOST_NAMED)}"


def _row(
    found: "Shift", row: int, before: "WordVectors", after: "WordVectors"
) -> dict[str, Any]:
    word = found.words[row]
    counts = {
        name: int(of_side[row])
        for name, of_side in (("before", found.before), ("after", found.after))
        if of_side is not None
    }
    spread = {} if found.spread is None else {"spread": float(found.spread[row])}
    within = {} if found.within is None else {"within": float(found.within[row])}
    return {
        "word": word,
        **counts,
        "cosine": float(found.cosine[row]),
        **spread,
        **within,
        "local": float(found.local[row]),
        "p": float(found.p[row]),
        "q": float(found.q[row]),
        "rare": "rare" if found.is_rare[row] else "",
        "near_before": " ".join(near for near, _ in before.neighbors(word, _NEIGHBORS)),
        "near_after": " ".join(near for near, _ in after.neighbors(word, _NEIGHBORS)),
    }


def _two_sides(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Split paths into two sides: two paths, or runs of two names and several seeds."""
    if len(paths) == 2:
        return [paths[0]], [paths[1]]
    sides: dict[str, list[Path]] = {}
    for path in paths:
        sides.setdefault(_SEED.sub("", str(path)), []).append(path)
    if len(sides) != 2:
        raise SettingsError(
            f"VECTORS: {len(paths)} given, with {len(sides)} names apart from seeds; "
            "give two, or runs of two names, as early-1 early-2 late-1 late-2"
        )
    before, after = sides.values()
    return before, after


@app.command(
    rich_help_panel=EXPORT,
    epilog="Example: sg-train align runs/example runs/more aligned.txt",
)
def align(
    vectors: Vectors,
    target: Annotated[
        Path,
        typer.Argument(metavar="TARGET", help="The run or vector file to align with."),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The vector file to write.")
    ],
    *,
    restrict: AlignOn = None,
    matrix: MatrixOption = None,
    overwrite: OverwriteFile = False,
) -> None:
    """Rotate vectors so that they can be compared with those of another run or tool.

    The rotation brings shared words as close as possible (orthogonal Procrustes);
    cosines between the vectors themselves do not change.
    """
    from sg_train.vectors.alignment import align as align_spaces
    from sg_train.vectors.formats import format_of

    form = format_of(out) or "text"
    check_free(out, overwrite=overwrite)
    source = load_vectors(vectors, matrix)
    alignment = align_spaces(source, load_vectors(target, matrix), restrict)
    alignment.apply(source).save(out, form)
    _LOG.info(
        "%s: aligned on %d shared words: mean cosine %.3f before, %.3f after; residual "
        "%.2f",
        out,
        alignment.words,
        alignment.before,
        alignment.cosine,
        alignment.residual,
    )
