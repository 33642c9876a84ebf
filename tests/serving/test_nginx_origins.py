"""Pages of other origins behind a real nginx: preflights pass, the cache keeps origins apart, refusals are readable."""

import socket
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.nginx import Edge, Origin, needs_nginx

pytestmark = needs_nginx

APP, DEV, OTHER = "https://app.example.com", "http://localhost:5173", "https://other.example.com"


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


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/api/tts", "/process", "/v1/models"])
def test_preflights_pass_nginx(pair, path):
    edge, _ = pair
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    answers = [edge.ask("OPTIONS", path, headers=headers) for _ in range(2)]

    assert [204, 204] == [answer.status for answer in answers]
    assert [APP, APP] == [answer.headers["Access-Control-Allow-Origin"] for answer in answers]
    assert "HIT" not in [answer.headers.get("X-Cache") for answer in answers]


def test_the_cache_gives_no_page_the_answer_of_another(pair):
    edge, _ = pair
    path = "/api/tts?text=Whose+is+it."
    asked = [edge.ask("GET", path, headers=headers) for headers in ({"Origin": APP}, {}, {"Origin": DEV}, {"Origin": OTHER}) * 2]

    assert [APP, None, DEV, None] * 2 == [answer.headers.get("Access-Control-Allow-Origin") for answer in asked]
    assert ["MISS"] * 4 + ["HIT"] * 4 == [answer.headers["X-Cache"] for answer in asked]


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
