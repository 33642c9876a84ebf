"""The server's HTTP API for a process without a voice: streams of speech, and the listing of voices."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import Any

import aiohttp

from app.gateway.errors import SpeechFailedError

SAMPLE_BYTES = 2
#: Attempts of one request while the server is full. It names the time of each, by what its queue takes.
_ATTEMPTS = 4
#: Bounds of the pause between two attempts.
_MIN_PAUSE_S, _MAX_PAUSE_S = 0.05, 15.0
#: A whole answer begins when all of it is spoken; nginx waits as long for it.
_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=5, sock_read=300)
#: Of an event of server-sent events: half a minute of audio at 48 kHz has 4 MB in base64.
_MAX_EVENT_BYTES = 16 * 1024 * 1024
_MAX_MESSAGE_CHARACTERS = 500

Fields = Mapping[str, Any]
Headers = Mapping[str, str]


class Answer:
    """The answer to one request for speech, which is still being made. Leaving `SpeechServer.speak` stops the work."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.sample_rate_hz = int(response.headers.get("X-Sample-Rate", "0"))
        self.seed = response.headers.get("X-Seed", "")

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the format as they come.

        Raises:
            SpeechFailedError: the answer broke off.
        """
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise SpeechFailedError("the answer broke off before its end; send the text again", "answer_cut") from error

    async def samples(self) -> AsyncGenerator[bytes, None]:
        """Yield the samples of a WAV as they come: 16 bits, little endian, one channel; never half a sample.

        Raises:
            SpeechFailedError: the answer broke off.
        """
        waiting, is_head = b"", True
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                waiting += piece
                if is_head:
                    start = waiting.find(b"data")
                    if start < 0 or len(waiting) < start + 8:
                        continue
                    is_head, waiting = False, waiting[start + 8 :]
                whole = len(waiting) - len(waiting) % SAMPLE_BYTES
                if whole:
                    yield waiting[:whole]
                waiting = waiting[whole:]

    async def events(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the server-sent events as they come.

        Raises:
            SpeechFailedError: the answer broke off, or its last event is an error.
        """
        waiting = b""
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                *lines, waiting = (waiting + piece).split(b"\n\n")
                for line in lines:
                    yield _event(line)
                if len(waiting) > _MAX_EVENT_BYTES:
                    raise SpeechFailedError("the server sent an event without an end", "answer_cut")


class SpeechServer:
    """A client of one server; used as an asynchronous context manager, which closes its connections.

    Args:
        address: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH`.
        key: API key of requests that have none of their own; "" for none.
    """

    def __init__(self, address: str, key: str = "") -> None:
        self.address = address
        self._key = key
        self._base = "http://server" if address.startswith("unix:") else address.rstrip("/")

    async def __aenter__(self) -> "SpeechServer":
        # The server closes a connection after its answer. The number of connections is bounded by that of sessions.
        connector: aiohttp.BaseConnector
        if self.address.startswith("unix:"):
            connector = aiohttp.UnixConnector(self.address.removeprefix("unix:"), limit=0, force_close=True)
        else:
            connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def voices(self) -> list[dict[str, Any]]:
        """Return the voices as the server lists them.

        Raises:
            SpeechFailedError: it does not answer, or refuses.
        """
        async with self._request("GET", "/v1/audio/voices", None, self._own_key()) as response:
            try:
                listed = await response.json(content_type=None)
                return [each for each in listed["voices"] if isinstance(each, dict)]
            except (aiohttp.ClientError, ValueError, KeyError, TypeError) as error:
                raise SpeechFailedError(f"{self.address} does not answer as Chorus does", "server_unreachable") from error

    @asynccontextmanager
    async def speak(self, fields: Fields, request_id: str, headers: Headers | None = None) -> AsyncIterator[Answer]:
        """Ask for speech. The end of the block closes the connection, which stops the work.

        Args:
            fields: the body of `/v1/audio/speech`.
            request_id: for the server's log.
            headers: the API key of the client; None for the gateway's own.

        Raises:
            SpeechFailedError: the server refused, cannot be reached, or stayed full.
        """
        with_id = {**(self._own_key() if headers is None else headers), "X-Request-ID": request_id}
        async with self._request("POST", "/v1/audio/speech", fields, with_id) as response:
            yield Answer(response)

    def _own_key(self) -> Headers:
        return {"Authorization": f"Bearer {self._key}"} if self._key else {}

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, body: Fields | None, headers: Headers
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        content = None if body is None else _json(body)
        for attempt in range(1, _ATTEMPTS + 1):
            response = await self._send(method, path, content, headers)
            try:
                if response.status == 200:
                    yield response
                    return
                pause_s = _pause_s(response)
                if pause_s is None or attempt == _ATTEMPTS:
                    raise await _refusal(response)
            finally:
                # Not `release`, which may keep the connection of an answer that is still being made.
                response.close()
            await asyncio.sleep(pause_s)

    async def _send(self, method: str, path: str, content: bytes | None, headers: Headers) -> aiohttp.ClientResponse:
        try:
            return await self._session.request(method, self._base + path, data=content, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise SpeechFailedError(
                f"the server at {self.address} cannot be reached ({reason}); start it, or name another with --server",
                "server_unreachable",
            ) from error


def _json(body: Fields) -> bytes:
    try:
        return json.dumps(body).encode()
    except (ValueError, RecursionError) as error:
        raise SpeechFailedError("the fields are nested too deeply", "invalid_value") from error


def _pause_s(response: aiohttp.ClientResponse) -> float | None:
    """Return the pause before the next attempt; None if there should be none."""
    if response.status != 503 or response.headers.get("x-should-retry") == "false":
        return None
    exact, whole = response.headers.get("retry-after-ms"), response.headers.get("Retry-After")
    try:
        pause_s = float(exact) / 1000 if exact is not None else float(whole or "")
    except ValueError:
        return None
    return min(max(pause_s, _MIN_PAUSE_S), _MAX_PAUSE_S)


async def _refusal(response: aiohttp.ClientResponse) -> SpeechFailedError:
    """Return the error that says what the server said."""
    try:
        text = (await response.content.read(64 * 1024)).decode("utf-8", "replace")
    except (aiohttp.ClientError, OSError):
        text = ""
    try:
        error = json.loads(text)["error"]
        return SpeechFailedError(str(error["message"])[:_MAX_MESSAGE_CHARACTERS], str(error["code"])[:100])
    except (ValueError, KeyError, TypeError):
        return SpeechFailedError(f"the server answered with status {response.status}", f"status_{response.status}")


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line.removeprefix(b"data: "))
    except ValueError as error:
        raise SpeechFailedError("the server sent an event that is not JSON", "answer_cut") from error
    if event.get("type") == "error":
        raise SpeechFailedError(str(event["error"].get("message", "the synthesis failed")), str(event["error"].get("code")))
    return dict(event)
