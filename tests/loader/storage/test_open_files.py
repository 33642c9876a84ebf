"""Files that processes have open or mapped."""

import mmap
import subprocess
import sys

import pytest

from loader.storage.open_files import OpenFiles


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder" / "below").mkdir(parents=True)
    (tmp_path / "folder" / "below" / "a file").write_bytes(bytes(10_000))
    return tmp_path / "folder"


@pytest.fixture
def file(folder):
    return folder / "below" / "a file"


def test_a_file_that_nobody_has_open_is_free(folder, file):
    assert not OpenFiles().holds(folder) and not OpenFiles().holds(file)


def test_an_open_file_is_held(folder, file):
    with file.open("rb"):
        seen = OpenFiles()

    assert seen.holds(file) and seen.holds(folder)


def test_a_mapped_file_is_held_after_its_descriptor_is_closed(folder, file):
    with file.open("rb") as opened:
        mapped = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    seen = OpenFiles()
    mapped.close()

    assert seen.holds(folder)


def test_a_file_of_another_process_is_held(folder, file):
    words = [sys.executable, "-c", "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()", file]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert OpenFiles().holds(folder)
        other.stdin.close()

    assert not OpenFiles().holds(folder)


def test_another_file_of_the_same_name_is_free(folder, file, tmp_path):
    (tmp_path / "a file").write_bytes(b"")
    with (tmp_path / "a file").open():
        assert not OpenFiles().holds(folder)
