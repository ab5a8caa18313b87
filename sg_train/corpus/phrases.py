"""Phrases: neighbouring words that are written as one, such as new_york.

Phrases are found pass by pass; the second pass sees words and phrases alike, and so on,
and so finds longer ones. Connector words (of, the) neither begin nor end a phrase, but
may stand between its two words.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from sg_train.choices import PhraseScoring
from sg_train.errors import CorpusError, SettingsError
from sg_train.files import atomic_file

FORMAT = "sg-train phrases"
VERSION = 1

# Articles, prepositions and conjunctions.
ENGLISH_CONNECTORS = (
    *("a", "an", "the", "for", "of", "with", "without", "at", "from", "to"),
    *("in", "on", "by", "and", "or"),
)


@dataclass(frozen=True)
class PhraseSettings:
    """How phrases are found.

    Attributes:
        min_count: pairs that occur less often are no phrases.
        threshold: pairs with a higher score are phrases.
        scoring: the formula, see `phrase_finder`.
        passes: how often words are joined.
        delimiter: what stands between the words of a phrase.
        connectors: distinct words that may stand inside a phrase alone.
    """

    min_count: int = 5
    threshold: float = 10.0
    scoring: PhraseScoring = "gensim"
    passes: int = 1
    delimiter: str = "_"
    connectors: tuple[str, ...] = ()


def check_settings(settings: PhraseSettings) -> None:
    """Refuse settings that cannot find phrases.

    Raises:
        SettingsError: they cannot.
    """
    if settings.scoring == "npmi" and not -1 <= settings.threshold <= 1:
        raise SettingsError(
            f"threshold {settings.threshold:g}: NPMI lies between -1 and 1; give one "
            "there, such as 0.5"
        )
    if settings.scoring not in get_args(PhraseScoring):
        raise SettingsError(f"scoring {settings.scoring!r}: there is no such formula")
    if settings.scoring != "npmi" and not 0 < settings.threshold < math.inf:
        raise SettingsError(f"threshold {settings.threshold:g}: give one above 0")
    if len(set(settings.connectors)) < len(settings.connectors):
        raise SettingsError("connectors: a word stands there twice")
    delimiter = settings.delimiter
    if not delimiter.isprintable() or delimiter.split() != [delimiter]:
        raise SettingsError(
            f"delimiter {delimiter!r}: is empty or holds white space or what is no "
            "character; a phrase has to be one word"
        )


@dataclass(frozen=True)
class Phrase:
    """Words that are joined.

    Attributes:
        words: the first, any connectors, and the second; in later passes these two may
            be phrases themselves.
        score: by the formula that found it.
        count: how often the pair occurred, before anything was joined in its pass.
    """

    words: tuple[str, ...]
    score: float
    count: int


@dataclass(frozen=True)
class Phrases:
    """What was found in a text, and can be joined in any.

    Attributes:
        passes: the phrases of each pass, by falling score.
        settings: how they were found.
    """

    passes: tuple[tuple[Phrase, ...], ...]
    settings: PhraseSettings

    def __len__(self) -> int:
        return sum(map(len, self.passes))

    def name(self, phrase: Phrase) -> str:
        """Return a phrase as the one word that it becomes."""
        return self.settings.delimiter.join(phrase.words)

    def save(self, path: Path) -> None:
        """Write a line of JSON, then `PASS TAB SCORE TAB COUNT TAB WORDS` a line.

        Raises:
            OutputError: the file cannot be written.
        """
        head = {"format": FORMAT, "version": VERSION, **asdict(self.settings)}
        with atomic_file(path) as file:
            file.write(json.dumps(head, ensure_ascii=False).encode() + b"\n")
            for number, phrases in enumerate(self.passes, start=1):
                for phrase in phrases:
                    words = " ".join(phrase.words)
                    line = f"{number}\t{phrase.score!r}\t{phrase.count}\t{words}\n"
                    file.write(line.encode())

    @classmethod
    def load(cls, path: Path) -> "Phrases":
        """Read what `save` wrote.

        Raises:
            CorpusError: the file cannot be read or holds no phrases.
        """
        try:
            text = _read(path).decode()
        except UnicodeDecodeError as error:
            raise CorpusError(f"cannot read phrases from {path}: {error}") from error
        head, *lines = text.removesuffix("\n").split("\n")
        settings = _read_head(head, path)
        passes: list[list[Phrase]] = [[] for _ in range(settings.passes)]
        for place, line in enumerate(lines, start=2):
            try:
                number, score, count, words = line.split("\t")
                phrase = Phrase(tuple(words.split(" ")), float(score), int(count))
                inside = phrase.words[1:-1]
                is_sound = tuple(words.split()) == phrase.words and int(number) > 0
                if len(phrase.words) < 2 or not is_sound:
                    raise ValueError
                if not set(inside) <= set(settings.connectors):
                    raise ValueError
                passes[int(number) - 1].append(phrase)
            except (ValueError, IndexError) as error:
                raise CorpusError(
                    f"{path}, line {place}: expected `PASS TAB SCORE TAB COUNT TAB "
                    "WORDS`"
                ) from error
        return cls(tuple(map(tuple, passes)), settings)


def digest_of_phrases(path: Path) -> str:
    """Return a number in hexadecimal that tells the phrases in a file from others.

    Raises:
        CorpusError: the file cannot be read.
    """
    return hashlib.sha256(_read(path)).hexdigest()


def is_phrases(path: Path) -> bool:
    """Say whether a file looks like one of phrases."""
    start = f'{{"format": "{FORMAT}"'.encode()
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise CorpusError(f"cannot read phrases from {path}: {reason}") from error


def _read_head(line: str, path: Path) -> PhraseSettings:
    try:
        head = json.loads(line)
        form = head.pop("format"), head.pop("version")
        if not isinstance(head["connectors"], list):
            raise TypeError
        head["connectors"] = tuple(map(str, head["connectors"]))
        settings = PhraseSettings(**head)
        check_settings(settings)
        is_sound = type(settings.passes) is int and 0 < settings.passes < 100
    except (
        *(ValueError, TypeError, KeyError, AttributeError),
        *(SettingsError, RecursionError),
    ) as error:
        raise CorpusError(
            f"{path}: holds no phrases; sg-train phrases --model writes such a file"
        ) from error
    if form != (FORMAT, VERSION) or not is_sound:
        raise CorpusError(f"{path}: not phrases of a version that can be read")
    return settings
