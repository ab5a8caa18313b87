"""What a run needs besides its text, checked before the text is read."""

from pathlib import Path

from sg_train.config import Config
from sg_train.errors import SettingsError, VectorsError
from sg_train.runs.directory import RunDirectory
from sg_train.system.optional import require
from sg_train.vectors.evaluation import Evaluation


def check_requirements(config: Config, run: RunDirectory) -> None:
    """Refuse settings that cannot work, before any work is done.

    Raises:
        VectorsError: the initial vectors are missing, or a test cannot be read.
        SettingsError: the initial vectors are those of the run itself, or the device
            cannot be used.
        MissingLibraryError: an optional library is not installed.
    """
    _check_init_from(config, run)
    check_device(config.training.device)
    if config.evaluation.tensorboard:
        require("torch.utils.tensorboard", "evaluation.tensorboard", "tensorboard")
    Evaluation.from_files(config.evaluation.similarity, config.evaluation.analogies)


def check_device(name: str) -> None:
    """Check that a device can train.

    Raises:
        SettingsError: there is no such device, or it cannot do what training needs.
    """
    if name == "cpu":
        return
    from sg_train.training.device import try_device  # noqa: PLC0415 (loads torch)

    try_device(name)


def _check_init_from(config: Config, run: RunDirectory) -> None:
    if config.model.init_from is None:
        return
    path = Path(config.model.init_from)
    if not path.exists():
        raise VectorsError(
            f"model.init_from={path}: no such file or directory; looked for "
            f"{path.absolute()}"
        )
    if path.resolve() == run.path.resolve():
        raise SettingsError(
            f"model.init_from={path}: this is the run's own directory; choose another "
            "--out"
        )
