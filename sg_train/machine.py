"""What this machine lets the process use."""

import math
import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def available_cpus() -> int:
    """Count the CPUs that this process may use.

    That is its affinity, and the quotas of its cgroup (version 2) and those above.
    """
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    return max(1, min(count, _cgroup_cpus()))


def _cgroup_cpus() -> int:
    try:
        own = _OWN_CGROUP.read_text().rpartition("::")[2].strip().strip("/")
    except OSError:
        own = ""
    group = _CGROUPS / own
    places = [group, *group.parents][: len(Path(own).parts) + 1]
    return min(map(_quota, places))


def _quota(group: Path) -> int:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max": no quota
        return 1 << 30
