"""Commands that ask vectors something, whoever trained them."""

from dataclasses import asdict
from typing import Annotated

import typer

from sg_train.choices import AnalogyMethod
from sg_train.cli.app import app
from sg_train.cli.options import (
    Analogies,
    AsJson,
    MatrixOption,
    Restrict,
    Similarity,
    Vectors,
    load_vectors,
    read_tests,
    show,
)
from sg_train.errors import SettingsError

Top = Annotated[int, typer.Option(min=1, help="How many answers.")]
Method = Annotated[AnalogyMethod, typer.Option(help="3CosAdd or 3CosMul.")]


@app.command(epilog="Example: sg-train neighbors runs/example people country --top 3")
def neighbors(
    vectors: Vectors,
    words: Annotated[list[str], typer.Argument(help="Words to look up.")],
    *,
    top: Top = 10,
    restrict: Restrict = None,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the words nearest to each word by cosine: WORD, NEIGHBOUR, COSINE."""
    loaded = load_vectors(vectors, matrix)
    rows = [
        {"word": word, "neighbor": neighbor, "cosine": cosine}
        for word in words
        for neighbor, cosine in loaded.neighbors(word, top, restrict=restrict)
    ]
    show(rows, as_json=as_json)


@app.command(epilog="Example: sg-train similarity runs/example war peace")
def similarity(
    vectors: Vectors,
    first: Annotated[str, typer.Argument(help="A word.")],
    second: Annotated[str, typer.Argument(help="Another.")],
    *,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the cosine of two words: WORD, WORD, COSINE."""
    value = load_vectors(vectors, matrix).similarity(first, second)
    show([{"first": first, "second": second, "cosine": value}], as_json=as_json)


@app.command(
    epilog="Example: sg-train analogy runs/example state states nation --top 3"
)
def analogy(
    vectors: Vectors,
    a: Annotated[str, typer.Argument(help="a is to b")],
    b: Annotated[str, typer.Argument(help="as")],
    c: Annotated[str, typer.Argument(help="c is to what?")],
    *,
    top: Top = 10,
    restrict: Restrict = None,
    method: Method = "add",
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Answer a : b :: c : ? with the words that fit best: WORD, SCORE."""
    found = load_vectors(vectors, matrix).analogy(
        a, b, c, top, method=method, restrict=restrict
    )
    show([{"word": word, "score": score} for word, score in found], as_json=as_json)


@app.command(
    epilog="Example: sg-train evaluate runs/example --analogies data/analogies.txt"
)
def evaluate(
    vectors: Vectors,
    *,
    similarity: Similarity = None,
    analogies: Analogies = None,
    restrict: Restrict = None,
    match_case: Annotated[
        bool, typer.Option("--match-case", help="Capitals matter; else they do not.")
    ] = False,
    method: Method = "add",
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Score vectors by word similarity (Spearman) and analogies (share of right ones).

    Questions with a word that has no vector are left out and counted as missing. By
    default the tests are those of the run's config.
    """
    how = {"match_case": match_case, "method": method}
    evaluation = read_tests(vectors, similarity, analogies, restrict, **how)
    if not evaluation.names:
        raise SettingsError("nothing to score: give --similarity or --analogies FILE")
    scores = evaluation(load_vectors(vectors, matrix))
    show([asdict(score) for score in scores], as_json=as_json, heading=True)
