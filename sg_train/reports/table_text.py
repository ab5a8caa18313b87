"""A small table as text for a paper, a page or a spreadsheet."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from sg_train.errors import SettingsError
from sg_train.reports.comparison import (
    Entry,
    Figure,
    differing_settings,
    figure_names,
)

_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "≈": r"$\approx$",
    }
)
Rows = Sequence[Mapping[str, Any]]


def rows_of(entries: Sequence[Entry], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the columns of compared runs: `run`, `seeds`, settings and figures."""
    return [{name: _value(entry, name) for name in columns} for entry in entries]


def chosen_columns(entries: Sequence[Entry], asked: str | None) -> list[str]:
    """Return the columns to show: those asked for, or all that tell runs apart.

    Args:
        entries: the runs.
        asked: names of columns, separated by commas.

    Raises:
        SettingsError: there is no such column.
    """
    figures = figure_names(entries)
    if asked is None:
        return ["run", "seeds", *differing_settings(entries), *figures]
    names = [name.strip() for name in asked.split(",")]
    settings = {key for entry in entries for key in entry.settings}
    known = {"run", "seeds", *figures, *settings}
    for name in names:
        if name not in known:
            raise SettingsError(
                f"--columns: no column {name!r}; choose from "
                f"{', '.join(['run', 'seeds', *figures])} and settings such as "
                "model.dimension"
            )
    return list(dict.fromkeys(names))


def _value(entry: Entry, name: str) -> Any:
    if name == "run":
        return entry.name
    if name == "seeds":
        return entry.seeds
    if name in entry.figures:
        return entry.figures[name]
    return entry.settings.get(name)


def to_markdown(rows: Rows) -> str:
    r"""Return rows, which have the same keys, as a Markdown table.

    >>> print(to_markdown([{"run": "a|b", "seeds": 3}]), end="")
    | run | seeds |
    |---|---|
    | a\|b | 3 |
    """
    cells = [[_text(cell) for cell in line] for line in (rows[0], *_values(rows))]
    lines = [
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in cells
    ]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "".join(f"{line}\n" for line in lines)


def to_latex(rows: Rows) -> str:
    r"""Return rows, which have the same keys, as a LaTeX tabular of package booktabs.

    >>> print(to_latex([{"run": "a_b", "seeds": 3}]), end="")
    \begin{tabular}{lr}
    \toprule
    run & seeds \\
    \midrule
    a\_b & 3 \\
    \bottomrule
    \end{tabular}
    """
    kinds = "".join(
        "r" if all(_is_number(row[name]) for row in rows) else "l" for name in rows[0]
    )
    lines = [
        " & ".join(_text(cell).translate(_LATEX) for cell in line) + r" \\"
        for line in (rows[0], *_values(rows))
    ]
    text = [
        rf"\begin{{tabular}}{{{kinds}}}",
        r"\toprule",
        lines[0],
        r"\midrule",
        *lines[1:],
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "".join(f"{line}\n" for line in text)


def to_csv(rows: Rows) -> str:
    r"""Return rows as comma-separated values, with spreads in columns of their own.

    >>> print(to_csv([{"run": "a", "loss": Figure(2.5, 0.25)}]), end="")
    run,loss,loss_spread
    a,2.5,0.25
    """
    spreads = {
        name
        for row in rows
        for name, value in row.items()
        if isinstance(value, Figure) and value.spread is not None
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    head = []
    for name in rows[0]:
        head += [name, f"{name}_spread"] if name in spreads else [name]
    writer.writerow(head)
    for row in rows:
        line: list[Any] = []
        for name, value in row.items():
            is_figure = isinstance(value, Figure)
            line.append(value.mean if is_figure else value)
            if name in spreads:
                line.append(value.spread if is_figure else None)
        writer.writerow(line)
    return out.getvalue()


def _values(rows: Rows) -> list[list[Any]]:
    return [list(row.values()) for row in rows]


def _text(value: object) -> str:
    return "-" if value is None else " ".join(str(value).split())


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float | Figure)
