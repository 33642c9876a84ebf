"""Bytes that are not valid HTTP/1.1 requests: each gets a 4xx in the dialect of its path, and its content appears nowhere.

Every case contains private data: a text, a key. None of it may be in the log, in /status or in /metrics.
"""

import json
import re
import socket

import pytest

from tests.support.harness import Server

TEXT, KEY = b"xyzzy-my-PIN-1234", b"plugh-key-5678"
SECRET = re.compile(rb"xyzzy|plugh")
PATHS = (b"/livez", b"/v1/audio/speech", b"/api/tts", b"/process", b"/metrics")
H = b"Host: x\r\n"
#: The head of a chunked request, and of one that is complete after its head.
CHUNKED = H + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def line(template):
    """Return a complete request with this request line; PATH is replaced."""
    return template + b"\r\n" + H + b"X-Api-Key: " + KEY + b"\r\n\r\n"


def headed(*headers):
    return b"POST PATH HTTP/1.1\r\n" + H + b"".join(each + b"\r\n" for each in headers) + b"\r\n"


def chunks(body):
    return b"POST PATH HTTP/1.1\r\n" + CHUNKED + body


MALFORMED = {
    # Request lines.
    "UTF-8 in the query": line("GET PATH?text=Grüße-".encode() + TEXT + b" HTTP/1.1"),
    "UTF-8 in the path": line("GET PATH;Grüße-".encode() + TEXT + b" HTTP/1.1"),
    "Latin-1 in the query": line("GET PATH?text=Grüße-".encode("latin-1") + TEXT + b" HTTP/1.1"),
    "a raw space": line(b"GET PATH?text=a " + TEXT + b" HTTP/1.1"),
    "a tab instead of a space": line(b"GET\tPATH?text=" + TEXT + b"\tHTTP/1.1"),
    "two spaces": line(b"GET  PATH?text=" + TEXT + b" HTTP/1.1"),
    "no version": line(b"GET PATH?text=" + TEXT),
    "HTTP/0.9": b"GET PATH?text=" + TEXT + b"\r\n",
    "HTTP/2.0": line(b"GET PATH?text=" + TEXT + b" HTTP/2.0"),
    "HTTP/1": line(b"GET PATH?text=" + TEXT + b" HTTP/1"),
    "HTTP/1.10": line(b"GET PATH?text=" + TEXT + b" HTTP/1.10"),
    "a version in small letters": line(b"GET PATH?text=" + TEXT + b" http/1.1"),
    "another protocol": line(b"GET PATH?text=" + TEXT + b" RTSP/1.0"),
    "a method in small letters": line(b"get PATH?text=" + TEXT + b" HTTP/1.1"),
    "a method of a letter": line(b"G PATH?text=" + TEXT + b" HTTP/1.1"),
    "a method of a kilobyte": line(b"G" * 1024 + b" PATH?text=" + TEXT + b" HTTP/1.1"),
    "a method with a quote": line(b'G"T PATH?text=' + TEXT + b" HTTP/1.1"),
    "no method": line(b" PATH?text=" + TEXT + b" HTTP/1.1"),
    "only a method": line(b"GET"),
    "an empty line first": b"\r\n\r\n" + line(b"GET PATH?text=" + TEXT + b" HTTP/1.1"),
    "a line that is no path": line(b"GET " + TEXT + b" HTTP/1.1"),
    "a URL that cannot be split": line(b"GET http://[" + TEXT + b"PATH HTTP/1.1"),
    "a NUL in the line": line(b"GET PATH?text=\0" + TEXT + b" HTTP/1.1"),
    "a bare LF in the line": b"GET PATH?text=" + TEXT + b" HTTP/1.1\n" + H + b"\r\n",
    "line feeds only": b"GET PATH?text=" + TEXT + b" HTTP/1.1\nHost: x\n\n",
    "carriage returns only": b"GET PATH?text=" + TEXT + b" HTTP/1.1\rHost: x\r\r",
    "a line of 9 kB": line(b"GET PATH?text=" + TEXT * 550 + b" HTTP/1.1"),
    "a line of 100 kB without an end": b"GET PATH?text=" + TEXT * 6000,
    "a line that is not the end": b"GET PATH?text=" + TEXT,
    # Other protocols.
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + TEXT,
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + TEXT,
    "a line of the PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n" + line(b"GET PATH?text=" + TEXT + b" HTTP/1.1"),
    "a header of the PROXY protocol": b"\r\n\r\n\0\r\nQUIT\n!\x11\0\x0c" + bytes(12) + TEXT,
    "SSH": b"SSH-2.0-" + TEXT + b"\r\n",
    "SMTP": b"EHLO " + TEXT + b"\r\n",
    "Redis": b"*1\r\n$17\r\n" + TEXT + b"\r\n",
    "noise": bytes(range(256)) + TEXT,
    "noise without controls": bytes(range(128, 256)) + TEXT + b"\r\n",
    # Headers.
    "a header without a colon": headed(b"Authorization Bearer " + KEY),
    "a header without a name": headed(b": " + KEY),
    "a space before the colon": headed(b"Authorization : Bearer " + KEY),
    "a name with a space": headed(b"X Api Key: " + KEY),
    "a name that is not ASCII": headed("X-Schlüssel: ".encode() + KEY),
    "a folded header": headed(b"Authorization: Bearer", b" " + KEY),
    "a NUL in a header": headed(b"X-Api-Key: \0" + KEY),
    "an escape sequence in a header": headed(b"X-Api-Key: \x1b[31m" + KEY),
    "a bare CR in a header": headed(b"X-Api-Key: a\rX-B: " + KEY),
    "a bare LF in a header": headed(b"X-Api-Key: a\nX-B: " + KEY),
    "a header of 9 kB": headed(b"X-Api-Key: " + KEY * 700),
    "101 headers": headed(*(b"X-%d: %b" % (number, KEY) for number in range(101))),
    "headers of 50 kB": headed(*(b"X-%d: %b" % (number, KEY * 400) for number in range(9))),
    "two hosts": headed(b"Host: " + TEXT),
    "two types": headed(b"Content-Type: text/" + TEXT, b"Content-Type: a/b"),
    "an unknown expectation": headed(b"Expect: " + TEXT),
    "a head that is not the end": b"POST PATH HTTP/1.1\r\n" + H + b"X-Api-Key: " + KEY,
    # Lengths and codings.
    "two lengths": headed(b"Content-Length: 5", b"Content-Length: 6", b"X-Api-Key: " + KEY) + TEXT,
    "the same length twice": headed(b"Content-Length: 17", b"Content-Length: 17") + TEXT,
    "a list of lengths": headed(b"Content-Length: 17, 17") + TEXT,
    "a negative length": headed(b"Content-Length: -17") + TEXT,
    "a length with a sign": headed(b"Content-Length: +17") + TEXT,
    "a length in hexadecimal": headed(b"Content-Length: 0x11") + TEXT,
    "a length of another script": headed("Content-Length: \u00b2".encode("latin-1")) + TEXT,
    "a length of 5,000 digits": headed(b"Content-Length: " + b"9" * 5000) + TEXT,
    "a length that is a text": headed(b"Content-Length: " + TEXT),
    "a length and a coding": headed(b"Content-Length: 17", b"Transfer-Encoding: chunked") + b"11\r\n" + TEXT + b"\r\n0\r\n\r\n",
    "a coding twice": headed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked") + b"11\r\n" + TEXT + b"\r\n0\r\n\r\n",
    "an unknown coding": headed(b"Transfer-Encoding: " + TEXT),
    "a coding after chunked": headed(b"Transfer-Encoding: chunked, gzip") + TEXT + b"\r\n0\r\n\r\n",
    "only identity": headed(b"Transfer-Encoding: identity") + TEXT,
    "chunks in HTTP/1.0": b"POST PATH HTTP/1.0\r\n" + CHUNKED + b"11\r\n" + TEXT + b"\r\n0\r\n\r\n",
    # Chunks.
    "a size that is a text": chunks(b"my " + TEXT + b"\r\nhello\r\n0\r\n\r\n"),
    "a size without digits": chunks(b"\r\n" + TEXT + b"\r\n0\r\n\r\n"),
    "a negative size": chunks(b"-5\r\n" + TEXT + b"\r\n0\r\n\r\n"),
    "a size with a prefix": chunks(b"0xe\r\n" + TEXT + b"\r\n0\r\n\r\n"),
    "a size with an underscore": chunks(b"1_0\r\n" + TEXT + b"\r\n0\r\n\r\n"),
    "a size that never ends": chunks(b"1" * 9000 + TEXT),
    "an extension that never ends": chunks(b"5;" + TEXT * 1000),
    "an extension that cannot be read": chunks(b"5;=" + TEXT + b"\r\nhello\r\n0\r\n\r\n"),
    "a bare LF after a size": chunks(b"11\n" + TEXT + b"\n0\n\n"),
    "a chunk that is too long": chunks(b"5\r\n" + TEXT + b"\r\n0\r\n\r\n"),
    "a chunk without its CRLF": chunks(b"11\r\n" + TEXT + b"0\r\n\r\n"),
    "a trailer that cannot be read": chunks(b"11\r\n" + TEXT + b"\r\n0\r\nX Key " + KEY + b"\r\n\r\n"),
    "a trailer with a key": chunks(b"11\r\n" + TEXT + b"\r\n0\r\nAuthorization: Bearer " + KEY + b"\r\n\r\n"),
    "a folded trailer": chunks(b"11\r\n" + TEXT + b"\r\n0\r\nX-Key: a\r\n " + KEY + b"\r\n\r\n"),
    "a bare LF in a trailer": chunks(b"11\r\n" + TEXT + b"\r\n0\r\nX-Key: " + KEY + b"\n\n"),
    "trailers of 50 kB": chunks(b"11\r\n" + TEXT + b"\r\n0\r\n" + (b"X-Key: " + KEY * 400 + b"\r\n") * 9),
    "a body that is not whole": chunks(b"11\r\n" + TEXT[:5]),
    "a declared body that is not whole": headed(b"Content-Length: 100") + TEXT,
}  # fmt: skip
#: Cases whose head names one of the server's paths.
LINES_WITHOUT_PATH = re.compile(rb"(?:\r\n)?[A-Z]{1,20} (?:https?://[^/ ]*)?PATH")


@pytest.fixture(scope="module", params=[False, True], ids=["open", "keys"])
def own_server(request, write_config):
    """Two workers with gunicorn's most verbose log level; with an API key they require one that no client here has."""
    keys = {"api_keys": {"sha256": ["0" * 64]}} if request.param else {}
    running = Server(write_config(**keys), ("--workers", "2", "--log-level", "debug")).start().ready()
    yield running
    running.stop()


def exchange(server, sent):
    """Send exactly these bytes; return the whole response."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read()


def client_errors(server):
    """Return the number of responses with 4xx."""
    answers = server.ask("GET", "/status").json()["totals"]["answers"].values()
    return sum(number for counts in answers for status, number in counts.items() if status.startswith("4"))


def is_error_of(path, body):
    """Whether an error has the format of that path."""
    if path == b"/api/tts":
        return ["error"] == list(json.loads(body)) and isinstance(json.loads(body)["error"], str)
    if path == b"/process":
        return body.count(b"\n") == 1 and not body.startswith(b"{")
    return {"message", "type", "param", "code"} == set(json.loads(body)["error"])


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_in_its_dialect_and_leaves_no_trace(own_server, name):
    before, workers = client_errors(own_server), {worker.pid for worker in own_server.workers()}
    for path in PATHS:
        answer = exchange(own_server, MALFORMED[name].replace(b"PATH", path))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert re.match(rb"HTTP/1\.1 4\d\d ", head), answer
        request_id = re.search(rb"(?i)\r\nX-Request-ID: (\S+)", head)[1].decode()
        assert is_error_of(path if LINES_WITHOUT_PATH.match(MALFORMED[name]) else b"/v1", body), answer
        assert not SECRET.search(answer), answer
        assert 1 == len(re.findall(rf"event=request.refused .*request_id={request_id}\b", own_server.log()))

    log, shown = own_server.log().encode(), [own_server.ask("GET", path).body for path in ("/status", "/metrics")]
    assert not SECRET.search(log), log
    assert not any(SECRET.search(each) for each in shown)
    assert b"level=ERROR" not in log and b"Traceback" not in log
    assert len(PATHS) == client_errors(own_server) - before
    assert workers == {worker.pid for worker in own_server.workers()}


@pytest.mark.parametrize(
    "name, status",
    [
        ("a line of 9 kB", 414), ("101 headers", 431), ("headers of 50 kB", 431), ("a header of 9 kB", 431),
        ("trailers of 50 kB", 431), ("an unknown expectation", 417), ("two lengths", 400),
    ],
)  # fmt: skip
def test_the_status_names_the_kind_of_error(own_server, name, status):
    answer = exchange(own_server, MALFORMED[name].replace(b"PATH", b"/v1/audio/speech"))

    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


LEGAL = {
    "an empty line before": b"\r\nGET /livez HTTP/1.1\r\n" + H + b"\r\n",
    "HTTP/1.0 without a host": b"GET /livez HTTP/1.0\r\n\r\n",
    "a whole URL": b"GET http://elsewhere/livez HTTP/1.1\r\n" + H + b"\r\n",
    "a chunk's extension": b"POST /v1/audio/speech HTTP/1.1\r\n" + CHUNKED
    + b'11;a="b"\r\n{"input": "Hello"\r\n1 ;c\r\n}\r\n0\r\nX-Sum: 7\r\n\r\n',
    "a body after 100 Continue": headed(b"Content-Length: 18", b"Expect: 100-continue").replace(b"PATH", b"/v1/audio/speech")
    + b'{"input": "Hello"}',
}  # fmt: skip


@pytest.mark.parametrize("name", LEGAL)
def test_unusual_but_valid_requests_are_answered(server, name):
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        for position in range(len(LEGAL[name])):  # one byte at a time, as the network may split it
            client.sendall(LEGAL[name][position : position + 1])
        answer = client.makefile("rb").read()

    assert re.search(rb"HTTP/1\.[01] 200 OK\r\n", answer), answer


def test_100_continue_is_sent_once(server):
    head, body = headed(b"Content-Length: 18", b"Expect: 100-continue"), b'{"input": "Hello"}'
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(head.replace(b"PATH", b"/v1/audio/speech"))
        heard = client.makefile("rb")
        told = [heard.readline(), heard.readline()]
        client.sendall(body)
        assert [b"HTTP/1.1 100 Continue\r\n", b"\r\n"] == told
        assert b"HTTP/1.1 200 OK\r\n" == heard.readline()


def test_each_is_logged_and_counted_for_its_path(own_server):
    before = own_server.ask("GET", "/status").json()["totals"]["answers"]
    exchange(own_server, MALFORMED["two lengths"].replace(b"PATH", b"/api/tts"))
    exchange(own_server, MALFORMED["a TLS hello"])
    after = own_server.ask("GET", "/status").json()["totals"]["answers"]

    assert ["path=/api/tts", "path=other"] == re.findall(r"request.refused .*(path=\S+)", own_server.log())[-2:]
    assert [1, 1] == [after[route]["400"] - before[route]["400"] for route in ("coqui", "other")]


def test_text_in_an_unknown_path_is_not_logged(server):
    assert 404 == server.ask("GET", "/api/tts%3Ftext=xyzzy%20PIN").status

    assert "xyzzy" not in server.log()
