"""What queueing theory expects, to hold measurements against."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ServiceLine:
    """How long a text takes when nobody else asks: a + b * characters."""

    fixed_s: float
    per_character_s: float

    def of(self, characters: float) -> float:
        """Return the seconds that so many characters take."""
        return self.fixed_s + self.per_character_s * characters

    def characters_in(self, time_s: float) -> int:
        """Return how many characters can be spoken in that time."""
        return max(0, int((time_s - self.fixed_s) / max(self.per_character_s, 1e-9)))


def fit_service(characters: Sequence[int], service_s: Sequence[float]) -> ServiceLine:
    """Fit a line by least squares; neither of its numbers is negative."""
    mean_s = float(np.mean(service_s))
    if len(set(characters)) < 2:
        return ServiceLine(mean_s, 0.0)
    slope, fixed = np.polyfit(characters, service_s, 1)
    if slope <= 0:
        return ServiceLine(mean_s, 0.0)
    if fixed < 0:
        return ServiceLine(0.0, float(np.dot(characters, service_s) / np.dot(characters, characters)))
    return ServiceLine(float(fixed), float(slope))


def squared_variation(values: Sequence[float]) -> float:
    """Return the squared coefficient of variation: 0 where all are equal, 1 for an exponential distribution."""
    mean = float(np.mean(values))
    return float(np.var(values)) / (mean * mean) if mean else 0.0


def waiting_probability(servers: int, load: float) -> float:
    """Return Erlang's C: the share of requests that wait at `servers` servers of which each is busy for `load` of the time."""
    if load >= 1:
        return 1.0
    offered = servers * load
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked / (1 - load + load * blocked)


def mean_wait_s(servers: int, rate_hz: float, mean_service_s: float, service_variation: float) -> float:
    """Return how long a request of Poisson arrivals waits on average, by Allen and Cunneen's approximation of M/G/c.

    Exact for M/M/c and M/G/1. Infinite where more is asked than can be served.
    """
    load = rate_hz * mean_service_s / servers
    if load >= 1:
        return math.inf
    waits = waiting_probability(servers, load) * mean_service_s / (servers * (1 - load))
    return waits * (1 + service_variation) / 2


@dataclass(frozen=True)
class Scaling:
    """The universal scalability law: what keeps N clients from being served N times as fast as one."""

    #: What only one request can do at a time; 1 where a single request already fills the machine.
    contention: float
    #: What requests cost each other.
    coherence: float


def fit_scaling(clients: Sequence[int], throughput_hz: Sequence[float]) -> Scaling | None:
    """Fit the law by least squares through one client's throughput; None without that or with fewer than three points."""
    points = dict(zip(clients, throughput_hz))
    alone_hz = points.pop(1, 0.0)
    if alone_hz <= 0 or len(points) < 2 or min(points.values()) <= 0:
        return None
    counts = np.array(list(points))
    slowdown = counts * alone_hz / np.array(list(points.values())) - 1
    terms = np.stack([counts - 1, counts * (counts - 1)], axis=1)
    contention, coherence = np.linalg.lstsq(terms, slowdown, rcond=None)[0]
    if coherence < 0:
        contention, coherence = float(np.dot(terms[:, 0], slowdown) / np.dot(terms[:, 0], terms[:, 0])), 0.0
    return Scaling(max(0.0, float(contention)), max(0.0, float(coherence)))
