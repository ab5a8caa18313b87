"""Train word2vec skip-gram vectors from text on the command line."""

__version__ = "0.1.0.dev0"
