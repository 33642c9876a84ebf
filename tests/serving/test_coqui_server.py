"""Coqui's own tts-server and ours with the same requests: status, type and length of the responses.

Both speak with durations without noise, which makes lengths comparable: Coqui's server has a copy of the
release with that setting, ours the key of the configuration.
"""

import dataclasses
import http.client
import io
import json
import shutil
import sys
import urllib.parse
import wave
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.benchmarks import servers
from tests.support.harness import Server

#: Coqui's server adds this pause after every sentence, also after the last; ours adds it between sentences.
PAUSE_SAMPLES = 10_000
TEXT = "Good morning to all of you."
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Request:
    """One request, for either server."""

    method: str
    path: str
    body: str | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def get(headers=None, **parameters):
    return Request("GET", f"/api/tts?{urllib.parse.urlencode(parameters)}", headers=headers or {})


def post(body, headers=None, path="/api/tts", **parameters):
    return Request("POST", f"{path}?{urllib.parse.urlencode(parameters)}", body, FORM if headers is None else headers)


def without_duration_noise(release, target):
    """Copy a release so that Coqui's loader finds its files and adds no noise to durations."""
    shutil.copytree(release, target)
    path = target / "config.json"
    config = json.loads(path.read_text())
    arguments = config["model_args"]
    arguments["inference_noise_scale_dp"] = 0.0
    for name in ("speakers_file", "language_ids_file"):
        if arguments.get(name):
            arguments[name] = str(target / Path(arguments[name]).name)
    path.write_text(json.dumps(config))
    return target


def coqui_server(release):
    """Coqui's server with a model directory, and with an espeak-ng that needs no installation."""
    files = ["--model_path", str(release / "model_file.pth"), "--config_path", str(release / "config.json")]
    command = [sys.executable, "-m", "tests.support.coqui_server", *files]
    return dataclasses.replace(servers.coqui(release), command=lambda port: [*command, "--port", str(port)])


@pytest.fixture(scope="module")
def both(write_config, joe_coqui_release, tmp_path_factory):
    """Coqui's server and ours with the embedded voice."""
    folder = tmp_path_factory.mktemp("coqui")
    with servers.started(coqui_server(without_duration_noise(joe_coqui_release, folder / "release")), folder) as theirs:
        voices = [{"name": "joe", "model_path": str(joe_coqui_release)}]
        ours = Server(write_config(voices=voices, speech={"noise_scale_duration": 0.0})).start().ready()
        theirs.wait_ready(theirs.kind.ready_path)
        yield theirs, ours
        ours.stop()


@pytest.fixture(scope="module")
def choirs(write_config, release_of, tmp_path_factory):
    """Both servers with a voice of three speakers and three languages."""
    folder, release = tmp_path_factory.mktemp("choir"), release_of("languages")
    with servers.started(coqui_server(without_duration_noise(release, folder / "release")), folder) as theirs:
        voices = [{"name": "choir", "model_path": str(release), "language": "en"}]
        ours = Server(write_config(voices=voices, speech={"noise_scale_duration": 0.0})).start().ready()
        theirs.wait_ready(theirs.kind.ready_path)
        yield theirs, ours
        ours.stop()


def answers(both, request):
    """Return status, type and body of both responses."""
    theirs, ours = both
    connections = [http.client.HTTPConnection(servers.HOST, port, timeout=60) for port in (theirs.port, ours.port)]
    found = []
    for connection in connections:
        connection.request(request.method, request.path, request.body, request.headers)
        answer = connection.getresponse()
        found.append((answer.status, answer.headers["Content-Type"], answer.read()))
        connection.close()
    return found


def samples(body):
    with wave.open(io.BytesIO(body)) as audio:
        assert (1, 2) == (audio.getnchannels(), audio.getsampwidth())
        return audio.getnframes(), audio.getframerate()


def equal_but_for_last_pause(theirs, ours, sentences=1):
    """Whether two WAV files have the same length in samples, apart from the pause at the end."""
    (their_samples, their_rate), (our_samples, our_rate) = samples(theirs), samples(ours)
    between = (sentences - 1) * round(0.45 * our_rate)
    assert their_rate == our_rate
    assert 0 < our_samples
    return their_samples - sentences * PAUSE_SAMPLES == our_samples - between


SPOKEN = {
    "by query": get(text=TEXT),
    "a very short text": get(text="a"),
    "a word": get(text="Hello"),
    "text of two languages": get(text="Hello, Gr\u00fc\u00dfe und caf\u00e9."),
    "empty ids": get(text=TEXT, speaker_id="", language_id="", style_wav="", speaker_wav=""),
    "an unknown speaker of a voice with one": get(text=TEXT, speaker_id="nobody"),
    "an unknown language of a voice with one": get(text=TEXT, language_id="xx"),
    "unknown parameters": get(text=TEXT, speed="9", voice="nobody"),
    "the text twice": Request("GET", "/api/tts?text=Good+morning.&text=Something+much+longer+than+that."),
    "by form": post(urllib.parse.urlencode({"text": TEXT})),
    "by multipart form": post(
        f'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n{TEXT}\r\n--x--\r\n',
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
    "by form and query, the query wins": post("text=Something+much+longer+than+that.", text="Good morning."),
    "by header": get({"text": TEXT}),
    "by header and query, the header wins": get({"text": "Good morning."}, text="Something much longer than that."),
    "by header and form, the header wins": post("text=Something+much+longer+than+that.", {**FORM, "text": "Good morning."}),
    "a blank header, the query counts": get({"text": ""}, text=TEXT),
    "headers for ids": get({"speaker-id": "nobody", "language-id": "xx"}, text=TEXT),
    "mary by query": Request("GET", "/process?" + urllib.parse.urlencode({"INPUT_TEXT": TEXT})),
    "mary by a body without a type": post(urllib.parse.urlencode({"INPUT_TEXT": TEXT}), {}, "/process"),
    "mary with all that its clients send": post(
        urllib.parse.urlencode({"INPUT_TEXT": TEXT, "INPUT_TYPE": "TEXT", "OUTPUT_TYPE": "AUDIO", "LOCALE": "en_US",
                                "AUDIO": "WAVE_FILE"}), {}, "/process",
    ),  # fmt: skip
}


@pytest.mark.parametrize("what", SPOKEN)
def test_the_same_request_gets_the_same_type_and_length(both, what):
    (their_status, their_type, theirs), (our_status, our_type, ours) = answers(both, SPOKEN[what])

    assert (200, "audio/wav") == (their_status, their_type) == (our_status, our_type)
    assert equal_but_for_last_pause(theirs, ours)


def test_pauses_between_sentences_have_the_same_length(both):
    request = get(text="One sentence is here. Another one follows it. And this is the third.")
    (_, _, theirs), (_, _, ours) = answers(both, request)

    assert equal_but_for_last_pause(theirs, ours, sentences=3)


REFUSED = {
    "no text": get(),
    "an empty text": get(text=""),
    "a blank text": get(text=" \n\t"),
    "a parameter of another name": get(TEXT="Hello"),
    "an empty form": post(""),
    "a blank form": post("text=+"),
    "JSON": post(json.dumps({"text": TEXT}), {"Content-Type": "application/json"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_request_without_text_is_refused_in_the_same_format(both, what):
    theirs, ours = answers(both, REFUSED[what])

    assert (400, "application/json") == theirs[:2] == ours[:2]
    assert ["error"] == list(json.loads(theirs[2])) == list(json.loads(ours[2]))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["/api/tts", "/process", "/locales", "/voices"])
def test_a_wrong_method_is_refused_with_the_same_status(both, method, path):
    assert [405, 405] == [status for status, *_ in answers(both, Request(method, f"{path}?text=Hello"))]


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing"])
def test_an_unknown_path_is_refused_with_the_same_status(both, path):
    assert [404, 404] == [status for status, *_ in answers(both, Request("GET", path))]


CHOSEN = {
    "by query": get(text=TEXT, speaker_id="walter", language_id="fr-fr"),
    "by form": post(urllib.parse.urlencode({"text": TEXT, "speaker_id": "p225", "language_id": "pt-br"})),
    "by header": get({"speaker-id": "Ada", "language-id": "en"}, text=TEXT),
    "by header, which wins": get({"speaker-id": "Ada", "language-id": "fr-fr"}, text=TEXT, speaker_id="x", language_id="x"),
    "in the language of the configuration": get(text=TEXT, speaker_id="walter"),
}


@pytest.mark.parametrize("what", CHOSEN)
def test_speakers_and_languages_are_selected_in_the_same_way(choirs, what):
    (their_status, their_type, theirs), (our_status, our_type, ours) = answers(choirs, CHOSEN[what])

    assert (200, "audio/wav") == (their_status, their_type) == (our_status, our_type)
    assert equal_but_for_last_pause(theirs, ours)


@pytest.mark.parametrize("path", ["/locales", "/voices"])
def test_mary_listings_are_plain_text_and_include_the_kind_of_voice(both, path):
    (their_status, their_type, theirs), (our_status, our_type, ours) = answers(both, Request("GET", path))

    assert [200, 200] == [their_status, our_status]
    assert ("text/html; charset=utf-8", "text/plain; charset=utf-8") == (their_type, our_type)
    words = {"/locales": (1, 1), "/voices": (3, 4)}[path]
    assert words == (len(theirs.decode().split()), len(ours.decode().split()))


@pytest.mark.parametrize(
    "request_, theirs, ours",
    [
        (get(text="Hi", style_wav="/etc/passwd"), 500, 400),
        (get(text="Hi", style_wav="not JSON"), 500, 400),
        (get(text="Hi", style_wav='{"0": 0.1}'), 200, 200),
        (post("INPUT_TEXT=Hi&VOICE=cmu-slt-hsmm", {}, "/process"), 500, 200),
        (Request("GET", "/process"), 500, 400),
        (Request("GET", "/process?INPUT_TEXT="), 500, 400),
    ],
)
def test_client_errors_that_are_a_500_of_coqui_are_a_400_with_the_reason(both, request_, theirs, ours):
    assert [theirs, ours] == [status for status, *_ in answers(both, request_)]


@pytest.mark.parametrize(
    "parameters", [{"speaker_id": "nobody"}, {"speaker_id": "walter", "language_id": "xx"}]
)
def test_an_unknown_name_that_is_a_500_of_coqui_is_a_400_with_the_known_names(choirs, parameters):
    theirs, ours = answers(choirs, get(text=TEXT, **parameters))

    assert [500, 400] == [theirs[0], ours[0]]
    assert "known" in json.loads(ours[2])["error"]


def test_a_speaker_in_other_letter_case_that_is_a_500_of_coqui_is_found(choirs):
    assert [500, 200] == [status for status, *_ in answers(choirs, get(text=TEXT, speaker_id="ada"))]


def test_a_missing_speaker_that_is_a_500_of_coqui_is_the_default_speaker(choirs):
    assert [500, 200] == [status for status, *_ in answers(choirs, get(text=TEXT))]


@pytest.mark.parametrize(
    "request_",
    [
        get(text="Hi", speaker_wav="/etc/passwd"),
        get({"speaker-wav": "/etc/passwd"}, text="Hi"),
        get(text="Hi", speaker_id="../../etc/passwd"),
        Request("GET", "/api/tts?text=%FF%FE"),
        Request("GET", "/process?INPUT_TEXT=Hi&INPUT_TYPE=SSML"),
        Request("GET", "/process?INPUT_TEXT=Hi&AUDIO=AU_FILE"),
    ],
)
def test_requests_that_coqui_answers_with_other_speech_are_refused(both, request_):
    """Unreadable or ignored file names, bytes that are not text, unsupported formats."""
    assert [200, 400] == [status for status, *_ in answers(both, request_)]


@pytest.mark.parametrize("path", ["/api/tts?text=Hello", "/process?INPUT_TEXT=Hello"])
def test_head_requests_are_answered(both, path):
    assert [200, 200] == [status for status, *_ in answers(both, Request("HEAD", path))]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_header_in_utf8_or_latin_1_is_read(both, encoding):
    text = "Gr\u00fc\u00dfe und caf\u00e9."
    theirs, ours = answers(both, Request("GET", "/api/tts", headers={"text": text.encode(encoding)}))
    expected = answers(both, get(text=text))[1]

    assert samples(expected[2]) == samples(ours[2])
    assert equal_but_for_last_pause(theirs[2], ours[2]) == (encoding == "latin-1")
