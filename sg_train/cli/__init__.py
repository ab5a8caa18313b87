"""The command line: one short function a command.

stdout carries data and stderr talk. Exit codes: 0 done, 1 refused with one line that
says why, 2 wrong usage, 130 interrupted, 143 told to end, 129 terminal closed.
"""

from sg_train.cli import corpora, experiments, lookups, queries, reports
from sg_train.cli.app import app

__all__ = ["app", "corpora", "experiments", "lookups", "queries", "reports"]
