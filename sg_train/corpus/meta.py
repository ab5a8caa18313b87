"""The metadata of a prepared corpus: meta.json."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from sg_train.errors import CorpusError
from sg_train.system.files import read_regular

FORMAT = "sg-train corpus"
VERSION = 2
META_FILE = "meta.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class Fingerprint(_Record):
    """Identifies the texts, settings and phrases that a corpus was prepared from.

    Attributes:
        settings: those of sections corpus and vocabulary that determine the content.
        inputs: path, size (bytes) and modification time (nanoseconds) of each file;
            None for text from a pipe, which cannot be recognised later, and for a mixed
            corpus.
        phrases: digest of the joined phrases, if any.
        extends: digest of the vocabulary whose counts were added, if any.
        lists: digest of the words to leave out or to keep, if any.
        function: digest of the module of a tokenizer that is a Python function.
        mixed: digest of the corpora and the share that it was mixed from, if it was.
        shards: digest of the fingerprints of all ranks, if each rank has its own text.
    """

    settings: dict[str, Any]
    inputs: list[tuple[str, int, int]] | None
    phrases: str | None = None
    extends: str | None = None
    lists: str | None = None
    function: str | None = None
    mixed: str | None = None
    shards: str | None = Field(default=None, alias="parts")


class CorpusMeta(_Record):
    """Sizes, checksum and origin of a prepared corpus.

    Attributes:
        words: running words in its sentences.
        sentences: number of sentences.
        vocabulary: V, the number of words in the vocabulary.
        checksum: hexadecimal digest of words, ids and sentences, and of whether these
            are shuffled.
        fingerprint: identifies what it was prepared from.
        words_read: running words in the text, including those out of the vocabulary.
        words_counted: running words counted: in the text, in other ranks' texts, and in
            the vocabulary that this one extends.
        distinct_words_counted: distinct words among these.
    """

    words: NonNegativeInt
    sentences: NonNegativeInt
    vocabulary: NonNegativeInt
    checksum: str
    fingerprint: Fingerprint
    words_read: NonNegativeInt | None = None
    words_counted: NonNegativeInt | None = None
    distinct_words_counted: NonNegativeInt | None = None

    @classmethod
    def load(cls, directory: Path) -> "CorpusMeta":
        """Read the metadata of a prepared corpus without opening its ids.

        Raises:
            CorpusError: `directory` is not a prepared corpus, or has another version.
        """
        file = directory / META_FILE
        try:
            content = json.loads(read_regular(file))
            if content["format"] != FORMAT:
                raise CorpusError(f"{directory}: not a prepared corpus")
            if content["version"] != VERSION:
                raise CorpusError(
                    f"{directory}: format version {content['version']}, but this "
                    f"sg-train reads version {VERSION}; prepare the corpus again"
                )
            return cls.from_json(content)
        except OSError as error:
            raise CorpusError(
                f"{directory}: not a prepared corpus ({error.strerror})"
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            where = ""
            if isinstance(error, ValidationError):
                where = f" ({'.'.join(map(str, error.errors()[0]['loc']))})"
            raise CorpusError(
                f"{file}: damaged{where}; prepare the corpus again"
            ) from error

    @classmethod
    def from_json(cls, content: Any) -> "CorpusMeta":
        """Validate parsed JSON and return it as metadata.

        Raises:
            ValueError: `content` does not describe a prepared corpus.
        """
        return cls.model_validate_json(json.dumps(content))

    def to_json(self) -> bytes:
        """Return the content of meta.json."""
        head = {"format": FORMAT, "version": VERSION}
        content = self.model_dump(mode="json", by_alias=True, exclude_none=False)
        content["fingerprint"] = {
            key: value
            for key, value in content["fingerprint"].items()
            if value is not None or key == "inputs"
        }
        return json.dumps(head | content, indent=2).encode() + b"\n"


def is_prepared(path: Path) -> bool:
    """Return whether `path` looks like a prepared corpus.

    >>> is_prepared(Path("data"))
    False
    """
    return (path / META_FILE).is_file() and (path / "ids.i32").is_file()
