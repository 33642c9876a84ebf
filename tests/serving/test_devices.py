"""A device in a real server: the master never uses it, and if it fails clients get the audio of the CPU."""

import dataclasses
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from loader.artifacts.resolve import locate_artifact
from loader.config.settings import load_settings
from loader.devices.disabled_flag import DisabledFlag

APPLICATION = "tests.support.failing_device:create()"
#: Several windows long; the warm-up calls each network once before.
TEXT = "A sentence that is long enough to be decoded in several windows, one after the other. " * 3


@pytest.fixture(scope="session")
def torch_artifact(tiny_release, settings, tmp_path_factory):
    """A small voice, baked for the engine that can use a device."""
    path = tmp_path_factory.mktemp("tiny") / "tts_config.yaml"
    path.write_text(f"model_path: {tiny_release}\ncache_dir: {settings.cache_dir}\nengine: pytorch\n")
    tiny = load_settings(path)
    return locate_artifact(tiny.voices[0], dataclasses.replace(tiny, engine="pytorch"))


@pytest.fixture
def start_on(start, torch_artifact, tmp_path):
    """Return a function that starts a server on the fake device, with its marker in a folder of its own."""

    def start_on(plan=None, *arguments, device="cuda:0", environment=None, keys=None, **options):
        keys = {"model_path": str(torch_artifact), "cache_dir": str(tmp_path), "device": device, **(keys or {})}
        environment = {"CHORUS_FAKE_DEVICE": json.dumps(plan or {}), **(environment or {})}
        return start(APPLICATION, *arguments, keys=keys, environment=environment, **options)

    return start_on


@pytest.fixture(scope="session")
def spoken_on_cpu():
    return {}


@pytest.fixture
def on_cpu(start_on, spoken_on_cpu):
    """The samples of TEXT with seed 5 on a server without a device."""
    if not spoken_on_cpu:
        server = start_on(device="cpu").ready()
        spoken_on_cpu["wav"] = server.speak(TEXT, seed=5).body
        assert "fake device is opened" not in server.log()
        server.stop()
    return spoken_on_cpu["wav"]


def samples(wav):
    return np.frombuffer(wav[44:], dtype="<i2").astype(int)


def openers(server):
    return {int(pid) for pid in re.findall(r"fake device is opened by process (\d+)", server.log())}


def devices(server):
    """Return the devices in /readyz, asked until every worker has answered."""
    return [server.ask("GET", "/readyz").json() for _ in range(12)]


def test_every_worker_enters_the_device_and_the_master_never_does(start_on, on_cpu):
    server = start_on().ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)
    answers = server.on_every_worker(lambda: server.speak(TEXT, seed=5))

    assert {worker.pid for worker in server.workers()} == openers(server)
    assert server.master.pid not in openers(server)
    assert 1 == server.master.num_threads()
    assert {on_cpu} == {answer.body for answer in answers.values()}
    assert {"cpu:0"} == {ready["device"] for ready in devices(server)}


@pytest.mark.parametrize("what", ["encode", "flow"])
def test_work_that_fails_once_for_memory_is_tried_again_on_the_device(start_on, on_cpu, tmp_path, what):
    server = start_on({what: [[2], "full"]}, "--workers", "1").ready()

    assert on_cpu == server.speak(TEXT, seed=5).body
    assert f"trying smaller: FullError: {what} number 2" in server.log()
    assert DisabledFlag(tmp_path).read() is None
    assert "cpu:0" == server.ask("GET", "/readyz").json()["device"]


def test_decoding_that_fails_once_for_memory_is_done_in_smaller_windows(start_on, on_cpu, tmp_path):
    server = start_on({"decode": [[3], "full"]}, "--workers", "1").ready()
    spoken = server.speak(TEXT, seed=5).body

    assert len(on_cpu) == len(spoken)
    assert np.abs(samples(on_cpu) - samples(spoken)).max() <= 1
    assert DisabledFlag(tmp_path).read() is None


@pytest.mark.parametrize("what", ["copy", "encode", "flow", "decode"])
def test_work_that_fails_twice_for_memory_is_done_on_the_cpu_and_all_processes_leave_the_device(start_on, on_cpu, tmp_path, what):
    """The copy is made in the warm-up; the networks fail at their second call, which is in the first request."""
    numbers = [1, 2] if what == "copy" else [2, 3]
    once = {"CHORUS_ONE_ONLY": str(tmp_path / "one")}
    server = start_on({what: [numbers, "full"]}, environment=once).ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)
    answers = server.on_every_worker(lambda: server.speak(TEXT, seed=5))

    assert {on_cpu} == {answer.body for answer in answers.values()}
    marker = json.loads((tmp_path / "device-fallback.json").read_text())
    assert (f"FullError: {what} number {numbers[1]} fails by plan", "cpu:0", 1000) == (
        marker["why"], marker["device"], marker["free_bytes"],
    )  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", marker["when"])
    fallback = {name: marker[name] for name in ("why", "device", "when", "free_bytes")}
    ready = devices(server)
    assert [("cpu", fallback)] * len(ready) == [(each["device"], each["fallback"]) for each in ready]


def test_after_a_reset_the_device_is_used_again(start_on, on_cpu, tmp_path):
    server = start_on({"encode": [[2, 3], "full"]}, "--workers", "1").ready()
    server.speak(TEXT, seed=5)
    before = server.ask("GET", "/readyz").json()["device"]
    DisabledFlag(tmp_path).reset()

    assert on_cpu == server.speak(TEXT, seed=5).body
    assert ("cpu", "cpu:0") == (before, server.ask("GET", "/readyz").json()["device"])


def test_with_a_marker_at_start_no_worker_uses_the_device(start_on, on_cpu, tmp_path):
    DisabledFlag(tmp_path).write("full yesterday", "cuda:0", 7)
    server = start_on().ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)

    assert on_cpu == server.speak(TEXT, seed=5).body
    assert set() == openers(server)
    assert {"full yesterday"} == {ready["fallback"]["why"] for ready in devices(server)}


def test_a_worker_that_loses_the_device_finishes_on_the_cpu_and_is_replaced(start_on, on_cpu, tmp_path):
    once = {"CHORUS_ONE_ONLY": str(tmp_path / "one")}
    server = start_on({"decode": [[3], "lost"]}, "--workers", "1", environment=once).ready()
    victim = server.workers()[0].pid
    answer = server.speak(TEXT, seed=5)
    server.eventually(lambda: [worker.pid for worker in server.workers()] not in ([victim], []))
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)

    assert (200, on_cpu) == (answer.status, answer.body)
    assert on_cpu == server.speak(TEXT, seed=5).body
    assert "event=worker.recycled" in server.log()
    assert "Traceback" not in server.log()
    assert DisabledFlag(tmp_path).read() is None
    assert "cpu:0" == server.ask("GET", "/readyz").json()["device"]


def test_running_requests_of_a_worker_that_is_replaced_are_all_answered(start_on, on_cpu, tmp_path):
    once = {"CHORUS_ONE_ONLY": str(tmp_path / "one")}
    server = start_on({"decode": [[4], "lost"]}, environment=once).ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: server.speak(TEXT, seed=5), range(12)))
    server.eventually(lambda: server.log().count("event=worker.ready") == 3)

    assert {200} == {answer.status for answer in answers}
    assert [0] * 12 == [np.abs(samples(on_cpu) - samples(answer.body)).max() for answer in answers]


def test_an_unusable_device_is_logged_once_though_no_voice_would_use_it(start, tmp_path, embedded_artifact):
    server = start(keys={"model_path": str(embedded_artifact), "cache_dir": str(tmp_path), "device": "cuda:7"}).ready()

    assert 200 == server.speak("Hello.").status
    assert 1 == server.log().count("device cuda:7 is not used by voices of the onnx engine")
    assert "cpu" == server.ask("GET", "/readyz").json()["device"]


@pytest.mark.parametrize("how", ["absent", "broken"])
def test_without_a_usable_device_the_cpu_is_used_and_the_log_says_so_once(start_on, on_cpu, tmp_path, how):
    server = start_on({"open": ["always", how]}, environment={"CHORUS_FIRST_PAUSE_S": "0.01"}).ready()
    server.eventually(lambda: server.log().count("event=worker.ready") == 2)
    answers = server.on_every_worker(lambda: server.speak(TEXT, seed=5))

    assert {on_cpu} == {answer.body for answer in answers.values()}
    assert 1 == server.log().count("device cpu:0 is not usable, the CPU is used instead: open number")
    assert 2 == server.log().count("Booting worker")
    number = 1 if how == "absent" else 3
    said = {(each["device"], each["fallback"]["why"]) for each in devices(server)}
    assert {("cpu", f"open number {number} fails by plan")} == said
    assert DisabledFlag(tmp_path).read() is None


def test_without_preload_workers_enter_the_device_too(start_on, on_cpu):
    server = start_on(keys={"preload": False}).ready()
    answers = server.on_every_worker(lambda: server.speak(TEXT, seed=5))

    assert {on_cpu} == {answer.body for answer in answers.values()}
    assert {worker.pid for worker in server.workers()} == openers(server)
