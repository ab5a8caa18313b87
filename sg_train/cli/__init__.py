"""The command line: one short function per command.

stdout carries data, stderr messages. Exit codes: 0 done, 1 failed, with one line that
gives the reason, 2 wrong usage, 130 interrupted, 143 terminated, 129 terminal closed.
"""

# isort: off (this is the order of `sg-train --help`)
# The order of commands in `sg-train --help`.
# isort: off
from sg_train.cli.app import app
from sg_train.cli import training
from sg_train.cli import corpora
from sg_train.cli import lookup
from sg_train.cli import vocabulary
from sg_train.cli import evaluation
from sg_train.cli import spaces
from sg_train.cli import export

# isort: on

__all__ = [
    "app",
    "corpora",
    "evaluation",
    "export",
    "lookup",
    "spaces",
    "training",
    "vocabulary",
]
