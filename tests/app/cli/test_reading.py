"""app.cli.reading: how far this process has read."""

import mmap

import pytest

from app.cli.reading import Reading, size_bytes

SIZE = 4 * 1024 * 1024


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "weights").write_bytes(bytes(SIZE))
    (tmp_path / "more").write_bytes(bytes(100))
    return tmp_path


def test_the_size_is_that_of_all_files(folder):
    assert SIZE + 100 == size_bytes(folder)
    assert 0 == size_bytes(folder / "none")


def test_a_file_counts_as_far_as_it_is_read(folder):
    reading = Reading(folder)
    with (folder / "weights").open("rb", buffering=0) as file:
        file.read(1000)
        begun = reading.done_bytes()
        file.read(2000)
        further = reading.done_bytes()

    assert (1000, 3000) == (begun, further)
    assert SIZE == reading.done_bytes()


def test_a_mapping_counts_as_far_as_it_is_touched(folder):
    reading = Reading(folder)
    with (folder / "weights").open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
        untouched = reading.done_bytes()
        assert 0 == sum(mapping[::4096])
        touched = reading.done_bytes()
        mapping.madvise(mmap.MADV_DONTNEED)
        given_back = reading.done_bytes()

    assert untouched < SIZE
    assert SIZE == touched == given_back


def test_what_another_folder_holds_does_not_count(folder, tmp_path_factory):
    with (folder / "weights").open("rb", buffering=0) as file:
        file.read(1000)
        assert 0 == Reading(tmp_path_factory.mktemp("another")).done_bytes()
