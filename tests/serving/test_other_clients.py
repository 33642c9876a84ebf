"""Requests of other programs, exact except for the host: Open WebUI and SillyTavern."""

import json

import pytest


def exchange(server, head, body=b""):
    """Send raw bytes; return status, headers in lower case and body of the response."""
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
def test_open_webui_gets_an_mp3(server, voice, model):
    """It names no format, and saves the response as `.mp3`."""
    body = json.dumps({"input": "Gr\u00fc\u00dfe, and good morning.", "voice": voice, "model": model}).encode()
    status, headers, audio = exchange(server, OPEN_WEBUI, body)

    assert (200, "audio/mpeg") == (status, headers["content-type"])
    assert audio[:3] == b"ID3" or audio[0] == 0xFF


def test_open_webui_finds_the_message_of_an_error(server):
    """It reads `res["error"].get("message", "")`."""
    status, _, body = exchange(server, OPEN_WEBUI, b'{"input": "Hello.", "voice": "nobody", "model": "tts-1"}')

    assert 400 == status
    assert "no voice named 'nobody'" in json.loads(body)["error"].get("message", "")


@pytest.mark.parametrize("path, key", [("/v1/audio/models", "models"), ("/v1/audio/voices", "voices")])
def test_open_webui_lists_without_a_key(server, path, key):
    asking = "User-Agent: python-requests/2.32.3\nAccept-Encoding: gzip, deflate\nAccept: */*\nConnection: keep-alive"
    status, headers, body = exchange(server, f"GET {path} HTTP/1.1\n{asking}")

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
def test_silly_tavern_is_served_with_an_empty_bearer_token(server, voice, speed):
    body = f'{{"input":"*waves* \u201cHello!\u201d","response_format":"mp3","voice":"{voice}","speed":{speed},"model":"tts-1"}}'
    status, headers, audio = exchange(server, SILLY_TAVERN, body.encode())

    assert (200, "audio/mpeg") == (status, headers["content-type"])
    assert len(audio) > 1_000


def test_silly_tavern_gets_errors_as_text(server):
    """It shows the body unchanged."""
    body = b'{"input":"","response_format":"mp3","voice":"alloy","speed":1,"model":"tts-1"}'
    status, _, answer = exchange(server, SILLY_TAVERN, body)

    assert 400 == status
    assert b"input is blank" in answer
