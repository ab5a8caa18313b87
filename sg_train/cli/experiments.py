"""Commands that make vectors: train, resume, extend, export, config."""

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.choices import VectorFormat
from sg_train.cli.app import app
from sg_train.cli.options import (
    ConfigFile,
    MatrixOption,
    Overrides,
    Overwrite,
    Vectors,
    load_vectors,
    open_run,
)
from sg_train.errors import SettingsError

if TYPE_CHECKING:
    from sg_train.config import Config


@app.command(
    epilog="Example: sg-train train configs/tiny.yaml --set training.epochs=2 "
    "--out runs/example",
)
def train(
    config: ConfigFile = None,
    *,
    corpus: Annotated[
        list[str] | None,
        typer.Option(help="Text or prepared corpus, instead of corpus.paths."),
    ] = None,
    overrides: Overrides = None,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Run or vector file whose vectors words start with."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run directory; by default runs/CONFIG.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train vectors and leave them, with all that made them, in a run directory.

    With a `sweep` in the config, one run after another beside --out.
    """
    if init_from is not None:
        asked = f"model.init_from={_quoted(init_from)}"
        overrides = [*(overrides or ()), asked]
    settings = _load_config(config, overrides, corpus)
    directory = out or _default_run(config, settings)
    if settings.sweep.values:
        _train_sweep(settings, directory, overwrite=overwrite)
        return

    from sg_train.training.run import train as train_run

    train_run(settings, directory, overwrite=overwrite, say=_say)
    _say_trained(directory)


@app.command(epilog="Example: sg-train resume runs/example --set training.epochs=3")
def resume(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    *,
    overrides: Overrides = None,
) -> None:
    """Go on with a run that was interrupted, or train a finished one for longer.

    It goes on from the newest sound checkpoint. Only epochs, threads, loader_workers
    and the sections checkpoint, distributed, evaluation and export can be set.
    """
    from sg_train.training.run import resume as resume_run

    resume_run(run, overrides or (), _say)
    _say_trained(run)


@app.command(
    epilog="Example: sg-train extend runs/example data/sotu.txt --out runs/more"
)
def extend(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    texts: Annotated[
        list[str], typer.Argument(help="New text: files, directories, globs or -.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory of the new run.")],
    anchor: Annotated[
        bool,
        typer.Option("--anchor", help="Keep old words' vectors as they are."),
    ] = False,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a finished run's vectors on with more text and the new words in it.

    Counts are added up, new words join the vocabulary, and old ones keep their vectors
    and move from there. Ends by saying how far they have moved.
    """
    from sg_train.training.extend import extend as extend_run

    extend_run(
        run,
        texts,
        out,
        overrides or (),
        anchor=anchor,
        overwrite=overwrite,
        say=_say,
    )
    _say_trained(out)


@app.command(epilog="Example: sg-train export runs/example vectors.txt")
def export(
    vectors: Vectors,
    out: Annotated[Path, typer.Argument(help="The vector file to write.")],
    *,
    form: Annotated[
        VectorFormat | None,
        typer.Option(
            "--format", help="By default by the ending, or as the run's config says."
        ),
    ] = None,
    matrix: MatrixOption = None,
) -> None:
    """Write vectors to a file that other tools read."""
    from sg_train.vectors.formats import format_of

    form = form or format_of(out)
    if vectors.is_dir():
        form = form or open_run(vectors).load_config().export.format
    load_vectors(vectors, matrix).save(out, form or "text")


@app.command(
    epilog="Example: sg-train config configs/tiny.yaml --set model.dimension=50"
)
def config(
    config: ConfigFile = None,
    *,
    overrides: Overrides = None,
    table: Annotated[
        bool, typer.Option("--table", help="Describe every setting, in Markdown.")
    ] = False,
) -> None:
    """Print the settings that a run would use, as YAML that is itself a config."""
    from sg_train.config import Config, settings_table

    settings = Config.load(config, overrides or ())
    typer.echo(settings_table() if table else settings.to_yaml(), nl=table)


def _quoted(path: Path) -> str:
    """Return a path as YAML reads it, even if a file is called `none`."""
    text = f"./{path}" if str(path).lower() in ("none", "null", "~") else str(path)
    return json.dumps(text, ensure_ascii=False)


def _say_trained(run: Path) -> None:
    if os.environ.get("RANK", "0") == "0":  # of processes that train together
        _say(f"{run}: trained; sg-train neighbors {shlex.quote(str(run))} WORD")


def _say(line: str) -> None:
    typer.echo(" ".join(line.split("\n")), err=True)


def _train_sweep(settings: "Config", directory: Path, *, overwrite: bool) -> None:
    from sg_train.training.sweep import train_sweep

    points = train_sweep(settings, directory, overwrite=overwrite, say=_say)
    done = sum(point.is_done for point in points)
    typer.echo(
        f"{len(points)} runs trained, {done} of them before; "
        f"sg-train compare {directory}-*",
        err=True,
    )


def _load_config(
    file: Path | None, overrides: list[str] | None, corpus: list[str] | None
) -> "Config":
    from sg_train.config import Config

    try:
        settings = Config.load(file, overrides or ())
    except SettingsError as error:
        if file is None or file.suffix in (".yaml", ".yml"):
            raise
        raise SettingsError(
            f"{error}; {file} was taken for the config: text goes by --corpus, which "
            "can be given again"
        ) from error
    if corpus:
        text = settings.corpus.model_copy(update={"paths": corpus})
        settings = settings.model_copy(update={"corpus": text})
    return settings


def _default_run(file: Path | None, settings: "Config") -> Path:
    named = [str(file)] if file else settings.corpus.paths
    stem = Path(named[0]).name.split(".")[0] if named else ""
    if not stem or not stem.replace("-", "").replace("_", "").isalnum():
        raise SettingsError("say where the run goes: give --out runs/NAME")
    return Path("runs") / stem
