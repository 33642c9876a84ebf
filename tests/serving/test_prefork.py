"""The process model: one master that opens voices, workers that share them, and dead workers that are replaced."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.serving.hooks import UNSAFE_TO_FORK
from app.system.processes import memory_of
from tests.support.harness import ROOT

LONG = "The birch canoe slid on the smooth planks. " * 60


def test_every_worker_answers_and_speaks(server):
    answers = server.on_every_worker(lambda: server.speak("Hello from a worker."))

    assert 4 == len(answers)
    assert {200} == {answer.status for answer in answers.values()}


def test_the_master_has_one_thread_and_froze_its_objects(server):
    assert 1 == server.master.num_threads()
    assert int(re.search(r"frozen_objects=(\d+)", server.log())[1]) > 10_000


def test_a_killed_worker_is_replaced_by_a_fork_of_the_master(start):
    server = start(expected_deaths=1).ready()
    victim, other = server.workers()

    victim.kill()
    server.eventually(lambda: len(server.workers()) == 2 and victim.pid not in [w.pid for w in server.workers()])
    answers = server.on_every_worker(lambda: server.speak("Still here."))

    assert other.pid in answers
    assert {200} == {answer.status for answer in answers.values()}
    assert 1 == server.log().count("voice joe mapped") == len(re.findall(r"artifact \w+ opened", server.log()))


def test_ctrl_c_ends_everything_cleanly(start):
    server = start().ready()
    server.speak("Hello.")

    server.stop(signal.SIGINT)


def test_ctrl_c_does_not_wait_for_a_long_text(start):
    """A speech of minutes is running, of which the client has read nothing."""
    server = start().ready()
    connection = server.connection()
    text = "The birch canoe slid on the smooth planks. " * 450
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": text}))
    server.eventually(lambda: any(worker.cpu_times().user > 1 for worker in server.workers()))

    server.process.send_signal(signal.SIGINT)

    server.process.wait(timeout=60)
    connection.close()
    server.stop()


def test_sigterm_lets_a_request_finish(start):
    server = start().ready()
    connection = server.connection()
    body = {"input": "A long text. " * 60, "response_format": "wav", "stream": True}
    connection.request("POST", "/v1/audio/speech", json.dumps(body))
    response = connection.getresponse()
    response.read(100)

    server.process.send_signal(signal.SIGTERM)
    body = response.read()
    connection.close()

    assert len(body) > 60 * 22050


def test_sighup_replaces_every_worker(start):
    server = start().ready()
    before = {worker.pid for worker in server.workers()}

    server.process.send_signal(signal.SIGHUP)
    server.eventually(lambda: len(server.workers()) == 2 and not before & {w.pid for w in server.workers()})

    assert 200 == server.speak("After the change.").status


def test_without_preload_every_worker_opens_the_voices_itself(start):
    server = start(keys={"preload": False}).ready()

    answers = server.on_every_worker(lambda: server.speak("Opened after the fork."))

    assert {200} == {answer.status for answer in answers.values()}
    assert 2 == server.log().count("voice joe mapped") == len(re.findall(r"artifact \w+ opened", server.log()))


def test_without_preload_a_broken_artifact_ends_the_server_before_any_worker(start, embedded_artifact, tmp_path):
    broken = tmp_path / "artifact"
    shutil.copytree(embedded_artifact, broken)
    weights = broken / "flow.bin"
    weights.chmod(0o644)
    content = bytearray(weights.read_bytes())
    content[1000] ^= 1
    weights.write_bytes(content)

    server = start(keys={"preload": False, "model_path": str(broken)})
    status = server.process.wait(timeout=60)

    assert 65 == status
    assert f"{weights}: expected sha256" in server.log()
    assert "Booting worker" not in server.log()


def test_ctrl_c_during_a_bake_prints_one_line(start, joe_coqui_release, tmp_path):
    server = start(keys={"model_path": str(joe_coqui_release), "cache_dir": str(tmp_path / "cache")})
    server.eventually(lambda: "starting torch and Coqui" in server.log())
    server.process.send_signal(signal.SIGINT)
    status = server.process.wait(timeout=60)

    assert 130 == status
    assert "Traceback" not in server.log()
    assert not list((tmp_path / "cache").glob("*/.*.tmp"))


def test_a_master_with_a_second_thread_refuses_to_fork(start, tmp_path):
    """Our check must end it, not gunicorn: a fork would inherit the locks of that thread."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, threading\n"
        "if any('gunicorn' in word for word in sys.orig_argv):\n"
        "    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    server = start(environment={"PYTHONPATH": str(tmp_path)}, expects_errors=True)

    status = server.process.wait(timeout=60)

    assert UNSAFE_TO_FORK == status
    assert "event=fork.refused tasks=2" in server.log()
    assert "Booting worker" not in server.log()


def test_an_onnxruntime_thread_pool_in_the_master_is_refused_too(start, tmp_path):
    """Native threads are invisible to `threading`, but not to the count of tasks."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if any('gunicorn' in word for word in sys.orig_argv):\n"
        "    import ctypes, os\n"
        "    os.environ['OPENBLAS_NUM_THREADS'] = '3'\n"
        "    import numpy\n"
    )
    server = start(environment={"PYTHONPATH": str(tmp_path)}, expects_errors=True)

    status = server.process.wait(timeout=60)
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("OpenBLAS starts no threads on one core")

    assert UNSAFE_TO_FORK == status


def test_a_worker_returns_the_memory_that_its_requests_freed(server):
    """Without `return_free_memory` it keeps about 80 MB, with one heap per thread about 40."""
    server.on_every_worker(lambda: server.speak("A sentence of some length, so that decoding takes memory. " * 4))

    for worker in server.workers():
        server.eventually(lambda pid=worker.pid: memory_of(pid).uss_bytes < 30 * 1024 * 1024, within_s=10)


def test_health_speaks_and_exits_with_zero(write_config):
    result = subprocess.run(
        [sys.executable, "-m", "app.health"],
        cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(write_config())}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (0, "") == (result.returncode, result.stderr)
    assert re.fullmatch(r"healthy: spoke \d\.\d\d s\n", result.stdout)


def test_health_exits_with_the_status_of_the_error(write_config, tmp_path):
    environment = {**os.environ, "CHORUS_CONFIG": str(write_config(model_path=str(tmp_path / "none")))}
    result = subprocess.run(
        [sys.executable, "-m", "app.health"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert 66 == result.returncode
    assert str(tmp_path / "none") in result.stderr
    assert "Traceback" not in result.stderr


def callback_memory(pid):
    """Return the mappings of libffi for ctypes callbacks: writable and executable, or a memfd of its own."""
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line for line in maps if " rwxp " in line or "memfd:libffi" in line or "/ffi" in line]


def test_no_ctypes_callback_is_created_before_the_fork(server):
    """On hardened kernels a child that inherits one is killed."""
    server.on_every_worker(lambda: server.speak("Phonemes take a callback."))
    made = [callback_memory(worker.pid) for worker in server.workers()]
    if not any(made):
        pytest.skip("this kernel's callbacks leave no mapping to see")

    assert all(made)
    assert not callback_memory(server.master.pid)


def test_idle_cores_speak_a_request_together_and_no_thread_is_left(start):
    server = start("--workers", "1").ready()
    (worker,) = server.workers()
    before = worker.num_threads()
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "wav"}))

    server.eventually(lambda: worker.num_threads() > before + 1)
    assert 200 == connection.getresponse().status
    connection.close()
    server.eventually(lambda: worker.num_threads() <= before + 1)


def test_parallel_decoding_can_be_disabled(start):
    server = start("--workers", "1", keys={"speech": {"parallel": False}}).ready()
    (worker,) = server.workers()
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "wav"}))
    most = 0

    def is_over():
        nonlocal most
        most = max(most, worker.num_threads())
        return "event=speech.done" in server.log()

    server.eventually(is_over)
    assert 200 == connection.getresponse().status
    connection.close()
    # gunicorn's threads, one for the request, and the timer that returns memory.
    assert most <= 3
