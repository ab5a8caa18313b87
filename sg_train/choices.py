"""Choices that settings, options and functions share."""

from typing import Literal

Matrix = Literal["u", "v", "sum"]
VectorFormat = Literal["text", "binary", "glove", "safetensors", "npy", "projector"]
AnalogyMethod = Literal["add", "multiply"]
