"""Listings of models and voices, in the formats that OpenAI's client and Open WebUI read."""

import pytest

from app.synthesis.voices import STOCK_MODELS, STOCK_VOICES


@pytest.mark.parametrize("name", ["joe", *STOCK_MODELS])
def test_every_listed_model_can_be_looked_up_and_used(server, name):
    listed = {model["id"]: model for model in server.ask("GET", "/v1/models").json()["data"]}
    found = server.ask("GET", f"/v1/models/{name}")

    assert (200, listed[name]) == (found.status, found.json())
    assert (name, "model", "chorus") == tuple(found.json()[key] for key in ("id", "object", "owned_by"))
    assert found.json()["created"] > 1_700_000_000
    assert 200 == server.speak("Hi.", model=name, voice="alloy").status


@pytest.mark.parametrize("name", ["whisper-1", "joey", "tts_models/en/ljspeech/vits", "..%2F..%2Fetc%2Fpasswd", "%20"])
def test_an_unknown_model_is_a_404_of_openai(server, name):
    answer = server.ask("GET", f"/v1/models/{name}")

    assert 404 == answer.status
    error = answer.json()["error"]
    assert {"message", "type", "param", "code"} == set(error)
    assert ("model_not_found", "model", "invalid_request_error") == (error["code"], error["param"], error["type"])
    assert "joe, tts-1, tts-1-hd, gpt-4o-mini-tts" in error["message"]


def test_open_webui_reads_models_and_voices(server):
    """It reads `id` of models, `id` and `name` of voices, and uses its own lists if it cannot."""
    models = server.ask("GET", "/v1/audio/models").json()
    voices = server.ask("GET", "/v1/audio/voices").json()

    assert {"models": [{"id": name} for name in ("joe", *STOCK_MODELS)]} == models
    assert [("joe", "joe")] == [(voice["id"], voice["name"]) for voice in voices["voices"]]


@pytest.mark.parametrize("query, shape", [("legacy=true", str), ("legacy=True", str), ("legacy=false", dict), ("legacy", dict)])
def test_older_pages_get_the_names_only(server, query, shape):
    (voice,) = server.ask("GET", f"/v1/audio/voices?{query}").json()["voices"]

    assert shape is type(voice)
    assert "joe" == (voice if shape is str else voice["id"])


@pytest.mark.parametrize("voice", STOCK_VOICES)
def test_openais_voices_are_spoken_by_the_configured_voice(server, voice):
    assert server.speak("Hi.", seed=1, voice=voice).body == server.speak("Hi.", seed=1, voice="joe").body
