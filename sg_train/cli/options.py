"""Arguments and options that several commands share, and how rows are printed."""

import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sg_train.choices import AnalogyMethod, Matrix, OnBadRows
from sg_train.wording import listed, printable

if TYPE_CHECKING:
    from sg_train.errors import SgTrainError
    from sg_train.reports.labels import Labels
    from sg_train.runs.directory import RunDirectory
    from sg_train.vectors.evaluation import Evaluation
    from sg_train.vectors.word_vectors import WordVectors

_LOG = logging.getLogger(__name__)

_MOST_LISTED = 3

ConfigFile = Annotated[
    Path | None, typer.Argument(metavar="CONFIG.yaml", help="Settings in YAML.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Change a setting; can be repeated."
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run or corpus at --out.")
]
Restrict = Annotated[
    int | None,
    typer.Option(min=1, help="Use only the N most frequent words."),
]
Similarity = Annotated[
    list[Path] | None,
    typer.Option(
        help="Similarity test: two words and a score per line; can be repeated."
    ),
]
Analogies = Annotated[
    list[Path] | None,
    typer.Option(
        help="Analogy test: four words per line, under `: section` headings; can be "
        "repeated."
    ),
]
Method = Annotated[
    AnalogyMethod, typer.Option(help="How analogies are solved: 3CosAdd or 3CosMul.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON instead of tab-separated values.")
]
Vectors = Annotated[
    Path, typer.Argument(metavar="VECTORS", help="A run directory or a vector file.")
]
MatrixOption = Annotated[
    Matrix | None,
    typer.Option(
        help="Use input vectors (u), output vectors (v) or their sum; by default what "
        "the run exports."
    ),
]


OverwriteFile = Annotated[
    bool, typer.Option("--overwrite", help="Replace a file that exists.")
]
FromFile = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="File of questions, one per line with tabs or spaces between words; - for "
        "standard input.",
    ),
]
FromWords = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="FILE",
        help="File of words to look up, one per line; - for standard input.",
    ),
]
OutTable = Annotated[
    Path | None,
    typer.Option(
        help="Table to write instead of standard output: .tsv, .csv, .jsonl or "
        ".parquet."
    ),
]
Header = Annotated[
    bool, typer.Option("--header", help="Print the names of the columns first.")
]
LabelsOption = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        help="Table of words, labels to show for them and, if known, groups, separated "
        "by tabs or commas.",
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Do nothing if a word has no vector.")
]


def load_vectors(
    path: Path, matrix: Matrix | None = None, errors: OnBadRows = "strict"
) -> "WordVectors":
    """Read the vectors of a run, by default those that it exports, or of a file."""
    from sg_train.errors import SettingsError
    from sg_train.vectors.word_vectors import WordVectors

    if is_run(path):
        from sg_train.runs.vectors import load_run_vectors

        return load_run_vectors(open_run(path), matrix)
    if matrix is not None:
        raise SettingsError(
            f"--matrix {matrix}: only a run has several matrices, and {path} is a "
            "vector file; leave the option out"
        )
    return WordVectors.load(path, errors)


def load_labels(path: Path | None) -> "Labels":
    """Read the labels of words, if a file is given."""
    from sg_train.reports.labels import Labels

    return Labels() if path is None else Labels.load(path)


def split_known(
    spaces: "Sequence[WordVectors]", words: Sequence[str], *, strict: bool
) -> tuple[list[str], "SgTrainError | None"]:
    """Split words into those with a vector in all spaces and an error for the others.

    The error is raised at once if `strict`, or if no word has a vector; otherwise it is
    for the caller to raise after it has done its work.
    """
    from sg_train.errors import UnknownWordError

    found = {word: all(x.get(word) is not None for x in spaces) for word in words}
    known = [word for word in words if found[word]]
    unknown = [word for word in found if not found[word]]
    if not unknown:
        return known, None
    error = UnknownWordError(unknown, spaces[0].similar_words)
    if strict or not known:
        raise error
    return known, error


def known_questions(
    spaces: "Sequence[WordVectors]",
    questions: Sequence[tuple[str, ...]],
    *,
    strict: bool,
) -> tuple[list[tuple[str, ...]], "SgTrainError | None"]:
    """Keep the questions whose words all have vectors; see `split_known`."""
    words = dict.fromkeys(word for question in questions for word in question)
    known, missing = split_known(spaces, list(words), strict=strict)
    have_vectors = frozenset(known)
    answered = [words for words in questions if have_vectors.issuperset(words)]
    if missing and not answered:
        raise missing
    return answered, missing


def asked_questions(
    given: Sequence[str | None], file: str | None, size: int, name: str
) -> list[tuple[str, ...]]:
    """Return the question on the command line, or those of a file.

    Args:
        given: the words on the command line.
        file: from --from.
        size: the number of words in a question.
        name: of the words, for messages.
    """
    from sg_train.errors import SettingsError
    from sg_train.vectors.question_lists import read_questions

    words = tuple(word for word in given if word is not None)
    if file is None and len(words) == size:
        return [words]
    if file is None:
        raise SettingsError(f"{name}: give {name} or --from FILE")
    if words:
        raise SettingsError(f"{name}: cannot be combined with --from")
    return read_questions(file, size)


def show_table(rows: Sequence[Mapping[str, Any]], out: Path | None, **how: Any) -> None:
    """Print rows, or save them to a file in the format of its ending, if any."""
    if not rows:
        _LOG.warning("no other word to answer with, so nothing is shown or written")
        if out is not None:
            return
    if out is None:
        show(rows, **how)
        return
    import pyarrow as pa

    from sg_train.reports.tables import save_table

    save_table(out, [pa.Table.from_pylist(list(rows))])


def check_table(
    out: Path | None, vectors: Path, *, overwrite: bool, as_json: bool
) -> None:
    """Refuse a table that cannot be written, before any work is done."""
    from sg_train.errors import SettingsError
    from sg_train.reports.tables import check_ending

    if out is None:
        return
    if as_json:
        raise SettingsError("--json: cannot be combined with --out; use .jsonl")
    check_ending(out)
    check_free(out, overwrite=overwrite)
    asked, place = vectors.resolve(), out.resolve()
    if out.exists() and (asked == place or asked in place.parents):
        raise SettingsError(f"--out {out}: is part of {vectors}; choose another file")


def check_free(path: Path, *, overwrite: bool) -> None:
    """Refuse to replace a file, unless the user asks for it."""
    from sg_train.errors import OutputError

    if path.exists() and not overwrite:
        raise OutputError(
            f"{path}: already exists; give --overwrite or choose another name"
        )


def check_replaceable(path: Path, *starts: bytes) -> None:
    """Refuse to replace a file of another kind.

    Args:
        path: the file to write.
        starts: how files that may be replaced begin.
    """
    from sg_train.errors import OutputError

    if not path.is_file():
        return
    with path.open("rb") as file:
        head = file.read(max(map(len, starts)))
    if head and not head.startswith(starts):
        raise OutputError(
            f"{path}: already exists and is another kind of file; choose another name"
        )


def is_run(path: Path) -> bool:
    """Return whether a path is a directory that is not itself a set of vectors."""
    from sg_train.vectors.formats import is_directory_of_vectors

    return path.is_dir() and not is_directory_of_vectors(path)


def open_run(path: Path) -> "RunDirectory":
    """Return a run directory."""
    from sg_train.runs.directory import RunDirectory

    return RunDirectory.open(path)


def read_tests(
    vectors: Path,
    similarity: list[Path] | None,
    analogies: list[Path] | None,
    restrict: int | None,
    **how: Any,
) -> "Evaluation":
    """Read the given tests, by default those of the run's config, if it is a run."""
    from sg_train.vectors.evaluation import Evaluation

    if not (similarity or analogies) and is_run(vectors):
        chosen = open_run(vectors).load_config().evaluation
        similarity, analogies = list(chosen.similarity), list(chosen.analogies)
        restrict = restrict or chosen.restrict
    return Evaluation.from_files(
        similarity or [], analogies or [], restrict=restrict, **how
    )


def show(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool, heading: bool = False
) -> None:
    """Print rows, which have the same keys, as JSON or as tab-separated values."""
    if as_json:
        _write(json.dumps(list(rows), ensure_ascii=False, default=str))
        return
    lines = [list(map(_in_words, row.values())) for row in rows]
    if heading and rows:
        lines.insert(0, list(rows[0]))
    if sys.stdout.isatty():
        lines = [list(map(printable, line)) for line in lines]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [
                cell.ljust(width) for cell, width in zip(line, widths, strict=True)
            ]
            _write("  ".join(cells).rstrip())
        return
    for line in lines:
        _write("\t".join(line))


def _write(line: str) -> None:
    typer.echo(line, color=True)  # else escapes in words would be removed on a pipe


def _in_words(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list):
        more = f" ({len(value)} in all)" * (len(value) > _MOST_LISTED)
        value = listed(value, _MOST_LISTED) + more
    return re.sub(r"[\t\r\n]", " ", str(value))  # one field, one line
