"""app.system.cgroup: the CPU quota and the memory limit of a container, by both versions of control groups."""

import pytest

from app.system.cgroup import GroupMemory, Groups, UsableCpu, cpu_budget, fullest_group

MIB = 2**20


@pytest.fixture
def groups(tmp_path):
    """Write the control groups of a process that is in /pod/box, in either version."""

    def write(version, files):
        (tmp_path / "cgroup").write_text({1: "4:memory:/pod/box\n3:cpu,cpuacct:/pod/box\n", 2: "0::/pod/box\n"}[version])
        for name, text in files.items():
            folder = "" if version == 2 else "cpu,cpuacct" if "/cpu." in name else "memory"
            path = tmp_path / "mount" / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Groups(tmp_path, tmp_path / "mount")

    return write


def version_2(limit, used_mib, idle_mib, group="pod/box"):
    stat = f"anon 1\nfile 7\ninactive_anon 5\ninactive_file {idle_mib * MIB}\nactive_file 3\n"
    return {f"{group}/memory.max": f"{limit}\n", f"{group}/memory.current": f"{used_mib * MIB}\n", f"{group}/memory.stat": stat}


def quota(version, cores, group="pod/box"):
    quota_us = "max" if cores is None and version == 2 else -1 if cores is None else int(cores * 100_000)
    if version == 2:
        return {f"{group}/cpu.max": f"{quota_us} 100000\n"}
    return {f"{group}/cpu.cfs_quota_us": f"{quota_us}\n", f"{group}/cpu.cfs_period_us": "100000\n"}


both_versions = pytest.mark.parametrize("version", [1, 2])


@both_versions
@pytest.mark.parametrize(("cores", "used"), [(2, 2), (1.5, 2), (0.25, 1), (3.01, 4), (64, 8), (None, 8)])
def test_the_smaller_of_quota_and_affinity_is_used_and_fractions_are_rounded_up(groups, version, cores, used):
    assert UsableCpu(8, cores, used) == cpu_budget(groups(version, quota(version, cores)), affinity=8)


@both_versions
def test_the_smallest_quota_of_nested_groups_counts(groups, version):
    above = {**quota(version, 3), **quota(version, 2, "pod"), **quota(version, None, ".")}
    own = {**quota(version, 1), **quota(version, 2, "pod")}

    assert 2.0 == cpu_budget(groups(version, above), affinity=8).quota
    assert 1.0 == cpu_budget(groups(version, own), affinity=8).quota


@pytest.mark.parametrize("text", ["", "100000\n", "0 0\n", "much 100000\n"])
def test_an_unreadable_quota_is_ignored(groups, text):
    assert UsableCpu(4, None, 4) == cpu_budget(groups(2, {"pod/box/cpu.max": text}), affinity=4)


def test_a_system_without_control_groups_has_the_cores_of_its_affinity(tmp_path):
    assert UsableCpu(2, None, 2) == cpu_budget(Groups(tmp_path, tmp_path), affinity=2)


def test_inactive_file_pages_are_not_part_of_the_working_set(groups):
    assert GroupMemory(512 * MIB, 300 * MIB) == fullest_group(groups(2, version_2(512 * MIB, 400, 100)))


def test_version_1_has_the_same_values_in_other_files(groups):
    files = {
        "pod/box/memory.limit_in_bytes": f"{512 * MIB}\n", "pod/box/memory.usage_in_bytes": f"{400 * MIB}\n",
        "pod/box/memory.stat": f"inactive_file 0\ntotal_inactive_file {100 * MIB}\n",
    }  # fmt: skip
    assert GroupMemory(512 * MIB, 300 * MIB) == fullest_group(groups(1, files))


def test_the_group_nearest_to_its_limit_is_returned(groups):
    files = {**version_2(200 * MIB, 50, 0), **version_2(1000 * MIB, 900, 0, "pod")}

    assert GroupMemory(1000 * MIB, 900 * MIB) == fullest_group(groups(2, files))


@pytest.mark.parametrize("version, limit", [(2, "max"), (2, ""), (2, "0"), (1, "9223372036854771712")])
def test_without_a_limit_no_group_is_returned(groups, version, limit):
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"

    assert fullest_group(groups(version, {f"pod/box/{name}": f"{limit}\n"})) is None


def test_a_group_without_a_usage_file_is_ignored(groups):
    assert fullest_group(groups(2, {"pod/box/memory.max": f"{512 * MIB}\n"})) is None
