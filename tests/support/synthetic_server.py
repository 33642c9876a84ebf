"""An HTTP server that works on a known number of requests at a time, each for a known time, in a process of its own.

    python -m tests.support.synthetic_server SERVERS SECONDS_A_CHARACTER

prints its port. A request waits its turn, has its first audio as its turn begins, and the rest when its time is over. Some
texts are answered in other ways: see `_Handler`.
"""

import json
import queue
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from app.tuning.candidate import CandidateServer, ServerMemory
from tests.conftest import ROOT


@dataclass
class _Turn:
    lasts_s: float
    begun: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024

    def __init__(self, servers, seconds_a_character):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds_a_character = seconds_a_character
        self.turns = queue.Queue()
        for _ in range(servers):
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            turn = self.turns.get()
            turn.begun.set()
            turn.over.wait(turn.lasts_s)
            turn.over.set()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        special = {
            "refused": self._refuse,
            "broken": self._break,
            "silent": self._say_nothing,
            "short": self._fall_short,
            "wav": self._send_wav,
        }
        special.get(text, lambda: self._speak(text))()

    def _speak(self, text):
        turn = _Turn(len(text) * self.server.seconds_a_character)
        self.server.turns.put(turn)
        turn.begun.wait()
        self._head("Transfer-Encoding", "chunked")
        self._chunk(b"RIFF" + bytes(60))
        if text == "cut":
            return
        turn.over.wait()
        self._chunk(bytes(100))
        self._chunk(b"")

    def _refuse(self):
        self.send_response(503)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _break(self):
        self.send_error(500)

    def _say_nothing(self):
        self._head("Content-Length", "44")
        self.wfile.write(bytes(44))

    def _fall_short(self):
        self._head("Content-Length", "1000")
        self.wfile.write(bytes(500))

    def _send_wav(self):
        # Half a second of 16-bit samples at 22.05 kHz, with the lengths of a stream.
        sound = (16, 1, 1, 22_050, 44_100, 2, 16)
        wav = struct.pack("<4sI8sIHHIIHH4sI", b"RIFF", 2**32 - 1, b"WAVEfmt ", *sound, b"data", 2**32 - 1)
        self._head("Content-Length", str(44 + 22_050))
        self.wfile.write(wav + bytes(22_050))

    def _head(self, name, value):
        self.send_response(200)
        self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def _chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *arguments):
        pass


@contextmanager
def synthetic_server(servers, seconds_a_character):
    """Run one and return its port."""
    command = [sys.executable, "-m", "tests.support.synthetic_server", str(servers), str(seconds_a_character)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def launch_on(cores, seconds_a_character, crowding=0.3, worker_bytes=2**20):
    """Return how servers start on a machine of so many cores, where a worker is a server until there is no core for it."""

    @contextmanager
    def launch(candidate):
        slower = 1 + crowding * max(0, candidate.workers - cores)
        memory = ServerMemory((10 + candidate.workers) * worker_bytes, (worker_bytes,) * candidate.workers)
        with synthetic_server(min(candidate.workers, cores), seconds_a_character * slower) as port:
            yield CandidateServer(("127.0.0.1", port), lambda: memory)

    return launch


if __name__ == "__main__":
    server = _Server(int(sys.argv[1]), float(sys.argv[2]))
    print(server.server_port, flush=True)
    server.serve_forever()
