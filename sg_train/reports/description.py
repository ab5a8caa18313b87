"""What a file or directory is, and how it was made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from sg_train.config import Config, differences
from sg_train.corpus.encoded import (
    IDS_FILE,
    META_FILE,
    OFFSETS_FILE,
    is_prepared,
    read_meta,
)
from sg_train.corpus.phrases import VERSION as PHRASES_VERSION
from sg_train.corpus.phrases import Phrases, is_phrases
from sg_train.corpus.vocabulary import Vocabulary, is_vocabulary
from sg_train.errors import SgTrainError, TrainingError, VectorsError
from sg_train.training import checkpoint
from sg_train.training.run_directory import RunDirectory
from sg_train.vectors.formats import load_vectors
from sg_train.vectors.projector import is_projector

_WORDS_OF_ARRAY = ".words.txt"

Facts = Iterator[tuple[str, Any]]


def describe(path: Path) -> dict[str, Any]:
    """Say of a file or directory of ours, or a vector file, what it is.

    Returns:
        Facts by name, the first one `kind`.

    Raises:
        SgTrainError: it is none of these, or is damaged.
    """
    if not (path.is_file() or path.is_dir()):
        raise VectorsError(f"cannot read {path}: there is no such file or directory")
    for is_one, facts in _KINDS:
        if is_one(path):
            with _damage_named(path):
                return dict(facts(path))
    if path.is_dir():
        raise VectorsError(
            f"{path}: a directory, but no run, prepared corpus or checkpoint"
        )
    return dict(_vector_file(path))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Say of what is not as we write it that it is damaged."""
    try:
        yield
    except (AttributeError, TypeError, KeyError, ValueError) as error:
        raise TrainingError(f"{path}: damaged ({error!r})") from error


def _run(path: Path) -> Facts:
    run = RunDirectory.open(path)
    config, record = run.load_config(), run.load_record()
    yield "kind", "run"
    yield "state", _state_of(run)
    yield "vocabulary", len(Vocabulary.load(run.vocabulary_file))
    yield "dimension", config.model.dimension
    lines = run.load_metrics() if run.metrics_file.is_file() else []
    trained = [line for line in lines if line.get("loss") is not None]
    if trained:
        yield "words trained", trained[-1]["words"]
        yield "seconds", trained[-1]["seconds"]
        yield "loss", trained[-1]["loss"]
    for name, value in record.get("versions", {}).items():
        yield name, value
    yield "command", " ".join(record.get("command", []))
    yield "ranks", record.get("ranks", 1)
    yield "started from", config.model.init_from
    for name, value in (record.get("drift") or {}).items():
        yield f"drift, {name}", value
    yield from _settings(config)
    corpus = record.get("corpus") or {}
    yield "text", _inputs(corpus)
    yield "corpus checksum", corpus.get("checksum")


def _state_of(run: RunDirectory) -> str:
    if run.is_done():
        return "done"
    if checkpoint.has_any(run.checkpoints_directory):
        return f"not finished; sg-train resume {run.quoted} goes on"
    return "not finished, without a checkpoint"


def _corpus(path: Path) -> Facts:
    meta = read_meta(path)
    yield "kind", "prepared corpus"
    yield "format version", meta["version"]
    for key in (
        "words",
        "sentences",
        "vocabulary",
        "words_read",
        "words_counted",
        "distinct_words_counted",
    ):
        yield key.replace("_", " "), meta.get(key)
    for key, value in meta["fingerprint"]["settings"].items():
        yield key, value
    yield "text", _inputs(meta)
    yield "checksum", meta["checksum"]


def _inputs(meta: dict[str, Any]) -> str | None:
    inputs = (meta.get("fingerprint") or {}).get("inputs")
    return None if inputs is None else ", ".join(str(name) for name, *_ in inputs)


def _checkpoint(path: Path) -> Facts:
    state, weights = checkpoint.load(path)
    yield "kind", "checkpoint"
    yield "format version", checkpoint.VERSION
    yield "blocks done", state.position
    yield "pairs", state.pairs
    yield "words trained", state.progress["words"]
    yield "vocabulary", len(weights["u"])
    yield "dimension", weights["u"].shape[1]
    yield from _settings(Config.from_values(state.config, str(path)))
    yield "corpus", state.corpus["path"]
    yield "corpus checksum", state.corpus["checksum"]


def _weights(path: Path) -> Facts:
    weights = checkpoint.load_weights(path)
    yield "kind", checkpoint.WEIGHTS_FORMAT
    yield "vocabulary", len(weights["u"])
    yield "dimension", weights["u"].shape[1]


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
    lines = RunDirectory(path.parent).load_metrics()
    yield "kind", "metrics of a run"
    yield "lines", len(lines)
    if lines:
        yield from lines[-1].items()


def _vector_file(path: Path) -> Facts:
    vectors = load_vectors(path)
    yield "kind", "vectors"
    yield "words", len(vectors)
    yield "dimension", vectors.matrix.shape[1]
    yield "first words", " ".join(vectors.words[:5])


def _projector(_: Path) -> Facts:
    yield "kind", "vectors for TensorBoard's projector"


def _settings(config: Config) -> Facts:
    """Yield the settings that are not the default ones."""
    values, hash_ = config.model_dump(), config.hash()
    yield "settings hash", hash_
    for key in differences(config, Config()):
        section, name = key.split(".")
        yield key, _as_yaml(values[section][name])


def _as_yaml(value: Any) -> Any:
    if isinstance(value, bool | int | float | str):
        return value
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.split("\n")[0]


def _is_named(*names: str) -> Callable[[Path], bool]:
    """Tell files of a run, a corpus or a checkpoint, which are known by their names."""

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
    return max(path for path in directory.iterdir() if path.name.isdigit())


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
    (is_projector, _projector),
]
