"""How one speech went: measured while it is made, then logged, and counted on the scoreboard."""

import logging
from collections.abc import Callable, Iterator

from app.logs import event
from app.scoreboard.slot import Seat
from app.synthesis.request import SpeechRequest
from loader.voices.segments import Chunk

log = logging.getLogger("chorus.speech")


class Account:
    """Kept from before the first window until the speech ends, however it does."""

    def __init__(self, request: SpeechRequest, seat: Seat, now: Callable[[], float], since_s: float | None = None) -> None:
        """Begin to measure.

        Args:
            request: what is spoken.
            seat: of the worker that speaks it.
            now: a clock, in seconds.
            since_s: when the request came, by that clock; default: now.
        """
        self._request = request
        self._seat = seat
        self._now = now
        self._began_s = now()
        self._since_s = self._began_s if since_s is None else since_s
        self._samples, self._made_s = 0, 0.0
        self._first_s: float | None = None

    def made(self, source: Iterator[Chunk]) -> Chunk | None:
        """Return the next piece, whose making is measured, and not how long a slow client takes over it."""
        asked_s = self._now()
        stretch = next(source, None)
        came_s = self._now()
        self._made_s += came_s - asked_s
        if stretch is not None:
            self._samples += stretch.samples.size
            self._seat.made(stretch.samples.size / self._request.speaking.voice.sample_rate_hz)
            if self._first_s is None:
                self._first_s = came_s
                self._seat.observed({"first_audio_s": came_s - self._since_s})
        return stretch

    def close(self, outcome: str, reason: str) -> None:
        """Log and count the speech: `outcome` is one of `layout.OUTCOMES`, `reason` why it failed."""
        request, who, took_s = self._request, self._request.speaking, self._now() - self._began_s
        audio_s = self._samples / who.voice.sample_rate_hz
        rtf = self._made_s / audio_s if audio_s else None
        self._seat.spoke(outcome, len(request.text))
        self._seat.observed({"synthesis_s": self._made_s, **({} if rtf is None else {"rtf": rtf})})
        if reason:
            self._seat.failed(reason)
        event(
            log, f"speech.{outcome}", logging.ERROR if reason else logging.INFO, request_id=request.request_id,
            voice=who.voice.name, generation=who.voice.generation, speaker=who.speaker, language=who.language,
            chars=len(request.text), format=request.audio_format, streamed=request.streamed,
            queue_s=round(self._began_s - self._since_s, 4),
            first_window_s=None if self._first_s is None else round(self._first_s - self._began_s, 4),
            first_audio_s=None if self._first_s is None else round(self._first_s - self._since_s, 4),
            audio_s=round(audio_s, 3), took_s=round(took_s, 4), made_s=round(self._made_s, 4),
            rtf=None if rtf is None else round(rtf, 4), **({"reason": reason} if reason else {}),
        )  # fmt: skip
