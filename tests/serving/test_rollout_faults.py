"""Rollouts that go wrong, or that are overtaken: the old revision serves on, and the reason is shown."""

import os
import re
import signal
from pathlib import Path

import psutil
import pytest

from loader.artifacts.resolve import locate_artifact
from tests.serving.test_rollout import AT_ONCE, TEXT, configure, ended, reload_to, revisions, rollout
from tests.support.load import load_on

CHANGED = "tests.support.changed_voice:create()"


def preparation_of(server):
    """Return the process that prepares a revision, once it runs its program."""
    return server.eventually(lambda: [child for child in server.master.children() if _prepares(child)])[0]


def canary_of(server):
    """Return the canary's process id, once it is there."""
    server.eventually(lambda: "event=rollout.canary_started" in server.log())
    return int(re.findall(r"event=rollout.canary_started worker_pid=(\d+)", server.log())[-1])


def _prepares(process):
    try:
        return "app.rollout.preparation" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def test_a_killed_preparation_refuses_the_revision(start):
    server = start(keys=AT_ONCE, expects_errors=True).ready()
    configure(server, threads=3)
    server.process.send_signal(signal.SIGHUP)
    preparation_of(server).kill()
    server.eventually(lambda: ended(server)["refused"] == 1)

    assert "the preparation ended without an outcome" in rollout(server)["reason"]
    assert 200 == server.speak(TEXT).status
    # The next one is not affected.
    reload_to(server, "completed")


def test_a_killed_canary_leaves_the_old_revision(start):
    server = start(keys={"rollout": {"canary_s": 600}}, expects_errors=True, expected_deaths=1).ready()
    before, old = {worker.pid for worker in server.workers()}, revisions(server)
    configure(server, threads=3)
    server.process.send_signal(signal.SIGHUP)
    canary = canary_of(server)
    assert "canary" == rollout(server)["state"] and 2 == len(revisions(server))
    psutil.Process(canary).kill()
    server.eventually(lambda: ended(server)["abandoned"] == 1)

    assert "the first worker of the new revision ended" in rollout(server)["reason"]
    assert before == {worker.pid for worker in server.workers()}
    assert old == revisions(server)


def test_a_worker_that_dies_while_the_canary_is_tried_is_replaced_by_one_of_the_old_revision(start):
    server = start(keys={"rollout": {"canary_s": 600}}, expects_errors=True, expected_deaths=2).ready()
    (old,) = revisions(server)
    configure(server, threads=3)
    server.process.send_signal(signal.SIGHUP)
    canary = canary_of(server)
    next(worker for worker in server.workers() if worker.pid != canary).kill()
    server.eventually(lambda: "ending=killed" in server.log() and len(server.workers()) == 3)
    workers = server.ask("GET", "/status").json()["workers"]

    assert {canary} == {worker["pid"] for worker in workers if worker["revision"] != old}
    psutil.Process(canary).kill()
    server.eventually(lambda: ended(server)["abandoned"] == 1)


@pytest.mark.parametrize(
    "change, reason",
    [
        ("die", "the first worker of the new revision ended"),
        ("fail", "requests failed"),
        ("slow", "its real-time factor is"),
    ],
)
def test_a_canary_that_serves_worse_than_the_others_leaves_the_old_revision(start, change, reason):
    server = start(
        CHANGED, keys={"rollout": {"canary_s": 10}}, environment={"CHORUS_CHANGE": change}, expects_errors=True,
        expected_deaths=change == "die",
    ).ready()  # fmt: skip
    before, old = {worker.pid for worker in server.workers()}, revisions(server)
    configure(server, threads=3)
    with load_on(server):
        assert reason in reload_to(server, "abandoned")

    assert before == {worker.pid for worker in server.workers()}
    assert old == revisions(server)
    assert "event=rollout.abandoned" in server.log() and reason in server.log()


def test_a_worker_that_does_not_get_ready_leaves_the_old_revision(start):
    server = start(
        CHANGED, keys={**AT_ONCE, "preload": False}, environment={"CHORUS_CHANGE": "unready"}, expects_errors=True,
        expected_deaths=1,
    ).ready()  # fmt: skip
    before = {worker.pid for worker in server.workers()}
    configure(server, threads=3)
    reload_to(server, "abandoned")

    assert before == {worker.pid for worker in server.workers()}
    assert 200 == server.speak(TEXT).status


def test_a_voice_that_the_master_cannot_open_is_refused(start):
    server = start(CHANGED, keys=AT_ONCE, environment={"CHORUS_CHANGE": "unready"}, expects_errors=True).ready()
    before = {worker.pid for worker in server.workers()}
    configure(server, threads=3)

    assert "told not to be ready" in reload_to(server, "refused")
    assert before == {worker.pid for worker in server.workers()}


def test_the_newest_configuration_counts(start):
    server = start(keys=AT_ONCE).ready()
    configure(server, speech={"length_scale": 1.5})
    server.process.send_signal(signal.SIGHUP)
    preparation_of(server)
    configure(server, speech={"length_scale": 2.0})
    reload_to(server, "completed")

    assert 1 == ended(server)["superseded"]
    slow = server.speak(TEXT, seed=1).body
    configure(server, speech=None)
    reload_to(server, "completed")
    assert len(slow) > 1.7 * len(server.speak(TEXT, seed=1).body)


def test_a_configuration_that_comes_during_a_trial_is_tried_after_it(start):
    server = start(keys={"rollout": {"canary_s": 2}}).ready()
    configure(server, threads=3)
    server.process.send_signal(signal.SIGHUP)
    canary_of(server)
    configure(server, threads=5)
    server.process.send_signal(signal.SIGHUP)
    server.eventually(lambda: ended(server)["completed"] == 2)

    assert 5 == server.ask("GET", "/status").json()["places"]


def test_the_number_of_workers_changes(start):
    server = start(keys={**AT_ONCE, "workers": 2}).ready()
    for workers in (3, 1):
        configure(server, workers=workers)
        with load_on(server) as load:
            reload_to(server, "completed")
            server.eventually(lambda workers=workers: workers == len(server.workers()))
        assert {200} == {status for status, *_ in load.answers}


def test_a_preparation_ends_with_its_master(start):
    server = start(keys=AT_ONCE).ready()
    configure(server, threads=3)
    server.process.send_signal(signal.SIGHUP)
    preparation = preparation_of(server)
    server.process.terminate()
    assert 0 == server.process.wait(60)

    assert not preparation.is_running()


@pytest.fixture
def memory_group():
    """The file with the limit of a new control group for memory."""
    version_1, version_2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    is_version_2 = (version_2 / "cgroup.controllers").exists()
    group = (version_2 if is_version_2 else version_1) / f"chorus-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    limit = group / ("memory.max" if is_version_2 else "memory.limit_in_bytes")
    try:
        if not limit.exists():
            pytest.skip(f"{group} has no {limit.name}: the memory controller is not enabled here")
        yield limit
    finally:
        group.rmdir()


def test_a_revision_that_does_not_fit_the_control_group_is_refused(
    memory_group, start, release_of, large_release, large_settings
):
    """The voice of 109 MB and a worker more, where 100 MB are left."""
    locate_artifact(large_settings.voices[0], large_settings)  # baked before
    procs = memory_group.parent / "cgroup.procs"
    server = start(
        keys={**AT_ONCE, "model_path": str(release_of("tiny"))}, preexec=lambda: procs.write_text(str(os.getpid())),
        expects_errors=True,
    ).ready()  # fmt: skip
    served = server.speak(TEXT, seed=1).body
    used = next(each for each in (procs.with_name(name) for name in ("memory.current", "memory.usage_in_bytes")) if each.exists())
    memory_group.write_text(str(int(used.read_text()) + 100 * 1024 * 1024))
    configure(server, model_path=str(large_release))

    assert "are needed to serve both revisions for a while" in reload_to(server, "refused")
    assert served == server.speak(TEXT, seed=1).body

    memory_group.write_text("max" if memory_group.name == "memory.max" else "-1")
    reload_to(server, "completed")
    assert served != server.speak(TEXT, seed=1).body
