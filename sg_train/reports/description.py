"""Description of a file or directory: its kind and how it was made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from sg_train.config import Config, differences
from sg_train.corpus.encoded import (
    IDS_FILE,
    OFFSETS_FILE,
)
from sg_train.corpus.meta import META_FILE, CorpusMeta, is_prepared
from sg_train.corpus.meta import VERSION as CORPUS_VERSION
from sg_train.corpus.phrases.phrases import VERSION as PHRASES_VERSION
from sg_train.corpus.phrases.phrases import Phrases, is_phrases
from sg_train.corpus.vocabulary import Vocabulary, is_vocabulary
from sg_train.errors import RunError, SgTrainError, VectorsError
from sg_train.runs import checkpoint
from sg_train.runs.directory import RunDirectory
from sg_train.runs.metrics import load_metrics, trained_lines
from sg_train.vectors.formats import is_directory_of_vectors, load_vectors

_WORDS_OF_ARRAY = ".words.txt"

_LISTS = ("paths", "similarity", "analogies")  # settings that may name many files

Facts = Iterator[tuple[str, Any]]


def describe(path: Path) -> dict[str, Any]:
    """Describe a file or directory of this tool, or a vector file.

    Returns:
        Facts by name, the first one `kind`.

    Raises:
        SgTrainError: it is none of these, or is damaged.
    """
    if not (path.is_file() or path.is_dir()):
        raise VectorsError(f"cannot read {path}: no such file or directory")
    for is_one, facts in _KINDS:
        if is_one(path):
            with _damage_named(path):
                return dict(facts(path))
    if path.is_dir():
        raise VectorsError(
            f"{path}: a directory, but not a run, prepared corpus or checkpoint"
        )
    return dict(_vector_file(path))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Raise RunError for content that this tool would not have written."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise RunError(f"{path}: damaged ({error!r})") from error


def _run(path: Path) -> Facts:
    run = RunDirectory.open(path)
    config, record = run.load_config(), run.load_record()
    yield "kind", "run"
    yield "state", _state_of(run)
    yield "vocabulary", len(Vocabulary.load(run.vocabulary_file))
    yield "dimension", config.model.dimension
    lines = load_metrics(run.metrics_file) if run.metrics_file.is_file() else []
    for line in trained_lines(lines)[-1:]:
        yield "words trained", line.words
        yield "seconds", line.seconds
        yield "loss", line.loss
    for line in [line for line in lines if line.held_out_loss is not None][-1:]:
        yield "held-out loss", line.held_out_loss
    yield from record.versions.items()
    yield "command", " ".join(record.command)
    yield "ranks", record.ranks
    yield "initial vectors", config.model.init_from
    for name, value in asdict(record.drift).items() if record.drift else ():
        yield f"drift, {name}", value
    yield from _settings(config)
    yield "chosen automatically", ", ".join(record.automatic or ()) or None
    yield "text", _inputs(record.corpus)
    yield "corpus checksum", record.corpus.checksum


def _state_of(run: RunDirectory) -> str:
    if run.is_done():
        return "done"
    if checkpoint.has_any(run.checkpoints_directory):
        return f"unfinished; continue it with sg-train resume {run.quoted}"
    return "unfinished, without a checkpoint"


def _corpus(path: Path) -> Facts:
    meta = CorpusMeta.load(path)
    yield "kind", "prepared corpus"
    yield "format version", CORPUS_VERSION
    for key in (
        "words",
        "sentences",
        "vocabulary",
        "words_read",
        "words_counted",
        "distinct_words_counted",
    ):
        yield key.replace("_", " "), getattr(meta, key)
    yield from meta.fingerprint.settings.items()
    yield "text", _inputs(meta)
    yield "checksum", meta.checksum


def _inputs(meta: CorpusMeta) -> list[str] | None:
    inputs = meta.fingerprint.inputs
    return None if inputs is None else [str(name) for name, *_ in inputs]


def _checkpoint(path: Path) -> Facts:
    state, weights = checkpoint.load(path)
    yield "kind", "checkpoint"
    yield "format version", checkpoint.VERSION
    yield "blocks done", state.position
    yield "pairs", state.pairs
    yield "words trained", state.progress["words"]
    yield "vocabulary", len(weights["v"])
    yield "dimension", weights["v"].shape[1]
    yield from _settings(Config.from_values(state.config, str(path)))
    yield "corpus", state.corpus["path"]
    yield "corpus checksum", state.corpus["checksum"]


def _weights(path: Path) -> Facts:
    weights = checkpoint.load_weights(path)
    yield "kind", checkpoint.WEIGHTS_FORMAT
    yield "vocabulary", len(weights["v"])
    yield "dimension", weights["v"].shape[1]


def _phrases(path: Path) -> Facts:
    phrases = Phrases.load(path)
    yield "kind", "phrases"
    yield "format version", PHRASES_VERSION
    for number, each in enumerate(phrases.passes, start=1):
        yield f"phrases of pass {number}", len(each)
    for key, value in asdict(phrases.settings).items():
        yield key, _as_yaml(list(value) if isinstance(value, tuple) else value)


def _vocabulary(path: Path) -> Facts:
    vocabulary = Vocabulary.load(path)
    yield "kind", "vocabulary"
    yield "words", len(vocabulary)
    yield "counts", int(vocabulary.counts.sum())


def _config(path: Path) -> Facts:
    yield "kind", "config"
    yield from _settings(Config.load(path))


def _metrics(path: Path) -> Facts:
    lines = load_metrics(path)
    yield "kind", "metrics of a run"
    yield "lines", len(lines)
    for line in lines[-1:]:
        yield from ((key, x) for key, x in asdict(line).items() if x is not None)


def _vector_file(path: Path) -> Facts:
    words, matrix, subwords, _ = load_vectors(path)
    yield "kind", "vectors"
    yield "words", len(words)
    yield "dimension", matrix.shape[1]
    yield "first words", " ".join(words[:5])
    if subwords is not None:
        yield "n-grams", f"{subwords.ngrams.shortest} to {subwords.ngrams.longest}"
        yield "buckets", subwords.ngrams.buckets


def _settings(config: Config) -> Facts:
    """Yield the hash of the settings, and those that differ from the defaults."""
    values, hash_ = config.model_dump(), config.hash()
    yield "settings hash", hash_
    for key in differences(config, Config()):
        section, name = key.split(".")
        value = values[section][name]
        yield key, list(map(str, value)) if name in _LISTS else _as_yaml(value)


def _as_yaml(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.split("\n")[0]


def _is_named(*names: str) -> Callable[[Path], bool]:
    """Return a test for a file of a run, corpus or checkpoint, known by its name."""

    def is_one(path: Path) -> bool:
        beside = ("config.yaml", META_FILE, checkpoint.STATE_FILE)
        return path.name in names and any((path.parent / n).is_file() for n in beside)

    return is_one


def _is_weights(path: Path) -> bool:
    try:
        checkpoint.load_weights(path)
    except SgTrainError:
        return False
    return True


def _newest(directory: Path) -> Path:
    return checkpoint.checkpoints_in(directory)[-1]


def _is_words_of_array(path: Path) -> bool:
    return path.name.endswith(_WORDS_OF_ARRAY) and _array(path).is_file()


def _array(words: Path) -> Path:
    return words.with_name(words.name.removesuffix(_WORDS_OF_ARRAY) + ".npy")


_KINDS: list[tuple[Callable[[Path], bool], Callable[[Path], Facts]]] = [
    (is_prepared, _corpus),
    (lambda path: (path / "config.yaml").is_file(), _run),
    (lambda path: (path / checkpoint.STATE_FILE).is_file(), _checkpoint),
    (checkpoint.has_any, lambda path: _checkpoint(_newest(path))),
    (_is_named(META_FILE, IDS_FILE, OFFSETS_FILE), lambda path: _corpus(path.parent)),
    (_is_named("run.json", "given.txt", ".lock"), lambda path: _run(path.parent)),
    (_is_named(checkpoint.STATE_FILE), lambda path: _checkpoint(path.parent)),
    (lambda path: path.suffix in (".yaml", ".yml"), _config),
    (_is_named("metrics.jsonl"), _metrics),
    (lambda path: path.is_file() and is_phrases(path), _phrases),
    (lambda path: path.suffix == ".safetensors" and _is_weights(path), _weights),
    (lambda path: path.is_file() and is_vocabulary(path), _vocabulary),
    (_is_words_of_array, lambda path: _vector_file(_array(path))),
    (is_directory_of_vectors, _vector_file),
]
