"""The pipeline of one request: checked text in, speech that has begun out."""

import logging
import math
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from app.errors import ServiceError, SpeechFailedError, UnspeakableError
from app.logs import event
from app.scheduling.cpu import Hands
from app.scheduling.deadline import Listener
from app.synthesis.account import Account
from app.synthesis.bounds import require_length, require_silence
from app.synthesis.request import SpeechRequest
from loader.config.settings import Limits
from loader.errors import SpeechError, SynthesisError
from loader.timing.timings import Timing
from loader.voices.prefetch import MAX_THREADS
from loader.voices.segments import Chunk, time_segments

log = logging.getLogger("chorus.speech")

_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class Speech:
    """Speech under way: its first window exists, so the status line may be sent."""

    request: SpeechRequest
    #: All of it, the first window included. Closing it stops the work within one window.
    stretches: Generator[Chunk, None, None]


class TextWork:
    """What happens between two pieces of text: progress is shown, and a client that waits no longer ends the work.

    A text without a sound is read to its end before anything is heard. One a request; called in any thread, but by
    one at a time.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        #: Of the piece that is waited for; see `Hands.speaking`.
        self.renew: Callable[[], None] = lambda: None

    def forget_deadline(self) -> None:
        """Go on for as long as the client is there: its stream has begun in time."""
        self._listener = replace(self._listener, until_s=math.inf)

    def __call__(self) -> None:
        """Go on, or not.

        Raises:
            ClientGoneError, DeadlineError: the client waits no longer.
        """
        self.renew()
        self._listener.raise_if_gone()


def begin_speech(
    request: SpeechRequest, hands: Hands, listener: Listener, limits: Limits, now: Callable[[], float] = time.monotonic
) -> Speech:
    """Synthesise the first window, so that a failure is an error and never a 200.

    Args:
        request: what to say.
        hands: this process's; says how many threads may work on it, and counts it.
        listener: who asked, and when.
        limits: how much silence it may ask for.
        now: a clock, in seconds.

    Raises:
        SilenceTooLongError: the pauses between its sentences are too much.
        UnspeakableError: nothing in the text makes a sound, or a part of it cannot be read.
        ClientGoneError, DeadlineError: the client waits no longer.
        SpeechFailedError: the voice failed.
    """
    require_silence(request, limits)
    account, text_work = Account(request, hands.seat, now, listener.since_s), TextWork(listener)
    spoken = request.speaking.voice.chunks(request.text, request.delivery, hands.allowed, MAX_THREADS, text_work)
    counted = _counted(spoken, request, hands, text_work)
    with answered(request, hands):
        first = account.made(counted)
    if request.streamed:
        text_work.forget_deadline()
    return Speech(request, _observed(account, first, spoken, counted))


def measured_speech(request: SpeechRequest, hands: Hands, listener: Listener, limits: Limits) -> list[Timing]:
    """Return when each utterance of a request is heard, without making it audible where the voice knows before.

    Raises:
        AudioTooLongError, SilenceTooLongError: it would be longer than captions may be.
        ClientGoneError, DeadlineError: nobody waits any more for all to be measured.
        UnspeakableError: nothing in the text makes a sound, or a part of it cannot be read.
        SpeechFailedError: the voice failed.
    """
    require_silence(request, limits)
    voice, timings, text_work = request.speaking.voice, [], TextWork(listener)
    passages = time_segments(voice.segments(request.text, request.delivery, text_work))
    with answered(request, hands), closing(_counted(passages, request, hands, text_work)) as placed:
        for each in placed:
            require_length(each.end_samples, request, limits)
            timings.append(voice.timing(each))
            listener.raise_if_gone()
    audio_s = timings[-1].end_samples / voice.sample_rate_hz
    event(
        log, "captions.done", request_id=request.request_id, voice=voice.name, chars=len(request.text), audio_s=round(audio_s, 3)
    )  # fmt: skip
    return timings


@contextmanager
def answered(request: SpeechRequest, hands: Hands) -> Iterator[None]:
    """Turn what a voice refuses or fails over before anything is sent into what the client is told."""
    try:
        yield
    except SpeechError as error:
        raise UnspeakableError(str(error), "input") from error
    except SynthesisError as error:
        event(log, "speech.failed", logging.ERROR, request_id=request.request_id, reason=str(error))
        hands.seat.failed(str(error))
        raise SpeechFailedError("the voice could not speak this text") from error


def _counted(
    source: Iterator[_Piece], request: SpeechRequest, hands: Hands, text_work: TextWork
) -> Generator[_Piece, None, None]:
    """Pass on what is made; counts as speaking while it is waited for, and not while a slow client takes it."""
    while True:
        with hands.speaking(request.speaking.voice.capabilities.speaks_whole) as text_work.renew:
            piece = next(source, None)
        if piece is None:
            return
        yield piece


def _observed(
    account: Account, first: Chunk | None, spoken: Generator[Chunk, None, None], counted: Iterator[Chunk]
) -> Generator[Chunk, None, None]:
    """Pass all of it on, and account for how the speech ended: done, failed, or abandoned by its listener.

    Raises:
        UnspeakableError: a later part of the text cannot be read.
        ClientGoneError, DeadlineError: the client waits no longer.
        SpeechFailedError: the voice failed after the first window. Of a stream the status line is
            gone by then, and the server cuts it without its last chunk.
    """
    outcome, reason, stretch = "abandoned", "", first
    try:
        while stretch is not None:
            yield stretch
            stretch = account.made(counted)
        outcome = "done"
    except SpeechError as error:
        outcome = "refused"
        raise UnspeakableError(str(error), "input") from error
    except ServiceError:
        raise  # the client waits no longer
    except Exception as error:  # engines and allocators fail in many ways; whoever listens must be told of each
        outcome, reason = "failed", f"{type(error).__name__}: {error}"[:300]
        raise SpeechFailedError("the voice could not speak this text to its end") from error
    finally:
        spoken.close()
        account.close(outcome, reason)
