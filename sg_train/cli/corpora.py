"""Commands that turn text into what is trained on: prepare, phrases."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.choices import PhraseScoring
from sg_train.cli.app import app
from sg_train.cli.options import AsJson, Overrides, Overwrite, show
from sg_train.errors import CorpusError, OutputError, SettingsError

if TYPE_CHECKING:
    from sg_train.config import CorpusConfig

Texts = Annotated[
    list[str], typer.Argument(help="Files, directories, globs, or - for stdin.")
]
TextConfig = Annotated[
    Path | None, typer.Option(help="Settings in YAML; its paths are not used.")
]


@app.command(
    epilog="Example: sg-train prepare data/sotu.txt --out corpora/sotu",
)
def prepare(
    paths: Texts,
    *,
    out: Annotated[Path, typer.Option(help="Directory of the prepared corpus.")],
    config: TextConfig = None,
    overrides: Overrides = None,
    overwrite: Overwrite = False,
) -> None:
    """Turn text into a vocabulary and encoded ids, which any run can train on."""
    from sg_train.config import Config
    from sg_train.corpus.prepare import prepare as prepare_corpus
    from sg_train.machine import available_cpus

    settings = Config.load(config, overrides or ())
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
    epilog="Example: sg-train phrases data/sotu.txt --model phrases.tsv "
    "--out phrased.txt --connectors english"
)
def phrases(
    paths: Texts,
    *,
    model: Annotated[
        Path | None,
        typer.Option(help="Where phrases go, for the setting corpus.phrases."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the text goes, with phrases joined.")
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Least score; by default 10, 100 and .5, by the scoring."),
    ] = None,
    scoring: Annotated[
        PhraseScoring,
        typer.Option(help="The formula: gensim's, word2phrase.c's or NPMI."),
    ] = "gensim",
    min_count: Annotated[
        int,
        typer.Option(min=1, max=2**31, help="Pairs that occur less often are none."),
    ] = 5,
    passes: Annotated[
        int, typer.Option(min=1, max=20, help="The second pass joins phrases, too.")
    ] = 1,
    connectors: Annotated[
        str | None,
        typer.Option(help="Words inside phrases: english, or a file, one a line."),
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="What stands between a phrase's words.")
    ] = "_",
    config: TextConfig = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
) -> None:
    """Find words that belong together, such as new_york, and join them.

    Without --model and --out, prints PASS, PHRASE, SCORE and COUNT.
    """
    from sg_train.config import Config
    from sg_train.corpus.phrase_finder import find_phrases
    from sg_train.corpus.phrases import PhraseSettings, check_settings
    from sg_train.files import scratch_directory
    from sg_train.machine import available_cpus

    settings = Config.load(config, overrides or ())
    asked = PhraseSettings(
        min_count=min_count,
        threshold=_THRESHOLDS[scoring] if threshold is None else threshold,
        scoring=scoring,
        passes=passes,
        delimiter=delimiter,
        connectors=_read_connectors(connectors, settings.corpus),
    )
    check_settings(asked)
    _check_files(model, out, paths)
    if settings.corpus.phrases is not None:
        raise SettingsError(
            "corpus.phrases: joins phrases while a text is prepared, not while others "
            "are looked for; give --passes 2 to find longer ones"
        )
    threads = settings.training.threads or available_cpus()
    corpus = settings.corpus.model_copy(update={"paths": paths})
    with scratch_directory(out or model) as directory:
        found = find_phrases(corpus, asked, directory, threads)
        if out is not None:
            found.save(out, threads)
    if model is not None:
        found.phrases.save(model)
    if model is None and out is None:
        rows = [
            {
                "pass": number,
                "phrase": found.phrases.name(phrase),
                "score": phrase.score,
                "count": phrase.count,
            }
            for number, each in enumerate(found.phrases.passes, start=1)
            for phrase in each
        ]
        show(rows, as_json=as_json)
    typer.echo(_summary(len(found.phrases), model, out), err=True)


_THRESHOLDS: dict[PhraseScoring, float] = {
    "gensim": 10,
    "word2phrase": 100,
    "npmi": 0.5,
}


def _read_connectors(name: str | None, corpus: "CorpusConfig") -> tuple[str, ...]:
    """Return connector words as the text's own tokenizer has them."""
    from sg_train.corpus.phrases import ENGLISH_CONNECTORS
    from sg_train.corpus.tokenizer import make_tokenizer

    if name is None:
        return ()
    if name == "english":
        return ENGLISH_CONNECTORS
    try:
        tokens = Path(name).read_bytes().decode().split()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"--connectors {name}: cannot be read ({error}); give `english` or a file "
            "with one word a line"
        ) from error
    tokenizer = make_tokenizer(corpus.tokenizer, corpus.case)
    folded = " ".join(tokens).encode().translate(tokenizer.fold).decode().split()
    words = (word for token in folded for word in tokenizer.words(token))
    return tuple(dict.fromkeys(words))


def _check_files(model: Path | None, out: Path | None, texts: list[str]) -> None:
    """Refuse, before any work, files that cannot or should not be written."""
    from sg_train.corpus.reader import expand_paths

    read = {Path(file).resolve() for file in expand_paths(texts)}
    for path in (model, out):
        if path is None:
            continue
        if path.exists() and not path.is_file():
            raise SettingsError(f"{path}: is no ordinary file; name one")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no such directory")
        if path.resolve() in read:
            raise SettingsError(f"{path}: is the text itself; name another file")
    if model is not None and out is not None and model.resolve() == out.resolve():
        raise SettingsError(f"--model and --out: are both {out}; name two files")


def _summary(count: int, model: Path | None, out: Path | None) -> str:
    uses = []
    if model is not None:
        uses.append(f"--set corpus.phrases={model} joins them in prepare and train")
    if out is not None:
        uses.append(f"train on {out} with corpus.tokenizer=whitespace")
    return "; ".join([f"{count} phrases", *uses])
