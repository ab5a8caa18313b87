"""Phrases: neighbouring words that are written as one, such as new_york.

Phrases are found pass by pass; each later pass treats the phrases found so far as words
and so finds longer ones. Connector words (of, the) neither begin nor end a phrase, but
may occur between its two words.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

from sg_train.choices import PhraseScoring
from sg_train.corpus.tokenizer import Tokenizer, split_words
from sg_train.errors import CorpusError, SettingsError
from sg_train.system.files import atomic_file, behind_link

FORMAT = "sg-train phrases"
VERSION = 1

USUAL_THRESHOLDS: dict[PhraseScoring, float] = {
    "gensim": 10,
    "word2phrase": 100,
    "npmi": 0.5,
}

# Articles, prepositions and conjunctions.
ENGLISH_CONNECTORS = (
    *("a", "an", "the", "for", "of", "with", "without", "at", "from", "to"),
    *("in", "on", "by", "and", "or"),
)


@dataclass(frozen=True)
class PhraseSettings:
    """Settings for finding phrases.

    Attributes:
        min_count: pairs that occur less often are not phrases.
        threshold: pairs with a higher score are phrases.
        scoring: the formula, see `finder`.
        passes: how many times pairs are found and joined.
        delimiter: joins the words of a phrase.
        connectors: distinct words that may occur only inside a phrase.
    """

    min_count: int = 5
    threshold: float = USUAL_THRESHOLDS["gensim"]
    scoring: PhraseScoring = "gensim"
    passes: int = 1
    delimiter: str = "_"
    connectors: tuple[str, ...] = ()


def check_settings(settings: PhraseSettings) -> None:
    """Refuse settings that cannot find phrases.

    Raises:
        SettingsError: a setting has an unusable value.
    """
    if settings.scoring == "npmi" and not -1 <= settings.threshold <= 1:
        raise SettingsError(
            f"threshold {settings.threshold:g}: NPMI scores are between -1 and 1; give "
            "a threshold in that range, such as 0.5"
        )
    if settings.scoring not in get_args(PhraseScoring):
        raise SettingsError(
            f"scoring {settings.scoring!r}: no such formula; choose one of "
            f"{', '.join(get_args(PhraseScoring))}"
        )
    if settings.scoring != "npmi" and not 0 < settings.threshold < math.inf:
        raise SettingsError(
            f"threshold {settings.threshold:g}: must be finite and above 0"
        )
    if len(set(settings.connectors)) < len(settings.connectors):
        raise SettingsError("connectors: duplicate word; list each word once")
    delimiter = settings.delimiter
    if not delimiter.isprintable() or delimiter.split() != [delimiter]:
        raise SettingsError(
            f"delimiter {delimiter!r}: is empty or contains white space or an "
            "unprintable character; choose one that keeps a phrase one word"
        )


@dataclass(frozen=True)
class Phrase:
    """Words that are joined into one.

    Attributes:
        words: the first word, any connectors, and the second word; in later passes,
            the first and second may themselves be phrases.
        score: by the formula that found it.
        count: how often the pair occurred before its pass joined anything.
    """

    words: tuple[str, ...]
    score: float
    count: int


@dataclass(frozen=True)
class Phrases:
    """Phrases found in one text, which can be joined in any text.

    Attributes:
        passes: the phrases of each pass, highest score first.
        settings: the settings they were found with.
    """

    passes: tuple[tuple[Phrase, ...], ...]
    settings: PhraseSettings

    def __len__(self) -> int:
        return sum(map(len, self.passes))

    def spelled(self, tokenizer: Tokenizer) -> "Phrases":
        """Return the phrases with their words as a tokenizer spells them.

        Phrases found in a text are spelled like it; those edited by hand may differ.
        """

        def spell(name: str) -> str:
            parts = name.split(self.settings.delimiter)
            spelled = [split_words(tokenizer, part) for part in parts]
            if any(len(words) != 1 for words in spelled):
                return name
            return self.settings.delimiter.join(words[0] for words in spelled)

        passes = []
        for phrases in self.passes:
            distinct: dict[tuple[str, ...], Phrase] = {}
            for phrase in phrases:
                words = tuple(map(spell, phrase.words))
                distinct.setdefault(words, replace(phrase, words=words))
            passes.append(tuple(distinct.values()))
        connectors = tuple(dict.fromkeys(map(spell, self.settings.connectors)))
        return Phrases(tuple(passes), replace(self.settings, connectors=connectors))

    def name(self, phrase: Phrase) -> str:
        """Return a phrase as the one word that it becomes."""
        return self.settings.delimiter.join(phrase.words)

    def save(self, path: Path) -> None:
        """Write a line of JSON, then `PASS TAB SCORE TAB COUNT TAB WORDS` lines.

        Raises:
            OutputError: the file cannot be written.
        """
        head = {"format": FORMAT, "version": VERSION, **asdict(self.settings)}
        with atomic_file(behind_link(path)) as file:
            file.write(json.dumps(head, ensure_ascii=False).encode() + b"\n")
            for number, phrases in enumerate(self.passes, start=1):
                for phrase in phrases:
                    words = " ".join(phrase.words)
                    line = f"{number}\t{phrase.score!r}\t{phrase.count}\t{words}\n"
                    file.write(line.encode())

    @classmethod
    def load(cls, path: Path) -> "Phrases":
        """Read phrases that `save` wrote.

        Raises:
            CorpusError: the file cannot be read or is not a file of phrases.
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


def delimiter_of(path: str | None) -> str:
    """Return the delimiter of a file of phrases; the usual one if it cannot be read."""
    if path is not None:
        try:
            with Path(path).open("rb") as file:
                return _read_head(file.readline(1 << 20).decode(), Path(path)).delimiter
        except (OSError, UnicodeDecodeError, CorpusError):
            pass
    return PhraseSettings.delimiter


def digest_of_phrases(path: Path) -> str:
    """Return a hexadecimal digest of a file of phrases.

    Raises:
        CorpusError: the file cannot be read.
    """
    return hashlib.sha256(_read(path)).hexdigest()


def is_phrases(path: Path) -> bool:
    """Return whether a file looks like a file of phrases."""
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
            f"{path}: not a file of phrases; make one with sg-train phrases --model"
        ) from error
    if form != (FORMAT, VERSION) or not is_sound:
        raise CorpusError(
            f"{path}: unsupported version or number of passes; make the file again "
            "with sg-train phrases --model"
        )
    return settings
