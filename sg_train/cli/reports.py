"""Commands that show runs and vectors: compare, plot, report."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from sg_train.cli.app import app
from sg_train.cli.options import (
    Analogies,
    AsJson,
    MatrixOption,
    Restrict,
    Similarity,
    Vectors,
    load_vectors,
    open_run,
    read_tests,
    show,
)
from sg_train.errors import SettingsError


@app.command(epilog="Example: sg-train compare runs/example vectors.txt")
def compare(
    paths: Annotated[list[Path], typer.Argument(help="Runs and vector files.")],
    *,
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    sort: Annotated[
        str | None, typer.Option(help="Order by a column; by default the first score.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show runs in one table: settings that differ, loss, words/s and scores.

    Runs that differ in their seed alone become one row, with mean and standard
    deviation; what is marked with ≈ is as good as the best but for seeds. Without tests
    given here, runs show the scores that were taken while they trained.
    """
    from sg_train.reports.comparison import compare as compare_all
    from sg_train.reports.comparison import differing_settings, figure_names
    from sg_train.vectors.evaluation import Evaluation

    evaluation = None
    if restrict and not (similarity or analogies):
        raise SettingsError("--restrict: give --similarity or --analogies too")
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


@app.command(epilog="Example: sg-train plot runs/example --curves -o curves.svg")
def plot(
    vectors: Vectors,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="PNG, SVG or PDF.")],
    words: Annotated[
        str | None, typer.Option(help="Words to draw, with commas between them.")
    ] = None,
    count: Annotated[
        int, typer.Option(min=3, max=2000, help="How many words to choose.")
    ] = 120,
    curves: Annotated[
        bool, typer.Option("--curves", help="Draw how the run went instead.")
    ] = False,
    tsne: Annotated[
        bool, typer.Option("--tsne", help="Lay words out by t-SNE instead of PCA.")
    ] = False,
    matrix: MatrixOption = None,
) -> None:
    """Draw a map of words, or the curves of a run, into a file.

    Without --words the map shows frequent words with long vectors, which tend to be
    those with a meaning of their own.
    """
    from sg_train.reports.drawing import draw_curves, draw_map, save_figure
    from sg_train.vectors.word_map import content_words, make_map

    if curves:
        if words is not None or tsne or matrix:
            raise SettingsError("--curves: has no use for --words, --tsne or --matrix")
        lines = open_run(vectors).load_metrics()
        save_figure(draw_curves(lines, str(vectors)), out)
        return
    loaded = load_vectors(vectors, matrix)
    if words is None:
        chosen = content_words(loaded, count)
    else:
        chosen = [word.strip() for word in words.split(",")]
        if not all(chosen):
            raise SettingsError(f"--words {words}: a word is empty")
    word_map = make_map(loaded, chosen, "tsne" if tsne else "pca")
    figure, left_out = draw_map(word_map)
    save_figure(figure, out)
    if left_out:
        some = ", ".join(left_out[:10]) + ", ..." * (len(left_out) > 10)
        typer.echo(f"{out}: no room for {len(left_out)} labels: {some}", err=True)


@app.command(epilog="Example: sg-train report runs/example -o report.html")
def report(
    vectors: Vectors,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file.")],
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    matrix: MatrixOption = None,
) -> None:
    """Write one self-contained HTML page about a run or a vector file.

    By default it holds the scores of the tests that the run's config names.
    """
    from sg_train.reports.report import write_report

    run = open_run(vectors) if vectors.is_dir() else None
    evaluation = read_tests(vectors, similarity, analogies, restrict)
    loaded = load_vectors(vectors, matrix)
    write_report(out, loaded, evaluation(loaded), title=str(vectors), run=run)
