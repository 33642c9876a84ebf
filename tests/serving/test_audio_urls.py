"""Audio by URL: a GET plays, repeats its bytes on every worker, has a HEAD, an ETag and parts."""

import io
import json
import wave
from pathlib import Path
from urllib.parse import quote, urlencode

import av
import pytest

from tests.support.browser import CHROMIUM, DRIVER
from tests.support.other_origin import other_origin

SHORT = "The quick brown fox jumps over the lazy dog."
LONG = " ".join([SHORT] * 5)
URLS = {
    "openai": f"/v1/audio/speech?response_format=wav&input={quote(SHORT)}",
    "coqui": f"/api/tts?text={quote(SHORT)}",
    "marytts": f"/process?INPUT_TEXT={quote(SHORT)}",
}
EVERY_URL = pytest.mark.parametrize("url", URLS.values(), ids=URLS)


@pytest.fixture
def spoken(server):
    """Return a function that says how many requests were spoken since the test began."""
    before = len(server.log())
    return lambda: server.log()[before:].count("event=speech.")


def speech(text=SHORT, **fields):
    return f"/v1/audio/speech?{urlencode({'input': text, **fields})}"


@EVERY_URL
def test_a_url_is_played_by_a_browser_and_repeats_its_bytes_on_every_worker(server, url):
    answers = list(server.on_every_worker(lambda: server.ask("GET", url)).values())
    first = answers[0]

    assert 4 == len(answers) and {200} == {answer.status for answer in answers}
    assert 1 == len({answer.body for answer in answers})
    assert 1 == len({answer.headers["ETag"] for answer in answers}) == len({answer.headers["X-Seed"] for answer in answers})
    assert 'inline; filename="speech.wav"' == first.headers["Content-Disposition"]
    assert ("audio/wav", "bytes", "no-cache") == tuple(
        first.headers[name] for name in ("Content-Type", "Accept-Ranges", "Cache-Control")
    )


def test_the_dialects_speak_the_same_text_with_the_same_voice_alike(server):
    assert 1 == len({server.ask("GET", url).body for url in URLS.values()})


def test_a_post_is_saved_and_is_different_each_time_without_a_seed(server):
    answers = [server.ask("POST", "/api/tts", f"text={quote(SHORT)}", {"Content-Type": "application/x-www-form-urlencoded"})
               for _ in range(2)]  # fmt: skip
    answers += [server.speak(SHORT) for _ in range(2)]

    assert 4 == len({answer.body for answer in answers})
    assert {'attachment; filename="speech.wav"'} == {answer.headers["Content-Disposition"] for answer in answers}
    assert not [answer for answer in answers if {"ETag", "Accept-Ranges"} & answer.headers.keys()]


def test_a_get_of_speech_has_the_fields_of_the_body(server):
    fields = {"seed": 7, "speed": 1.25, "sample_rate": 16000, "normalize": False, "response_format": "flac", "stream": True}
    query = urlencode({name: json.dumps(value).strip('"') for name, value in fields.items()})
    got = server.ask("GET", f"/v1/audio/speech?input={quote(SHORT)}&{query}&typo=1")
    posted = server.ask("POST", "/v1/audio/speech", {"input": SHORT, **fields})

    assert (200, "7", "16000", "typo") == (
        got.status, *(got.headers[name] for name in ("X-Seed", "X-Sample-Rate", "X-Ignored-Fields"))
    )  # fmt: skip
    assert got.body == posted.body and got.headers["ETag"] == posted.headers["ETag"]


@pytest.mark.parametrize("query, parameter", [
    ("", "input"), ("input=+", "input"), ("input=a&speed=9", "speed"), ("input=a&response_format=mp9", "response_format"),
    ("input=a&seed=x", "seed"), ("input=%FF", "input"),
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_bad_url_is_refused_as_a_bad_body(server, method, query, parameter):
    answer = server.ask(method, f"/v1/audio/speech?{query}")

    assert 400 == answer.status
    assert b"" == answer.body if method == "HEAD" else parameter == answer.json()["error"]["param"]


def test_a_get_is_streamed_as_a_post_is_unless_a_part_is_asked_for(server):
    streamed = server.ask("GET", speech())
    part = server.ask("GET", speech(), headers={"Range": "bytes=0-"})
    explicit = server.ask("GET", speech(stream="true"), headers={"Range": "bytes=0-"})
    events = server.ask("GET", speech(stream_format="sse"), headers={"Range": "bytes=0-"})

    assert [200, 206, 200, 200] == [answer.status for answer in (streamed, part, explicit, events)]
    assert "bytes" == part.headers["Accept-Ranges"] and "Transfer-Encoding" not in part.headers
    for answer in (streamed, explicit, events):
        assert ("none", "chunked") == (answer.headers["Accept-Ranges"], answer.headers["Transfer-Encoding"])
    assert part.headers["ETag"] != streamed.headers["ETag"] == explicit.headers["ETag"]
    assert "text/event-stream; charset=utf-8" == events.headers["Content-Type"]


@EVERY_URL
@pytest.mark.parametrize("field, start, stop", [
    ("0-", 0, None), ("0-1", 0, 2), ("40-50", 40, 51), ("50000-", 50_000, None), ("-1000", -1000, None),
    ("1000-99999999", 1000, None),
])  # fmt: skip
def test_a_part_has_the_bytes_of_the_whole(server, url, field, start, stop):
    whole = server.ask("GET", url)
    part = server.ask("GET", url, headers={"Range": f"bytes={field}"})
    first = start % len(whole.body)

    assert 206 == part.status and whole.body[start:stop] == part.body
    assert f"bytes {first}-{first + len(part.body) - 1}/{len(whole.body)}" == part.headers["Content-Range"]
    assert str(len(part.body)) == part.headers["Content-Length"]
    assert whole.headers["ETag"] == part.headers["ETag"]


@pytest.mark.parametrize("audio_format", ["mp3", "opus", "flac", "pcm"])
def test_the_parts_of_any_format_are_a_whole_file(server, audio_format):
    url = speech(response_format=audio_format)
    whole = server.ask("GET", url, headers={"Range": "bytes=0-"}).body
    parts = [server.ask("GET", url, headers={"Range": f"bytes={field}"}).body for field in ("0-4999", "5000-")]

    assert whole == b"".join(parts) == server.ask("GET", f"{url}&stream=false").body


@pytest.mark.parametrize("header", ["bytes=0-1,5-6", "items=0-1", "bytes=9-1", "nonsense"])
def test_other_ranges_get_the_whole(server, header):
    whole, answer = (server.ask("GET", URLS["coqui"], headers=each) for each in ({}, {"Range": header}))

    assert (200, whole.body) == (answer.status, answer.body)
    assert "Content-Range" not in answer.headers


@EVERY_URL
def test_a_range_behind_the_end_is_refused_with_the_size(server, url):
    size = len(server.ask("GET", url).body)
    answer = server.ask("GET", url, headers={"Range": f"bytes={size}-"})

    assert (416, f"bytes */{size}") == (answer.status, answer.headers["Content-Range"])
    assert f"the audio has {size} bytes" in answer.body.decode()


def test_the_rest_of_other_audio_is_not_sent(server):
    whole = server.ask("GET", URLS["coqui"])
    same, other = (
        server.ask("GET", URLS["coqui"], headers={"Range": "bytes=100-", "If-Range": tag})
        for tag in (whole.headers["ETag"], '"x"')
    )

    assert (206, whole.body[100:]) == (same.status, same.body)
    assert (200, whole.body) == (other.status, other.body)


@EVERY_URL
def test_a_head_request_is_answered_without_work(server, spoken, url):
    head = server.ask("HEAD", url)
    assert 0 == spoken()
    whole = server.ask("GET", url)

    assert (200, b"") == (head.status, head.body)
    assert not {"Content-Length", "Transfer-Encoding"} & head.headers.keys()
    own = {"Content-Length", "Date", "X-Request-ID"}
    described, sent = ({name: value for name, value in each.headers.items() if name not in own} for each in (head, whole))
    assert sent == described


@pytest.mark.parametrize("fields, content_type, rate", [
    ({}, "audio/mpeg", "22050"), ({"response_format": "opus"}, "audio/ogg", "48000"),
    ({"response_format": "pcm"}, "audio/pcm;rate=24000;channels=1", "24000"),
    ({"stream_format": "sse"}, "text/event-stream; charset=utf-8", "22050"),
])  # fmt: skip
def test_a_head_has_the_type_of_every_format(server, fields, content_type, rate):
    head = server.ask("HEAD", speech(**fields))

    assert (200, content_type, rate) == (head.status, head.headers["Content-Type"], head.headers["X-Sample-Rate"])


@EVERY_URL
def test_a_client_that_has_the_audio_costs_no_work(server, spoken, url):
    tag = server.ask("HEAD", url).headers["ETag"]
    kept = [server.ask(method, url, headers={"If-None-Match": f'"other", W/{tag}'}) for method in ("GET", "HEAD")]

    assert 0 == spoken()
    assert [(304, b"", tag)] * 2 == [(answer.status, answer.body, answer.headers["ETag"]) for answer in kept]
    assert {"no-cache"} == {answer.headers["Cache-Control"] for answer in kept}
    assert not [answer for answer in kept if {"Content-Length", "Transfer-Encoding"} & answer.headers.keys()]
    assert (200, 1) == (server.ask("GET", url, headers={"If-None-Match": '"other"'}).status, spoken())


def test_the_tag_depends_on_the_whole_request(server):
    fields = [
        {}, {"text": "Other."}, {"seed": 1}, {"speed": 1.5}, {"response_format": "flac"}, {"sample_rate": 16000},
        {"normalize": "false"}, {"sentence_pause": 1}, {"noise_scale": 0}, {"text_format": "markdown"},
        {"lexicon": '{"fox": "dog"}'}, {"stream": "true"},
    ]  # fmt: skip
    tags = [server.ask("HEAD", speech(**{"response_format": "wav", **each})).headers["ETag"] for each in fields]
    same = [
        {"speed": 1.0}, {"normalize": "true"}, {"sample_rate": 22050}, {"voice": "joe"}, {"voice": "alloy"}, {"model": "tts-1"},
    ]  # fmt: skip
    alike = {server.ask("HEAD", speech(response_format="wav", **each)).headers["ETag"] for each in same}

    assert len(fields) == len(set(tags))
    assert {tags[0]} == alike


def test_a_post_with_a_seed_has_a_tag_too(server, spoken):
    body = {"input": SHORT, "seed": 7, "response_format": "wav"}
    tag = server.ask("POST", "/v1/audio/speech", body).headers["ETag"]
    kept = server.ask("POST", "/v1/audio/speech", body, {"If-None-Match": tag})
    other = server.ask("POST", "/v1/audio/speech", {**body, "seed": 8}, {"If-None-Match": tag})
    unseeded = server.ask("POST", "/v1/audio/speech", {**body, "seed": None}, {"If-None-Match": "*"})

    assert (304, b"") == (kept.status, kept.body)
    assert [200, 200] == [other.status, unseeded.status] and 3 == spoken()
    assert "ETag" not in unseeded.headers


def test_audio_that_has_changed_is_refused_if_the_client_wants_no_other(server, spoken):
    refused = server.ask("GET", URLS["coqui"], headers={"If-Match": '"old"'})

    assert (412, 0) == (refused.status, spoken())


def test_a_changed_configuration_changes_the_tag_and_keeps_the_seed(server, start):
    slower = start(keys={"speech": {"length_scale": 1.3}}).ready()
    one, other = (each.ask("HEAD", URLS["coqui"]).headers for each in (server, slower))
    again = start().ready().ask("HEAD", URLS["coqui"]).headers

    assert one["ETag"] != other["ETag"]
    assert one["X-Seed"] == again["X-Seed"]


def test_ffmpeg_seeks_in_the_audio_of_a_url(server, spoken):
    url = f"http://127.0.0.1:{server.port}{speech(LONG, response_format='wav')}"
    whole = server.ask("GET", speech(LONG, response_format="wav")).body
    with wave.open(io.BytesIO(whole)) as file:
        duration_s = file.getnframes() / file.getframerate()
    with av.open(url) as container:
        container.seek(int(duration_s * 0.9 * av.time_base))
        frame = next(container.decode(audio=0))

    assert duration_s * 0.8 < frame.time < duration_s
    assert 3 <= spoken()  # the whole, its beginning, and the part from there


#: Resolves to what an <audio> element knows of a URL after it has gone to the last second of it.
SEEK = """
  const [url, done] = arguments;
  const audio = new Audio();
  audio.preload = "auto";
  const seekable_s = () => audio.seekable.length ? audio.seekable.end(audio.seekable.length - 1) : 0;
  audio.onerror = () => done(audio.error.message);
  audio.oncanplay = () => {
    audio.oncanplay = null;
    const { duration } = audio;
    if (!Number.isFinite(duration) || seekable_s() < duration) return done({ duration: `${duration}`, seekable_s: seekable_s() });
    audio.onseeked = () => audio.play();
    audio.onended = () => done({ duration, seekable_s: seekable_s(), ended_s: audio.currentTime });
    audio.currentTime = duration - 0.5;
  };
  audio.src = url;
"""


@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="Debian's chromium and chromium-driver are not installed")
def test_an_audio_element_seeks_in_a_url(chromium, server, tmp_path: Path):
    from tests.support.browser import close_tab, open_tab

    tab = open_tab(chromium, tmp_path / "downloads")
    with other_origin() as origin:
        tab.open(f"{origin}/")
        files = [speech(LONG, response_format="wav"), speech(LONG, response_format="mp3"), f"/api/tts?text={quote(LONG)}"]
        heard = [tab.driver.execute_async_script(SEEK, f"http://127.0.0.1:{server.port}{url}") for url in files]
        streamed = tab.driver.execute_async_script(SEEK, f"http://127.0.0.1:{server.port}{speech(LONG, stream='true')}")
        close_tab(chromium)

    for each in heard:
        assert each["duration"] > 10 and each["seekable_s"] == pytest.approx(each["duration"])
        assert each["ended_s"] == pytest.approx(each["duration"], abs=0.1)
    assert "Infinity" == streamed["duration"] and "ended_s" not in streamed
