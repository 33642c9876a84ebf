"""Servers that are simulated in no time: M/M/c queues whose best setting is known by formula."""

import heapq
import math
import random
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.tuning.bench import Bench
from app.tuning.journal import Journal, Memory
from app.tuning.mix import Line, Mix
from app.tuning.outcome import ANSWERED, LATE, Outcome
from app.tuning.plan import Question
from app.tuning.queueing import waiting_probability

MIB = 2**20
#: What an average text of `EXPONENTIAL` has.
CHARACTERS = 200
#: Texts whose lengths, and with them the work, are spread like an exponential distribution.
EXPONENTIAL = Mix(
    "exponential",
    tuple(Line({"input": "x" * max(1, round(-CHARACTERS * math.log(1 - (each + 0.5) / 400)))}) for each in range(400)),
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
    gusts: float = 0.0

    def servers(self, setting):
        return min(setting.workers, self.cores)

    def service_s(self, setting):
        return self.mean_service_s * (1 + self.crowding * max(0, setting.workers - self.cores))

    def memory(self, setting):
        return Memory(self.shared_bytes + setting.workers * self.worker_bytes, (self.worker_bytes,) * setting.workers)


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self):
        return self.now_s


class SimulatedStand:
    """One server with a setting: first come, first served; a text is as much work as it is long, give or take some noise."""

    def __init__(self, machine, setting, clock, draw):
        self._machine, self._setting, self._clock, self._draw = machine, setting, clock, draw
        self._wind = 1.0

    def memory(self):
        return self._machine.memory(self._setting)

    def ask(self, line):
        took_s = self._service_s(line)
        self._clock.now_s += took_s
        return self._outcome(line, 0.0, 0.0, took_s)

    def open_loop(self, arrivals, patience_s):
        self._turn_of_the_wind()
        free_s = [0.0] * self._machine.servers(self._setting)
        outcomes = [self._served(each.line, each.intended_s, free_s) for each in arrivals]
        leaving_s = max((each.intended_s for each in arrivals), default=0.0) + patience_s
        self._clock.now_s += min(leaving_s, max((each.ended_s for each in outcomes), default=0.0))
        return [_left(each) if each.ended_s > leaving_s else each for each in outcomes]

    def closed_loop(self, lines, clients, for_s, patience_s):
        self._turn_of_the_wind()
        free_s, asking_s, outcomes = [0.0] * self._machine.servers(self._setting), [0.0] * clients, []
        while asking_s[0] < for_s:
            outcomes.append(self._served(next(lines), heapq.heappop(asking_s), free_s))
            heapq.heappush(asking_s, outcomes[-1].ended_s)
        self._clock.now_s += max(for_s, max(each.ended_s for each in outcomes))
        return outcomes

    def _served(self, line, at_s, free_s):
        begun_s = max(at_s, heapq.heappop(free_s))
        took_s = self._service_s(line)
        heapq.heappush(free_s, begun_s + took_s)
        return self._outcome(line, at_s, begun_s, took_s)

    def _turn_of_the_wind(self):
        self._wind = max(0.5, self._draw.gauss(1.0, self._machine.gusts))

    def _service_s(self, line):
        noise = self._wind * self._draw.gauss(1.0, self._machine.noise)
        return max(0.0, noise) * self._machine.service_s(self._setting) * line.characters / CHARACTERS

    def _outcome(self, line, at_s, begun_s, took_s):
        first_s = begun_s + took_s * self._machine.first_audio
        return Outcome(line.characters, at_s, at_s, ANSWERED, 200, first_s, begun_s + took_s, 1000)


def _left(outcome):
    return Outcome(outcome.characters, outcome.intended_s, outcome.sent_s, LATE, 200)


@dataclass
class Told:
    """Keeps what it is told."""

    lines: list[str] = field(default_factory=list)

    def doing(self, what):
        self.lines.append(what)

    def done(self, line):
        self.lines.append(line)


def bench_on(machine, question, seed=7):
    """Return a bench whose servers are simulated, and whose clock is theirs."""
    clock, draw = Clock(), random.Random(seed)

    @contextmanager
    def launch(setting):
        clock.now_s += 0.5
        yield SimulatedStand(machine, setting, clock, draw)

    return Bench(question, launch, Journal(), Told(), clock)


def question_of(objectives, settings, memory_bytes=2**30, budget_s=3000.0, seed=1, cores=2.0, mix=EXPONENTIAL, characters=2000):
    """Return a question with defaults that hardly matter."""
    return Question(tuple(objectives), memory_bytes, cores, mix, tuple(settings), budget_s, seed, characters)


def exact_rate_hz(machine, setting, objective):
    """Return the highest rate of M/M/c at which the objective on first audio, that is on waiting alone, is met."""
    servers, service_s = machine.servers(setting), machine.service_s(setting)
    low_hz, high_hz = 0.0, servers / service_s
    for _ in range(60):
        rate_hz = (low_hz + high_hz) / 2
        waits = waiting_probability(servers, rate_hz * service_s / servers)
        share = waits * math.exp(-(servers / service_s - rate_hz) * objective.bound_s)
        low_hz, high_hz = (rate_hz, high_hz) if share <= 1 - objective.percentile / 100 else (low_hz, rate_hz)
    return low_hz


def exact_best(machine, question, close=0.8):
    """Return the setting nearest to a worker a core whose exact rate is close to the best, of those that fit into the memory."""
    fits = [each for each in question.settings if fits_exactly(machine, question, each)]
    rates_hz = {each: exact_rate_hz(machine, each, question.objectives[0]) for each in fits}
    best_hz = max(rates_hz.values())
    return min(
        (each for each in fits if rates_hz[each] >= close * best_hz),
        key=lambda each: (abs(math.log(each.workers / question.cores)), abs(math.log(each.threads / 4)), each),
    )


def fits_exactly(machine, question, setting):
    return machine.shared_bytes + (setting.workers + 1) * machine.worker_bytes <= 0.95 * question.memory_bytes
