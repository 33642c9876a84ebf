"""`chorus serve` starts the same server as gunicorn's own command, which the other tests here use."""

import os
import signal
import subprocess
import sys
import tempfile

import psutil

from tests.support.harness import ROOT, Server


class CommandServer(Server):
    """The same server, started by the command, in a folder with another package named `app`."""

    def start(self) -> "CommandServer":
        self._log_file = tempfile.TemporaryFile("w+b")
        self._shared_before = set(os.listdir("/dev/shm"))
        folder = self.config.parent
        (folder / "app").mkdir()
        (folder / "app" / "__init__.py").write_text("raise ImportError('the wrong app')\n")
        words = [sys.executable, "-P", "-m", "app.cli", "serve", "--config", self.config.name, *self._bind(), *self.arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(words, cwd=folder, env=environment, stdout=self._log_file, stderr=self._log_file)
        self.master = psutil.Process(self.process.pid)
        return self


def test_the_command_serves_and_ctrl_c_ends_it(write_config):
    server = CommandServer(write_config(), ("--workers", "3", "--threads", "5")).start().ready()
    answer = server.speak("Served by the command.")

    assert 200 == answer.status
    assert len(answer.body) > 22050
    assert 3 == len(server.workers())
    server.stop(signal.SIGINT)


def test_a_broken_configuration_exits_with_its_status(tmp_path):
    words = [sys.executable, "-m", "app.cli", "serve", "--config", str(tmp_path / "none.yaml")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    assert 78 == done.returncode
    assert f"{tmp_path / 'none.yaml'}: 1 problem" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_script_prints_its_options_before_it_installs_anything(tmp_path):
    environment = {**os.environ, "CHORUS_VENV": str(tmp_path / "venv")}
    done = subprocess.run(["ops/serve", "--help"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert all(option in done.stdout for option in ("--config FILE", "--bind HOST:PORT", "--workers N", "--serve-only"))
    assert not (tmp_path / "venv").exists()
