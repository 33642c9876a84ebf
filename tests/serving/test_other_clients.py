"""Requests of other programs, byte for byte but for the host: Open WebUI and SillyTavern."""

import json

import pytest


def sent(server, head, body=b""):
    """Send raw bytes, and return the status, the headers in lower case and the body of the answer."""
    connection = server.connection()
    connection.connect()
    lines = [*head.splitlines(), f"Host: 127.0.0.1:{server.port}"] + ([f"Content-Length: {len(body)}"] if body else [])
    connection.sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    answer = connection.response_class(connection.sock)
    answer.begin()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    answer.close()
    connection.close()
    return found


OPEN_WEBUI = """POST /v1/audio/speech HTTP/1.1
Content-Type: application/json
Authorization: Bearer None
X-OpenWebUI-User-Name: Ada
Accept: */*
Accept-Encoding: gzip, deflate, br
User-Agent: Python/3.11 aiohttp/3.11.11"""


@pytest.mark.parametrize("voice, model", [("alloy", "tts-1"), ("joe", "joe"), ("nova", "tts-1-hd"), ("", "gpt-4o-mini-tts")])
def test_open_webui_gets_what_it_stores_as_mp3(server, voice, model):
    """It says no format, and names the file `.mp3` whatever comes."""
    body = json.dumps({"input": "Gr\u00fc\u00dfe, and good morning.", "voice": voice, "model": model}).encode()
    status, headers, audio = sent(server, OPEN_WEBUI, body)

    assert (200, "audio/mpeg") == (status, headers["content-type"])
    assert audio[:3] == b"ID3" or audio[0] == 0xFF


def test_open_webui_finds_the_message_of_an_error(server):
    """It reads `res["error"].get("message", "")`."""
    status, _, body = sent(server, OPEN_WEBUI, b'{"input": "Hello.", "voice": "nobody", "model": "tts-1"}')

    assert 400 == status
    assert "no voice named 'nobody'" in json.loads(body)["error"].get("message", "")


@pytest.mark.parametrize("path, key", [("/v1/audio/models", "models"), ("/v1/audio/voices", "voices")])
def test_open_webui_lists_without_a_key(server, path, key):
    asking = "User-Agent: python-requests/2.32.3\nAccept-Encoding: gzip, deflate\nAccept: */*\nConnection: keep-alive"
    status, headers, body = sent(server, f"GET {path} HTTP/1.1\n{asking}")

    assert (200, "application/json") == (status, headers["content-type"])
    assert "joe" in [each["id"] for each in json.loads(body)[key]]


SILLY_TAVERN = """POST /v1/audio/speech HTTP/1.1
Content-Type: application/json
Authorization: Bearer 
User-Agent: node-fetch
Accept: */*
Accept-Encoding: gzip, deflate, br
Connection: keep-alive"""  # noqa: W291  a bearer without a token, where its user has none


@pytest.mark.parametrize("voice", ["alloy", "joe"])
@pytest.mark.parametrize("speed", ["1", "0.25", "4"])
def test_silly_tavern_is_served_with_an_empty_bearer(server, voice, speed):
    body = f'{{"input":"*waves* \u201cHello!\u201d","response_format":"mp3","voice":"{voice}","speed":{speed},"model":"tts-1"}}'
    status, headers, audio = sent(server, SILLY_TAVERN, body.encode())

    assert (200, "audio/mpeg") == (status, headers["content-type"])
    assert len(audio) > 1_000


def test_silly_tavern_is_told_what_is_wrong_in_text(server):
    """It shows the body as it is."""
    body = b'{"input":"","response_format":"mp3","voice":"alloy","speed":1,"model":"tts-1"}'
    status, _, answer = sent(server, SILLY_TAVERN, body)

    assert 400 == status
    assert b"input is blank" in answer
