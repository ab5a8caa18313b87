"""Runs: trained from a config, or gone on with from a checkpoint."""

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from sg_train.config import Config, differences
from sg_train.corpus.encoded import EncodedCorpus
from sg_train.corpus.parts import PartedCorpus
from sg_train.corpus.prepare import RANK, changed_inputs, open_corpus, open_part
from sg_train.corpus.vocabulary import Vocabulary
from sg_train.errors import (
    CorpusError,
    OutputError,
    SettingsError,
    TrainingError,
)
from sg_train.machine import available_cpus
from sg_train.model import SkipGram
from sg_train.ranks import Ranks, launched, open_ranks
from sg_train.training import checkpoint
from sg_train.training.assembly import assemble, check_engine, share_out
from sg_train.training.checkpoint import Checkpoints, State, Weights
from sg_train.training.run_directory import RunDirectory
from sg_train.training.session import Session
from sg_train.training.start import (
    Given,
    check_start,
    given_before,
    report_drift,
    start,
)

# What a run may be told otherwise when it goes on: none of it changes the steps.
_MAY_CHANGE = ("checkpoint.", "distributed.", "evaluation.", "export.")
_MAY_CHANGE_TOO = ("training.epochs", "training.threads", "training.loader_workers")


def train(
    config: Config,
    out: str | Path,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda _: None,
    notes: Mapping[str, Any] | None = None,
) -> None:
    """Train what `config` describes and leave the result in the directory `out`.

    Launched by torchrun, the processes train together, and when that starts them anew
    after a fault they go on from the newest sound checkpoint.

    Args:
        config: all settings.
        out: the run directory; of several ranks, the first one alone uses it.
        overwrite: whether a run that is there already may be replaced.
        say: is told if and where a run goes on, and how far words have moved that
            started with vectors from elsewhere.
        notes: what else is to stand in run.json.

    Raises:
        OutputError: `out` is taken or cannot be written.
        CorpusError: the text cannot be read or leaves no vocabulary.
        SettingsError: settings do not go together.
        VectorsError: `model.init_from` or a test cannot be read.
        TrainingError: the device is not there, memory does not suffice, the weights
            become infinite, or another rank no longer answers.
        Interrupted: a signal said so; `resume` goes on.
    """
    with open_ranks() as ranks:
        run = RunDirectory(Path(out))
        if ranks.first(lambda: _is_started_anew(run)):
            if not ranks.first(lambda: run.is_done() and run.is_exported):
                _resume(run, (), say, ranks)
            return
        ranks.first(lambda: run.check_free(overwrite=overwrite))
        check_engine(config)
        if config.sweep.values:
            raise SettingsError(
                "sweep.values: are many runs, this is for one; sg-train train does them"
            )
        ranks.first(lambda: check_start(config, run))
        ranks.wait_at_most(config.distributed.timeout_seconds)
        corpus = _open_corpus(config, ranks)
        asked, config = config, _with_corpus_settings(config, corpus)
        words = corpus.vocabulary.words
        parts = assemble(config, corpus, ranks, lambda m: start(config, words, m, say))
        with ExitStack() as stack:

            def create() -> None:
                stack.enter_context(run.locked())
                run.check_free(overwrite=overwrite)
                record = {**_record(asked, corpus, ranks), **(notes or {})}
                if parts.given is not None:
                    record["output_vectors_given"] = parts.given.has_v
                run.create(config, corpus.vocabulary, record)
                if parts.given is not None:
                    run.save_given(parts.given.words)

            ranks.first(create)
            Session(run, config, share_out(config, parts, ranks), ranks).train()
            ranks.first(lambda: report_drift(run, config, say))


def resume(out: Path, overrides: Sequence[str], say: Callable[[str], None]) -> None:
    """Go on with a run from its newest sound checkpoint, or with a finished one.

    Args:
        out: the run directory.
        overrides: settings as `section.key=value`. Those that decide what is computed
            must stay: all but epochs, threads and loader_workers, and the sections
            checkpoint, distributed, evaluation and export.
        say: is told where the run goes on, and which checkpoints are damaged.

    Raises:
        VectorsError: there is no run.
        TrainingError: there is nothing to go on from.
        SettingsError: a setting may not change.
        CorpusError: the text is another than the run's.
        OutputError: another process trains there, or it cannot be written.
        Interrupted: a signal said so.
    """
    with open_ranks() as ranks:
        _resume(RunDirectory(out), overrides, say, ranks)


class _Found(NamedTuple):
    """Where a run goes on, and with which settings."""

    state: State
    config: Config
    where: str


def _resume(
    run: RunDirectory,
    overrides: Sequence[str],
    say: Callable[[str], None],
    ranks: Ranks,
) -> None:
    weights: dict[str, NDArray[np.float32]] = {}  # on the first rank

    def find() -> _Found | None:
        stack.enter_context(RunDirectory.open(run.path).locked())
        if not overrides and _needed_only_export(run, say):
            return None
        found, its_weights = _find(run, overrides, say)
        weights.update(its_weights)
        return found

    def begin() -> None:
        total = config.training.epochs * (len(corpus.block_starts) - 1)
        if state.position >= total:
            raise TrainingError(
                f"{run.path}: has done all its epochs; say how many there shall be: "
                "--set training.epochs=..."
            )
        settings = config.model_dump(mode="json")
        if run.is_done():  # what it goes on from must outlast its end
            _keep_as_checkpoint(run, replace(state, config=settings), weights, say)
        if settings != state.config:
            run.save_config(config)
        changed = {"config_hash": config.hash(), **_ranks_record(ranks)}
        record = {**run.load_record(), **changed}
        record.pop("drift", None)
        run.save_record(record)
        say(f"{run.path}: going on from {where}, {state.position / total:.0%} done")

    with ExitStack() as stack:
        found = ranks.first(find)
        if found is None:
            return
        state, config, where = found
        ranks.wait_at_most(config.distributed.timeout_seconds)
        corpus = _same_corpus(run, state, config, ranks)
        parts = assemble(
            config, corpus, ranks, lambda m: _load_weights(m, weights, run, config)
        )
        ranks.first(begin)
        Session(run, config, share_out(config, parts, ranks), ranks, state).train()
        ranks.first(lambda: report_drift(run, config, say))


def _needed_only_export(run: RunDirectory, say: Callable[[str], None]) -> bool:
    """Export the vectors of a run that was stopped when only that was missing."""
    if not run.is_done() or run.is_exported:
        return False
    run.export()
    report_drift(run, run.load_config(), say)
    shutil.rmtree(run.checkpoints_directory, ignore_errors=True)
    return True


def _find(
    run: RunDirectory, overrides: Sequence[str], say: Callable[[str], None]
) -> tuple[_Found, Weights]:
    state, weights, where = _find_state(run, say)
    before = Config.from_values(state.config, f"{run.path}, {where}")
    config = before.with_overrides(overrides)
    _check_change(run, before, config)
    return _Found(state, config, where), weights


def _keep_as_checkpoint(
    run: RunDirectory, state: State, weights: Weights, say: Callable[[str], None]
) -> None:
    with Checkpoints(run.checkpoints_directory, say) as checkpoints:
        checkpoints.save(state, weights)
        if checkpoints.wait() is None:
            raise OutputError(f"{run.path}: cannot write a checkpoint there")
    run.state_file.unlink()


def _is_started_anew(run: RunDirectory) -> bool:
    """Say whether a run is there that these same ranks, or those before them, began."""
    now = launched()
    if now is None or not run.record_file.is_file():
        return False
    before = run.load_record().get("launch") or {}
    if now["agent"] == before.get("agent"):
        return checkpoint.has_any(run.checkpoints_directory) or run.is_done()
    # On another machine, or by a job's name that is used again.
    is_same = now["job"] is not None and now["job"] == before.get("job")
    return is_same and checkpoint.has_any(run.checkpoints_directory)


def _open_corpus(config: Config, ranks: Ranks) -> EncodedCorpus | PartedCorpus:
    """Open the prepared corpus, which is made if need be by the first rank.

    If each rank has text of its own, they all make their parts.
    """
    threads = config.training.threads or available_cpus()
    if ranks.size == 1:
        return open_corpus(config.corpus, config.vocabulary, threads)
    if any(RANK in path for path in config.corpus.paths):
        return ranks.together(
            lambda: PartedCorpus.join(
                open_part(
                    config.corpus, config.vocabulary, threads, ranks.rank, ranks.gather
                ),
                ranks.rank,
                ranks.gather,
            )
        )
    path = ranks.first(
        lambda: open_corpus(config.corpus, config.vocabulary, threads).path
    )
    return ranks.together(lambda: EncodedCorpus.load(path))


def _find_state(
    run: RunDirectory, say: Callable[[str], None]
) -> tuple[State, Weights, str]:
    if run.is_done():
        # Killed at the very end, a run may have left some.
        shutil.rmtree(run.checkpoints_directory, ignore_errors=True)
        state, weights = checkpoint.load(run.path)
        if state.config["evaluation"]["stop_on"] is not None:
            raise TrainingError(
                f"{run.path}: is done, and holds the weights with the best score, not "
                "the last ones; there is nothing to go on from"
            )
        return state, weights, "its end"
    with Checkpoints(run.checkpoints_directory, say) as checkpoints:
        found = checkpoints.newest()
    if found is None:
        any_left = checkpoint.has_any(run.checkpoints_directory)
        what = "has no sound" if any_left else "was stopped before its first"
        raise TrainingError(
            f"{run.path}: {what} checkpoint; train it anew with --overwrite"
        )
    path, state, weights = found
    return state, weights, f"checkpoint {path.name}"


def _check_change(run: RunDirectory, before: Config, config: Config) -> None:
    wrong = [
        key
        for key in differences(before, config)
        if not key.startswith(_MAY_CHANGE) and key not in _MAY_CHANGE_TOO
    ]
    if wrong:
        raise SettingsError(
            f"{run.path}: {', '.join(wrong)} cannot change while a run goes on; train "
            "another run"
        )


def _same_corpus(
    run: RunDirectory, state: State, config: Config, ranks: Ranks
) -> EncodedCorpus | PartedCorpus:
    """Open the prepared corpus of a run, and see that it and its text are the same."""
    corpus: EncodedCorpus | PartedCorpus
    if any(RANK in path for path in config.corpus.paths):
        corpus = _open_corpus(config, ranks)
    else:
        path = Path(state.corpus["path"])
        corpus = ranks.together(lambda: EncodedCorpus.load(path))
    ranks.first(lambda: _check_same(run, state, corpus))
    return corpus


def _check_same(
    run: RunDirectory, state: State, corpus: EncodedCorpus | PartedCorpus
) -> None:
    for file in changed_inputs(corpus.meta):
        raise CorpusError(
            f"{file}: has changed since {run.path} began to train on it; bring the "
            "text back or train another run"
        )
    if corpus.checksum != state.corpus["checksum"]:
        again = "prepare that again"
        if isinstance(corpus, PartedCorpus):
            again = "launch as many ranks on the same texts"
        raise CorpusError(
            f"{corpus.path}: is another corpus than {run.path} began to train on; "
            f"{again} or train another run"
        )
    if Vocabulary.load(run.vocabulary_file).words != corpus.vocabulary.words:
        raise CorpusError(
            f"{run.vocabulary_file}: has changed since {run.path} began to train"
        )


def _load_weights(
    model: SkipGram, weights: Weights, run: RunDirectory, config: Config
) -> Given | None:
    """Load the weights that a run goes on with; return what may be frozen of them."""
    for key, embedding in (("u", model.u_embeddings), ("v", model.v_embeddings)):
        if embedding.weight.shape != weights[key].shape:
            raise TrainingError(
                f"{run.path}: weights and vocabulary do not fit together"
            )
        with torch.no_grad():
            embedding.weight.copy_(torch.from_numpy(weights[key]))
    return given_before(run, config)


def _with_corpus_settings(
    config: Config, corpus: EncodedCorpus | PartedCorpus
) -> Config:
    """Let the run's config say how a corpus that was prepared before was made."""
    made_with = corpus.meta["fingerprint"]["settings"]
    values = config.model_dump()
    for section in (values["corpus"], values["vocabulary"]):
        section.update({key: made_with[key] for key in section if key in made_with})
    return Config.model_validate(values)


def _record(
    config: Config, corpus: EncodedCorpus | PartedCorpus, ranks: Ranks
) -> dict[str, Any]:
    libraries = ("sg-train", "torch", "numpy", "numba", "pyarrow")
    versions = {name: importlib.metadata.version(name) for name in libraries}
    return {
        "config_hash": config.hash(),
        "command": sys.argv,
        "versions": {"python": platform.python_version(), **versions},
        "processor": platform.processor() or platform.machine(),
        "corpus": corpus.meta,
        **_ranks_record(ranks),
    }


def _ranks_record(ranks: Ranks) -> dict[str, Any]:
    return {"ranks": ranks.size, "launch": launched()}
