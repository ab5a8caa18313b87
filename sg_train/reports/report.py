"""One self-contained HTML page about a run or a vector file."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sg_train.config import Config
from sg_train.reports.curve_drawing import draw_curves
from sg_train.reports.drawing import to_bytes
from sg_train.reports.labels import Labels
from sg_train.reports.map_drawing import colour_of, legend_of
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import MetricsLine, load_metrics, trained_lines
from sg_train.system.files import atomic_file, behind_link
from sg_train.system.optional import require
from sg_train.vectors.agreement import runs_with_neighbors
from sg_train.vectors.evaluation import Score
from sg_train.vectors.word_map import LEAST_WORDS, content_words, make_map
from sg_train.vectors.word_vectors import WordVectors
from sg_train.wording import printable

_NO_LABELS = Labels()
_ON_MAP = 400
_OPENING = 200  # words that the table shows at first
_MOST_KNOWN = 200_000  # words that the page knows; about 2 MB
_TEMPLATES = Path(__file__).parent / "page"


def check_libraries() -> None:
    """Check what a page needs before the work on it begins.

    Raises:
        MissingLibraryError: a library is not installed.
    """
    for library in ("jinja2", "matplotlib", "scipy"):
        require(library, "a report", "report")


def write_report(
    out: Path,
    spaces: Sequence[WordVectors],
    scores: Sequence[Score],
    *,
    title: str,
    run: RunDirectory | None = None,
    table_words: int = 3000,
    top: int = 10,
    labels: Labels = _NO_LABELS,
) -> None:
    """Write the page: neighbours, map, scores and, for a run, curves and settings.

    The page needs no network: it contains its style, script and data.

    Args:
        out: the HTML file.
        spaces: the vectors to report on; then those of further runs on the same text,
            if any, and the page shows in how many a neighbour is among the nearest.
        scores: scores to list.
        title: the page's heading.
        run: the run that the vectors come from, if any.
        table_words: number of most frequent words in the table of neighbours.
        top: neighbours per word.
        labels: what to show for words, and the groups that the map colours.

    Raises:
        MissingLibraryError: jinja2 or matplotlib is not installed.
        OutputError: the file cannot be written.
    """
    jinja2 = require("jinja2", "a report", "report")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    vectors = spaces[0]
    table_words = min(table_words, len(vectors))
    lines = load_metrics(run.metrics_file) if run and run.metrics_file.exists() else []
    lines = lines if trained_lines(lines) else []
    on_map, legend = _map(vectors, min(_ON_MAP, len(vectors)), labels)
    data = _words_and_neighbors(vectors, table_words, top, on_map, labels)
    if len(spaces) > 1:
        _add_agreement(data, spaces, top)
    page = environment.get_template("page.html").render(
        title=printable(title),
        facts=_facts(vectors, run, lines),
        table_words=table_words,
        map_words=len(on_map),
        top=top,
        runs=len(spaces),
        is_grouped=bool(labels.groups),
        legend=legend,
        scores=scores,
        curves=jinja2.utils.markupsafe.Markup(_curves(lines)) if lines else "",
        settings=_settings(run.load_config()) if run else [],
        versions=_versions(run) if run else "",
        data=jinja2.utils.htmlsafe_json_dumps(data),
    )
    with atomic_file(behind_link(out)) as file:
        file.write(page.encode(errors="backslashreplace"))


def _map(
    vectors: WordVectors, count: int, labels: Labels
) -> tuple[list[tuple[int, float, float, str]], list[tuple[str, str]]]:
    """Return row, place and colour of each word on the map, and its legend."""
    words = content_words(vectors, count)
    if len(words) < LEAST_WORDS:
        return [], []
    laid_out = make_map(vectors, words, groups=labels.groups)
    places = laid_out.places - laid_out.places.min(axis=0)
    places /= places.max(axis=0).clip(1e-9)
    points = [
        (vectors.id(word), round(x, 4), round(y, 4), colour_of(cluster))
        for word, (x, y), cluster in zip(
            laid_out.words, places.tolist(), laid_out.clusters.tolist(), strict=True
        )
    ]
    return points, legend_of(laid_out, labels)


def _words_and_neighbors(
    vectors: WordVectors,
    count: int,
    top: int,
    on_map: Sequence[tuple[int, float, float, str]],
    labels: Labels,
) -> dict[str, Any]:
    """Renumber the words on the page, those of the table first."""
    rows, cosines = vectors.neighbor_table(count, top)
    named = list(range(count))
    numbers = {row: row for row in named}
    for row in [*rows.ravel().tolist(), *(point[0] for point in on_map)]:
        if numbers.setdefault(row, len(named)) == len(named):
            named.append(row)
    words = [vectors.words[row] for row in named]
    in_table = set(vectors.words[:count])
    first = [
        numbers[vectors.id(word)]
        for word in content_words(vectors, _OPENING)
        if word in in_table
    ]
    return {
        "words": words,
        "labels": [labels.names.get(word, "") for word in words]
        if labels.names
        else [],
        "first": first,
        "known": "\n".join(vectors.words[count:_MOST_KNOWN]),
        "neighbours": [
            [
                (numbers[row], round(cosine, 2))
                for row, cosine in zip(*pair, strict=True)
            ]
            for pair in zip(rows.tolist(), cosines.tolist(), strict=True)
        ],
        "map": [(numbers[row], *rest) for row, *rest in on_map],
    }


def _add_agreement(data: dict[str, Any], runs: Sequence[WordVectors], top: int) -> None:
    """Add to each neighbour the number of runs in which it is among the nearest."""
    words, neighbors = data["words"], data["neighbours"]
    near = [[words[row] for row, _ in some] for some in neighbors]
    counts = runs_with_neighbors(runs, words[: len(near)], near, top)
    data["runs"] = len(runs)
    data["neighbours"] = [
        [(*pair, count) for pair, count in zip(some, of_word, strict=True)]
        for some, of_word in zip(neighbors, counts, strict=True)
    ]


def _facts(
    vectors: WordVectors, run: RunDirectory | None, lines: Sequence[MetricsLine]
) -> list[tuple[str, str]]:
    facts = [
        (f"{len(vectors):,}", "words with a vector"),
        (f"{vectors.matrix.shape[1]:,}", "dimensions"),
    ]
    if run is None:
        return facts
    corpus = run.load_record().corpus
    if corpus.words_read and corpus.distinct_words_counted is not None:
        facts += [
            (f"{corpus.words_read:,}", "words of text"),
            (f"{corpus.distinct_words_counted:,}", "distinct words"),
            (f"{corpus.words:,}", "words of text with a vector"),
            (f"{1 - corpus.words / corpus.words_read:.2%}", "out of vocabulary"),
        ]
    return [
        *facts,
        *((f"{x.loss:.4f}", "final loss per pair") for x in trained_lines(lines)[-1:]),
    ]


def _curves(lines: Sequence[MetricsLine]) -> str:
    svg = to_bytes(draw_curves(lines), "svg").decode()
    return svg[svg.index("<svg") :]


def _settings(config: Config) -> list[tuple[str, str, bool]]:
    defaults = Config().model_dump(mode="json")
    return [
        (f"{section}.{key}", json.dumps(value), value == defaults[section][key])
        for section, values in config.model_dump(mode="json").items()
        for key, value in values.items()
    ]


def _versions(run: RunDirectory) -> str:
    versions = run.load_record().versions
    return ", ".join(f"{name} {version}" for name, version in versions.items())
