"""app.scoreboard.board: slots are taken and released, totals only grow, and every process sees the others' values."""

import os
import signal
import subprocess
import sys

import pytest

from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import ENDINGS, FORMAT, NAME, State
from app.scoreboard.snapshot import snapshot
from tests.support.waiting import until


def in_child(work):
    """Run `work` in a forked process until its end or death; return its wait status."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_every_process_sees_the_values_of_the_others():
    board = Scoreboard(3)
    for slot in [board.take_slot() for _ in range(3)]:
        in_child(lambda slot=slot: slot.set_gauges(speaking=2))

    assert 6 == board.speaking()


def test_a_killed_worker_is_not_counted_after_its_slot_is_released():
    board = Scoreboard(1)
    slot = board.take_slot()
    in_child(lambda: (slot.set_gauges(speaking=5), killed()))
    assert 5 == board.speaking()
    board.release_slot(slot, "killed")

    assert 0 == board.speaking()
    assert 0 == board.take_slot().number


def test_totals_stay_when_a_slot_goes_to_another_worker():
    board = Scoreboard(2)
    for ending in ("killed", "stopped", "stalled"):
        slot = board.take_slot()
        in_child(lambda slot=slot: (slot.count_audio(2.5), slot.count_speech("done", 10), slot.observe({"rtf": 0.1}), killed()))
        board.release_slot(slot, ending)

    totals = snapshot(board).totals
    assert (3, 3, 7.5, 30) == (totals.forks, totals.outcomes["done"], totals.audio_s, totals.characters)
    assert {**dict.fromkeys(ENDINGS, 0), "killed": 1, "stopped": 1, "stalled": 1} == totals.endings
    assert (3, pytest.approx(0.3)) == (totals.histograms["rtf"].count, totals.histograms["rtf"].sum)


def test_totals_never_fall_if_workers_are_killed_in_mid_write():
    """Each child writes as fast as it can until it is killed, at any instruction."""
    board, before = Scoreboard(1), None
    for _ in range(60):
        slot = board.take_slot()
        child = os.fork()
        if child == 0:
            while True:
                slot.count_audio(1.0)
                slot.count_speech("done", 3)
                slot.observe({"request_s": 0.2, "rtf": 0.05})
                slot.count_answer("speech", 200)
                slot.set_error("a reason")
        enough = (before.outcomes["done"] if before else 0) + 20
        until(lambda: snapshot(board).workers[0].speeches > enough)  # noqa: B023  # called at once
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        board.release_slot(slot, "killed")
        now = snapshot(board).totals
        if before:
            assert now.outcomes["done"] > before.outcomes["done"]
            assert now.audio_s > before.audio_s and now.characters > before.characters
            assert now.answers["speech"][200] >= before.answers["speech"][200]
            for name, histogram in now.histograms.items():
                pairs = zip(histogram.counts, before.histograms[name].counts, strict=True)
                assert all(after >= earlier for after, earlier in pairs)
        before = now
        # Each kill may lose one speech from the words that are written later than others.
        assert abs(now.audio_s - now.outcomes["done"]) <= now.forks
        assert abs(now.histograms["request_s"].count - now.outcomes["done"]) <= now.forks


def test_a_worker_without_a_free_slot_has_an_unlisted_one():
    board = Scoreboard(1)
    board.take_slot()
    slot = board.take_slot()
    slot.set_gauges(speaking=3)
    slot.count_speech("done", 5)
    board.release_slot(slot, "stopped")

    assert (None, 0, 0) == (slot.number, board.speaking(), snapshot(board).totals.outcomes["done"])
    assert 0 == snapshot(board).totals.endings["stopped"]


def test_a_board_is_found_by_pid_and_is_read_only_for_other_processes():
    make = (
        "from app.scoreboard.board import Scoreboard; from app.scoreboard.layout import State\n"
        "board = Scoreboard(2); board.take_slot().set_gauges(pid=4711, state=State.READY); print(flush=True); input()"
    )
    # A separate process: this one may still have the boards of other tests.
    with subprocess.Popen([sys.executable, "-c", make], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        found = Scoreboard.of_process(child.pid)
        child.communicate(b"\n")

    assert [4711] == [worker.pid for worker in snapshot(found).workers]
    with pytest.raises(ValueError, match="read-only"):
        found.rows[0]["pid"] = 1


def test_a_process_without_a_board_has_none():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        assert Scoreboard.of_process(child.pid) is None
    finally:
        child.communicate(b"\n")


@pytest.mark.parametrize("content", [b"", NAME.encode().ljust(24, b"\0") + (FORMAT + 1).to_bytes(8, "little") + bytes(1001)])
def test_a_board_of_another_version_or_one_in_construction_is_ignored(content):
    make = f"import os; os.write(os.memfd_create({NAME!r}), {content!r}); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", make], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        before = len(os.listdir("/proc/self/fd"))
        try:
            assert Scoreboard.of_process(child.pid) is None
            assert before == len(os.listdir("/proc/self/fd"))
        finally:
            child.stdin.write(b"\n")
            child.stdin.flush()


def test_one_worker_at_a_time_may_recycle_itself_and_a_dead_one_releases_the_turn():
    board = Scoreboard(2)
    reader, writer = os.pipe()
    go, stop = os.pipe()

    def hold():
        os.write(writer, b"1" if board.take_turn() else b"0")
        os.read(go, 1)

    child = os.fork()
    if child == 0:
        hold()
        killed()
    assert b"1" == os.read(reader, 1)
    in_child(lambda: os.write(writer, b"1" if board.take_turn() else b"0"))
    assert b"0" == os.read(reader, 1)
    os.write(stop, b"x")
    os.waitpid(child, 0)
    in_child(lambda: os.write(writer, b"1" if board.take_turn() else b"0"))
    assert b"1" == os.read(reader, 1)
    for descriptor in (reader, writer, go, stop):
        os.close(descriptor)


def test_a_snapshot_shows_what_each_worker_is_doing():
    board = Scoreboard(3)
    board.describe(places=4, queue=7)
    first, second = board.take_slot(), board.take_slot()
    first.set_pid(10)
    first.set_gauges(state=State.READY, active=3, waiting=1, voices=2, live_bytes=1000.0)
    second.set_state(State.DRAINING)
    second.set_error("it broke: ü" + "x" * 300)

    seen = snapshot(board)
    assert (4, 7, 1) == (seen.places, seen.queue, seen.waiting)
    assert [(0, 10, "ready", 3, 1), (1, 0, "draining", 0, 0)] == [
        (each.slot, each.pid, each.state, each.active, each.waiting) for each in seen.workers
    ]
    assert {"live_bytes": 1000} == seen.workers[0].memory
    assert (1, True) == (seen.failures[0].slot, seen.failures[0].what.startswith("it broke: ü"))


def test_a_quantile_is_the_bound_of_its_bucket():
    board = Scoreboard(1)
    slot = board.take_slot()
    assert snapshot(board).totals.histograms["request_s"].quantile(0.95) is None
    for value in [0.02] * 94 + [0.9] * 6:
        slot.observe({"request_s": value})
    histogram = snapshot(board).totals.histograms["request_s"]

    assert (0.025, 1.0) == (histogram.quantile(0.5), histogram.quantile(0.95))
    slot.observe({"request_s": 999.0})
    assert 101 == snapshot(board).totals.histograms["request_s"].count


def test_a_rollout_is_shown_with_its_reason_and_counted_when_it_has_ended():
    board = Scoreboard(1)
    assert ("none", None, None) == (lambda each: (each.state, each.reason, each.candidate))(snapshot(board).rollout)
    board.show_revisions(0xABC, 0xDEF)
    board.show_rollout("canary")
    during = snapshot(board)
    assert ("000000000abc", "000000000def") == (during.revision, during.rollout.candidate)
    assert not any(during.rollout.totals.values())
    board.show_revisions(0xABC)
    board.show_rollout("refused", "ö" * 1000)

    found = snapshot(board).rollout
    assert ("refused", None, 1) == (found.state, found.candidate, found.totals["refused"])
    assert "ö" * 240 == found.reason and found.since_s > 0
