"""Limits of control groups, of both versions, in a made-up /sys."""

from __future__ import annotations

import pytest

from tfadvpath.doctor.control_group import core_limit, memory_limit

GIB = 2**30


@pytest.fixture
def tree(tmp_path):
    """Returns a function that writes the files of control groups, and gives what the process names."""

    def make(groups, files):
        (tmp_path / "cgroup").write_text(groups)
        for name, text in files.items():
            path = tmp_path / "sys" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "cgroup", tmp_path / "sys"

    return make


def test_the_smallest_limit_up_the_tree_counts(tree):
    there = tree(
        "0::/job/step\n",
        {
            "job/step/memory.max": "max\n",
            "job/memory.max": f"{8 * GIB}\n",
            "memory.max": f"{64 * GIB}\n",
            "job/step/cpu.max": "max 100000\n",
            "job/cpu.max": "150000 100000\n",
        },
    )
    assert memory_limit(*there) == 8 * GIB
    assert core_limit(*there) == 1.5


def test_a_container_that_does_not_show_its_group_has_the_limits_of_its_root(tree):
    there = tree("0::/docker/abc\n", {"memory.max": f"{2 * GIB}\n", "cpu.max": "400000 100000\n"})
    assert memory_limit(*there) == 2 * GIB
    assert core_limit(*there) == 4.0


def test_version_1_is_read(tree):
    there = tree(
        "5:memory:/job\n4:cpu,cpuacct:/job\n",
        {
            "memory/job/memory.limit_in_bytes": f"{4 * GIB}\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "cpu/job/cpu.cfs_quota_us": "50000\n",
            "cpu/job/cpu.cfs_period_us": "100000\n",
            "cpu/cpu.cfs_quota_us": "-1\n",
            "cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert memory_limit(*there) == 4 * GIB
    assert core_limit(*there) == 0.5


def test_no_limit_is_none(tree):
    there = tree("0::/\n", {"memory.max": "max\n", "cpu.max": "max 100000\n"})
    assert memory_limit(*there) is core_limit(*there) is None


def test_a_system_without_control_groups_has_no_limit(tmp_path):
    there = tmp_path / "none", tmp_path / "none"
    assert memory_limit(*there) is core_limit(*there) is None
