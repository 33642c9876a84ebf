"""The procedure: one request on an idle server, the capacity of every candidate, the rate that the best ones sustain.

1. Service: a server of two workers, one request at a time, then the longest text: service times and memory.
2. Capacity: every candidate that fits into the memory under a closed loop that keeps it busy.
3. Rate: bisection of the highest open-loop rate at which the baseline meets the objectives; then every other
   candidate with the capacity for a third more is asked for that.
4. Comparison: the baseline again, and each that did it beside the baseline, with other arrivals.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from app.system.processes import sampled
from app.tuning.candidate import Candidate, Launch, MeasuredServer, baseline_first
from app.tuning.loadgen import ANSWERED, poisson
from app.tuning.question import Question
from app.tuning.recommend import CLOSE, comparison_hz, contenders, displaces
from app.tuning.results import (
    CAPACITY,
    COMPARISON,
    RATE,
    SERVICE,
    Measurements,
    MemoryReading,
    Service,
    Window,
    answered,
    capacity_hz,
    meets,
    need_of,
    percentile_s,
    rate_bounds_hz,
    score,
    service_of,
    sustained_of,
)
from app.tuning.units import format_duration, format_size

_MEMORY = "memory"
#: Of the budget. The rate is where the answer is decided, so it gets most.
_SHARES = {SERVICE: 0.08, _MEMORY: 0.12, CAPACITY: 0.20, RATE: 0.40, COMPARISON: 0.20}
#: A percentile of fewer requests than this is luck; a window of fewer than `_MIN_REQUESTS` is none.
_ENOUGH_REQUESTS, _MIN_REQUESTS = 50, 10
_MIN_WINDOW_S, _WARM_UP_S = 0.25, 0.6
#: Of the time there is for a window; the rest is for the requests that are still in flight at its end.
_SENDING = 0.85
#: Service times are known by then, whatever the budget.
_MAX_SERVICE_S = 45.0
_MEMORY_EVERY_S = 0.1
#: A candidate with less of the best one's capacity cannot sustain as much, whatever its latencies.
_WORTH = 0.9
#: Windows of a bisection; a range of rates so narrow is not halved any further: luck is wider.
_STEPS, _CHALLENGER_STEPS, _NARROW = 5, 3, 0.06
#: Windows at one rate in a comparison, each with arrivals of its own; and challengers that time is reserved for.
_WINDOWS, _CHALLENGERS = 3, 2


class Progress(Protocol):
    """Shows what goes on."""

    def doing(self, what: str) -> None:
        """Something that takes its time has begun."""
        ...

    def done(self, line: str) -> None:
        """Something was found."""
        ...


class Tuner:
    """One run of the procedure. What was measured is in `measurements`, whatever ends it."""

    def __init__(
        self,
        question: Question,
        launch: Launch,
        measurements: Measurements,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.question, self.measurements, self._progress = question, measurements, progress
        self._launch, self._clock, self._began_s = launch, clock, clock()
        self._starting_s = 0.0
        #: Of the budget, for the comparison; set as rates begin to be tried.
        self._reserved_s = 0.0

    @property
    def left_s(self) -> float:
        """What is left of the budget."""
        return self.question.budget_s - (self._clock() - self._began_s)

    def run(self) -> None:
        """Measure everything.

        Raises:
            LoaderError: a server did not start, or ended.
        """
        service = self._probe()
        if service is None:
            self.measurements.remark("an idle server answered not one request of the workload")
            return
        capacities = self._measure_capacities(service)
        if not any(capacities.values()):
            self.measurements.remark("no candidate answered a request while it was never idle")
            return
        if not self._find_rates(capacities):
            self.measurements.remark("there was no time to try every rate; give a larger --budget")
        self._compare()

    def _probe(self) -> Service | None:
        """Measure the workload, one request at a time, then the longest text. None if no request was answered."""
        # Two workers: pages that only one worker has touched would count as its own, and not as shared.
        question, candidate = self.question, Candidate(2, min(self.question.candidates).threads)
        with self._running(candidate, warm=False) as server:
            self._keep_memory("idle", candidate, server)
            self._warm_up(server, candidate)
            self._closed(server, SERVICE, candidate, 1, min(_MAX_SERVICE_S, self._window_s(SERVICE, 1, 0)))
            self._keep_memory("workload", candidate, server)
            service = service_of(self.measurements, question.workload, question.objectives)
            if service is not None:
                self._progress.done(
                    f"an idle server takes {format_duration(service.mean_s)} for an average request, "
                    f"{format_duration(service.fixed_s)} and {service.per_character_s * 1000:.2f}ms a character"
                )
                self._speak_longest(server, candidate, service)
        return service

    def _speak_longest(self, server: MeasuredServer, candidate: Candidate, service: Service) -> None:
        allowed, longest = self.question.max_characters, max(text.characters for text in self.question.workload.texts)
        characters = min(allowed, max(service.characters_in(self._window_s(_MEMORY, 1, 0)), longest))
        if characters < allowed:
            self.measurements.remark(
                f"memory was measured with a text of {characters} characters and extrapolated in a straight line to the "
                f"{allowed} that limits.text_characters allows: there was no time for more in --budget"
            )
        self._progress.doing(f"{candidate}: a text of {characters} characters")
        with self._peak_memory("longest", candidate, server, characters):
            result = server.send(self.question.workload.long_request(characters))
        if result.outcome != ANSWERED:
            self.measurements.remark(
                f"the text of {characters} characters was not answered: {result.outcome}, status {result.status}"
            )
        own = max(self.measurements.memory[-1].memory.worker_uss_bytes, default=0)
        self._progress.done(f"a worker's own memory is {format_size(own)} at most while it speaks {characters} characters")

    def _measure_capacities(self, service: Service) -> dict[Candidate, float]:
        """Measure what each candidate that fits can do, and its memory meanwhile."""
        candidates, capacities = self._fitting(), {}
        window_s = self._window_s(CAPACITY, len(candidates), len(candidates))
        for each in candidates:
            with self._running(each) as server, self._peak_memory("load", each, server):
                self._closed(server, CAPACITY, each, max(2 * math.ceil(self.question.cores), 4, each.places), window_s)
            capacities[each] = capacity_hz(self.measurements, each, service) or 0.0
            self._progress.done(f"{each}: {capacities[each]:.2f} requests a second at most")
        return capacities

    def _fitting(self) -> tuple[Candidate, ...]:
        """Return the candidates whose workers fit into the memory; the smallest if none does, to say what it lacks."""
        question, need = self.question, need_of(self.measurements, self.question.max_characters)
        if need is None:
            return question.candidates
        most = need.max_workers(question.memory_bytes)
        fitting = tuple(each for each in question.candidates if each.workers <= most)
        if len(fitting) < len(question.candidates):
            counted = "1 worker fits" if most == 1 else f"{most} workers fit"
            self.measurements.remark(
                f"at most {counted} into {format_size(question.memory_bytes)}; candidates of more were not measured"
            )
        return fitting or (min(question.candidates),)

    def _find_rates(self, capacities: Mapping[Candidate, float]) -> bool:
        """Bisect the rate of the baseline and of each that may do a third more; return whether there was time for all."""
        baseline, *others = baseline_first(capacities, self.question.cores)
        best_hz = max(capacities.values())
        self._reserved_s = max(0.0, self.left_s) * _SHARES[COMPARISON] / (_SHARES[RATE] + _SHARES[COMPARISON])
        window_s = self._window_s(RATE, 2 * _STEPS, 3)
        with self._running(baseline) as server:
            if not self._bisect(server, baseline, capacities[baseline], window_s, _STEPS):
                return False
        seen = sustained_of(self.measurements, baseline, self.question.objectives)
        lowest_hz = min((each.rate_hz or 0.0 for each in self.measurements.of(RATE, baseline)), default=_SENDING * best_hz / 2)
        # If the baseline met the objectives at no rate, the others are asked for the lowest that it failed at.
        target_hz = seen.rate_hz / CLOSE if seen and seen.rate_hz else lowest_hz
        for each in others:
            if capacities[each] < max(target_hz, _WORTH * best_hz):
                continue
            if self.left_s <= self._reserved_s:
                return False
            with self._running(each) as server:
                window = self._open(server, RATE, each, target_hz, window_s, self.question.seed)
                is_met = meets(window.results, self.question.objectives)
                if is_met and not self._bisect(server, each, capacities[each], window_s, _CHALLENGER_STEPS):
                    return False
        return True

    def _bisect(self, server: MeasuredServer, candidate: Candidate, max_hz: float, window_s: float, steps: int) -> bool:
        """Halve the range of rates; return whether there was time to. At least one rate is tried, whatever the budget."""
        for _ in range(steps):
            tried = self.measurements.of(RATE, candidate)
            rate_hz = next_rate_hz(tried, max_hz, self.question)
            if rate_hz is None:
                break
            if tried and self.left_s <= self._reserved_s:
                return False
            self._open(server, RATE, candidate, rate_hz, window_s, self.question.seed)
        return True

    def _compare(self) -> None:
        """Ask the baseline again for what it may hold, and each challenger for a third more, until one displaces it."""
        found = contenders(self.question, self.measurements)
        if found is None or not found[0].rate_hz or self.left_s <= 0:
            return
        baseline, challengers = found
        baseline_hz, challenger_hz = comparison_hz(baseline, challengers)
        servers = 1 + min(len(challengers), _CHALLENGERS)
        window_s = self._window_s(COMPARISON, _WINDOWS * servers, servers)
        self._ask_again(baseline.candidate, baseline_hz, window_s)
        for each in challengers:
            self._ask_again(each.candidate, challenger_hz, window_s)
            if displaces(self.question, self.measurements, each, baseline, (baseline_hz, challenger_hz)):
                return

    def _ask_again(self, candidate: Candidate, rate_hz: float, window_s: float) -> None:
        with self._running(candidate) as server:
            for number in range(1, _WINDOWS + 1):
                self._open(server, COMPARISON, candidate, rate_hz, window_s, self.question.seed + number)

    def _window_s(self, stage: str, windows: int, starts: int) -> float:
        """Return how long each window of a stage may take, if that many servers are started for them.

        Called once as a stage begins: windows that are compared are equally long, and so hold the same arrivals.
        """
        stages = list(_SHARES)
        to_do = sum(_SHARES[each] for each in stages[stages.index(stage) :])
        stage_s = max(0.0, self.left_s) * _SHARES[stage] / to_do
        return max(_MIN_WINDOW_S, (stage_s - starts * (self._starting_s + _WARM_UP_S)) / max(1, windows))

    @contextmanager
    def _running(self, candidate: Candidate, warm: bool = True) -> Iterator[MeasuredServer]:
        """Run a server; every worker has spoken, unless it is not to be warm."""
        self._progress.doing(f"{candidate}: starting")
        began_s = self._clock()
        with self._launch(candidate) as server:
            self._starting_s = self._clock() - began_s
            if warm:
                self._warm_up(server, candidate)
            yield server

    def _warm_up(self, server: MeasuredServer, candidate: Candidate) -> None:
        self._progress.doing(f"{candidate}: warming up")
        requests, clients = self.question.workload.draw(self.question.seed), max(2, candidate.places)
        server.closed_loop(requests, clients, _WARM_UP_S, clients * self._drain_s)

    def _closed(self, server: MeasuredServer, stage: str, candidate: Candidate, clients: int, window_s: float) -> None:
        """Measure a window in which that many clients ask again as soon as they are answered."""
        for_s, started_s = max(_MIN_WINDOW_S, window_s * _SENDING), self._clock() - self._began_s
        self._progress.doing(f"{candidate}: {clients} {'client' if clients == 1 else 'clients'}")
        requests = self.question.workload.draw(self.question.seed)
        # N clients of a server that works on one request at a time wait N times as long.
        results = server.closed_loop(requests, clients, for_s, clients * self._drain_s)
        self.measurements.windows.append(Window(stage, candidate, started_s, for_s, None, clients, tuple(results)))

    def _open(
        self, server: MeasuredServer, stage: str, candidate: Candidate, rate_hz: float, window_s: float, seed: int
    ) -> Window:
        """Measure a window of Poisson arrivals at a rate."""
        for_s, started_s = max(_MIN_WINDOW_S, window_s * _SENDING, _MIN_REQUESTS / rate_hz), self._clock() - self._began_s
        self._progress.doing(f"{candidate}: {rate_hz:.2f} requests a second")
        arrivals = poisson(self.question.workload.draw(seed), rate_hz, for_s, seed)
        results = server.open_loop(arrivals, self._drain_s)
        window = Window(stage, candidate, started_s, for_s, rate_hz, None, tuple(results))
        self.measurements.windows.append(window)
        if len(results) < _ENOUGH_REQUESTS:
            self.measurements.remark(
                f"some windows hold fewer than {_ENOUGH_REQUESTS} requests, too few for a percentile that lasts: "
                "give a larger --budget"
            )
        self._progress.done(self._line(window))
        return window

    def _line(self, window: Window) -> str:
        values_s = [(each.name, percentile_s(window.results, each.measure, each.percentile)) for each in self.question.objectives]
        shown = ", ".join(f"{name} {'never' if math.isinf(value) else format_duration(value)}" for name, value in values_s)
        verdict = "met" if score(window.results, self.question.objectives) <= 1 else "not met"
        return f"{window.candidate}: {window.rate_hz:.2f} requests a second, {len(window.results)} of them: {shown}: {verdict}"

    def _keep_memory(self, moment: str, candidate: Candidate, server: MeasuredServer) -> None:
        self.measurements.memory.append(MemoryReading(moment, candidate, server.memory()))

    @contextmanager
    def _peak_memory(
        self, moment: str, candidate: Candidate, server: MeasuredServer, characters: int | None = None
    ) -> Iterator[None]:
        """Keep the reading with the largest sum of those taken meanwhile."""
        with sampled(server.memory, _MEMORY_EVERY_S) as readings:
            yield
        peak = max(readings, key=lambda each: each.pss_bytes)
        self.measurements.memory.append(MemoryReading(moment, candidate, peak, characters))

    @property
    def _drain_s(self) -> float:
        """How long a request is waited for: until it has missed all objectives, and the longest that an idle server took."""
        seen = [each.service_s for window in self.measurements.of(SERVICE) for each in answered(window.results)]
        return self.question.timeout_s + max(seen, default=5.0)


def next_rate_hz(tried: list[Window], max_hz: float, question: Question) -> float | None:
    """Return the rate between the highest that met the objectives and the lowest that did not; None if these are close."""
    low_hz, high_hz = rate_bounds_hz(tried, question.objectives, max_hz)
    return None if high_hz - low_hz <= high_hz * _NARROW else (low_hz + high_hz) / 2
