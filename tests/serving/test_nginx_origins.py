"""Pages of other origins behind a real nginx: preflights pass, the cache keeps origins apart, refusals are readable."""

import itertools
import socket
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from app.api.auth import hash_key
from tests.support.nginx import Edge, Origin, needs_nginx

pytestmark = needs_nginx

APP, DEV, OTHER = "https://app.example.com", "http://localhost:5173", "https://other.example.com"
KEY = "chorus-only-for-tests"


@pytest.fixture(scope="module")
def start_pair(write_config):
    """Return a function that starts an nginx in front of two workers that list two origins."""
    with ExitStack() as stack:

        def start(**keys):
            edge = Edge(Path(stack.enter_context(TemporaryDirectory(prefix="chorus-"))))
            origin = Origin(write_config(cors_origins=[APP, DEV], **keys), path=edge.place.upstream).start().ready()
            stack.callback(origin.stop)
            stack.callback(edge.start().stop)
            return edge, origin

        yield start


@pytest.fixture(scope="module")
def pair(start_pair):
    return start_pair()


@pytest.fixture
def ask(pair, _addresses=itertools.count(1)):
    """Return a function that asks nginx from an address that no other test uses, because of the rate limit of one client."""
    edge, _ = pair
    return partial(edge.ask, address=f"10.0.{next(_addresses)}.1", body=None)


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/api/tts", "/process", "/v1/models"])
def test_preflights_pass_nginx(ask, path):
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answers = [ask("OPTIONS", path, headers=headers) for _ in range(2)]

    assert [204, 204] == [answer.status for answer in answers]
    assert [APP, APP] == [answer.headers["Access-Control-Allow-Origin"] for answer in answers]
    assert "HIT" not in [answer.headers.get("X-Cache") for answer in answers]


def test_the_cache_gives_no_page_the_answer_of_another(ask):
    path = "/api/tts?text=Whose+is+it."
    asked = [ask("GET", path, headers=headers) for headers in ({"Origin": APP}, {}, {"Origin": DEV}, {"Origin": OTHER}) * 2]

    assert [APP, None, DEV, None] * 2 == [answer.headers.get("Access-Control-Allow-Origin") for answer in asked]
    assert ["MISS"] * 4 + ["HIT"] * 4 == [answer.headers["X-Cache"] for answer in asked]


@pytest.mark.parametrize("path", ["/api/tts?text=A+part+of+it.", "/process?INPUT_TEXT=A+part+of+it."])
def test_the_cache_has_parts_tags_and_heads(ask, pair, path):
    _, origin = pair
    before = len(origin.log())
    part = ask("GET", path, headers={"Range": "bytes=100-199"})
    whole = ask("GET", path)
    tag = {"If-None-Match": whole.headers["ETag"]}
    again, kept = ask("GET", path, headers={"Range": "bytes=-100"}), ask("GET", path, headers=tag)
    behind = ask("GET", path, headers={"Range": "bytes=99999999-"})
    heads = [ask("HEAD", path) for _ in range(2)]

    assert [206, 200, 206, 304, 416] == [answer.status for answer in (part, whole, again, kept, behind)]
    assert (whole.body[100:200], whole.body[-100:]) == (part.body, again.body)
    assert [(200, b"", "audio/wav")] * 2 == [(head.status, head.body, head.headers["Content-Type"]) for head in heads]
    assert whole.headers["ETag"] == heads[0].headers["ETag"]
    assert 1 == origin.log()[before:].count("event=speech.done")


def test_parts_and_tags_of_speech_pass_nginx(ask, pair):
    _, origin = pair
    path = "/v1/audio/speech?response_format=wav&input=Passed+on."
    whole, part = ask("GET", path), ask("GET", path, headers={"Range": "bytes=100-199"})
    before = len(origin.log())
    kept, head = ask("GET", path, headers={"If-None-Match": whole.headers["ETag"]}), ask("HEAD", path)

    assert [200, 206, 304, 200] == [answer.status for answer in (whole, part, kept, head)]
    assert whole.body[100:200] == part.body and whole.headers["ETag"] == head.headers["ETag"]
    assert "speech" not in origin.log()[before:]


def test_parts_are_cut_for_requests_with_a_key_which_are_not_cached(start_pair):
    edge, origin = start_pair(api_keys={"sha256": [hash_key(KEY)]})
    path, key = "/api/tts?text=With+a+key.", {"Authorization": f"Bearer {KEY}"}
    whole, part = (edge.ask("GET", path, headers={**key, **more}) for more in ({}, {"Range": "bytes=100-199"}))

    assert (200, 206, whole.body[100:200]) == (whole.status, part.status, part.body)
    assert [200, 401] == [edge.ask("GET", path, headers=each).status for each in (key, {})]


def test_a_refusal_of_nginx_is_readable_for_the_origins_of_its_map():
    with TemporaryDirectory(prefix="chorus-") as folder:
        edge = Edge(Path(folder), origin=APP).start()
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(edge.place.upstream))
        refused = [edge.ask("GET", "/v1/models", headers={"Origin": each}) for each in (APP, OTHER)]
        edge.stop()

    assert [502, 502] == [answer.status for answer in refused]
    assert [APP, None] == [answer.headers.get("Access-Control-Allow-Origin") for answer in refused]
    assert "Origin" == refused[0].headers["Vary"] and "Retry-After" in refused[0].headers["Access-Control-Expose-Headers"]
