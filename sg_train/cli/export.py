"""The command that writes vectors for other tools: export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.choices import ExportFormat, NumberType, OnBadRows
from sg_train.cli.app import EXPORT, app
from sg_train.cli.options import (
    LabelsOption,
    MatrixOption,
    OverwriteFile,
    Vectors,
    check_free,
    is_run,
    load_labels,
    load_vectors,
    open_run,
)
from sg_train.errors import SettingsError

if TYPE_CHECKING:
    from sg_train.errors import SgTrainError
    from sg_train.vectors.word_vectors import WordVectors


@app.command(
    rich_help_panel=EXPORT,
    epilog="Example: sg-train export runs/example vectors.txt --overwrite",
)
def export(
    vectors: Vectors,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file or directory to write.")
    ],
    *,
    form: Annotated[
        ExportFormat | None,
        typer.Option(
            "--format",
            help="File format; by default from the file's ending or the run's config.",
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Write only the N most frequent words.")
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write only the words in a file, one per line; - for standard input.",
        ),
    ] = None,
    unit: Annotated[
        bool, typer.Option("--unit", help="Scale vectors to length 1.")
    ] = False,
    dtype: Annotated[
        NumberType,
        typer.Option(help="Type of the numbers in safetensors, npy and parquet."),
    ] = "float32",
    precision: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=9,
            help="Number of decimals in text; by default numbers are exact.",
        ),
    ] = None,
    sif: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="For sentence-transformers: weight words by SIF / (SIF + their share "
            "of the text), or equally with 0; by default 0.0001, or 0 without counts.",
        ),
    ] = None,
    labels: LabelsOption = None,
    matrix: MatrixOption = None,
    errors: Annotated[
        OnBadRows,
        typer.Option(
            help="What to do with damaged rows of a text or binary file: refuse the "
            "file, replace what is not UTF-8 in words, or skip such rows.",
        ),
    ] = "strict",
    overwrite: OverwriteFile = False,
) -> None:
    """Write vectors to a file that other tools read, or convert a vector file.

    Words of --only that have no vector are named at the end, and the exit code is then
    1.
    """
    if str(out) == "-":
        raise SettingsError("OUT: cannot be standard output; name a file")
    form = form or _default_format(vectors, out)
    _check_options(form, sif, labels, dtype, precision)
    check_free(out, overwrite=overwrite)
    every = load_vectors(vectors, matrix, errors)
    loaded, missing = _some(every, top, only)
    loaded = loaded.normalized() if unit else loaded
    if form == "sentence-transformers":
        from sg_train.reports.sentence_model import export_sentence_model

        run = open_run(vectors) if is_run(vectors) else None
        total = None if every.counts is None else int(every.counts.sum())
        export_sentence_model(loaded, out, run, sif, total)
    elif labels is not None:
        from sg_train.vectors.formats.projector import save_projector

        columns = {
            name: [of_word.get(word, "") for word in loaded.words]
            for name, of_word in load_labels(labels).columns.items()
        }
        save_projector(loaded.words, loaded.matrix, out, columns)
    else:
        loaded.save(out, form, dtype=dtype, precision=precision)
    if missing:
        raise missing


def _check_options(
    form: ExportFormat,
    sif: float | None,
    labels: Path | None,
    dtype: NumberType,
    precision: int | None,
) -> None:
    """Refuse options that a format does not have."""
    if sif is not None and form != "sentence-transformers":
        raise SettingsError("--sif: only for --format sentence-transformers")
    if form == "sentence-transformers" and (
        dtype != "float32" or precision is not None
    ):
        raise SettingsError(
            "--format sentence-transformers: takes no --dtype or --precision"
        )
    if labels is not None and form != "projector":
        raise SettingsError("--labels: only for --format projector")


def _default_format(vectors: Path, out: Path) -> ExportFormat:
    from sg_train.vectors.formats import format_of

    form: ExportFormat | None = format_of(out)
    if form is None and is_run(vectors):
        form = open_run(vectors).load_config().export.format
        if out.suffix and form not in ("text", "glove"):
            form = "text"
    return form or "text"


def _some(
    vectors: "WordVectors", top: int | None, only: str | None
) -> "tuple[WordVectors, SgTrainError | None]":
    """Return the words asked for, and an error that names those without a vector."""
    from sg_train.errors import UnknownWordError
    from sg_train.vectors.question_lists import read_questions

    if only is None:
        return vectors.most_frequent(top), None
    words = [word for (word,) in read_questions(only, 1)]
    unknown = list(dict.fromkeys(word for word in words if word not in vectors))
    missing = UnknownWordError(unknown, vectors.similar_words) if unknown else None
    known = [word for word in words if word in vectors]
    if not known:
        raise missing or SettingsError(f"--only {only}: holds no words")
    return vectors.subset(known).most_frequent(top), missing
