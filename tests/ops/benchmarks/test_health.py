"""What is made of probes."""

import json
from dataclasses import asdict, replace

from app.scoreboard.board import Scoreboard
from app.scoreboard.snapshot import snapshot
from ops.benchmarks.health import Probe, Round, p99


def status(waiting, refused=0, up_s=0.0):
    """What /status says of one worker."""
    board = Scoreboard(1)
    slot = board.take_slot()
    slot.set_gauges(waiting=waiting)
    for _ in range(refused):
        slot.count_refusal("queue_full")
    return json.dumps(asdict(replace(snapshot(board), up_s=up_s))).encode()


def test_99_of_100_values_do_not_exceed_the_p99():
    assert 99.0 == p99([float(value) for value in range(101)])


def test_a_probe_that_failed_counts_with_the_time_it_took():
    measured = Round((Probe("/livez", 1.0, 200), Probe("/livez", 1000.0, None), Probe("/readyz", 2.0, 503)))
    assert (2, [1.0, 1000.0]) == (measured.failures, measured.took_ms("/livez"))


def test_how_full_it_was_and_what_was_refused_is_read_from_what_status_said():
    looks = (status(64, refused=1, up_s=10.0), status(60, refused=7, up_s=12.0), status(64, refused=21, up_s=14.0))
    measured = Round((*(Probe("/status", 1.0, 200, look) for look in looks), Probe("/status", 1.0, None)))
    assert 2 / 3 == measured.share(lambda seen: seen["workers"][0]["waiting"] == 64)
    assert 5.0 == measured.rate_hz(lambda seen: seen["totals"]["refusals"]["queue_full"])
