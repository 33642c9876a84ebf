"""The real `chorus wyoming` in a process of its own, and the checks at the end of a test."""

import os
import re
import signal
import subprocess
import sys
import tempfile

import psutil

from tests.conftest import ROOT
from tests.support.waiting import until


class Gateway:
    """One `chorus wyoming` for one server, with Wyoming and WebSocket on free ports."""

    def __init__(self, server_address, *arguments):
        self._log_file = tempfile.TemporaryFile("w+b")
        words = ["--uri", "tcp://127.0.0.1:0", "--websocket", "127.0.0.1:0", "--server", server_address, *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "wyoming", *words], cwd=ROOT, stdout=self._log_file, stderr=self._log_file
        )

    def ready(self):
        until(lambda: self.process.poll() is not None or len(self._ports()) == 2)
        assert self.process.poll() is None, self.log()
        return self

    def _ports(self):
        found = re.findall(r"event=gateway.ready protocol=(\w+) address=127\.0\.0\.1:(\d+)", self.log())
        return {protocol: int(port) for protocol, port in found}

    @property
    def uri(self):
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def port(self):
        return self._ports()["wyoming"]

    @property
    def websocket_url(self):
        return f"ws://127.0.0.1:{self._ports()['websocket']}/v1/audio/speech/ws"

    def log(self):
        size = os.fstat(self._log_file.fileno()).st_size
        return os.pread(self._log_file.fileno(), size, 0).decode()

    def memory_bytes(self):
        return psutil.Process(self.process.pid).memory_info().rss

    def connections(self):
        """Return the open connections of the process, without its listeners."""
        opened = psutil.Process(self.process.pid).net_connections("tcp")
        return [each for each in opened if each.status == psutil.CONN_ESTABLISHED]

    def stop(self, how=signal.SIGTERM):
        """End the process; it ends at once, cleanly, without a traceback in its log."""
        self.process.send_signal(how)
        status = self.process.wait(timeout=60)
        log = self.log()
        self._log_file.close()
        assert status == 0, log
        assert "Traceback" not in log and "level=ERROR" not in log, log
        assert "event=gateway.ended" in log

    def kill(self):
        """End what a failed test has left."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._log_file.close()
