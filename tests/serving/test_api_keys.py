"""API keys: every dialect requires one if the configuration has any; probes never do."""

import base64

import av
import pytest

from app.api import auth
from app.api.app import BLUEPRINTS
from app.api.auth import generate_key, hash_key
from tests.support.harness import Server

KEYS = [generate_key(), "chosen by hand", generate_key()]
SPOKEN = {
    "/v1/audio/speech": '{"input": "Hello.", "response_format": "wav"}',
    "/api/tts": "text=Hello.",
    "/process": "INPUT_TEXT=Hello.",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LISTINGS = ["/v1/models", "/v1/models/joe", "/v1/audio/models", "/v1/audio/voices", "/locales", "/voices", "/version"]


@pytest.fixture(scope="module")
def locked(write_config):
    """Two workers that require one of three keys for speech; listings are public."""
    running = Server(write_config(api_keys={"sha256": [hash_key(key) for key in KEYS]})).start().ready()
    yield running
    running.stop()


@pytest.mark.parametrize("key", KEYS, ids=["drawn", "by hand", "drawn too"])
@pytest.mark.parametrize("path", SPOKEN)
def test_any_key_is_accepted_in_every_dialect_and_in_either_header(locked, path, key):
    bearer = locked.ask("POST", path, SPOKEN[path], {**FORM, "Authorization": f"Bearer {key}"})
    other = locked.ask("POST", path, SPOKEN[path], {**FORM, "Authorization": "Bearer ", "x-api-key": key})

    assert [200, 200] == [bearer.status, other.status]
    assert b"RIFF" == bearer.body[:4] == other.body[:4]


def password(key, user="any"):
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{key}'.encode()).decode()}"}


@pytest.mark.parametrize("user", ["", "any", "a@b"])
@pytest.mark.parametrize("path", ["/v1/audio/speech?input=Hello.", "/api/tts?text=Hello.", "/process?INPUT_TEXT=Hello."])
def test_a_key_is_accepted_as_the_password_of_any_user(locked, path, user):
    answers = [locked.ask("GET", path, headers=password(key, user)) for key in KEYS]

    assert [200, 200, 200] == [answer.status for answer in answers]


@pytest.mark.parametrize("path", [
    "/v1/audio/speech?input=Hello.", "/v1/audio/explain?input=Hello.", "/api/tts?text=Hello.", "/process?INPUT_TEXT=Hello.",
])  # fmt: skip
def test_the_client_of_a_url_is_asked_for_a_password(locked, path):
    """Players send the password of their URL then; a browser never asks its user because of a request of the page."""
    missing, wrong = locked.ask("GET", path), locked.ask("GET", path, headers=password("wrong"))
    bearer, posted = locked.ask("GET", path, headers={"Authorization": "Bearer wrong"}), locked.ask("POST", path, b"")
    kept = locked.ask("GET", path, headers={"If-None-Match": "*"})

    assert [401] * 5 == [answer.status for answer in (missing, wrong, bearer, posted, kept)]
    assert all(answer.headers["WWW-Authenticate"].startswith('Basic realm="') for answer in (missing, wrong))
    assert ["Bearer", "Bearer"] == [answer.headers["WWW-Authenticate"] for answer in (bearer, posted)]


def test_ffmpeg_sends_the_password_of_its_url(locked):
    url = f"http://any:{KEYS[0]}@127.0.0.1:{locked.port}/api/tts?text=Hello."
    with av.open(url) as heard:
        rate_hz = heard.streams.audio[0].rate
    with pytest.raises(av.error.HTTPUnauthorizedError):
        av.open(url.replace(KEYS[0], "wrong"))

    assert 22050 == rate_hz


@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Bearer "}, {"Authorization": "Bearer wrong"}, {"x-api-key": "wrong"},
    {"Authorization": f"Basic {KEYS[0]}"}, {"Authorization": KEYS[0]}, {"Authorization": f"Bearer {hash_key(KEYS[0])}"},
    {"Authorization": f"Bearer {KEYS[0]}x"}, {"Authorization": f"Bearer {KEYS[0][:-1]}"}, {"x-api-key": "\xff" * 100},
    {"Authorization": "Bearer wrong", "x-api-key": KEYS[0]},
])  # fmt: skip
@pytest.mark.parametrize("path", SPOKEN)
def test_a_missing_or_wrong_key_is_a_401_of_the_dialect(locked, path, headers):
    answer = locked.ask("POST", path, SPOKEN[path], {**FORM, **headers})

    assert (401, "Bearer") == (answer.status, answer.headers["WWW-Authenticate"])
    assert b"key" in answer.body and answer.headers["X-Request-ID"]
    if path == "/v1/audio/speech":
        error = answer.json()["error"]
        assert {"message", "type", "param", "code"} == set(error)
        assert ("invalid_api_key", "invalid_request_error", None) == (error["code"], error["type"], error["param"])


def test_without_a_key_other_errors_of_the_request_are_not_reported(locked):
    assert 401 == locked.ask("POST", "/v1/audio/speech", "not JSON").status
    assert 401 == locked.ask("POST", "/v1/audio/speech", "a" * 200_000).status
    assert 401 == locked.ask("GET", "/api/tts").status


@pytest.mark.parametrize("path", LISTINGS)
def test_listings_are_public_even_with_a_wrong_key(locked, path):
    assert 200 == locked.ask("GET", path).status
    assert 200 == locked.ask("GET", path, headers={"Authorization": "Bearer wrong"}).status


def test_probes_and_unknown_paths_need_no_key(locked):
    assert [200, 200, 404] == [locked.ask("GET", path).status for path in ("/livez", "/readyz", "/v1/nothing")]


def test_no_key_is_ever_logged(locked):
    sent = []
    for key in (*KEYS, "guessed-by-somebody"):
        locked.ask("POST", "/v1/audio/speech", SPOKEN["/v1/audio/speech"], {"Authorization": f"Bearer {key}"})

        locked.ask("GET", "/api/tts?text=Hello.", headers=password(key))
        sent.append(password(key)["Authorization"].removeprefix("Basic "))

    assert not [key for key in (*KEYS, "guessed-by-somebody", *sent) if key in locked.log()]
    assert "code=invalid_api_key" in locked.log()


def test_listings_require_a_key_if_configured(start):
    server = start(keys={"api_keys": {"sha256": [hash_key(KEYS[0])], "public_listings": False}}).ready()
    key = {"Authorization": f"Bearer {KEYS[0]}"}

    assert {401} == {server.ask("GET", path).status for path in LISTINGS}
    assert {200} == {server.ask("GET", path, headers=key).status for path in LISTINGS}
    assert 200 == server.ask("GET", "/livez").status


@pytest.mark.parametrize("headers", [{"Authorization": "Bearer "}, {"Authorization": "Bearer sk-anything"}, {"x-api-key": "x"}])
def test_a_server_without_keys_ignores_them(server, headers):
    assert 200 == server.ask("POST", "/v1/audio/speech", SPOKEN["/v1/audio/speech"], headers).status


def test_vapi_sends_the_key_in_a_header_of_its_own(locked):
    body = {"message": {"type": "voice-request", "text": "Hello.", "sampleRate": 8000}}
    answers = [locked.ask("POST", "/telephony/vapi", body, {"X-Vapi-Secret": key}) for key in (KEYS[0], "wrong")]

    assert [200, 401] == [answer.status for answer in answers]


def test_every_blueprint_with_speech_requires_a_key():
    keyed = {each.name for each in BLUEPRINTS} - {*auth.OPEN, *auth.LISTINGS}
    assert {"openai", "captions", "explain", "coqui", "marytts", "telephony"} == keyed
