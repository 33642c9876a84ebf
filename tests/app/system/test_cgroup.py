"""app.system.cgroup: how near the memory of a container is to its limit."""

import pytest

from app.system.cgroup import GroupMemory, Groups, fullest_group

MIB = 2**20


@pytest.fixture
def groups(tmp_path):
    """Write the groups of a process that is in /pod/box, by either version."""

    def write(version, files):
        (tmp_path / "cgroup").write_text({1: "4:memory:/pod/box\n", 2: "0::/pod/box\n"}[version])
        for name, text in files.items():
            path = tmp_path / "mount" / {1: "memory", 2: ""}[version] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Groups(tmp_path, tmp_path / "mount")

    return write


def version_2(limit, used_mib, idle_mib, group="pod/box"):
    stat = f"anon 1\nfile 7\ninactive_anon 5\ninactive_file {idle_mib * MIB}\nactive_file 3\n"
    return {f"{group}/memory.max": f"{limit}\n", f"{group}/memory.current": f"{used_mib * MIB}\n", f"{group}/memory.stat": stat}


def test_pages_of_files_that_nobody_used_of_late_do_not_count(groups):
    assert GroupMemory(512 * MIB, 300 * MIB) == fullest_group(groups(2, version_2(512 * MIB, 400, 100)))


def test_version_1_says_the_same_in_other_words(groups):
    files = {
        "pod/box/memory.limit_in_bytes": f"{512 * MIB}\n", "pod/box/memory.usage_in_bytes": f"{400 * MIB}\n",
        "pod/box/memory.stat": f"inactive_file 0\ntotal_inactive_file {100 * MIB}\n",
    }  # fmt: skip
    assert GroupMemory(512 * MIB, 300 * MIB) == fullest_group(groups(1, files))


def test_the_group_counts_that_is_nearest_to_its_limit(groups):
    files = {**version_2(200 * MIB, 50, 0), **version_2(1000 * MIB, 900, 0, "pod")}

    assert GroupMemory(1000 * MIB, 900 * MIB) == fullest_group(groups(2, files))


@pytest.mark.parametrize("version, limit", [(2, "max"), (2, ""), (2, "0"), (1, "9223372036854771712")])
def test_where_nothing_is_limited_there_is_no_group(groups, version, limit):
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"

    assert fullest_group(groups(version, {f"pod/box/{name}": f"{limit}\n"})) is None


def test_a_group_that_does_not_say_what_it_uses_is_left_out(groups):
    assert fullest_group(groups(2, {"pod/box/memory.max": f"{512 * MIB}\n"})) is None
