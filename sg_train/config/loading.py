"""The config of an experiment: read from YAML and `--set`, checked, written back.

All faults are reported at once, in one message that names each setting.
"""

import difflib
import hashlib
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator

from sg_train.config.sections import (
    CheckpointConfig,
    CorpusConfig,
    DistributedConfig,
    EvaluationConfig,
    ExportConfig,
    ModelConfig,
    SamplingConfig,
    Section,
    SweepConfig,
    TrainingConfig,
    TuneConfig,
    VocabularyConfig,
)
from sg_train.errors import SettingsError
from sg_train.wording import shortened

_SIMILAR = 0.75
_NONE_MARKS = "~"
_LONGEST_CONFIG = 1_000_000  # bytes
# As pydantic names the two types of a setting that is a number or `auto`.
_AUTO = "literal['auto']"
_NUMBERS = ("constrained-int", "int", "constrained-float", "float")
_PATHS = (
    ("corpus", "paths"),
    ("corpus", "phrases"),
    ("corpus", "prepared"),
    ("vocabulary", "extends"),
    ("model", "init_from"),
    ("evaluation", "similarity"),
    ("evaluation", "analogies"),
)


class Config(Section):
    """All settings of an experiment, in sections; immutable.

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
    tune: TuneConfig = TuneConfig()

    @model_validator(mode="after")
    def _freeze_what_is_given(self) -> "Config":
        if self.training.freeze_words != 0 and self.model.init_from is None:
            raise ValueError(
                "training.freeze_words: freezes vectors from model.init_from, which is "
                "not set; set it, or leave freeze_words out"
            )
        if self.training.freeze_words != 0 and self.model.max_norm is not None:
            raise ValueError(
                "training.freeze_words: cannot be combined with model.max_norm, which "
                "would scale frozen vectors; leave one of them out"
            )
        freeze = self.training.freeze
        if freeze != "both" and self.training.freeze_words == 0:
            raise ValueError(
                f"training.freeze={freeze}: freezes nothing, as freeze_words is 0; set "
                "training.freeze_words, or leave freeze out"
            )
        if freeze == "v" and not self.model.init_v:
            raise ValueError(
                "training.freeze=v: there are no output vectors to freeze, as "
                "model.init_v is false; set it to true"
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
            SettingsError: the file cannot be read or is not a mapping of sections, or
                settings are unknown, of the wrong type or out of range; one message
                names them all.

        >>> Config.load("configs/tiny.yaml", ["training.epochs=2"]).training.epochs
        2
        """
        values = {} if path is None else _read_yaml(Path(path))
        for override in overrides:
            _override(values, override)
        return _validate(values, "settings" if path is None else str(path))

    @classmethod
    def from_values(cls, values: Mapping[str, Any], where: str) -> "Config":
        """Make a config from plain values by section.

        Args:
            values: as `model_dump` returns them.
            where: their origin, for messages.

        Raises:
            SettingsError: settings are unknown, of the wrong type or out of range.
        """
        return _validate(dict(values), where)

    def with_overrides(self, overrides: Iterable[str]) -> "Config":
        """Return a config with `section.key=value` overrides applied.

        Raises:
            SettingsError: settings are unknown, of the wrong type or out of range.

        >>> Config().with_overrides(["model.dimension=7"]).model.dimension
        7
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
                    f"{dotted}: expected section.key, such as training.epochs"
                )
            values[section][key] = value
        return _validate(values, "settings")

    def with_absolute_paths(self) -> "Config":
        """Return a config in which no path depends on the working directory."""
        values = self.model_dump(mode="json")
        for section, key in _PATHS:
            value = values[section][key]
            if isinstance(value, list):
                values[section][key] = list(map(absolute_pattern, value))
            elif value is not None:
                values[section][key] = absolute_pattern(value)
        for key in ("exclude", "only"):  # words, or one file
            entries = values["vocabulary"][key]
            if len(entries) == 1 and Path(entries[0]).is_file():
                values["vocabulary"][key] = [absolute_pattern(entries[0])]
        return Config.model_validate(values)

    def hash(self) -> str:
        """Return a hexadecimal digest of all settings."""
        return hashlib.sha256(self.to_yaml().encode()).hexdigest()[:16]

    def to_yaml(self) -> str:
        """Return all settings as YAML, from which `load` restores the same config."""
        values = self.model_dump(mode="json")
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10_000)


def absolute_pattern(path: str) -> str:
    """Return a path or glob as seen from the root; standard input stays `-`.

    >>> absolute_pattern("/data/*.txt"), absolute_pattern("-")
    ('/data/*.txt', '-')
    """
    return path if path == "-" else str(Path(path).absolute())


def differences(one: Config, other: Config) -> list[str]:
    """Return the dotted keys of the settings in which two configs differ.

    >>> differences(Config(), Config().with_settings({"training.epochs": 3}))
    ['training.epochs']
    """
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
        # A setting that is a number or `auto` has a fault for either.
        wrong = [f for f in error.errors() if f["loc"][-1:] != (_AUTO,)]
        faults = "; ".join(_describe(fault) for fault in wrong)
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
    choices = schema.get("anyOf", [])
    if {"const": "auto", "type": "string"} in choices:
        return f"{_range_in_words(choices[0])}, or `auto`"
    for choice in choices:
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
    """Reads every scalar as text, and refuses duplicate keys and aliases.

    A short file can describe gigabytes by aliases of aliases.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        is_alias = isinstance(event, yaml.AliasEvent)
        if is_alias or getattr(event, "anchor", None) is not None:
            mark = "*" if is_alias else "&"
            raise yaml.composer.ComposerError(
                None,
                None,
                f"{mark} begins an {'alias' if is_alias else 'anchor'}, which a config "
                f"cannot have; put a value that begins with {mark} in quotes",
                event.start_mark,
            )
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002
    ) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(
                None, None, "duplicate key", node.start_mark
            )
        return mapping


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_CONFIG + 1)
        if len(content) > _LONGEST_CONFIG:
            raise SettingsError(
                f"{path}: longer than {_LONGEST_CONFIG} bytes; give a config"
            )
        text = content.decode()
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not a text file in UTF-8") from error
    values = _parse_yaml(text, str(path))
    if values == "":
        return {}
    if not isinstance(values, dict):
        raise SettingsError(
            f"{path}: expected sections with settings, such as `training:`"
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
        problem = getattr(error, "problem", None) or "nested too deeply or unreadable"
        if "alphabetic or numeric character" in problem:
            problem += " after * or &; put a value that begins with one in quotes"
        raise SettingsError(f"{where}{line}: not valid YAML: {problem}") from error
    return "" if value is None else value


def _override(values: dict[str, Any], override: str) -> None:
    dotted, equals, text = override.partition("=")
    section, dot, key = dotted.strip().partition(".")
    if not (equals and dot and section and key):
        meant = "" if dot else _nearest([section])
        raise SettingsError(
            f"--set {override}: expected section.key=value, such as training.epochs=10"
            f"{meant}"
        )
    inside = values.setdefault(section, {})
    if isinstance(inside, dict):  # anything else is reported with the other faults
        is_mark = len(text) == 1 and not text.isalnum() and text not in _NONE_MARKS
        # A mark alone, such as a comma, would not be valid YAML.
        inside[key] = text if is_mark else _parse_yaml(text, f"--set {dotted}")


def _describe(fault: Any) -> str:
    place = [str(part) for part in fault["loc"]]
    is_auto = bool(place) and place[-1] in _NUMBERS
    if is_auto:
        place.pop()
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        return f"{key}: unknown setting{_nearest(place)}"
    message = fault["msg"].removeprefix("Input ").removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return f"{key}: {message}" if key else message
    message += ", or auto" if is_auto else ""
    given = shortened(repr(fault["input"]))
    if len(place) == 1:
        return f"{key}: should be a section with settings, not {given}"
    return f"{key}: {message}, not {given}"


def _nearest(place: list[str]) -> str:
    """Return a question that names the most similar setting, if one is similar."""
    names = [key for key, *_ in settings()]
    if len(place) == 1:
        names += [name for name in Config.model_fields if name != place[0]]
    last = {name: name.rpartition(".")[2] for name in names}
    candidates = [name for name in names if last[name] == place[-1]]
    # The section is not compared: any two settings of a section would be similar.
    close = difflib.get_close_matches(place[-1], last.values(), 3, _SIMILAR)
    similar = [name for key in close for name in names if last[name] == key]
    candidates += [name for name in similar if name.startswith(f"{place[0]}.")]
    candidates += similar
    return f", did you mean {candidates[0]}?" if candidates else ""
