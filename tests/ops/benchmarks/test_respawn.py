"""What is made of measured kills."""

from ops.benchmarks.respawn import Kill, Round, Spoken


def kill(first_ms=1.0, old_ms=1.0, ready_ms=10.0):
    return Kill(forked_ms=9.0, ready_ms=ready_ms, first=Spoken(first_ms, 2 * first_ms), old=Spoken(old_ms, old_ms))


def test_a_first_request_is_compared_with_the_old_workers_of_the_same_kill():
    """Of medians by themselves 200 / 100 would be left."""
    measured = Round((kill(100.0, 100.0), kill(200.0, 200.0), kill(300.0, 50.0)))
    assert (1.0, 2.0) == (measured.first_to_old, measured.first_to_old_by_core)


def test_the_slowest_successor_is_shown_beside_the_median():
    measured = Round((kill(ready_ms=10.0), kill(ready_ms=11.0), kill(ready_ms=90.0)))
    assert (11.0, 90.0) == (measured.median(lambda each: each.ready_ms), measured.slowest_ms)
