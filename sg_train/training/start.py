"""Vectors that a run starts from: another run's, or those of any vector file."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sg_train.config import Config, ModelConfig
from sg_train.errors import SettingsError, SgTrainError, VectorsError
from sg_train.model import SkipGram
from sg_train.training.run_directory import RunDirectory
from sg_train.vectors.drift import measure_drift
from sg_train.vectors.formats import load_vectors
from sg_train.vectors.word_vectors import WordVectors


@dataclass(frozen=True)
class Given:
    """Which rows of a model were given, and not drawn at random.

    Attributes:
        words: whose rows they are.
        has_v: whether their output vectors were given, too.
        unused: words that had vectors to give, but are not in the vocabulary.
    """

    words: Sequence[str]
    has_v: bool
    unused: Sequence[str] = ()

    def rows(
        self, vocabulary: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return (V,) bool each: which rows of u and of v were given."""
        known = frozenset(self.words)
        u = np.fromiter((word in known for word in vocabulary), bool, len(vocabulary))
        return u, u & self.has_v


def check_start(config: Config, run: RunDirectory) -> None:
    """Refuse early what vectors cannot be taken from.

    Raises:
        VectorsError: there is nothing.
        SettingsError: it is the run itself, which is about to be replaced.
    """
    if config.model.init_from is None:
        return
    path = Path(config.model.init_from)
    if not path.exists():
        raise VectorsError(f"model.init_from={path}: no such file or directory")
    if path.resolve() == run.path.resolve():
        raise SettingsError(
            f"model.init_from={path}: is the directory that the run goes to; choose "
            "another --out"
        )


def start(
    config: Config,
    vocabulary: Sequence[str],
    model: SkipGram,
    say: Callable[[str], None],
) -> Given | None:
    """Give words of a new run the vectors that its config names; see `take_vectors`."""
    if config.model.init_from is None:
        return None
    given = take_vectors(config.model, vocabulary, model)
    which = "u and v" if given.has_v else "u"
    line = (
        f"{config.model.init_from}: gives {len(given.words)} of {len(vocabulary)} "
        f"words their vectors ({which})"
    )
    if given.unused:
        some = ", ".join(given.unused[:3]) + ", ..." * (len(given.unused) > 3)
        line += f"; {len(given.unused)} of its own are not among them: {some}"
    say(line)
    return replace(given, unused=())  # which other ranks have no use for


def given_before(run: RunDirectory, config: Config) -> Given | None:
    """Return which rows were given when a run began, if they may be frozen still.

    Raises:
        TrainingError: what says so is missing or damaged.
    """
    if config.training.freeze_words == 0:
        return None
    has_v = run.load_record().get("output_vectors_given", False)
    return Given(run.load_given(), bool(has_v))


def report_drift(run: RunDirectory, config: Config, say: Callable[[str], None]) -> None:
    """Say how far words have moved in a run from the vectors that they were given."""
    if config.model.init_from is None:
        return
    try:
        words, u, _ = _read(Path(config.model.init_from))
        drift = measure_drift(WordVectors(words, u), run.load_vectors("u"))
    except SgTrainError as error:
        say(f"{run.path}: drift is not measured: {error}")
        return
    run.save_record({**run.load_record(), "drift": asdict(drift)})
    say(
        f"{run.path}: {drift.words} of its words are in {config.model.init_from}; mean "
        f"cosine of before and after {drift.cosine:.3f}"
        + ("" if drift.aligned is None else f", {drift.aligned:.3f} when aligned")
    )


def take_vectors(
    config: ModelConfig, vocabulary: Sequence[str], model: SkipGram
) -> Given:
    """Let the words that `config.init_from` knows start with the vectors from there.

    Args:
        config: `init_from` is a run, which has u and v, or a vector file, whose vectors
            become u.
        vocabulary: the words of the model's rows.
        model: keeps what it has for all other words.

    Raises:
        VectorsError: the vectors cannot be read, are not finite, or are of none of the
            words.
        TrainingError: the run was not finished.
        SettingsError: they are of another dimension than the model.
    """
    path = Path(config.init_from or "")
    words, u, v = _read(path)
    if u.shape[1] != model.embed_dimension:
        raise SettingsError(
            f"model.init_from={path}: has vectors of length {u.shape[1]}, not "
            f"{model.embed_dimension}; set model.dimension={u.shape[1]}"
        )
    places = {word: place for place, word in enumerate(words)}
    known = [word in places for word in vocabulary]
    to = np.flatnonzero(known)
    if not len(to):
        raise VectorsError(
            f"model.init_from={path}: has none of the {len(vocabulary)} words of the "
            "vocabulary; is it of the same language and case?"
        )
    origin = np.array([places[vocabulary[row]] for row in to.tolist()])
    has_v = v is not None and config.init_v
    for embedding, matrix in ((model.u_embeddings, u), (model.v_embeddings, v)):
        if matrix is None or (matrix is v and not has_v):
            continue
        taken = np.array(matrix[origin])
        if not np.isfinite(taken).all():
            raise VectorsError(f"model.init_from={path}: some vectors are not finite")
        with torch.no_grad():
            embedding.weight[torch.from_numpy(to)] = torch.from_numpy(taken).to(
                embedding.weight.device
            )
    taken_words = [vocabulary[row] for row in to.tolist()]
    used = frozenset(taken_words)
    return Given(taken_words, has_v, [word for word in words if word not in used])


def _read(
    path: Path,
) -> tuple[Sequence[str], NDArray[np.float32], NDArray[np.float32] | None]:
    if path.is_dir():
        words, weights = RunDirectory.open(path).load_weights()
        return words, weights["u"], weights["v"]
    vectors = load_vectors(path)
    return vectors.words, vectors.matrix, None
