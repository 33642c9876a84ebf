"""`/v1/audio/speech/ws`: text comes over a WebSocket while it is written, and audio goes back while it is made.

Messages are JSON objects with a `type`, as vLLM-Omni has them; audio is in binary messages. Every sentence is one request to the
server, with the client's own API key.
"""

import asyncio
import json
import logging
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from app.gateway.errors import ClientError, SpeechFailedError, TooMuchTextError
from app.gateway.sessions import Session, Sessions, Turns, run_until_first_ends
from app.gateway.speech import Answer, Headers, SpeechServer
from app.gateway.written_text import WrittenText

PATH = "/v1/audio/speech/ws"
#: Of one message of a client, which is a piece of text, or a configuration with a lexicon.
MAX_MESSAGE_BYTES = 256 * 1024
#: Messages of a client that are read ahead, and bytes of audio that wait for a slow client: beyond them nothing is read
#: from the server, which makes no more audio then.
_MAX_MESSAGES, _MAX_WAITING_BYTES = 8, 64 * 1024
#: A client that takes nothing for so long is disconnected, as the server does.
_MAX_WRITE_S = 60
#: Time for a client to confirm the end of a connection.
_CLOSE_S = 2
_KEY_HEADERS = ("Authorization", "x-api-key")
#: Fields of `session.config` that are not those of a request for speech.
_OWN_FIELDS = frozenset({"type", "input", "stream", "stream_format", "stream_audio", "split_granularity", "timestamps"})
_NORMAL, _TRY_AGAIN_LATER, _POLICY = 1000, 1013, 1008


class WebSocketSpeech:
    """The handler of connections of one WebSocket server.

    Args:
        origins: pages of other origins whose scripts may connect, such as `https://example.org`.
    """

    def __init__(self, server: SpeechServer, sessions: Sessions, origins: tuple[str, ...] = ()) -> None:
        self.server = server
        self._sessions = sessions
        self._origins = origins

    def check(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse an upgrade: of another path, or of a script in a page of a foreign origin."""
        if request.path.partition("?")[0] != PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"unknown path; connect to {PATH}\n")
        # No browser asks before it lets a script connect, so that any page could use a server on the visitor's machine.
        hosts = request.headers.get_all("Host")
        for origin in request.headers.get_all("Origin"):
            if origin not in self._origins and [origin.partition("://")[2]] != hosts:
                return connection.respond(HTTPStatus.FORBIDDEN, "this origin is not allowed; allow it with --origin\n")
        return None

    async def serve(self, connection: ServerConnection) -> None:
        """Serve one connection to its end."""
        client = str(connection.remote_address[0]) if isinstance(connection.remote_address, tuple) else ""
        if self._sessions.is_full:
            await connection.close(_TRY_AGAIN_LATER, self._sessions.refuse(client))
            return
        with self._sessions.enter(client) as session:
            await _Connection(self.server, session, connection).run()


class _Connection:
    """One client: reads its messages, and speaks its sentences one after the other."""

    def __init__(self, server: SpeechServer, session: Session, connection: ServerConnection) -> None:
        self._server = server
        self._session = session
        self._connection = connection
        self._turns = Turns()
        self._fields = fields_of({})
        self._headers = _keys_of(connection)
        #: The text between its first `input.text` and `input.done`.
        self._written: WrittenText | None = None
        self._handlers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "session.config": self._configure,
            "input.text": self._add,
            "input.done": self._finish,
            "input.interrupt": self._interrupt,
        }

    async def run(self) -> None:
        """Serve until the client disconnects, breaks a rule, or is idle; a broken rule is sent as an `error`."""
        code = _NORMAL
        with suppress(ConnectionClosed, TimeoutError):
            try:
                await run_until_first_ends(self._read(), self._turns.run(), self._session.until_idle())
            except ClientError as error:
                self._session.reason, code = error.code, _POLICY
                await self._send({"type": "error", "message": str(error), "code": error.code})
        await self._connection.close(code, self._session.reason)

    async def _read(self) -> None:
        async for message in self._connection:
            self._session.use()
            document = _parse(message)
            handle = self._handlers.get(str(document.get("type")))
            if handle is None:
                raise ClientError(f"unknown type {str(document.get('type'))[:40]!r}, expected {', '.join(self._handlers)}")
            await handle(document)

    async def _configure(self, message: dict[str, Any]) -> None:
        if self._written is not None:
            raise ClientError("session.config came within a text; send input.done or input.interrupt before it")
        self._fields = fields_of(message)

    async def _add(self, message: dict[str, Any]) -> None:
        text = message.get("text")
        if not isinstance(text, str):
            raise ClientError("input.text has no `text`; send it as a string")
        self._begin().add(text)

    async def _finish(self, message: dict[str, Any]) -> None:
        self._begin().finish()
        self._written = None

    async def _interrupt(self, message: dict[str, Any]) -> None:
        self._written = None
        await self._turns.interrupt()
        await self._send({"type": "session.interrupted"})

    def _begin(self) -> WrittenText:
        """Return the text that is being written; a new one if there is none."""
        if self._written is None:
            if self._turns.is_full:
                raise TooMuchTextError("too many texts wait to be spoken; wait for session.done")
            is_whole = self._fields.get("text_format") == "ssml"
            self._written = WrittenText(str(self._fields.get("language") or ""), is_whole)
            self._turns.add(partial(self._speak_all, self._written, self._fields))
        return self._written

    async def _speak_all(self, written: WrittenText, fields: dict[str, Any]) -> None:
        index = 0
        async for sentence in written:
            await _Sentence(self._send, self._session, index, sentence).speak(self._server, fields, self._headers)
            index += 1
        await self._send({"type": "session.done", "total_sentences": index})

    async def _send(self, message: dict[str, Any] | bytes) -> None:
        """Send a message as fast as the client reads.

        Raises:
            ConnectionClosed: the client has disconnected.
            TimeoutError: it reads nothing.
        """
        # In ASCII, since half of a surrogate pair cannot be written in UTF-8.
        content = message if isinstance(message, bytes) else json.dumps(message)
        async with asyncio.timeout(_MAX_WRITE_S):
            await self._connection.send(content)


class _Sentence:
    """One sentence: `audio.start`, its audio, `audio.done`; an `error` in their place, or between them."""

    def __init__(
        self, send: Callable[[dict[str, Any] | bytes], Awaitable[None]], session: Session, index: int, text: str
    ) -> None:
        self._send = send
        self._session = session
        self._index = index
        self._text = text
        self._sent_bytes = 0
        self._marks: list[dict[str, Any]] = []

    async def speak(self, server: SpeechServer, fields: dict[str, Any], headers: Headers) -> None:
        """Speak it to the end; a failure is sent, and the next sentence may follow."""
        started = failed = False
        try:
            async with server.speak({**fields, "input": self._text}, self._session.next_request_id(), headers) as answer:
                started = True
                await self._start(answer, str(fields["response_format"]))
                await self._play(answer, fields.get("stream_format") == "sse")
        except SpeechFailedError as error:
            failed = True
            await self._send({"type": "error", "message": str(error), "code": error.code, "sentence_index": self._index})
        if started:
            await self._done(failed)

    async def _start(self, answer: Answer, audio_format: str) -> None:
        seed = {"seed": int(answer.seed)} if answer.seed.isdecimal() else {}
        await self._send({
            "type": "audio.start", "sentence_index": self._index, "sentence_text": self._text, "format": audio_format,
            "sample_rate": answer.sample_rate_hz, **seed,
        })  # fmt: skip

    async def _play(self, answer: Answer, has_events: bool) -> None:
        if not has_events:
            async with aclosing(answer.pieces()) as pieces:
                async for piece in pieces:
                    await self._send_audio(piece)
            return
        async with aclosing(answer.events()) as events:
            async for event in events:
                if event.get("type") == "speech.audio.delta":
                    await self._send_audio(b64decode(event["audio"]))
                elif event.get("type") == "speech.audio.marks":
                    self._marks.append({name: value for name, value in event.items() if name not in ("type", "sentence")})

    async def _send_audio(self, audio: bytes) -> None:
        await self._send(audio)
        self._sent_bytes += len(audio)
        self._session.use(len(audio))

    async def _done(self, failed: bool) -> None:
        timestamps = {"timestamps": self._marks} if self._marks else {}
        await self._send({
            "type": "audio.done", "sentence_index": self._index, "total_bytes": self._sent_bytes, "error": failed, **timestamps,
        })  # fmt: skip


def fields_of(config: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a request for speech that a `session.config` means; the server checks them."""
    fields = {name: value for name, value in config.items() if name not in _OWN_FIELDS and value is not None}
    fields.setdefault("response_format", "wav")
    if config.get("timestamps"):
        fields.setdefault("timestamp_granularities", ["word"])
    if fields.get("timestamp_granularities"):
        return {**fields, "stream_format": "sse"}
    # A whole sentence at once, with the sizes in the header of a WAV, if a client asks for that.
    return {**fields, "stream": config.get("stream_audio") is not False}


def _keys_of(connection: ServerConnection) -> dict[str, str]:
    """Return the headers with the client's key; one that is not text is none, and the server then wants one."""
    assert connection.request is not None
    found = ((name, connection.request.headers.get_all(name)) for name in _KEY_HEADERS)
    return {name: values[0] for name, values in found if len(values) == 1 and values[0].isascii() and values[0].isprintable()}


def _parse(message: str | bytes) -> dict[str, Any]:
    if isinstance(message, bytes):
        raise ClientError("a binary message came; send JSON in text messages")
    try:
        document = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise ClientError("a message is not JSON; send an object with `type`") from error
    if not isinstance(document, dict):
        raise ClientError("a message is not an object; send one with `type`")
    return document


async def listen(speech: WebSocketSpeech, host: str, port: int) -> Server:
    """Accept connections from now on.

    Raises:
        OSError: the address cannot be listened on.
    """
    # It logs what strangers send, with tracebacks. Our own errors are logged as `session.failed`.
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    return await serve(
        speech.serve, host, port, process_request=speech.check, max_size=MAX_MESSAGE_BYTES, max_queue=_MAX_MESSAGES,
        write_limit=_MAX_WAITING_BYTES, compression=None, server_header=None,
        close_timeout=_CLOSE_S,
    )  # fmt: skip
