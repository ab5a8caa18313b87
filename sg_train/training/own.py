"""Models and engines of the user's own, which train in place of sg-train's."""

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sg_train.engines.base import EngineSpec
from sg_train.errors import RunError, SettingsError
from sg_train.runs.record import OwnPart

if TYPE_CHECKING:
    from sg_train.config import Config
    from sg_train.model.skip_gram import SkipGram


@dataclass(frozen=True)
class Own:
    """A model or an engine of the user's own.

    Attributes:
        spec: the engine that trains it.
        record: its name and source, for run.json.
    """

    spec: EngineSpec
    record: OwnPart


def own_part(
    model: "type[SkipGram] | None" = None, engine: EngineSpec | None = None
) -> Own | None:
    """Return the user's own model or engine, if one is given.

    Args:
        model: a subclass of SkipGram, which the autograd engine trains.
        engine: an engine.

    Raises:
        SettingsError: both are given, or one is something else.
    """
    if model is not None and engine is not None:
        raise SettingsError("model, engine: give one of them; an engine builds a model")
    if engine is not None:
        if not isinstance(engine, EngineSpec):
            raise SettingsError(f"engine={engine!r}: expected an EngineSpec")
        source = _digest(_unwrapped(engine.build))
        return Own(engine, OwnPart(kind="engine", name=engine.name, source=source))
    if model is None:
        return None
    from sg_train.engines import autograd  # noqa: PLC0415 (loads torch)
    from sg_train.model.skip_gram import SkipGram  # noqa: PLC0415

    given: Any = model
    if not isinstance(given, type) or not issubclass(given, SkipGram):
        raise SettingsError(f"model={model!r}: expected a subclass of SkipGram")
    name = f"{model.__module__}.{model.__qualname__}"
    spec = replace(
        autograd.SPEC,
        why_not=_why_not_with_model,
        build=partial(autograd.build, model_class=model),
    )
    return Own(spec, OwnPart(kind="model", name=name, source=_digest(model)))


def check_same(own: Own | None, recorded: OwnPart | None, run: str) -> None:
    """Check that a run resumes with the part that it began with.

    Args:
        own: the part given now.
        recorded: the part that the run records.
        run: its directory, for messages.

    Raises:
        RunError: it is another one, or its source has changed.
    """
    given = own.record if own else None
    if given == recorded:
        return
    if recorded is None:
        assert given is not None
        raise RunError(
            f"{run}: began without your own {given.kind}; resume it without one"
        )
    kind, name = recorded.kind, recorded.name
    if given is None:
        raise RunError(
            f"{run}: trains the {kind} {name}; resume it in Python, with "
            f"Run.open({run!r}).resume({kind}=...)"
        )
    if (given.kind, given.name) != (kind, name):
        raise RunError(
            f"{run}: trains the {kind} {name}, not the {given.kind} {given.name}; give "
            "that one"
        )
    raise RunError(
        f"{run}: the source of {name} has changed since the run began; restore it or "
        "train another run"
    )


def _why_not_with_model(config: "Config") -> str | None:
    engine = config.training.engine
    if engine in ("auto", "autograd"):
        return None
    return f"training.engine={engine}: trains sg-train's own model only"


def _unwrapped(function: Callable[..., Any]) -> Any:
    """Return the class that a partial `build` makes, or the function itself."""
    if isinstance(function, partial):
        return next(iter(function.keywords.values()), function.func)
    return function


def _digest(thing: Any) -> str | None:
    """Return a digest of a class's or function's source; None if it has none."""
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError):
        return None
    return hashlib.sha256(source.encode()).hexdigest()
