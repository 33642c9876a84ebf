"""Clients that send their requests one byte at a time: they use no thread, so probes and other clients are answered."""

import selectors
import socket
from contextlib import ExitStack

import psutil
import pytest

CLIENTS = 200
HEAD = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"input": "Hello there."}'
#: The first bytes of each client, the byte that it repeats, and the bytes that complete its request.
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
    """Two workers of 28 threads each, far fewer than the 200 clients."""
    return start("--workers", "2", keys={"threads": 4, "admission": {"queue": 8}}).ready()


@pytest.fixture
def crowd():
    """Return a function that connects many clients, which are closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda port, count: [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60)) for _ in range(count)
        ]


def ended(clients):
    """Return how many of the clients were disconnected or answered."""
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        return sum(b"100 Continue" not in key.fileobj.recv(10_000, socket.MSG_PEEK) for key, _ in selector.select(0))


def test_slow_clients_of_every_kind_block_no_probe_and_get_their_answers(few_threads, crowd):
    """If probes had to wait, slow clients would be disconnected, which frees threads, before a probe is answered."""
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


def test_data_of_slow_clients_is_bounded_for_all_together(start, crowd):
    """400 bodies of 200 kB are 80 MB, of which a worker keeps 32; the oldest clients are refused."""
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
    # The rest is in the sockets of the clients, and is gone once they are closed.
    answers = [client.makefile("rb").read() for client in clients[:100]]
    assert all(answer.startswith(b"HTTP/1.1 408 ") and b"request_timeout" in answer for answer in answers)


def memory_bytes(process):
    return psutil.Process(process.pid).memory_info().rss


def test_more_clients_than_a_worker_accepts_block_no_probe(start, crowd):
    """Each has started a request; a worker keeps 999 of them, and disconnects the oldest for each further one."""
    server = start("--workers", "1").ready()
    clients = crowd(server.port, 1300)
    for client in clients:
        client.sendall(b"GET /livez")
    assert 200 == server.ask("GET", "/livez").status

    server.eventually(lambda: ended(clients) >= 300)
    assert 200 == server.ask("GET", "/livez").status
