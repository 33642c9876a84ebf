"""loader.standard_streams: closed streams are reopened on /dev/null before their numbers are reused."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PROGRAM = """
import os, sys
from loader.standard_streams import reopen_closed_streams
reopen_closed_streams()
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print("to standard output", flush=True)
print("to standard error", file=sys.stderr)
sys.stdin.read()
os.write(1, b"1"), os.write(2, b"2")
assert os.get_inheritable(0) and os.get_inheritable(1) and os.get_inheritable(2)
os.write(file, str(file).encode())
"""


@pytest.mark.parametrize("closed", ["", "0<&-", "1>&-", "2>&-", "0<&- 1>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path, closed):
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / "file")]
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *words]
    done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert int((tmp_path / "file").read_text()) > 2
    assert ("" if "1>" in closed else "to standard output\n1") == done.stdout
    assert ("" if "2>" in closed else "to standard error\n2") == done.stderr


@pytest.mark.parametrize("module", ["app.cli", "app.health", "loader.bake"])
def test_every_program_reopens_the_streams_first(tmp_path, module):
    (tmp_path / "none.yaml").touch()
    program = f'exec "$0" -m {module} show-config --config "$1" <&- >&- 2>&-'
    command = ["sh", "-c", program, sys.executable, tmp_path / "none.yaml"]
    environment = {**os.environ, "CHORUS_CONFIG": str(tmp_path / "none.yaml")}
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)

    assert {"app.cli": 78, "app.health": 78, "loader.bake": 2}[module] == done.returncode
