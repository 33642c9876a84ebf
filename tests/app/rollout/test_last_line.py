"""app.rollout.last_line: what is written to a descriptor is passed on, and its last line is kept."""

import os
import subprocess
import sys

import pytest

from app.rollout.last_line import LastLine


@pytest.fixture
def descriptor(tmp_path):
    number = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    yield number
    os.close(number)


def test_the_last_line_of_a_child_is_kept_and_all_of_it_is_passed_on(descriptor, tmp_path):
    written = LastLine(descriptor)
    subprocess.run([sys.executable, "-c", "print('first'); print('bake: why'); print()"], stdout=descriptor, check=True)

    assert "bake: why" == written.read()
    written.close()
    os.write(descriptor, b"later")
    assert "first\nbake: why\n\nlater" == (tmp_path / "log").read_text()


def test_a_long_output_is_passed_on_whole(descriptor, tmp_path):
    written, lines = LastLine(descriptor), [f"line {number}" for number in range(20_000)]
    os.write(descriptor, "\n".join(lines).encode())

    assert lines[-1] == written.read()
    written.close()
    assert "\n".join(lines) == (tmp_path / "log").read_text()


def test_nothing_is_the_last_line_of_nothing(descriptor):
    written = LastLine(descriptor)
    assert "" == written.read()
    written.close()
