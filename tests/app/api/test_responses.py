"""app.api.responses: spool a whole answer in memory, then in a file; refuse it if the disk is full."""

import errno
import itertools
import os
import resource
import tempfile
from contextlib import closing

import pytest

from app.api.responses import Spool
from app.errors import NoRoomError


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"ab", b"", b"c" * 70_000], [b"0123456789" * 10_000] * 30])
def test_the_spooled_bytes_follow_the_head(pieces):
    spool = Spool(memory_bytes=100_000)
    for piece in pieces:
        spool.write(piece)

    assert len(b"".join(pieces)) == spool.size_bytes
    assert b"HEAD" + b"".join(pieces) == b"".join(spool.read(b"HEAD"))
    spool.close()


@pytest.mark.parametrize("head", [b"", b"HEAD"])
@pytest.mark.parametrize("size_bytes", [0, 1, 10, 200_000])
def test_any_part_of_a_spooled_answer_is_read(head, size_bytes):
    content = (b"0123456789" * 20_000)[:size_bytes]
    with closing(Spool(memory_bytes=100_000)) as spool:
        spool.write(content)
        whole = head + content
        places = sorted({0, 1, 3, 4, 5, 65_535, 65_536, 65_540, 131_072, len(whole)})
        for start, stop in itertools.combinations([place for place in places if place <= len(whole)], 2):
            assert whole[start:stop] == b"".join(spool.read(head, start, stop))


def test_a_small_answer_stays_in_memory_and_a_large_one_goes_to_a_file(tmp_path, monkeypatch):
    before = len(os.listdir("/proc/self/fd"))
    small, large = Spool(memory_bytes=1000), Spool(memory_bytes=1000)
    small.write(b"a" * 1000)
    assert before == len(os.listdir("/proc/self/fd"))

    large.write(b"a" * 1001)
    assert before + 1 == len(os.listdir("/proc/self/fd"))
    for each in (small, large):
        each.close()
    assert before == len(os.listdir("/proc/self/fd"))


def test_an_answer_that_does_not_fit_on_the_disk_is_refused_with_the_advice_to_stream():
    spool = Spool(memory_bytes=1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(NoRoomError, match="ask for a stream") as caught:
            for _ in range(10):
                spool.write(b"a" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        spool.close()

    assert errno.EFBIG == caught.value.__cause__.errno
    assert (503, "no_room") == (caught.value.status, caught.value.code)


def test_a_full_disk_is_found_at_the_final_flush_before_the_answer_is_sent():
    spool = Spool(memory_bytes=1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        spool.write(b"a" * 2000)
        spool.write(b"a" * 3000)  # buffered by the file
        with pytest.raises(NoRoomError):
            spool.finish()
        spool.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_an_answer_is_refused_if_there_is_no_temporary_directory(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/none")
    spool = Spool(memory_bytes=10)

    with pytest.raises(NoRoomError):
        spool.write(b"a" * 11)
    spool.close()
