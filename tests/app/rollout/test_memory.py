"""app.rollout.memory: two revisions need room on the machine and in every control group."""

import pytest

from app.errors import RolloutError
from app.rollout.memory import available_memory, require_memory, size_of
from app.system.cgroup import Groups

MIB = 1024 * 1024


@pytest.fixture
def meminfo(tmp_path):
    path = tmp_path / "meminfo"
    path.write_text("MemTotal: 8000 kB\nMemAvailable:    4096 kB\n")
    return path


def test_without_a_limit_the_machine_decides(meminfo, tmp_path):
    assert 4 * MIB == available_memory(Groups(tmp_path / "proc", tmp_path / "mount"), meminfo)


def test_the_smallest_room_counts(meminfo, tmp_path):
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cgroup").write_text("0::/service\n")
    folder = tmp_path / "mount" / "service"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text(f"{10 * MIB}\n")
    (folder / "memory.current").write_text(f"{8 * MIB}\n")
    (folder / "memory.stat").write_text(f"inactive_file {1 * MIB}\n")

    assert 3 * MIB == available_memory(Groups(tmp_path / "proc", tmp_path / "mount"), meminfo)


def test_what_does_not_fit_is_refused_with_both_figures():
    require_memory(10, 10)
    with pytest.raises(RolloutError, match="memory: 11 MB are needed .*, 10 MB are available; give the server more"):
        require_memory(11_000_000, 10_000_000)


def test_the_size_of_artifacts_is_that_of_their_files(tmp_path):
    for name, size in (("a", 3), ("b", 4)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_bytes(bytes(size))

    assert 7 == size_of([tmp_path / "a", tmp_path / "b"])
