"""Commands that train: train, resume, extend, tune, config."""

import json
import logging
import re
import shlex
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.cli.app import TRAIN, app
from sg_train.cli.options import (
    AsJson,
    ConfigFile,
    Overrides,
    Overwrite,
    show,
)
from sg_train.errors import SettingsError

if TYPE_CHECKING:
    from sg_train.config import Config
    from sg_train.training.tuning.tune import Finalist

_LOG = logging.getLogger(__name__)

_HEAD_OF_CONFIG = 4096  # bytes

CorpusOption = Annotated[
    list[str] | None,
    typer.Option(
        "--corpus",
        help="Text or prepared corpus, instead of corpus.paths; can be repeated.",
    ),
]


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train train configs/tiny.yaml --set training.epochs=2 "
    "--out runs/example",
)
def train(
    config: ConfigFile = None,
    *,
    corpus: CorpusOption = None,
    overrides: Overrides = None,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Run or vector file that provides initial vectors."),
    ] = None,
    compass: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Run on all texts, whose output vectors are kept fixed, so that runs "
            "on parts of the texts lie in one space.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run directory; by default runs/ and the config's name."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SECTION.KEY=VALUES",
            help="Train a run for each of these values, separated by commas; can be "
            "repeated, for all combinations.",
        ),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(help="Train a run for each of these seeds, as in 1-3 or 1,5,7."),
    ] = None,
    only: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Train only share K of N of these runs, as in 3/12, one per job.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Train vectors from text and save them in a run directory.

    With --grid, --seeds or a `sweep` section in the config, train one run after
    another, in directories named after --out.
    """
    if init_from is not None:
        asked = f"model.init_from={_quoted(init_from)}"
        overrides = [*(overrides or ()), asked]
    if compass is not None:
        if init_from is not None:
            raise SettingsError("--compass: cannot be combined with --init-from")
        overrides = [*_of_compass(compass), *(overrides or ())]
    settings = _load_config(config, overrides, corpus)
    directory = out or _default_run(config, settings)
    if settings.sweep.values or grid or seeds is not None:
        _train_sweep(settings, directory, grid, seeds, only, overwrite=overwrite)
        return
    if only is not None:
        raise SettingsError(f"--only {only}: needs --grid, --seeds or a sweep")

    from sg_train.training.train import train as train_run

    train_run(settings, directory, overwrite=overwrite)
    _log_trained(directory)


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train resume runs/example --set training.epochs=3",
)
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")],
    *,
    overrides: Overrides = None,
) -> None:
    """Continue an interrupted run, or train a finished one longer.

    Training continues from the newest sound checkpoint. Only training.epochs, threads
    and loader_workers, and the sections checkpoint, distributed, evaluation and export,
    can change.
    """
    from sg_train.training.train import resume as resume_run

    resume_run(run, overrides or ())
    _log_trained(run)


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train extend runs/example data/sotu.txt --out runs/more",
)
def extend(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS", help="New text: files, directories, globs, or - for stdin."
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Directory of the new run.")],
    anchor: Annotated[
        bool,
        typer.Option("--anchor", help="Keep the vectors of old words fixed."),
    ] = False,
    mix: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Also train on this share of the old text, so that less is forgotten.",
        ),
    ] = 0.0,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a finished run further on more text, and add its new words.

    Counts are added up, new words join the vocabulary, and old words start from their
    vectors. At the end, drift is reported: how far old words have moved.
    """
    from sg_train.training.extend import extend as extend_run

    extend_run(
        run,
        texts,
        out,
        overrides or (),
        anchor=anchor,
        mix=mix,
        overwrite=overwrite,
    )
    _log_trained(out)


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train tune configs/tiny.yaml --on data/analogies.txt "
    "--minutes 5 --out runs/tuned",
)
def tune(
    config: ConfigFile = None,
    *,
    on: Annotated[
        list[str],
        typer.Option(
            metavar="TEST",
            help="What to improve: a similarity or analogy test (a file, or the name "
            "of a test of the config), or held_out_loss; can be repeated.",
        ),
    ],
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Time for the whole search.")
    ] = 10.0,
    corpus: CorpusOption = None,
    overrides: Overrides = None,
    out: Annotated[Path, typer.Option(help="Directory of the best run.")],
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Search for better settings in a given time, and train with the best ones.

    The table compares the best settings with those given, each trained with several
    seeds: the score on the half of the test that they were chosen by, and on the half
    that the search has not seen. ≈ marks what is within seed noise of the best.
    """
    from sg_train.training.tuning.tune import tune as tune_all

    settings = _load_config(config, overrides, corpus)
    finalists = tune_all(settings, out, on, minutes, overwrite=overwrite)
    if as_json:
        show([asdict(each) for each in finalists], as_json=True)
    else:
        keys = dict.fromkeys(key for each in finalists for key in each.settings)
        rows = [_row(each, keys, out) for each in finalists]
        show(rows, as_json=False, heading=True)
    _log_trained(out)


def _row(finalist: "Finalist", keys: Iterable[str], out: Path) -> dict[str, object]:
    score = f"{finalist.score:.4f} ± {finalist.score_spread:.4f}"
    return {
        "score": f"{score} ≈" if finalist.is_tied else score,
        "unseen half": f"{finalist.unseen:.4f} ± {finalist.unseen_spread:.4f}",
        "seeds": finalist.seeds,
        "seconds": f"{finalist.seconds:.1f}",
        "run": str(out) if finalist.is_chosen else None,
        **{
            key: f"{value:g}" if isinstance(value, float) else value
            for key in keys
            for value in [finalist.settings.get(key, "as given")]
        },
    }


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train config configs/tiny.yaml --set model.dimension=50",
)
def config(
    config: ConfigFile = None,
    *,
    overrides: Overrides = None,
    table: Annotated[
        bool,
        typer.Option("--table", help="Print a Markdown table of all settings instead."),
    ] = False,
) -> None:
    """Print the settings that a run would use, as a YAML config."""
    from sg_train.config import Config, settings_table

    settings = Config.load(config, overrides or ())
    typer.echo(settings_table() if table else settings.to_yaml(), nl=table)


def _of_compass(path: Path) -> list[str]:
    """Return the settings of a run in the space of another one."""
    from sg_train.runs.directory import RunDirectory

    run = RunDirectory.open(path)
    run.check_done()
    return [
        f"model.dimension={run.load_config().model.dimension}",
        f"model.init_from={_quoted(path)}",
        "model.init_v=true",
        f"vocabulary.only={_quoted(run.vocabulary_file)}",
        "training.freeze=v",
        "training.freeze_words=null",
    ]


def _quoted(path: Path) -> str:
    """Return a path quoted for YAML, even if the file is called `none`."""
    text = f"./{path}" if str(path).lower() in ("none", "null", "~") else str(path)
    return json.dumps(text, ensure_ascii=False)


def _log_trained(run: Path) -> None:
    quoted = shlex.quote(str(run))
    _LOG.info("%s: trained; try sg-train neighbors %s WORD", run, quoted)


def _train_sweep(
    settings: "Config",
    directory: Path,
    grid: list[str] | None,
    seeds: str | None,
    only: str | None,
    *,
    overwrite: bool,
) -> None:
    from sg_train.training.sweep import sweep_of, train_sweep

    settings = sweep_of(settings, grid or (), seeds)
    share = _share(only)
    points = train_sweep(settings, directory, overwrite=overwrite, share=share)
    done = sum(point.is_done for point in points)
    _LOG.info(
        "%d runs trained, %d of them earlier; compare them with sg-train compare %s-*",
        len(points),
        done,
        directory,
    )


def _share(only: str | None) -> tuple[int, int]:
    """Return k and n, given as `k/n`."""
    if only is None:
        return 1, 1
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", only)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise SettingsError(
            f"--only {only}: expected a share such as 3/12, from 1/12 to 12/12"
        )
    return int(found[1]), int(found[2])


def _load_config(
    file: Path | None, overrides: list[str] | None, corpus: list[str] | None
) -> "Config":
    from sg_train.config import Config

    if file is not None and not _is_config(file):
        raise SettingsError(
            f"{file}: not a config (settings in YAML); to train on it as text, give "
            f"--corpus {shlex.quote(str(file))}"
        )
    settings = Config.load(file, overrides or ())
    if corpus:
        text = settings.corpus.model_copy(update={"paths": corpus})
        settings = settings.model_copy(update={"corpus": text})
    return settings


def _is_config(file: Path) -> bool:
    """Return whether a file is a config, however faulty, and not a text or corpus."""
    if file.suffix in (".yaml", ".yml") or not file.is_file():
        return not file.is_dir()
    with file.open("rb") as content:
        head = content.read(_HEAD_OF_CONFIG).decode(errors="replace")
    lines = [line for line in head.split("\n") if line.strip() and line[0] != "#"]
    return not lines or re.match(r"[\w.]+\s*:(\s|$)|[{%]|---", lines[0]) is not None


def _default_run(file: Path | None, settings: "Config") -> Path:
    named = [str(file)] if file else settings.corpus.paths
    stem = Path(named[0]).name.split(".")[0] if named else ""
    if not stem or not stem.replace("-", "").replace("_", "").isalnum():
        raise SettingsError("no name for the run directory: give --out runs/NAME")
    return Path("runs") / stem
