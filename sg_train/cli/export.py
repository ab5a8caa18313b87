"""The command that writes vectors for other tools: export."""

from pathlib import Path
from typing import Annotated

import typer

from sg_train.choices import VectorFormat
from sg_train.cli.app import EXPORT, app
from sg_train.cli.options import MatrixOption, Vectors, load_vectors, open_run


@app.command(
    rich_help_panel=EXPORT,
    epilog="Example: sg-train export runs/example vectors.txt",
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
) -> None:
    """Write vectors to a file that other tools read, or convert a vector file."""
    from sg_train.vectors.formats import format_of

    form = form or format_of(out)
    if vectors.is_dir():
        form = form or open_run(vectors).load_config().export.format
    load_vectors(vectors, matrix).save(out, form or "text")
