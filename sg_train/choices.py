"""Choices that settings, options and functions share."""

from typing import Literal

Matrix = Literal["u", "v", "sum"]
VectorFormat = Literal["text", "binary", "glove", "safetensors", "npy", "projector"]
PhraseScoring = Literal["gensim", "word2phrase", "npmi"]
AnalogyMethod = Literal["add", "multiply"]
