"""Commands that look words up: neighbors, similarity, analogy."""

from typing import Annotated

import typer

from sg_train.cli.app import LOOK_UP, app
from sg_train.cli.options import (
    AsJson,
    MatrixOption,
    Method,
    Restrict,
    Strict,
    Vectors,
    load_vectors,
    show,
    split_known,
)

Top = Annotated[int, typer.Option(min=1, help="Number of words to show.")]


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train neighbors runs/example people country --top 3",
)
def neighbors(
    vectors: Vectors,
    words: Annotated[
        list[str], typer.Argument(metavar="WORDS", help="Words to look up.")
    ],
    *,
    top: Annotated[int, typer.Option(min=1, help="Number of neighbours to show.")] = 10,
    restrict: Restrict = None,
    strict: Strict = False,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the nearest neighbours of each word: WORD, NEIGHBOUR, COSINE.

    Words without a vector are named at the end, and the exit code is then 1.
    """
    loaded = load_vectors(vectors, matrix)
    known, missing = split_known(loaded, words, strict=strict)
    rows = [
        {"word": word, "neighbor": neighbor, "cosine": cosine}
        for word in known
        for neighbor, cosine in loaded.neighbors(word, top, restrict=restrict)
    ]
    show(rows, as_json=as_json)
    if missing:
        raise missing


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train similarity runs/example war peace",
)
def similarity(
    vectors: Vectors,
    first: Annotated[str, typer.Argument(metavar="FIRST", help="First word.")],
    second: Annotated[str, typer.Argument(metavar="SECOND", help="Second word.")],
    *,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the cosine similarity of two words: WORD, WORD, COSINE."""
    value = load_vectors(vectors, matrix).similarity(first, second)
    show([{"first": first, "second": second, "cosine": value}], as_json=as_json)


@app.command(
    rich_help_panel=LOOK_UP,
    epilog="Example: sg-train analogy runs/example state states nation --top 3",
)
def analogy(
    vectors: Vectors,
    a: Annotated[str, typer.Argument(metavar="A", help="The word a.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The word that a relates to.")],
    c: Annotated[
        str, typer.Argument(metavar="C", help="The word whose counterpart to find.")
    ],
    *,
    top: Top = 10,
    restrict: Restrict = None,
    method: Method = "add",
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Complete the analogy a : b :: c : ? with the best words: WORD, SCORE."""
    found = load_vectors(vectors, matrix).analogy(
        a, b, c, top, method=method, restrict=restrict
    )
    show([{"word": word, "score": score} for word, score in found], as_json=as_json)
