"""Speech over HTTP, from real workers."""

import array
import base64
import http.client
import io
import json
import struct
import wave

import av
import numpy as np
import pytest

from app.codecs.registry import FORMATS

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
    pcm = server.speak(TEXT, seed=3, response_format="pcm", sample_rate=22050)

    assert wav.body[44:] == pcm.body
    assert "audio/pcm;rate=22050;channels=1" == pcm.headers["Content-Type"]
    assert "22050" == pcm.headers["X-Sample-Rate"]


@pytest.mark.parametrize("ask", [{"stream": True}, {"stream_format": "audio"}])
def test_a_streamed_wav_has_unknown_sizes(server, ask):
    answer = server.speak(TEXT, **ask)

    assert "chunked" == answer.headers["Transfer-Encoding"]
    assert "no" == answer.headers["X-Accel-Buffering"]
    assert b"\xff\xff\xff\xff" == answer.body[4:8] == answer.body[40:44]
    assert answer.body.count(b"RIFF") == 1


def test_pcm_has_the_rate_that_openais_clients_assume(server):
    usual = server.speak(TEXT, seed=3, response_format="pcm")
    native = server.speak(TEXT, seed=3, response_format="pcm", sample_rate=22050)

    assert "24000" == usual.headers["X-Sample-Rate"]
    assert "audio/pcm;rate=24000;channels=1" == usual.headers["Content-Type"]
    assert abs(len(usual.body) / 24000 - len(native.body) / 22050) < 0.001


def test_by_default_every_format_but_wav_is_streamed(server):
    assert "Content-Length" in server.speak(TEXT).headers
    for audio_format in (each for each in FORMATS if each != "wav"):
        assert "chunked" == server.speak(TEXT, response_format=audio_format).headers["Transfer-Encoding"]
        assert "Content-Length" in server.speak(TEXT, response_format=audio_format, stream=False).headers


def test_the_default_format_is_mp3(server):
    answer = server.ask("POST", "/v1/audio/speech", {"input": TEXT})

    assert "audio/mpeg" == answer.headers["Content-Type"]
    assert b"\xff" == answer.body[:1]


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_format_contains_the_whole_speech(server, audio_format, stream):
    original = np.array(samples_of(server.speak(LONG, seed=21)), dtype=np.float32)
    answer = server.speak(LONG, seed=21, response_format=audio_format, stream=stream, sample_rate=24000)
    rate_hz = int(answer.headers["X-Sample-Rate"])
    heard = decoded(answer.body, audio_format, rate_hz)

    assert abs(heard.size / rate_hz - original.size / 22050) < 0.1
    # Loudness of every 50 ms shows a lost tail, a gap or a wrong rate; samples would differ by the delay of encoders.
    ours = loudness(original, 22050)
    delayed = [loudness(heard[round(delay_s * rate_hz) :], rate_hz) for delay_s in np.arange(0, 0.06, 0.005)]
    count = min(ours.size, *(each.size for each in delayed))
    assert count > 500
    assert max(np.corrcoef(ours[:count], each[:count])[0, 1] for each in delayed) > 0.98


def decoded(body, audio_format, rate_hz):
    if audio_format in ("pcm", "sln16"):
        return np.frombuffer(body, "<i2").astype(np.float32)
    bare = {"ulaw": "mulaw", "alaw": "alaw"}.get(audio_format)
    options = {"sample_rate": str(rate_hz), "ch_layout": "mono"} if bare else {}
    with av.open(io.BytesIO(body), format=bare, options=options) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        assert {rate_hz} == {container.streams.audio[0].rate}
    samples = np.concatenate([frame[0] for frame in frames]).astype(np.float32)
    return samples if np.abs(samples).max() > 2 else samples * 32767


def loudness(samples, rate_hz):
    starts = np.rint(np.arange(0, samples.size, rate_hz / 20)).astype(int)
    return np.sqrt(np.add.reduceat(np.square(samples), starts[:-1]) / (rate_hz / 20))[:-1]


def test_a_stream_and_a_whole_file_sound_the_same(server):
    whole = samples_of(server.speak(LONG, seed=11))
    streamed = array.array("h", server.speak(LONG, seed=11, stream=True).body[44:])

    assert len(whole) == len(streamed)
    assert max(abs(a - b) for a, b in zip(whole, streamed, strict=True)) <= 2


def test_audio_is_sent_before_the_whole_text_is_spoken(server):
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


def test_a_client_that_disconnects_from_a_stream_stops_the_synthesis(server):
    connection = server.connection()
    connection.request("POST", "/v1/audio/speech", json.dumps({"input": LONG * 20, "response_format": "wav", "stream": True}))
    response = connection.getresponse()
    request_id = response.headers["X-Request-ID"]
    response.read(1000)
    response.close()
    connection.close()

    line = server.eventually(
        lambda: next((line for line in server.log().splitlines() if f"request_id={request_id}" in line), None)
    )
    assert "event=speech.abandoned" in line
    assert float(line.partition(" audio_s=")[2].split()[0]) < 60


def test_a_client_that_disconnects_before_a_whole_file_is_made_stops_the_synthesis(server):
    connection = server.connection()
    body = json.dumps({"input": LONG * 20, "response_format": "wav"})
    connection.request("POST", "/v1/audio/speech", body, {"X-Request-ID": "left-early"})
    # A client that disconnects earlier starts no synthesis at all.
    server.eventually(lambda: any(worker["speaking"] for worker in server.ask("GET", "/status").json()["workers"]))
    connection.close()

    server.eventually(lambda: "code=client_gone" in server.log())
    lines = [line for line in server.log().splitlines() if "event=speech." in line and "request_id=left-early" in line]
    # There is none if the text was still being read: then no sample was made.
    assert all("event=speech.abandoned" in line and float(line.partition(" audio_s=")[2].split()[0]) < 60 for line in lines)


def test_the_same_seed_gives_the_same_bytes_on_every_worker(server):
    answers = server.on_every_worker(lambda: server.speak("Same again.", seed=42))

    assert 4 == len(answers)
    assert 1 == len({answer.body for answer in answers.values()})
    assert {"42"} == {answer.headers["X-Seed"] for answer in answers.values()}


def test_without_a_seed_every_worker_speaks_differently(server):
    answers = server.on_every_worker(lambda: server.speak("Never the same."))

    assert 4 == len({answer.body for answer in answers.values()}) == len(answers)


def test_the_seed_in_the_response_reproduces_the_audio(server):
    drawn = server.speak("Once more.")
    again = server.speak("Once more.", seed=int(drawn.headers["X-Seed"]))

    assert drawn.body == again.body


def test_speed_changes_the_length(server):
    slow, plain, fast = (len(server.speak(TEXT, seed=1, speed=speed).body) for speed in (0.5, 1.0, 2.0))

    assert 1.99 < slow / plain < 2.01
    assert 0.49 < fast / plain < 0.51


def test_noise_and_pauses_can_be_set_in_the_request(server):
    without = [server.speak("One. Two.", seed=seed, noise_scale=0, noise_scale_duration=0).body for seed in (1, 2)]
    paused = [len(server.speak("One. Two.", seed=1, sentence_pause=pause).body) for pause in (0, 1.5)]

    assert without[0] == without[1]
    assert 2 * round(1.5 * 22050) == paused[1] - paused[0]


def test_a_long_first_sentence_starts_with_its_first_clause_in_every_mode(server):
    text = "When the rain had stopped at last, the river went back, and everybody who had left came home again by and by."
    events = events_of(server.speak(text, seed=3, stream_format="sse", timestamp_granularities=["sentence"]))
    marks = [event for event in events if event["type"] == "speech.audio.marks"]
    whole, streamed = (len(server.speak(text, seed=3, stream=stream).body) for stream in (False, True))

    assert ["When the rain had stopped at last,", 0, 0] == [marks[0]["text"], *(mark["sentence"] for mark in marks)]
    assert whole == streamed


def events_of(answer):
    assert "text/event-stream; charset=utf-8" == answer.headers["Content-Type"]
    blocks = answer.body.decode().split("\n\n")
    assert "" == blocks.pop()
    assert all(block.startswith("data: ") for block in blocks)
    return [json.loads(block[6:]) for block in blocks]


def test_events_contain_the_stream_and_end_with_the_usage(server):
    streamed = server.speak(TEXT, seed=8, response_format="pcm", stream=True)
    events = events_of(server.speak(TEXT, seed=8, response_format="pcm", stream_format="sse"))
    *deltas, done = events

    assert {"speech.audio.delta"} == {event["type"] for event in deltas}
    assert streamed.body == b"".join(base64.b64decode(event["audio"]) for event in deltas)
    assert "speech.audio.done" == done["type"]
    assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + done["usage"]["output_tokens"] > 0


def test_marks_precede_their_audio(server):
    text = "It was the 3rd time. Nobody had $3.50."
    asked = {"response_format": "pcm", "sample_rate": 22050, "timestamp_granularities": ["word", "phoneme"]}
    heard_s, marks = 0.0, []
    for event in events_of(server.speak(text, seed=8, stream_format="sse", **asked)):
        if event["type"] == "speech.audio.marks":
            assert heard_s <= event["start_s"] + 0.001
            marks.append(event)
        elif event["type"] == "speech.audio.delta":
            heard_s += len(base64.b64decode(event["audio"])) / 2 / 22050

    assert ["It", "was", "the", "3rd", "time"] == [word["text"] for word in marks[0]["words"]]
    assert ["Nobody", "had", "$3.50"] == [word["text"] for word in marks[1]["words"]]
    assert abs(heard_s - marks[1]["end_s"]) < 0.001
    assert len(marks[0]["phonemes"]) > 10


def test_captions_are_those_of_the_same_speech(server):
    body = {"input": "It was the 3rd time. Nobody had $3.50.", "seed": 8, "response_format": "wav"}
    captions = server.ask("POST", "/v1/audio/captions", body).json()
    speech = server.speak(body["input"], seed=8)

    assert abs(captions["duration_s"] - len(samples_of(speech)) / 22050) < 0.001
    assert [8, 22050] == [captions["seed"], captions["sample_rate"]]
    assert ["It was the 3rd time.", "Nobody had $3.50."] == [each["text"] for each in captions["sentences"]]
    assert "3rd" == captions["sentences"][0]["words"][3]["text"]


def test_captions_of_an_mp3_stream_include_the_silence_at_its_start(server):
    body = {"input": "It was the 3rd time.", "seed": 8}
    starts = [
        server.ask("POST", "/v1/audio/captions", {**body, **how}).json()["sentences"][0]["start_s"]
        for how in ({"response_format": "wav"}, {"response_format": "mp3", "stream": False}, {}, {"response_format": "aac"})
    ]

    assert [0.0, 0.0, round(1105 / 22050, 3), round(1024 / 22050, 3)] == starts


def test_captions_accept_openais_field_for_the_format(server):
    answer = server.ask("POST", "/v1/audio/captions", {"input": "It was the 3rd time.", "response_format": "srt"})

    assert answer.headers["Content-Type"].startswith("application/x-subrip")


def test_ignored_fields_are_named(server):
    answer = server.speak("Hello.", seed=1, sed=2, format="wav", **{"odd\r\nname": 1})

    assert "format, sed" == ", ".join(sorted(answer.headers["X-Ignored-Fields"].split(", ")))
    assert "X-Ignored-Fields" not in server.speak("Hello.", seed=1).headers


def test_a_trailing_slash_makes_no_difference(server):
    assert 200 == server.ask("POST", "/v1/audio/speech/", {"input": "Hello."}).status
    assert 404 == server.ask("GET", "/v1/audio/nothing/").status


@pytest.mark.parametrize(
    "form, media_type, begins", [("srt", "application/x-subrip", "1\n00:00"), ("vtt", "text/vtt", "WEBVTT\n")]
)
def test_captions_come_as_subtitles(server, form, media_type, begins):
    answer = server.ask("POST", "/v1/audio/captions", {"input": "It was the 3rd of May.", "caption_format": form})

    assert 200 == answer.status
    assert answer.headers["Content-Type"].startswith(media_type)
    assert answer.body.decode().startswith(begins)


@pytest.mark.parametrize("field, value", [
    ("sample_rate", 7999), ("sample_rate", 48001), ("sample_rate", "24k"), ("noise_scale", 2.1), ("noise_scale_duration", -1),
    ("sentence_pause", 11), ("timestamp_granularities", ["letter"]), ("timestamp_granularities", "words"),
    ("stream_format", "websocket"), ("response_format", "mp4"),
])  # fmt: skip
def test_values_out_of_bounds_are_refused_with_the_field(server, field, value):
    answer = server.speak("Hello.", **{field: value})

    assert 400 == answer.status
    assert field == answer.json()["error"]["param"]


def test_a_voice_can_be_an_object(server):
    assert 200 == server.speak("Hello.", voice={"id": "joe"}).status


def test_a_request_id_is_echoed_and_an_invalid_one_replaced(server):
    kept = server.ask("GET", "/livez", headers={"X-Request-ID": "abc-1.2"})
    replaced = server.ask("GET", "/livez", headers={"X-Request-ID": "a b;c" * 50})

    assert "abc-1.2" == kept.headers["X-Request-ID"]
    assert 16 == len(replaced.headers["X-Request-ID"])


def test_the_log_does_not_contain_the_text(server):
    server.speak("Xylophones are unmistakable.")
    server.ask("GET", "/api/tts?text=Zebras%20are%20unmistakable")

    assert "ylophone" not in server.log()
    assert "ebras" not in server.log()


def test_voices_and_models_are_listed(server):
    voices = server.ask("GET", "/v1/audio/voices").json()["voices"]
    models = server.ask("GET", "/v1/models").json()

    assert ["joe"] == [voice["id"] for voice in voices]
    assert "list" == models["object"]
    assert {"id", "object", "created", "owned_by", "release", "version"} == set(models["data"][0])


def test_the_coqui_endpoint_reads_query_form_and_header(server):
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
