"""Commands that look up words, numbers and files: vocab, vector, info."""

import logging
from collections.abc import Iterator
from fnmatch import fnmatchcase
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sg_train.cli.app import LOOK_UP, app
from sg_train.cli.options import (
    AsJson,
    FromWords,
    MatrixOption,
    Strict,
    Vectors,
    asked_questions,
    load_vectors,
    show,
    split_known,
)
from sg_train.errors import SettingsError
from sg_train.wording import shortened

if TYPE_CHECKING:
    from sg_train.reports.words import Words

_LONGEST_FACT = 300  # characters

_LOG = logging.getLogger(__name__)


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train vocab runs/example --search 'gold*' --top 5",
)
def vocab(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="Run, prepared corpus, vocabulary or vector file."
        ),
    ],
    *,
    top: Annotated[
        int | None, typer.Option(min=1, help="Show the N most frequent words.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(help="Show words that match a pattern, such as 'gold*'."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure the out-of-vocabulary rate of this text; can be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a vocabulary: its size, or WORD, COUNT, SHARE with --top or --search.

    With --text, shows how many words of another text are out of the vocabulary, and the
    most frequent of these; the text is tokenised like that of the vocabulary.
    """
    from sg_train.reports.words import open_words

    words = open_words(path)
    if text:
        if search is not None:
            raise SettingsError("--search: cannot be combined with --text")
        facts, missing = _coverage(words, text, top or 20)
        if as_json:
            show([{**facts, "most_frequent": missing}], as_json=True)
            return
        _show_facts(facts, as_json=False)
        show(missing, as_json=False, heading=True)
        return
    if top is None and search is None:
        _show_facts(_summary(words), as_json=as_json)
        return
    rows = _found(words, search, top)
    if not as_json:  # three digits, because many shares are small
        rows = [
            {**row, "share": row["share"] and f"{row['share']:.3g}"} for row in rows
        ]
    show(rows, as_json=as_json)
    if not rows:
        _LOG.warning("%s: no word matches %s", path, search)


@app.command(
    rich_help_panel=LOOK_UP, epilog="Example: sg-train vector runs/example people"
)
def vector(
    vectors: Vectors,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORDS", help="Words to look up.")
    ] = None,
    *,
    file: FromWords = None,
    strict: Strict = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the vectors of words: WORD and its numbers, just as export writes them.

    Words without a vector are named at the end, and the exit code is then 1.
    """
    from sg_train.vectors.formats.word2vec import write_rows

    if words and file is None:
        asked = words
    else:
        asked = [word for (word,) in asked_questions(words or [], file, 1, "WORDS")]
    loaded = load_vectors(vectors, matrix)
    known, missing = split_known([loaded], asked, strict=strict)
    rows = loaded[known]
    if as_json:
        show(
            [
                {"word": word, "vector": row.tolist()}
                for word, row in zip(known, rows, strict=True)
            ],
            as_json=True,
        )
    else:
        lines = BytesIO()
        write_rows(lines, known, rows, " ")
        typer.echo(lines.getvalue(), nl=False)
    if missing:
        raise missing


@app.command(rich_help_panel=LOOK_UP, epilog="Example: sg-train info runs/example")
def info(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="Any file or directory of sg-train, or a vector file."
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Describe a file, its version and how it was made: FACT, VALUE."""
    from sg_train.reports.description import describe

    _show_facts(describe(path), as_json=as_json)


def _show_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show([facts], as_json=True)
        return
    rows = [
        {
            "fact": key,
            "value": shortened(x, _LONGEST_FACT) if isinstance(x, str) else x,
        }
        for key, x in facts.items()
    ]
    show(rows, as_json=False)


def _rows(words: "Words", search: str | None) -> Iterator[dict[str, Any]]:
    counts = words.counts
    # Counts of a file may add up to more than 64 bits hold.
    total = 0 if counts is None else words.counted or sum(counts.tolist())
    for place, word in enumerate(words.words):
        # A word such as [UNK] is also a pattern, which does not match it.
        if search is not None and word != search and not fnmatchcase(word, search):
            continue
        count = None if counts is None else int(counts[place])
        share = None if count is None else count / max(1, total)
        yield {"word": word, "count": count, "share": share}


def _found(words: "Words", search: str | None, top: int | None) -> list[dict[str, Any]]:
    """Return the rows of words that match, if necessary in another spelling."""
    rows = list(islice(_rows(words, search), top))
    for other in _respelled(words, search) if search and not rows else ():
        rows = list(islice(_rows(words, other), top))
        if rows:
            _LOG.info("%r is looked up as %r", search, other)
            break
    return rows


def _respelled(words: "Words", search: str) -> list[str]:
    """Return other spellings of a pattern, or those of its tokenizer for a word."""
    from sg_train.corpus.spelling import spelling
    from sg_train.vectors.spelling import plain_spellings

    is_pattern = any(mark in search for mark in "*?[")
    of_text = [] if is_pattern else spelling(words.corpus)(search)
    return [*of_text, *plain_spellings(search)]


def _summary(words: "Words") -> dict[str, Any]:
    facts: dict[str, Any] = {"vocabulary": len(words.words)}
    if words.kept is not None and words.read is not None:
        facts["words kept"] = words.kept
        facts["words read"] = words.read
        facts["share kept"] = words.kept / words.read
    if words.distinct is not None:
        facts["distinct words counted"] = words.distinct
    if words.counts is not None:
        facts["least count"] = int(words.counts[-1])
    return facts


def _coverage(
    words: "Words", text: list[str], top: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from sg_train.corpus.coverage import measure_coverage
    from sg_train.system.files import scratch_directory
    from sg_train.system.machine import available_cpus

    corpus = words.corpus.model_copy(update={"paths": text})
    with scratch_directory(None) as directory:
        found = measure_coverage(words.words, corpus, directory, available_cpus(), top)
    facts = {
        "words": found.words,
        "out of vocabulary": found.unknown_words,
        "out-of-vocabulary rate": found.unknown_words / found.words,
        "distinct words": found.distinct,
        "distinct out of vocabulary": found.unknown_distinct,
        "rate of distinct words": found.unknown_distinct / found.distinct,
    }
    missing = [{"word": word, "count": count} for word, count in found.most_frequent]
    return facts, missing
