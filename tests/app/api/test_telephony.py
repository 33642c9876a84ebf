"""app.api.telephony: what jambonz and Vapi send is spoken in the form that they play."""

import pytest

MP3 = (b"ID3", b"\xff\xfb", b"\xff\xf3")


def test_jambonz_gets_a_whole_mp3(client):
    answer = client.post(
        "/telephony/jambonz", json={"language": "en-US", "voice": "joe", "type": "text", "text": "Hello <b> there."}
    )

    assert (200, "audio/mpeg") == (answer.status_code, answer.mimetype), answer.data
    assert answer.data.startswith(MP3) and len(answer.data) == int(answer.headers["Content-Length"])


def test_jambonz_sends_ssml_without_another_sign(client):
    def spoken(kind):
        body = {"language": "en-US", "voice": "joe", "type": kind, "text": "<speak>Hi.<break time='2s'/></speak>"}
        return client.post("/telephony/jambonz", json=body)

    assert len(spoken("ssml").data) > 16_000
    assert 200 == spoken("text").status_code


@pytest.mark.parametrize(("voice", "language", "ignored"), [
    ("joe", "en-US", None), ("joe", "de-DE", "language"), ("choir#Ada", "fr-FR", None), (None, "fr", None),
    ("choir", "en-GB", None),
])  # fmt: skip
def test_a_language_that_the_voice_does_not_speak_has_no_effect(client, voice, language, ignored):
    answer = client.post("/telephony/jambonz", json={"language": language, "voice": voice, "type": "text", "text": "Hello."})

    assert 200 == answer.status_code, answer.data
    assert ignored == answer.headers.get("X-Ignored-Fields")


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
def test_vapi_gets_bare_pcm_of_its_rate(client, rate_hz):
    body = {"message": {"type": "voice-request", "text": "Hello there.", "sampleRate": rate_hz, "timestamp": 1, "call": {}}}
    answer = client.post("/telephony/vapi?voice=joe&speed=1.0", json=body)

    assert (200, "audio/pcm", str(rate_hz)) == (answer.status_code, answer.mimetype, answer.headers["X-Sample-Rate"])
    assert 0.3 < len(answer.data) / 2 / rate_hz < 3


def test_vapis_voice_is_in_the_url(client):
    body = {"message": {"type": "voice-request", "text": "Hello there.", "sampleRate": 8000}}

    assert 200 == client.post("/telephony/vapi?voice=choir%23Ada", json=body).status_code
    refused = client.post("/telephony/vapi?voice=nobody", json=body)
    assert (400, "voice_not_found") == (refused.status_code, refused.json["error"]["code"])


@pytest.mark.parametrize(("path", "body", "parameter"), [
    ("/telephony/jambonz", {"voice": "joe", "language": "en-US"}, "text"),
    ("/telephony/jambonz", {"text": "Hi.", "type": "markdown"}, "type"),
    ("/telephony/vapi", {"text": "Hi."}, "message"),
    ("/telephony/vapi", {"message": "Hi."}, "message"),
    ("/telephony/vapi", {"message": {"text": "Hi.", "sampleRate": 96_000}}, "sampleRate"),
    ("/telephony/vapi", {"message": {"sampleRate": 8_000}}, "text"),
])  # fmt: skip
def test_other_bodies_are_refused_with_the_field(client, path, body, parameter):
    answer = client.post(path, json=body)

    assert (400, parameter) == (answer.status_code, answer.json["error"]["param"])
