"""Load on a server under measurement, by the clients of `chorus tune`, and the work that was done, in average requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.tuning.findings import Service, service_of, throughput_hz
from app.tuning.journal import SERVICE, SWEEP, Journal, Window
from app.tuning.load import Arrival, closed_loop, open_loop
from app.tuning.mix import Mix
from app.tuning.outcome import Outcome, percentile_s
from app.tuning.setting import Setting

from .servers import Server

#: Clients leave when their answer is not whole by then.
PATIENCE_S = 10.0
_WARM_S = 2.0


@dataclass(frozen=True)
class Capacity:
    """What a server takes."""

    #: Of one request on an idle server.
    service: Service
    #: Requests of the mix's average length, a second, when it is never idle.
    rate_hz: float


def measured(server: Server, mix: Mix, setting: Setting, for_s: float) -> Capacity:
    """Have one client ask for what a request takes, then as many as are served at a time for what the server takes.

    Raises:
        ChildFailedError: not one request was answered.
    """
    warm(server, mix, setting)
    journal = Journal()
    journal.add(_window(_asked(server, mix, 1, for_s / 2), for_s / 2, SERVICE))
    service = service_of(journal, mix, ())
    if service is None:
        raise server.child.failure(f"{server.kind.name} answered no request")
    return Capacity(service, work_hz(_asked(server, mix, setting.places, for_s), for_s, service))


def warm(server: Server, mix: Mix, setting: Setting) -> None:
    """Have every worker speak."""
    _asked(server, mix, 2 * setting.places, _WARM_S)


def offer(server: Server, arrivals: Sequence[Arrival]) -> tuple[Outcome, ...]:
    """Send every request at its time, whatever became of others; wait until all are answered, or left.

    Raises:
        ChildFailedError: the server has ended.
    """
    outcomes = open_loop(server.port, arrivals, PATIENCE_S, PATIENCE_S)
    if server.child.process.poll() is not None:
        raise server.child.failure(f"{server.kind.name} ended under load")
    return tuple(outcomes)


def work_hz(outcomes: Sequence[Outcome], for_s: float, service: Service) -> float:
    """Return how many requests of average length a second were answered; see `app.tuning.findings.throughput_hz`."""
    return throughput_hz(_window(outcomes, for_s, SWEEP), service)


def percentile_ms(outcomes: Sequence[Outcome], measure: str, percentile: float) -> float:
    """Return a percentile of a latency in milliseconds; whoever was not answered counts as having waited all its patience."""
    return 1000 * min(PATIENCE_S, percentile_s(outcomes, measure, percentile))


def _asked(server: Server, mix: Mix, clients: int, for_s: float) -> list[Outcome]:
    return closed_loop(server.port, mix.drawn(0), clients, for_s, PATIENCE_S)


def _window(outcomes: Sequence[Outcome], for_s: float, stage: str) -> Window:
    return Window(stage, Setting(1, 1), 0.0, for_s, None, None, tuple(outcomes))
