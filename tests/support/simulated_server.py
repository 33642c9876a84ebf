"""Simulated servers, in no time: M/M/c queues whose best candidate is known by formula."""

import heapq
import math
import random
from contextlib import contextmanager
from dataclasses import dataclass

from app.tuning.candidate import ServerMemory
from app.tuning.loadgen import ANSWERED, LATE, Result
from app.tuning.plan import TuningPlan
from app.tuning.results import Measurements
from app.tuning.search import Tuner
from app.tuning.workload import Text, Workload

MIB = 2**20
#: What an average text of `EXPONENTIAL` has.
CHARACTERS = 200
#: Texts whose lengths, and with them the work, are spread like an exponential distribution.
EXPONENTIAL = Workload(
    "exponential",
    tuple(Text({"input": "x" * max(1, round(-CHARACTERS * math.log(1 - (each + 0.5) / 400)))}) for each in range(400)),
)


@dataclass(frozen=True)
class Machine:
    """A machine on which so many requests can be served at a time; more workers than cores get in each other's way."""

    cores: int
    mean_service_s: float
    #: What every worker beyond the cores slows all of them down by.
    crowding: float = 0.1
    shared_bytes: int = 100 * MIB
    worker_bytes: int = 10 * MIB
    #: Standard deviation of a service time, as a fraction.
    noise: float = 0.1
    #: Of the service time, until the first audio is there.
    first_audio: float = 0.0
    #: Of each window by itself, the same: how much a machine is otherwise busy while it lasts.
    window_noise: float = 0.0

    def servers(self, candidate):
        return min(candidate.workers, self.cores)

    def service_s(self, candidate):
        return self.mean_service_s * (1 + self.crowding * max(0, candidate.workers - self.cores))

    def memory(self, candidate):
        return ServerMemory(self.shared_bytes + candidate.workers * self.worker_bytes, (self.worker_bytes,) * candidate.workers)


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self):
        return self.now_s


class SimulatedServer:
    """The server of a candidate: first come, first served; a text is as much work as it is long, give or take some noise."""

    def __init__(self, machine, candidate, clock, draw):
        self._machine, self._candidate, self._clock, self._draw = machine, candidate, clock, draw
        self._slowness = 1.0

    def memory(self):
        return self._machine.memory(self._candidate)

    def open_loop(self, arrivals, drain_s):
        self._draw_slowness()
        free_s = [0.0] * self._machine.servers(self._candidate)
        results = [self._serve(each.request, each.due_s, free_s) for each in arrivals]
        leaving_s = max((each.due_s for each in arrivals), default=0.0) + drain_s
        self._clock.now_s += min(leaving_s, max((each.ended_s for each in results), default=0.0))
        return [_late(each) if each.ended_s > leaving_s else each for each in results]

    def closed_loop(self, requests, clients, for_s, drain_s):
        self._draw_slowness()
        free_s, asking_s, results = [0.0] * self._machine.servers(self._candidate), [0.0] * clients, []
        while asking_s[0] < for_s and (request := next(requests, None)):
            results.append(self._serve(request, heapq.heappop(asking_s), free_s))
            heapq.heappush(asking_s, results[-1].ended_s)
        self._clock.now_s += max(each.ended_s for each in results)
        return results

    def _serve(self, request, at_s, free_s):
        begun_s = max(at_s, heapq.heappop(free_s))
        took_s = self._service_s(request)
        heapq.heappush(free_s, begun_s + took_s)
        return self._result(request, at_s, begun_s, took_s)

    def _draw_slowness(self):
        self._slowness = max(0.5, self._draw.gauss(1.0, self._machine.window_noise))

    def _service_s(self, request):
        noise = self._slowness * self._draw.gauss(1.0, self._machine.noise)
        return max(0.0, noise) * self._machine.service_s(self._candidate) * request.characters / CHARACTERS

    def _result(self, request, due_s, begun_s, took_s):
        total_s = begun_s + took_s - due_s
        ttfa_s = begun_s + took_s * self._machine.first_audio - due_s
        return Result(request, due_s, due_s, ANSWERED, 200, ttfa_s, total_s, body_bytes=1000)


def _late(result):
    return Result(result.request, result.due_s, result.sent_s, LATE, 200)


def tuner_on(machine, plan, seed=7, measurements=None):
    """Return a tuner whose servers are simulated, and whose clock is theirs."""
    clock, draw = Clock(), random.Random(seed)

    @contextmanager
    def launch(candidate):
        clock.now_s += 0.5
        yield SimulatedServer(machine, candidate, clock, draw)

    return Tuner(plan, launch, Measurements() if measurements is None else measurements, lambda line: None, clock)


def plan_of(
    objectives, candidates, memory_bytes=2**30, budget_s=3000.0, seed=1, cores=2, workload=EXPONENTIAL, max_characters=2000
):
    """Return a plan with defaults that hardly matter."""
    return TuningPlan(tuple(objectives), tuple(candidates), memory_bytes, cores, workload, max_characters, budget_s, seed)


def waiting_probability(servers, load):
    """Return Erlang's C: the share of requests that wait at `servers` servers of which each is busy for `load` of the time."""
    if load >= 1:
        return 1.0
    offered, blocked = servers * load, 1.0
    for server in range(1, servers + 1):
        blocked = offered * blocked / (server + offered * blocked)
    return blocked / (1 - load + load * blocked)


def exact_rate_hz(machine, candidate, objective):
    """Return the highest rate of M/M/c at which the objective on first audio, that is on waiting alone, is met."""
    servers, service_s = machine.servers(candidate), machine.service_s(candidate)
    low_hz, high_hz = 0.0, servers / service_s
    for _ in range(60):
        rate_hz = (low_hz + high_hz) / 2
        waits = waiting_probability(servers, rate_hz * service_s / servers)
        share = waits * math.exp(-(servers / service_s - rate_hz) * objective.bound_s)
        low_hz, high_hz = (rate_hz, high_hz) if share <= 1 - objective.percentile / 100 else (low_hz, rate_hz)
    return low_hz


def exact_best(machine, plan, close=0.8):
    """Return the candidate nearest to the baseline whose exact rate is close to the best, of those that fit into the memory."""
    fits = [each for each in plan.candidates if fits_exactly(machine, plan, each)]
    rates_hz = {each: exact_rate_hz(machine, each, plan.objectives[0]) for each in fits}
    return next(each for each in fits if rates_hz[each] >= close * max(rates_hz.values()))


def fits_exactly(machine, plan, candidate):
    return machine.shared_bytes + (candidate.workers + 1) * machine.worker_bytes <= 0.95 * plan.memory_bytes
