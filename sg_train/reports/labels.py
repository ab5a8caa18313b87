"""Names and groups for words that say little, such as the numbers of items."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sg_train.errors import SettingsError
from sg_train.system.files import read_regular

_HEAD = "word"


@dataclass(frozen=True)
class Labels:
    """What to show for words, and the groups that they belong to.

    Attributes:
        names: the label of a word.
        groups: the group of a word.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path) -> "Labels":
        """Read a table of words, labels and, if known, groups.

        Columns are separated by tabs, or by commas if the first line has no tab. A
        first row that begins with `word` is a header.

        Raises:
            SettingsError: the file cannot be read, a row has another number of columns,
                or a word occurs twice.
        """
        try:
            text = read_regular(file).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8"
            raise SettingsError(f"cannot read {file}: {reason}") from error
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        tabs = bool(lines) and "\t" in lines[0]
        rows = (
            csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
            if tabs
            else csv.reader(lines, strict=True)
        )
        names: dict[str, str] = {}
        groups: dict[str, str] = {}
        for row in _checked(rows, file):
            if not any(row) or (rows.line_num == 1 and row[0].lower() == _HEAD):
                continue
            where = f"{file}, line {rows.line_num}"
            if not (2 <= len(row) <= 3 and row[0]):
                raise SettingsError(
                    f"{where}: {len(row)} columns, expected a word, its label and, if "
                    "there are groups, its group, separated by tabs or commas"
                )
            word, name, group = (cell.strip() for cell in [*row, ""][:3])
            if word in names:
                raise SettingsError(f"{where}: {word!r} is there twice; keep one row")
            names[word] = name or word
            if group:
                groups[word] = group
        if not names:
            raise SettingsError(f"{file}: holds no labels")
        return cls(names, groups)

    @property
    def columns(self) -> dict[str, Mapping[str, str]]:
        """The additional columns of a table of words: labels and groups, by heading."""
        columns = {"label": self.names, "group": self.groups}
        return {name: of_word for name, of_word in columns.items() if of_word}

    def name(self, word: str) -> str:
        """Return the label of a word, or the word itself.

        >>> Labels({"a": "apple"}).name("a"), Labels().name("a")
        ('apple', 'a')
        """
        return self.names.get(word, word)


def _checked(rows: Any, file: Path) -> Iterator[list[str]]:
    """Yield the rows of a reader, and refuse what it cannot read."""
    try:
        yield from rows
    except csv.Error as error:
        raise SettingsError(f"{file}, line {rows.line_num}: {error}") from error


def parse_groups(texts: Iterable[str]) -> dict[str, list[str]]:
    """Return the words of groups given as `name=word,word`.

    Raises:
        SettingsError: a text is something else, or a word is in two groups.

    >>> parse_groups(["cities=Praha,Brno"])
    {'cities': ['Praha', 'Brno']}
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        name, _, words = text.partition("=")
        found = split_words_at_commas(words, f"--group {text}") if words else []
        if not (name and found):
            raise SettingsError(
                f"--group {text}: expected a name and words, as in cities=Praha,Brno"
            )
        groups.setdefault(name, []).extend(found)
    seen: dict[str, str] = {}
    for name, words_of_group in groups.items():
        for word in words_of_group:
            if seen.setdefault(word, name) != name:
                raise SettingsError(
                    f"--group: {word!r} is in {seen[word]} and in {name}; choose one"
                )
    return groups


def split_words_at_commas(words: str, option: str) -> list[str]:
    """Split words at commas, except inside double quotes.

    Args:
        words: the text.
        option: where it comes from, for messages.

    Raises:
        SettingsError: a quote does not end, or a word is empty.

    >>> split_words_at_commas('gold,"1,000"', "--words")
    ['gold', '1,000']
    """
    try:
        rows = list(csv.reader([words], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise SettingsError(f"{option}: {error}") from error
    asked = [word.strip() for row in rows for word in row]
    if not asked or not all(asked):
        raise SettingsError(f"{option}: contains an empty word")
    return asked
