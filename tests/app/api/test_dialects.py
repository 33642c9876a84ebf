"""The dialects over one application: what all of them take, drop and name in the same way."""

import pytest

MARKS = (
    ".", "...", "…", "!", "?!", "---", "—", '"', "“”", "''", "。", "、", "()", "*", "**", "#", "• •", "~", "_", "```", "\u200b",
    "🙂\ufe0f",
)  # fmt: skip
#: The path of each dialect's speech, and how a text is sent to it.
SENT = {
    "json": lambda client, text, **more: client.post("/v1/audio/speech", json={"input": text, "response_format": "wav", **more}),
    "stream": lambda client, text, **more: client.post("/v1/audio/speech", json={"input": text, **more}),
    "events": lambda client, text, **more: client.post("/v1/audio/speech", json={"input": text, "stream_format": "sse", **more}),
    "form": lambda client, text, **more: client.post("/v1/audio/speech", data={"input": text, "response_format": "wav", **more}),
    "captions": lambda client, text, **more: client.post("/v1/audio/captions", json={"input": text, **more}),
    "coqui": lambda client, text: client.get("/api/tts", query_string={"text": text}),
    "coqui by form": lambda client, text: client.post("/api/tts", data={"text": text}),
    "marytts": lambda client, text: client.get("/process", query_string={"INPUT_TEXT": text}),
    "marytts by form": lambda client, text: client.post("/process", data={"INPUT_TEXT": text}),
}  # fmt: skip


@pytest.mark.parametrize("text", MARKS)
@pytest.mark.parametrize("dialect", SENT)
def test_a_text_of_marks_is_a_short_silence_that_is_named(client, samples_of, dialect, text):
    answer = SENT[dialect](client, text)

    assert 200 == answer.status_code, answer.data[:300]
    if "X-Unspeakable" not in answer.headers:
        assert text in ("*", "**", "#", "~", "_", "🙂\ufe0f")  # these have names
    elif answer.content_type == "audio/wav":
        assert 4410 == samples_of(answer).size and not samples_of(answer).any()


@pytest.mark.parametrize("text", ["---", "***", "...", "!", "# ", "- ", "> ", "```\n```", "![](x.png)"])
def test_markdown_without_a_sound_is_a_short_silence(speak, text):
    answer = speak(input=text, text_format="markdown")

    assert (200, "the text has no sound") == (answer.status_code, answer.headers.get("X-Unspeakable"))


@pytest.mark.parametrize("text", ["<speak/>", "<speak>...</speak>", '<speak><p> </p></speak>'])
def test_ssml_without_a_sound_is_a_short_silence(speak, text):
    answer = speak(input=text)

    assert (200, "the text has no sound") == (answer.status_code, answer.headers.get("X-Unspeakable"))


@pytest.mark.parametrize("voice", ["joe", "choir"])
@pytest.mark.parametrize("fields", [{}, {"normalize": False}, {"lexicon": {"x": "y"}}])
@pytest.mark.parametrize("text", MARKS)
def test_a_text_of_marks_is_spoken_by_any_voice_however_it_is_read(speak, text, fields, voice):
    assert 200 == speak(input=text, voice=voice, **fields).status_code


def test_a_text_of_marks_is_explained(client):
    assert {200} == {client.post("/v1/audio/explain", json={"input": text}).status_code for text in MARKS}


@pytest.mark.parametrize("dialect", SENT)
@pytest.mark.parametrize("space", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85"])
def test_control_characters_that_are_white_space_are_taken(client, dialect, space):
    answer = SENT[dialect](client, f"One.{space}Two.")

    assert 200 == answer.status_code and "X-Dropped-Characters" not in answer.headers


@pytest.mark.parametrize("dialect", SENT)
def test_other_control_characters_are_dropped_and_named(client, dialect):
    answer = SENT[dialect](client, "A \x1b[31mred\x1b[0m bell\x07 and\0 more\x86.")

    assert (200, "U+001B, U+0007, U+0000, U+0086") == (answer.status_code, answer.headers["X-Dropped-Characters"])


@pytest.mark.parametrize("dialect", SENT)
@pytest.mark.parametrize("text", ["\0", " \x1b ", "\x07\x0c"])
def test_a_text_of_nothing_else_is_blank_and_the_characters_are_named(client, dialect, text):
    answer = SENT[dialect](client, text)

    assert 400 == answer.status_code and b"is blank" in answer.data
    assert answer.headers["X-Dropped-Characters"].startswith("U+00")


def test_the_same_audio_is_made_as_of_the_text_without_them(speak):
    fields = {"seed": 3, "voice": "joe"}

    clean = speak(input="One red word. Two.", **fields).data

    assert clean == speak(input="One \x1b[1mre\0d\x1b[0m word.\x0cTwo.", **fields).data
    assert 200 == speak(input="<speak>One \x1b[1mre\0d\x1b[0m word.\x0cTwo.</speak>", **fields).status_code


@pytest.mark.parametrize("body", [b'{"input": "Half \\ud83d of a pair."}', b'{"input": "Hello \\udc00\\ud800."}'])
def test_half_a_surrogate_pair_is_dropped(client, body):
    answer = client.post("/v1/audio/speech", data=body)

    assert 200 == answer.status_code and answer.headers["X-Dropped-Characters"].startswith("U+D")


def test_a_whole_surrogate_pair_stays(client):
    answer = client.post("/v1/audio/captions", data=b'{"input": "A smile \\ud83d\\ude00."}')

    assert "A smile \U0001f600." == answer.json["sentences"][0]["text"]


def test_captions_have_the_words_of_the_text_without_them(client):
    answer = client.post("/v1/audio/captions", json={"input": "It's \x1b[1mtwo\x1b[0m\x0cbe\0lls."})

    assert ["It's", "two", "bells"] == [word["text"] for word in answer.json["sentences"][0]["words"]]


@pytest.mark.parametrize("path", ["/livez", "/health"])
def test_the_process_is_alive(client, path):
    assert (200, {"status": "alive"}) == (client.get(path).status_code, client.get(path).json)


def test_wyoming_openai_finds_the_answer_that_it_tests_for(client):
    assert (200, {"status": "ok"}) == (client.get("/v1/test").status_code, client.get("/v1/test").json)
