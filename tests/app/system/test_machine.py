"""app.system.machine: memory that a container may use, and the description of this machine."""

import os

import pytest

from app.system.cgroup import Groups
from app.system.machine import this_machine, usable_memory_bytes

GIB = 2**30


@pytest.mark.parametrize(
    ("memberships", "files", "usable_bytes"),
    [
        ("0::/pod/box\n", {"pod/box/memory.max": f"{2 * GIB}\n"}, 2 * GIB),
        ("0::/pod/box\n", {"pod/box/memory.max": "max\n", "pod/memory.max": f"{GIB}\n"}, GIB),
        ("4:memory:/box\n1:name=systemd:/\n0::/\n", {"memory/box/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
        # In a container the group may be the mount itself.
        ("4:memory:/docker/0123\n", {"memory/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
        ("0::/\n", {"memory.max": "much\n"}, 16 * GIB),
        ("0::/\n", {"memory.max": f"{32 * GIB}\n"}, 16 * GIB),
        ("", {}, 16 * GIB),
    ],
)
def test_the_smallest_memory_limit_counts(tmp_path, memberships, files, usable_bytes):
    (tmp_path / "cgroup").write_text(memberships)
    for name, text in files.items():
        (tmp_path / "mount" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mount" / name).write_text(text)

    assert usable_bytes == usable_memory_bytes(Groups(tmp_path, tmp_path / "mount"), physical_bytes=16 * GIB)


def test_this_machine_has_what_a_reader_compares():
    machine = this_machine()

    assert 1 <= machine.cores <= len(os.sched_getaffinity(0))
    assert 2**26 < machine.memory_bytes
    assert machine.cpu
    assert {"chorus-tts", "numpy", "gunicorn"} <= set(machine.versions)
