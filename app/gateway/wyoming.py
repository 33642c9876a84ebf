"""Wyoming, the protocol of Home Assistant: describes the voices, and speaks texts that are whole or still being written.

One `audio-start` and one `audio-stop` enclose the audio of a text. After an `error` the connection is closed: clients wait for
`audio-stop` otherwise.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event, Eventable, async_write_event
from wyoming.info import Attribution, Info, TtsProgram, TtsVoice, TtsVoiceSpeaker
from wyoming.ping import Pong
from wyoming.tts import SynthesizeStopped

from app.gateway.errors import ClientError, SpeechFailedError, TooMuchTextError
from app.gateway.sessions import Session, Sessions, Turns, run_until_first_ends
from app.gateway.speech import SAMPLE_BYTES, SpeechServer
from app.gateway.written_text import WrittenText
from app.gateway.wyoming_events import MAX_PART_BYTES, read_event, text_of

#: Samples of one `audio-chunk`, at most, in bytes: a fifth of a second.
_CHUNK_BYTES = 8192
#: A client that takes nothing for so long is disconnected, as the server does.
_MAX_WRITE_S = 60
#: Time for a client to read the last event.
_LINGERING_S = 2
_ATTRIBUTION = Attribution("Chorus", "")


@dataclass(frozen=True)
class SpeechDefaults:
    """What every request of a protocol without such fields asks for; None is the server's default."""

    voice: str | None = None
    speed: float | None = None
    seed: int | None = None
    #: Silence between two sentences of a text that is still being written; within one request the server makes it.
    sentence_pause_s: float = 0.45

    def fields(self) -> dict[str, Any]:
        """Return the fields that have a value."""
        fields = {"voice": self.voice, "speed": self.speed, "seed": self.seed}
        return {name: value for name, value in fields.items() if value is not None}


class WyomingSpeech:
    """The handler of connections of one Wyoming server."""

    def __init__(self, server: SpeechServer, sessions: Sessions, defaults: SpeechDefaults, version: str) -> None:
        self.server = server
        self.defaults = defaults
        self.version = version
        self._sessions = sessions
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end, and close it."""
        # In a task of its own: Python 3.11 logs a traceback if the one that it makes for a coroutine is cancelled.
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _client_of(writer)
        try:
            if self._sessions.is_full:
                await _send_last(Error(self._sessions.refuse(client), "overloaded"), reader, writer)
                return
            with self._sessions.enter(client) as session:
                await _Connection(self, session, reader, writer).run()
        finally:
            writer.close()

    async def info(self) -> Info:
        """Describe the voices that the server has now.

        Raises:
            SpeechFailedError: it does not say.
        """
        voices = [_voice(each) for each in await self.server.voices()]
        program = TtsProgram(
            name="chorus", description="Chorus text-to-speech", attribution=_ATTRIBUTION, installed=True, version=self.version,
            voices=voices, supports_synthesize_streaming=True,
        )  # fmt: skip
        return Info(tts=[program])


class _Connection:
    """One client: reads its events, and speaks its texts one after the other."""

    def __init__(
        self, speech: WyomingSpeech, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._speech = speech
        self._session = session
        self._reader = reader
        self._writer = writer
        self._turns = Turns()
        #: The text between `synthesize-start` and `synthesize-stop`.
        self._written: WrittenText | None = None
        self._handlers: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {
            "describe": self._describe,
            "ping": self._pong,
            "synthesize": self._synthesize,
            "synthesize-start": self._start,
            "synthesize-chunk": self._add,
            "synthesize-stop": self._stop,
        }

    async def run(self) -> None:
        """Serve until the client disconnects, breaks a rule, or is idle; a failure is sent as an `error`."""
        try:
            # A client that has disconnected takes no answer.
            with suppress(ConnectionError, TimeoutError):
                await run_until_first_ends(self._read(), self._turns.run(), self._session.until_idle())
        except (SpeechFailedError, ClientError) as error:
            self._session.reason = error.code
            await _send_last(Error(str(error), error.code), self._reader, self._writer)

    async def _read(self) -> None:
        while (event := await read_event(self._reader)) is not None:
            self._session.use()
            # Events that a server does not know are dropped, by the protocol.
            if (handle := self._handlers.get(event.type)) is not None:
                await handle(event.data)

    async def _describe(self, data: dict[str, Any]) -> None:
        await self._send(await self._speech.info())

    async def _pong(self, data: dict[str, Any]) -> None:
        await self._send(Pong(text_of(data, "text") or None))

    async def _synthesize(self, data: dict[str, Any]) -> None:
        # A client that streams its text sends the whole of it, too, for servers that do not take streams.
        if self._written is None:
            self._add_turn(partial(self._speak_whole, text_of(data, "text"), self._fields(data)))

    async def _start(self, data: dict[str, Any]) -> None:
        if self._written is not None:
            self._written.finish()
        fields = self._fields(data)
        self._written = WrittenText(fields.get("language", ""), fields.get("text_format") == "ssml")
        self._add_turn(partial(self._speak_written, self._written, fields))

    async def _add(self, data: dict[str, Any]) -> None:
        if self._written is not None:
            self._written.add(text_of(data, "text"))

    async def _stop(self, data: dict[str, Any]) -> None:
        if self._written is not None:
            self._written.finish()
            self._written = None

    def _add_turn(self, speak: Callable[[], Awaitable[None]]) -> None:
        if self._turns.is_full:
            raise TooMuchTextError("too many texts wait to be spoken; wait for their audio")
        self._turns.add(speak)

    def _fields(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the request for speech, without its text."""
        voice = data.get("voice") or {}
        if not isinstance(voice, dict):
            raise ClientError("voice is not an object; send its `name`, `language` and `speaker`")
        named = {"voice": text_of(voice, "name"), "speaker": text_of(voice, "speaker"), "language": text_of(voice, "language")}
        # `text` is what the markup of SSML would be read as by other servers too.
        markup = {"text_format": "ssml"} if text_of(data, "text_format") == "ssml" else {}
        return {**self._speech.defaults.fields(), **{name: value for name, value in named.items() if value}, **markup}

    async def _speak_whole(self, text: str, fields: dict[str, Any]) -> None:
        audio = _Audio(self._send, self._session)
        await self._speak(text, fields, audio)
        await audio.stop()

    async def _speak_written(self, written: WrittenText, fields: dict[str, Any]) -> None:
        audio = _Audio(self._send, self._session)
        async for sentence in written:
            await audio.pause(self._speech.defaults.sentence_pause_s)
            await self._speak(sentence, fields, audio)
        await audio.stop()
        await self._send(SynthesizeStopped())

    async def _speak(self, text: str, fields: dict[str, Any], audio: "_Audio") -> None:
        # A WAV, because it has the voice's own rate, unlike `pcm`.
        body = {**fields, "input": text, "response_format": "wav", "stream": True}
        async with self._speech.server.speak(body, self._session.next_request_id()) as answer:
            async with aclosing(answer.samples()) as pieces:
                async for samples in pieces:
                    await audio.play(samples, answer.sample_rate_hz)

    async def _send(self, event: Eventable) -> None:
        await _send(self._writer, event)


class _Audio:
    """The audio of one text as events: start, chunks, stop."""

    def __init__(self, send: Callable[[Eventable], Awaitable[None]], session: Session) -> None:
        self._send = send
        self._session = session
        self._rate_hz = 0
        self._sent_bytes = 0

    async def play(self, samples: bytes, rate_hz: int) -> None:
        """Send samples; they start the audio, and a rate that differs starts it anew."""
        if rate_hz != self._rate_hz:
            await self.stop()
            self._rate_hz, self._sent_bytes = rate_hz, 0
            await self._send(AudioStart(rate_hz, SAMPLE_BYTES, 1, timestamp=0))
        for start in range(0, len(samples), _CHUNK_BYTES):
            piece = samples[start : start + _CHUNK_BYTES]
            await self._send(AudioChunk(rate_hz, SAMPLE_BYTES, 1, piece, timestamp=self._position_ms()))
            self._sent_bytes += len(piece)
            self._session.use(len(piece))

    async def pause(self, pause_s: float) -> None:
        """Send silence, unless nothing has been sent before it."""
        if self._rate_hz:
            await self.play(bytes(SAMPLE_BYTES * int(pause_s * self._rate_hz)), self._rate_hz)

    async def stop(self) -> None:
        """End the audio, if it has begun."""
        if self._rate_hz:
            await self._send(AudioStop(timestamp=self._position_ms()))
            self._rate_hz = 0

    def _position_ms(self) -> int:
        return 1000 * self._sent_bytes // (SAMPLE_BYTES * self._rate_hz)


async def _send(writer: asyncio.StreamWriter, event: Eventable) -> None:
    """Send an event as fast as the client reads.

    Raises:
        ConnectionError: the client has disconnected.
        TimeoutError: it reads nothing.
    """
    written: Event = event.event()
    async with asyncio.timeout(_MAX_WRITE_S):
        await async_write_event(written, writer)


async def _send_last(event: Eventable, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the last event of a connection, so that the client gets it.

    Closing a connection with unread bytes resets it, and the client's kernel may drop what it has not read yet.
    """
    with suppress(ConnectionError, TimeoutError):
        await _send(writer, event)
        writer.write_eof()
        async with asyncio.timeout(_LINGERING_S):
            while await reader.read(MAX_PART_BYTES):
                pass


def _voice(listed: dict[str, Any]) -> TtsVoice:
    name = str(listed.get("name") or listed.get("id"))
    languages = [str(each) for each in listed.get("languages") or [listed.get("language")] if each]
    speakers = [TtsVoiceSpeaker(str(each)) for each in listed.get("speakers") or ()]
    return TtsVoice(
        name=name, description=name, attribution=_ATTRIBUTION, installed=True, version=str(listed.get("version") or "") or None,
        languages=languages or ["en"], speakers=speakers or None,
    )  # fmt: skip


def _client_of(writer: asyncio.StreamWriter) -> str:
    """Return the address of a client; "" of a Unix socket."""
    peer = writer.get_extra_info("peername")
    return str(peer[0]) if isinstance(peer, tuple) else ""


async def listen(speech: WyomingSpeech, host: str, port: int) -> asyncio.Server:
    """Accept connections from now on.

    Raises:
        OSError: the address cannot be listened on.
    """
    return await asyncio.start_server(speech.accept, host, port, limit=MAX_PART_BYTES)
