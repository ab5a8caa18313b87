import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sg_train.errors import SettingsError
from sg_train.reports.comparison import Entry, Figure
from sg_train.reports.table_text import (
    chosen_columns,
    rows_of,
    to_csv,
    to_latex,
    to_markdown,
)

ENTRIES = [
    Entry(
        "runs/a_1",
        3,
        {"model.dimension": 50, "corpus.paths": ["x|y"], "training.seed": 1},
        {"loss": Figure(2.5, 0.25, is_close=True), "sim": Figure(0.5)},
    ),
    Entry("v.txt", 1, {}, {"sim": Figure(0.25)}),
    Entry(
        "runs/b",
        1,
        {"model.dimension": 9, "corpus.paths": ["x|y"], "training.seed": 2},
        {"loss": Figure(2.0)},
    ),
]


def test_columns_are_those_that_tell_runs_apart_or_those_asked_for() -> None:
    usual = ["run", "seeds", "model.dimension", "loss", "sim"]
    assert chosen_columns(ENTRIES, None) == usual
    asked = chosen_columns(ENTRIES, "sim, run,corpus.paths,sim")
    assert asked == ["sim", "run", "corpus.paths"]
    assert rows_of(ENTRIES, asked)[1] == {
        "sim": Figure(0.25),
        "run": "v.txt",
        "corpus.paths": None,
    }
    with pytest.raises(SettingsError, match="--columns: no column 'los'; choose from"):
        chosen_columns(ENTRIES, "run,los")


def test_a_markdown_table() -> None:
    rows = rows_of(ENTRIES, ["run", "corpus.paths", "loss"])
    assert to_markdown(rows) == (
        "| run | corpus.paths | loss |\n"
        "|---|---|---|\n"
        "| runs/a_1 | ['x\\|y'] | 2.5000 ± 0.2500 ≈ |\n"
        "| v.txt | - | - |\n"
        "| runs/b | ['x\\|y'] | 2.0000 |\n"
    )


def test_a_latex_table() -> None:
    rows = rows_of(ENTRIES, ["run", "loss"])
    assert to_latex(rows) == (
        "\\begin{tabular}{lr}\n"
        "\\toprule\n"
        "run & loss \\\\\n"
        "\\midrule\n"
        "runs/a\\_1 & 2.5000 $\\pm$ 0.2500 $\\approx$ \\\\\n"
        "v.txt & - \\\\\n"
        "runs/b & 2.0000 \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


@given(st.text(st.characters(exclude_categories=["C"])))
def test_latex_has_no_bare_signs(name: str) -> None:
    line = to_latex([{"run": name}]).splitlines()[4]
    plain = line.removesuffix(r" \\")
    for pair in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}"):
        plain = plain.replace(pair, "")
    plain = plain.replace(r"$\pm$", "").replace(r"$\approx$", "")
    for sign in "&%$#_{}":
        plain = plain.replace(f"\\{sign}", "")
    assert not set(plain) & set("&%$#_{}~^\\")


def test_csv_has_numbers_and_spreads_in_columns() -> None:
    text = to_csv(rows_of(ENTRIES, ["run", "seeds", "loss", "sim"]))
    assert list(csv.reader(io.StringIO(text))) == [
        ["run", "seeds", "loss", "loss_spread", "sim"],
        ["runs/a_1", "3", "2.5", "0.25", "0.5"],
        ["v.txt", "1", "", "", "0.25"],
        ["runs/b", "1", "2.0", "", ""],
    ]
