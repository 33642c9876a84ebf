"""app.tuning.advice, .fragment, .crowd, .checking, .record and .plot: from figures to files."""

import json

import pytest
import yaml

from app.tuning.advice import advice_of, queue_of
from app.tuning.checking import Check, doubts, unsteadiness
from app.tuning.crowd import tolerable_crowd
from app.tuning.files import FRAGMENT, PICTURE, RECORD, Ending, contents, disturbances, prepare, write
from app.tuning.findings import Service
from app.tuning.fragment import fragment
from app.tuning.journal import CONFIRM, SEARCH, Journal, Window
from app.tuning.machine import this_machine
from app.tuning.memory import Need
from app.tuning.objectives import Objective
from app.tuning.outcome import ANSWERED, LATE, Outcome
from app.tuning.queueing import ServiceLine
from app.tuning.setting import Setting, settings_of
from app.tuning.tuner import tune
from app.tuning.verdict import Verdict
from loader.config.settings import load_settings
from loader.errors import StoreError
from tests.app.tuning.simulation import MIB, Machine, bench_on, question_of

TOTAL = Objective("total", 95.0, 2.0)
QUESTION = question_of([TOTAL], [Setting(2, 4)], characters=10_000)


def verdict(**changed):
    service = Service(ServiceLine(0.1, 0.01), 0.5, 1.0, {TOTAL.name: 0.8}, 100)
    facts = {
        "setting": Setting(2, 4), "is_met": True, "rate_hz": 3.0, "is_confirmed": True, "score": 0.9, "capacity_hz": 4.0,
        "servers": 2, "crowd": 0, "service": service, "need": Need(100 * MIB, 50 * MIB, 4 * MIB), "fits": True, "checks": (),
        "doubts": (),
    }  # fmt: skip
    return Verdict(**{**facts, **changed})


def value_of(key, verdict):
    return next(each.value for each in advice_of(QUESTION, verdict) if each.key == key)


def test_a_stopping_worker_has_time_for_the_longest_text_among_others():
    # 100.1 s alone; eight places share two servers.
    assert 406.0 == value_of("request_timeout_s", verdict())
    assert 106.0 == value_of("request_timeout_s", verdict(setting=Setting(1, 2)))


def test_more_than_the_configuration_allows_is_said():
    endless = question_of([TOTAL], [Setting(2, 4)], characters=1_000_000)
    advice = next(each for each in advice_of(endless, verdict()) if each.key == "request_timeout_s")

    assert 3600.0 == advice.value
    assert "lower limits.text_characters" in advice.reason


@pytest.mark.parametrize(
    ("changed", "queue"),
    [
        # c * (bound - S) / S = 4 * 1.2, and 2 are being served by 2 servers in 2 places.
        ({"setting": Setting(1, 2)}, 4),
        ({"setting": Setting(2, 4)}, 0),
        ({"setting": Setting(2, 4), "crowd": 11}, 4),
        ({"setting": Setting(1, 2), "service": Service(ServiceLine(3.0, 0.0), 3.0, 0.0, {TOTAL.name: 3.0}, 9)}, 0),
    ],
)
def test_as_many_may_wait_as_are_still_in_time(changed, queue):
    assert queue == queue_of([TOTAL], verdict(**changed))


def test_the_crowd_is_the_largest_in_which_half_were_in_time():
    # All come at once and one a second is answered: the first three within two seconds, if the bound is met at two.
    outcomes = tuple(Outcome(10, 0.0, 0.0, ANSWERED, 200, each, each) for each in (1.0, 2.0, 3.0, 4.0))
    journal = Journal()
    journal.add(Window(SEARCH, Setting(2, 4), 0.0, 10.0, 1.0, None, outcomes))

    assert 0 == tolerable_crowd(journal, Setting(1, 2), [TOTAL])
    assert 0 == tolerable_crowd(journal, Setting(2, 4), [TOTAL])
    assert 2 == tolerable_crowd(journal, Setting(2, 4), [Objective("total", 95.0, 3.0)])
    assert 3 == tolerable_crowd(journal, Setting(2, 4), [Objective("total", 95.0, 4.0)])


def test_whoever_was_left_is_still_there_for_the_others():
    outcomes = (Outcome(10, 0.0, 0.0, LATE), Outcome(10, 5.0, 5.0, ANSWERED, 200, 5.5, 6.0))
    journal = Journal()
    journal.add(Window(SEARCH, Setting(2, 4), 0.0, 10.0, 1.0, None, outcomes))

    assert 1 == tolerable_crowd(journal, Setting(2, 4), [TOTAL])


def test_theory_and_measurement_may_be_a_quarter_apart_and_further_where_the_load_is_high():
    assert not Check(1.0, 0.5, 1.2, 1.0).is_apart
    assert Check(1.0, 0.5, 1.3, 1.0).is_apart
    assert Check(1.0, 0.5, 0.7, 1.0).is_apart
    assert not Check(1.0, 0.9, 3.0, 1.0).is_apart
    assert [] == doubts([Check(1.0, 0.5, 1.0, 1.0)])
    assert "in 1 of 2 windows" in doubts([Check(1.0, 0.5, 1.0, 1.0), Check(1.0, 0.5, 9.0, 1.0)])[0]


def test_windows_at_one_rate_that_differ_are_named():
    journal = Journal()
    for took_s in (1.0, 1.05, 1.2):
        outcome = Outcome(10, 0.0, 0.0, ANSWERED, 200, took_s, took_s)
        journal.add(Window(CONFIRM, Setting(2, 4), 0.0, 10.0, 3.0, None, (outcome,)))

    assert ["total_p95 was between 1s and 1.2s in 3 windows at the recommended rate"] == unsteadiness(
        journal, Setting(2, 4), 3.0, [TOTAL]
    )


@pytest.fixture(scope="module")
def simulated():
    question = question_of([TOTAL, Objective("first_audio", 90.0, 0.5)], settings_of((1, 2), (2, 4)), budget_s=2000.0)
    bench = bench_on(Machine(2, 0.1), question)
    tune(bench)
    return question, bench.journal


def test_the_files_say_everything(simulated, tmp_path):
    question, journal = simulated
    prepare(tmp_path / "out")
    write(tmp_path / "out", contents(question, journal, this_machine(), Ending("whole", "2026-11-24", 9.0, 0.0, 0.0), plot=True))
    record = json.loads((tmp_path / "out" / RECORD).read_text())

    assert len(journal.windows) == len(record["windows"])
    assert record["outcome_columns"][:4] == ["characters", "intended_s", "sent_s", "fate"]
    assert sum(len(each.outcomes) for each in journal.windows) == sum(len(each["outcomes"]) for each in record["windows"])
    assert record["machine"]["cpu"]
    assert {"workers": 2, "threads": 4} == record["verdict"]["setting"]
    picture = (tmp_path / "out" / PICTURE).read_text()
    shown = ("objective: total_p95=2s", "objective: first_audio_p90=500ms", "budget", "2 x 4 (recommended)")
    assert all(words in picture for words in shown)
    (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + (tmp_path / "out" / FRAGMENT).read_text())
    settings = load_settings(tmp_path / "tts_config.yaml")
    assert (2, 4, 2.0) == (settings.workers, settings.threads, settings.admission.wait_s)


def test_the_same_journal_gives_the_same_files(simulated):
    machine, ending = this_machine(), Ending("whole", "2026-11-24", 9.0, 0.0, 0.0)

    assert contents(*simulated, machine, ending, True) == contents(*simulated, machine, ending, True)


def test_before_anything_was_compared_there_is_no_advice(simulated):
    files = contents(simulated[0], Journal(), this_machine(), Ending("interrupted", "2026-11-24", 9.0, 0.0, 0.0), plot=True)

    assert {RECORD, PICTURE} == set(files)
    assert json.loads(files[RECORD])["verdict"] is None


def test_a_remark_cannot_leave_its_comment(simulated):
    question, journal = simulated
    doubtful = verdict(doubts=("one line\nworkers: 99",))
    text = fragment(question, doubtful, advice_of(question, doubtful), "today")
    assert 2 == yaml.safe_load(text)["workers"]


def test_a_folder_that_takes_nothing_is_said_beforehand(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="nothing can be written there"):
        prepare(tmp_path / "file" / "out")


def test_a_machine_that_is_not_quiet_is_said():
    question = question_of([TOTAL], [Setting(2, 4)], cores=2.0)

    assert [] == list(disturbances(Ending("whole", "2026-11-24", 100.0, 0.0, 0.05), question.cores))
    said = " ".join(disturbances(Ending("whole", "2026-11-24", 100.0, 5.0, 1.3), question.cores))
    assert "held the processes back for 5.0 s" in said
    assert "others kept 1.30 cores busy" in said
