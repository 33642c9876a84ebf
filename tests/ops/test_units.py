"""The units for systemd, as systemd itself reads them."""

import shutil
import subprocess

import pytest

from tests.support.harness import ROOT

ANALYZE = shutil.which("systemd-analyze")
UNITS = ROOT / "ops" / "systemd"
SERVER, RELEASE = UNITS / "chorus.service", UNITS / "chorus-release.service"
WYOMING = UNITS / "chorus-wyoming.service"

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze; Debian's package is `systemd`")


@needs_systemd
def test_systemd_understands_every_line_of_the_units():
    """All it may miss is the program, which is where it will be installed."""
    units = sorted(UNITS.iterdir())
    said = subprocess.run([ANALYZE, "verify", *units], capture_output=True, text=True, check=False).stderr

    names = ["chorus-release.service", "chorus-release.timer", "chorus-wyoming.service", "chorus.service", "chorus.socket"]
    assert names == [unit.name for unit in units]
    assert [] == [line for line in said.splitlines() if "/opt/chorus/.venv/bin/chorus is not executable" not in line]


def sandbox_of(unit):
    """Return the lines of a unit that take rights away."""
    kinds = ("NoNew", "Protect", "Private", "Restrict", "Lock", "SystemCall", "Capability", "UMask")
    return {line for line in unit.read_text().splitlines() if line.startswith(kinds) and not line.startswith("RestartPrevent")}


def test_releases_are_fetched_with_no_more_rights_than_the_server_has():
    assert sandbox_of(SERVER) == sandbox_of(RELEASE)
    assert len(sandbox_of(RELEASE)) > 15


def test_the_process_for_other_protocols_has_the_rights_of_the_server_and_lists_networks():
    assert {"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK"} == sandbox_of(WYOMING) - sandbox_of(SERVER)


def test_the_timer_starts_the_service_of_its_name_at_different_times_on_different_machines():
    timer = (UNITS / "chorus-release.timer").read_text()

    assert "\nRandomizedDelaySec=" in timer
    assert "\nUnit=" not in timer


@pytest.mark.parametrize("fetched, activated, status", [(0, 0, 0), (69, 0, 69), (0, 65, 65), (69, 65, 65)])
def test_what_could_be_fetched_is_offered_even_if_a_source_failed(tmp_path, fetched, activated, status):
    """The command of the service, as systemd would run it, with a program that records its calls and ends as the test says."""
    (line,) = [line for line in RELEASE.read_text().splitlines() if line.startswith("ExecStart=")]
    command = line.removeprefix("ExecStart=/bin/sh -c '").removesuffix("'").replace("$$", "$")
    program = tmp_path / ".venv" / "bin" / "chorus"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$*" >> calls\n[ "$2" = fetch ] && exit {fetched}\nexit {activated}\n')
    program.chmod(0o755)

    done = subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=False)

    assert status == done.returncode
    assert ["release fetch", "release activate"] == (tmp_path / "calls").read_text().splitlines()
