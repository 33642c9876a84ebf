"""app.tuning.search: on servers whose best candidate is known."""

import random
from collections import Counter
from contextlib import contextmanager

import pytest

from app.tuning.candidate import Candidate, candidates_of, default_workers
from app.tuning.loadgen import ANSWERED, Request, Result
from app.tuning.question import Objective
from app.tuning.recommend import keys_of, recommend
from app.tuning.report import conclusion, summary
from app.tuning.results import CAPACITY, RATE, Measurements, Window
from app.tuning.search import Tuner, next_rate_hz
from app.tuning.workload import Text, Workload
from tests.support.simulated_server import MIB, Lines, Machine, exact_best, exact_rate_hz, question_of, tuner_on
from tests.support.synthetic_server import launch_on


def simulated_machines(count):
    """Draw machines and questions whose best candidate is beyond doubt: tolerances a little wider or narrower change nothing."""
    draw = random.Random(3)
    while count:
        cores, service_s = draw.randint(1, 8), draw.choice([0.02, 0.1, 0.5])
        machine = Machine(cores, service_s, crowding=draw.choice([0.1, 0.2]), noise=0.03)
        objective = Objective("first_audio", 95.0, service_s * draw.choice([1, 2, 4]))
        memory_bytes = draw.choice([140, 150, 200, 400]) * MIB
        # Threads of a core count as cores, and cores that are shared may do less, or more, than their number says.
        counted = max(1, round(cores * draw.choice([1, 1, 0.5, 2])))
        candidates = candidates_of(default_workers(counted), (2, 4))
        question = question_of([objective], candidates, memory_bytes, service_s * 60_000, cores=float(counted))
        if exact_best(machine, question, 0.65) == exact_best(machine, question, 0.92):
            count -= 1
            yield machine, question


@pytest.mark.parametrize(("machine", "question"), list(simulated_machines(50)))
def test_the_recommendation_is_the_optimum_that_theory_knows(machine, question):
    tuner = tuner_on(machine, question)
    tuner.run()
    found = recommend(question, tuner.measurements)

    best = exact_best(machine, question)
    assert best == found.candidate
    assert found.is_met
    assert machine.servers(best) == found.parallel
    assert 0.65 < found.rate_hz / exact_rate_hz(machine, best, question.objectives[0]) < 1.3
    assert tuner.left_s > -0.25 * question.budget_s


@pytest.mark.parametrize("window_noise", [0.1, 0.2])
def test_candidates_that_do_the_same_give_the_baseline_whatever_the_luck(window_noise):
    question = question_of([Objective("first_audio", 95.0, 0.3)], candidates_of((2, 3), (2, 4, 8)), budget_s=600.0)
    machine = Machine(2, 0.29, crowding=0.0, noise=0.1, window_noise=window_noise)
    answers = Counter()
    for luck in range(40):
        tuner = tuner_on(machine, question, luck)
        tuner.run()
        answers[recommend(question, tuner.measurements).candidate] += 1

    assert {Candidate(2, 4): 40} == answers


def test_on_real_sockets_two_cores_want_two_workers():
    question = real_question("first_audio", 0.04, workers=(1, 2, 3))
    measurements = measured(question, launch_on(2, 0.001))
    found = recommend(question, measurements)

    assert Candidate(2, 2) == found.candidate, list(summary(question, measurements, found))
    assert found.is_met
    assert 2 == found.parallel


def test_on_real_sockets_a_core_that_does_the_work_of_two_wants_two_workers():
    question = real_question("first_audio", 0.04, workers=(1, 2), cores=1.0, budget_s=25.0)
    measurements = measured(question, launch_on(2, 0.001))

    assert Candidate(2, 2) == recommend(question, measurements).candidate


def test_on_real_sockets_memory_may_leave_room_for_one():
    question = real_question("first_audio", 0.04, workers=(1, 2), memory_bytes=13 * MIB)
    measurements = measured(question, launch_on(2, 0.001))
    found = recommend(question, measurements)

    assert Candidate(1, 2) == found.candidate
    assert any("at most 1 worker" in each for each in found.doubts)
    assert not [each for each in measurements.of(CAPACITY) if each.candidate.workers > 1]


def test_on_real_sockets_an_objective_that_no_candidate_meets_names_the_nearest():
    question = real_question("total", 0.005, workers=(1, 2))
    found = recommend(question, measured(question, launch_on(2, 0.001)))

    assert not found.is_met
    assert found.score > 1
    assert conclusion(question, found).startswith("no candidate meets total_p95=5ms; the nearest is ")


def test_what_does_not_fit_into_the_memory_is_no_answer():
    machine = Machine(1, 0.1, worker_bytes=100 * MIB)
    question = question_of([Objective("total", 95.0, 10.0)], [Candidate(1, 2)], memory_bytes=200 * MIB, budget_s=600.0)
    tuner = tuner_on(machine, question)
    tuner.run()
    found = recommend(question, tuner.measurements)

    assert not found.is_met
    assert "not even 1 worker of 2 threads fit into 200MiB: 300MiB are needed" == conclusion(question, found)


class Interrupted(Measurements):
    """Interrupts the run as it would keep one more window."""

    def __init__(self, windows):
        super().__init__()
        self.windows = _Full(windows)


class _Full(list):
    def __init__(self, limit):
        super().__init__()
        self._limit = limit

    def append(self, window):
        if len(self) >= self._limit:
            raise KeyboardInterrupt
        super().append(window)


def test_interrupted_at_any_time_it_concludes_what_it_can():
    # One core counted as two: a challenger is compared with the baseline too.
    question = question_of([Objective("first_audio", 95.0, 0.3)], candidates_of((1, 2), (2, 4)), budget_s=600.0, cores=1.0)
    whole = tuner_on(Machine(2, 0.1), question)
    whole.run()
    assert {"service", "capacity", "rate", "comparison"} == {each.stage for each in whole.measurements.windows}
    known = set()
    for count in range(len(whole.measurements.windows)):
        tuner = tuner_on(Machine(2, 0.1), question, measurements=Interrupted(count))
        with pytest.raises(KeyboardInterrupt):
            tuner.run()
        found = recommend(question, tuner.measurements)
        assert list(summary(question, tuner.measurements, found)) or not count
        known.add(found is not None)

    assert {True, False} == known


def test_a_server_that_answers_nothing_is_remarked():
    question = real_question("total", 1.0, workers=(1,), text="broken")
    measurements = measured(question, launch_on(1, 0.001))

    assert recommend(question, measurements) is None
    assert ["an idle server answered not one request of the workload"] == measurements.remarks


def test_progress_is_shown():
    lines = Lines()
    question = real_question("total", 1.0, workers=(1,), budget_s=3.0)
    measured(question, launch_on(1, 0.001), lines)

    assert "1 x 2: starting" in lines.lines
    assert any(line.endswith(": met") for line in lines.lines)


def test_servers_are_gone_whatever_ends_it():
    living = []

    @contextmanager
    def launch(candidate):
        with launch_on(1, 0.001)(candidate) as server:
            living.append(candidate)
            try:
                yield server
            finally:
                living.remove(candidate)

    with pytest.raises(KeyboardInterrupt):
        Tuner(real_question("total", 1.0, workers=(1,)), launch, Interrupted(0), Lines()).run()

    assert not living


def test_every_value_of_a_recommendation_is_measured_with_a_reason():
    question = question_of([Objective("total", 95.0, 10.0)], [Candidate(1, 2)], budget_s=600.0)
    tuner = tuner_on(Machine(1, 0.1), question)
    tuner.run()
    keys = keys_of(question, recommend(question, tuner.measurements))

    assert ["workers", "threads", "request_timeout_s", "admission.queue", "admission.wait_s"] == [key.name for key in keys]
    assert all(key.reason and not key.clamped for key in keys)


def tried(rate_hz, took_s):
    result = Result(Request("/", characters=10), 0.0, 0.0, ANSWERED, 200, took_s, took_s)
    return Window(RATE, Candidate(1, 2), 0.0, 10.0, rate_hz, None, (result,) * 20)


@pytest.mark.parametrize(
    "windows, expected",
    [
        ([], 5.0),
        ([tried(5.0, 0.5)], 7.5),
        ([tried(5.0, 2.0)], 2.5),
        ([tried(5.0, 0.5), tried(7.5, 2.0)], 6.25),
        ([tried(9.5, 0.5)], None),
    ],
)
def test_the_range_is_halved_until_it_is_narrow(windows, expected):
    assert expected == next_rate_hz(windows, 10.0, question_of([Objective("total", 95.0, 1.0)], []))


def test_a_candidate_that_did_nothing_has_no_rate_to_try():
    assert next_rate_hz([tried(2.0, 5.0)], 0.0, question_of([Objective("total", 95.0, 1.0)], [])) is None


def real_question(measure, bound_s, workers, memory_bytes=2**30, budget_s=10.0, text="x" * 25, cores=2.0):
    workload = Workload("real", tuple(Text({"input": text[:length]}) for length in (15, 20, 25)))
    objectives = [Objective(measure, 95.0, bound_s)]
    candidates = candidates_of(workers, (2,))
    return question_of(objectives, candidates, memory_bytes, budget_s, workload=workload, max_characters=100, cores=cores)


def measured(question, launch, progress=None):
    measurements = Measurements()
    Tuner(question, launch, measurements, progress or Lines()).run()
    return measurements
