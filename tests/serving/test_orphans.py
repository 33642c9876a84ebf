"""A killed master: its workers close the address, answer their requests, idle meanwhile, and end."""

import signal
import socket
import time

import psutil
import pytest

from tests.support.harness import Server

HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
LONG = b'{"input": "%b", "response_format": "wav", "stream": false}' % (b"A sentence that takes a while. " * 40)


class Orphaned:
    """A server whose master is killed, and its workers."""

    def __init__(self, server):
        self.server, self.workers = server, server.workers()

    def kill_master(self):
        self.server.process.send_signal(signal.SIGKILL)
        self.server.process.wait(timeout=60)

    def wait_until_ended(self):
        """Wait until all workers have ended; return the log."""
        self.server.eventually(lambda: not any(is_running(worker) for worker in self.workers))
        return self.server.log()


def is_running(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_free(address):
    """Return whether a new master could bind this address, with SO_REUSEADDR as in gunicorn."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(address)
            candidate.listen()
        except OSError:
            return False
    return True


@pytest.fixture
def orphaned(start):
    """Two workers whose master will be killed; the fixture kills those that are left."""
    held = Orphaned(start("--workers", "2").ready())
    yield held
    for worker in held.workers:
        if is_running(worker):
            worker.kill()


def send_to(port, data):
    client = socket.create_connection(("127.0.0.1", port), timeout=120)
    client.sendall(data)
    return client


def test_a_running_request_is_answered_completely_and_the_address_is_free_meanwhile(orphaned, start):
    port = orphaned.server.port
    client = send_to(port, HEAD % len(LONG) + LONG)
    orphaned.server.eventually(lambda: any(w["active"] for w in orphaned.server.ask("GET", "/status").json()["workers"]))
    orphaned.kill_master()
    orphaned.server.eventually(lambda: is_free(("127.0.0.1", port)))
    assert any(is_running(worker) for worker in orphaned.workers)  # it is still speaking

    successor = start("--bind", f"127.0.0.1:{port}", "--workers", "1").ready()
    assert 200 == successor.speak("The new one.").status
    head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    client.close()

    assert head.startswith(b"HTTP/1.1 200 ")
    assert f"Content-Length: {len(body)}".encode() in head
    log = orphaned.wait_until_ended()
    assert "Traceback" not in log and "level=ERROR" not in log
    assert log.count("event=worker.orphaned") in (1, 2)  # a worker without a request logs nothing


def test_a_worker_that_waits_for_its_last_request_uses_no_cpu(orphaned):
    """Its client has sent half of a request: the worker gives up after ten seconds."""
    client = send_to(orphaned.server.port, HEAD % 100 + b"{")
    orphaned.server.eventually(lambda: any(w["connections"] for w in status(orphaned)))
    orphaned.kill_master()
    orphaned.server.eventually(lambda: is_free(("127.0.0.1", orphaned.server.port)))
    (waiting,) = orphaned.server.eventually(lambda: one_of(orphaned.workers))
    began_s, before_s = time.monotonic(), cpu_s(waiting)
    used_s = []
    orphaned.server.eventually(lambda: not is_running(waiting) or used_s.append(cpu_s(waiting) - before_s))
    answer = client.makefile("rb").read()
    client.close()

    assert answer.startswith(b"HTTP/1.1 408 ")
    # A worker that polls without a pause uses a whole core.
    assert max(each for each in used_s if each is not None) < 0.2 * (time.monotonic() - began_s)
    assert "Traceback" not in orphaned.wait_until_ended()


def test_a_worker_that_is_already_ending_closes_the_address_too(orphaned):
    client = send_to(orphaned.server.port, HEAD % 100 + b"{")
    orphaned.server.eventually(lambda: any(w["connections"] for w in status(orphaned)))
    for worker in orphaned.workers:
        worker.terminate()
    orphaned.server.eventually(lambda: [w for w in status(orphaned) if w["state"] == "draining"])
    orphaned.workers = [*orphaned.workers, *orphaned.server.workers()]
    orphaned.kill_master()

    orphaned.server.eventually(lambda: is_free(("127.0.0.1", orphaned.server.port)), within_s=8)
    client.sendall(b" " * 99)
    assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
    client.close()
    assert "Traceback" not in orphaned.wait_until_ended()


def test_a_worker_that_is_starting_ends_too(start):
    """The master is killed right after the fork; its workers are anywhere between the fork and their first request."""
    server = start("--workers", "2", keys={"preload": False})
    server.eventually(lambda: server.workers())
    workers = server.workers()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(timeout=60)

    server.eventually(lambda: not any(is_running(worker) for worker in workers))
    assert "Traceback" not in server.log()


def test_a_unix_socket_is_free_for_a_new_master(start, tmp_path):
    path = tmp_path / "chorus.sock"
    server = start("--bind", f"unix:{path}", "--workers", "2")
    server.eventually(lambda: path.exists() and reaches(path) and len(server.workers()) == 2)
    workers = server.workers()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait(timeout=60)
    server.eventually(lambda: not reaches(path))

    successor = Server(server.config, ("--bind", f"unix:{path}", "--workers", "1")).start()
    successor.eventually(lambda: reaches(path))
    server.eventually(lambda: not any(is_running(worker) for worker in workers))
    successor.remember_descriptors()
    successor.stop()


def status(orphaned):
    return orphaned.server.ask("GET", "/status").json()["workers"]


def one_of(workers):
    alive = [worker for worker in workers if is_running(worker)]
    return alive if len(alive) == 1 else None


def cpu_s(process):
    try:
        return sum(process.cpu_times()[:2])
    except psutil.NoSuchProcess:
        return None


def reaches(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(path))
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
