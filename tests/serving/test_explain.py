"""`/v1/audio/explain`: what is read for each word, by GET and POST, with the errors and the policy of speech."""

import json
from urllib.parse import urlencode

import pytest

from app.api.auth import hash_key
from tests.support.harness import Server

CHOIR = ("joe", "choir")
TEXT = "The 2 SQL servers cost $1.50 — “oui”."


def asked(server, **fields):
    return server.ask("GET", "/v1/audio/explain?" + urlencode(fields))


def words(answer):
    return [word for sentence in answer.json()["sentences"] for word in sentence["words"]]


def test_a_text_is_explained_word_by_word(server):
    answer = asked(server, input=TEXT)
    document = answer.json()
    (sentence,) = document["sentences"]

    assert (200, "application/json", "no-cache") == (answer.status, *map(answer.headers.get, ("Content-Type", "Cache-Control")))
    assert ("joe", "en-us", TEXT) == (document["voice"], document["language"], sentence["written"])
    assert "The two SQL servers cost one dollar fifty, “oui”." == sentence["normalized"].replace("S Q L", "SQL")
    assert TEXT.split() == " ".join(word["written"] for word in sentence["words"]).split()
    assert {"voice", "normalization"} == {word["source"] for word in sentence["words"]}
    assert all(TEXT[word["start"] : word["stop"]] == word["written"] for word in sentence["words"])
    assert all(isinstance(number, int) for word in sentence["words"] for number in word["ids"])


def test_get_and_post_have_the_same_answer(server):
    fields = {"input": TEXT, "voice": "joe", "language": "en", "normalize": False, "speed": 2}
    query = {**fields, "normalize": "false"}

    assert asked(server, **query).json() == server.ask("POST", "/v1/audio/explain", fields).json()
    assert {"voice"} == {word["source"] for word in words(asked(server, **query))}


def test_the_lexicon_of_a_request_is_named_in_a_query_too(server):
    fields = {"input": "SQL by Nguyen.", "lexicon": {"SQL": "sequel", "Nguyen": "/wɪn/"}}
    answer = asked(server, **{**fields, "lexicon": json.dumps(fields["lexicon"])})

    assert answer.json() == server.ask("POST", "/v1/audio/explain", fields).json()
    assert [("SQL", "sˈiːkwəl", "lexicon"), ("by", "baɪ", "voice"), ("Nguyen.", "wɪn.", "lexicon")] == [
        (word["written"], word["phonemes"], word["source"]) for word in words(answer)
    ]
    assert (400, "invalid_value") == ((wrong := asked(server, input="a", lexicon="{")).status, wrong.json()["error"]["code"])


def test_phonemes_that_the_voice_does_not_have_are_refused(server):
    answer = server.ask("POST", "/v1/audio/explain", {"input": "A term.", "lexicon": {"term": "/ꞎa/"}})

    assert (400, "unknown_phonemes", "lexicon") == (answer.status, *map(answer.json()["error"].get, ("code", "param")))


def test_a_text_without_a_sound_is_explained(server):
    assert [("---", "", [])] == [(word["written"], word["spoken"], word["ids"]) for word in words(asked(server, input="---"))]


@pytest.mark.parametrize(
    ("fields", "status", "code", "parameter"),
    [
        ({}, 400, "invalid_value", "input"), ({"input": " "}, 400, "invalid_value", "input"),
        ({"input": "a", "voice": "nobody"}, 400, "voice_not_found", "voice"),
        ({"input": "a", "language": "xx"}, 400, "language_not_found", "language"),
        ({"input": "a", "normalize": "perhaps"}, 400, "invalid_value", "normalize"),
        ({"input": "a", "speed": "9"}, 400, "invalid_value", "speed"),
        ({"input": "\x07"}, 400, "invalid_value", "input"),
        ({"input": b"\xff"}, 400, "invalid_value", "input"),
    ],
    ids=["missing", "blank", "voice", "language", "normalize", "speed", "control", "encoding"],
)  # fmt: skip
def test_a_mistake_has_the_error_of_speech(server, fields, status, code, parameter):
    answer = asked(server, **fields)

    error = answer.json()["error"]
    assert (status, code, parameter) == (answer.status, error["code"], error["param"]), error


def test_a_number_as_text_is_text(server):
    assert "one hundred twenty-three" == words(asked(server, input="123"))[0]["spoken"]


def test_a_long_text_is_refused(server):
    answer = server.ask("POST", "/v1/audio/explain", {"input": "a " * 10_001})

    assert (413, "string_above_max_length") == (answer.status, answer.json()["error"]["code"])


def test_head_and_other_methods_are_refused(server):
    assert 405 == server.ask("HEAD", "/v1/audio/explain?input=a").status
    put = server.ask("PUT", "/v1/audio/explain")
    assert (405, "GET, POST") == (put.status, put.headers["Allow"])


def test_ignored_fields_are_named(server):
    assert "txt" == asked(server, input="a", txt="b").headers["X-Ignored-Fields"]


def test_the_languages_of_a_voice_have_their_own_normalization(choir):
    french, english = (words(asked(choir, input="2", voice="choir", language=language))[0] for language in ("fr", "en"))

    assert ("deux", "two") == (french["spoken"], english["spoken"])
    assert "deux" == french["phonemes"]  # the voice reads letters


def test_it_needs_a_key_is_counted_and_its_text_is_not_logged(write_config):
    server = Server(write_config(api_keys={"sha256": [hash_key("a key")]})).start().ready()
    refused = asked(server, input="Wednesday")
    answer = server.ask("GET", "/v1/audio/explain?input=Wednesday", headers={"Authorization": "Bearer a key"})
    metrics = server.ask("GET", "/metrics").body.decode()
    log = server.log()
    server.stop()

    assert (401, 200) == (refused.status, answer.status)
    assert 'tts_requests_total{code="200",route="explain"} 1.0' in metrics
    assert "event=explanation.done" in log and "chars=9" in log
    assert "Wednesday" not in log
