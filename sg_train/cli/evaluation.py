"""Commands that evaluate and draw: evaluate, compare, plot, report."""

import csv
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from sg_train.cli.app import EVALUATE, app
from sg_train.cli.options import (
    Analogies,
    AsJson,
    MatrixOption,
    Method,
    Restrict,
    Similarity,
    Strict,
    Vectors,
    check_replaceable,
    is_run,
    load_vectors,
    open_run,
    read_tests,
    show,
    split_known,
)
from sg_train.errors import SettingsError
from sg_train.wording import listed

_LOG = logging.getLogger(__name__)


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
    as_json: AsJson = False,
) -> None:
    """Compare runs in one table: settings that differ, loss, words/s and scores.

    Runs that differ only in their seed become one row with mean and standard deviation;
    ≈ marks values within seed noise of the best. If no tests are given, the table shows
    the scores that the runs recorded while training.
    """
    from sg_train.reports.comparison import compare as compare_all
    from sg_train.reports.comparison import differing_settings, figure_names
    from sg_train.vectors.evaluation import Evaluation

    evaluation = None
    if restrict and not (similarity or analogies):
        raise SettingsError("--restrict: needs --similarity or --analogies")
    if similarity or analogies:
        evaluation = Evaluation.from_files(
            similarity or [], analogies or [], restrict=restrict
        )
    entries = compare_all(paths, evaluation, sort)
    if as_json:
        show([asdict(entry) for entry in entries], as_json=True)
        return
    differing, figures = differing_settings(entries), figure_names(entries)
    rows: list[dict[str, Any]] = [
        {
            "run": entry.name,
            "seeds": entry.seeds,
            **{key: entry.settings.get(key) for key in differing},
            **{name: entry.figures.get(name) for name in figures},
        }
        for entry in entries
    ]
    show(rows, as_json=False, heading=True)


@app.command(
    rich_help_panel=EVALUATE,
    epilog="Example: sg-train plot runs/example --curves -o curves.svg",
)
def plot(
    vectors: Vectors,
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
        int, typer.Option(min=3, max=2000, help="Number of words to draw.")
    ] = 120,
    curves: Annotated[
        bool,
        typer.Option(
            "--curves", help="Draw loss, learning rate and scores of the run instead."
        ),
    ] = False,
    tsne: Annotated[
        bool, typer.Option("--tsne", help="Use t-SNE instead of PCA.")
    ] = False,
    strict: Strict = False,
    matrix: MatrixOption = None,
) -> None:
    """Draw a map of words, or the training curves of a run.

    If --words is not given, the map shows frequent words with long vectors, which tend
    to be content words. Words without a vector are named at the end, and the exit code
    is then 1.
    """
    from sg_train.reports.drawing import (
        check_picture,
        draw_curves,
        draw_map,
        save_figure,
    )
    from sg_train.runs.metrics import load_metrics
    from sg_train.vectors.word_map import LEAST_WORDS, content_words, make_map

    check_picture(out, is_map=not curves, tsne=tsne)
    check_replaceable(out, b"\x89PNG", b"<?xml", b"%PDF")
    if curves:
        if words is not None or tsne or matrix:
            raise SettingsError(
                "--curves: cannot be combined with --words, --tsne or --matrix"
            )
        lines = load_metrics(open_run(vectors).metrics_file)
        save_figure(draw_curves(lines, str(vectors)), out)
        _warn_of_boxes(out, [str(vectors)])
        return
    loaded = load_vectors(vectors, matrix)
    missing = None
    if words is None:
        chosen = content_words(loaded, count)
    else:
        asked = _split_list(words)
        chosen, missing = split_known(loaded, asked, strict=strict)
        if missing and len(chosen) < LEAST_WORDS:
            raise missing
    word_map = make_map(loaded, chosen, "tsne" if tsne else "pca")
    figure, left_out = draw_map(word_map)
    save_figure(figure, out)
    _warn_of_boxes(out, word_map.words)
    if left_out:
        some = listed(left_out, 10)
        _LOG.warning("%s: no room for %d labels: %s", out, len(left_out), some)
    if missing:
        raise missing


def _split_list(words: str) -> list[str]:
    """Split words at commas, except inside double quotes."""
    try:
        rows = list(csv.reader([words], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SettingsError(f"--words {words}: {error}") from error
    asked = [word.strip() for row in rows for word in row]
    if not asked or not all(asked):
        raise SettingsError(f"--words {words}: contains an empty word")
    return asked


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
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")],
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
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
    loaded = load_vectors(vectors, matrix)
    write_report(out, loaded, evaluation(loaded), title=str(vectors), run=run)
