"""Which rows of a table are read: those whose columns have given values."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

_DATE = re.compile(r"\d+-\d")


class Condition(NamedTuple):
    """A column and the values that it may have.

    Attributes:
        column: its name, or a dotted key of JSON lines.
        low: the lowest value; empty if there is none.
        high: the highest value; likewise.
        is_range: whether values between the two are meant.
    """

    column: str
    low: str
    high: str
    is_range: bool

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `COLUMN=VALUE` or `COLUMN=LOW..HIGH`; one of the bounds may be missing.

        >>> Condition.parse("year=1840..1899").high
        '1899'
        """
        column, _, value = text.partition("=")
        low, dots, high = value.partition("..")
        return cls(column, low, high if dots else low, bool(dots))

    def holds(self, value: Any) -> bool:
        """Return whether a value, of any type, lies within the bounds.

        Values are compared as numbers if they and the bounds are numbers, otherwise as
        text; a bound of a range may be the beginning of a value, as with dates.

        >>> Condition.parse("date=1840..1899-03").holds("1899-03-31")
        True
        """
        if value is None or isinstance(value, list | dict | bytes):
            return False
        text = str(value).lower() if isinstance(value, bool) else str(value)
        bounds = [bound for bound in (self.low, self.high) if bound]
        try:
            limits = [*map(float, bounds)]
        except ValueError:
            return self._holds_for_text(text)
        try:
            number = float(text)
        except ValueError:  # a date may begin with a year
            return _DATE.match(text) is not None and self._holds_for_text(text)
        low = limits[0] if self.low else number
        high = limits[-1] if self.high else number
        return low <= number <= high

    def _holds_for_text(self, text: str) -> bool:
        if not text.strip():
            return False
        if not self.is_range:
            return text == self.low
        return text >= self.low and (
            not self.high or text[: len(self.high)] <= self.high
        )


class Conditions:
    """Conditions that must all hold for a row to be read."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Read the conditions; see `Condition.parse`."""
        self._all = [Condition.parse(text) for text in texts]
        self.found = 0  # rows for which all held

    @property
    def columns(self) -> list[str]:
        """The columns whose values are compared."""
        return [condition.column for condition in self._all]

    def hold(self, value_of: Callable[[str], Any]) -> bool:
        """Return whether all hold for a row, given the value of each column."""
        if not all(each.holds(value_of(each.column)) for each in self._all):
            return False
        self.found += 1
        return True


NO_CONDITIONS = Conditions([])
