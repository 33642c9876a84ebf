"""Starting a server: too few open files, closed streams, no folder for its socket, a CPU quota, a changed configuration."""

import concurrent.futures
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.startup import needed_to_serve
from loader.config.settings import load_settings
from tests.conftest import ROOT
from tests.support.harness import Server


def limited_to(files):
    """Return a function that limits the open files of a child before it becomes the server."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))


@pytest.mark.parametrize("files", [16, 24, 100])
def test_too_few_open_files_are_refused_in_one_line_before_the_fork(write_config, files):
    config = write_config(workers=2)
    needed = needed_to_serve(load_settings(config), workers=2)
    words = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "--bind", "127.0.0.1:0"]
    environment = {**os.environ, "CHORUS_CONFIG": str(config)}
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=limited_to(files), timeout=60, check=False
    )

    assert 71 == done.returncode
    assert done.stderr.startswith(f"chorus: this configuration needs {needed} open files in each process, the limit is {files}; ")
    assert 1 == len(done.stderr.splitlines()) and "" == done.stdout


def test_the_number_of_open_files_in_the_error_is_enough_for_all_admitted_requests(write_config):
    config = write_config(workers=2, admission={"queue": 12})
    needed = needed_to_serve(load_settings(config), workers=2)
    server = Server(config, preexec=limited_to(needed)).start().ready()
    with concurrent.futures.ThreadPoolExecutor(16) as clients:
        answers = [clients.submit(server.speak, "Hello.") for _ in range(16)]
        statuses = {answer.result().status for answer in answers}
    log = server.log()
    server.stop()

    assert {200} == statuses
    assert "accept.paused" not in log


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_numbers_of_closed_streams_are_not_reused_in_any_process(write_config, tmp_path, closed):
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@" --log-file {tmp_path / "log"} {closed}\n')
    program.chmod(0o755)
    config = write_config(bind=f"unix:{tmp_path / 'socket'}", workers=1)
    words = [program, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    with subprocess.Popen(words, cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(config)}) as process:
        watcher = Server(config)
        watcher.log = lambda: ""
        children = watcher.eventually(lambda: _children(process.pid))
        streams = [[os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] for pid in (process.pid, *children)]
        process.terminate()

    assert 0 == process.returncode
    names = {"<": 0, ">": 1, "2": 2}
    for number in {names[word[0]] for word in closed.split()}:
        assert {"/dev/null"} == {each[number] for each in streams}


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def test_a_socket_without_a_folder_is_refused_at_once(write_config, tmp_path):
    config = write_config(bind=f"unix:{tmp_path / 'none' / 'socket'}")
    words = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py"]
    environment = {**os.environ, "CHORUS_CONFIG": str(config)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert 78 == done.returncode
    assert done.stderr.endswith(f"bind: {tmp_path / 'none'}: no such folder; make it, or bind another path\n")
    assert "Traceback" not in done.stderr and "failed" not in done.stderr


@pytest.fixture
def one_core_group():
    """Return a function for a child that enters a control group with a CPU quota of one core."""
    if len(os.sched_getaffinity(0)) == 1:
        pytest.skip("one core: a quota of one changes nothing")
    version_1, version_2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    is_version_2 = (version_2 / "cgroup.controllers").exists()
    group = (version_2 if is_version_2 else version_1) / f"chorus-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    name, text = ("cpu.max", "100000 100000") if is_version_2 else ("cpu.cfs_quota_us", "100000")
    try:
        if not (group / name).exists():
            pytest.skip(f"{group} has no {name}: the CPU controller is not enabled here")
        (group / name).write_text(text)
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


def test_a_cpu_quota_sets_the_number_of_workers_and_is_shown_in_status(write_config, one_core_group):
    config = write_config()
    server = Server(config, preexec=one_core_group).start()
    server.eventually(lambda: "server.ready" in server.log())
    server.eventually(lambda: server.ask("GET", "/readyz").status == 200)
    server.remember_descriptors()
    status, workers = server.ask("GET", "/status").json(), len(server.workers())
    server.stop()

    assert 1 == workers == status["cores"]
    assert {"affinity": len(os.sched_getaffinity(0)), "quota": 1.0, "used": 1} == status["cpu"]


@pytest.mark.parametrize("preload", [True, False])
def test_a_later_worker_has_the_settings_of_the_master(start, preload):
    server = start("--workers", "1", keys={"preload": preload, "limits": {"text_characters": 20}}, expected_deaths=1).ready()
    server.config.write_text("][")
    (worker,) = server.workers()
    os.kill(worker.pid, signal.SIGKILL)
    server.eventually(lambda: [each.pid for each in server.workers()] not in ([], [worker.pid]))
    server.eventually(lambda: server.ask("GET", "/readyz").status == 200)

    assert 413 == server.speak("a text of more than 20 characters").status
    assert 200 == server.speak("Hello.").status
