"""Choices that settings, options and functions share.

The first name of a choice is its default, except where a setting says otherwise.
"""

from typing import Literal

FrozenMatrix = Literal["both", "u", "v"]
Matrix = Literal["u", "v", "sum"]
VectorFormat = Literal[
    "text",
    "binary",
    "glove",
    "safetensors",
    "npy",
    "parquet",
    "csv",
    "jsonl",
    "projector",
    "fasttext",
]
ExportFormat = Literal[VectorFormat, "sentence-transformers"]
TableFormat = Literal["tsv", "csv", "markdown", "latex", "json"]
NumberType = Literal["float32", "float16", "int8"]
PhraseScoring = Literal["gensim", "word2phrase", "npmi"]
AnalogyMethod = Literal["add", "multiply"]
TextFormat = Literal["text", "xml", "html", "vertical", "jsonl", "csv", "parquet"]
FormatChoice = Literal["auto", TextFormat]
SentenceUnit = Literal["line", "paragraph", "document"]
TokenizerName = Literal["words", "whitespace"]
Numbers = Literal["keep", "one"]
Case = Literal["lower", "lower_turkic", "keep"]
Duplicates = Literal["first", "second", "mean", "refuse"]
OnBadText = Literal["strict", "replace"]
OnBadRows = Literal["strict", "replace", "skip"]

# Each is a module of sg_train.engines; `auto` takes the first that can do what the
# settings ask for.
EngineName = Literal["fused", "triton", "autograd"]
EngineChoice = Literal["auto", EngineName]
