"""The CPUs and the memory that this process may use, and the machine's identity."""

import hashlib
import math
import os
import platform
import re
import time
from functools import cache
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")
_OWN_CGROUP = Path("/proc/self/cgroup")
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINE = Path("/etc/machine-id")
_UPTIME = Path("/proc/uptime")


@cache
def machine_name() -> str:
    """Return a short name of this machine, or of this container."""
    return _digest(platform.node() + _read(_MACHINE))


@cache
def boot_name() -> str:
    """Return a short name of this machine's boot; processes with it share a kernel."""
    return _digest(_read(_BOOT))


def boot_time() -> float:
    """Return when this machine was booted, in seconds since the epoch.

    It is minus infinity if that is unknown.
    """
    try:
        return time.time() - float(_UPTIME.read_text().split()[0])
    except (OSError, ValueError):
        return -math.inf


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def available_cpus() -> int:
    """Count the CPUs that this process may use.

    CPU affinity and the quotas of its cgroup (version 2) and parent cgroups limit it.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, _cgroup_cpus()))


def available_memory() -> int | None:
    """Return how many bytes this process can still allocate, or None if unknown.

    This is the memory available without swapping, capped by what the limits of its
    cgroup (version 2) and of the parent cgroups leave.
    """
    try:
        fields = dict(line.split(":") for line in _MEMORY.read_text().splitlines())
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    return min([free, *map(_room, _own_cgroups())])


def _room(group: Path) -> int:
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        reclaimable = re.search(
            r"^inactive_file (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE
        )
    except (OSError, ValueError):  # no such file, or "max": no limit
        return 1 << 62
    return max(0, limit - used + int(reclaimable[1] if reclaimable else 0))


def _cgroup_cpus() -> int:
    return min(map(_quota, _own_cgroups()))


def _own_cgroups() -> list[Path]:
    """Return the directories of the process's cgroup and of its parents."""
    try:
        own = _OWN_CGROUP.read_text().rpartition("::")[2].strip().strip("/")
    except OSError:
        own = ""
    group = _CGROUPS / own
    return [group, *group.parents][: len(Path(own).parts) + 1]


def _quota(group: Path) -> int:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return 1 << 30
