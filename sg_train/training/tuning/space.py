"""The settings that a search tries."""

from typing import Any

from sg_train.config import Config, Range
from sg_train.errors import SettingsError
from sg_train.runs.metrics import HELD_OUT_LOSS

Space = dict[str, Range | list[Any]]

# They decide what is predicted, so losses with different ones cannot be compared.
_OF_THE_LOSS = "sampling."
_OF_THE_TEXT = ("corpus.", "vocabulary.", "evaluation.", "training.seed")


def space_of(config: Config, judge: str) -> Space:
    """Return the space of a config, or by default one that suits most corpora.

    Args:
        config: the settings, with a number of epochs.
        judge: the name of what is improved.

    Raises:
        SettingsError: the space of the config holds something that cannot be tuned.
    """
    epochs = config.training.epochs
    assert epochs != "auto"
    space: Space = dict(config.tune.space) or {
        "training.learning_rate": Range(low=0.0125, high=0.2, log=True),
        "training.epochs": Range(low=max(1, epochs // 2), high=3 * epochs, log=True),
        "sampling.window": Range(low=2, high=15, log=True),
        "sampling.negatives": Range(low=3, high=15, log=True),
        "sampling.subsample": Range(low=1e-5, high=1e-2, log=True),
        "export.matrix": ["u", "sum"],
    }
    if judge == HELD_OUT_LOSS and not config.tune.space:
        del space["export.matrix"]
        space = {k: v for k, v in space.items() if not k.startswith(_OF_THE_LOSS)}
    for key, values in space.items():
        if key.startswith(_OF_THE_TEXT):
            raise SettingsError(f"tune.space: {key} cannot be tuned; leave it out")
        if judge == HELD_OUT_LOSS and key.startswith(_OF_THE_LOSS):
            raise SettingsError(
                f"tune.space: {key} decides what is predicted, so losses cannot be "
                f"compared; leave it out, or give a test instead of {HELD_OUT_LOSS}"
            )
        ends = [values.low, values.high] if isinstance(values, Range) else values
        for value in ends:
            config.with_settings({key: value})
    return space
