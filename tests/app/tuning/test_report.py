"""app.tuning.report: files and lines of a run."""

import json

import pytest
import yaml

from app.system.machine import this_machine
from app.tuning.plan import Objective, candidates_of
from app.tuning.recommend import recommend
from app.tuning.report import FRAGMENT, PLOT, RECORD, Ending, contents, fragment, prepare
from app.tuning.results import Measurements
from loader.config.settings import load_settings
from loader.errors import StoreError
from tests.support.simulated_server import Machine, plan_of, tuner_on

TOTAL = Objective("total", 95.0, 2.0)
ENDING = Ending("whole", "2026-11-24", 9.0, 0.0)


@pytest.fixture(scope="module")
def simulated():
    plan = plan_of([TOTAL, Objective("first_audio", 90.0, 0.5)], candidates_of((1, 2), (2, 4), 2), budget_s=2000.0)
    tuner = tuner_on(Machine(2, 0.1), plan)
    tuner.run()
    return plan, tuner.measurements


def test_the_files_say_everything(simulated, tmp_path):
    plan, measurements = simulated
    files = contents(plan, measurements, this_machine(), ENDING, with_plot=True)
    record = json.loads(files[RECORD])

    assert len(measurements.load_tests) == len(record["load_tests"])
    assert record["result_columns"][:4] == ["characters", "due_s", "sent_s", "outcome"]
    results = [len(each["results"]) for each in record["load_tests"]]
    assert results == [len(each.results) for each in measurements.load_tests]
    assert record["machine"]["cpu"]
    assert {"workers": 2, "threads": 4} == record["recommendation"]["candidate"]
    shown = ("objective: total_p95=2s", "objective: first_audio_p90=500ms", "memory limit", "2 x 4 (recommended)")
    assert all(words in files[PLOT] for words in shown)
    (tmp_path / "tts_config.yaml").write_text("model_path: embedded/joe\n" + files[FRAGMENT])
    settings = load_settings(tmp_path / "tts_config.yaml")
    assert (2, 4, 2.0) == (settings.workers, settings.threads, settings.admission.wait_s)


def test_the_same_measurements_gives_the_same_files(simulated):
    machine = this_machine()

    assert contents(*simulated, machine, ENDING, True) == contents(*simulated, machine, ENDING, True)


def test_before_anything_was_compared_there_is_no_recommendation(simulated):
    files = contents(simulated[0], Measurements(), this_machine(), ENDING, with_plot=True)

    assert {RECORD, PLOT} == set(files)
    assert json.loads(files[RECORD])["recommendation"] is None


def test_a_note_cannot_leave_its_comment(simulated):
    plan, measurements = simulated
    found = recommend(plan, measurements)
    text = fragment(plan, Measurements(notes=["one line\nworkers: 99"]), found, "today")

    assert "one line workers: 99" in " ".join(text.split("\n# "))
    assert 2 == yaml.safe_load(text)["workers"]


def test_a_folder_that_takes_nothing_is_said_beforehand(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="nothing can be written there"):
        prepare(tmp_path / "file" / "out")


@pytest.mark.parametrize(("busy_cores", "is_noted"), [(0.05, False), (1.3, True)])
def test_a_machine_that_is_not_quiet_is_noted(busy_cores, is_noted):
    measurements = Measurements()
    contents(plan_of([TOTAL], [], cores=2), measurements, this_machine(), Ending("whole", "2026-11-24", 9.0, busy_cores), False)

    assert is_noted == (["other processes kept 1.30 cores busy: measure again when the machine is quiet"] == measurements.notes)
