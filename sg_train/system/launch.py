"""How this process was launched: by itself, or by torchrun together with others.

torchrun and similar launchers set RANK, WORLD_SIZE, LOCAL_RANK and related variables.
"""

import os
import socket
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Launch:
    """The launcher of a process; unchanged when torchrun restarts it after a failure.

    Attributes:
        job: the name given with torchrun's --rdzv-id, if any.
        agent: host name, process ID and start time of the launcher.
    """

    job: str | None
    agent: tuple[str, int, str | None]


def launched() -> Launch | None:
    """Return the launcher of this process, or None if it was not torchrun."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    job = os.environ["TORCHELASTIC_RUN_ID"]
    agent = socket.gethostname(), os.getppid(), _started_at(os.getppid())
    return Launch(None if job == "none" else job, agent)


def is_launched_with_others() -> bool:
    """Return whether this process is one of several that train together."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_first_rank() -> bool:
    """Return whether this process is the one that reports, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """Return this process's number among the ranks of its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_ranks() -> int:
    """Return how many ranks this machine has."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _started_at(process: int) -> str | None:
    """Return when a process started, in clock ticks since boot; None if unknown."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]
