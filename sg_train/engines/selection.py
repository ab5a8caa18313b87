"""The choice of an engine.

A new engine is a module of this package with a `SPEC`, and its name in
`choices.EngineName`. One that is not part of sg-train is given to `train`.
"""

from importlib import import_module
from typing import get_args

from sg_train.choices import EngineName
from sg_train.config import Config
from sg_train.engines.base import EngineSpec
from sg_train.errors import SettingsError


def choose_engine(config: Config, own: EngineSpec | None = None) -> EngineSpec:
    """Return the engine that a config names, or for `auto` the first that supports it.

    Args:
        config: the settings.
        own: the user's own engine, which is returned if it is given.

    Raises:
        SettingsError: the engine does not support another setting.

    >>> choose_engine(Config()).name
    'fused'
    """
    if own is not None:
        reason = own.why_not(config)
        if reason is not None:
            raise SettingsError(reason)
        return own
    asked = config.training.engine
    reasons = []
    for name in get_args(EngineName):
        if asked not in ("auto", name):
            continue
        spec: EngineSpec = import_module(f"sg_train.engines.{name}").SPEC
        reason = spec.why_not(config)
        if reason is None:
            return spec
        reasons.append(reason)
    ways = "" if asked == "auto" else "; set training.engine=auto"
    raise SettingsError("; ".join(reasons) + ways)
