"""Arguments and options that several commands take, and how rows are printed."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sg_train.choices import Matrix

if TYPE_CHECKING:
    from sg_train.training.run_directory import RunDirectory
    from sg_train.vectors.evaluation import Evaluation
    from sg_train.vectors.word_vectors import WordVectors

ConfigFile = Annotated[
    Path | None, typer.Argument(metavar="[CONFIG.yaml]", help="Settings in YAML.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change a setting."),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what --out holds.")
]
Restrict = Annotated[
    int | None,
    typer.Option(min=1, help="Look at the most frequent words alone, so many."),
]
Similarity = Annotated[
    list[Path] | None,
    typer.Option(help="Two words and a score a line; may be given again."),
]
Analogies = Annotated[
    list[Path] | None,
    typer.Option(help="Four words a line, by `: section`; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Vectors = Annotated[
    Path, typer.Argument(metavar="VECTORS", help="A run directory or a vector file.")
]
MatrixOption = Annotated[
    Matrix | None,
    typer.Option(help="Input vectors, output vectors or their sum."),
]


def load_vectors(path: Path, matrix: Matrix | None = None) -> "WordVectors":
    """Read the vectors of a run, by default those that it exports, or of a file."""
    from sg_train.errors import SettingsError
    from sg_train.vectors.word_vectors import WordVectors

    if path.is_dir():
        run = open_run(path)
        return run.load_vectors(matrix or run.load_config().export.matrix)
    if matrix is not None:
        raise SettingsError(f"--matrix {matrix}: {path} is a file, which has but one")
    return WordVectors.load(path)


def open_run(path: Path) -> "RunDirectory":
    """Return a run directory."""
    from sg_train.training.run_directory import RunDirectory

    return RunDirectory.open(path)


def read_tests(
    vectors: Path,
    similarity: list[Path] | None,
    analogies: list[Path] | None,
    restrict: int | None,
    **how: Any,
) -> "Evaluation":
    """Read the tests given, or else those of the run's config, if it is a run."""
    from sg_train.vectors.evaluation import Evaluation

    if not (similarity or analogies) and vectors.is_dir():
        chosen = open_run(vectors).load_config().evaluation
        similarity, analogies = list(chosen.similarity), list(chosen.analogies)
        restrict = restrict or chosen.restrict
    return Evaluation.from_files(
        similarity or [], analogies or [], restrict=restrict, **how
    )


def show(
    rows: Sequence[Mapping[str, Any]], *, as_json: bool, heading: bool = False
) -> None:
    """Print rows, which have the same keys, as JSON or with tabs between the fields."""
    if as_json:
        typer.echo(json.dumps(list(rows), ensure_ascii=False, default=str))
        return
    lines = [list(map(_in_words, row.values())) for row in rows]
    if heading and rows:
        lines.insert(0, list(rows[0]))
    if sys.stdout.isatty():
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = [
                cell.ljust(width) for cell, width in zip(line, widths, strict=True)
            ]
            typer.echo("  ".join(cells).rstrip())
        return
    for line in lines:
        typer.echo("\t".join(line))


def _in_words(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return re.sub(r"[\t\r\n]", " ", str(value))  # one field, one line
