"""Speech over HTTP, from real workers."""

import array
import http.client
import io
import json
import struct
import wave

import pytest

TEXT = "The quick brown fox jumps over the lazy dog, and nobody was surprised."
LONG = " ".join([TEXT] * 8)


def samples_of(answer):
    with wave.open(io.BytesIO(answer.body)) as audio:
        assert (1, 2, 22050) == (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        return array.array("h", audio.readframes(audio.getnframes()))


def test_a_whole_wav_has_exact_sizes(server):
    answer = server.speak(TEXT, voice="joe", response_format="wav")

    assert 200 == answer.status
    assert "audio/wav" == answer.headers["Content-Type"]
    assert len(answer.body) == int(answer.headers["Content-Length"])
    riff, data = struct.unpack("<I", answer.body[4:8])[0], struct.unpack("<I", answer.body[40:44])[0]
    assert (len(answer.body) - 8, len(answer.body) - 44) == (riff, data)
    assert 3.0 < len(samples_of(answer)) / 22050 < 8.0
    assert max(samples_of(answer)) > 3000


def test_pcm_is_the_wav_without_its_header(server):
    wav = server.speak(TEXT, seed=3, response_format="wav")
    pcm = server.speak(TEXT, seed=3, response_format="pcm")

    assert wav.body[44:] == pcm.body
    assert "audio/pcm;rate=22050;channels=1" == pcm.headers["Content-Type"]
    assert "22050" == pcm.headers["X-Sample-Rate"]


@pytest.mark.parametrize("ask", [{"stream": True}, {"stream_format": "audio"}])
def test_a_streamed_wav_declares_unknown_sizes(server, ask):
    answer = server.speak(TEXT, **ask)

    assert "chunked" == answer.headers["Transfer-Encoding"]
    assert "no" == answer.headers["X-Accel-Buffering"]
    assert b"\xff\xff\xff\xff" == answer.body[4:8] == answer.body[40:44]
    assert answer.body.count(b"RIFF") == 1


def test_a_stream_and_a_whole_file_sound_the_same(server):
    whole = samples_of(server.speak(LONG, seed=11))
    streamed = array.array("h", server.speak(LONG, seed=11, stream=True).body[44:])

    assert len(whole) == len(streamed)
    assert max(abs(a - b) for a, b in zip(whole, streamed, strict=True)) <= 2


def test_audio_comes_before_the_text_is_spoken_to_its_end(server):
    connection = server.connection()
    body = json.dumps({"input": LONG, "stream": True, "response_format": "pcm"})
    connection.request("POST", "/v1/audio/speech", body)
    response = connection.getresponse()
    first = response.read(4096)
    logged_at_first_byte = f"request_id={response.headers['X-Request-ID']}" in server.log()
    rest = response.read()
    connection.close()

    assert len(first) == 4096
    assert not logged_at_first_byte
    assert len(rest) > 20 * 22050


def test_a_listener_who_leaves_stops_the_work(server):
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG * 20, "stream": True}))
    response = connection.getresponse()
    request_id = response.headers["X-Request-ID"]
    response.read(1000)
    response.close()
    connection.close()

    line = server.eventually(
        lambda: next((line for line in server.log().splitlines() if f"request_id={request_id}" in line), None)
    )
    assert "event=speech.abandoned" in line
    assert float(line.partition("audio_s=")[2].split()[0]) < 60


def test_a_client_that_leaves_before_a_whole_file_is_made_stops_the_work(server):
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG * 20}), {"X-Request-ID": "left-early"})
    connection.close()

    line = server.eventually(
        lambda: next((line for line in server.log().splitlines() if "request_id=left-early" in line), None)
    )
    assert "event=speech.abandoned" in line
    assert float(line.partition("audio_s=")[2].split()[0]) < 60
    server.eventually(lambda: "code=client_gone" in server.log())


def test_the_same_seed_gives_the_same_bytes_on_every_worker(server):
    answers = server.on_every_worker(lambda: server.speak("Same again.", seed=42))

    assert 4 == len(answers)
    assert 1 == len({answer.body for answer in answers.values()})
    assert {"42"} == {answer.headers["X-Seed"] for answer in answers.values()}


def test_without_a_seed_every_worker_speaks_differently(server):
    answers = server.on_every_worker(lambda: server.speak("Never the same."))

    assert 4 == len({answer.body for answer in answers.values()}) == len(answers)


def test_the_seed_that_was_drawn_reproduces_the_audio(server):
    drawn = server.speak("Once more.")
    again = server.speak("Once more.", seed=int(drawn.headers["X-Seed"]))

    assert drawn.body == again.body


def test_speed_changes_the_length(server):
    slow, plain, fast = (len(server.speak(TEXT, seed=1, speed=speed).body) for speed in (0.5, 1.0, 2.0))

    assert 1.6 < slow / plain < 2.2
    assert 0.45 < fast / plain < 0.75


def test_a_voice_may_be_named_as_an_object(server):
    assert 200 == server.speak("Hello.", voice={"id": "joe"}).status


def test_a_request_id_is_echoed_and_an_odd_one_replaced(server):
    kept = server.ask("GET", "/livez", headers={"X-Request-ID": "abc-1.2"})
    replaced = server.ask("GET", "/livez", headers={"X-Request-ID": "a b;c" * 50})

    assert "abc-1.2" == kept.headers["X-Request-ID"]
    assert 16 == len(replaced.headers["X-Request-ID"])


def test_the_log_never_holds_the_text(server):
    server.speak("Xylophones are unmistakable.")
    server.ask("GET", "/api/tts?text=Zebras%20are%20unmistakable")

    assert "ylophone" not in server.log()
    assert "ebras" not in server.log()


def test_voices_and_models_are_listed(server):
    voices = server.ask("GET", "/v1/audio/voices").json()["voices"]
    models = server.ask("GET", "/v1/models").json()

    assert ["joe"] == [voice["id"] for voice in voices]
    assert "list" == models["object"]
    assert {"id", "object", "created", "owned_by"} == set(models["data"][0])


def test_coquis_endpoint_takes_query_form_and_header(server):
    by_query = server.ask("GET", "/api/tts?text=Good%20morning&speaker_id=&language_id=en")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    by_form = server.ask("POST", "/api/tts", "text=Good+morning", form)
    by_header = server.ask("GET", "/api/tts", headers={"text": "Good morning"})

    for answer in (by_query, by_form, by_header):
        assert 200 == answer.status
        assert 0.4 < len(samples_of(answer)) / 22050 < 2.5


def test_probes_answer(server):
    assert {"status": "alive"} == server.ask("GET", "/livez").json()
    assert {"status": "ready", "voices": ["joe"], "device": "cpu"} == server.ask("GET", "/readyz").json()


def test_a_head_request_does_not_speak(server):
    assert 405 == server.ask("HEAD", "/api/tts?text=Hello").status


def test_optional_fields_may_be_null(server):
    nothing = dict.fromkeys(("voice", "instructions", "response_format", "speed", "stream_format", "stream", "seed"))

    assert 200 == server.speak("Hello.", **nothing).status


def test_a_head_request_has_no_body(server):
    connection = server.connection()
    connection.request("HEAD", "/livez")
    response = connection.getresponse()

    assert (200, b"") == (response.status, response.read())
    assert isinstance(response, http.client.HTTPResponse)
    connection.close()
