"""app.serving.heartbeat: when the master looks at its workers again, with a server that only remembers."""

from types import SimpleNamespace

import pytest

from app.scoreboard.board import Scoreboard
from app.serving.heartbeat import Lookout

NOW_S = 1000.0


class RememberingServer:
    """Stands where gunicorn's arbiter would, and remembers how long it was to wait."""

    timeout = 30

    def __init__(self, *workers):
        self.WORKERS = dict(enumerate(workers))
        self.waited_s = None

    def wait_for_signals(self, timeout):
        self.waited_s = timeout
        return ["a signal"]


def worker(stalls_s=0.0, aborted=False):
    slot = Scoreboard(1).take_slot()
    slot.set_gauges(stalls_s=stalls_s)
    return SimpleNamespace(slot=slot, aborted=aborted)


def waited_s(server):
    Lookout(server, lambda: NOW_S)
    assert ["a signal"] == server.wait_for_signals(timeout=1.0)
    return server.waited_s


@pytest.mark.parametrize(
    "workers",
    [
        pytest.param([], id="there is none"),
        pytest.param([worker()], id="they have nothing to do"),
        pytest.param([worker(NOW_S + 60)], id="they have time"),
        pytest.param([worker(NOW_S - 5, aborted=True)], id="it was told to end and has a second for that"),
    ],
)
def test_the_master_looks_every_second_as_ever_while_no_worker_is_due(workers):
    assert 1.0 == waited_s(RememberingServer(*workers))


def test_it_looks_just_after_the_next_deadline():
    server = RememberingServer(worker(NOW_S + 60), worker(NOW_S + 0.25), worker(NOW_S + 0.5), worker())
    assert 0.25 < waited_s(server) < 0.26


def test_it_looks_at_once_where_a_deadline_is_over():
    assert 0.0 == waited_s(RememberingServer(worker(NOW_S - 5)))


def test_it_waits_as_ever_where_gunicorn_is_told_to_end_nobody():
    server = RememberingServer(worker(NOW_S - 5))
    server.timeout = 0
    assert 1.0 == waited_s(server)
