"""Clients that send their requests a byte at a time: they take no thread, so that probes and other clients are answered."""

import selectors
import socket
from contextlib import ExitStack

import psutil
import pytest

CLIENTS = 200
HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"input": "Hello there."}'
#: What each client sends before it slows down, what it sends a byte at a time, and what would complete it.
SLOW = {
    "request lines": (b"", b"GET /v1/a", b"udio/voices HTTP/1.1\r\n\r\n"),
    "heads": (HEAD, b"X-Slow: and ", b"slower\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY),
    "bodies": (HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY), BODY[:12], BODY[12:]),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"19\r\n" + BODY[:8], BODY[8:] + b"\r\n0\r\n\r\n"),
    "chunks' sizes": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0000000000", b"19;a\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "trailers": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n19\r\n" + BODY + b"\r\n0\r\n", b"X-Slow: and ", b"slower\r\n\r\n"),
    "bodies after 100 Continue": (
        HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY[:12], BODY[12:]
    ),
}  # fmt: skip


@pytest.fixture
def few_threads(start):
    """Two workers of 28 threads each, which 200 clients would take many times over."""
    return start("--workers", "2", keys={"threads": 4, "admission": {"queue": 8}}).ready()


@pytest.fixture
def crowd():
    """Connects many clients, which are gone when the test is over."""
    with ExitStack() as stack:
        yield lambda port, count: [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(count)
        ]


def ended(clients):
    """Return how many of the clients were hung up on, or answered."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        return sum(b"100 Continue" not in key.fileobj.recv(10_000, socket.MSG_PEEK) for key, _ in selector.select(0))


def test_slow_clients_of_every_kind_take_no_thread_from_probes_and_get_their_answers(few_threads, crowd):
    """Where probes wait, slow clients are given up, which frees threads, before a probe is answered."""
    kinds = [SLOW[name] for name in SLOW for _ in range(-(-CLIENTS // len(SLOW)))]
    clients = crowd(few_threads.port, len(kinds))
    for client, (at_once, _, _) in zip(clients, kinds, strict=True):
        client.sendall(at_once)
    for position in range(12):
        for client, (_, slowly, _) in zip(clients, kinds, strict=True):
            client.sendall(slowly[position : position + 1])
        assert 200 == few_threads.ask("GET", "/livez").status
        assert 0 == ended(clients)
    assert 200 == few_threads.speak("And others are served.").status
    assert max(worker.num_threads() for worker in few_threads.workers()) < 28

    for (_, _, rest), client in dict(zip(kinds, clients, strict=True)).items():  # one of each kind
        client.sendall(rest)
        answer = client.makefile("rb").read()
        assert b"HTTP/1.1 200 OK\r\n" in answer, answer[:500]


def test_what_slow_clients_have_sent_is_bounded_for_all_of_them_together(start, crowd):
    """400 bodies of 200 kB are 80 MB, of which a worker keeps 32; the clients that began first are refused."""
    server = start("--workers", "1", keys={"threads": 4, "admission": {"queue": 8}}).ready()
    server.speak("Hello.")
    (worker,) = server.workers()
    before_bytes = memory_bytes(worker)
    clients = crowd(server.port, 400)
    for client in clients:
        client.sendall(HEAD + b"Content-Length: 250000\r\n\r\n" + bytes(200_000))
    server.eventually(lambda: ended(clients) > 200)

    assert 200 == server.ask("GET", "/livez").status
    assert memory_bytes(worker) - before_bytes < 100e6
    # What is over is also what the clients' own sockets hold; nothing is left of it once they are gone.
    answers = [client.makefile("rb").read() for client in clients[:100]]
    assert all(answer.startswith(b"HTTP/1.1 408 ") and b"request_timeout" in answer for answer in answers)


def memory_bytes(process):
    return psutil.Process(process.pid).memory_info().rss


def test_more_clients_than_a_worker_takes_keep_no_probe_out(start, crowd):
    """Each has begun a request; a worker keeps 999 of them, and gives up the oldest for every further one."""
    server = start("--workers", "1").ready()
    clients = crowd(server.port, 1300)
    for client in clients:
        client.sendall(b"GET /livez")
    assert 200 == server.ask("GET", "/livez").status

    server.eventually(lambda: ended(clients) >= 300)
    assert 200 == server.ask("GET", "/livez").status
