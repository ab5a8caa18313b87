"""Commands that prepare text for training: prepare, phrases."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sg_train.choices import PhraseScoring
from sg_train.cli.app import TRAIN, app
from sg_train.cli.options import (
    AsJson,
    Overrides,
    Overwrite,
    OverwriteFile,
    check_free,
    show,
)
from sg_train.corpus.phrases.phrases import USUAL_THRESHOLDS, PhraseSettings
from sg_train.errors import CorpusError, OutputError, SettingsError

if TYPE_CHECKING:
    from sg_train.config import CorpusConfig

_LOG = logging.getLogger(__name__)
_DEFAULTS = PhraseSettings()

Texts = Annotated[
    list[str],
    typer.Argument(metavar="PATHS", help="Files, directories, globs, or - for stdin."),
]
TextConfig = Annotated[
    Path | None, typer.Option(help="Settings in YAML; corpus.paths is not used.")
]


@app.command(
    rich_help_panel=TRAIN,
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
    """Turn text into a prepared corpus, which any number of runs can train on."""
    from sg_train.config import Config
    from sg_train.corpus.prepare import prepare as prepare_corpus
    from sg_train.system.machine import available_cpus

    settings = Config.load(config, overrides or ())
    corpus = prepare_corpus(
        settings.corpus.model_copy(update={"paths": paths}),
        settings.vocabulary,
        out,
        settings.training.threads or available_cpus(),
        overwrite=overwrite,
    )
    _LOG.info(
        "%s: %d words of text, vocabulary of %d words",
        out,
        corpus.words,
        len(corpus.vocabulary),
    )


@app.command(
    rich_help_panel=TRAIN,
    epilog="Example: sg-train phrases data/sotu.txt --model phrases.tsv "
    "--out phrased.txt --connectors english",
)
def phrases(
    paths: Texts,
    *,
    model: Annotated[
        Path | None,
        typer.Option(help="File to write phrases to, for the setting corpus.phrases."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write the text to, with phrases joined."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Score that phrases must exceed; by default 10 (gensim), 100 "
            "(word2phrase) or 0.5 (npmi)."
        ),
    ] = None,
    scoring: Annotated[
        PhraseScoring,
        typer.Option(help="Formula of the score."),
    ] = _DEFAULTS.scoring,
    min_count: Annotated[
        int,
        typer.Option(min=1, max=2**31, help="Ignore pairs rarer than this."),
    ] = _DEFAULTS.min_count,
    passes: Annotated[
        int,
        typer.Option(
            min=1, max=20, help="Number of passes; each finds longer phrases."
        ),
    ] = _DEFAULTS.passes,
    connectors: Annotated[
        str | None,
        typer.Option(
            help="Words allowed inside a phrase: `english`, or a file with one word "
            "per line."
        ),
    ] = None,
    delimiter: Annotated[
        str, typer.Option(help="Character that joins the words of a phrase.")
    ] = _DEFAULTS.delimiter,
    config: TextConfig = None,
    overrides: Overrides = None,
    overwrite: OverwriteFile = False,
    as_json: AsJson = False,
) -> None:
    """Find phrases such as new_york, and join them in a text.

    Without --model and --out, print them: PASS, PHRASE, SCORE, COUNT.
    """
    from sg_train.config import Config
    from sg_train.corpus.phrases.finder import find_phrases
    from sg_train.corpus.phrases.phrases import check_settings
    from sg_train.system.files import scratch_directory
    from sg_train.system.machine import available_cpus

    settings = Config.load(config, overrides or ())
    asked = PhraseSettings(
        min_count=min_count,
        threshold=USUAL_THRESHOLDS[scoring] if threshold is None else threshold,
        scoring=scoring,
        passes=passes,
        delimiter=delimiter,
        connectors=_read_connectors(connectors, settings.corpus),
    )
    check_settings(asked)
    _check_files(model, out, paths, overwrite=overwrite)
    if settings.corpus.phrases is not None:
        raise SettingsError(
            "corpus.phrases: cannot be combined with a search for phrases; give "
            "--passes 2 to find longer ones"
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
    _LOG.info("%s", _summary(len(found.phrases), model, out))


def _read_connectors(name: str | None, corpus: "CorpusConfig") -> tuple[str, ...]:
    """Return connector words as the text's tokenizer spells them."""
    from sg_train.corpus.phrases.phrases import ENGLISH_CONNECTORS
    from sg_train.corpus.spelling import tokenizer_of
    from sg_train.corpus.tokenizer import split_words

    if name is None:
        return ()
    if name == "english":
        return ENGLISH_CONNECTORS
    try:
        text = Path(name).read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"--connectors {name}: cannot be read ({error}); give `english` or a file "
            "with one word per line"
        ) from error
    return tuple(dict.fromkeys(split_words(tokenizer_of(corpus), text)))


def _check_files(
    model: Path | None, out: Path | None, texts: list[str], *, overwrite: bool
) -> None:
    """Refuse files that cannot or should not be written, before any work."""
    from sg_train.corpus.reader import expand_paths

    read = {Path(file).resolve() for file in expand_paths(texts, warns=False)}
    for path in (model, out):
        if path is None:
            continue
        if path.exists() and not path.is_file():
            raise SettingsError(f"{path}: not a regular file; choose another name")
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: its directory does not exist")
        if path.resolve() in read:
            raise SettingsError(f"{path}: this is the text itself; choose another name")
        check_free(path, overwrite=overwrite)
    if model is not None and out is not None and model.resolve() == out.resolve():
        raise SettingsError(f"--model and --out: both are {out}; name two files")


def _summary(count: int, model: Path | None, out: Path | None) -> str:
    uses = []
    if model is not None:
        uses.append(f"join them with --set corpus.phrases={model}")
    if out is not None:
        uses.append(f"train on {out} with --set corpus.tokenizer=whitespace")
    return "; ".join([f"{count} phrases", *uses])
