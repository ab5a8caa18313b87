"""How a run was made: run.json."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sg_train.corpus.meta import CorpusMeta
from sg_train.errors import RunError
from sg_train.system.files import atomic_file, read_regular
from sg_train.system.launch import Launch
from sg_train.vectors.drift import Drift

FORMAT = "sg-train run"
VERSION = 1


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class OwnPart(_Record):
    """A model or an engine of the user's own that trained a run.

    Attributes:
        kind: `model` or `engine`.
        name: its qualified name.
        source: SHA-256 of its source; None if the source could not be read.
    """

    kind: Literal["model", "engine"]
    name: str
    source: str | None


class RunRecord(_Record):
    """How a run was made, and the drift of its initial vectors.

    Attributes:
        config_hash: of the settings as requested.
        command: the arguments of the process.
        versions: of Python and of the libraries that decide the result.
        processor: its name.
        corpus: the metadata of the corpus that it trains on.
        ranks: how many processes train together.
        launch: their launcher, if it was torchrun.
        output_vectors_given: whether `model.init_from` also provided output vectors;
            None if the setting is not used.
        first_learning_rate: of the first run in a chain of `extend`.
        automatic: the numbers that were chosen for settings that were `auto`.
        own: the model or engine of the user's own, if it was not sg-train's.
        drift: of words that started with vectors from elsewhere.
    """

    config_hash: str
    command: list[str] = Field(default_factory=list)
    versions: dict[str, str] = Field(default_factory=dict)
    processor: str = ""
    corpus: CorpusMeta
    ranks: int = 1
    launch: Launch | None = None
    output_vectors_given: bool | None = None
    first_learning_rate: float | None = None
    automatic: dict[str, float] | None = None
    own: OwnPart | None = None
    drift: Drift | None = None

    @classmethod
    def load(cls, file: Path) -> "RunRecord":
        """Read how a run was made.

        Raises:
            RunError: the file cannot be read, is damaged or of another version.
        """
        try:
            content: dict[str, Any] = json.loads(read_regular(file))
            # Before 0.1.0 the file did not name its format.
            form = content.get("format", FORMAT), content.get("version", VERSION)
            if form != (FORMAT, VERSION):
                raise RunError(
                    f"{file}: has format {form[0]} {form[1]}, but this sg-train reads "
                    f"{FORMAT} {VERSION}; use the version that wrote it"
                )
            return cls.model_validate_json(json.dumps(content))
        except OSError as error:
            raise RunError(f"cannot read {file}: {error.strerror}") from error
        except ValidationError as error:
            fault = ".".join(map(str, error.errors()[0]["loc"]))
            raise RunError(f"{file}: damaged ({fault})") from error
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise RunError(f"{file}: damaged ({type(error).__name__})") from error

    def save(self, file: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        content = self.model_dump(mode="json")
        content["corpus"] = json.loads(self.corpus.to_json())
        content = {key: value for key, value in content.items() if value is not None}
        head = {"format": FORMAT, "version": VERSION}
        with atomic_file(file) as out:
            out.write(json.dumps(head | content, indent=2).encode() + b"\n")

    def replaced(self, **fields: Any) -> "RunRecord":
        """Return a record with some fields changed."""
        return self.model_copy(update=fields)
