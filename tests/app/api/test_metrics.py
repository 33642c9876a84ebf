"""app.api.metrics: a scrape shows the values of the scoreboard."""

import subprocess
import sys
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.api.metrics import format_metrics
from app.scoreboard.board import Scoreboard
from app.scoreboard.layout import State
from app.system.cgroup import GroupMemory
from tests.conftest import ROOT


@pytest.fixture
def board():
    return Scoreboard(1)


@pytest.fixture
def slot(board):
    return board.take_slot()


@pytest.fixture
def scrape(board, slot, catalogue):
    """Scrape a worker that has the embedded voice ready, or is warming up."""

    def scrape(is_ready=True):
        warm_up = SimpleNamespace(is_ready=is_ready, catalogue=catalogue)
        context = SimpleNamespace(board=board, warm_up=warm_up)
        text, _ = format_metrics(context, "")
        families = text_string_to_metric_families(text.decode())
        return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}

    return scrape


def test_only_measured_memory_has_a_series_labelled_by_slot(slot, scrape):
    slot.set_gauges(anon_bytes=123_456_789, threads=7)

    memory = {name: value for name, value in scrape().items() if name[0].startswith("tts_worker_") and len(name) > 1}

    assert 123_456_789 == memory["tts_worker_anon_bytes", "0"]
    assert 7 == memory["tts_worker_threads", "0"]
    assert not [name for name, *_ in memory if name in ("tts_worker_live_bytes", "tts_worker_device_bytes")]


@pytest.mark.parametrize("group, expected", [(GroupMemory(512, 300), [512, 300]), (None, [])])
def test_the_memory_limit_of_a_container_has_series_only_if_there_is_a_limit(scrape, monkeypatch, group, expected):
    monkeypatch.setattr("app.api.metrics.fullest_group", lambda: group)
    series = scrape()

    assert expected == [series[name,] for name in ("tts_memory_limit_bytes", "tts_memory_working_set_bytes") if (name,) in series]


def test_refusals_leaks_and_failures_are_counted_by_reason(slot, scrape):
    slot.count_refusal("queue_full")
    slot.count_leak("native")
    slot.count_speech("failed", 11)
    series = scrape()

    assert (1, 0) == (series["tts_rejected_total", "queue_full"], series["tts_rejected_total", "client_left"])
    assert (1, 0) == (series["tts_leak_alerts_total", "native"], series["tts_leak_alerts_total", "python"])
    assert (1, 0) == (series["tts_speeches_total", "failed"], series["tts_speeches_total", "done"])


def test_queued_requests_are_not_in_progress(slot, scrape):
    slot.set_gauges(active=5, waiting=3)
    series = scrape()

    assert (3, 2) == (series["tts_queue_depth",], series["tts_requests_in_progress",])


def test_requests_in_progress_are_not_negative_if_gauges_disagree(slot, scrape):
    slot.set_gauges(active=0, waiting=3)

    assert 0 == scrape()["tts_requests_in_progress",]


@pytest.mark.parametrize("state", [state for state in State if state is not State.FREE])
def test_workers_are_counted_by_state_with_zero_for_the_others(slot, scrape, state):
    slot.set_state(state)

    counts = {name[1]: value for name, value in scrape().items() if name[0] == "tts_workers"}

    assert {"starting": 0, "ready": 0, "draining": 0, state.name.lower(): 1} == counts


def test_a_worker_that_is_warming_up_reports_no_voices(scrape):
    names = {name for name, *_ in scrape(is_ready=False)}

    assert "tts_workers" in names
    assert not names & {"tts_voices", "tts_voice_info", "tts_voice_constructions"}


def test_constructing_a_voice_twice_is_counted(scrape, catalogue, monkeypatch):
    monkeypatch.setattr(catalogue.default.parts, "_parts", None)
    monkeypatch.setattr(catalogue.default.parts, "constructions", 1)
    catalogue.default.parts.open()

    assert 2 == scrape()["tts_voice_constructions", "1", "joe"]


def test_prometheus_client_is_not_imported_before_the_first_scrape():
    program = "import sys, app.wsgi, app.api.app; print('prometheus_client' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "False\n" == result.stdout
