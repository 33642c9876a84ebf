"""app.api.bodies: JSON as people write it, forms, and errors that say where and what."""

import json

import pytest

SPEECH = "/v1/audio/speech"
FIELDS = {"input": "Grüße.", "response_format": "wav", "seed": "7", "speed": "1.5", "normalize": "false", "voice": "JOE"}


def error_of(answer):
    assert 400 == answer.status_code, answer.data[:200]
    return answer.json["error"]


@pytest.fixture(scope="module")
def expected(application):
    body = {**FIELDS, "voice": "joe", "seed": 7, "speed": 1.5, "normalize": False}
    return application.test_client().post(SPEECH, json=body).data


def test_numbers_and_booleans_in_quotes_are_taken(client, expected):
    assert expected == client.post(SPEECH, json=FIELDS).data


def test_a_byte_order_mark_before_the_json_is_skipped(client, expected):
    assert expected == client.post(SPEECH, data=b"\xef\xbb\xbf" + json.dumps(FIELDS).encode()).data


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_has_the_fields_of_a_body(client, expected, content_type):
    answer = client.post(SPEECH, data={**FIELDS, "misspelt": "x"}, content_type=content_type)

    assert expected == answer.data
    assert "misspelt" == answer.headers["X-Ignored-Fields"]


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain", "application/json", None])
def test_json_is_taken_whatever_its_type_says(client, expected, content_type):
    assert expected == client.post(SPEECH, data=json.dumps(FIELDS), content_type=content_type).data


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("fields", [
    {"timestamp_granularities[]": ["word", "phoneme"]}, {"timestamp_granularities": ["word", "phoneme"]},
    {"timestamp_granularities": "word,phoneme"}, {"timestamp_granularities": '["word","phoneme"]'},
])  # fmt: skip
def test_a_form_has_lists_and_objects_too(client, content_type, fields):
    form = {"input": "Hi Bob.", "seed": "1", "lexicon": '{"Bob": "Robert"}', **fields}
    body = {"input": "Hi Bob.", "seed": 1, "lexicon": {"Bob": "Robert"}, "timestamp_granularities": ["word", "phoneme"]}

    answer = client.post("/v1/audio/captions", data=form, content_type=content_type)

    assert client.post("/v1/audio/captions", json=body).data == answer.data
    assert 200 == answer.status_code and answer.json["sentences"][0]["phonemes"]


def test_a_form_with_a_file_names_it_as_ignored(client):
    import io

    form = {"input": "Hello.", "sample": (io.BytesIO(b"\xff\xfe"), "voice.wav")}
    answer = client.post(SPEECH, data=form, content_type="multipart/form-data")

    assert (200, "sample") == (answer.status_code, answer.headers["X-Ignored-Fields"])


@pytest.mark.parametrize("body, content_type", [
    (b"input=%FF%FE", "application/x-www-form-urlencoded"),
    (b'--x\r\nContent-Disposition: form-data; name="input"\r\n\r\n\xff\xfe\r\n--x--\r\n', "multipart/form-data; boundary=x"),
])  # fmt: skip
def test_a_form_that_is_not_utf8_is_refused(client, body, content_type):
    assert "UTF-8" in error_of(client.post(SPEECH, data=body, content_type=content_type))["message"]


@pytest.mark.parametrize("body, content_type", [
    (b"voice=joe", "application/x-www-form-urlencoded"),
    (b"no parts", "multipart/form-data; boundary=x"),
    (b"no boundary", "multipart/form-data"),
])  # fmt: skip
def test_a_form_without_a_text_is_refused(client, body, content_type):
    assert "input: is missing" in error_of(client.post(SPEECH, data=body, content_type=content_type))["message"]


def test_a_line_break_within_a_string_is_taken(client):
    assert 200 == client.post(SPEECH, data=b'{"input": "One.\nTwo.\tThree."}').status_code


@pytest.mark.parametrize("body, parts", [
    (b"", ("empty", '{"input": "Hello."}', "`voice` and all other fields are optional")),
    (b" \n", ("empty",)),
    (b'{"input": "Hello.",}', ("line 1, column 20", "a comma before }")),
    (b'{"input": "Hello.",\n "speed": 1,\n}', ("line 3, column 1", "a comma before }")),
    (b'{"input": "Hi", "timestamp_granularities": ["word",]}', ("column 52", "a comma before ]")),
    (b"{'input': 'Hello.'}", ("line 1, column 2", "a single quote")),
    ("{“input”: “Hello.”}".encode(), ("line 1, column 2", "the quote “", "straight")),
    (b'{input: "Hello."}', ("line 1, column 2", "double quotes")),
    (b'{"input": "Hello', ("line 1, column 11", "unterminated string")),
    (b'{"input": "Hello."', ("line 1, column 19",)),
    (b'{"input": "Hello."} {}', ("line 1, column 21", "extra data")),
    (b'{"input": True}', ("line 1, column 11",)),
    (b"Hello.", ("line 1, column 1",)),
    (b"input=Hello", ("looks like a form", "application/x-www-form-urlencoded")),
    (b'{"input": "Hi", "speed": NaN}', ("NaN",)),
    (b'{"input": "Hi", "seed": ' + b"9" * 5000 + b"}", ("too many digits",)),
    (b"[" * 100_000, ("nested too deeply",)),
    (b'["Hello."]', ("is a list",)),
    (b'"Hello."', ("is text",)),
    (b"null", ("is null",)),
    (b"7", ("is a number",)),
    (b"true", ("is true or false",)),
    (b'{"text": "Hello."}', ("input: is missing", "a field `text`", "name it `input`")),
    (b'{"Input": "Hello."}', ("a field `Input`",)),
    (b'{"voice": "joe"}', ("input: is missing; send the text",)),
])  # fmt: skip
def test_an_error_says_where_and_what(client, body, parts):
    message = error_of(client.post(SPEECH, data=body, content_type="application/json"))["message"]

    assert all(part in message for part in parts), message
    assert 10 < len(message) < 300
