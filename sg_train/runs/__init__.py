"""The files of a run: its directory, record, metrics and checkpoints."""
