"""loader.devices.disabled_flag: all processes honor a marker until it is reset or expires."""

import json
import os

import pytest

from loader.devices.disabled_flag import MARKER, DisabledFlag
from tests.loader.children import answer_of

NOON_S = 1_795_435_200.0


class Clock:
    now_s = NOON_S

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def test_there_is_no_marker_at_first(tmp_path):
    assert DisabledFlag(tmp_path).read() is None
    assert DisabledFlag(tmp_path / "none").read() is None


def test_a_marker_has_reason_time_device_and_free_memory(tmp_path, clock):
    DisabledFlag(tmp_path / "cache", clock=clock).write("CUDA out of memory", "cuda:1", 4096)

    document = json.loads((tmp_path / "cache" / MARKER).read_text())
    read = DisabledFlag(tmp_path / "cache", clock=clock).read()

    expected = {
        "why": "CUDA out of memory", "device": "cuda:1", "at_s": NOON_S, "free_bytes": 4096,
        "when": "2026-11-23T12:00:00+00:00",
    }  # fmt: skip
    assert expected == document
    assert ("CUDA out of memory", "cuda:1", NOON_S, 4096) == (read.why, read.device, read.at_s, read.free_bytes)


def test_another_process_reads_the_marker(tmp_path):
    DisabledFlag(tmp_path).write("full", "cuda:0", None)

    assert ["full", "cuda:0", None] == answer_of("""
        import json, pathlib, sys
        from loader.devices.disabled_flag import DisabledFlag
        read = DisabledFlag(pathlib.Path(sys.argv[1])).read()
        print(json.dumps([read.why, read.device, read.free_bytes]))
        """, tmp_path)


def test_a_reader_sees_the_marker_set_changed_and_reset(tmp_path):
    watching, other = DisabledFlag(tmp_path), DisabledFlag(tmp_path)
    seen = [watching.read()]
    for why in ("first", "second"):
        other.write(why, "cuda:0", 1)
        seen.append(watching.read().why)
    other.reset()

    assert [None, "first", "second", None] == [*seen, watching.read()]


def test_an_unchanged_marker_is_checked_without_reading_it_again(tmp_path):
    marker = DisabledFlag(tmp_path)
    marker.write("full", "cuda:0", 1)

    assert marker.read() is marker.read()


def test_a_marker_lasts_until_it_expires(tmp_path, clock):
    marker = DisabledFlag(tmp_path, retry_after_s=600, clock=clock)
    marker.write("full", "cuda:0", 1)
    clock.now_s = NOON_S + 599
    before = marker.read()
    clock.now_s = NOON_S + 600

    assert "full" == before.why
    assert marker.read() is None
    assert "again" == marker.write("again", "cuda:0", 1).why
    assert "again" == marker.read().why


def test_a_marker_without_an_expiry_lasts(tmp_path, clock):
    marker = DisabledFlag(tmp_path, clock=clock)
    marker.write("full", "cuda:0", 1)
    clock.now_s = NOON_S * 2

    assert "full" == marker.read().why


def test_a_reset_returns_the_removed_marker(tmp_path):
    marker = DisabledFlag(tmp_path)
    marker.write("full", "cuda:0", 1)

    assert "full" == marker.reset().why
    assert marker.reset() is None
    assert [] == os.listdir(tmp_path)


def test_a_marker_that_cannot_be_written_is_kept_by_this_process(tmp_path, caplog):
    in_the_way = tmp_path / "cache"
    in_the_way.write_text("not a folder")
    marker = DisabledFlag(in_the_way)
    marker.write("full", "cuda:0", 1)

    assert "full" == marker.read().why
    assert "cannot be written" in caplog.text
    assert DisabledFlag(in_the_way).read() is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"why": "x"}', b"\xff", b'{"why": "x", "device": "y", "at_s": []}'])
def test_an_unreadable_marker_still_forbids_the_device(tmp_path, content):
    (tmp_path / MARKER).write_bytes(content)

    assert "cannot be read" in DisabledFlag(tmp_path).read().why
    assert DisabledFlag(tmp_path).reset() is not None
