"""A synthesis job: runs one request, times it, and has its end logged and counted. The same for speech and captions."""

import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Self

import numpy as np

from app.errors import (
    BadRequestError,
    ClientDisconnectedError,
    ServiceError,
    SpeechFailedError,
    UnknownLanguageRequestedError,
    UnknownPhonemesError,
    UnknownSpeakerRequestedError,
    UnspeakableError,
)
from app.logs import SpeechReport, log_speech
from app.scheduling.cpu import CpuBudget
from app.scheduling.deadline import Client
from app.scheduling.slow_clients import Delivery
from app.scoreboard.board import Slot
from app.synthesis.request import SpeechRequest, require_length, require_silence
from loader.config.settings import Limits
from loader.errors import (
    SpeechError,
    SynthesisError,
    UnknownLanguageError,
    UnknownSpeakerError,
    UnknownSymbolsError,
    UnspeakableTextError,
)
from loader.voices.chunks import Chunk, time_segments

#: Key of the WSGI environment: the job of a request, from which its trace is made.
JOB_KEY = "chorus.job"
_MAX_REASON_CHARACTERS = 300
#: What a voice refuses of a text with markup, if it is not a part that cannot be read.
_REFUSALS: dict[type[SpeechError], type[BadRequestError]] = {
    UnknownSpeakerError: UnknownSpeakerRequestedError, UnknownLanguageError: UnknownLanguageRequestedError,
}  # fmt: skip
#: Length of the audio for a text without a sound.
SILENCE_S = 0.2


class SynthesisJob:
    """One job: an iterator of chunks, and the context manager that ends it.

    It ends with its last chunk, with an error, or with the block, whichever is first; it is then logged and counted, even if
    no chunk was taken. Closing it stops the work within one window. For one thread.
    """

    def __init__(
        self,
        request: SpeechRequest,
        client: Client,
        queue_s: float,
        cpu: CpuBudget,
        slot: Slot,
        delivery: Delivery,
        limits: Limits,
        audible: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the job. Makes nothing yet.

        Args:
            request: what to speak.
            client: checked between chunks; that of a stream disconnects by itself.
            queue_s: how long the request waited for its turn.
            cpu: of this worker.
            slot: of this worker; counts the job.
            delivery: of the answer; pauses the making of a parked one.
            limits: of silence, and of the length of a whole answer.
            audible: false for captions: chunks have their times but no samples. Voices that know their durations before
                they speak then do not decode.
            now: the clock of `Client`.
        """
        self.request, self.delivery = request, delivery
        #: Set when the job has ended.
        self.report: SpeechReport | None = None
        self._client, self._queue_s, self._cpu, self._slot, self._limits = client, queue_s, cpu, slot, limits
        self._audible, self._is_stream = audible, audible and request.streamed
        self._now = now
        self._speaks_whole = request.voice.capabilities.speaks_whole
        #: See `CpuBudget.piece`.
        self._renew: Callable[[], None] = lambda: None
        self._source = self._open_source()
        self._first: Chunk | None = None
        #: Whether the text has no sound and a short silence is sent for it; known after the first chunk.
        self.is_silent = False
        self._started_s = now()
        self._first_chunk_s: float | None = None
        self._samples, self._made_s = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_defect = isinstance(error, Exception) and not isinstance(error, ServiceError)
        self._end("failed" if is_defect else outcome_of(error), reason_of(error) if is_defect else "")

    def fail(self, error: Exception) -> None:
        """End the job by a failure of what takes its chunks, such as a codec; the server closes a stream without the error."""
        self._end("failed", reason_of(error))

    def begin(self) -> None:
        """Make the first chunk, so that a failure gets an error status. A stream that begins in time has no deadline after it.

        Raises:
            SilenceTooLongError, AudioTooLongError: over a limit.
            UnspeakableError: the text makes no sound, or a part of it cannot be read.
            ClientDisconnectedError, DeadlineError: the client does not wait any more.
            SpeechFailedError: the voice failed.
        """
        self._first = self._next_chunk()
        if self._is_stream:
            self._client = replace(self._client, deadline_s=math.inf)

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        """Return the next chunk, see `begin` for errors. Of a stream the status line is sent by then: the server cuts it."""
        chunk, self._first = self._first, None
        if chunk is None:
            with self.delivery.making():
                chunk = self._next_chunk()
        if chunk is None:
            raise StopIteration
        self.delivery.add_audio(chunk.samples.size / self.request.voice.sample_rate_hz)
        return chunk

    def _next_chunk(self) -> Chunk | None:
        if self.report is not None:
            return None
        is_first = self._first_chunk_s is None
        try:
            if is_first:
                require_silence(self.request, self._limits)
            chunk = self._timed()
            if chunk is None:
                self._end("done")
            elif not self._is_stream:
                self._check_whole(chunk)
            return chunk
        except UnspeakableTextError as error:
            if self.request.voice.unspeakable == "silence":
                return self._speak_silence()
            self._end("refused")
            raise UnspeakableError(str(error), "input") from error
        except SpeechError as error:
            self._end("refused")
            raise refusal_of(error, self.request) from error
        except ServiceError as error:
            self._end(outcome_of(error))
            raise
        except Exception as error:  # engines and allocators fail in many ways, and the client of a stream must learn of it
            self._end("failed", reason_of(error))
            if is_first and not isinstance(error, SynthesisError):
                raise
            raise SpeechFailedError(f"the voice could not speak this text{'' if is_first else ' to its end'}") from error

    def _timed(self) -> Chunk | None:
        """Return the next chunk; its request counts as speaking only meanwhile, not while a slow client reads."""
        start_s = self._now()
        with self._cpu.piece(self._speaks_whole) as self._renew:
            chunk = next(self._source, None)
        end_s = self._now()
        self._made_s += end_s - start_s
        if chunk is None:
            return None
        if self._audible:
            if (gain := self.request.gain) != 1.0:
                chunk = replace(chunk, samples=np.clip(chunk.samples * np.float32(gain), -1.0, 1.0))
            self._samples += chunk.samples.size
            self._slot.count_audio(chunk.samples.size / self.request.voice.sample_rate_hz)
        else:
            self._samples = chunk.end_samples
        if self._first_chunk_s is None:
            self._first_chunk_s = end_s
            if self._audible:
                self._slot.observe({"first_audio_s": end_s - self._client.arrived_s})
        return chunk

    def _speak_silence(self) -> Chunk:
        """Return a short silence for a text without a sound: clients that split texts send pieces such as `---`."""
        self.is_silent = True
        self._first_chunk_s = self._now()
        self._samples = round(SILENCE_S * self.request.voice.sample_rate_hz)
        return Chunk(np.zeros(self._samples if self._audible else 0, dtype=np.float32), None, 0, self._samples)

    def _check_whole(self, chunk: Chunk) -> None:
        if chunk.begins is not None:
            require_length(chunk.end_samples / self.request.voice.sample_rate_hz, self._limits)
        self._client.require_waiting()

    def _open_source(self) -> Generator[Chunk, None, None]:
        voice, content, options = self.request.voice, self.request.content, self.request.options
        if not self._audible:
            return time_segments(voice.segments(content, options, self._checkpoint))
        return voice.chunks(content, options, self._cpu.threads_per_request, self._checkpoint)

    def _checkpoint(self) -> None:
        """Between two pieces of text, in any thread: a text without sound is read to its end before there is a chunk."""
        self._renew()
        self._client.require_waiting()

    def _end(self, outcome: str, reason: str = "") -> None:
        """End the job, if it has not ended."""
        if self.report is not None:
            return
        self._first = None
        self.report = SpeechReport(
            noun="speech" if self._audible else "captions", outcome=outcome, reason=reason, request=self.request.facts(),
            queue_s=self._queue_s, arrived_s=self._client.arrived_s, started_s=self._started_s,
            first_chunk_s=self._first_chunk_s, ended_s=self._now(), made_s=self._made_s,
            audio_s=self._samples / self.request.voice.sample_rate_hz,
        )  # fmt: skip
        try:
            self._source.close()
        finally:
            if self._audible:
                rtf = {} if self.report.rtf is None else {"rtf": self.report.rtf}
                self._slot.count_speech(outcome, len(self.request.text))
                self._slot.observe({"synthesis_s": self._made_s, **rtf})
            if reason:
                self._slot.set_error(reason)
            log_speech(self.report)


def refusal_of(error: SpeechError, request: SpeechRequest) -> BadRequestError:
    """Return the answer to a text that the voice cannot read."""
    if isinstance(error, UnknownSymbolsError):
        of_lexicon = any(entry.term == error.written for entry in request.options.lexicon)
        return UnknownPhonemesError(str(error), "lexicon" if of_lexicon else "input")
    return _REFUSALS.get(type(error), UnspeakableError)(str(error), "input")


def outcome_of(error: BaseException | None) -> str:
    """Return how a job ended that was left by that error, or before its end."""
    is_refusal = isinstance(error, BadRequestError) and not isinstance(error, ClientDisconnectedError)
    return "refused" if is_refusal else "abandoned"


def reason_of(error: BaseException | None) -> str:
    """Return an error as the log has it."""
    return f"{type(error).__name__}: {error}"[:_MAX_REASON_CHARACTERS]
