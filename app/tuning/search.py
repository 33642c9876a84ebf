"""Search: service time and memory, the capacity of each candidate, the rate that the baseline and its rivals sustain.

1. Service: a server of two workers answers one request at a time, then the longest text.
2. Capacity: each candidate that fits into the memory answers as many clients as keep it busy.
3. Rate: the highest rate of an open loop at which the baseline meets the objectives, by bisection.
4. Comparison, with other arrivals: the baseline a little below that rate, and each candidate of enough capacity under a third
   more requests. The first that uses up clearly less of the objectives displaces the baseline, and its rate is bisected.

Most candidates of a machine do the same within the luck of a percentile (of nine on two cores the capacities were 10 %
around their mean, 2026-11-29), and the best of them is another one every time. So the baseline is recommended unless
another candidate does clearly more.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from app.system.processes import sampled
from app.tuning.candidate import CandidateServer, Launch, ServerMemory
from app.tuning.loadgen import ANSWERED, Result, poisson
from app.tuning.plan import Candidate, TuningPlan, format_duration, format_size
from app.tuning.results import (
    CAPACITY,
    COMPARISON,
    RATE,
    SERVICE,
    STEP_DOWN,
    LoadTest,
    Measurements,
    MemoryReading,
    ServiceTime,
    answered,
    capacity_hz,
    memory_need_of,
    percentile_s,
    rate_range_hz,
    score,
    service_time_of,
)

#: A candidate displaces the baseline if it uses up a quarter less of the objectives at a third more requests. Of 100 simulated
#: runs in which all candidates do the same, one displaced it with a fifth less (2026-11-30).
_CLOSE = 0.75
#: Shares of the time that is left as a stage begins. The rates are tried in all the rest, as if this many tests were needed.
_SERVICE_SHARE, _LONGEST_SHARE, _CAPACITY_SHARE, _RATE_TESTS = 0.08, 0.13, 0.25, 14
#: Service times are known by then, whatever the budget.
_MAX_SERVICE_S = 45.0
#: A percentile of fewer requests is luck; a test of fewer than `_MIN_REQUESTS` is none.
_ENOUGH_REQUESTS, _MIN_REQUESTS = 50, 10
_MIN_TEST_S, _WARM_UP_S = 0.25, 0.6
#: Of the time for a test; the rest is for the requests that are in flight at its end.
_SENDING = 0.85
_MEMORY_EVERY_S = 0.1
#: A candidate with less of the largest capacity is not compared.
_ENOUGH_CAPACITY = 0.9
#: Tests of a bisection; a range so narrow is not halved: luck is wider.
_BISECTIONS, _NARROW = 5, 0.06
#: Tests at one rate in a comparison, each with arrivals of its own.
_REPETITIONS = 3


class Tuner:
    """One run. `measurements` has what was measured, whatever ends it."""

    def __init__(
        self,
        plan: TuningPlan,
        launch: Launch,
        measurements: Measurements,
        show: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan, self.measurements, self._launch, self._show = plan, measurements, launch, show
        self._clock, self._began_s = clock, clock()
        self._starting_s = self._rate_test_s = 0.0

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return self.plan.budget_s - (self._clock() - self._began_s)

    def run(self) -> None:
        """Measure everything.

        Raises:
            LoaderError: a server did not start, or ended.
        """
        service = self._measure_service()
        if not service or not self._find_rate(self._measure_capacities(service)):
            self.measurements.note("the server answered no request of the workload")

    def _measure_service(self) -> ServiceTime | None:
        """Measure service time and memory. None if no request was answered."""
        # Two workers: pages that only one worker has touched would count as its own, and not as shared.
        plan, candidate = self.plan, Candidate(2, min(self.plan.candidates).threads)
        with self._running(candidate, warm=False) as server:
            self._keep_memory("idle", candidate, server.memory())
            self._warm_up(server, candidate)
            self._closed(server, SERVICE, candidate, 1, min(_MAX_SERVICE_S, self._test_s(_SERVICE_SHARE)))
            self._keep_memory("workload", candidate, server.memory())
            service = service_time_of(self.measurements, plan.workload, plan.objectives)
            if service:
                self._show(
                    f"an idle server takes {format_duration(service.mean_s)} for an average request, "
                    f"{format_duration(service.fixed_s)} and {service.per_character_s * 1000:.2f}ms a character"
                )
                self._measure_longest(server, candidate, service)
        return service

    def _measure_longest(self, server: CandidateServer, candidate: Candidate, service: ServiceTime) -> None:
        allowed, longest = self.plan.max_characters, max(text.characters for text in self.plan.workload.texts)
        characters = min(allowed, max(service.characters_in(self._test_s(_LONGEST_SHARE)), longest))
        if characters < allowed:
            self.measurements.note(
                f"memory was measured with a text of {characters} characters and extrapolated in a straight line to the "
                f"{allowed} that limits.text_characters allows: there was no time for more in --budget"
            )
        with sampled(server.memory, _MEMORY_EVERY_S) as readings:
            request, drain_s = self.plan.workload.long_request(characters), 10 * service.time_s(characters) + self._drain_s
            result, *_ = server.closed_loop(iter([request]), 1, _MIN_TEST_S, drain_s)
        self._keep_memory("longest", candidate, max(readings, key=lambda each: each.pss_bytes), characters)
        if result.outcome != ANSWERED:
            self.measurements.note(
                f"the text of {characters} characters was not answered: {result.outcome}, status {result.status}"
            )

    def _measure_capacities(self, service: ServiceTime) -> dict[Candidate, float]:
        """Measure what each candidate that fits can do, and its memory meanwhile."""
        candidates, capacities = self._fitting(), {}
        test_s = self._test_s(_CAPACITY_SHARE, len(candidates), len(candidates))
        for each in candidates:
            with self._running(each) as server, sampled(server.memory, _MEMORY_EVERY_S) as readings:
                self._closed(server, CAPACITY, each, max(2 * self.plan.cores, 4, each.concurrency), test_s)
            self._keep_memory("load", each, max(readings, key=lambda each: each.pss_bytes))
            capacities[each] = capacity_hz(self.measurements, each, service) or 0.0
            self._show(f"{each}: {capacities[each]:.2f} requests a second at most")
        return capacities

    def _fitting(self) -> tuple[Candidate, ...]:
        """Return the candidates whose workers fit into the memory; the cheapest if none does, to say what it lacks."""
        plan, need = self.plan, memory_need_of(self.measurements, self.plan.max_characters)
        most = need.max_workers(plan.memory_bytes) if need else 0
        fitting = tuple(each for each in plan.candidates if each.workers <= most)
        if len(fitting) < len(plan.candidates):
            counted = "1 worker fits" if most == 1 else f"{most} workers fit"
            self.measurements.note(f"at most {counted} into {format_size(plan.memory_bytes)}; more were not measured")
        return fitting or (min(plan.candidates),)

    def _find_rate(self, capacities: Mapping[Candidate, float]) -> bool:
        """Bisect the rate of the baseline, and of the first candidate that displaces it. False if none has a capacity."""
        # Under load a worker may have needed more memory than before.
        candidates = [each for each in self._fitting() if capacities.get(each)]
        if not candidates:
            return False
        baseline, *others = candidates
        self.measurements.best, self._rate_test_s = baseline, self._test_s(1.0, _RATE_TESTS, 3)
        with self._running(baseline) as server:
            sustained_hz = self._bisect(server, baseline, capacities[baseline])
            # If the baseline met the objectives at no rate, all are compared at the lowest that was tried.
            base_hz = sustained_hz * STEP_DOWN or min(each.rate_hz for each in self.measurements.of(RATE, baseline))
            target_hz = base_hz / _CLOSE if sustained_hz else base_hz
            enough_hz = max(target_hz, _ENOUGH_CAPACITY * max(capacities.values()))
            rivals = [each for each in others if capacities[each] >= enough_hz]
            base_score = self._repeat(server, baseline, base_hz) if rivals and self.left_s > 0 else math.inf
        limit = min(1.0, _CLOSE * base_score) if sustained_hz else 1.0
        for each in rivals:
            if self.left_s <= 0:
                self.measurements.note("there was no time to compare every candidate; give a larger --budget")
                break
            with self._running(each) as server:
                screened = score(self._open(server, RATE, each, target_hz, self.plan.seed), self.plan.objectives)
                if screened <= 1 and self._repeat(server, each, target_hz) <= limit:
                    self.measurements.best = each
                    self._bisect(server, each, capacities[each])
                    break
                # None may meet the objectives: the nearest is named.
                if not sustained_hz and screened < _CLOSE * base_score:
                    self.measurements.best, base_score = each, screened
        return True

    def _bisect(self, server: CandidateServer, candidate: Candidate, max_hz: float) -> float:
        """Halve the range of rates, while there is time; return the highest that met the objectives, 0 if none did."""
        while True:
            tried = self.measurements.of(RATE, candidate)
            low_hz, high_hz = rate_range_hz(tried, self.plan.objectives)
            high_hz = min(high_hz, max(max_hz, low_hz))
            is_over = tried and (len(tried) >= _BISECTIONS or self.left_s <= 0)
            if is_over or high_hz - low_hz <= high_hz * _NARROW:
                return low_hz
            self._open(server, RATE, candidate, (low_hz + high_hz) / 2, self.plan.seed)

    def _repeat(self, server: CandidateServer, candidate: Candidate, rate_hz: float) -> float:
        """Return the score at one rate over several arrivals."""
        seeds = range(self.plan.seed + 1, self.plan.seed + 1 + _REPETITIONS)
        results = [each for seed in seeds for each in self._open(server, COMPARISON, candidate, rate_hz, seed)]
        return score(results, self.plan.objectives)

    def _test_s(self, share: float, tests: int = 1, starts: int = 0) -> float:
        """Return the time for each test of a stage, if that many servers are started for them."""
        stage_s = max(0.0, self.left_s) * share - starts * (self._starting_s + _WARM_UP_S)
        return max(_MIN_TEST_S, stage_s / tests * _SENDING)

    @contextmanager
    def _running(self, candidate: Candidate, warm: bool = True) -> Iterator[CandidateServer]:
        """Run a server; every worker has spoken, unless it is not to be warm."""
        began_s = self._clock()
        with self._launch(candidate) as server:
            self._starting_s = self._clock() - began_s
            if warm:
                self._warm_up(server, candidate)
            yield server

    def _warm_up(self, server: CandidateServer, candidate: Candidate) -> None:
        requests, clients = self.plan.workload.draw(self.plan.seed), max(2, candidate.concurrency)
        server.closed_loop(requests, clients, _WARM_UP_S, clients * self._drain_s)

    def _closed(self, server: CandidateServer, stage: str, candidate: Candidate, clients: int, for_s: float) -> None:
        """Test with a number of clients that ask again as soon as they are answered."""
        started_s, requests = self._clock() - self._began_s, self.plan.workload.draw(self.plan.seed)
        # N clients of a server that works on one request at a time wait N times as long.
        results = server.closed_loop(requests, clients, for_s, clients * self._drain_s)
        self.measurements.load_tests.append(LoadTest(stage, candidate, started_s, for_s, 0.0, clients, tuple(results)))

    def _open(
        self, server: CandidateServer, stage: str, candidate: Candidate, rate_hz: float, seed: int
    ) -> tuple[Result, ...]:
        """Test with Poisson arrivals at a rate."""
        for_s, started_s = max(self._rate_test_s, _MIN_REQUESTS / rate_hz), self._clock() - self._began_s
        results = tuple(server.open_loop(poisson(self.plan.workload.draw(seed), rate_hz, for_s, seed), self._drain_s))
        self.measurements.load_tests.append(LoadTest(stage, candidate, started_s, for_s, rate_hz, 0, results))
        if len(results) < _ENOUGH_REQUESTS:
            self.measurements.note(
                f"some load tests hold fewer than {_ENOUGH_REQUESTS} requests, too few for a percentile: give a larger --budget"
            )
        latencies_s = [(each.name, percentile_s(results, each.measure, each.percentile)) for each in self.plan.objectives]
        latencies = ", ".join(f"{name} {format_duration(value_s)}" for name, value_s in latencies_s)
        verdict = "met" if score(results, self.plan.objectives) <= 1 else "not met"
        self._show(f"{candidate}: {rate_hz:.2f} requests a second, {len(results)} of them: {latencies}: {verdict}")
        return results

    def _keep_memory(self, moment: str, candidate: Candidate, memory: ServerMemory, characters: int = 0) -> None:
        self.measurements.memory.append(MemoryReading(moment, candidate, memory, characters))

    @property
    def _drain_s(self) -> float:
        """How long a request is waited for: until it has missed all objectives, and the longest that an idle server took."""
        seen = [each.service_s for test in self.measurements.of(SERVICE) for each in answered(test.results)]
        return self.plan.timeout_s + max(seen, default=5.0)
