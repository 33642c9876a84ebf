"""Restarts under load: SIGHUP replaces workers one by one, SIGTERM lets running requests finish."""

import json
import signal

import psutil
import pytest

from tests.support.load import load_on

LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 20


def totals(server):
    return server.ask("GET", "/status").json()["totals"]


def send_sighup(server):
    server.process.send_signal(signal.SIGHUP)


def test_no_request_is_lost_when_all_workers_are_replaced_twenty_times(start):
    server = start().ready()
    with load_on(server) as load:
        for _ in range(20):
            before = {worker.pid for worker in server.workers()}
            send_sighup(server)
            server.eventually(lambda before=before: not before & {worker.pid for worker in server.workers()})

    assert {200} == {status for status, *_ in load.answers}
    assert 4 == len({(seed, body) for _, seed, body, _ in load.answers})
    # The master may notice the end of the last one a moment later.
    server.eventually(lambda: totals(server)["endings"]["stopped"] == 40)
    assert 42 == totals(server)["forks"]
    assert len(load.answers) == totals(server)["outcomes"]["done"]


def test_workers_are_replaced_one_by_one(start):
    server = start("--workers", "3").ready()
    send_sighup(server)
    counts = []
    server.eventually(lambda: counts.append(len(server.workers())) or server.log().count("ending=stopped") == 3)

    assert max(counts) <= 4
    log = server.log().splitlines()
    order = [
        "end" if "event=worker.ended" in line else "boot" for line in log if "event=worker.ended" in line or "Booting" in line
    ]
    assert ["boot"] * 3 + ["boot", "end"] * 3 == order


def test_a_running_stream_is_finished_by_its_old_worker(start):
    server = start("--workers", "1").ready()
    reference = server.speak(LONG, seed=1, stream=True).body
    connection = server.connection()
    connection.request(
        "POST", "/v1/audio/speech", json.dumps({"input": LONG, "stream": True, "response_format": "wav", "seed": 1})
    )
    response = connection.getresponse()
    send_sighup(server)
    server.eventually(lambda: len(server.workers()) == 2)
    assert 200 == server.speak("Meanwhile.").status

    assert reference == response.read()
    connection.close()
    server.eventually(lambda: len(server.workers()) == 1)


def test_a_second_restart_replaces_the_new_workers_too(start):
    server = start().ready()
    first = {worker.pid for worker in server.workers()}
    send_sighup(server)
    server.eventually(lambda: {worker.pid for worker in server.workers()} - first)
    newer = {worker.pid for worker in server.workers()}
    send_sighup(server)

    server.eventually(lambda: not (first | newer) & {worker.pid for worker in server.workers()})
    server.eventually(lambda: len(server.workers()) == 2)


def test_the_old_workers_stay_if_a_new_one_does_not_become_ready(start, write_config, tmp_path):
    server = start("tests.support.unready_voice:create()", environment={"CHORUS_UNREADY": str(tmp_path / "unready")},
                   keys={"preload": False}, expects_errors=True, expected_deaths=1).ready()  # fmt: skip
    before = {worker.pid for worker in server.workers()}
    (tmp_path / "unready").touch()
    send_sighup(server)
    server.eventually(lambda: "event=restart.abandoned" in server.log())

    assert before <= {worker.pid for worker in server.workers()}
    assert 200 == server.speak("Hello.").status
    (tmp_path / "unready").unlink()


def test_a_new_master_takes_over_under_load(start):
    """SIGUSR2, then SIGTERM to the old master: the way to change a configuration, a model or a version."""
    server = start().ready()
    with load_on(server) as load:
        server.process.send_signal(signal.SIGUSR2)
        successor = server.eventually(lambda: [child for child in server.workers() if len(child.children()) == 2])[0]
        before = len(load.answers)
        server.process.send_signal(signal.SIGTERM)
        assert 0 == server.process.wait(60)
        server.eventually(lambda: len(load.answers) > before + 8)

    assert {200} == {status for status, *_ in load.answers}
    assert 4 == len({(seed, body) for _, seed, body, _ in load.answers})
    successor.terminate()
    server.eventually(lambda: not successor.is_running())
    assert "Traceback" not in server.log()


def test_a_new_master_can_be_ended_again_and_no_request_is_lost(start):
    server = start().ready()
    old = {worker.pid for worker in server.workers()}
    with load_on(server) as load:
        server.process.send_signal(signal.SIGUSR2)
        successor = server.eventually(lambda: [child for child in server.workers() if len(child.children()) == 2])[0]
        successor.terminate()
        server.eventually(lambda: not successor.is_running() or successor.status() == psutil.STATUS_ZOMBIE)
        before = len(load.answers)
        server.eventually(lambda: len(load.answers) > before + 8)

    assert {200} == {status for status, *_ in load.answers}
    assert old <= {worker.pid for worker in server.workers()}


def test_the_old_master_continues_if_a_new_one_cannot_start(start):
    server = start().ready()
    old = {worker.pid for worker in server.workers()}
    before = server.config.read_text()
    server.config.write_text(before + "nonsense: 1\n")
    server.process.send_signal(signal.SIGUSR2)
    server.eventually(lambda: "nonsense" in server.log())
    server.eventually(lambda: {worker.pid for worker in server.workers()} == old)

    assert 200 == server.speak("Hello.").status


def test_one_worker_stays_if_the_count_is_lowered_during_a_restart(start):
    server = start("--workers", "1").ready()
    (old,) = server.workers()
    send_sighup(server)
    server.eventually(lambda: len(server.workers()) == 2)
    server.process.send_signal(signal.SIGTTOU)
    server.eventually(lambda: not old.is_running())

    assert 200 == server.speak("Hello.").status
    assert 1 == len(server.workers())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_finishes_streams_and_refuses_new_requests(start, workers):
    server = start("--workers", workers).ready()
    reference = server.speak(LONG, seed=1, stream=True).body
    connection = server.connection()
    connection.request(
        "POST", "/v1/audio/speech", json.dumps({"input": LONG, "stream": True, "response_format": "wav", "seed": 1})
    )
    response = connection.getresponse()
    server.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            return server.ask("GET", "/livez") and False
        except OSError:
            return True

    server.eventually(refused)
    assert reference == response.read()
    connection.close()
    assert 0 == server.process.wait(60)
