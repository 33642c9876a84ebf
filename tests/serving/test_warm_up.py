"""Workers that are not ready: their responses and exit status, and that other workers continue."""

import os
import subprocess
import sys

import pytest

from loader.errors import NoDeviceError
from tests.serving.test_devices import start_on, torch_artifact  # noqa: F401  fixtures
from tests.support.harness import ROOT

NEVER_S = "3600"


@pytest.fixture
def failing(start_on):  # noqa: F811
    """One worker whose first attempt has failed, and whose second never starts."""
    environment = {"CHORUS_FIRST_PAUSE_S": NEVER_S}
    server = start_on({"open": ["always", "broken"]}, "--workers", "1", environment=environment)
    server.eventually(lambda: "event=worker.warm_up_failed" in server.log())
    server.remember_descriptors()
    return server


def test_a_worker_that_is_warming_up_is_alive_and_reports_why_it_is_not_ready(failing):
    ready = failing.ask("GET", "/readyz")

    assert 200 == failing.ask("GET", "/livez").status
    assert 503 == ready.status
    expected = {"status": "warming up", "attempt": 2, "tries": 3, "why": "open number 1 fails by plan"}
    assert expected == ready.json()


def test_openai_clients_get_retry_after(failing):
    answer = failing.speak("Hello.")

    assert (503, "7200") == (answer.status, answer.headers["Retry-After"])
    assert ("7200000", "true") == (answer.headers["retry-after-ms"], answer.headers["x-should-retry"])
    error = answer.json()["error"]
    assert ("warming_up", "server_error", None) == (error["code"], error["type"], error["param"])
    assert "try again in 7200 s" in error["message"]


def test_coqui_clients_get_an_error_of_their_dialect(failing):
    answer = failing.ask("GET", "/api/tts?text=Hello.")

    assert (503, "7200") == (answer.status, answer.headers["Retry-After"])
    assert {"error": "the voices are not ready yet; try again in 7200 s"} == answer.json()


def test_mary_clients_get_an_error_of_their_dialect(failing):
    answer = failing.ask("POST", "/process", "INPUT_TEXT=Hello.")

    assert (503, "7200", "true") == (answer.status, answer.headers["Retry-After"], answer.headers["x-should-retry"])
    assert b"the voices are not ready yet; try again in 7200 s\n" == answer.body


def test_a_worker_that_does_not_become_ready_ends_alone(start_on, tmp_path):  # noqa: F811
    """One of two fails three times, ends with 75 and is replaced by one that works; the other is not affected."""
    once = {"CHORUS_ONE_ONLY": str(tmp_path / "one")}
    server = start_on({"open": ["always", "lost"]}, environment=once, expected_deaths=1, expects_errors=True).ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)
    failed = int((tmp_path / "one").read_text())
    log = server.log()

    assert f"Worker (pid:{failed}) exited with code 75" in log
    assert [1, 2, 3] == [attempt for attempt in (1, 2, 3) if f"event=worker.warm_up_failed attempt={attempt} tries=3" in log]
    assert 3 == log.count("Booting worker")
    assert failed not in {worker.pid for worker in server.workers()}
    answers = server.on_every_worker(lambda: server.speak("Still here."))
    assert {200} == {answer.status for answer in answers.values()}


def test_a_server_stops_at_once_while_its_workers_pause_before_a_retry(failing):
    """`Server.stop` is the assertion: status 0, no process left; the pause would take an hour."""
    failing.stop()


def test_with_preload_workers_have_no_warm_up(server):
    assert {"status": "ready", "voices": ["joe"], "device": "cpu"} == server.ask("GET", "/readyz").json()
    assert "event=worker.ready" not in server.log()


def test_without_preload_workers_open_in_the_background_and_no_request_is_refused(start):
    server = start(keys={"preload": False})
    server.eventually(lambda: "Listening at" in server.log())

    assert [200] * 4 == [server.speak("As soon as it can.").status for _ in range(4)]
    server.ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)


def test_health_exits_with_the_status_of_a_missing_device(torch_artifact, write_config, tmp_path):  # noqa: F811
    """The real device, on a machine without one or with a torch without CUDA."""
    config = write_config(model_path=str(torch_artifact), cache_dir=str(tmp_path), device="cuda:63")
    result = subprocess.run(
        [sys.executable, "-m", "app.health"],
        cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(config)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert NoDeviceError.exit_status == result.returncode, result.stderr
    assert "device cuda:63" in result.stderr
    assert "Traceback" not in result.stderr
