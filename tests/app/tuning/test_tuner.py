"""app.tuning.tuner: on servers whose best setting is known."""

import random
from collections import Counter
from contextlib import contextmanager

import pytest

from app.tuning.advice import advice_of
from app.tuning.bench import Bench
from app.tuning.journal import Journal
from app.tuning.mix import Line, Mix
from app.tuning.objectives import Objective
from app.tuning.setting import Setting, settings_of, worker_counts
from app.tuning.summary import conclusion, summary
from app.tuning.tuner import tune
from app.tuning.verdict import verdict_of
from tests.app.tuning.simulation import MIB, Machine, Told, bench_on, exact_best, exact_rate_hz, question_of
from tests.app.tuning.synthetic import launch_on


def simulated_settings(count):
    """Draw machines and questions whose best setting is beyond doubt: tolerances a little wider or narrower change nothing."""
    draw = random.Random(3)
    while count:
        cores, service_s = draw.randint(1, 8), draw.choice([0.02, 0.1, 0.5])
        machine = Machine(cores, service_s, crowding=draw.choice([0.1, 0.2]), noise=0.03)
        objective = Objective("first_audio", 95.0, service_s * draw.choice([1, 2, 4]))
        memory_bytes = draw.choice([140, 150, 200, 400]) * MIB
        # Threads of a core count as cores, and cores that are shared may do less, or more, than their number says.
        counted = max(1, round(cores * draw.choice([1, 1, 0.5, 2])))
        settings = settings_of(worker_counts(counted, 64), (2, 4))
        question = question_of([objective], settings, memory_bytes, service_s * 60_000, cores=float(counted))
        if exact_best(machine, question, 0.65) == exact_best(machine, question, 0.92):
            count -= 1
            yield machine, question


@pytest.mark.parametrize(("machine", "question"), list(simulated_settings(50)))
def test_the_recommendation_is_the_optimum_that_theory_knows(machine, question):
    bench = bench_on(machine, question)
    tune(bench)
    verdict = verdict_of(question, bench.journal)

    best = exact_best(machine, question)
    assert best == verdict.setting
    assert verdict.is_met
    assert machine.servers(best) == verdict.servers
    # A rate that could not be confirmed is said to be none; these are single cores that may be busy for an eighth of the time.
    assert verdict.is_confirmed or best.workers == 1
    assert not verdict.is_confirmed or 0.65 < verdict.rate_hz / exact_rate_hz(machine, best, question.objectives[0]) < 1.3
    assert bench.left_s > -0.25 * question.budget_s


def test_what_makes_no_difference_is_answered_the_same_whatever_the_luck():
    question = question_of([Objective("first_audio", 95.0, 0.3)], settings_of((2, 3), (2, 4, 8)), budget_s=600.0)
    machine = Machine(2, 0.29, crowding=0.0, noise=0.1, gusts=0.1)
    answers = Counter()
    for luck in range(40):
        bench = bench_on(machine, question, luck)
        tune(bench)
        answers[verdict_of(question, bench.journal).setting] += 1

    assert {Setting(2, 4): 40} == answers


def test_on_real_sockets_two_cores_want_two_workers():
    question = real_question("first_audio", 0.04, workers=(1, 2, 3))
    journal = measured(question, launch_on(2, 0.001))
    verdict = verdict_of(question, journal)

    assert Setting(2, 2) == verdict.setting, list(summary(question, journal, verdict, ()))
    assert verdict.is_met
    assert 2 == verdict.servers


def test_on_real_sockets_a_core_that_does_the_work_of_two_wants_two_workers():
    question = real_question("first_audio", 0.04, workers=(1, 2), cores=1.0)
    journal = measured(question, launch_on(2, 0.001))

    assert Setting(2, 2) == verdict_of(question, journal).setting


def test_on_real_sockets_memory_may_leave_room_for_one():
    question = real_question("first_audio", 0.04, workers=(1, 2), memory_bytes=13 * MIB)
    journal = measured(question, launch_on(2, 0.001))
    verdict = verdict_of(question, journal)

    assert Setting(1, 2) == verdict.setting
    assert any("at most 1 worker" in each for each in verdict.doubts)
    assert not [each for each in journal.windows if each.stage == "sweep" and each.setting.workers > 1]


def test_on_real_sockets_an_objective_that_no_setting_meets_is_said_with_the_nearest():
    question = real_question("total", 0.005, workers=(1, 2))
    verdict = verdict_of(question, measured(question, launch_on(2, 0.001)))

    assert not verdict.is_met
    assert verdict.score > 1
    assert conclusion(question, verdict).startswith("no setting meets total_p95=5ms; the nearest is ")
    assert "NO" not in "".join(each.reason for each in advice_of(question, verdict))


def test_what_does_not_fit_into_the_memory_is_no_answer():
    machine = Machine(1, 0.1, worker_bytes=100 * MIB)
    question = question_of([Objective("total", 95.0, 10.0)], [Setting(1, 2)], memory_bytes=200 * MIB, budget_s=600.0)
    bench = bench_on(machine, question)
    tune(bench)
    verdict = verdict_of(question, bench.journal)

    assert not verdict.is_met
    assert "not even 1 worker of 2 threads fit into 200MiB: 300MiB are needed" == conclusion(question, verdict)


def test_interrupted_at_any_time_it_concludes_what_it_can():
    question = question_of([Objective("total", 95.0, 1.0)], settings_of((1, 2), (2, 4)), budget_s=600.0)
    whole = bench_on(Machine(2, 0.1), question)
    tune(whole)
    known = set()
    for count in range(len(whole.journal.windows)):
        bench = bench_on(Machine(2, 0.1), question)
        interrupt_after(bench.journal, count)
        with pytest.raises(KeyboardInterrupt):
            tune(bench)
        verdict = verdict_of(question, bench.journal)
        assert list(summary(question, bench.journal, verdict, advice_of(question, verdict) if verdict else ())) or not count
        known.add(verdict is not None)

    assert {True, False} == known


def interrupt_after(journal, windows):
    add = journal.add

    def interrupted(entry):
        if len(journal.windows) >= windows:
            raise KeyboardInterrupt
        add(entry)

    journal.add = interrupted


def test_a_server_that_answers_nothing_is_said():
    question = real_question("total", 1.0, workers=(1,), text="broken")
    journal = measured(question, launch_on(1, 0.001))

    assert verdict_of(question, journal) is None
    assert ["an idle server answered not one request of the mix"] == list(journal.remarks)


def test_what_it_does_is_told():
    told = Told()
    question = real_question("total", 1.0, workers=(1,), budget_s=3.0)
    measured(question, launch_on(1, 0.001), told)

    assert "1 x 2: starting" in told.lines
    assert any(line.endswith(": met") for line in told.lines)


def test_servers_are_gone_whatever_ends_it():
    living = []

    @contextmanager
    def launch(setting):
        with launch_on(1, 0.001)(setting) as stand:
            living.append(setting)
            try:
                yield stand
            finally:
                living.remove(setting)

    journal = Journal()
    interrupt_after(journal, 0)
    with pytest.raises(KeyboardInterrupt):
        tune(Bench(real_question("total", 1.0, workers=(1,)), launch, journal, Told()))

    assert not living


def real_question(measure, bound_s, workers, memory_bytes=2**30, budget_s=10.0, text="x" * 25, cores=2.0):
    mix = Mix("real", tuple(Line({"input": text[:length]}) for length in (15, 20, 25)))
    objectives = [Objective(measure, 95.0, bound_s)]
    return question_of(objectives, settings_of(workers, (2,)), memory_bytes, budget_s, mix=mix, characters=100, cores=cores)


def measured(question, launch, told=None):
    journal = Journal()
    tune(Bench(question, launch, journal, told or Told()))
    return journal
