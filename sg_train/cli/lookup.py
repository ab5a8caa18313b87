"""Commands that look words up: neighbors, similarity, analogy."""

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.cli.app import LOOK_UP, app
from sg_train.cli.options import (
    AsJson,
    FromFile,
    FromWords,
    Header,
    LabelsOption,
    MatrixOption,
    Method,
    OutTable,
    OverwriteFile,
    Restrict,
    Strict,
    Vectors,
    asked_questions,
    check_table,
    is_run,
    known_questions,
    load_labels,
    load_vectors,
    show,
    show_table,
    split_known,
)
from sg_train.errors import SettingsError

if TYPE_CHECKING:
    from sg_train.errors import SgTrainError
    from sg_train.reports.labels import Labels
    from sg_train.vectors.word_vectors import Neighbors, WordVectors

_LOG = logging.getLogger(__name__)

Top = Annotated[int, typer.Option(min=1, help="Number of words to show.")]


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train neighbors runs/example people country --top 3",
)
def neighbors(
    vectors: Vectors,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="WORDS", help="Words to look up, after further runs to ask as well."
        ),
    ] = None,
    *,
    file: FromWords = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Look up all words, or those of --restrict.")
    ] = False,
    together: Annotated[
        bool,
        typer.Option(
            "--together", help="Show the neighbours of all words' mean, as of a basket."
        ),
    ] = False,
    top: Annotated[int, typer.Option(min=1, help="Number of neighbours to show.")] = 10,
    restrict: Restrict = None,
    out: OutTable = None,
    overwrite: OverwriteFile = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show all neighbours of a word in one row.")
    ] = False,
    header: Header = False,
    labels: LabelsOption = None,
    strict: Strict = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the nearest neighbours of each word: WORD, NEIGHBOUR, COSINE.

    With --labels, the label of the neighbour and, if known, its group follow. With
    several runs, such as those of several seeds, the mean cosine, its spread, and the
    number of runs in which the neighbour is among the nearest are shown. Words
    without a vector are named at the end, and the exit code is then 1. With one run and
    no words, a prompt on a terminal asks for them.
    """
    runs, words = _runs_before(vectors, words)
    is_asked = words or file or everything or out or as_json or len(runs) > 1
    asks = not is_asked and _is_terminal()
    chosen = (
        [] if asks else _chosen(words, file, everything=everything, together=together)
    )
    check_table(out, vectors, overwrite=overwrite, as_json=as_json)
    named = load_labels(labels)
    if len(runs) > 1:
        _refuse_for_runs(everything=everything, together=together or wide)
        spaces = [load_vectors(run, matrix) for run in runs]
        rows, missing = _agreed(
            spaces, chosen or [], top, restrict, named, strict=strict
        )
        show_table(rows, out, as_json=as_json, heading=header)
        _raise(missing)
        return
    loaded = load_vectors(vectors, matrix)
    if asks:
        _ask(loaded, top, restrict, named)
        return
    known, missing = None, None
    if chosen is not None:
        known, missing = split_known([loaded], chosen, strict=strict)
    if known is not None and (together or not (file or out or wide)):
        rows = _rows_of(loaded, known, top, restrict, named, together=together)
        show_table(rows, out, as_json=as_json, heading=header)
        count = len(rows)
    else:
        batches = loaded.neighbor_batches(known, top, restrict=restrict)
        total = len(loaded.most_frequent(restrict) if known is None else known)
        count = _write_batches(
            loaded,
            _watched(batches, total),
            out,
            wide=wide,
            header=header,
            as_json=as_json,
            labels=named,
        )
    if not count:
        _LOG.warning(
            "%s: no other word to answer with%s",
            vectors,
            "; raise --restrict" if restrict else "",
        )
    _raise(missing)


def _raise(error: "SgTrainError | None") -> None:
    """Raise an error about some of the words, after the others are shown."""
    if error:
        raise error


def _rows_of(
    vectors: "WordVectors",
    words: list[str],
    top: int,
    restrict: int | None,
    labels: "Labels",
    *,
    together: bool,
) -> list[dict[str, object]]:
    """Return the answers about words, or about their mean, as rows of a table."""
    if together:
        return _rows(vectors, words, top, restrict, labels)
    return [
        {"word": word, **row}
        for word in words
        for row in _rows(vectors, word, top, restrict, labels)
    ]


def _rows(
    vectors: "WordVectors",
    question: str | list[str],
    top: int,
    restrict: int | None,
    labels: "Labels",
) -> list[dict[str, object]]:
    """Return the answers to one question as rows of a table."""
    return [
        {
            "neighbor": neighbor,
            "cosine": cosine,
            **{name: of_word.get(neighbor) for name, of_word in labels.columns.items()},
        }
        for neighbor, cosine in vectors.neighbors(question, top, restrict=restrict)
    ]


def _runs_before(
    first: Path, words: list[str] | None
) -> tuple[list[Path], list[str] | None]:
    """Split what follows the first run into further runs and words."""
    runs, rest = [first], list(words or ())
    while rest and is_run(first) and (Path(rest[0]) / "config.yaml").is_file():
        runs.append(Path(rest.pop(0)))
    if rest and "/" in rest[0] and Path(rest[0]).parent == first.parent:
        raise SettingsError(
            f"{rest[0]}: not a run directory; further runs must be runs, before words"
        )
    return runs, rest or None


def _refuse_for_runs(*, everything: bool, together: bool) -> None:
    if everything:
        raise SettingsError("--all: cannot be combined with several runs")
    if together:
        raise SettingsError("--together, --wide: cannot be combined with several runs")


def _agreed(
    runs: "list[WordVectors]",
    words: list[str],
    top: int,
    restrict: int | None,
    labels: "Labels",
    *,
    strict: bool,
) -> "tuple[list[dict[str, object]], SgTrainError | None]":
    """Return the neighbours that several runs agree on as rows of a table."""
    from sg_train.vectors.agreement import agreed_neighbors

    words, missing = split_known(runs, words, strict=strict)
    rows: list[dict[str, object]] = [
        {
            "word": word,
            "neighbor": found.word,
            "cosine": found.score,
            "spread": found.spread,
            "runs": f"{found.runs} of {len(runs)}",
            **{name: of.get(found.word) for name, of in labels.columns.items()},
        }
        for word in words
        for found in agreed_neighbors(runs, word, top, restrict=restrict)
    ]
    return rows, missing


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask(
    vectors: "WordVectors", top: int, restrict: int | None, labels: "Labels"
) -> None:
    """Answer questions at a prompt."""
    from sg_train.cli.prompt import run_prompt

    def answer(question: str) -> None:
        # A phrase is one word if it has a vector; else its words are asked together.
        is_word = vectors.get(question) is not None
        words = question if is_word else question.split()
        show(_rows(vectors, words, top, restrict, labels), as_json=False)

    run_prompt(vectors.words, answer)


def _chosen(
    words: list[str] | None, file: str | None, *, everything: bool, together: bool
) -> list[str] | None:
    """Return the words to look up, or None for all."""
    if [bool(words), file is not None, everything].count(True) != 1:
        raise SettingsError("WORDS: give one of words, --from FILE and --all")
    if everything:
        if together:
            raise SettingsError("--together: cannot be combined with --all; give words")
        return None
    if words:
        return words
    return [word for (word,) in asked_questions([], file, 1, "WORDS")]


def _watched(batches: "Iterator[Neighbors]", total: int) -> "Iterator[Neighbors]":
    """Show a bar of the words done."""
    from sg_train.system.bars import progress_bar

    with progress_bar(total=total, unit=" words", leave=False) as bar:
        for batch in batches:
            yield batch
            bar.update(len(batch.words))


def _write_batches(
    vectors: "WordVectors",
    batches: "Iterator[Neighbors]",
    out: Path | None,
    *,
    wide: bool,
    header: bool,
    as_json: bool,
    labels: "Labels",
) -> int:
    """Write neighbours and return how many there are."""
    from sg_train.reports.tables import neighbor_tables, save_table, write_text

    count = 0

    def counted() -> "Iterator[Neighbors]":
        nonlocal count
        for batch in batches:
            count += int((batch.rows >= 0).sum())
            yield batch

    tables = neighbor_tables(vectors, counted(), wide=wide, labels=labels)
    if out is not None:
        save_table(out, tables)
    elif as_json or sys.stdout.isatty():
        rows = [row for table in tables for row in table.to_pylist()]
        show(rows, as_json=as_json, heading=header)
    else:
        write_text(typer.get_binary_stream("stdout"), tables, header=header)
    return count


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train similarity runs/example war peace",
)
def similarity(
    vectors: Vectors,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIRST SECOND",
            help="Two words; further runs, if any, come before them.",
        ),
    ] = None,
    *,
    file: FromFile = None,
    out: OutTable = None,
    overwrite: OverwriteFile = False,
    header: Header = False,
    strict: Strict = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the cosine similarity of two words: WORD, WORD, COSINE.

    With several runs, the mean cosine, its spread and the number of runs are shown.
    """
    from sg_train.vectors.agreement import agreed_similarities

    runs, words = _runs_before(vectors, words)
    asked = asked_questions(words or (), file, 2, "FIRST SECOND")
    check_table(out, vectors, overwrite=overwrite, as_json=as_json)
    spaces = [load_vectors(run, matrix) for run in runs]
    pairs, missing = known_questions(spaces, asked, strict=strict)
    rows = [
        {"first": one, "second": other, "cosine": found.cosine}
        | ({"spread": found.spread, "runs": len(runs)} if len(runs) > 1 else {})
        for (one, other), found in zip(
            pairs, agreed_similarities(spaces, pairs), strict=True
        )
    ]
    show_table(rows, out, as_json=as_json, heading=header)
    if missing:
        raise missing


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train analogy runs/example state states nation --top 3",
)
def analogy(
    vectors: Vectors,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="A B C",
            help="Three words: a, the word that a relates to, and the word whose "
            "counterpart to find; further runs, if any, come before them.",
        ),
    ] = None,
    *,
    file: FromFile = None,
    top: Top = 10,
    restrict: Restrict = None,
    out: OutTable = None,
    overwrite: OverwriteFile = False,
    header: Header = False,
    strict: Strict = False,
    method: Method = "add",
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Complete the analogy a : b :: c : ? with the best words: WORD, SCORE.

    With --from, each line asks a question, and the rows begin with its words. With
    several runs, the mean score, its spread, and the number of runs in which the word
    is among the best are shown.
    """
    from sg_train.vectors.agreement import agreed_analogy

    runs, words = _runs_before(vectors, words)
    asked = asked_questions(words or (), file, 3, "A B C")
    check_table(out, vectors, overwrite=overwrite, as_json=as_json)
    spaces = [load_vectors(run, matrix) for run in runs]
    questions, missing = known_questions(spaces, asked, strict=strict)

    def answers(question: tuple[str, str, str]) -> Iterator[dict[str, object]]:
        if len(spaces) == 1:
            best = spaces[0].analogy(*question, top, method=method, restrict=restrict)
            yield from ({"word": word, "score": score} for word, score in best)
            return
        for found in agreed_analogy(
            spaces, question, top, method=method, restrict=restrict
        ):
            yield {
                "word": found.word,
                "score": found.score,
                "spread": found.spread,
                "runs": f"{found.runs} of {len(spaces)}",
            }

    rows = [
        {**({"a": a, "b": b, "c": c} if file else {}), **answer}
        for a, b, c in questions
        for answer in answers((a, b, c))
    ]
    show_table(rows, out, as_json=as_json, heading=header)
    if missing:
        raise missing
