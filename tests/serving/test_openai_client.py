"""OpenAI's own Python client: its requests are understood, and it understands the responses."""

import asyncio
import base64
import json

import openai
import pytest

from app.api.auth import generate_key, hash_key
from app.synthesis.voices import STOCK_MODELS
from tests.serving.test_devices import start_on, torch_artifact  # noqa: F401  fixtures

TEXT = "Good morning to all of you."
LONG = "A sentence that is long enough to be decoded in several windows, one after the other. " * 6
MAGIC = {
    "mp3": ("audio/mpeg", (b"ID3", b"\xff\xfb", b"\xff\xf3")),
    "opus": ("audio/ogg", (b"OggS",)),
    "aac": ("audio/aac", (b"\xff\xf1", b"\xff\xf9")),
    "flac": ("audio/flac", (b"fLaC",)),
    "wav": ("audio/wav", (b"RIFF",)),
    "pcm": ("audio/pcm;rate=24000;channels=1", (b"",)),
}


def client_of(server, **options):
    """Return the client with default settings; the caller closes it."""
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", **{"api_key": "sk-none", "max_retries": 0, **options})


@pytest.fixture
def client(server):
    with client_of(server) as client:
        yield client


def log_lines(server, request_id):
    """Return the server's log lines of one request."""
    return [line for line in server.log().splitlines() if f"request_id={request_id}" in line]


def test_the_first_example_of_the_guide_saves_an_mp3(client, tmp_path):
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input="Today is a wonderful day!", instructions="Speak in a cheerful tone.",
    ) as response:  # fmt: skip
        response.stream_to_file(tmp_path / "speech.mp3")

    assert (tmp_path / "speech.mp3").read_bytes().startswith(MAGIC["mp3"][1])


@pytest.mark.parametrize("audio_format", MAGIC)
def test_every_format_has_its_content_type_and_content(client, audio_format):
    content_type, starts = MAGIC[audio_format]
    answer = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format=audio_format)

    assert content_type == answer.response.headers["content-type"]
    assert answer.content.startswith(starts) and len(answer.content) > 2_000


def test_defaults_are_mp3_and_the_voices_own_speed(client):
    plain = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, extra_body={"seed": 3})
    said = client.audio.speech.create(
        model="tts-1", voice="alloy", input=TEXT, response_format="mp3", speed=1.0, extra_body={"seed": 3}
    )

    assert plain.content == said.content


def test_a_stream_starts_before_the_speech_ends(server, client):
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=LONG * 4, response_format="pcm"
    ) as response:
        pieces = response.iter_bytes(4096)
        first = next(pieces)
        under_way = [line for line in log_lines(server, response.headers["x-request-id"]) if "event=speech.done" in line]
        rest = b"".join(pieces)

    assert 4096 == len(first) and len(rest) > 40 * 24_000
    assert not under_way


def test_events_contain_the_audio_and_the_usage(client):
    fields = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": TEXT, "response_format": "pcm", "extra_body": {"seed": 8}}
    with client.audio.speech.with_streaming_response.create(stream_format="sse", **fields) as response:
        content_type = response.headers["content-type"]
        events = [json.loads(line.removeprefix("data: ")) for line in response.iter_lines() if line]
    *deltas, done = events

    assert content_type.startswith("text/event-stream")
    assert {"speech.audio.delta"} == {event["type"] for event in deltas} and "speech.audio.done" == done["type"]
    assert client.audio.speech.create(**fields).content == b"".join(base64.b64decode(event["audio"]) for event in deltas)
    usage = done["usage"]
    assert 0 < usage["input_tokens"] and usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_fields_of_chorus_are_accepted_in_extra_body(client):
    def said(**fields):
        return client.audio.speech.create(
            model="tts-1", voice={"id": "joe"}, input=TEXT, response_format="wav", extra_body={"seed": 7, **fields}
        ).content

    plain = said()
    assert plain == said(speaker=None, language="en", model="joe")
    assert len(said(speed=2.0)) < 0.8 * len(plain) and plain != said(seed=8)
    assert b"\x80>\x00\x00" == said(sample_rate=16_000)[24:28]


def test_the_speed_changes_the_length(client):
    slow, plain, fast = (
        len(client.audio.speech.create(
            model="tts-1", voice="alloy", input=TEXT, speed=speed, response_format="pcm", extra_body={"seed": 1}).content)
        for speed in (0.5, 1.0, 2.0)
    )  # fmt: skip

    assert 1.6 < slow / plain < 2.2 and 0.45 < fast / plain < 0.75


@pytest.mark.parametrize(
    "fields, code, parameter",
    [
        ({"input": " "}, "invalid_value", "input"),
        ({"input": "<speak>Hi"}, "invalid_markup", "input"),
        ({"voice": "nobody"}, "voice_not_found", "voice"),
        ({"response_format": "wma"}, "unsupported_format", "response_format"),
        ({"speed": 9.0}, "invalid_value", "speed"),
        ({"stream_format": "telepathy"}, "invalid_value", "stream_format"),
        ({"extra_body": {"seed": -2}}, "invalid_value", "seed"),
    ],
)
def test_invalid_fields_are_a_bad_request_error_with_code_and_parameter(server, client, fields, code, parameter):
    with pytest.raises(openai.BadRequestError) as caught:
        client.audio.speech.create(**{"model": "tts-1", "voice": "alloy", "input": TEXT, **fields})
    error = caught.value

    assert (code, parameter, "invalid_request_error") == (error.code, error.param, error.type)
    assert len(error.body["message"]) > 10 and error.body["message"] in error.message
    assert any("event=request.refused" in line for line in log_lines(server, error.request_id))


def test_a_text_above_the_limit_is_an_error_with_its_code(client):
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input="word " * 5_000)

    assert (413, "string_above_max_length", "input") == (caught.value.status_code, caught.value.code, caught.value.param)


def test_models_are_listed_and_looked_up(client):
    listed = [model.id for model in client.models.list()]
    found = client.models.retrieve("joe")

    assert ["joe", *STOCK_MODELS] == listed
    assert ("joe", "model", "chorus") == (found.id, found.object, found.owned_by) and found.created > 1_700_000_000
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4/o mini?")
    assert ("model_not_found", "model") == (caught.value.code, caught.value.param)
    assert "'gpt-4/o mini?'" in caught.value.message and caught.value.request_id


def test_the_asynchronous_client_works_too(server):
    async def spoken():
        async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="sk-none") as client:
            async with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input=TEXT) as response:
                return b"".join([piece async for piece in response.iter_bytes()])

    assert asyncio.run(spoken()).startswith(MAGIC["mp3"][1])


def test_the_clients_key_is_the_api_key(start):
    key = generate_key()
    server = start(keys={"api_keys": {"sha256": [hash_key(key)]}}).ready()

    with client_of(server, api_key=key) as client:
        assert client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.").content
    with client_of(server, api_key="sk-wrong") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
        assert ["joe", *STOCK_MODELS] == [model.id for model in client.models.list()]
    assert "invalid_api_key" == caught.value.code


def test_a_permanent_failure_is_requested_once(start):
    server = start("tests.support.failing_voice:create()", environment={"CHORUS_FAIL_AT": "0"}, expects_errors=True).ready()

    with client_of(server, max_retries=2) as client, pytest.raises(openai.InternalServerError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)

    assert (500, "synthesis_failed") == (caught.value.status_code, caught.value.code)
    assert 1 == server.log().count("event=speech.failed")


def test_the_clients_retries_wait_for_retry_after_while_the_server_warms_up(start_on):  # noqa: F811
    """The first warm-up attempt fails; the client is refused with the time of the second, and then served."""
    server = start_on({"open": [[1], "broken"]}, "--workers", "1", environment={"CHORUS_FIRST_PAUSE_S": "1"})
    server.eventually(lambda: "event=worker.warm_up_failed" in server.log())
    with client_of(server, max_retries=2) as client:
        audio = client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT, response_format="wav").content

    assert audio.startswith(b"RIFF")
    assert 1 == server.log().count("code=warming_up")
    server.ready()


def test_a_retry_after_above_the_clients_limit_is_an_error_at_once(start_on):  # noqa: F811
    """The client's own limit is two minutes."""
    server = start_on({"open": ["always", "broken"]}, "--workers", "1", environment={"CHORUS_FIRST_PAUSE_S": "3600"})
    server.eventually(lambda: "event=worker.warm_up_failed" in server.log())
    server.remember_descriptors()

    with client_of(server, max_retries=2) as client, pytest.raises(openai.InternalServerError) as caught:
        client.audio.speech.create(model="tts-1", voice="alloy", input=TEXT)

    assert (503, "warming_up") == (caught.value.status_code, caught.value.code)
    assert 1 == server.log().count("code=warming_up")
