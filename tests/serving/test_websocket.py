"""/v1/audio/speech/ws of chorus wyoming with a real WebSocket client, in front of a real server."""

import asyncio
import json
import re
import signal
import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.api.auth import hash_key
from tests.support.gateway import Gateway
from tests.support.nginx import Edge, Origin, needs_nginx

LONG = "This sentence is one of many that a client does not wait for. " * 120
TIMEOUT_S = 120
CONFIG = {"type": "session.config", "voice": "joe", "seed": 7, "response_format": "wav"}


@pytest.fixture(scope="module")
def gateway(server):
    running = Gateway(f"http://127.0.0.1:{server.port}").ready()
    yield running
    running.stop()


class Client:
    """A connected client that sends objects and reads messages."""

    def __init__(self, connection):
        self.connection = connection

    async def send(self, *messages):
        for message in messages:
            await self.connection.send(json.dumps(message))

    async def write(self, *texts):
        await self.send(*({"type": "input.text", "text": text} for text in texts))

    async def receive(self):
        message = await self.connection.recv()
        return message if isinstance(message, bytes) else json.loads(message)

    async def until(self, kind):
        """Return the messages up to the first one of this type; "audio" is a binary one."""
        messages = []
        while not messages or kind_of(messages[-1]) != kind:
            messages.append(await self.receive())
        return messages


def kind_of(message):
    return "audio" if isinstance(message, bytes) else message["type"]


def kinds_of(messages):
    """Return the types of messages, a run of audio as one."""
    kinds = [kind_of(message) for message in messages]
    return [kind for place, kind in enumerate(kinds) if place == 0 or kind != kinds[place - 1]]


def of_kind(messages, kind):
    return [message for message in messages if kind_of(message) == kind]


def audio_of(messages):
    """Return the audio of each sentence."""
    files = []
    for message in messages:
        if isinstance(message, bytes):
            files[-1] += message
        elif message["type"] == "audio.start":
            files.append(b"")
    return files


def talk(gateway, conversation, **options):
    async def run():
        async with asyncio.timeout(TIMEOUT_S), connect(gateway.websocket_url, **options) as connection:
            return await conversation(Client(connection))

    return asyncio.run(run())


def say(gateway, *texts, config=None, **options):
    """Return all messages of one text."""

    async def conversation(client):
        await client.send({**CONFIG, **(config or {})})
        await client.write(*texts)
        await client.send({"type": "input.done"})
        return await client.until("session.done")

    return talk(gateway, conversation, **options)


def status_of_upgrade(gateway, url=None, **options):
    async def run():
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url or gateway.websocket_url, **options):
                pass
        return refused.value.response.status_code, refused.value.response.body.decode()

    return asyncio.run(run())


def test_each_sentence_has_a_start_its_audio_and_an_end(server, gateway):
    messages = say(gateway, "A first sent", "ence. And", " a second one.")

    assert ["audio.start", "audio", "audio.done"] * 2 + ["session.done"] == kinds_of(messages)
    starts, ends = of_kind(messages, "audio.start"), of_kind(messages, "audio.done")
    assert ["A first sentence.", "And a second one."] == [each["sentence_text"] for each in starts]
    assert [(0, "wav", 22050, 7), (1, "wav", 22050, 7)] == [
        (each["sentence_index"], each["format"], each["sample_rate"], each["seed"]) for each in starts
    ]
    spoken = [server.speak(each["sentence_text"], seed=7, stream=True).body for each in starts]
    assert spoken == audio_of(messages)
    assert [(index, len(audio), False) for index, audio in enumerate(spoken)] == [
        (each["sentence_index"], each["total_bytes"], each["error"]) for each in ends
    ]
    assert 2 == messages[-1]["total_sentences"]


def test_audio_of_the_first_sentence_arrives_before_the_last_text_is_sent(gateway):
    async def conversation(client):
        await client.send(CONFIG)
        await client.write("This is ", "the first", " sentence. ")
        before = await client.until("audio")
        await client.write("And the last one")
        await client.send({"type": "input.done"})
        return before, await client.until("session.done")

    before, after = talk(gateway, conversation)

    assert ["audio.start", "audio"] == kinds_of(before)
    assert ["audio", "audio.done", "audio.start", "audio", "audio.done", "session.done"] == kinds_of(after)


@pytest.mark.parametrize("audio_format", ["pcm", "mp3", "opus", "flac"])
def test_formats_are_those_of_the_server(server, gateway, audio_format):
    messages = say(gateway, "One sentence.", config={"response_format": audio_format})

    assert [server.speak("One sentence.", seed=7, response_format=audio_format).body] == audio_of(messages)
    assert audio_format == messages[0]["format"]


def test_a_sentence_that_is_asked_for_as_a_whole_has_its_exact_size(server, gateway):
    messages = say(gateway, "One sentence.", config={"stream_audio": False})

    assert [server.speak("One sentence.", seed=7).body] == audio_of(messages)


@pytest.mark.parametrize("asked", [{"timestamps": True}, {"timestamp_granularities": ["word"]}])
def test_times_are_those_of_each_sentence(server, gateway, asked):
    messages = say(gateway, "It is here. Nobody knows.", config={**asked, "response_format": "pcm"})

    ends = of_kind(messages, "audio.done")
    for text, end in zip(("It is here.", "Nobody knows."), ends, strict=True):
        body = json.dumps({"input": text, "voice": "joe", "seed": 7, "response_format": "pcm"})
        captions = server.ask("POST", "/v1/audio/captions", body).json()
        assert [captions["sentences"][0]["words"]] == [each["words"] for each in end["timestamps"]]
    spoken = [server.speak(text, seed=7, response_format="pcm").body for text in ("It is here.", "Nobody knows.")]
    assert spoken == audio_of(messages)


def test_several_texts_follow_each_other_with_a_new_configuration(gateway):
    async def conversation(client):
        await client.write("One.")
        await client.send({"type": "input.done"}, {**CONFIG, "response_format": "pcm"})
        await client.write("Two.")
        await client.send({"type": "input.done"}, {"type": "input.done"})
        return [await client.until("session.done") for _ in range(3)]

    first, second, empty = talk(gateway, conversation)

    assert ["wav", "pcm"] == [first[0]["format"], second[0]["format"]]
    assert [{"type": "session.done", "total_sentences": 0}] == empty


def test_an_interruption_stops_the_work_at_once_and_another_text_may_follow(server, gateway):
    async def conversation(client):
        await client.send({**CONFIG, "text_format": "ssml"})
        await client.write(f"<speak>{LONG}</speak>")
        await client.send({"type": "input.done"})
        await client.until("audio")
        await client.send({"type": "input.interrupt"}, CONFIG)
        interrupted = await client.until("session.interrupted")
        await client.write("Another text.")
        await client.send({"type": "input.done"})
        return interrupted, await client.until("session.done")

    before = server.log().count("event=speech.abandoned")
    interrupted, after = talk(gateway, conversation)

    assert ["session.interrupted"] == kinds_of(interrupted)[-1:] and not of_kind(interrupted, "session.done")
    assert ["audio.start", "audio", "audio.done", "session.done"] == kinds_of(after)
    server.eventually(lambda: server.log().count("event=speech.abandoned") == before + 1)


def test_an_interruption_without_speech_does_no_harm(gateway):
    async def conversation(client):
        await client.write("This has no end")
        await client.send({"type": "input.interrupt"})
        await client.until("session.interrupted")
        await client.write("Hello.")
        await client.send({"type": "input.done"})
        return await client.until("session.done")

    assert ["Hello."] == [each["sentence_text"] for each in of_kind(talk(gateway, conversation), "audio.start")]


def test_a_client_that_disconnects_stops_the_work(server, gateway):
    async def conversation(client):
        await client.send({**CONFIG, "text_format": "ssml"})
        await client.write(f"<speak>{LONG}</speak>")
        await client.send({"type": "input.done"})
        await client.until("audio")

    before = server.log().count("event=speech.abandoned")
    talk(gateway, conversation)

    server.eventually(lambda: server.log().count("event=speech.abandoned") == before + 1)
    server.eventually(lambda: not gateway.connections())


def test_a_client_that_reads_nothing_lets_no_memory_grow(server, gateway):
    async def conversation(client):
        before = gateway.memory_bytes()
        await client.send({**CONFIG, "text_format": "ssml", "response_format": "wav", "sample_rate": 48000})
        await client.write(f"<speak>{LONG}</speak>")
        await client.send({"type": "input.done"})
        await asyncio.to_thread(server.eventually, lambda: parked(server) == 1)
        return gateway.memory_bytes() - before

    # The client's library reads ahead as long as there is room; it has none.
    assert talk(gateway, conversation, max_queue=1) < 16e6
    server.eventually(lambda: parked(server) == 0)


def parked(server):
    return sum(each["parked"] for each in server.ask("GET", "/status").json()["workers"])


def test_a_sentence_that_fails_is_an_error_and_the_text_goes_on(gateway):
    async def conversation(client):
        await client.send({**CONFIG, "voice": "nobody"})
        await client.write("One. Two.")
        await client.send({"type": "input.done"})
        return await client.until("session.done")

    messages = talk(gateway, conversation)

    assert ["error", "session.done"] == kinds_of(messages)
    assert [("voice_not_found", 0), ("voice_not_found", 1)] == [(each["code"], each["sentence_index"]) for each in messages[:-1]]
    assert "nobody" in messages[0]["message"]


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not an object"),
        (b"\x00\x01", "binary"),
        ('{"type": "input.audio"}', "unknown type 'input.audio', expected session.config, input.text"),
        ("{}", "unknown type"),
        ('{"type": "input.text", "text": 7}', "as a string"),
        (json.dumps({"type": "input.text", "text": "word " * 30_000}), "100000 characters"),
    ],
)
def test_a_broken_rule_is_an_error_and_ends_the_connection(gateway, sent, words):
    async def conversation(client):
        await client.connection.send(sent)
        error = await client.receive()
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        return error, closed.value.rcvd.code

    error, code = talk(gateway, conversation)

    assert "error" == error["type"] and words in error["message"] and 1008 == code
    assert audio_of(say(gateway, "Hello."))


@pytest.mark.parametrize(
    "config",
    [
        {"lexicon": json.loads("[" * 300 + "]" * 300)},
        {"voice": "\ud800"},
        {"speed": float("nan")},
        {"response_format": ["wav"]},
        {"sample_rate": 10**400},
    ],
)
def test_fields_that_mean_nothing_are_errors_of_the_server(gateway, config):
    messages = say(gateway, "Hello.", config=config)

    assert ["error", "session.done"] == kinds_of(messages)
    assert messages[0]["message"] and 0 == messages[0]["sentence_index"]


def test_odd_texts_and_languages_are_spoken_or_refused_in_words(gateway):
    for text in ("Half \ud83d a pair.", "\ud83d", "...", " ", "\ud83d\ude00 Hello.", "<", "<speak>Hello.</speak>"):
        for language in ("en", "\ud800", "", 7, ["en"]):
            messages = say(gateway, text, config={"language": language})
            assert {"audio.start", "audio", "audio.done", "error", "session.done"} >= set(kinds_of(messages))


def test_a_key_that_is_not_text_is_none(gateway):
    for headers in ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], {"x-api-key": "schlüssel"}):
        assert audio_of(say(gateway, "Hello.", additional_headers=headers))


def test_a_message_over_the_bound_and_one_too_many_texts_end_the_connection(gateway):
    async def too_large(client):
        await client.write("x" * 300_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        return closed.value.rcvd.code

    async def too_many(client):
        for _ in range(40):
            await client.send({"type": "input.text", "text": LONG[:600]}, {"type": "input.done"})
        return (await client.until("error"))[-1]["code"]

    assert 1009 == talk(gateway, too_large)
    assert "too_much_text" == talk(gateway, too_many)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"x" * 100_000, b""])
def test_what_is_no_upgrade_harms_no_other_client(gateway, sent):
    with socket.create_connection(("127.0.0.1", int(re.search(r":(\d+)/", gateway.websocket_url)[1]))) as client:
        client.sendall(sent)
    assert audio_of(say(gateway, "Hello."))


def test_other_paths_and_pages_of_other_origins_are_refused(gateway, server, start_gateway):
    url = gateway.websocket_url
    host = re.search(r"//([^/]+)/", url)[1]
    open_to_one = start_gateway(f"http://127.0.0.1:{server.port}", "--origin", "https://example.org")

    assert 404 == status_of_upgrade(gateway, url.replace("/ws", "/other"))[0]
    status, words = status_of_upgrade(gateway, origin="https://example.org")
    assert 403 == status and "--origin" in words
    assert 403 == status_of_upgrade(gateway, origin="null")[0]
    assert audio_of(say(gateway, "Hello.", origin=f"http://{host}"))
    assert audio_of(say(open_to_one, "Hello.", origin="https://example.org"))
    open_to_one.stop()


def test_a_key_passes_through_the_header_and_not_the_url(start, start_gateway):
    server = start("--workers", "1", keys={"api_keys": {"sha256": [hash_key("opensesame")]}}).ready()
    gateway = start_gateway(f"http://127.0.0.1:{server.port}")

    for headers in ({"Authorization": "Bearer opensesame"}, {"x-api-key": "opensesame"}):
        assert audio_of(say(gateway, "Hello.", additional_headers=headers))
    assert "invalid_api_key" == say(gateway, "Hello.")[0]["code"]
    wrong = {"Authorization": "Bearer wrong"}
    assert "invalid_api_key" == say(gateway, "Hello.", additional_headers=wrong)[0]["code"]

    async def by_url():
        async with asyncio.timeout(TIMEOUT_S), connect(f"{gateway.websocket_url}?api_key=opensesame") as connection:
            client = Client(connection)
            await client.write("Hello.")
            await client.send({"type": "input.done"})
            return await client.receive()

    assert "invalid_api_key" == asyncio.run(by_url())["code"]
    assert "opensesame" not in gateway.log() + server.log()
    gateway.stop()


@needs_nginx
def test_nginx_passes_the_upgrade_with_its_key_and_origin(write_config, start_gateway):
    with TemporaryDirectory(prefix="chorus-") as folder:
        edge = Edge(Path(folder)).start()
        keys = {"api_keys": {"sha256": [hash_key("opensesame")]}}
        origin = Origin(write_config(**keys), path=edge.place.upstream).start().ready()
        url = f"ws://127.0.0.1:{edge.port}/v1/audio/speech/ws"
        assert 502 == status_of_upgrade(None, url)[0]
        gateway = start_gateway(f"unix:{edge.place.upstream}", "--websocket", f"127.0.0.1:{edge.place.gateway_port}")

        async def conversation():
            page, key = f"http://127.0.0.1:{edge.port}", {"Authorization": "Bearer opensesame"}
            async with asyncio.timeout(TIMEOUT_S), connect(url, origin=page, additional_headers=key) as connection:
                client = Client(connection)
                await client.write("A sentence through nginx.")
                await client.send({"type": "input.done"})
                return await client.until("session.done")

        assert 1 == len(audio_of(asyncio.run(conversation())))
        assert 403 == status_of_upgrade(None, url, origin="https://example.org")[0]
        gateway.stop()
        edge.stop()
        origin.stop()


def test_the_sessions_are_bounded_and_idle_ones_end(server, start_gateway):
    gateway = start_gateway(f"http://127.0.0.1:{server.port}", "--max-sessions", "1", "--idle-timeout", "1")

    async def run():
        async with asyncio.timeout(TIMEOUT_S), connect(gateway.websocket_url) as idle:
            async with connect(gateway.websocket_url) as second:
                with pytest.raises(ConnectionClosed) as refused:
                    await second.recv()
            with pytest.raises(ConnectionClosed) as ended:
                await idle.recv()
        return refused.value.rcvd.code, ended.value.rcvd

    refused, ended = asyncio.run(run())

    assert 1013 == refused
    assert (1000, "idle") == (ended.code, ended.reason)
    gateway.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_speech(server, start_gateway, how):
    gateway = start_gateway(f"http://127.0.0.1:{server.port}")

    async def conversation(client):
        await client.send(CONFIG)
        await client.write(LONG)
        await client.until("audio")
        await asyncio.to_thread(gateway.stop, how)
        with pytest.raises(ConnectionClosed) as closed:
            await client.until("session.done")
        return closed.value.rcvd.code

    assert 1001 == talk(gateway, conversation)
