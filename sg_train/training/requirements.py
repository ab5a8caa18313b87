"""What a run needs besides its text, checked before the text is read."""

from pathlib import Path

import torch

from sg_train.config import Config
from sg_train.errors import SettingsError, VectorsError
from sg_train.model import SkipGram
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
    open_device(config.training.device)
    if config.evaluation.tensorboard:
        require("torch.utils.tensorboard", "evaluation.tensorboard", "tensorboard")
    Evaluation.from_files(config.evaluation.similarity, config.evaluation.analogies)


def open_device(name: str) -> torch.device:
    """Return a device that can train.

    Raises:
        SettingsError: there is no such device, or it cannot do what training needs.
    """
    try:
        device = torch.device(name)
        if device.type == "cpu":
            return device
        # Try what training needs: sparse gradients, and reading numbers back.
        probe = SkipGram(2, 2).to(device)
        row = torch.zeros(1, dtype=torch.int32, device=device)
        probe(row, row, row.unsqueeze(1)).backward()
        torch.optim.SGD(probe.parameters(), lr=0.1).step()
        probe.u_embeddings.weight.tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise SettingsError(f"training.device={name}: {reason}") from error
    return device


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
