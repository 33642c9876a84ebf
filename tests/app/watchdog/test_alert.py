"""app.watchdog.alert: the requests that are left at the rate of a leak, on the machine or in a container."""

import resource
from dataclasses import replace

import pytest

from app.system.cgroup import Groups
from app.watchdog.alert import memory_headroom_bytes, requests_left
from app.watchdog.sampler import MemorySample
from app.watchdog.trend import Signal

MIB = 2**20
NOW = MemorySample(1000, None, None, 0, None, 0, 24, 8, None, None)


@pytest.fixture
def headroom_mib(tmp_path):
    """Return the memory left if the machine has 900 MiB and the groups of a process in /pod/box have these limits."""
    (tmp_path / "meminfo").write_text("MemTotal: 2097152 kB\nMemAvailable: 921600 kB\n")
    (tmp_path / "cgroup").write_text("0::/pod/box\n")

    def headroom_mib(**groups):
        for name, (limit, used_mib, idle_mib) in groups.items():
            folder = tmp_path / "mount" / {"box": "pod/box", "pod": "pod"}[name]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "memory.max").write_text(f"{limit}\n")
            (folder / "memory.current").write_text(f"{used_mib * MIB}\n")
            (folder / "memory.stat").write_text(f"inactive_file {idle_mib * MIB}\n")
        return memory_headroom_bytes(tmp_path / "meminfo", Groups(tmp_path, tmp_path / "mount")) / MIB

    return headroom_mib


def test_without_a_limit_the_headroom_is_that_of_the_machine(headroom_mib):
    assert 900 == headroom_mib(box=("max", 100, 0))


def test_inactive_file_pages_count_as_headroom(headroom_mib):
    assert 300 == headroom_mib(box=(512 * MIB, 500, 288))


def test_a_tighter_group_above_is_used(headroom_mib):
    assert 50 == headroom_mib(box=(512 * MIB, 100, 0), pod=(256 * MIB, 206, 0))


def test_descriptors_last_until_their_limit():
    signal = Signal("descriptors", "descriptors", "descriptors", 0.02)
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert (soft - 24) * 2 == requests_left(signal, 0.5, NOW)
    assert 0 == requests_left(signal, 0.5, replace(NOW, descriptors=soft + 1))


def test_the_headroom_of_threads_is_unknown():
    assert requests_left(Signal("threads", "threads", "threads", 0.02), 1.0, NOW) is None


def test_requests_left_are_unknown_without_recent_growth():
    signal = Signal("device_bytes", "device", "bytes", 512)

    assert requests_left(signal, 0.0, NOW) is None
    assert requests_left(Signal("live_bytes", "native", "bytes", 512), -1.0, NOW) is None
