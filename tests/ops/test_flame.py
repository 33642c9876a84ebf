"""ops/flame: every worker of a real server is dumped and recorded, and what stands in the way is said."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.support.harness import Server

needs_py_spy = pytest.mark.skipif(
    not Path(sys.executable).with_name("py-spy").exists(), reason="py-spy is installed with the bench extra"
)


def flame(*words, **options):
    command = [sys.executable, "-m", "ops.flame", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **options)


@pytest.fixture
def server(settings, embedded_artifact, tmp_path_factory):
    config = tmp_path_factory.mktemp("flame") / "tts_config.yaml"
    config.write_text(f"model_path: embedded/joe\ncache_dir: {settings.cache_dir}\n")
    running = Server(config).start().ready()
    yield running
    running.stop()


def give_up_tracing():
    """Have no right to trace whoever has more rights, in this process and its children."""
    bounding_set_drop, sys_ptrace = 24, 19
    assert 0 == ctypes.CDLL(None).prctl(bounding_set_drop, sys_ptrace, 0, 0, 0)


@contextmanager
def speaking(server):
    """Keep all workers busy: there are two, and connections go to whoever has fewer."""
    is_over = threading.Event()

    def ask():
        while not is_over.is_set():
            assert 200 == server.speak("A sentence that takes a moment to be spoken.").status

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        try:
            yield
        finally:
            is_over.set()
    for each in asking:
        each.result()


@needs_py_spy
def test_every_worker_is_dumped_and_recorded(server, tmp_path):
    with speaking(server):
        done = flame("--pid", server.process.pid, "--seconds", 2, "--output", tmp_path / "made")

    assert 0 == done.returncode, done.stderr
    workers = sorted(worker.pid for worker in server.workers())
    assert sorted(f"worker-{pid}.{kind}" for pid in workers for kind in ("svg", "txt")) == sorted(
        path.name for path in (tmp_path / "made").iterdir()
    )
    for pid in workers:
        assert "app/serving/worker.py" in (tmp_path / "made" / f"worker-{pid}.txt").read_text()
        assert ElementTree.parse(tmp_path / "made" / f"worker-{pid}.svg").getroot().tag.endswith("svg")


@needs_py_spy
def test_ctrl_c_ends_py_spy_and_leaves_no_file(server, tmp_path):
    words = ["--pid", str(server.process.pid), "--seconds", "600", "--output", str(tmp_path)]
    running = subprocess.Popen(
        [sys.executable, "-m", "ops.flame", *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert "recording 2 workers" in running.stderr.readline()
    server.eventually(lambda: len(psutil.Process(running.pid).children()) == 2)
    spies = psutil.Process(running.pid).children()
    running.send_signal(signal.SIGINT)

    assert 130 == running.wait(60)
    assert "Traceback" not in running.stderr.read()
    running.stderr.close()
    assert [] == list(tmp_path.iterdir())
    assert not any(spy.is_running() for spy in spies)


@needs_py_spy
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_what_the_kernel_forbids_is_said_with_the_remedy(server, tmp_path):
    done = flame("--pid", server.process.pid, "--output", tmp_path, preexec_fn=give_up_tracing)

    assert 77 == done.returncode, done.stderr
    assert "run ops/flame as root" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_process_that_is_no_server_is_refused(tmp_path):
    done = flame("--pid", psutil.Process().pid, "--output", tmp_path / "made")

    assert (69, "") == (done.returncode, done.stdout)
    assert "has no workers" in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_process_that_is_not_there_is_refused(tmp_path):
    gone = subprocess.Popen([shutil.which("true")])
    gone.wait()

    assert 69 == flame("--pid", gone.pid, "--output", tmp_path).returncode


def test_a_wrong_option_is_refused():
    assert 64 == flame("--seconds", "0").returncode
