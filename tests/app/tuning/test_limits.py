"""app.tuning.limits: what a container may use, whichever version of control groups says so."""

import pytest

from app.tuning.limits import Groups, throttled_s, usable_cores, usable_memory, wanted_cores
from app.tuning.units import BadQuantityError

GIB = 2**30


@pytest.fixture
def groups(tmp_path):
    """Write a tree of control groups, and the groups this process is in."""

    def write(memberships, files):
        (tmp_path / "proc").mkdir()
        (tmp_path / "proc" / "cgroup").write_text(memberships)
        for name, text in files.items():
            (tmp_path / "mount" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mount" / name).write_text(text)
        return Groups(tmp_path / "proc", tmp_path / "mount")

    return write


def test_version_2_limits_cores_and_memory(groups):
    found = groups("0::/pod/box\n", {"pod/box/cpu.max": "150000 100000\n", "pod/box/memory.max": f"{2 * GIB}\n"})

    assert 1.5 == usable_cores(found, affinity=8).cores
    assert usable_cores(found, affinity=8).source.endswith("pod/box/cpu.max")
    assert 2 * GIB == usable_memory(found, physical_bytes=16 * GIB).size_bytes


def test_a_group_above_may_be_stricter(groups):
    files = {"pod/box/cpu.max": "max 100000\n", "pod/cpu.max": "200000 100000\n", "pod/memory.max": f"{GIB}\n"}
    found = groups("0::/pod/box\n", {**files, "pod/box/memory.max": "max\n"})

    assert 2.0 == usable_cores(found, affinity=8).cores
    assert GIB == usable_memory(found, physical_bytes=16 * GIB).size_bytes


def test_version_1_limits_cores_and_memory(groups):
    memberships = "4:memory:/box\n3:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n"
    files = {"memory/box/memory.limit_in_bytes": f"{GIB}\n", "cpu,cpuacct/box/cpu.cfs_quota_us": "300000\n"}
    found = groups(memberships, {**files, "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n"})

    assert 3.0 == usable_cores(found, affinity=8).cores
    assert GIB == usable_memory(found, physical_bytes=16 * GIB).size_bytes


def test_in_a_container_the_group_is_the_mount_itself(groups):
    found = groups("4:memory:/docker/0123\n", {"memory/memory.limit_in_bytes": f"{GIB}\n"})

    assert GIB == usable_memory(found, physical_bytes=16 * GIB).size_bytes


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"cpu.max": "max 100000\n", "memory.max": "max\n"},
        {"cpu.max": "", "memory.max": "much\n"},
        {"cpu.max": "100000\n"},
        {"cpu.max": "0 0\n", "memory.max": "9223372036854771712\n"},
    ],
)
def test_without_a_limit_the_machine_is_one(groups, files):
    found = groups("0::/\n", files)

    assert (4.0, "affinity") == (usable_cores(found, affinity=4).cores, usable_cores(found, affinity=4).source)
    assert "the machine's memory" == usable_memory(found, physical_bytes=GIB).source


def test_affinity_counts_where_it_is_stricter(groups):
    assert 1.0 == usable_cores(groups("0::/\n", {"cpu.max": "200000 100000\n"}), affinity=1).cores


def test_a_system_without_control_groups_has_none(tmp_path):
    assert 2.0 == usable_cores(Groups(tmp_path, tmp_path), affinity=2).cores


@pytest.mark.parametrize(
    ("memberships", "name", "text"),
    [
        ("0::/\n", "cpu.stat", "usage_usec 9\nthrottled_usec 1500000\n"),
        ("3:cpu:/\n", "cpu/cpu.stat", "nr_periods 9\nthrottled_time 1500000000\n"),
    ],
)
def test_what_a_quota_held_back_is_known(groups, memberships, name, text):
    assert 1.5 == throttled_s(groups(memberships, {name: text}))


def test_more_cores_than_there_are_is_refused(groups):
    found = groups("0::/\n", {})

    assert 1.0 == wanted_cores(1, found)
    with pytest.raises(BadQuantityError, match="1000 cores are wanted, but affinity allows"):
        wanted_cores(1000, found)


def test_this_machine_has_some_of_both():
    assert 0 < usable_cores().cores
    assert 2**26 < usable_memory().size_bytes
