"""A synthesis job: runs one request, times it, and logs and counts how it ended. The same for speech and captions."""

import logging
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from app.errors import BadRequestError, ClientDisconnectedError, ServiceError, SpeechFailedError, UnspeakableError
from app.logs import event
from app.scheduling.cpu import MAX_THREADS, CpuBudget
from app.scheduling.deadline import Client
from app.scheduling.parking import Delivery
from app.scoreboard.slot import Slot
from app.synthesis.request import SpeechRequest, require_length, require_silence
from loader.config.settings import Limits
from loader.engines.base import NO_SAMPLES
from loader.errors import SpeechError, SynthesisError
from loader.voices.segments import Chunk, time_segments

log = logging.getLogger("chorus.speech")

#: Key of the WSGI environment: the job of a request, from which its trace is made.
JOB_KEY = "chorus.job"
_MAX_REASON_CHARACTERS = 300


@dataclass(frozen=True)
class JobReport:
    """How a job went. Times are of the monotonic clock."""

    #: One of `layout.OUTCOMES`.
    outcome: str
    #: Why it failed; "" otherwise.
    reason: str
    queue_s: float
    arrived_s: float
    started_s: float
    #: When the first chunk was made; None if there was none.
    first_chunk_s: float | None
    ended_s: float
    #: Time spent making audio, without waiting for a slow client.
    made_s: float
    audio_s: float

    @property
    def first_audio_s(self) -> float | None:
        """From the request's arrival to its first chunk."""
        return None if self.first_chunk_s is None else self.first_chunk_s - self.arrived_s

    @property
    def rtf(self) -> float | None:
        """Real-time factor: seconds of work per second of audio."""
        return self.made_s / self.audio_s if self.audio_s else None


class SynthesisJob:
    """One job: an iterator of chunks, and the context manager that ends it.

    It ends with its last chunk, with an error, or with the block, whichever is first; it is then logged and counted, even if
    no chunk was taken. Closing it stops the work within one window. For one thread.
    """

    def __init__(
        self,
        request: SpeechRequest,
        client: Client,
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
        self.report: JobReport | None = None
        self._client, self._cpu, self._slot, self._limits = client, cpu, slot, limits
        self._audible, self._is_stream = audible, audible and request.streamed
        self._now = now
        self._speaks_whole = request.voice.speaks_whole
        #: See `CpuBudget.piece`.
        self._renew: Callable[[], None] = lambda: None
        self._source = self._speech() if audible else self._measured()
        self._first: Chunk | None = None
        self._started_s = now()
        self._first_chunk_s: float | None = None
        self._samples, self._made_s = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        is_defect = isinstance(error, Exception) and not isinstance(error, ServiceError)
        self._end("failed" if is_defect else _outcome_of(error), _reason(error) if is_defect else "")

    def fail(self, error: Exception) -> None:
        """End the job by a failure of what takes its chunks, such as a codec; the server closes a stream without the error."""
        self._end("failed", _reason(error))

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
        except SpeechError as error:
            self._end("refused")
            raise UnspeakableError(str(error), "input") from error
        except ServiceError as error:
            self._end(_outcome_of(error))
            raise
        except Exception as error:  # engines and allocators fail in many ways, and the client of a stream must learn of it
            self._end("failed", _reason(error))
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
            self._samples += chunk.samples.size
            self._slot.count_audio(chunk.samples.size / self.request.voice.sample_rate_hz)
        elif chunk.begins is not None:
            self._samples = chunk.begins.end_samples
        if self._first_chunk_s is None:
            self._first_chunk_s = end_s
            if self._audible:
                self._slot.observe({"first_audio_s": end_s - self._client.arrived_s})
        return chunk

    def _check_whole(self, chunk: Chunk) -> None:
        if chunk.begins is not None:
            require_length(chunk.begins.end_samples / self.request.voice.sample_rate_hz, self._limits)
        self._client.require_waiting()

    def _speech(self) -> Generator[Chunk, None, None]:
        request, threads = self.request, self._cpu.threads_per_request
        return request.voice.chunks(request.text, request.options, threads, MAX_THREADS, self._checkpoint)

    def _measured(self) -> Generator[Chunk, None, None]:
        for timed in time_segments(self.request.voice.segments(self.request.text, self.request.options, self._checkpoint)):
            yield Chunk(NO_SAMPLES, timed)

    def _checkpoint(self) -> None:
        """Between two pieces of text, in any thread: a text without sound is read to its end before there is a chunk."""
        self._renew()
        self._client.require_waiting()

    def _end(self, outcome: str, reason: str = "") -> None:
        """End the job, if it has not ended."""
        if self.report is not None:
            return
        self._first = None
        self.report = JobReport(
            outcome=outcome, reason=reason, queue_s=self.delivery.queue_s, arrived_s=self._client.arrived_s,
            started_s=self._started_s, first_chunk_s=self._first_chunk_s, ended_s=self._now(), made_s=self._made_s,
            audio_s=self._samples / self.request.voice.sample_rate_hz,
        )  # fmt: skip
        try:
            self._source.close()
        finally:
            if self._audible:
                self._count(self.report)
            if reason:
                self._slot.set_error(reason)
            noun, level = "speech" if self._audible else "captions", logging.ERROR if reason else logging.INFO
            event(log, f"{noun}.{outcome}", level, **self._fields(self.report))

    def _count(self, report: JobReport) -> None:
        self._slot.count_speech(report.outcome, len(self.request.text))
        self._slot.observe({"synthesis_s": report.made_s, **({} if report.rtf is None else {"rtf": report.rtf})})

    def _fields(self, report: JobReport) -> dict[str, Any]:
        first_s = report.first_chunk_s
        return {
            **describe(self.request),
            "queue_s": round(report.queue_s, 4),
            "first_window_s": None if first_s is None else round(first_s - report.started_s, 4),
            "first_audio_s": None if report.first_audio_s is None else round(report.first_audio_s, 4),
            "audio_s": round(report.audio_s, 3),
            "took_s": round(report.ended_s - report.started_s, 4),
            "made_s": round(report.made_s, 4),
            "rtf": None if report.rtf is None else round(report.rtf, 4),
            **({"reason": report.reason} if report.reason else {}),
        }


def describe(request: SpeechRequest) -> dict[str, Any]:
    """Return the facts of a request for its log line and its trace; its text is never among them."""
    voice, options = request.voice, request.options
    return {
        "request_id": request.request_id, "voice": voice.name, "generation": voice.generation,
        "speaker": voice.speakers[voice.speaker_row(options.speaker)] if voice.speakers else None,
        "language": voice.languages[voice.language_row(options.language)] or None,
        "chars": len(request.text), "format": request.audio_format, "streamed": request.streamed,
    }  # fmt: skip


def _outcome_of(error: BaseException | None) -> str:
    is_refusal = isinstance(error, BadRequestError) and not isinstance(error, ClientDisconnectedError)
    return "refused" if is_refusal else "abandoned"


def _reason(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}"[:_MAX_REASON_CHARACTERS]
