"""Every setting, declared once: type, default, range and description.

The checks of YAML files and `--set`, the resolved config in a run directory and the
table in docs/settings.md are all derived from these classes.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from sg_train.choices import (
    Case,
    EngineChoice,
    FormatChoice,
    FrozenMatrix,
    Matrix,
    Numbers,
    OnBadText,
    SentenceUnit,
    TokenizerName,
    VectorFormat,
)
from sg_train.wording import shortened

# YAML scalars are read as text, and the declared type of a setting decides what they
# mean: `1e-3` is a number, `010` is ten, `on` is a boolean only where one is expected.
_NONE_WORDS = ("", "~", "null", "none")

_LONGEST_NGRAM = 100  # characters
_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _none_if_named(value: object) -> object:
    # A tab may separate items.
    is_none = isinstance(value, str) and value.strip(" ").lower() in _NONE_WORDS
    return None if is_none else value


def _list_of_one(value: object) -> object:
    if _none_if_named(value) is None:
        return []
    return [value] if isinstance(value, str) else value


_OrNone = BeforeValidator(_none_if_named)
_TabOrOther = BeforeValidator(lambda value: "\t" if value == r"\t" else value)


def _empty_if_none(value: object) -> object:
    return {} if _none_if_named(value) is None else value


def _none_or_pair(value: object) -> object:
    value = _none_if_named(value)
    is_pair = isinstance(value, list | tuple) and len(value) == 2
    if value is not None and not is_pair:
        raise ValueError(
            f"should be two numbers such as [3, 6], not {shortened(repr(value))}"
        )
    return value


def _tokenizer(value: str) -> str:
    if value in get_args(TokenizerName) or _FUNCTION.fullmatch(value):
        return value
    raise ValueError(
        f"should be 'words', 'whitespace' or a function such as 'module:function', not "
        f"{shortened(repr(value))}"
    )


def _are_bounds(bounds: str) -> bool:
    low, dots, high = bounds.partition("..")
    if not (low or high) or ".." in high or high.startswith("."):
        return False
    try:
        return not (dots and low and high) or float(low) <= float(high)
    except ValueError:
        return True


def _conditions(values: list[str]) -> list[str]:
    for value in values:
        column, _, bounds = value.partition("=")
        if not column or not _are_bounds(bounds):
            raise ValueError(
                f"{shortened(repr(value))} is not COLUMN=VALUE or COLUMN=LOW..HIGH, "
                "such as year=1840..1899"
            )
    return values


_OrOne = BeforeValidator(_list_of_one)
_OrEmpty = BeforeValidator(_empty_if_none)


class Section(BaseModel):
    """A section of the config; immutable, and strict about unknown settings."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class CorpusConfig(Section):
    """Which text is read, and how it is split into sentences and words."""

    paths: Annotated[list[str], _OrOne] = Field(
        default=[],
        description="files, directories, globs, `-` for stdin, or one prepared corpus; "
        "plain, gzip, bzip2, xz or zstd; `{rank}` stands for a process's number, so "
        "that each of several processes reads its own text",
    )
    format: FormatChoice = Field(
        default="auto",
        description="format of the files; `auto`: by the first bytes of each",
    )
    field: Annotated[list[str], _OrOne] = Field(
        default=[],
        description="where the text is: elements of XML (`p`, or `w@lemma` for an "
        "attribute of each word), columns of a table, dotted keys of JSON lines, the "
        "number of a column of vertical text; by default the usual ones",
    )
    skip: Annotated[list[str] | None, _OrNone] = Field(
        default=None,
        description="elements of XML to leave out; by default metadata, notes and "
        "running heads of TEI",
    )
    separator: Annotated[str | None, _OrNone, _TabOrOther] = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="character between the items of a line, which are then taken as "
        "they are; with `field`, between the columns of a CSV file",
    )
    group_by: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="column whose equal values make a sequence of the items in "
        "`field`, such as a user or session",
    )
    order_by: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="column that orders the items of a sequence, with "
        "`group_by`; by default the order of the rows",
    )
    where: Annotated[list[str], _OrOne, AfterValidator(_conditions)] = Field(
        default=[],
        description="read only rows of a table whose columns have these values, such "
        "as `year=1840..1899` or `author=Lincoln`",
    )
    sentence: SentenceUnit = Field(
        default="line",
        description="what a sentence is in text: a line, a paragraph (which ends with "
        "an empty line), or the whole document",
    )
    dehyphenate: bool = Field(
        default=False,
        description="join words that are divided at the end of a line, with paragraphs "
        "and documents",
    )
    tokenizer: Annotated[str, AfterValidator(_tokenizer)] = Field(
        default="words",
        description="`words`: runs of letters, marks and digits; `whitespace`: text "
        "that is already tokenised; `module:function`: a Python function from a "
        "sentence to a list of words",
    )
    case: Case = Field(
        default="lower",
        description="how `words` treats capitals; `lower_turkic` lowers I to dotless ı",
    )
    emoji: bool = Field(
        default=False,
        description="whether `words` takes each emoji as a word; otherwise emoji only "
        "separate words",
    )
    numbers: Numbers = Field(
        default="keep",
        description="`one`: every number, such as 1945 or 3.5, is the word `0`",
    )
    phrases: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="file written by `sg-train phrases --model`: each of its phrases "
        "becomes one word",
    )
    max_sentence_length: int = Field(
        default=1000,
        ge=2,
        le=1_000_000,
        description="maximum number of words in a sentence; longer lines are split",
    )
    shuffle: bool = Field(
        default=False,
        description="train on the sentences in random order, which can improve the "
        "vectors of a large text on many topics",
    )
    errors: OnBadText = Field(
        default="strict",
        description="`strict` refuses invalid UTF-8 and NUL bytes, `replace` replaces "
        "them",
    )
    memory_limit: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="megabytes of memory for distinct words while they are counted; "
        "further words go to disk; by default half of the free memory",
    )
    prepared: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="directory of the prepared corpus; by default one in `corpora/`, "
        "replaced when the text or a setting changes",
    )

    @property
    def has_items(self) -> bool:
        """Whether the text is items, which are words as they are."""
        return self.group_by is not None or (
            self.separator is not None and not self.field
        )

    @model_validator(mode="after")
    def _settings_fit(self) -> "CorpusConfig":
        if self.group_by is not None and len(self.field) != 1:
            raise ValueError("group_by: needs one column of items in field")
        if self.order_by is not None and self.group_by is None:
            raise ValueError("order_by: needs group_by, whose sequences it orders")
        if self.group_by is not None and self.where:
            raise ValueError("where: cannot be combined with group_by")
        if self.dehyphenate and self.sentence == "line":
            raise ValueError(
                "dehyphenate: needs sentence to be paragraph or document, because a "
                "line is a sentence"
            )
        return self


class VocabularyConfig(Section):
    """Which words get vectors."""

    min_count: int = Field(
        default=5, ge=1, description="leave out words that occur less often"
    )
    max_vocabulary: Annotated[int | None, _OrNone] = Field(
        default=None, ge=2, description="keep only the N most frequent words"
    )
    exclude: Annotated[list[str], _OrOne] = Field(
        default=[],
        description="words to leave out, or one file of them (a stop list)",
    )
    only: Annotated[list[str], _OrOne] = Field(
        default=[],
        description="words to keep, or one file of them; all others are left out",
    )
    extends: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="a run or prepared corpus whose words and counts are added to "
        "those of the text, as `sg-train extend` does",
    )

    @property
    def has_lists(self) -> bool:
        """Whether words are left out, or kept, by name."""
        return bool(self.exclude or self.only)


class SamplingConfig(Section):
    """Which windows and negatives are drawn from the text."""

    window: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="maximum number of words to each side of the centre",
    )
    dynamic_window: bool = Field(
        default=True,
        description="draw each window's width from 1..window; otherwise always use the "
        "whole window",
    )
    negatives: int = Field(
        default=5,
        ge=1,
        le=1000,
        description="negatives per window, shared by all its pairs",
    )
    negative_exponent: float = Field(
        default=0.75,
        ge=-5,
        le=5,
        description="negatives are drawn in proportion to count ** exponent",
    )
    subsample: float = Field(
        default=1e-4,
        ge=0,
        le=1,
        description="thin out words above this share of the corpus; 0 keeps all",
    )
    bootstrap: bool = Field(
        default=False,
        description="train on as many passages as the corpus has, drawn with "
        "replacement as the seed decides, to see what depends on the choice of text",
    )


class ModelConfig(Section):
    """The two embeddings and their initial values."""

    dimension: int = Field(
        default=100, ge=1, le=100_000, description="length of the vectors"
    )
    u_range: float = Field(
        default=0.75,
        ge=0,
        le=1000,
        description="u starts uniform in ±u_range / dimension",
    )
    v_range: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="v starts uniform in ±v_range / dimension",
    )
    ngrams: Annotated[tuple[int, int] | None, BeforeValidator(_none_or_pair)] = Field(
        default=None,
        description="shortest and longest character n-grams of which input vectors are "
        "also made, such as `[3, 6]`",
    )
    buckets: int = Field(
        default=300_000,
        ge=1,
        le=1 << 30,
        description="number of vectors that all n-grams share",
    )
    init_from: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="a run or vector file that provides initial vectors for the words "
        "that it has",
    )
    init_v: bool = Field(
        default=True,
        description="also take output vectors from model.init_from, if it is a run",
    )

    max_norm: Annotated[float | None, _OrNone] = Field(
        default=None, gt=0, description="scale vectors longer than this back to it"
    )
    scale_grad_by_freq: bool = Field(
        default=False,
        description="divide a word's gradient by how often it occurs in the batch",
    )

    def input_rows(self, vocabulary_size: int) -> int:
        """Return U, the rows of the input matrix: of the words, then of the buckets."""
        return vocabulary_size + (self.buckets if self.ngrams else 0)

    @model_validator(mode="after")
    def _ngrams_fit(self) -> "ModelConfig":
        if self.ngrams is None:
            return self
        shortest, longest = self.ngrams
        if not 1 <= shortest <= longest <= _LONGEST_NGRAM:
            raise ValueError(
                f"ngrams: [{shortest}, {longest}] are not the shortest and the longest "
                f"of 1 to {_LONGEST_NGRAM} characters; give two numbers such as [3, 6]"
            )
        for name in ("max_norm", "scale_grad_by_freq"):
            if getattr(self, name):
                raise ValueError(
                    f"ngrams and {name}: cannot be combined; remove one of them"
                )
        return self

    @model_validator(mode="after")
    def _not_both_zero(self) -> "ModelConfig":
        if self.u_range == self.v_range == 0:
            raise ValueError(
                "u_range and v_range are both 0, and zeros never learn; raise one"
            )
        return self


class TrainingConfig(Section):
    """How the model is trained."""

    engine: EngineChoice = Field(
        default="auto",
        description="`fused`: fast, on the CPU; `triton`: fast, on a GPU with CUDA; "
        "`autograd`: plain PyTorch, on any device; `auto`: the first of these that "
        "supports the other settings",
    )
    device: str = Field(
        default="cpu", description="any torch device: `cpu`, `cuda`, `cuda:1`, `mps`"
    )
    epochs: Annotated[int, Field(ge=1, le=100_000)] | Literal["auto"] = Field(
        default="auto",
        description="number of passes over the corpus; `auto`: by its size",
    )
    learning_rate: Annotated[float, Field(gt=0, le=100)] | Literal["auto"] = Field(
        default="auto",
        description="learning rate at the first word; `auto`: 0.025 with automatic "
        "epochs, otherwise 0.05",
    )
    final_learning_rate: float = Field(
        default=1e-4,
        ge=0,
        le=100,
        description="learning rate at the last word; it falls linearly in between",
    )
    freeze_words: Annotated[int | None, _OrNone] = Field(
        default=0,
        ge=0,
        description="keep vectors from model.init_from fixed for the first N words of "
        "training (counted as `words kept` by `sg-train vocab`); null: to the end",
    )
    freeze: FrozenMatrix = Field(
        default="both",
        description="which vectors `freeze_words` keeps fixed: input vectors u, output "
        "vectors v, or both",
    )
    batch_size: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="windows per step of the autograd engine, by default 256; windows "
        "in flight, at most, of the triton engine, by default 512; the fused engine "
        "takes one at a time",
    )
    loader_workers: int = Field(
        default=0,
        ge=0,
        le=64,
        description="processes that draw windows ahead for the autograd engine",
    )
    threads: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        le=1024,
        description="number of training threads; by default one per available CPU",
    )
    deterministic: bool = Field(
        default=False,
        description="give the same bytes whatever `threads` is: train with one thread",
    )
    seed: int = Field(
        default=1, ge=0, lt=2**63, description="seed of every random draw"
    )


class DistributedConfig(Section):
    """How processes that torchrun launches train together."""

    round_words: int = Field(
        default=500_000,
        ge=1,
        description="words that all ranks together train on between two exchanges",
    )
    frequent_rows: int = Field(
        default=4096,
        ge=1,
        description="rows of the most frequent words in every exchange; four times as "
        "many in every fourth one, and so on",
    )
    timeout_seconds: float = Field(
        default=300,
        gt=0,
        le=1e6,
        description="seconds before an unresponsive rank is declared lost",
    )


class CheckpointConfig(Section):
    """How often a run saves what it needs to resume."""

    every_seconds: float = Field(
        default=300,
        gt=0,
        description="seconds between checkpoints; each epoch also ends with one, if "
        "that takes less than a fiftieth of the time",
    )


class EvaluationConfig(Section):
    """The tests scored during training; the scores go into metrics.jsonl."""

    similarity: Annotated[list[Path], _OrOne] = Field(
        default=[], description="similarity tests: two words and a score per line"
    )
    analogies: Annotated[list[Path], _OrOne] = Field(
        default=[],
        description="analogy tests: four words per line, under `: section` headings",
    )
    restrict: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="score using only the N most frequent words",
    )
    held_out: float = Field(
        default=0,
        ge=0,
        le=0.5,
        description="share of the corpus, in whole blocks and at least one, that is "
        "not trained on; its loss is evaluated instead",
    )
    every_words: Annotated[int | None, _OrNone] = Field(
        default=None,
        ge=1,
        description="words between two evaluations; by default one epoch",
    )
    stop_on: Annotated[str | None, _OrNone] = Field(
        default=None,
        description="test (file name without its ending) to stop on: training stops "
        "when its score no longer rises, and the best weights are kept; with held_out "
        "also `held_out_loss`, which is to fall",
    )
    patience: int = Field(
        default=3,
        ge=1,
        description="stop after N evaluations in a row without a better score",
    )
    tensorboard: bool = Field(
        default=False,
        description="write loss, learning rate, speed, scores and finally the vectors "
        "to `tensorboard/` in the run directory",
    )

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to evaluate during training."""
        return bool(self.similarity or self.analogies or self.held_out)

    @model_validator(mode="after")
    def _stop_on_a_test(self) -> "EvaluationConfig":
        names = [path.stem for path in (*self.similarity, *self.analogies)]
        if self.held_out:
            names.append("held_out_loss")
        if len(set(names)) < len(names):
            raise ValueError("two tests have the same name; rename a file")
        if self.stop_on == "held_out_loss" and not self.held_out:
            raise ValueError("stop_on=held_out_loss: needs held_out above 0")
        if self.stop_on is not None and self.stop_on not in names:
            raise ValueError(
                f"stop_on={self.stop_on} is not the name of a test; the tests are "
                f"{', '.join(names) or 'missing: set similarity or analogies'}"
            )
        return self


class ExportConfig(Section):
    """The vectors that a finished run exports."""

    matrix: Matrix = Field(
        default="u",
        description="`u` (input vectors), `v` (output vectors) or their `sum`",
    )
    format: VectorFormat = Field(
        default="text",
        description="word2vec's text or binary format, GloVe's, arrays (safetensors, "
        "npy), tables (Parquet, CSV, JSON lines), a directory for TensorBoard's "
        "projector, or a fastText model (with n-grams)",
    )


class Range(Section):
    """Numbers from `low` to `high`: whole ones if both are whole."""

    low: int | float = Field(union_mode="left_to_right")
    high: int | float = Field(union_mode="left_to_right")
    log: bool = False

    @model_validator(mode="after")
    def _not_empty(self) -> "Range":
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 with log")
        return self


def _values_or_range(value: object) -> object:
    if isinstance(value, Range) or (isinstance(value, list) and value):
        return value
    try:
        return Range.model_validate(value)
    except ValidationError as error:
        raise ValueError(
            "should be a list of values, or a range such as {low: 0.01, high: 0.2, "
            "log: true} with low below high, and above 0 with log; not "
            f"{shortened(repr(value))}"
        ) from error


class TuneConfig(Section):
    """The settings that `sg-train tune` tries."""

    space: Annotated[
        dict[str, Annotated[Any, BeforeValidator(_values_or_range)]], _OrEmpty
    ] = Field(
        default={},
        description="lists of values or ranges by dotted key, such as "
        "`training.learning_rate: {low: 0.01, high: 0.2, log: true}`; by default a "
        "space that suits most corpora",
    )

    @model_validator(mode="after")
    def _not_of_a_search(self) -> "TuneConfig":
        for key in self.space:
            if key.startswith(("sweep.", "tune.")):
                raise ValueError(f"space: {key} cannot be tuned; leave it out")
        return self


class SweepConfig(Section):
    """Many runs from one config: every combination of the values, or a sample."""

    values: Annotated[dict[str, Annotated[list[Any], _OrOne]], _OrEmpty] = Field(
        default={},
        description="lists of values by dotted key, such as `training.seed: [1, 2, 3]`",
    )
    samples: Annotated[int | None, _OrNone] = Field(
        default=None, ge=1, description="draw N combinations instead of trying all"
    )
    seed: int = Field(default=1, ge=0, lt=2**63, description="seed of the sample")

    @model_validator(mode="after")
    def _none_empty(self) -> "SweepConfig":
        for key, values in self.values.items():
            if not values or key.startswith("sweep."):
                raise ValueError(
                    f"values: {key} cannot be swept over {values}; give at least one "
                    "value, and no setting of the section sweep"
                )
        return self
