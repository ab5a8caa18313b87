"""The command that writes vectors for other tools: export."""

from pathlib import Path
from typing import Annotated

import typer

from sg_train.choices import OnBadRows, VectorFormat
from sg_train.cli.app import EXPORT, app
from sg_train.cli.options import (
    MatrixOption,
    OverwriteFile,
    Vectors,
    check_free,
    load_vectors,
    open_run,
)
from sg_train.errors import SettingsError


@app.command(
    rich_help_panel=EXPORT,
    epilog="Example: sg-train export runs/example vectors.txt --overwrite",
)
def export(
    vectors: Vectors,
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The vector file to write.")
    ],
    *,
    form: Annotated[
        VectorFormat | None,
        typer.Option(
            "--format",
            help="File format; by default from the file's ending or the run's config.",
        ),
    ] = None,
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
    """Write vectors to a file that other tools read, or convert a vector file."""
    from sg_train.vectors.formats import format_of

    if str(out) == "-":
        raise SettingsError("OUT: cannot be standard output; name a file")
    form = form or format_of(out)
    if form is None and vectors.is_dir():
        form = open_run(vectors).load_config().export.format
        if out.suffix and form not in ("text", "glove"):
            form = "text"
    check_free(out, overwrite=overwrite)
    load_vectors(vectors, matrix, errors).save(out, form or "text")
