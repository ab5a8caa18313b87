"""Every setting, once: its type, default, range and meaning.

The checks of YAML files and of `--set`, the resolved config in a run directory and the
table in the README all come from the classes below.
"""

import difflib
import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sg_train.choices import Matrix, VectorFormat
from sg_train.errors import SettingsError

# YAML is read as text alone and each setting's declared type says what it means, so
# `1e-3` is a number, `010` is ten and `on` is a mark only where a mark is expected.
_NONE_WORDS = ("", "~", "null", "none")


def _none_if_said(value: object) -> object:
    said = isinstance(value, str) and value.strip().lower() in _NONE_WORDS
    return None if said else value


def _list_of_one(value: object) -> object:
    if _none_if_said(value) is None:
        return []
    return [value] if isinstance(value, str) else value


_OrNone = BeforeValidator(_none_if_said)


def _empty_if_none(value: object) -> object:
    return {} if _none_if_said(value) is None else value


_OrOne = BeforeValidator(_list_of_one)
_OrEmpty = BeforeValidator(_empty_if_none)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CorpusConfig(_Section):
    """Which text is read, and how it is split into sentences and words."""

    paths: Annotated[list[str], _OrOne] = Field(
        default=[],
        description="files, directories, globs, `-` for stdin, or one prepared corpus; "
        "plain, gzip, bzip2, xz or zstd; `{rank}` in them stands for the number of a "
        "process among several, each of which has its own text",
    )
    tokenizer: Literal["words", "whitespace"] = Field(
        default="words",
        description="`words`: runs of letters, marks and digits; `whitespace`: text "
        "that is tokenised already",
    )
    case: Literal["lower", "lower_turkic", "keep"] = Field(
        default="lower",
        description="how `words` treats capitals; `lower_turkic` lowers I to dotless ı",
    )
    phrases: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="file of `sg-train phrases --model`: its phrases become one word "
        "each",
    )
    max_sentence_length: int = Field(
        default=1000,
        ge=2,
        le=1_000_000,
        description="a line is a sentence; longer ones are split after so many words",
    )
    errors: Literal["strict", "replace"] = Field(
        default="strict",
        description="whether invalid UTF-8 and NUL bytes are refused or replaced",
    )
    memory_limit: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="megabytes for distinct words while they are counted, the others "
        "go to disk; by default half of what is free",
    )
    prepared: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="directory of the encoded corpus; by default one in `corpora/`, "
        "made anew when the text or a setting changes",
    )


class VocabularyConfig(_Section):
    """Which words get vectors."""

    min_count: int = Field(
        default=5, ge=1, description="words that occur less often are left out"
    )
    max_vocabulary: Annotated[int | None, _OrNone] = Field(
        default=None, ge=2, description="keep at most so many words, the most frequent"
    )
    extends: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="a run or prepared corpus whose words and counts are added to "
        "those of the text, as `sg-train extend` has it",
    )


class SamplingConfig(_Section):
    """Which windows and negatives are drawn from the text."""

    window: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="words to each side of the centre, at most",
    )
    dynamic_window: bool = Field(
        default=True,
        description="draw each window's width from 1..window, or always take the whole",
    )
    negatives: int = Field(
        default=5, ge=1, le=1000, description="negatives a window, shared by its pairs"
    )
    negative_exponent: float = Field(
        default=0.75,
        ge=-5,
        le=5,
        description="negatives are drawn by count ** exponent",
    )
    subsample: float = Field(
        default=1e-4,
        ge=0,
        le=1,
        description="words above this share of the corpus are thinned out; 0 keeps all",
    )


class ModelConfig(_Section):
    """The two embeddings and how they begin."""

    dimension: int = Field(default=100, ge=1, le=100_000, description="vector length")
    u_range: float = Field(
        default=0.75,
        ge=0,
        le=1000,
        description="u starts uniform in ±u_range / dimension",
    )
    v_range: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="v starts uniform in ±v_range / dimension",
    )

    init_from: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="a run or vector file: words that it has start with their vectors "
        "from there",
    )
    init_v: bool = Field(
        default=True,
        description="take output vectors from there, too, where it is a run",
    )

    @model_validator(mode="after")
    def _not_both_zero(self) -> "ModelConfig":
        if self.u_range == self.v_range == 0:
            raise ValueError(
                "u_range and v_range are both 0, and zeros never learn; raise one"
            )
        return self

    max_norm: Annotated[float | None, _OrNone] = Field(
        default=None, gt=0, description="vectors longer than this are scaled back to it"
    )
    scale_grad_by_freq: bool = Field(
        default=False,
        description="divide a word's gradient by how often it occurs in the batch",
    )


class TrainingConfig(_Section):
    """How the model is trained."""

    engine: Literal["auto", "autograd", "fused"] = Field(
        default="auto",
        description="`fused`: the fast one, on the CPU; `autograd`: the reference, on "
        "any device; `auto`: fused where it has what the other settings ask for",
    )
    device: str = Field(
        default="cpu", description="`cpu`, `cuda`, `cuda:1`, `mps`: any torch device"
    )
    epochs: int = Field(
        default=5, ge=1, le=100_000, description="how often the corpus is gone through"
    )
    learning_rate: float = Field(
        default=0.05, gt=0, le=100, description="learning rate at the first word"
    )
    final_learning_rate: float = Field(
        default=1e-4,
        ge=0,
        le=100,
        description="learning rate at the last word; it falls linearly between",
    )
    freeze_words: Annotated[int | None, _OrNone] = Field(
        default=0,
        ge=0,
        description="vectors from model.init_from stay as they are while so many words "
        "(of those that `sg-train vocab` says are kept) are trained on; null: to the "
        "end",
    )
    batch_size: int = Field(
        default=256,
        ge=1,
        le=1_000_000,
        description="windows a step of the autograd engine; the fused one takes one",
    )
    loader_workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="processes that draw windows ahead for the autograd engine",
    )
    threads: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        le=1024,
        description="by default the CPUs that are free to use",
    )
    deterministic: bool = Field(
        default=False,
        description="the same bytes whatever `threads` says: one thread trains",
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="seed of every draw")


class DistributedConfig(_Section):
    """How processes that torchrun launches train together."""

    round_words: int = Field(
        default=500_000,
        ge=1,
        description="words that all ranks together train on between two exchanges of "
        "what they have learnt",
    )
    frequent_rows: int = Field(
        default=4096,
        ge=1,
        description="rows, of the most frequent words, that every exchange covers; "
        "four times as many every fourth time, and so on",
    )
    timeout_seconds: float = Field(
        default=300,
        gt=0,
        le=1e6,
        description="a rank that does not answer for so long is given up",
    )


class CheckpointConfig(_Section):
    """How often a run saves what it needs to go on after whatever ends it."""

    every_seconds: float = Field(
        default=300,
        gt=0,
        description="seconds between checkpoints; there is one at each epoch's end, "
        "too, where that takes less than a fiftieth of the time",
    )


class EvaluationConfig(_Section):
    """What is scored while training; the scores go into metrics.jsonl."""

    similarity: Annotated[list[Path], _OrOne] = Field(
        default=[], description="files with two words and a score a line"
    )
    analogies: Annotated[list[Path], _OrOne] = Field(
        default=[], description="files with four words a line, by `: section`"
    )
    restrict: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="score with the most frequent words alone, so many",
    )
    every_words: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="words between evaluations; by default an epoch's",
    )
    stop_on: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="name of the score (a file's without its ending) that decides: the "
        "best weights are kept, and training stops when it no longer rises",
    )
    patience: int = Field(
        default=3, ge=1, description="evaluations in a row without a better score"
    )
    tensorboard: bool = Field(
        default=False,
        description="write loss, rate, speed, scores and in the end the vectors to "
        "`tensorboard/` in the run",
    )

    @model_validator(mode="after")
    def _stop_on_a_test(self) -> "EvaluationConfig":
        names = [path.stem for path in (*self.similarity, *self.analogies)]
        if len(set(names)) < len(names):
            raise ValueError("two tests have the same name; rename a file")
        if self.stop_on is not None and self.stop_on not in names:
            raise ValueError(
                f"stop_on={self.stop_on} is none of the tests "
                f"({', '.join(names) or 'there is none'})"
            )
        return self


class ExportConfig(_Section):
    """What `export` writes unless told otherwise."""

    matrix: Matrix = Field(
        default="u",
        description="`u` (input vectors), `v` (output vectors) or their sum",
    )
    format: VectorFormat = Field(
        default="text",
        description="word2vec's text or binary, GloVe's, one of arrays, or a "
        "directory for TensorBoard's projector",
    )


class SweepConfig(_Section):
    """Many runs instead of one: every combination of the values, or a sample."""

    values: Annotated[dict[str, Annotated[list[Any], _OrOne]], _OrEmpty] = Field(
        default={},
        description="lists of values by dotted key, as `training.seed: [1, 2, 3]`",
    )
    samples: Annotated[int | None, _OrNone] = Field(
        default=None, ge=1, description="draw so many combinations instead of all"
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="of the sample")

    @model_validator(mode="after")
    def _none_empty(self) -> "SweepConfig":
        for key, values in self.values.items():
            if not values or key.startswith("sweep."):
                raise ValueError(f"values: {key} cannot be swept over {values}")
        return self


class Config(_Section):
    """All settings of an experiment, in sections; it cannot be changed.

    >>> config = Config.load().with_settings({"training.epochs": 3})
    >>> config.training.epochs, config.model.dimension
    (3, 100)
    """

    corpus: CorpusConfig = CorpusConfig()
    vocabulary: VocabularyConfig = VocabularyConfig()
    sampling: SamplingConfig = SamplingConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    distributed: DistributedConfig = DistributedConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    export: ExportConfig = ExportConfig()
    sweep: SweepConfig = SweepConfig()

    @model_validator(mode="after")
    def _freeze_what_is_given(self) -> "Config":
        if self.training.freeze_words != 0 and self.model.init_from is None:
            raise ValueError(
                "training.freeze_words: freezes the vectors from model.init_from, and "
                "that is not set"
            )
        if self.training.freeze_words != 0 and self.model.max_norm is not None:
            raise ValueError(
                "training.freeze_words: model.max_norm would scale frozen vectors; "
                "leave one of them out"
            )
        return self

    @classmethod
    def load(
        cls, path: str | Path | None = None, overrides: Iterable[str] = ()
    ) -> "Config":
        """Merge the defaults, a YAML file and overrides, in this order.

        Args:
            path: the file, if there is one.
            overrides: settings as `section.key=value`, the values in YAML.

        Raises:
            SettingsError: the file cannot be read or is no mapping of sections, or
                settings are unknown, of the wrong type or out of range; all of them in
                one message.
        """
        values = {} if path is None else _read_yaml(Path(path))
        for override in overrides:
            _override(values, override)
        return _validate(values, "settings" if path is None else str(path))

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> "Config":
        """Make a config of plain values by section.

        Args:
            values: as `model_dump` returns them.
            where: they are from, for messages.

        Raises:
            SettingsError: settings are unknown, of the wrong type or out of range.
        """
        return _validate(dict(values), where)

    def with_overrides(self, overrides: Iterable[str]) -> "Config":
        """Return a config in which `section.key=value` overrides are applied.

        Raises:
            SettingsError: settings are unknown, of the wrong type or out of range.
        """
        values = self.model_dump(mode="json")
        for override in overrides:
            _override(values, override)
        return _validate(values, "settings")

    def with_settings(self, settings: Mapping[str, Any]) -> "Config":
        """Return a config with some settings changed, by dotted key.

        Raises:
            SettingsError: they are unknown, of the wrong type or out of range.
        """
        values = self.model_dump(mode="json")
        for dotted, value in settings.items():
            section, dot, key = dotted.partition(".")
            if not dot or not isinstance(values.setdefault(section, {}), dict):
                raise SettingsError(
                    f"{dotted}: expected section.key, as training.epochs"
                )
            values[section][key] = value
        return _validate(values, "settings")

    def hash(self) -> str:
        """Return a number in hexadecimal that tells settings apart."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """Return all settings as YAML that `load` reads back as the same."""
        values = self.model_dump(mode="json")
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)


def differences(one: Config, other: Config) -> list[str]:
    """Return the dotted keys of the settings in which two configs differ."""
    first, second = one.model_dump(), other.model_dump()
    return [
        f"{section}.{key}"
        for section, settings in first.items()
        for key, value in settings.items()
        if value != second[section][key]
    ]


def _validate(values: dict[str, Any], where: str) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_describe(fault) for fault in error.errors())
        raise SettingsError(f"{where}: {faults}") from error


def settings() -> Iterator[tuple[str, object, str, str]]:
    """Yield every setting's dotted key, default, range in words and description."""
    for section, field in Config.model_fields.items():
        for key, setting in type(field.default).model_fields.items():
            schema = type(field.default).model_json_schema()["properties"][key]
            yield (
                f"{section}.{key}",
                setting.default,
                _range_in_words(schema),
                setting.description or "",
            )


def settings_table() -> str:
    """Return all settings as a Markdown table."""
    rows = ["| setting | default | range | meaning |", "|---|---|---|---|"]
    for key, default, limits, description in settings():
        shown = yaml.safe_dump(default, default_flow_style=True).split("\n")[0]
        rows.append(f"| `{key}` | `{shown}` | {limits} | {description} |")
    return "\n".join(rows)


def _range_in_words(schema: dict[str, Any]) -> str:
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            schema = choice
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") not in ("integer", "number"):
        return {"boolean": "`true`, `false`", "array": "list", "object": "mapping"}.get(
            schema["type"], "text"
        )
    bounds = {
        "minimum": "≥ {}",
        "exclusiveMinimum": "> {}",
        "maximum": "≤ {}",
        "exclusiveMaximum": "< {}",
    }
    words = [text.format(schema[key]) for key, text in bounds.items() if key in schema]
    return f"{schema['type']}, " + ", ".join(words)


class _TextLoader(yaml.BaseLoader):
    """Reads every scalar as text and refuses a key that stands twice."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "a key stands there twice", node.start_mark
            )
        return mapping


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not a text file in UTF-8") from error
    values = _parse_yaml(text, str(path))
    if values == "":
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"{path}: not a mapping; expected sections with settings, as `training:`"
        )
    for section, content in values.items():
        if content == "":
            values[section] = {}
    return values


def _parse_yaml(text: str, where: str) -> Any:
    try:
        value = yaml.load(text, Loader=_TextLoader)  # noqa: S506 (constructs text only)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "nested too deep or unreadable"
        raise SettingsError(f"{where}{line}: not valid YAML: {problem}") from error
    return "" if value is None else value


def _override(values: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    section, dot, key = dotted.strip().partition(".")
    if not (equals and dot and section and key):
        raise SettingsError(
            f"--set {override}: expected section.key=value, as in training.epochs=10"
        )
    inside = values.setdefault(section, {})
    if isinstance(inside, dict):  # anything else is reported with all other faults
        inside[key] = _parse_yaml(text, f"--set {dotted}")


def _describe(fault: Any) -> str:
    place = [str(part) for part in fault["loc"]]
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown setting{_nearest(place)}"
    message = fault["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{key}: {message}" if key else message
    if len(place) == 1:
        return f"{key}: should be a section with settings, not {fault['input']!r}"
    return f"{key}: {message}, not {fault['input']!r}"


def _nearest(place: list[str]) -> str:
    sections = list(Config.model_fields)
    known = [key for key, *_ in settings()]
    if len(place) == 1:
        candidates = [key for key in known if key.endswith(f".{place[0]}")]
        candidates += difflib.get_close_matches(place[0], sections, 1)
    else:
        candidates = [key for key in known if key.endswith(f".{place[-1]}")]
        candidates += difflib.get_close_matches(".".join(place), known, 1)
    return f", did you mean {candidates[0]}?" if candidates else ""
