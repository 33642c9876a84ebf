"""loader.artifacts.instruction_set: the instruction-set level of an optimized graph, from /proc/cpuinfo."""

import platform
from pathlib import Path

import pytest

from loader.artifacts.instruction_set import feature_level

V3 = "fpu sse4_2 avx f16c movbe fma avx2 bmi1 bmi2"
V4 = f"{V3} avx512f avx512bw avx512cd avx512dq avx512vl"


@pytest.fixture
def level(tmp_path):
    def level(flags, machine="x86_64"):
        path = tmp_path / "cpuinfo"
        path.write_text(f"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: {flags}\nbugs\t\t: none\n" * 2)
        return feature_level(path, machine)

    return level


@pytest.mark.parametrize("flags, expected", [
    (V4, "x86-64-v4"), (V3, "x86-64-v3"), ("fpu sse4_2", "x86-64-v2"), ("", "x86-64-v2"),
    (V4.replace(" avx512vl", ""), "x86-64-v3"), (V3.replace(" fma", ""), "x86-64-v2"),
    # Flags that only start with the name of a feature are other features.
    (V3.replace(" avx2", " avx2x"), "x86-64-v2"),
])  # fmt: skip
def test_the_level_is_the_highest_with_all_features(level, flags, expected):
    assert expected == level(flags)


def test_a_machine_without_flags_has_the_lowest_level(tmp_path):
    (tmp_path / "cpuinfo").write_bytes(b"processor : 0\nmodel name : caf\xe9\n")

    assert "x86-64-v2" == feature_level(tmp_path / "cpuinfo", "x86_64")


def test_another_architecture_is_a_level_of_its_own(level):
    assert "aarch64" == level(V4, machine="aarch64")


def test_this_machine_has_a_level():
    level = feature_level()

    assert level.startswith("x86-64-v") if platform.machine() == "x86_64" else level == platform.machine()
    assert ("avx2" in Path("/proc/cpuinfo").read_text()) == (level in ("x86-64-v3", "x86-64-v4")) or level == "aarch64"
