"""What readers of tables leave out."""

from dataclasses import dataclass


@dataclass
class Skipped:
    """Counts what has no text.

    Attributes:
        nulls: fields that are null or missing.
    """

    nulls: int = 0
