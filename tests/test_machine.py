import os
from pathlib import Path

import pytest

from sg_train.system import machine


def test_cpus_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_CGROUPS", Path("missing"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert machine.available_cpus() == 6


@pytest.mark.parametrize(
    ("quota", "cpus"), [("max 100000", 6), ("150000 100000", 2), ("1000 100000", 1)]
)
def test_a_cgroup_quota_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, cpus: int
) -> None:
    (tmp_path / "own").write_text("0::/outer/inner\n")
    (tmp_path / "outer/inner").mkdir(parents=True)
    (tmp_path / "outer/inner/cpu.max").write_text("max 100000")
    (tmp_path / "outer/cpu.max").write_text(quota)
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    assert machine.available_cpus() == cpus


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [("max", "5", 3000), ("2000", "1500", 600), ("1000", "1500", 0)],
)
def test_free_memory_is_the_least_of_all_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, used: str, free: int
) -> None:
    (tmp_path / "own").write_text("0::/group\n")
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.max").write_text(limit)
    (group / "memory.current").write_text(used)
    (group / "memory.stat").write_text("anon 7\ninactive_file 100\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   3 kB\n")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "_MEMORY", tmp_path / "meminfo")
    assert machine.available_memory() == (3072 if limit == "max" else free)
    monkeypatch.setattr(machine, "_MEMORY", tmp_path / "missing")
    assert machine.available_memory() is None


def test_systems_without_affinity_count_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(machine, "_CGROUPS", Path("missing"))
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert machine.available_cpus() == 3
