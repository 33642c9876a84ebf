"""app.tuning.recommend, .report and .plot: from figures to keys, lines and files."""

import json
import random

import pytest
import yaml

from app.tuning.candidate import Candidate, candidates_of
from app.tuning.loadgen import ANSWERED, LATE, Request, Result
from app.tuning.machine import this_machine
from app.tuning.question import Objective
from app.tuning.recommend import Recommendation, keys_of, queue_of, tolerable_backlog
from app.tuning.report import FRAGMENT, PLOT, RECORD, Ending, contents, disturbances, fragment, prepare, summary, write
from app.tuning.results import RATE, Measurements, MemoryNeed, Service, Window
from loader.config.settings import bounds_of, load_settings
from loader.errors import StoreError
from tests.support.simulated_server import MIB, Machine, question_of, tuner_on

TOTAL = Objective("total", 95.0, 2.0)
ENDING = Ending("whole", "2026-11-24", 9.0, 0.0, 0.0)
QUESTION = question_of([TOTAL], [Candidate(2, 4)], max_characters=10_000)


def recommendation(**changed):
    facts = {
        "candidate": Candidate(2, 4), "is_met": True, "fits": True, "rate_hz": 3.0, "score": 0.9, "capacity_hz": 4.0,
        "parallel": 2, "tolerable_backlog": 0, "service": Service(0.1, 0.01, 0.5, {TOTAL.name: 0.8}, 100),
        "need": MemoryNeed(100 * MIB, 50 * MIB, 4 * MIB), "doubts": (),
    }  # fmt: skip
    return Recommendation(**{**facts, **changed})


def key(name, found, question=QUESTION):
    return next(each for each in keys_of(question, found) if each.name == name)


def test_a_stopping_worker_has_time_for_the_longest_text_among_others():
    # 100.1 s alone; eight places share two servers.
    assert 406.0 == key("request_timeout_s", recommendation()).value
    assert 106.0 == key("request_timeout_s", recommendation(candidate=Candidate(1, 2))).value


def test_more_than_the_configuration_accepts_is_clamped_and_noted():
    # 64 cores, 96 requests a second, 30 s: a queue of 2611, of which the schema accepts 1000.
    objective = Objective("total", 95.0, 30.0)
    question = question_of([objective], [Candidate(64, 4)], cores=64.0, max_characters=1_000_000)
    found = recommendation(
        candidate=Candidate(64, 4), capacity_hz=96.0, parallel=64, service=Service(0.1, 0.01, 0.66, {objective.name: 0.8}, 100)
    )
    queue = key("admission.queue", found, question)

    assert 2611 == queue_of([objective], found)
    assert 1000 == queue.value
    assert "proxy needs room for 1256 connections" in queue.reason
    notes = [line for line in summary(question, Measurements(), found) if line.startswith("note: ")]
    assert "note: admission.queue was calculated as 2611, and the configuration accepts 0 to 1000" in notes
    assert "note: request_timeout_s was calculated as 40006, and the configuration accepts 1 to 3600" in notes
    keys = keys_of(question, found)
    assert "accepts 0 to 1000" in " ".join(fragment(question, found, keys, "today").split("\n# "))


def test_every_recommendation_is_accepted_by_the_configuration(tmp_path):
    draw = random.Random(5)
    for cores in (0.5, 1, 2, 3, 4, 8, 16, 32, 64, 96, 128, 256, 512, 1024):
        for bound_s in (0.001, 0.3, 2.0, 30.0, 600.0, 3600.0):
            service = Service(draw.choice([0.0, 0.1, 5.0]), draw.choice([0.0, 0.0005, 0.01, 1.0]), 0.5, {TOTAL.name: 0.2}, 100)
            workers = max(1, min(512, round(cores)))
            found = recommendation(
                candidate=Candidate(workers, draw.choice([2, 4, 64])), capacity_hz=cores * draw.choice([0.0, 0.1, 1.5, 50.0]),
                parallel=workers, service=service, tolerable_backlog=draw.choice([0, 10, 5000]),
            )  # fmt: skip
            question = question_of(
                [Objective("total", 95.0, bound_s)], [], cores=cores, max_characters=draw.choice([100, 20_000, 1_000_000])
            )
            text = fragment(question, found, keys_of(question, found), "today")
            (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + text)

            settings = load_settings(tmp_path / "tts_config.yaml")
            assert (workers, max(bound_s, bounds_of("admission.wait_s")[0])) == (settings.workers, settings.admission.wait_s)


@pytest.mark.parametrize(
    ("changed", "queue"),
    [
        # capacity * (bound - idle) = 4 * 1.2, and 2 are being served by 2 servers in 2 places.
        ({"candidate": Candidate(1, 2)}, 4),
        ({"candidate": Candidate(2, 4)}, 0),
        ({"candidate": Candidate(2, 4), "tolerable_backlog": 11}, 4),
        ({"candidate": Candidate(1, 2), "service": Service(3.0, 0.0, 3.0, {TOTAL.name: 3.0}, 9)}, 0),
    ],
)
def test_as_many_may_wait_as_are_still_in_time(changed, queue):
    assert queue == queue_of([TOTAL], recommendation(**changed))


def rated(*results):
    return Measurements([Window(RATE, Candidate(2, 4), 0.0, 10.0, 1.0, None, results)])


def test_the_tolerable_backlog_is_the_largest_in_which_half_were_in_time():
    # All come at once and one a second is answered: the first three within two seconds, if the bound is met at two.
    measurements = rated(*(Result(Request("/"), 0.0, 0.0, ANSWERED, 200, each, each) for each in (1.0, 2.0, 3.0, 4.0)))

    assert 0 == tolerable_backlog(measurements, Candidate(1, 2), [TOTAL])
    assert 0 == tolerable_backlog(measurements, Candidate(2, 4), [TOTAL])
    assert 2 == tolerable_backlog(measurements, Candidate(2, 4), [Objective("total", 95.0, 3.0)])
    assert 3 == tolerable_backlog(measurements, Candidate(2, 4), [Objective("total", 95.0, 4.0)])


def test_a_request_whose_client_disconnected_is_still_there_for_the_others():
    measurements = rated(Result(Request("/"), 0.0, 0.0, LATE), Result(Request("/"), 5.0, 5.0, ANSWERED, 200, 0.5, 1.0))

    assert 1 == tolerable_backlog(measurements, Candidate(2, 4), [TOTAL])


@pytest.fixture(scope="module")
def simulated():
    question = question_of([TOTAL, Objective("first_audio", 90.0, 0.5)], candidates_of((1, 2), (2, 4)), budget_s=2000.0)
    tuner = tuner_on(Machine(2, 0.1), question)
    tuner.run()
    return question, tuner.measurements


def test_the_files_say_everything(simulated, tmp_path):
    question, measurements = simulated
    prepare(tmp_path / "out")
    write(tmp_path / "out", contents(question, measurements, this_machine(), ENDING, with_plot=True))
    record = json.loads((tmp_path / "out" / RECORD).read_text())

    assert len(measurements.windows) == len(record["windows"])
    assert record["result_columns"][:4] == ["characters", "due_s", "sent_s", "outcome"]
    assert sum(len(each.results) for each in measurements.windows) == sum(len(each["results"]) for each in record["windows"])
    assert record["machine"]["cpu"]
    assert {"workers": 2, "threads": 4} == record["recommendation"]["candidate"]
    svg = (tmp_path / "out" / PLOT).read_text()
    shown = ("objective: total_p95=2s", "objective: first_audio_p90=500ms", "budget", "2 x 4 (recommended)")
    assert all(words in svg for words in shown)
    (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + (tmp_path / "out" / FRAGMENT).read_text())
    settings = load_settings(tmp_path / "tts_config.yaml")
    assert (2, 4, 2.0) == (settings.workers, settings.threads, settings.admission.wait_s)


def test_the_same_measurements_gives_the_same_files(simulated):
    machine = this_machine()

    assert contents(*simulated, machine, ENDING, True) == contents(*simulated, machine, ENDING, True)


def test_before_anything_was_compared_there_is_no_recommendation(simulated):
    files = contents(simulated[0], Measurements(), this_machine(), ENDING, with_plot=True)

    assert {RECORD, PLOT} == set(files)
    assert json.loads(files[RECORD])["recommendation"] is None


def test_a_remark_cannot_leave_its_comment(simulated):
    question, measurements = simulated
    doubtful = recommendation(doubts=("one line\nworkers: 99",))
    text = fragment(question, doubtful, keys_of(question, doubtful), "today")
    assert 2 == yaml.safe_load(text)["workers"]


def test_a_folder_that_takes_nothing_is_said_beforehand(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="nothing can be written there"):
        prepare(tmp_path / "file" / "out")


def test_a_machine_that_is_not_quiet_is_said():
    question = question_of([TOTAL], [Candidate(2, 4)], cores=2.0)

    assert [] == list(disturbances(Ending("whole", "2026-11-24", 100.0, 0.0, 0.05), question.cores))
    said = " ".join(disturbances(Ending("whole", "2026-11-24", 100.0, 5.0, 1.3), question.cores))
    assert "throttled the processes for 5.0 s" in said
    assert "other processes kept 1.30 cores busy" in said
