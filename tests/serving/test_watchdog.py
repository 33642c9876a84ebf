"""The watchdog of a real server: one log line for a leak, and the leaking worker is replaced without a lost request."""

import re

LEAKING = "tests.support.leaking_voice:create()"


def alerts(server):
    return re.findall(r".*event=memory\.leak_suspected.*", server.log())


def serve(server, most, until=lambda: False):
    """Send requests one after the other; each must be answered."""
    for number in range(most):
        assert 200 == server.speak("Yes.", seed=number).status
        if number % 10 == 0 and until():
            return number
    return most


def test_a_leak_is_logged_in_one_line_and_the_worker_is_replaced_between_requests(start):
    server = start(
        "--workers", "1", LEAKING, keys={"watchdog": {"action": "replace"}},
        environment={"CHORUS_LEAK": "NumpyLeak", "CHORUS_LEAK_BYTES": "65536"},
    ).ready()  # fmt: skip
    (first,) = server.workers()
    serve(server, 800, until=lambda: alerts(server))
    server.eventually(lambda: first not in server.workers() and server.workers())
    serve(server, 10)

    (line,) = alerts(server)
    assert f"pid={first.pid} " in line
    assert "kind=python" in line
    assert re.search(r'lines="ops/benchmarks/faults\.py:\d+', line)
    assert "action=replace" in line
    assert 1 == server.ask("GET", "/status").json()["totals"]["leaks"]["python"]


def test_leaked_descriptors_are_named(start):
    settings = {"watchdog": {"every": 100}}
    server = start("--workers", "1", LEAKING, keys=settings, environment={"CHORUS_LEAK": "DescriptorLeak"}).ready()
    serve(server, 800, until=lambda: alerts(server))

    (line,) = alerts(server)
    assert "kind=descriptors" in line
    assert "ops/benchmarks/faults.py +" in line
    # A tracing window has ended by then, and both signals are shown.
    (worker,) = server.ask("GET", "/status").json()["workers"]
    assert worker["memory"]["traced_bytes"] > 0
    assert "tts_worker_traced_bytes" in server.ask("GET", "/metrics").body.decode()
    # These errors are expected.
    server.remember_descriptors()
