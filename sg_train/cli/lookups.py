"""Commands that look one thing up: vocab, vector, info."""

from fnmatch import fnmatchcase
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer

from sg_train.cli.app import app
from sg_train.cli.options import AsJson, MatrixOption, Vectors, load_vectors, show
from sg_train.errors import SettingsError


@app.command(epilog="Example: sg-train vocab runs/example --search 'gold*' --top 5")
def vocab(
    path: Annotated[
        Path, typer.Argument(help="A run, prepared corpus or vocabulary file.")
    ],
    *,
    top: Annotated[
        int | None, typer.Option(min=1, help="Show the most frequent words, so many.")
    ] = None,
    search: Annotated[
        str | None,
        typer.Option(help="Show words of a pattern, in which * stands for anything."),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Measure how much of a text is out of the vocabulary."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at a vocabulary: WORD, COUNT, SHARE with --top or --search.

    Without these, shows how much of the corpus it keeps. With --text shows how many
    words of another text it lacks, split as its own text was, and the most frequent
    ones.
    """
    from sg_train.reports.description import open_words

    words = open_words(path)
    if text:
        if search is not None:
            raise SettingsError("--search: has no use beside --text")
        facts, missing = _coverage(words, text, top or 20)
        if as_json:
            show([{**facts, "most_frequent": missing}], as_json=True)
            return
        _show_facts(facts, as_json=False)
        show(missing, as_json=False, heading=True)
        return
    if top is None and search is None:
        _show_facts(_summary(words), as_json=as_json)
        return
    total = words.words_read or int(words.vocabulary.counts.sum())
    rows = [
        {"word": word, "count": count, "share": f"{count / total:.3g}"}
        for word, count in zip(
            words.vocabulary.words, words.vocabulary.counts.tolist(), strict=True
        )
        if search is None or fnmatchcase(word, search)
    ]
    show(rows[:top], as_json=as_json)


@app.command(epilog="Example: sg-train vector runs/example people")
def vector(
    vectors: Vectors,
    words: Annotated[list[str], typer.Argument(help="Words to look up.")],
    *,
    matrix: MatrixOption = None,
    as_json: AsJson = False,
) -> None:
    """Show words' vectors: the word and its numbers, exactly, as export writes them."""
    from sg_train.vectors.word2vec_formats import write_rows
    from sg_train.vectors.word_vectors import WordVectors

    loaded = load_vectors(vectors, matrix)
    rows = loaded.matrix[[loaded.id(word) for word in words]]
    if as_json:
        show(
            [
                {"word": word, "vector": row.tolist()}
                for word, row in zip(words, rows, strict=True)
            ],
            as_json=True,
        )
        return
    lines = BytesIO()
    write_rows(lines, WordVectors(words, rows), " ")
    typer.echo(lines.getvalue(), nl=False)


@app.command(epilog="Example: sg-train info runs/example")
def info(
    path: Annotated[
        Path, typer.Argument(help="Any file or directory of sg-train, or vectors.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Say what a file is, of which version, and how it was made: FACT, VALUE."""
    from sg_train.reports.description import describe

    _show_facts(describe(path), as_json=as_json)


def _show_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show([facts], as_json=True)
        return
    show([{"fact": key, "value": value} for key, value in facts.items()], as_json=False)


def _summary(words: Any) -> dict[str, Any]:
    kept = int(words.vocabulary.counts.sum())
    facts: dict[str, Any] = {"vocabulary": len(words.vocabulary), "words kept": kept}
    if words.words_read is not None:
        facts["words read"] = words.words_read
        facts["share kept"] = kept / words.words_read
    if words.distinct_read is not None:
        facts["distinct words read"] = words.distinct_read
    facts["least count"] = int(words.vocabulary.counts[-1])
    return facts


def _coverage(
    words: Any, text: list[str], top: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from sg_train.corpus.coverage import measure_coverage
    from sg_train.files import scratch_directory
    from sg_train.machine import available_cpus

    corpus = words.corpus.model_copy(update={"paths": text})
    with scratch_directory(Path("vocab")) as directory:
        found = measure_coverage(
            words.vocabulary.words, corpus, directory, available_cpus(), top
        )
    facts = {
        "words": found.words,
        "out of vocabulary": found.unknown_words,
        "out-of-vocabulary rate": found.unknown_words / found.words,
        "distinct words": found.distinct,
        "distinct out of vocabulary": found.unknown_distinct,
    }
    missing = [{"word": word, "count": count} for word, count in found.most_frequent]
    return facts, missing
