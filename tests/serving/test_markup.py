"""Markup over HTTP: SSML, Markdown and pauses in every dialect, with their fields, headers and errors."""

import io
import json
import urllib.parse
import wave

import numpy as np
import pytest
import webvtt

from loader.config.settings import Limits

#: Voices of the server of these tests.
CHOIR = ("joe", "choir")
RATE_HZ = 22050
SSML = "<speak>Yes<break time='700ms'/> and no.</speak>"
SSML_TYPE = {"Content-Type": "application/ssml+xml"}


def samples(answer):
    assert 200 == answer.status, answer.body
    with wave.open(io.BytesIO(answer.body)) as audio:
        return np.frombuffer(audio.readframes(audio.getnframes()), "<i2")


def longest_silence_s(answer):
    """Return it to a tenth: the voice's own samples around a pause may be 0 too, for 10 ms with some seeds."""
    sounds = np.flatnonzero(np.concatenate([[1], samples(answer), [1]]))
    return round(int(np.diff(sounds).max()) / RATE_HZ, 1)


def captions(server, text, **fields):
    return server.ask("POST", "/v1/audio/captions", {"input": text, "response_format": "wav", "seed": 1, **fields})


def events(answer):
    return [json.loads(line.removeprefix("data: ")) for line in answer.body.decode().split("\n\n") if line]


def refusal(answer):
    error = answer.json()["error"]
    return answer.status, error["code"], error["param"], error["message"]


def test_ssml_is_spoken_in_any_format_but_plain(choir):
    for fields in ({}, {"text_format": "ssml"}, {"text_format": "markdown"}):
        assert 0.7 == longest_silence_s(choir.speak(SSML, seed=1, **fields))
    assert longest_silence_s(choir.speak(SSML, seed=1, text_format="plain")) < 0.5


def test_markdown_is_read_without_its_signs(choir):
    written = "# A title\n\nSome *text* with [a link](http://example.org).\n\n- one\n- two"
    shown = captions(choir, written, text_format="markdown").json()["sentences"]

    assert ["A title", "Some text with a link.", "one", "two"] == [sentence["text"] for sentence in shown]
    assert ["A", "title"] == [word["text"] for word in shown[0]["words"]]


@pytest.mark.parametrize("text_format", ["plain", "markdown"])
def test_a_tag_for_a_pause_is_read_if_the_server_does_not_know_it(choir, text_format):
    answer = captions(choir, "Yes [pause:2s] no.", text_format=text_format)

    assert "pause" in answer.json()["sentences"][0]["text"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text_format": "html"}, "text_format: expected one of plain, markdown, ssml; found 'html'"),
        ({"ssml": "loose"}, "ssml: expected one of strict, lenient; found 'loose'"),
    ],
)
def test_an_unknown_format_is_refused_with_the_known_ones(choir, fields, message):
    status, code, parameter, found = refusal(choir.speak("Hi", **fields))

    assert (400, "invalid_value", next(iter(fields))) == (status, code, parameter)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<speak>a\n b <blink>c</blink></speak>", "input: line 2, column 4: <blink> is not supported; "),
        ("<speak>\n<break time='soon'/></speak>", "input: line 2, column 8: <break> has time='soon'; "),
        ("<speak>a</p></speak>", "input: line 1, column 11: not well formed"),
        ("<speak><audio src='x.wav'/></speak>", "input: line 1, column 8: <audio> is not supported; "),
        ("<speak>" + "<p>" * 40 + "</speak>", "input: line 1, column 101: tags nest deeper than 32; "),
    ],
)
def test_wrong_markup_is_refused_with_its_line_and_its_column(choir, text, message):
    for answer in (choir.speak(text), captions(choir, text), choir.speak(text, stream_format="sse")):
        status, code, parameter, found = refusal(answer)
        assert (400, "invalid_markup", "input") == (status, code, parameter)
        assert found.startswith(message)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("<voice name='Nobody'>b</voice>", "speaker_not_found", "voice 'joe' has no speaker named 'Nobody'; it has one speaker"),
        ("<voice name='choir'>b</voice>", "invalid_value", "<voice> names 'choir', and this request has the voice 'joe'; "),
        ("<lang xml:lang='fr'>b</lang>", "language_not_found", "voice 'joe' does not speak 'fr'; known languages: en-us"),
    ],
)
def test_what_the_voice_does_not_have_is_refused(choir, text, code, message):
    text = f"<speak>a {text}</speak>"
    for answer in (choir.speak(text, voice="joe"), captions(choir, text, voice="joe"), choir.speak(text, stream=True)):
        status, named, parameter, found = refusal(answer)
        assert (400, code, "input") == (status, named, parameter)
        assert found.startswith(message)


def test_unknown_phonemes_are_named(choir):
    status, _code, parameter, found = refusal(choir.speak("<speak>a <phoneme ph='☃'>b</phoneme></speak>", voice="joe"))

    assert (400, "input") == (status, parameter)
    assert found.startswith("the phonemes of 'b' have symbols that voice 'joe' does not have: ☃; ")


def test_a_voice_of_the_markup_may_be_the_voice_itself_or_its_speaker(choir):
    for name in ("joe", "alloy"):
        assert 200 == choir.speak(f"<speak><voice name='{name}'>Hi.</voice></speak>", voice="alloy").status
    asked = choir.speak("Hi.", voice="choir", speaker="walter", seed=1)
    assert asked.body == choir.speak("<speak><voice name='walter'>Hi.</voice></speak>", voice="choir", seed=1).body


def test_ignored_markup_is_named_in_a_header(choir):
    text = "<speak><emphasis>Yes</emphasis> <blink é='x'>and</blink> <prosody pitch='high'>no</prosody>.</speak>"
    lenient = choir.speak(text, ssml="lenient", seed=1)

    assert "emphasis, blink, prosody pitch" == lenient.headers["X-Ignored-Markup"]
    assert lenient.body == choir.speak("Yes and no.", seed=1).body
    assert "emphasis" == choir.speak("<speak><emphasis>Yes</emphasis></speak>").headers["X-Ignored-Markup"]
    assert "emphasis" == captions(choir, "<speak><emphasis>Yes</emphasis></speak>").headers["X-Ignored-Markup"]
    assert "X-Ignored-Markup" not in choir.speak(SSML).headers


def test_a_name_of_ignored_markup_cannot_write_into_the_header(choir):
    tags = "".join(f"<t{number}{'é' * 100}>a</t{number}{'é' * 100}>" for number in range(40))
    answer = choir.speak(f"<speak>a {tags}</speak>", ssml="lenient")

    assert 200 == answer.status
    assert 20 == len(answer.headers["X-Ignored-Markup"].split(", "))
    assert answer.headers["X-Ignored-Markup"].isascii()


@pytest.mark.parametrize(
    ("text", "fields", "status", "code"),
    [
        ("<speak>" + "a" * 20_001 + "</speak>", {}, 413, "string_above_max_length"),
        ("*a* " * 15_001, {"text_format": "markdown"}, 413, "string_above_max_length"),
        ("<speak>a<break time='3601s'/>b</speak>", {}, 413, "silence_too_long"),
        ("<speak>" + "<s>a</s><break time='9s'/>" * 300 + "</speak>", {"sentence_pause": 5}, 413, "silence_too_long"),
        ("<speak>" + "<p/>" * 5_000 + "</speak>", {}, 400, "invalid_markup"),
        ('<!DOCTYPE a [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><speak>&c;</speak>', {"text_format": "ssml"}, 400, "invalid_markup"),
        ("<speak>a&#7;</speak>", {}, 400, "invalid_markup"),
        ("<speak>" + "&amp;" * 60_000 + "</speak>", {}, 413, "body_too_large"),
    ],
    ids=["text", "markdown", "pause", "pauses", "tags", "entities", "control", "body"],
)
def test_markup_over_a_bound_is_refused(choir, text, fields, status, code):
    assert (status, code) == refusal(choir.speak(text, voice="joe", **fields))[:2]


def test_tags_are_not_counted_as_text(choir):
    text = "<speak>" + "<break time='1ms'/>" * 1_200 + "Yes.</speak>"
    assert len(text) > Limits().text_characters

    assert 200 == choir.speak(text, voice="joe").status


def test_marks_are_in_json_captions_at_the_beginning_of_the_next_word(choir):
    text = "<speak><mark name='a'/>One <mark name='b'/>two.<break time='1s'/><mark name='end'/></speak>"
    document = captions(choir, text).json()
    words = [word for sentence in document["sentences"] for word in sentence["words"]]

    first, second, last = document["marks"]
    assert [{"name": "a", "time_s": words[0]["start_s"]}, {"name": "b", "time_s": words[1]["start_s"]}] == [first, second]
    assert "end" == last["name"]
    assert words[1]["end_s"] < last["time_s"] < document["duration_s"]
    assert "marks" not in captions(choir, "One two.").json()


def test_marks_have_the_time_of_the_player(choir):
    text = "<speak>One <mark name='b'/>two.</speak>"
    raw, played = (captions(choir, text, response_format=each).json() for each in ("wav", "mp3"))

    assert played["marks"][0]["time_s"] == played["sentences"][0]["words"][1]["start_s"]
    assert played["marks"][0]["time_s"] - raw["marks"][0]["time_s"] > 0.02


@pytest.mark.parametrize("granularities", [None, ["word"], ["sentence"]])
def test_marks_are_in_the_events_of_their_utterance(choir, granularities):
    text = "<speak>Zero.<s>One <mark name='b'/>two.</s><break time='1s'/><mark name='end'/></speak>"
    fields = {} if granularities is None else {"timestamp_granularities": granularities}
    sent = events(choir.speak(text, stream_format="sse", seed=1, response_format="wav", **fields))
    marked = [event for event in sent if event["type"] == "speech.audio.marks"]
    expected = captions(choir, text).json()["marks"]

    assert expected == [mark for event in marked for mark in event.get("marks", [])]
    assert ["b"] == [mark["name"] for event in marked if event["text"] == "One two." for mark in event["marks"]]
    assert (3 if granularities else 2) == len(marked)
    assert (granularities == ["word"]) == any("words" in event for event in marked)


def test_a_text_without_marks_has_no_event_of_them(choir):
    sent = events(choir.speak(SSML, stream_format="sse"))

    assert {"speech.audio.delta", "speech.audio.done"} == {event["type"] for event in sent}


@pytest.mark.parametrize("caption_format", ["srt", "vtt"])
def test_a_silence_at_the_end_is_no_cue(choir, caption_format):
    text = "<speak>One two.<break time='2s'/></speak>"
    body = captions(choir, text, caption_format=caption_format).body.decode()
    (cue,) = webvtt.from_buffer(io.StringIO(body), format=caption_format)

    assert "One two." == cue.raw_text
    assert body == captions(choir, "One two.", caption_format=caption_format).body.decode()


def test_a_silence_at_the_end_is_in_the_duration_and_in_no_sentence(choir):
    alone, followed = (captions(choir, text).json() for text in ("One two.", "<speak>One two.<break time='2s'/></speak>"))

    assert alone["sentences"] == followed["sentences"]
    assert 2.0 == pytest.approx(followed["duration_s"] - alone["duration_s"], abs=0.002)
    audio = samples(choir.speak("<speak>One two.<break time='2s'/></speak>", seed=1))
    assert followed["duration_s"] == pytest.approx(audio.size / RATE_HZ, abs=0.002)


def test_a_pause_alone_is_that_silence(choir):
    text = "<speak><break time='1.5s'/></speak>"
    spoken, document = choir.speak(text), captions(choir, text)

    assert round(1.5 * RATE_HZ) == samples(spoken).size
    assert "X-Unspeakable" not in spoken.headers
    assert (1.5, []) == (document.json()["duration_s"], document.json()["sentences"])
    assert "" == captions(choir, text, caption_format="srt").body.decode()
    assert ["WEBVTT"] == captions(choir, text, caption_format="vtt").body.decode().split()
    for audio_format in ("mp3", "opus", "aac", "flac", "pcm"):
        assert choir.speak(text, response_format=audio_format).body


@pytest.mark.parametrize(
    ("text", "text_format"),
    [("<speak></speak>", "ssml"), ("<speak> … </speak>", "ssml"), ("---", "markdown"), ("[](x)", "markdown")],
)
def test_markup_without_any_sound_follows_the_rule_of_texts(choir, text, text_format):
    answer = choir.speak(text, text_format=text_format)

    assert "the text has no sound" == answer.headers["X-Unspeakable"]
    assert round(0.2 * RATE_HZ) == samples(answer).size


def test_a_body_of_ssml_has_its_other_fields_in_the_query(choir):
    expected = choir.speak(SSML, voice="joe", seed=1, speed=1.5, sentence_pause=0.1, normalize=False).body
    query = urllib.parse.urlencode(
        {"voice": "joe", "response_format": "wav", "seed": 1, "speed": 1.5, "sentence_pause": 0.1, "normalize": "false"}
    )
    for content_type in ("application/ssml+xml", "application/ssml+xml; charset=utf-8", "Application/SSML+XML"):
        answer = choir.ask("POST", f"/v1/audio/speech?{query}", SSML, {"Content-Type": content_type})
        assert expected == answer.body
        assert "X-Ignored-Fields" not in answer.headers


def test_a_body_of_ssml_has_captions_too(choir):
    text = "<?xml version='1.0' encoding='UTF-8'?>\n<speak>Grüße <mark name='a'/>you.</speak>"
    path = "/v1/audio/captions?seed=1&response_format=wav&timestamp_granularities=word,phoneme"
    document = choir.ask("POST", path, text.encode(), SSML_TYPE).json()

    assert captions(choir, text, timestamp_granularities=["word", "phoneme"]).json() == document
    assert ["Grüße", "you"] == [word["text"] for word in document["sentences"][0]["words"]]
    assert document["sentences"][0]["phonemes"] and document["marks"]
    srt = choir.ask("POST", "/v1/audio/captions?caption_format=srt", text.encode(), SSML_TYPE)
    assert srt.headers["Content-Type"].startswith("application/x-subrip")


@pytest.mark.parametrize(
    ("query", "body", "parameter", "message"),
    [
        ("speed=9", SSML, "speed", "speed: expected a number from 0.25 to 4.0, found 9"),
        ("speed=fast", SSML, "speed", "speed: expected a number from 0.25 to 4.0, found 'fast'"),
        ("speed=NaN", SSML, "speed", "speed: expected a number from 0.25 to 4.0, found 'NaN'"),
        ("seed=1.5", SSML, "seed", "seed: expected "),
        ("stream=maybe", SSML, "stream", "stream: expected "),
        ("timestamp_granularities=word,letter", SSML, "timestamp_granularities", "timestamp_granularities: expected "),
        ("response_format=mp4", SSML, "response_format", "response_format is 'mp4'"),
        ("voice=nobody", SSML, "voice", "no voice named 'nobody'"),
        ("input=Hi", SSML, "input", "input: the body is the SSML"),
        ("text_format=plain", SSML, "text_format", "text_format: the body is the SSML"),
        ("", "", "input", "input is blank"),
        ("", "<p>a</p>", "input", "input: line 1, column 1: <p> cannot be the root"),
        ("", "plain", "input", "input: line 1, column 1: not well formed"),
        ("", b"<speak>\xff</speak>", None, "the body is not UTF-8 (byte 7)"),
        ("voice=%ff", SSML, "input", "the parameters are not UTF-8"),
    ],
)
def test_a_wrong_query_or_body_of_ssml_is_refused_as_json_is(choir, query, body, parameter, message):
    for path in ("speech", "captions"):
        status, _code, named, found = refusal(choir.ask("POST", f"/v1/audio/{path}?{query}", body, SSML_TYPE))
        assert (400, parameter) == (status, named)
        assert found.startswith(message), found


def test_an_unknown_field_of_the_query_is_named(choir):
    answer = choir.ask("POST", "/v1/audio/speech?sped=2&ssml=lenient", "<speak>Hi. <x/></speak>", SSML_TYPE)

    assert ("sped", "x") == (answer.headers["X-Ignored-Fields"], answer.headers["X-Ignored-Markup"])


def test_a_lexicon_is_an_object_in_the_query_too(choir):
    query = urllib.parse.urlencode({"response_format": "wav", "seed": 1, "voice": "joe", "lexicon": '{"SQL": "sequel"}'})
    answer = choir.ask("POST", f"/v1/audio/speech?{query}", "<speak>SQL is fine.</speak>", SSML_TYPE)

    assert choir.speak("sequel is fine.", seed=1, voice="joe").body == answer.body
    assert (400, "lexicon") == refusal(choir.ask("POST", "/v1/audio/speech?lexicon=SQL", SSML, SSML_TYPE))[::2][:2]


def test_the_query_does_not_count_for_a_body_of_json(choir):
    answer = choir.ask("POST", "/v1/audio/speech?response_format=wav", {"input": "Hi."}, {"Content-Type": "application/json"})

    assert "audio/mpeg" == answer.headers["Content-Type"]


def test_markup_is_explained(choir):
    text = "<speak><emphasis>See</emphasis> <sub alias='World Wide Web'>W3C</sub> <break/>&amp; more.</speak>"
    query = urllib.parse.urlencode({"input": text, "voice": "joe"})
    got = choir.ask("GET", f"/v1/audio/explain?{query}")
    posted = choir.ask("POST", "/v1/audio/explain?voice=joe", text, SSML_TYPE)
    (sentence,) = got.json()["sentences"]

    assert "See W3C & more." == sentence["written"]
    assert ["World Wide Web"] == [word["spoken"] for word in sentence["words"] if word["source"] == "markup"]
    assert got.json() == posted.json()
    assert "emphasis" == got.headers["X-Ignored-Markup"]
    markdown = choir.ask("POST", "/v1/audio/explain", {"input": "# One\n\n*two*", "text_format": "markdown"}).json()
    assert ["One", "two"] == [sentence["written"] for sentence in markdown["sentences"]]


def test_other_dialects_take_ssml(choir):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    ask = {
        "tts": choir.ask("GET", f"/api/tts?{urllib.parse.urlencode({'text': SSML})}"),
        "form": choir.ask("POST", "/api/tts", urllib.parse.urlencode({"text": SSML}), form),
        "text": choir.ask("POST", "/process", urllib.parse.urlencode({"INPUT_TEXT": SSML})),
        "ssml": choir.ask("POST", "/process", urllib.parse.urlencode({"INPUT_TEXT": SSML, "INPUT_TYPE": "SSML"})),
    }
    assert dict.fromkeys(ask, 0.7) == {name: longest_silence_s(answer) for name, answer in ask.items()}


def test_other_dialects_refuse_wrong_markup_in_their_form(choir):
    text = urllib.parse.urlencode({"text": "<speak>\n<blink/></speak>"})
    refused = choir.ask("GET", f"/api/tts?{text}")

    assert 400 == refused.status
    assert refused.json()["error"].startswith("text: line 2, column 1: <blink> is not supported")
    assert 400 == choir.ask("POST", "/process", "INPUT_TEXT=Hi&INPUT_TYPE=SSML").status
    refused = choir.ask("POST", "/process", "INPUT_TEXT=Hi&INPUT_TYPE=RAWMARYXML")
    assert (400, "INPUT_TYPE is 'RAWMARYXML', expected TEXT or SSML\n") == (refused.status, refused.body.decode())


def test_a_configured_server_reads_markdown_pauses_and_unknown_tags(start):
    limits = {"markup_bytes": 1_024, "markup_depth": 2, "markup_tags": 3, "silence_s": 1.0}
    speech = {"pauses": True, "ssml": "lenient", "unspeakable": "error"}
    server = start("--workers", "1", keys={"limits": limits, "speech": speech}).ready()

    assert 0.8 == longest_silence_s(server.speak("Yes [pause:0.8s] no."))
    assert "blink" == server.speak("<speak><blink>Hi.</blink></speak>").headers["X-Ignored-Markup"]
    assert (400, "invalid_markup") == refusal(server.speak("<speak><blink>Hi.</blink></speak>", ssml="strict"))[:2]
    assert (400, "unspeakable_text") == refusal(server.speak("<speak></speak>"))[:2]
    assert (413, "silence_too_long") == refusal(server.speak("Yes [pause:1.1s] no."))[:2]
    assert (413, "string_above_max_length") == refusal(server.speak("<speak>" + " " * 1_024 + "</speak>"))[:2]
    assert (400, "invalid_markup") == refusal(server.speak("<speak><p><s>a</s></p></speak>"))[:2]
    assert (400, "invalid_markup") == refusal(server.speak("<speak><s/><s/><s/></speak>"))[:2]
    server.stop()
