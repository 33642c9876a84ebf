"""CORS: pages of the listed origins may ask this server and read its answers, errors too; others may not."""

import re
import socket
from pathlib import Path

import pytest

from app.api.auth import hash_key
from app.api.cors import EXPOSED
from tests.support.browser import CHROMIUM, DRIVER
from tests.support.harness import ROOT, Server
from tests.support.other_origin import other_origin

APP, DEV, OTHER = "https://app.example.com", "http://localhost:5173", "https://other.example.com"
KEY = "chorus-only-for-tests"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
SPOKEN = '{"input": "Hello.", "response_format": "wav"}'


@pytest.fixture(scope="module")
def listing(write_config):
    """Two workers with keys, and two origins."""
    keys = {"api_keys": {"sha256": [hash_key(KEY)]}, "cors_origins": [APP, DEV]}
    running = Server(write_config(**keys)).start().ready()
    yield running
    running.stop()


def cors_headers(answer):
    return {name for name in answer.headers if name.startswith("Access-Control-")}


@pytest.mark.parametrize("origin", [APP, DEV])
@pytest.mark.parametrize("path", ["/v1/audio/speech", "/api/tts", "/process", "/v1/models", "/v1/nothing", "/"])
def test_a_preflight_is_answered_without_a_key(listing, path, origin):
    answer = listing.ask("OPTIONS", path, headers={**PREFLIGHT, "Origin": origin})

    assert (204, b"") == (answer.status, answer.body)
    assert origin == answer.headers["Access-Control-Allow-Origin"]
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    assert "authorization,content-type" == answer.headers["Access-Control-Allow-Headers"]
    assert 600 <= int(answer.headers["Access-Control-Max-Age"])
    assert "Origin" in answer.headers["Vary"] and "Access-Control-Request-Headers" in answer.headers["Vary"]


@pytest.mark.parametrize("names", ["", "a b", "é", "x" * 100, "a,,b", "x\ty", ", ".join(["name"] * 70)])
def test_names_that_are_no_headers_are_not_sent_back(listing, names):
    headers = {**PREFLIGHT, "Origin": APP, "Access-Control-Request-Headers": names.encode()}
    answer = listing.ask("OPTIONS", "/v1/audio/speech", headers=headers)

    assert 204 == answer.status
    assert "Access-Control-Allow-Headers" not in answer.headers


@pytest.mark.parametrize("origin", [
    OTHER, "null", "*", "", "https://app.example.com:443", "https://APP.example.com", "http://app.example.com",
    "https://app.example.com.evil.org", "https://evil.org?https://app.example.com", f"{APP}, {DEV}", "x" * 8000,
])  # fmt: skip
def test_an_origin_that_is_not_listed_gets_no_header(listing, origin):
    preflight = listing.ask("OPTIONS", "/v1/audio/speech", headers={**PREFLIGHT, "Origin": origin})
    asked = listing.ask("GET", "/v1/models", headers={"Origin": origin})

    assert [204, 200] == [preflight.status, asked.status]
    assert not cors_headers(preflight) and not cors_headers(asked)
    assert "Origin" in preflight.headers["Vary"] and "Origin" in asked.headers["Vary"]


def test_an_answer_without_an_origin_varies_by_it_too(listing):
    answer = listing.ask("GET", "/v1/models")

    assert not cors_headers(answer) and "Origin" == answer.headers["Vary"]


def test_speech_is_readable_with_its_headers(listing):
    answer = listing.ask("POST", "/v1/audio/speech", SPOKEN, {"Origin": APP, "Authorization": f"Bearer {KEY}"})
    exposed = set(answer.headers["Access-Control-Expose-Headers"].split(", "))

    assert (200, APP) == (answer.status, answer.headers["Access-Control-Allow-Origin"])
    assert {"X-Seed", "X-Sample-Rate", "X-Request-ID", "X-Release", "Retry-After", "ETag"} <= exposed
    assert {name for name in answer.headers if name.startswith("X-")} <= exposed


@pytest.mark.parametrize("method, path, body, headers, status", [
    ("POST", "/v1/audio/speech", "{", {"Authorization": f"Bearer {KEY}"}, 400),
    ("POST", "/v1/audio/speech", SPOKEN, {}, 401),
    ("GET", "/v1/nothing", None, {}, 404),
    ("DELETE", "/v1/models", None, {}, 405),
    ("POST", "/api/tts", "text=" + "a" * 300_000, {"Authorization": f"Bearer {KEY}"}, 413),
    ("POST", "/process", "INPUT_TEXT=a", {"Authorization": f"Bearer {KEY}", "Content-Encoding": "gzip"}, 415),
    ("POST", "/v1/audio/speech", SPOKEN, {"Authorization": f"Bearer {KEY}", "X-Request-Timeout": "0.000001"}, 503),
])  # fmt: skip
def test_errors_are_readable(listing, method, path, body, headers, status):
    answer = listing.ask(method, path, body, {"Origin": DEV, **headers})

    assert (status, DEV) == (answer.status, answer.headers["Access-Control-Allow-Origin"])


@pytest.mark.parametrize("request_, status", [
    (b"POST /v1/audio/speech HTTP/1.1\r\nHost: a\r\nOrigin: %b\r\nContent-Length: x\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nOrigin: %b\r\n\r\n", b"414"),
    (b"POST /api/tts HTTP/1.1\r\nX-Api-Key: " + KEY.encode() + b"\r\nTransfer-Encoding: chunked\r\nOrigin: %b\r\n\r\nzz\r\n",
     b"400"),
])  # fmt: skip
def test_a_request_that_cannot_be_parsed_is_answered_with_the_header(listing, request_, status):
    answers = []
    for origin in (APP, OTHER):
        with socket.create_connection(("127.0.0.1", listing.port), timeout=60) as client:
            client.sendall(request_ % origin.encode())
            answers.append(b"".join(iter(lambda client=client: client.recv(65_536), b"")))

    assert [status, status] == [answer.split(b" ")[1] for answer in answers]
    assert f"\r\nAccess-Control-Allow-Origin: {APP}\r\n".encode() in answers[0]
    assert b"Access-Control" not in answers[1]


def test_a_preflight_is_neither_speech_nor_an_error(listing):
    before = len(listing.log())
    listing.ask("OPTIONS", "/v1/audio/speech", headers={**PREFLIGHT, "Origin": APP})

    assert "" == listing.log()[before:]


def test_an_options_request_that_is_no_preflight_still_needs_the_key(listing):
    assert 401 == listing.ask("OPTIONS", "/v1/audio/speech", headers={"Origin": APP}).status
    assert 401 == listing.ask("OPTIONS", "/v1/audio/speech", headers=PREFLIGHT).status


def test_without_origins_nothing_is_sent(server):
    preflight = server.ask("OPTIONS", "/v1/audio/speech", headers={**PREFLIGHT, "Origin": APP})
    asked = server.ask("POST", "/v1/audio/speech", SPOKEN, {"Origin": APP})

    assert (200, 200) == (preflight.status, asked.status)
    assert not cors_headers(preflight) and not cors_headers(asked)
    assert "Vary" not in asked.headers


def test_every_page_may_ask_a_server_that_is_open_to_all(start):
    server = start(keys={"cors_origins": ["*"]}).ready()
    preflight = server.ask("OPTIONS", "/v1/audio/speech", headers={**PREFLIGHT, "Origin": "null"})
    asked = server.ask("POST", "/v1/audio/speech", SPOKEN, {"Origin": OTHER})

    assert ["*", "*"] == [answer.headers["Access-Control-Allow-Origin"] for answer in (preflight, asked)]
    assert "Vary" not in asked.headers


def test_every_header_of_the_server_is_exposed():
    sources = "".join(path.read_text() for path in sorted((ROOT / "app").rglob("*.py")))
    ours = set(re.findall(r'\.headers\[f?"([\w-]+)"\]', sources)) - {"Cache-Control", "Content-Length"}

    assert {"X-Seed", "X-Request-ID"} <= ours
    assert {name for name in ours if not name.startswith(("Access-Control-", "X-Accel-"))} <= set(EXPOSED)


#: Resolves to what the page could read of an answer, or to the name of the error.
FETCH = """
  const [url, key, done] = arguments;
  fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${key}` },
    body: JSON.stringify({ input: "Hello.", response_format: "wav", seed: 7 }),
  }).then(async (answer) => {
    const size = (await answer.arrayBuffer()).byteLength;
    done({ status: answer.status, size, seed: answer.headers.get("X-Seed"), rate: answer.headers.get("X-Sample-Rate") });
  }, (error) => done(error.name));
"""


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed")
def test_a_page_of_another_origin_can_fetch_speech_only_if_it_is_listed(chromium, start, tmp_path: Path):
    from tests.support.browser import close_tab, open_tab

    api_keys = {"sha256": [hash_key(KEY)]}
    with other_origin() as origin:
        listed = start(keys={"api_keys": api_keys, "cors_origins": [origin]}).ready()
        closed = start(keys={"api_keys": api_keys}).ready()
        tab = open_tab(chromium, tmp_path / "downloads")
        tab.open(f"{origin}/")
        heard, refused, blocked = (
            tab.driver.execute_async_script(FETCH, f"http://127.0.0.1:{each.port}/v1/audio/speech", key)
            for each, key in ((listed, KEY), (listed, "wrong"), (closed, KEY))
        )
        close_tab(chromium)

    assert (200, "7", "22050") == (heard["status"], heard["seed"], heard["rate"]) and heard["size"] > 10_000
    assert (401, None) == (refused["status"], refused["seed"])
    assert "TypeError" == blocked
