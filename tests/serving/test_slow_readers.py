"""Clients that read slowly do not block others: they wait without a turn, and above a limit some are disconnected."""

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.tuning.server import HOST
from ops.benchmarks.clients import READERS, Readers
from ops.benchmarks.voices import long_text
from tests.support.nginx import Edge, Origin, needs_nginx

TEXTS = [f"The birch canoe slid on the smooth planks, {number} times." for number in range(8)]
#: A request that had to wait for the turn of a slow reader would be refused.
ADMISSION = {"wait_s": 30.0, "queue": 64}
#: More than a slow reader reads in any of these tests.
LONGEST_BYTES = 600_000


def long_speech(number=0, **fields):
    return {"input": long_text(), "response_format": "wav", "stream": True, "seed": number, **fields}


def status(reader):
    """Return the status that a slow reader received; 0 before it arrives."""
    return int(reader.raw[9:12] or 0)


def body(reader):
    """Return the part of the body that a slow reader received, without chunk sizes."""
    head, _, rest = bytes(reader.raw).partition(b"\r\n\r\n")
    if b"transfer-encoding: chunked" not in head.lower():
        return rest
    found = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        found, rest = found + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return found


def beginning(server, fields):
    """Return the first bytes of a body, read at once."""
    with closing(server.connection()) as connection:
        connection.request("POST", "/v1/audio/speech", json.dumps(fields))
        return connection.getresponse().read(LONGEST_BYTES)


def workers(server):
    return server.ask("GET", "/status").json()["workers"]


def parked(server):
    return sum(each["parked"] for each in workers(server))


def metric(server, name):
    """Return the samples of one metric, by their labels."""
    text = server.ask("GET", "/metrics").body.decode()
    return {labels: float(value) for labels, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)}


def is_idle(server):
    return all(each["parked"] == each["active"] == each["waiting"] == 0 for each in workers(server))


def ask_others(ask):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda pair: ask(pair[1], seed=pair[0]), enumerate(TEXTS)))


def check_beside_slow_readers(origin, ask, address):
    """Serve other clients beside slow readers; assert that all get the right bytes, and that nothing is left."""
    right = [answer.body for answer in ask_others(ask)]
    with Readers() as readers:
        slow = [readers.add(address, long_speech(number)) for number in range(READERS)]
        origin.eventually(lambda: parked(origin) == READERS)
        answers = ask_others(ask)
        busy = workers(origin)
    origin.eventually(lambda: is_idle(origin))

    assert [(200, body) for body in right] == [(each.status, each.body) for each in answers]
    assert (0, 0) == (sum(each["active"] for each in busy), sum(each["waiting"] for each in busy))
    assert {200} == {status(each) for each in slow} and not any(each.has_ended for each in slow)
    for number in (0, READERS - 1):
        received = body(slow[number])
        assert received and beginning(origin, long_speech(number)).startswith(received)
    assert {0.0} == set(metric(origin, "tts_answers_cut_total").values())
    origin.eventually(lambda: is_idle(origin))


def test_other_clients_are_served_while_twenty_read_a_stream_slowly(start):
    server = start(keys={"admission": ADMISSION}).ready()

    check_beside_slow_readers(server, server.speak, (HOST, server.port))


@needs_nginx
def test_other_clients_are_served_behind_nginx_too(write_config):
    with TemporaryDirectory(prefix="chorus-") as folder:
        edge = Edge(Path(folder)).start()
        origin = Origin(write_config(admission=ADMISSION), path=edge.place.upstream).start().ready()
        addresses = iter(range(1, 250))
        check_beside_slow_readers(
            origin, lambda text, **fields: edge.speak(text, f"10.9.0.{next(addresses)}", **fields), edge.place.socket
        )
        edge.stop()
        origin.stop()


@pytest.mark.parametrize("how", [{"stream_format": "sse"}, {"stream": False, "input": "A whole answer of some length. " * 12}])
def test_slow_readers_of_events_and_whole_answers_do_not_block_others(start, how):
    server = start(keys={"admission": ADMISSION, "threads": 2}).ready()
    with Readers() as readers:
        for number in range(6):
            readers.add((HOST, server.port), long_speech(number, **how))
        server.eventually(lambda: parked(server) == 6)
        assert {200} == {each.status for each in ask_others(server.speak)}
    server.eventually(lambda: is_idle(server))


def test_above_the_limit_the_slowest_readers_are_disconnected_and_a_real_time_player_is_not(start):
    server = start("--workers", "1", keys={"admission": {**ADMISSION, "wait_s": 60.0, "parked": 4}, "threads": 2}).ready()
    playing = long_speech(99, input="The birch canoe slid on the smooth planks. " * 12)
    right = server.speak(playing["input"], stream=True, seed=99).body
    with Readers() as readers:
        player = readers.add((HOST, server.port), playing, rate_bytes_s=2 * 22_050)
        slow = [readers.add((HOST, server.port), long_speech(number)) for number in range(7)]
        server.eventually(lambda: sum(each.has_ended for each in slow) >= 3)
        server.eventually(lambda: player.has_ended)
        assert {200} == {each.status for each in ask_others(server.speak)}
        cut = [each for each in slow if each.has_ended]
    server.eventually(lambda: is_idle(server))

    assert right == body(player)
    assert not any(each.raw.endswith(b"0\r\n\r\n") for each in cut)
    assert len(cut) == metric(server, "tts_answers_cut_total")['reason="too_slow"']
    logged = re.findall(r"event=answer\.cut .*reason=(\w+)", server.log())
    assert Counter(too_slow=len(cut)) == Counter(logged)
    assert {0.0} == set(metric(server, "tts_answers_parked").values())


def test_a_parked_client_that_disconnects_leaves_nothing_behind(start):
    server = start("--workers", "1", keys={"threads": 2}).ready()
    with Readers() as readers:
        slow = readers.add((HOST, server.port), long_speech())
        server.eventually(lambda: parked(server) == 1)
        readers.remove(slow)
        server.eventually(lambda: is_idle(server))

    assert 1 == server.log().count("event=speech.abandoned")
    assert {0.0} == set(metric(server, "tts_answers_cut_total").values())
