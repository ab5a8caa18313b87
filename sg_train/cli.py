"""The command line: one short function a command.

stdout carries data and stderr talk. Exit codes: 0 done, 1 refused with one line that
says why, 2 wrong usage, 130 interrupted.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
import typer.core

import sg_train
from sg_train.errors import SettingsError, SgTrainError

if TYPE_CHECKING:
    from sg_train.config import Config
    from sg_train.training.run_directory import Matrix
    from sg_train.vectors.word_vectors import WordVectors

_INTERRUPTED = 130


class _OneLineErrors(typer.core.TyperGroup):
    """Says every error that a user can mend in one line on stderr."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *arguments: Any,
        **extra: Any,
    ) -> None:
        """Run a command and leave with its exit code."""
        extra["standalone_mode"] = False
        try:
            code = super().main(args, prog_name or "sg-train", *arguments, **extra)
        except Exception as error:
            message, code = _explain(error)
            if message is None:
                raise
            line = " ".join(message.split("\n"))
            typer.echo(f"sg-train: {line}", err=True)
        if code == _INTERRUPTED:
            typer.echo("sg-train: interrupted", err=True)
        sys.exit(code)


def _explain(error: Exception) -> tuple[str | None, int]:
    """Return what to say of an error and the exit code; None for a fault of ours."""
    if isinstance(error, SgTrainError):
        return str(error), 1
    if isinstance(error, OSError):
        return f"{error.filename or 'system'}: {error.strerror or error}", 1
    if isinstance(error, MemoryError):
        return "not enough memory: lower model.dimension or sampling.window", 1
    describe = getattr(error, "format_message", None)
    return (
        (f"{describe().rstrip('.')}; see sg-train --help", 2) if describe else (None, 1)
    )


app = typer.Typer(
    cls=_OneLineErrors,
    help="Train word2vec skip-gram vectors from text.",
    epilog="Example: sg-train train configs/quickstart.yaml",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
Vectors = Annotated[
    Path, typer.Argument(metavar="VECTORS", help="A run directory or a vector file.")
]
MatrixOption = Annotated[
    Literal["u", "v", "sum"] | None,
    typer.Option(help="Input vectors, output vectors or their sum."),
]


@app.callback(invoke_without_command=True)
def _main(
    ctx: typer.Context,
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.")
    ] = False,
) -> None:
    if version:
        typer.echo(sg_train.__version__)
    elif ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command(
    epilog="Example: sg-train prepare data/sotu.txt --out corpora/sotu",
)
def prepare(
    paths: Annotated[
        list[str], typer.Argument(help="Files, directories, globs, or - for stdin.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory of the prepared corpus.")],
    config: Annotated[
        Path | None, typer.Option(help="Settings in YAML; its paths are not used.")
    ] = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn text into a vocabulary and encoded ids, which any run can train on."""
    from sg_train.config import load_config
    from sg_train.corpus.prepare import prepare as prepare_corpus
    from sg_train.machine import available_cpus

    settings = load_config(config, overrides or ())
    corpus = prepare_corpus(
        settings.corpus.model_copy(update={"paths": paths}),
        settings.vocabulary,
        out,
        settings.training.threads or available_cpus(),
        overwrite=overwrite,
    )
    typer.echo(
        f"{out}: {corpus.words} words, vocabulary {len(corpus.vocabulary)}", err=True
    )


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
    out: Annotated[
        Path | None, typer.Option(help="Run directory; by default runs/CONFIG.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train vectors and leave them, with all that made them, in a run directory."""
    settings = _load_config(config, overrides, corpus)
    directory = out or _default_run(config, settings)

    from sg_train.training.run import train as train_run

    train_run(settings, directory, overwrite=overwrite)
    typer.echo(f"{directory}: trained; sg-train neighbors {directory} WORD", err=True)


@app.command(epilog="Example: sg-train export runs/example vectors.txt")
def export(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    out: Annotated[Path, typer.Argument(help="The vector file to write.")],
    *,
    form: Annotated[
        Literal["text", "binary"] | None,
        typer.Option("--format", help="word2vec's text or binary format."),
    ] = None,
    matrix: MatrixOption = None,
) -> None:
    """Write a run's vectors to a file that other tools read."""
    from sg_train.training.run_directory import RunDirectory
    from sg_train.vectors.formats import save_vectors

    directory = RunDirectory(run)
    chosen = directory.load_config().export
    vectors = directory.load_vectors(matrix or chosen.matrix)
    save_vectors(vectors, out, form or chosen.format)


@app.command(epilog="Example: sg-train neighbors runs/example people country --top 3")
def neighbors(
    vectors: Vectors,
    words: Annotated[list[str], typer.Argument(help="Words to look up.")],
    *,
    top: Annotated[int, typer.Option(min=1, help="Neighbours a word.")] = 10,
    matrix: MatrixOption = None,
) -> None:
    """Show the words nearest to each word by cosine: WORD, NEIGHBOUR, COSINE."""
    from sg_train.vectors.queries import neighbors as nearest

    loaded = _load_vectors(vectors, matrix or "u")
    found = [(word, nearest(loaded, word, top)) for word in words]
    for word, pairs in found:
        for neighbor, cosine in pairs:
            typer.echo(f"{word}\t{neighbor}\t{cosine:.4f}")


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
    from sg_train.config import load_config, settings_table

    settings = load_config(config, overrides or ())
    typer.echo(settings_table() if table else settings.to_yaml(), nl=table)


def _load_config(
    file: Path | None, overrides: list[str] | None, corpus: list[str] | None
) -> "Config":
    from sg_train.config import load_config

    settings = load_config(file, overrides or ())
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


def _load_vectors(path: Path, matrix: "Matrix") -> "WordVectors":
    from sg_train.training.run_directory import RunDirectory
    from sg_train.vectors.formats import load_vectors

    if path.is_dir():
        return RunDirectory(path).load_vectors(matrix)
    return load_vectors(path)
