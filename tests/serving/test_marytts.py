"""MaryTTS's dialect: Home Assistant's own client, its exact bytes, and other requests of MaryTTS clients."""

import io
import urllib.parse
import wave

import pytest
import speak2mary

from tests.support.checkpoints import SPEAKERS

TEXT = "The quick brown fox."
#: Voices of the server of these tests.
CHOIR = ("joe", "choir", "la  roboto")


def process(server, method="POST", **parameters):
    encoded = urllib.parse.urlencode({"INPUT_TEXT": TEXT, **parameters})
    return server.ask(method, "/process", encoded) if method == "POST" else server.ask(method, f"/process?{encoded}")


def duration_s(body):
    with wave.open(io.BytesIO(body)) as audio:
        return audio.getnframes() / audio.getframerate()


def spoken_again(server, answer, **fields):
    return server.speak(TEXT, seed=int(answer.headers["X-Seed"]), response_format="wav", **fields).body


def test_home_assistants_client_works_with_its_defaults(choir):
    """Its defaults: voice cmu-slt-hsmm, locale en_US, codec WAVE_FILE."""
    spoken = speak2mary.MaryTTS("127.0.0.1", choir.port).speak(TEXT)

    assert 1 < duration_s(spoken) < 3


def test_the_rate_effect_of_home_assistant_changes_the_length(choir):
    client = speak2mary.MaryTTS("127.0.0.1", choir.port, voice="joe")
    plain, slow = (duration_s(client.speak(TEXT, effects)) for effects in ({}, {"Rate": "durScale:2.0;"}))

    assert 1.6 < slow / plain < 2.3


def test_home_assistants_client_shows_the_error(choir):
    with pytest.raises(Exception, match="400 - BAD REQUEST: 'b'INPUT_TEXT is blank; send the text to be spoken"):
        speak2mary.MaryTTS("127.0.0.1", choir.port).speak(" ")
    with pytest.raises(Exception, match="400 - BAD REQUEST: .*AUDIO is 'AU_FILE', expected WAVE_FILE"):
        speak2mary.MaryTTS("127.0.0.1", choir.port, codec="AU_FILE").speak(TEXT)


def test_home_assistants_request_without_a_content_type_is_accepted(choir):
    """The request of speak2mary 1.5.0, exact except for the port."""
    body = (
        b"INPUT_TEXT=Gr%C3%BC%C3%9Fe+%26+Kisses&OUTPUT_TYPE=AUDIO&INPUT_TYPE=TEXT&LOCALE=en_US&AUDIO=WAVE_FILE"
        b"&VOICE=cmu-slt-hsmm&effect_Volume_selected=on&effect_Volume_parameters=amount%3A2.0%3B"
    )
    connection = choir.connection()
    connection.connect()
    connection.sock.sendall(
        b"POST /process HTTP/1.1\r\nHost: localhost:59125\r\nAccept-Encoding: identity\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    with connection.sock.makefile("rb") as answer:
        head, _, audio = answer.read().partition(b"\r\n\r\n")
    connection.close()

    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"Content-Type: audio/wav" in head
    assert 0.8 < duration_s(audio) < 4


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "parameters, fields",
    [
        ({}, {"voice": "joe"}),
        ({"VOICE": "alloy"}, {"voice": "joe"}),
        ({"VOICE": "choir"}, {"voice": "choir"}),
        ({"VOICE": "Choir"}, {"voice": "choir"}),
        ({"VOICE": "choir#walter"}, {"voice": "choir", "speaker": "walter"}),
        ({"VOICE": "walter", "LOCALE": "fr_FR"}, {"voice": "choir", "speaker": "walter", "language": "fr-fr"}),
        ({"VOICE": "choir", "LOCALE": "pt"}, {"voice": "choir", "language": "pt-br"}),
        ({"VOICE": "choir", "LOCALE": "ja"}, {"voice": "choir"}),
        ({"VOICE": "la_roboto"}, {"voice": "la  roboto"}),
        ({"VOICE": "la  roboto", "LOCALE": "en_US"}, {"voice": "la  roboto"}),
        ({"VOICE": "nobody"}, {"voice": "joe"}),
        ({"VOICE": "choir#nobody"}, {"voice": "joe"}),
        ({"VOICE": "nobody", "LOCALE": "fr"}, {"voice": "choir", "language": "fr-fr"}),
        ({"LOCALE": "en_GB"}, {"voice": "joe"}),
        ({"LOCALE": "eo"}, {"voice": "la  roboto"}),
        ({"LOCALE": "ja_JP"}, {"voice": "joe"}),
    ],
)
def test_voice_and_locale_select_the_voice(choir, method, parameters, fields):
    answer = process(choir, method, **parameters)

    assert 200 == answer.status, answer.body
    assert answer.body == spoken_again(choir, answer, **fields)


@pytest.mark.parametrize(
    "scale, speed", [("durScale:0.5;", 2.0), ("durScale:0.25", 4.0), (" durScale: 4.0; ", 0.25), (None, 2 / 3)]
)
def test_the_rate_effect_is_a_factor_of_the_length(choir, scale, speed):
    given = {} if scale is None else {"effect_Rate_parameters": scale}
    answer = process(choir, VOICE="joe", effect_Rate_selected="on", **given)

    assert answer.body == spoken_again(choir, answer, voice="joe", speed=speed)


def test_an_effect_that_is_not_selected_or_unknown_is_ignored(choir):
    answer = process(choir, VOICE="joe", effect_Rate_selected="", effect_Rate_parameters="durScale:3.0;",
                     effect_Robot_selected="on", effect_Robot_parameters="amount:100.0;")  # fmt: skip

    assert answer.body == spoken_again(choir, answer, voice="joe")


@pytest.mark.parametrize(
    "parameters, named",
    [
        ({"INPUT_TEXT": ""}, "INPUT_TEXT"),
        ({"INPUT_TEXT": "\0"}, "INPUT_TEXT"),
        ({"INPUT_TYPE": "RAWMARYXML"}, "INPUT_TYPE"),
        ({"INPUT_TYPE": "SSML"}, "INPUT_TEXT"),
        ({"INPUT_TEXT": "<speak>\n<blink/></speak>"}, "INPUT_TEXT: line 2, column 1"),
        ({"OUTPUT_TYPE": "REALISED_DURATIONS"}, "OUTPUT_TYPE"),
        ({"AUDIO": "AIFF_FILE"}, "AUDIO"),
        ({"AUDIO": "../x"}, "AUDIO"),
        ({"VOICE": "../../etc/passwd"}, "VOICE"),
        ({"VOICE": "C:\\voices\\mine.wav"}, "VOICE"),
        ({"effect_Rate_selected": "on", "effect_Rate_parameters": "durScale:0.1;"}, "effect_Rate_parameters"),
        ({"effect_Rate_selected": "on", "effect_Rate_parameters": "durScale:9;"}, "effect_Rate_parameters"),
        ({"effect_Rate_selected": "on", "effect_Rate_parameters": "durScale:nan"}, "effect_Rate_parameters"),
        ({"effect_Rate_selected": "on", "effect_Rate_parameters": "amount:1"}, "effect_Rate_parameters"),
    ],
)
def test_unsupported_parameters_are_refused_in_one_line(choir, parameters, named):
    answer = process(choir, **parameters)

    assert 400 == answer.status
    assert answer.body.decode().startswith(named) and answer.body.count(b"\n") == 1
    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]


@pytest.mark.parametrize("body", [b"INPUT_TEXT=%FF%FE", b"INPUT_TEXT=\xff\xfe", b"", b"=", b"&&&", b"INPUT_TEXT", b"\0"])
def test_a_body_without_a_text_is_a_400(choir, body):
    assert 400 == choir.ask("POST", "/process", body).status


def test_every_voice_and_speaker_is_listed_by_a_name_without_spaces_that_works(choir):
    answer = choir.ask("GET", "/voices")
    lines = answer.body.decode().splitlines()

    assert "text/plain; charset=utf-8" == answer.headers["Content-Type"]
    assert {"joe en_US u other", "la_roboto eo u other", *(f"choir#{name} en u other" for name in SPEAKERS)} == set(lines)
    assert 5 == len(lines)
    for line in lines:
        assert 200 == process(choir, VOICE=line.split(" ")[0]).status


def test_languages_are_listed_in_marys_format_and_each_works(choir):
    locales = choir.ask("GET", "/locales").body.decode().splitlines()

    assert {"en_US", "en", "fr_FR", "pt_BR", "eo"} == set(locales) and 5 == len(locales)
    assert {200} == {process(choir, LOCALE=locale).status for locale in locales}


def test_version_and_capabilities_are_reported(choir):
    said = {path: choir.ask("GET", path).body.decode() for path in ("/version", "/audioformats", "/datatypes")}

    assert said["/version"].startswith("Chorus ")
    assert "WAVE_FILE\n" == said["/audioformats"]
    assert "TEXT INPUT\nSSML INPUT\nAUDIO OUTPUT\n" == said["/datatypes"]
