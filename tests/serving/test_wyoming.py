"""chorus wyoming with the Wyoming package's own client, as Home Assistant uses it, in front of a real server."""

import asyncio
import json
import re
import signal
import socket

import psutil
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from app.api.auth import hash_key
from loader.wav import wav_header
from tests.support.gateway import Gateway

CHOIR = ("joe", "choir")
LONG = "This sentence is one of many that a client does not wait for. " * 120
TIMEOUT_S = 120
WAV_HEADER_BYTES = len(wav_header(22050, None))


@pytest.fixture(scope="module")
def gateway(choir):
    running = Gateway(f"http://127.0.0.1:{choir.port}", "--seed", "7").ready()
    yield running
    running.stop()


def talk(gateway, conversation):
    """Run a coroutine with a connected client of the package."""

    async def run():
        async with asyncio.timeout(TIMEOUT_S), AsyncClient.from_uri(gateway.uri) as client:
            return await conversation(client)

    return asyncio.run(run())


async def until_event(client, *kinds):
    """Return the events up to the first one of these classes."""
    events = []
    while (event := await client.read_event()) is not None:
        events.append(event)
        if any(kind.is_type(event.type) for kind in kinds):
            return events
    raise AssertionError(f"the connection ended after {[each.type for each in events]}")


def ask(gateway, message, *ends):
    async def conversation(client):
        await client.write_event(message.event())
        return await until_event(client, *ends)

    return talk(gateway, conversation)


def samples_of(events):
    return b"".join(event.payload for event in events if AudioChunk.is_type(event.type))


def kinds_of(events):
    """Return the types of events, a run of chunks as one."""
    kinds = [event.type for event in events]
    return [kind for place, kind in enumerate(kinds) if place == 0 or kind != kinds[place - 1]]


def error_of(gateway, message):
    """Return the error that a message is answered with; the connection is closed after it."""

    async def conversation(client):
        await client.write_event(message.event())
        events = await until_event(client, Error)
        assert await client.read_event() is None
        return Error.from_event(events[-1])

    return talk(gateway, conversation)


def test_describe_has_the_voices_with_their_speakers_and_languages(choir, gateway):
    (event,) = ask(gateway, Describe(), Info)
    (program,) = Info.from_event(event).tts

    assert ("chorus", True, True) == (program.name, program.installed, program.supports_synthesize_streaming)
    assert program.version and program.attribution.name
    listed = choir.ask("GET", "/v1/audio/voices").json()["voices"]
    assert ["joe", "choir"] == [voice.name for voice in program.voices]
    for voice, known in zip(program.voices, listed, strict=True):
        assert known["languages"] == voice.languages
        assert known["speakers"] == [speaker.name for speaker in voice.speakers or ()]
        assert voice.installed and voice.attribution.name


def test_synthesize_sends_the_samples_of_the_http_answer_at_the_voices_own_rate(choir, gateway):
    events = ask(gateway, Synthesize("A first sentence. And a second one."), AudioStop)

    assert ["audio-start", "audio-chunk", "audio-stop"] == kinds_of(events)
    start = AudioStart.from_event(events[0])
    assert (22050, 2, 1) == (start.rate, start.width, start.channels)
    spoken = choir.speak("A first sentence. And a second one.", seed=7, stream=True)
    assert spoken.body[WAV_HEADER_BYTES:] == samples_of(events)


def test_voice_speaker_and_language_are_those_that_the_client_names(choir, gateway):
    message = Event("synthesize", {"text": "Hello.", "voice": {"name": "choir", "speaker": "Ben", "language": "de"}})

    async def conversation(client):
        await client.write_event(message)
        return await until_event(client, AudioStop, Error)

    listed = choir.ask("GET", "/v1/audio/voices").json()["voices"][1]
    speaker, language = listed["speakers"][-1], listed["languages"][-1]
    message.data["voice"] = {"name": "choir", "speaker": speaker, "language": language}
    events = talk(gateway, conversation)

    spoken = choir.speak("Hello.", voice="choir", speaker=speaker, language=language, seed=7, stream=True)
    assert spoken.body[WAV_HEADER_BYTES:] == samples_of(events)
    assert f"speaker={speaker}" in choir.log()


def test_an_unknown_voice_is_an_error_in_the_servers_words(gateway):
    error = error_of(gateway, Synthesize("Hello.", SynthesizeVoice("nobody")))

    assert "voice_not_found" == error.code
    assert "nobody" in error.text and "joe" in error.text


def test_audio_of_the_first_sentence_arrives_before_the_last_text_is_sent(gateway):
    async def conversation(client):
        await client.write_event(SynthesizeStart().event())
        for word in "This is the first sentence. ".split(" "):
            await client.write_event(SynthesizeChunk(word + " ").event())
        before = await until_event(client, AudioChunk)
        await client.write_event(SynthesizeChunk("And this is").event())
        await client.write_event(SynthesizeChunk(" the last one").event())
        # For servers that do not take streams.
        await client.write_event(Synthesize("This is the first sentence. And this is the last one").event())
        await client.write_event(SynthesizeStop().event())
        return before, await until_event(client, SynthesizeStopped)

    before, after = talk(gateway, conversation)

    assert ["audio-start", "audio-chunk"] == kinds_of(before)
    assert ["audio-chunk", "audio-stop", "synthesize-stopped"] == kinds_of(after)


def test_the_sentences_of_a_written_text_are_in_order_with_pauses_between_them(choir, gateway):
    sentences = ["Dr. Smith paid 3.50 dollars.", "He left!", "Nobody saw him"]

    async def conversation(client):
        await client.write_event(SynthesizeStart().event())
        for character in " ".join(sentences):
            await client.write_event(SynthesizeChunk(character).event())
        await client.write_event(SynthesizeStop().event())
        return await until_event(client, SynthesizeStopped)

    parts = [choir.speak(each, seed=7, stream=True).body[WAV_HEADER_BYTES:] for each in sentences]
    assert all(parts)
    assert bytes(2 * int(0.45 * 22050)).join(parts) == samples_of(talk(gateway, conversation))


def test_one_connection_speaks_several_texts_one_after_the_other(gateway):
    async def conversation(client):
        for text in ("One.", "Two."):
            await client.write_event(Synthesize(text).event())
        await client.write_event(Ping("still here").event())
        events = await until_event(client, AudioStop)
        return events + await until_event(client, AudioStop)

    events = talk(gateway, conversation)

    pongs = [event for event in events if Pong.is_type(event.type)]
    audio = [event for event in events if not Pong.is_type(event.type)]
    assert ["still here"] == [Pong.from_event(each).text for each in pongs]
    assert ["audio-start", "audio-chunk", "audio-stop"] * 2 == kinds_of(audio)


def test_several_clients_are_served_at_once(gateway):
    async def one(text):
        async with AsyncClient.from_uri(gateway.uri) as client:
            await client.write_event(Synthesize(text).event())
            return samples_of(await until_event(client, AudioStop))

    async def all_of_them():
        async with asyncio.timeout(TIMEOUT_S):
            return await asyncio.gather(*(one("The same for everybody.") for _ in range(6)))

    first, *others = asyncio.run(all_of_them())
    assert first and all(each == first for each in others)


def test_a_client_that_disconnects_stops_the_work(choir, gateway):
    async def conversation(client):
        await client.write_event(Synthesize(LONG).event())
        await until_event(client, AudioChunk)

    before = choir.log().count("event=speech.abandoned")
    talk(gateway, conversation)

    choir.eventually(lambda: choir.log().count("event=speech.abandoned") == before + 1)
    choir.eventually(lambda: not gateway.connections())


def test_a_client_that_reads_nothing_lets_no_memory_grow(choir, gateway):
    with socket.create_connection(("127.0.0.1", gateway.port)) as client:
        before = gateway.memory_bytes()
        client.sendall(json.dumps(Synthesize(LONG).event().to_dict()).encode() + b"\n")
        # The server has made what kernel and gateway hold, and waits.
        choir.eventually(lambda: sum(each["parked"] for each in choir.ask("GET", "/status").json()["workers"]) == 1)
        assert gateway.memory_bytes() - before < 16e6
    choir.eventually(lambda: not gateway.connections())


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "not JSON"),
        (b"[1, 2]\n", "not an object"),
        (b"[" * 100_000 + b"\n", "not JSON"),
        (b"\xff\xfe\n", "not JSON"),
        (b'{"type": 7}\n', "no event"),
        (b'{"type": "synthesize", "data": [1]}\n', "no event"),
        (b'{"type": "synthesize", "data_length": 99999999999}\n', "data_length is 99999999999, expected 0 to"),
        (b'{"type": "audio-chunk", "payload_length": 1e9}\n', "payload_length is"),
        (b'{"type": "synthesize", "payload_length": -1}\n', "payload_length is -1"),
        (b'{"type": "synthesize", "data_length": 5}\n[1,2]', "not an object"),
        (b'{"type": "synthesize", "data": {"text": 7}}\n', "text is int"),
        (b'{"type": "synthesize", "data": {"text": "Hi.", "voice": "joe"}}\n', "voice is not an object"),
        (b'{"type": "ping", "data": {"text": "\\ud800"}}\n', "surrogate"),
        (b'{"type": "synthesize"}\n', "input"),
        (b"x" * 600_000, "longer than"),
    ],
)  # fmt: skip
def test_garbage_is_answered_with_words_and_harms_no_other_client(gateway, sent, words):
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT_S) as client:
        try:
            client.sendall(sent)
            received = client.makefile("rb").read().decode()
        except ConnectionError:
            # The connection of a client that sends without an end is reset.
            assert len(sent) > 500_000
        else:
            assert '"type": "error"' in received and words in received
    assert ask(gateway, Describe(), Info)


def test_events_that_break_off_and_unknown_ones_do_no_harm(gateway):
    broken = (b'{"type": "synthesize", "data_length": 500}\n{"text":', b'{"type": "describe"', b"")
    for sent in (*broken, b'{"type": "transcribe"}\n'):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT_S) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert b"" == client.makefile("rb").read()
    assert ask(gateway, Describe(), Info)


def test_more_text_than_can_wait_is_refused(gateway):
    async def conversation(client):
        await client.write_event(SynthesizeStart().event())
        for _ in range(3):
            await client.write_event(SynthesizeChunk("word " * 10_000).event())
        return (await until_event(client, Error))[-1]

    assert "too_much_text" == Error.from_event(talk(gateway, conversation)).code


def test_a_server_that_is_down_is_an_error_and_the_gateway_outlives_it(start, start_gateway):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    gateway = start_gateway(f"http://127.0.0.1:{port}")
    down = [error_of(gateway, each) for each in (Describe(), Synthesize("Hello."))]
    server = start("--workers", "1", "--bind", f"127.0.0.1:{port}").ready()

    assert ["server_unreachable"] * 2 == [error.code for error in down]
    assert f"http://127.0.0.1:{port} cannot be reached" in down[0].text
    assert samples_of(ask(gateway, Synthesize("Hello."), AudioStop))
    gateway.stop()
    server.stop()


def test_a_full_server_is_asked_again_and_then_an_error(start, start_gateway):
    server = start("--workers", "1", keys={"threads": 2, "admission": {"queue": 0}}).ready()
    gateway = start_gateway(f"http://127.0.0.1:{server.port}")
    holders = [server.connection() for _ in range(2)]
    for holder in holders:
        holder.request("POST", "/v1/audio/speech", json.dumps({"input": LONG, "response_format": "wav", "stream": False}))
    server.eventually(lambda: server.ask("GET", "/status").json()["workers"][0]["active"] == 2)

    error = error_of(gateway, Synthesize("Hello."))

    assert "overloaded" == error.code and error.text
    assert 4 == server.log().count("code=overloaded"), server.log()
    for holder in holders:
        holder.close()
    gateway.stop()


def test_the_key_of_the_file_is_sent_and_a_server_that_wants_another_is_an_error(start, start_gateway, tmp_path):
    server = start("--workers", "1", keys={"api_keys": {"sha256": [hash_key("opensesame")]}}).ready()
    address = f"http://127.0.0.1:{server.port}"
    (tmp_path / "key").write_text("opensesame\n")
    with_key, without = start_gateway(address, "--api-key-file", str(tmp_path / "key")), start_gateway(address)

    assert samples_of(ask(with_key, Synthesize("Hello."), AudioStop))
    assert "invalid_api_key" == error_of(without, Synthesize("Hello.")).code
    with_key.stop()
    without.stop()


def test_the_sessions_are_bounded_and_idle_ones_end(choir, start_gateway):
    gateway = start_gateway(f"http://127.0.0.1:{choir.port}", "--max-sessions", "1", "--idle-timeout", "1")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT_S) as idle, idle.makefile("rb") as received:
        idle.sendall(b'{"type": "ping"}\n')
        assert b"pong" in received.readline()
        assert "overloaded" == error_of(gateway, Describe()).code
        assert b'{"text": null}' == received.read()
    assert ask(gateway, Describe(), Info)
    assert "reason=idle" in gateway.log()
    gateway.stop()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_the_middle_of_speech(choir, start_gateway, how):
    gateway = start_gateway(f"http://127.0.0.1:{choir.port}")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=TIMEOUT_S) as client:
        client.sendall(json.dumps(Synthesize(LONG).event().to_dict()).encode() + b"\n")
        assert client.recv(1000)
        gateway.stop(how)


def _has_network():
    return any(
        address.family == socket.AF_INET and not address.address.startswith("127.")
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
    )


@pytest.mark.skipif(not _has_network(), reason="there is no network interface to announce the service on")
def test_zeroconf_announces_the_service_and_takes_it_back(choir):
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

    gateway = Gateway(f"http://127.0.0.1:{choir.port}", "--uri", "tcp://0.0.0.0:0", "--zeroconf", "The test")
    choir.eventually(lambda: "event=service.announced" in gateway.log() or gateway.process.poll() is not None)
    found = re.search(r"event=service.announced address=(\S+) port=(\d+)", gateway.log())
    assert found, gateway.log()

    async def look():
        network = AsyncZeroconf(interfaces=[found[1]])
        info = AsyncServiceInfo("_wyoming._tcp.local.", "The test._wyoming._tcp.local.")
        is_there = await info.async_request(network.zeroconf, 5000)
        await network.async_close()
        return is_there and (info.parsed_addresses(), info.port)

    assert ([found[1]], int(found[2])) == asyncio.run(look())
    gateway.stop()
    assert not asyncio.run(look())
