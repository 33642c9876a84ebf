"""app.api.coqui: what Coqui's own page sends, and paths."""

import pytest


def ask(client, **parameters):
    return client.get("/api/tts", query_string={"text": "Hello.", **parameters})


@pytest.mark.parametrize("weights", ['{"0": 0.1}', '{"0": 0.1, "3": -1}', "{}"])
def test_weights_of_style_tokens_are_named_as_ignored(client, weights):
    answer = ask(client, style_wav=weights, speaker_id="", language_id="")

    assert (200, "style_wav") == (answer.status_code, answer.headers["X-Ignored-Fields"])


@pytest.mark.parametrize("name, value", [
    ("style_wav", "/etc/passwd"), ("style_wav", "style.wav"), ("style_wav", '"style.wav"'), ("style_wav", '{"0": "/etc/passwd"}'),
    ("style_wav", '["/etc/passwd"]'), ("style_wav", "[" * 3000), ("speaker_wav", "/etc/passwd"), ("speaker_wav", '{"0": 0.1}'),
])  # fmt: skip
def test_what_may_name_a_file_is_refused(client, name, value):
    answer = ask(client, **{name: value})

    assert 400 == answer.status_code and name in answer.json["error"]


def test_speakers_are_found_in_any_case(client):
    assert 200 == ask(client, speaker_id="").status_code
