"""The units for systemd, as systemd itself reads them."""

import shutil
import subprocess

import pytest

from tests.support.harness import ROOT

ANALYZE = shutil.which("systemd-analyze")
UNITS = ROOT / "ops" / "systemd"


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze; Debian's package is `systemd`")
def test_systemd_understands_every_line_of_the_units():
    """All it may miss is the program, which is where it will be installed."""
    units = [UNITS / "chorus.service", UNITS / "chorus.socket"]
    said = subprocess.run([ANALYZE, "verify", *units], capture_output=True, text=True, check=False).stderr

    assert [] == [line for line in said.splitlines() if "/opt/chorus/.venv/bin/chorus is not executable" not in line]
