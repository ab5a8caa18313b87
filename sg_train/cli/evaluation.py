"""Commands that evaluate and draw: evaluate, compare, plot, report."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.choices import TableFormat
from sg_train.cli.app import EVALUATE, app
from sg_train.cli.options import (
    Analogies,
    AsJson,
    LabelsOption,
    MatrixOption,
    Method,
    Restrict,
    Similarity,
    Strict,
    Vectors,
    check_replaceable,
    is_run,
    load_labels,
    load_vectors,
    open_run,
    read_tests,
    show,
    split_known,
)
from sg_train.errors import SettingsError
from sg_train.wording import listed

if TYPE_CHECKING:
    from sg_train.choices import Matrix
    from sg_train.errors import SgTrainError

_LOG = logging.getLogger(__name__)

_WORDS_ON_MAP = 120
_MAP = "a map"


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train evaluate runs/example --analogies data/analogies.txt",
)
def evaluate(
    vectors: Vectors,
    *,
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    match_case: Annotated[
        bool,
        typer.Option("--match-case", help="Distinguish capital and small letters."),
    ] = False,
    method: Method = "add",
    unseen: Annotated[
        bool,
        typer.Option(
            "--unseen",
            help="Also score similarity of words not seen in training, whose vectors "
            "are made from their n-grams.",
        ),
    ] = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Score vectors on tests of word similarity (Spearman) and analogy (accuracy).

    Questions that contain a word without a vector are left out and counted as missing.
    By default the tests are those of the run's config.
    """
    how = {"match_case": match_case, "method": method, "unseen": unseen}
    evaluation = read_tests(vectors, similarity, analogies, restrict, **how)
    if not evaluation.names:
        raise SettingsError("no tests: give --similarity FILE or --analogies FILE")
    scores = evaluation(load_vectors(vectors, matrix))
    show([asdict(score) for score in scores], as_json=as_json, heading=True)


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train compare runs/example runs/more",
)
def compare(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATHS", help="Runs and vector files.")
    ],
    *,
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    sort: Annotated[
        str | None,
        typer.Option(help="Column to sort by; by default the first score."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Columns to show, separated by commas: run, seeds, settings such as "
            "model.dimension, loss, words_per_second, names of tests.",
        ),
    ] = None,
    form: Annotated[
        TableFormat,
        typer.Option(
            "--format", help="Format; csv has means and spreads in separate columns."
        ),
    ] = "tsv",
    as_json: AsJson = False,
) -> None:
    """Compare runs in one table: settings that differ, loss, words/s and scores.

    Runs that differ only in their seed become one row with mean and standard deviation;
    ≈ marks values within seed noise of the best. If no tests are given, the table shows
    the scores that the runs recorded while training.
    """
    from sg_train.reports.comparison import compare as compare_all
    from sg_train.reports.table_text import (
        chosen_columns,
        rows_of,
        to_csv,
        to_latex,
        to_markdown,
    )
    from sg_train.vectors.evaluation import Evaluation

    evaluation = None
    if restrict and not (similarity or analogies):
        raise SettingsError("--restrict: needs --similarity or --analogies")
    if similarity or analogies:
        evaluation = Evaluation.from_files(
            similarity or [], analogies or [], restrict=restrict
        )
    if as_json and form not in ("tsv", "json"):
        raise SettingsError(f"--json: cannot be combined with --format {form}")
    as_json = as_json or form == "json"
    if as_json and columns is not None:
        raise SettingsError("--columns: cannot be combined with JSON, which has all")
    entries = compare_all(paths, evaluation, sort)
    if as_json:
        show([asdict(entry) for entry in entries], as_json=True)
        return
    rows = rows_of(entries, chosen_columns(entries, columns))
    texts = {"markdown": to_markdown, "latex": to_latex, "csv": to_csv}
    if form in texts:
        typer.echo(texts[form](rows), nl=False)
    else:
        show(rows, as_json=False, heading=True)


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train plot runs/example --curves -o curves.svg",
)
def plot(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="VECTORS",
            help="A run directory or a vector file; several with --path, --around "
            "and --x.",
        ),
    ],
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Picture to write: .png, .svg or .pdf.")
    ],
    words: Annotated[
        str | None,
        typer.Option(
            help="Words to draw, separated by commas; a word that contains a comma "
            "stands in double quotes, as in 'gold,\"1,000\"'."
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=3,
            max=2000,
            help="Number of words to draw: 120 by default; with --path and --around, "
            "of neighbours in each run, 8 by default.",
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=WORDS",
            help="Words to draw in a colour of their own, as in cities=Praha,Brno; can "
            "be repeated.",
        ),
    ] = None,
    labels: LabelsOption = None,
    title: Annotated[str, typer.Option(help="Title of the picture.")] = "",
    path: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Draw the path of a word through several runs, such as those of "
            "periods, among its neighbours.",
        ),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="Draw a word and its neighbours in each of several runs, one panel "
            "per run.",
        ),
    ] = None,
    curves: Annotated[
        bool,
        typer.Option(
            "--curves", help="Draw loss, learning rate and scores of the run instead."
        ),
    ] = False,
    x: Annotated[
        str | None,
        typer.Option(help="Draw --y of several runs against this setting instead."),
    ] = None,
    y: Annotated[
        str | None,
        typer.Option(help="A figure of runs: loss, held_out_loss or a test's name."),
    ] = None,
    tsne: Annotated[
        bool, typer.Option("--tsne", help="Use t-SNE instead of PCA.")
    ] = False,
    strict: Strict = False,
    matrix: MatrixOption = None,
) -> None:
    """Draw a map of words, a word's path, curves, or a figure of many runs.

    If --words is not given, the map shows frequent words with long vectors, which tend
    to be content words. Words without a vector are named at the end, and the exit code
    is then 1.
    """
    from sg_train.reports.drawing import check_picture, save_figure

    kind = _kind_of_picture(
        path=path, around=around, curves=curves or None, x=x, y=y if x is None else None
    )
    given = {
        "--words": words,
        "--group": group,
        "--tsne": tsne or None,
        "--labels": labels,
        "--matrix": matrix,
        "--count": count,
    }
    _check_fits(kind, given, paths)
    check_picture(out, is_map=kind == _MAP, tsne=tsne)
    check_replaceable(out, b"\x89PNG", b"<?xml", b"%PDF")
    if kind == _MAP:
        missing = _plot_map(
            *(paths[0], out, title, words, group, labels),
            count=count or _WORDS_ON_MAP,
            strict=strict,
            tsne=tsne,
            matrix=matrix,
        )
        if missing:
            raise missing
        return
    word = path if path is not None else around
    if word is not None:
        _plot_path(
            *(paths, out, title, word, labels),
            count=count,
            matrix=matrix,
            is_panels=around is not None,
        )
        return
    if kind == "--curves":
        from sg_train.reports.curve_drawing import draw_curves
        from sg_train.runs.metrics import load_metrics

        lines = load_metrics(open_run(paths[0]).metrics_file)
        title = title or str(paths[0])
        figure = draw_curves(lines, title)
    else:
        from sg_train.reports.sweep_drawing import draw_sweep

        if x is None or y is None:
            raise SettingsError(
                "--x, --y: give both, as in --x model.dimension --y loss"
            )
        figure = draw_sweep(paths, x, y, title)
    save_figure(figure, out)
    _warn_of_boxes(out, [title])


_OF_PATHS = ("--labels", "--matrix", "--count")
_OPTIONS_OF_PICTURES: dict[str, tuple[str, ...]] = {
    _MAP: ("--words", "--group", "--tsne", *_OF_PATHS),
    "--path": _OF_PATHS,
    "--around": _OF_PATHS,
    "--curves": (),
    "--x": (),
    "--y": (),
}


def _kind_of_picture(**options: object) -> str:
    """Return the option that decides what is drawn; without any, it is a map."""
    kinds = [f"--{name}" for name, value in options.items() if value is not None]
    if len(kinds) > 1:
        raise SettingsError(
            f"{' and '.join(kinds)}: cannot be combined; draw one picture at a time"
        )
    return kinds[0] if kinds else _MAP


def _check_fits(kind: str, given: Mapping[str, object], paths: Sequence[Path]) -> None:
    """Refuse options and numbers of runs that do not belong to a kind of picture."""
    for option, value in given.items():
        if value is not None and option not in _OPTIONS_OF_PICTURES[kind]:
            raise SettingsError(f"{option}: cannot be combined with {kind}")
    if len(paths) > 1 and kind in (_MAP, "--curves"):
        raise SettingsError(
            "VECTORS: one run or file, except with --path, --around and --x"
        )
    if len(paths) < 2 and kind in ("--path", "--around"):
        raise SettingsError(f"VECTORS: give two or more with {kind}")


def _plot_path(
    paths: list[Path],
    out: Path,
    title: str,
    word: str,
    labels: Path | None,
    *,
    count: int | None,
    matrix: "Matrix | None",
    is_panels: bool,
) -> None:
    """Draw a word in several spaces: its path, or its neighbours panel by panel."""
    from sg_train.reports.drawing import save_figure
    from sg_train.reports.path_drawing import draw_neighborhoods, draw_path
    from sg_train.vectors.paths import NEIGHBORS, trace_word

    named = load_labels(labels)
    spaces = [load_vectors(each, matrix) for each in paths]
    way = trace_word(spaces, word, count or NEIGHBORS)
    names = _short_names(paths)
    draw = draw_neighborhoods if is_panels else draw_path
    figure, left_out = draw(way, names, title, named)
    save_figure(figure, out)
    without = [name for name, near in zip(names, way.near, strict=True) if not near]
    if without:
        _LOG.warning("%s: no vector of %r in %s", out, word, listed(without, 10))
    _finish_map(out, [title, word, *names, *map(named.name, way.words)], left_out)


def _short_names(paths: Sequence[Path]) -> list[str]:
    """Return the names of runs or files without their common beginning.

    >>> _short_names([Path("runs/period-1840"), Path("runs/period-1900")])
    ['1840', '1900']
    """
    names = [each.stem if each.is_file() else each.name for each in paths]
    if len(set(names)) < len(names):
        names = [*map(str, paths)]
    shared = os.path.commonprefix(names)  # noqa: RUF071 (of characters)
    common = re.match(r"(.*[-_,/])?", shared)
    return [name[common.end() if common else 0 :] or name for name in names]


def _plot_map(
    path: Path,
    out: Path,
    title: str,
    words: str | None,
    group: list[str] | None,
    labels: Path | None,
    *,
    count: int,
    strict: bool,
    tsne: bool,
    matrix: "Matrix | None",
) -> "SgTrainError | None":
    """Draw a map of words, and return an error that names those without a vector."""
    from sg_train.reports.drawing import save_figure
    from sg_train.reports.labels import parse_groups, split_words_at_commas
    from sg_train.reports.map_drawing import draw_map
    from sg_train.vectors.word_map import (
        LEAST_WORDS,
        Projection,
        content_words,
        make_map,
    )

    known = load_labels(labels)
    grouped = parse_groups(group or ())
    loaded = load_vectors(path, matrix)
    asked = (
        split_words_at_commas(words, f"--words {words}") if words is not None else []
    )
    asked += [word for of_group in grouped.values() for word in of_group]
    missing = None
    if asked:
        chosen, missing = split_known([loaded], asked, strict=strict)
        if missing and len(chosen) < LEAST_WORDS:
            raise missing
    else:
        chosen = content_words(loaded, count)
    groups = {word: name for name, some in grouped.items() for word in some}
    have_vectors = frozenset(chosen)
    groups = {word: name for word, name in groups.items() if word in have_vectors}
    kind: Projection = "tsne" if tsne else "pca"
    word_map = make_map(loaded, chosen, kind, groups={**known.groups, **groups})
    figure, left_out = draw_map(word_map, title, known)
    save_figure(figure, out)
    _finish_map(out, [title, *map(known.name, word_map.words)], left_out)
    return missing


def _finish_map(out: Path, texts: list[str], left_out: list[str]) -> None:
    """Warn of characters and labels that a picture does not show."""
    _warn_of_boxes(out, texts)
    if left_out:
        some = listed(left_out, 10)
        _LOG.warning("%s: no room for %d labels: %s", out, len(left_out), some)


def _warn_of_boxes(out: Path, texts: list[str]) -> None:
    """Warn of characters that a picture shows as boxes."""
    from sg_train.reports.drawing import undrawable

    absent = undrawable(texts)
    if absent and out.suffix.lower() != ".svg":  # its viewer chooses the font
        _LOG.warning(
            "%s: no installed font has %d of the characters, such as %s, so they are "
            "drawn as boxes; install a font for them, such as Noto Sans or Noto Sans "
            "CJK",
            out,
            len(absent),
            absent[0],
        )


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train report runs/example -o report.html",
)
def report(
    vectors: Vectors,
    others: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="OTHERS",
            help="Further runs on the same text, to show in how many of them a "
            "neighbour is near.",
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    title: Annotated[
        str | None, typer.Option(help="Heading of the page; by default VECTORS.")
    ] = None,
    labels: LabelsOption = None,
    matrix: MatrixOption = None,
) -> None:
    """Write a self-contained HTML page about a run or a vector file.

    By default it shows the scores on the tests that the run's config names.
    """
    from sg_train.reports.report import check_libraries, write_report

    check_libraries()
    check_replaceable(out, b"<!doctype html>")
    run = open_run(vectors) if is_run(vectors) else None
    evaluation = read_tests(vectors, similarity, analogies, restrict)
    named = load_labels(labels)
    spaces = [load_vectors(path, matrix) for path in (vectors, *(others or ()))]
    title = title or str(vectors)
    scores = evaluation(spaces[0])
    write_report(out, spaces, scores, title=title, run=run, labels=named)
