"""Devices that PyTorch trains on."""

import torch

from sg_train.errors import SettingsError
from sg_train.model.skip_gram import SkipGram


def try_device(name: str) -> None:
    """Try what training needs: sparse gradients, and reading numbers back.

    Args:
        name: as torch names devices.

    Raises:
        SettingsError: there is no such device, or it cannot do that.
    """
    try:
        probe = SkipGram(2, 2).to(name)
        row = torch.zeros(1, dtype=torch.int32, device=name)
        probe(row, row, row.unsqueeze(1)).backward()
        torch.optim.SGD(probe.parameters(), lr=0.1).step()
        probe.u_embeddings.weight.tolist()
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise SettingsError(f"training.device={name}: {reason}") from error
