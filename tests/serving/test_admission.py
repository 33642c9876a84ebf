"""More requests than the workers can serve: some wait, the others get Retry-After, and probes are answered."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 12


@pytest.fixture
def small(start):
    """Two workers with two places each, and a queue of two."""
    server = start("--workers", "2", keys={"admission": {"queue": 2, "wait_s": 60.0}, "threads": 2}).ready()
    # The server is ready with the first ready worker, which alone would refuse some of these requests.
    server.eventually(lambda: ["ready"] * 2 == [each["state"] for each in server.ask("GET", "/status").json()["workers"]])
    return server


@pytest.fixture
def one_worker(start):
    """One worker with two places, and a queue of two: no other worker has a free place."""
    return start("--workers", "1", keys={"admission": {"queue": 2, "wait_s": 60.0}, "threads": 2}).ready()


def active_requests(server):
    return sum(worker["active"] for worker in server.ask("GET", "/status").json()["workers"])


def test_queued_requests_are_served_and_one_more_gets_retry_after(one_worker):
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(one_worker.speak, LONG, seed=seed) for seed in range(4)]
        one_worker.eventually(lambda: active_requests(one_worker) == 4)
        refused = one_worker.speak("One more.")
        probes = [one_worker.ask("GET", path).status for path in ("/livez", "/readyz", "/status")]
        statuses = {each.result().status for each in waiting}

    assert {200} == statuses
    assert [200, 200, 200] == probes
    assert (503, "overloaded", "true") == (
        refused.status, refused.json()["error"]["code"], refused.headers["x-should-retry"],
    )  # fmt: skip
    assert 1 <= int(refused.headers["Retry-After"]) <= 120
    assert 1 == one_worker.ask("GET", "/status").json()["totals"]["refusals"]["queue_full"]


def test_a_request_whose_timeout_passes_in_the_queue_is_refused(one_worker):
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(one_worker.speak, LONG, seed=seed) for seed in range(2)]
        one_worker.eventually(lambda: active_requests(one_worker) == 2)
        late = one_worker.ask(
            "POST", "/v1/audio/speech", {"input": "Too late.", "response_format": "wav"}, {"X-Request-Timeout": "0.01"}
        )
        assert {200} == {each.result().status for each in waiting}

    assert (503, "waited_too_long") == (late.status, late.json()["error"]["code"])
    assert 2 == one_worker.log().count("event=speech.done")


def test_a_request_whose_timeout_passed_in_nginx_is_refused(small):
    came = {"X-Request-Timeout": "2", "X-Request-Start": f"t={time.time() - 5.0:.3f}"}
    late = small.ask("POST", "/v1/audio/speech", {"input": "Too late."}, came)

    assert (503, "waited_too_long") == (late.status, late.json()["error"]["code"])
    assert "event=speech" not in small.log()


@pytest.mark.parametrize("off_s", [-31.0, 31.0, 3600.0])
def test_no_request_is_refused_if_the_clock_of_the_proxy_is_wrong(server, off_s):
    def distrusted():
        return server.ask("GET", "/status").json()["totals"]["distrusted_starts"]

    before = distrusted()
    answer = server.ask(
        "POST", "/v1/audio/speech", {"input": "In time."}, {"X-Request-Start": f"t={time.time() - off_s:.3f}"}
    )

    assert 200 == answer.status
    assert 1 == distrusted() - before
    assert b"tts_distrusted_request_starts_total" in server.ask("GET", "/metrics").body


def test_a_whole_answer_stops_at_the_deadline_of_its_client(small):
    late = small.ask(
        "POST", "/v1/audio/speech", {"input": LONG * 4, "response_format": "wav"}, {"X-Request-Timeout": "0.3"}
    )

    assert (503, "deadline_exceeded") == (late.status, late.json()["error"]["code"])
    assert "event=speech.abandoned" in small.log()


def test_an_invalid_timeout_is_refused(server):
    refused = server.ask("POST", "/v1/audio/speech", {"input": "Hello."}, {"X-Request-Timeout": "soon"})

    assert (400, "X-Request-Timeout") == (refused.status, refused.json()["error"]["param"])


def test_silent_clients_use_no_place(small):
    silent = [socket.create_connection(("127.0.0.1", small.port)) for _ in range(60)]
    try:
        assert 200 == small.speak("Hello.").status
        assert 200 == small.ask("GET", "/livez").status
        # With a thread for each silent client no thread would be left for the others.
        assert max(worker.num_threads() for worker in small.workers()) < 15
    finally:
        for each in silent:
            each.close()


def test_clients_that_keep_answered_connections_open_do_not_block_others(small):
    answered = [socket.create_connection(("127.0.0.1", small.port), timeout=30) for _ in range(100)]
    try:
        for each in answered:
            each.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        for each in answered:
            assert each.recv(1000).startswith(b"HTTP/1.1 200 OK")
        # Draining them for two seconds each would time out here.
        assert 200 == small.ask("GET", "/livez").status
    finally:
        for each in answered:
            each.close()


def test_requests_go_to_the_worker_with_the_fewest(small):
    with ThreadPoolExecutor(4) as pool:
        waiting = []
        for seed in range(4):
            waiting.append(pool.submit(small.speak, LONG, seed=seed))
            small.eventually(lambda: active_requests(small) == len(waiting))
        spread = [worker["active"] for worker in small.ask("GET", "/status").json()["workers"]]
        assert {200} == {each.result().status for each in waiting}

    # On a busy machine an idle worker may accept one of them too late, so an exact balance is not required.
    assert 4 == sum(spread) and min(spread) >= 1
