"""Behind a real nginx with the configuration of ops/nginx: streams, dead workers, cache, limits and odd clients."""

import http.client
import itertools
import json
import operator
import random
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import openai
import pytest

from app.api.auth import hash_key
from app.tuning.server import connection_to
from ops.benchmarks.clients import slow_senders
from tests.support.harness import Answer
from tests.support.nginx import Edge, Origin, needs_nginx

pytestmark = needs_nginx
OPENSSL = shutil.which("openssl")

PAUSING = "tests.support.pausing_voice:create()"
KEY = "chorus-only-for-tests"
SENTENCE = "The birch canoe slid on the smooth planks. "
LONG = SENTENCE * 24


@pytest.fixture(scope="module")
def pair(write_config):
    """An nginx in front of two workers, shared by tests that change nothing; each test has its own client address."""
    with TemporaryDirectory(prefix="chorus-") as folder:
        edge = Edge(Path(folder)).start()
        origin = Origin(write_config(), path=edge.place.upstream).start().ready()
        yield edge, origin
        edge.stop()
        origin.stop()


@pytest.fixture
def folder():
    with TemporaryDirectory(prefix="chorus-") as folder:
        yield Path(folder)


@pytest.fixture
def start_behind_nginx(write_config, folder):
    """Return a function that starts an nginx in front of a gunicorn for one test."""
    with ExitStack() as stack:

        def start_behind_nginx(*arguments, keys=None, tls=False, **options):
            edge = Edge(folder, tls)
            origin = Origin(write_config(**(keys or {})), arguments, path=edge.place.upstream, **options).start().ready()
            stack.callback(origin.stop)
            stack.callback(edge.start().stop)
            return edge, origin

        yield start_behind_nginx


@pytest.fixture
def nginx_only(folder):
    """An nginx without a server behind it."""
    edge = Edge(folder).start()
    yield edge
    edge.stop()


@pytest.fixture
def address(request, _addresses=itertools.count(1)):
    """A client address that no other test uses."""
    return f"10.0.{next(_addresses)}.1"


def stream(connection, text=LONG, **fields):
    """Request a stream and return the response, whose head has been read."""
    body = {"input": text, "response_format": "mp3", "stream": True, **fields}
    connection.request("POST", "/v1/audio/speech", json.dumps(body))
    return connection.getresponse()


def is_openai_error(answer, code):
    error = answer.json()["error"]
    return {"message", "type", "param", "code"} == set(error) and code == error["code"]


def error_text(answer):
    """Return the text of an error, after checking that it has the format of the server on that path."""
    if answer.headers["Content-Type"].startswith("text/plain"):
        assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
        assert answer.body.endswith(b"\n") and 1 == answer.body.count(b"\n")
        return answer.body.decode()
    document = answer.json()
    assert ("application/json", {"error"}, str) == (answer.headers["Content-Type"], set(document), type(document["error"]))
    return document["error"]


def test_a_stream_arrives_while_the_rest_is_being_made(start_behind_nginx, tmp_path):
    """The voice pauses until the test has read two windows, which together are smaller than a buffer of nginx."""
    go_on = tmp_path / "go-on"
    edge, origin = start_behind_nginx(PAUSING, keys={"speech": {"parallel": False}}, environment={"CHORUS_GO_ON": str(go_on)})
    connection = edge.connection(timeout_s=30)
    response = stream(connection, stream_format="sse")

    heard = [next(line for line in response if line.startswith(b"data:")) for _ in range(2)]
    was_done = "speech.done" in origin.log()
    go_on.touch()
    rest = response.read()
    connection.close()

    assert 200 == response.status
    assert all(b"speech.audio.delta" in line for line in heard)
    assert not was_done and b"speech.audio.done" in rest


def test_a_slow_reader_of_a_whole_answer_occupies_no_worker(start_behind_nginx):
    edge, origin = start_behind_nginx("--workers", "1")
    reader = socket.create_connection(("127.0.0.1", edge.port))
    body = json.dumps({"input": LONG, "response_format": "wav", "sample_rate": 48000}).encode()
    reader.sendall(b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    origin.eventually(lambda: "speech.done" in origin.log())
    origin.check()  # the worker has no connection left, although the client has read nothing

    reader.close()


def test_no_request_is_lost_when_two_hundred_workers_are_killed(start_behind_nginx, tiny_release):
    """The next worker is killed only after every request that ran at the last kill is answered: one retry each."""
    edge, origin = start_behind_nginx(keys={"voices": [{"name": "tiny", "model_path": str(tiny_release)}]}, expected_deaths=200)
    texts = [f"Number {number} is still here." for number in range(4)]
    wanted = [edge.speak(text, seed=1).body for text in texts]
    heard = [0] * len(texts)
    wrong, is_over = [], threading.Event()

    def keep_asking(client):
        while not is_over.is_set():
            try:
                # From many addresses, because of the rate limit of one client.
                answer = edge.speak(texts[client], address=f"10.{client}.{heard[client] // 250}.{heard[client] % 250}", seed=1)
                if answer.body != wanted[client]:
                    wrong.append((answer.status, answer.body[:200]))
            except Exception as error:
                wrong.append(error)
            heard[client] += 1

    with ThreadPoolExecutor(len(texts)) as pool:
        try:
            list(map(partial(pool.submit, keep_asking), range(len(texts))))
            for _ in range(200):
                enough = [count + 2 for count in heard]
                random.choice(origin.workers()).kill()
                origin.eventually(lambda enough=enough: all(map(operator.le, enough, heard)) or wrong)
                origin.eventually(lambda: len(origin.workers()) == 2)
        finally:
            is_over.set()

    assert not wrong, wrong[:3]
    assert _tried_twice(edge) > 20


def _tried_twice(edge):
    return sum("," in line["upstream_status"] for line in edge.access())


def test_a_stream_whose_worker_is_killed_is_truncated(start_behind_nginx, tmp_path):
    environment = {"CHORUS_GO_ON": str(tmp_path / "never")}
    edge, origin = start_behind_nginx(PAUSING, keys={"speech": {"parallel": False}}, environment=environment, expected_deaths=2)
    connection = edge.connection()
    response = stream(connection)
    begun = response.read1(64)

    for worker in origin.workers():
        worker.kill()
    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    origin.eventually(lambda: len(origin.workers()) == 2)

    assert 200 == response.status
    assert begun


def test_a_truncated_answer_is_not_cached(start_behind_nginx):
    """nginx is stopped until a worker has started to send its answer, and resumed when that worker is dead."""
    edge, origin = start_behind_nginx("--workers", "1", expected_deaths=1)
    path = f"/api/tts?text={quote(LONG)}"
    connection = edge.connection()
    connection.request("GET", path)
    origin.eventually(lambda: _has_a_request(origin))
    for worker in edge.workers():
        worker.suspend()
    origin.eventually(lambda: "speech.done" in origin.log())
    (victim,) = origin.workers()
    # If it were killed before its first write, nginx would retry with another worker.
    origin.eventually(lambda: _is_blocked(victim))
    victim.kill()
    origin.eventually(lambda: victim not in origin.workers())
    for worker in edge.workers():
        worker.resume()
    response = connection.getresponse()

    with pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()
    again = edge.ask("GET", path)

    assert 200 == response.status
    assert "MISS" == again.headers["X-Cache"]
    assert len(again.body) == int(again.headers["Content-Length"])


def _is_blocked(worker):
    """Whether every thread of a process sleeps: one that has filled the socket's buffer does."""
    stats = [Path(f"/proc/{worker.pid}/task/{thread.id}/stat").read_text() for thread in worker.threads()]
    return all(stat.rpartition(") ")[2].startswith("S") for stat in stats)


def _has_a_request(origin):
    return any(worker.cpu_times().user > 0.3 for worker in origin.workers())


def test_a_repeated_get_is_answered_from_the_cache(pair, address):
    edge, _ = pair
    path = "/api/tts?text=Once+is+enough."

    first, second = (edge.ask("GET", path, None, {"X-Request-ID": each}, address) for each in ("first", "second"))

    assert ("MISS", "HIT") == (first.headers["X-Cache"], second.headers["X-Cache"])
    assert first.body == second.body
    assert ("first", "second") == (first.headers["X-Request-ID"], second.headers["X-Request-ID"])


def test_simultaneous_requests_for_the_same_text_are_synthesized_once(pair):
    edge, origin = pair
    spoken = origin.log().count("speech.done")

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(edge.ask, "GET", "/process?INPUT_TEXT=All+together.", address=f"10.9.9.{n}") for n in range(8)]
        answers = [each.result() for each in asked]

    assert 1 == len({answer.body for answer in answers})
    assert spoken + 1 == origin.log().count("speech.done")


@contextmanager
def revisions(edge, alive, speaking):
    """Listen in place of the server: `/livez` is answered by a worker of one revision, and speech by one of another.

    Yields the list of the speech requests so far; a revision of None ends the connection.
    """
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        edge.place.upstream.unlink(missing_ok=True)
        listener.bind(str(edge.place.upstream))
        listener.listen()

        def serve():
            while True:
                client, _ = listener.accept()
                with client:
                    request = client.recv(65536)
                    if not request:
                        return
                    is_speech = b"/livez" not in request
                    if is_speech:
                        heard.append(request)
                    revision = speaking if is_speech else alive
                    if revision is not None:
                        head = f"HTTP/1.1 200 OK\r\nX-Revision: {revision}\r\nContent-Length: {len(revision)}\r\n\r\n"
                        client.sendall(head.encode() + revision.encode())

        with ThreadPoolExecutor(1) as pool:
            pool.submit(serve)
            try:
                yield heard
            finally:
                with closing(connection_to(edge.place.upstream, 60)) as bye:
                    bye.connect()


def ask_until(edge, path, is_so, within_s=20):
    """Repeat a request until its answer is as wanted: nginx asks for the revision at most once a second."""
    ends_s, addresses = time.monotonic() + within_s, itertools.count(1)
    while not is_so(answer := edge.ask("GET", path, address="10.60.{}.{}".format(*divmod(next(addresses) % 62_500, 250)))):
        assert time.monotonic() < ends_s, (answer.status, answer.headers, answer.body[:100])
    return answer


def test_after_a_swap_the_audio_of_the_old_revision_is_not_served(nginx_only):
    path = "/api/tts?text=Swap."
    with revisions(nginx_only, "aaa111", "aaa111"):
        stored = [ask_until(nginx_only, path, lambda answer: answer.headers["X-Cache"] == "HIT").body for _ in range(2)]
    with revisions(nginx_only, "bbb222", "bbb222"):
        after = ask_until(nginx_only, path, lambda answer: answer.body != b"aaa111")
        again = ask_until(nginx_only, path, lambda answer: answer.headers["X-Cache"] == "HIT")
    with revisions(nginx_only, "aaa111", "bbb222"):
        rolled_back = ask_until(nginx_only, path, lambda answer: answer.body != b"bbb222")

    assert [b"aaa111", b"aaa111"] == stored
    assert (b"bbb222", b"bbb222") == (after.body, again.body)
    assert (b"aaa111", "HIT") == (rolled_back.body, rolled_back.headers["X-Cache"])


def test_an_answer_of_another_revision_than_that_of_its_key_is_not_stored(nginx_only):
    """As during a rollout, in which workers of both revisions answer."""
    with revisions(nginx_only, "aaa111", "bbb222") as heard:
        answers = [nginx_only.ask("GET", "/api/tts?text=Mixed.") for _ in range(3)]

    assert [b"bbb222"] * 3 == [answer.body for answer in answers]
    assert (3, ["MISS"] * 3) == (len(heard), [answer.headers["X-Cache"] for answer in answers])


@pytest.mark.parametrize("alive", [None, ""])
def test_without_a_revision_speech_is_answered_and_not_stored(nginx_only, alive):
    with revisions(nginx_only, alive, "aaa111") as heard:
        answers = [nginx_only.ask("GET", "/api/tts?text=Unknown.") for _ in range(2)]

    assert [(200, b"aaa111")] * 2 == [(answer.status, answer.body) for answer in answers]
    assert 2 == len(heard)


def test_the_endpoint_of_the_revision_is_not_for_clients(pair, address):
    edge, _ = pair

    assert 404 == edge.ask("GET", "/chorus-revision", address=address).status


#: Requests that must not be answered with the cached first answer, and must not replace it.
OTHERS = {
    "another text": ("?text=Quite+another+text.", {}, None),
    "a name that only nginx takes for the same": ("?TEXT=Hello+there.&text=Quite+another+text.", {}, None),
    "an encoded name": ("?te%78t=Quite+another+text.&text=Hello+there.", {}, None),
    "a text in a header": ("?text=Hello+there.", {"Text": "Quite another text."}, None),
    "another speaker": ("?text=Hello+there.", {"Speaker-Id": "none"}, None),
    "a key": ("?text=Hello+there.", {"Authorization": f"Bearer {KEY}"}, None),
    "a key of 0": ("?text=Hello+there.", {"X-Api-Key": "0"}, None),
    "a body": ("?text=Hello+there.", {}, b"text=Quite+another+text."),
}


@pytest.mark.parametrize("path, parameter", [("/api/tts", "text"), ("/process", "INPUT_TEXT")])
@pytest.mark.parametrize("other", OTHERS)
def test_cache_keys_distinguish_requests(pair, path, parameter, other):
    edge, origin = pair
    query, headers, body = OTHERS[other]
    query, body = query.replace("text=", f"{parameter}="), body and body.replace(b"text=", parameter.encode() + b"=")
    plain = f"{path}?{parameter}=Hello+there."
    here = f"10.20.{len(other)}.{len(path)}"
    first = edge.ask("GET", plain, address=here)
    spoken = origin.log().count("event=speech.done")

    answer = edge.ask("GET", path + query, body, headers, here)
    again = edge.ask("GET", plain, address=here)

    assert "HIT" != answer.headers["X-Cache"]
    assert spoken + 1 == origin.log().count("event=speech.done")
    assert first.body == again.body


def test_duplicate_headers_do_not_reach_the_server(pair):
    """nginx uses the first of two headers of a name in the cache key; gunicorn would join both: a wrong answer in the cache."""
    edge, origin = pair
    before = len(origin.log())

    twice = b"Text: \r\nText: poison\r\n"
    raw(edge, b"GET /api/tts?text=Two+of+a+kind. HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b\r\n" % twice)

    assert [len("Two of a kind.")] == [int(chars) for chars in re.findall(r"chars=(\d+)", origin.log()[before:])]


def test_posts_and_errors_are_not_cached(pair, address):
    edge, _ = pair

    posted = [edge.ask("POST", "/api/tts?text=Posted.", b"", address=address) for _ in range(2)]
    refused = [edge.ask("GET", "/api/tts?text=", address=address) for _ in range(2)]

    assert posted[0].body != posted[1].body
    assert [400, 400] == [answer.status for answer in refused]
    assert "HIT" not in [answer.headers.get("X-Cache") for answer in (*posted, *refused)]


def test_with_api_keys_requests_without_one_get_nothing_from_the_cache(start_behind_nginx):
    edge, _ = start_behind_nginx(keys={"api_keys": {"sha256": [hash_key(KEY)]}})
    path, key = "/api/tts?text=For+who+has+a+key.", {"Authorization": f"Bearer {KEY}"}

    answers = [edge.ask("GET", path, headers=headers) for headers in (key, key, {}, {"X-Api-Key": "0"}, key)]

    assert [200, 200, 401, 401, 200] == [answer.status for answer in answers]
    # The revision is there, and no audio.
    assert [] == [stored for stored in edge.cache.rglob("*/*/*") if b"\nKEY: chorus-revision\n" not in stored.read_bytes()]


def test_a_body_above_the_limit_is_refused_by_nginx(pair, address):
    edge, origin = pair
    most = edge.ask("POST", "/v1/audio/speech", b"x" * 262144, address=address)
    logged = origin.log()

    answer = edge.ask("POST", "/v1/audio/speech", b"x" * 262145, address=address)

    assert 400 == most.status
    assert 413 == answer.status
    assert is_openai_error(answer, "body_too_large")
    assert "262144" in answer.json()["error"]["message"]
    assert logged == origin.log()


def test_the_longest_accepted_request_line_passes_and_a_longer_one_is_refused_in_json(pair):
    edge, _ = pair
    line = b"GET /api/nothing?text=%b HTTP/1.1"
    room = 8190 - len(line) + len(b"%b")

    passed, refused = (
        raw(edge, line % (b"x" * length) + b"\r\nHost: a\r\nConnection: close\r\n\r\n") for length in (room, room + 1)
    )

    assert passed.startswith(b"HTTP/1.1 404 ") and b"nothing is at" in passed
    assert refused.startswith(b"HTTP/1.1 414 ") and b'{"error": "the request line is over 8190 bytes' in refused


def test_clients_above_the_rate_limit_get_retry_after_and_openais_client_retries(pair):
    """Threads send as fast as they can until the client has been refused."""
    edge, _ = pair
    refused, is_over = [], threading.Event()

    def flood():
        while not is_over.is_set():
            answer = edge.ask("POST", "/v1/audio/speech", b"{}", {"Authorization": f"Bearer {KEY}"})
            if answer.status == 429:
                refused.append(answer)

    def was_refused():
        return "429" in [line["status"] for line in edge.access() if line["request_id"] == "patient"]

    client = openai.OpenAI(
        base_url=f"http://127.0.0.1:{edge.port}/v1", api_key=KEY, max_retries=20, default_headers={"X-Request-ID": "patient"}
    )
    with ThreadPoolExecutor(5) as pool, client:
        for _ in range(4):
            pool.submit(flood)
        pair[1].eventually(lambda: refused)
        speech = pool.submit(
            lambda: client.audio.speech.create(model="tts-1", voice="alloy", input="Patience.", response_format="wav").content
        )
        try:
            pair[1].eventually(lambda: was_refused() or speech.done())
        finally:
            is_over.set()
        assert speech.result().startswith(b"RIFF")

    assert was_refused()
    assert is_openai_error(refused[0], "rate_limit_exceeded")
    assert ("1", "true") == (refused[0].headers["Retry-After"], refused[0].headers["x-should-retry"])


def test_a_new_key_for_every_request_does_not_evade_the_limit(pair):
    edge, _ = pair

    statuses = [
        edge.ask("POST", "/v1/audio/speech", b"{}", {"Authorization": f"Bearer {number}"}, "10.30.0.1").status
        for number in range(400)
    ]

    assert {400, 429} == set(statuses)


@pytest.mark.parametrize("addresses, passed", [(1, 16), (256, 512)])
def test_too_many_concurrent_requests_of_one_client_or_of_all_are_refused(nginx_only, addresses, passed):
    """Each client sends its head and half of its body and gets no response yet, except the one above the limit."""
    head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nX-Test-Address: 10.40.0.%d\r\nContent-Length: 9\r\n\r\nhalf"
    with ExitStack() as stack:
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(passed + 1)]
        for number, client in enumerate(clients):
            client.connect(str(nginx_only.place.socket))
            client.sendall(head % (number % addresses))
        (refused,), _, _ = select.select(clients, [], [], 60)
        response = stack.enter_context(http.client.HTTPResponse(refused))
        response.begin()
        answer = Answer(response.status, dict(response.getheaders()), response.read())

    assert 503 == answer.status
    assert is_openai_error(answer, "overloaded")
    assert ("1", "true") == (answer.headers["Retry-After"], answer.headers["x-should-retry"])


def test_without_a_server_the_error_is_json(nginx_only):
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(nginx_only.place.upstream))
    answer = nginx_only.speak("Is anybody there?")

    assert 502 == answer.status
    assert is_openai_error(answer, "server_unavailable")
    assert "2" == answer.headers["Retry-After"]


#: Paths of the dialects other than OpenAI's.
OTHER_PATHS = ("/api/tts?text=Hello.", "/api/other", "/process?INPUT_TEXT=Hello.", "/process", "/voices", "/version?")


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_nginx_refuses_in_the_format_of_the_dialect(nginx_only, path):
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(nginx_only.place.upstream))
    no_server = nginx_only.ask("GET", path)
    too_large = nginx_only.ask("POST", path, b"x" * 262145)

    assert (502, "2", "true") == (no_server.status, no_server.headers["Retry-After"], no_server.headers["x-should-retry"])
    assert error_text(no_server).startswith("no server answers")
    assert 413 == too_large.status
    assert "262144" in error_text(too_large)


@pytest.mark.parametrize("path", OTHER_PATHS)
def test_errors_of_nginx_and_of_the_server_have_the_same_format(pair, address, path):
    edge, origin = pair

    answer = origin.ask("DELETE", path)
    refused = edge.ask("POST", path, b"x" * 262145, address=address)

    assert answer.status in (404, 405) and 413 == refused.status
    assert answer.headers["Content-Type"] == refused.headers["Content-Type"]
    assert error_text(answer) != error_text(refused)


def test_a_path_that_only_starts_with_the_path_of_a_dialect_gets_an_openai_error(nginx_only):
    for path in ("/processes", "/process/more", "/v1/api/tts", "/apis"):
        answer = nginx_only.ask("POST", path, b"x" * 262145)

        assert is_openai_error(answer, "body_too_large")


@pytest.mark.parametrize("path", ["/metrics", "/status", "/status/", "//status", "/%73tatus", "/./status", "/v1/../status"])
def test_operators_paths_are_for_private_addresses(pair, path):
    edge, _ = pair

    public = edge.ask("GET", path, address="203.0.113.5")
    private = edge.ask("GET", path, address="10.1.2.3")

    assert 403 == public.status
    assert is_openai_error(public, "forbidden")
    assert 403 != private.status


def test_nginx_passes_client_address_arrival_time_and_request_id(nginx_only):
    with upstream(nginx_only, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as heard:
        spoofed = {"X-Forwarded-For": "8.8.8.8", "X-Request-Start": "t=1.000", "X-Request-ID": "mine"}
        answer = nginx_only.ask("POST", "/v1/audio/speech", b"{}", spoofed, "192.0.2.7")
        bad_id = nginx_only.ask("POST", "/v1/audio/speech", b"{}", {"X-Request-ID": "not an id"})

    assert b"\r\nX-Forwarded-For: 192.0.2.7\r\n" in heard[0]
    assert re.search(rb"\r\nX-Request-Start: t=\d{10}\.\d{3}\r\n", heard[0])
    assert b"\r\nX-Request-ID: mine\r\n" in heard[0]
    assert "mine" == answer.headers["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", bad_id.headers["X-Request-ID"])
    assert b"8.8.8.8" not in heard[0] and b"t=1.000" not in heard[0]


def test_a_request_whose_worker_ends_is_retried_once_and_the_client_is_asked_not_to_retry(nginx_only):
    with upstream(nginx_only, b"") as heard:
        answer = nginx_only.speak("Twice at the most.")
        coqui = nginx_only.ask("GET", "/api/tts?text=Twice.")

    # Two more ask for the revision of the cache.
    assert (4, 502) == (sum(b"/livez" not in request for request in heard), answer.status)
    assert is_openai_error(answer, "workers_ended")
    assert "false" == answer.headers["x-should-retry"] == coqui.headers["x-should-retry"]
    assert "Retry-After" not in {**answer.headers, **coqui.headers}
    assert error_text(coqui).startswith("two workers ended")


def test_a_503_of_the_server_is_passed_on(nginx_only):
    with upstream(nginx_only, b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n") as heard:
        answer = nginx_only.speak("Not now.")

    assert (1, 503, "7") == (len(heard), answer.status, answer.headers["Retry-After"])


def test_a_request_that_kills_its_workers_kills_two(start_behind_nginx, tmp_path):
    """With a client that retries whenever it may."""
    poison = tmp_path / "poison"
    environment = {"CHORUS_POISON": str(poison)}
    edge, origin = start_behind_nginx("tests.support.dying_voice:create()", environment=environment, expected_deaths=2)
    poison.touch()
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{edge.port}/v1", api_key="none", max_retries=5)
    with client, pytest.raises(openai.InternalServerError, match="do not send it again"):
        client.audio.speech.create(model="tts-1", voice="alloy", input="Poison.")
    poison.unlink()
    origin.eventually(lambda: origin.log().count("ending=killed") == 2 and len(origin.workers()) == 2)

    assert 200 == edge.speak("Everybody else is served.").status


def test_the_access_log_has_no_text(pair, address):
    edge, _ = pair
    edge.ask("GET", "/api/tts?text=Confidential.", address=address)

    log = (edge.folder / "access.log").read_text()

    assert '"GET /api/tts"' in log
    assert "onfidential" not in log


def test_no_log_contains_the_text_of_a_request_that_failed(nginx_only):
    """nginx quotes the request line in its errors about a dead worker, a missing server and exceeded limits."""
    path = "/api/tts?text=Confidential."
    with upstream(nginx_only, b""):
        statuses = [nginx_only.ask("GET", f"{path}&number={number}").status for number in range(40)]
    nginx_only.ask("GET", path)
    nginx_only.ask("POST", path, b"x" * 262145)
    raw(nginx_only, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % (path.encode() + b"x" * 9000))
    raw(nginx_only, b"GET %b HTTP/1.1\r\nHost: a\r\nBad header\r\n\r\n" % path.encode())

    assert {502, 429} == set(statuses)
    assert not [log.name for log in nginx_only.folder.glob("*.log") if b"onfidential" in log.read_bytes()]


@pytest.mark.skipif(OPENSSL is None, reason="there is no openssl to make a certificate with")
def test_the_example_of_https_works(write_config, folder):
    (folder / "tls").mkdir()
    certificate, key = folder / "tls" / "fullchain.pem", folder / "tls" / "privkey.pem"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=tts.example.org", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    edge = Edge(folder, tls=True).start()
    origin = Origin(write_config(), path=edge.place.upstream).start().ready()
    context = ssl.create_default_context(cafile=certificate)

    with closing(http.client.HTTPSConnection("localhost", edge.place.tls_port, timeout=60, context=context)) as connection:
        audio = stream(connection, "Nobody else hears this.").read()
    edge.stop()
    origin.stop()

    assert len(audio) > 8000


def test_clients_are_served_while_two_hundred_others_send_byte_by_byte(pair):
    edge, _ = pair

    with slow_senders(edge.place.socket), ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: edge.speak(f"Number {number}.", address=f"10.51.0.{number}"), range(40)))

    assert [200] * 40 == [answer.status for answer in answers]


def test_a_request_sent_byte_by_byte_is_answered_like_one_sent_at_once(pair):
    edge, _ = pair
    body = json.dumps({"input": "Piece by piece.", "response_format": "wav", "seed": 3}).encode()
    head = b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    request = head % len(body) + body

    answers = [raw(edge, request, pieces).partition(b"\r\n\r\n")[2] for pieces in (1, 7, len(request))]

    assert answers[0].startswith(b"RIFF")
    assert answers[0] == answers[1] == answers[2]


#: Requests whose end two parsers might find at different places. `smuggled` is the possible second request.
SMUGGLED = b"GET /v1/smuggled HTTP/1.1\r\nHost: abcd\r\n\r\n"
assert 41 == len(SMUGGLED)
ODD = {
    "both lengths": (400, b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "two lengths": (400, b"Content-Length: 0\r\nContent-Length: 41\r\n\r\n" + SMUGGLED),
    "a list of lengths": (400, b"Content-Length: 0, 41\r\n\r\n" + SMUGGLED),
    "a signed length": (400, b"Content-Length: +0\r\n\r\n" + SMUGGLED),
    "a length in hexadecimal": (400, b"Content-Length: 0x29\r\n\r\n" + SMUGGLED),
    "a space before the colon": (400, b"Content-Length : 41\r\n\r\n" + SMUGGLED),
    "an unknown coding": (501, b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED),
    "a coding twice": (400, b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "a coding in vertical space": (501, b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED),
    "a folded header": (400, b"X-Folded: a\r\n Content-Length: 41\r\n\r\n" + SMUGGLED),
    "a chunk without a number": (400, b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n" + SMUGGLED),
    "a chunk of a negative length": (400, b"Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n" + SMUGGLED),
    "a chunk longer than its size": (400, b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "bare line feeds in chunks": (404, b"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n" + SMUGGLED),
    "a chunk with an extension": (404, b"Transfer-Encoding: chunked\r\n\r\n1;a=\"\r\nx\r\n0\r\n\r\n" + SMUGGLED),
    "a bare line feed in a header": (404, b"X-A: b\nContent-Length: 41\r\n\r\n" + SMUGGLED),
    "a bare carriage return in a header": (400, b"X-A: b\rContent-Length: 41\r\n\r\n" + SMUGGLED),
    "a NUL in a header": (400, b"X-A: b\0c\r\n\r\n" + SMUGGLED),
    "a second host": (400, b"Host: b\r\n\r\n" + SMUGGLED),
    "an upgrade": (404, b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n" + SMUGGLED),
}


@pytest.mark.parametrize("odd", ODD)
def test_nginx_and_the_server_see_the_same_requests(pair, odd):
    """A request that nginx refuses does not reach the server; one that it passes is one request, not two."""
    edge, origin = pair
    (status, rest), before, seen = ODD[odd], len(origin.log()), len(edge.access())
    name = odd.replace(" ", "-").replace("'", "")

    raw(edge, b"POST /v1/odd-%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b" % (name.encode(), rest))

    # Lines of earlier requests that end only now may be between them.
    (line,) = origin.eventually(lambda: [line for line in edge.access()[seen:] if re.search("odd-|smuggled", line["request"])])
    heard = re.findall(r"event=request.refused request_id=(\S+)", origin.log()[before:])
    assert heard == ([] if line["upstream_status"] == "-" else [line["request_id"]])
    assert str(status) == line["status"]


@contextmanager
def upstream(edge, reply):
    """Listen in place of the server; send every client this reply and collect the requests, heads and bodies."""
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(edge.place.upstream))
        listener.listen()

        def serve():
            while True:
                client, _ = listener.accept()
                with client:
                    request = client.recv(65536)
                    if not request:
                        return
                    heard.append(request)
                    client.sendall(reply)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(serve)
            yield heard
            with closing(connection_to(edge.place.upstream, 60)) as bye:
                bye.connect()


def raw(edge, request, pieces=1):
    """Send bytes unchanged, in this number of pieces, and return the response until nginx closes the connection."""
    with socket.create_connection(("127.0.0.1", edge.port), timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        size = -(-len(request) // pieces)
        for start in range(0, len(request), size):
            client.sendall(request[start : start + size])
        return b"".join(iter(partial(client.recv, 65536), b""))
