"""Explanation of a request: what the voice reads for each written word, as JSON; run, timed and logged like a speech."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from app.errors import ServiceError
from app.logs import SpeechReport, log_speech
from app.scheduling.cpu import CpuBudget
from app.scheduling.deadline import Client
from app.scoreboard.board import Slot
from app.synthesis.job import outcome_of, reason_of, refusal_of
from app.synthesis.request import SpeechRequest
from loader.errors import SpeechError
from loader.voices.explanation import ExplainedSentence, explain


class ExplanationJob:
    """One job, which makes no audio and plans none. For one thread."""

    def __init__(
        self,
        request: SpeechRequest,
        client: Client,
        queue_s: float,
        cpu: CpuBudget,
        slot: Slot,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the job; arguments are those of `SynthesisJob`."""
        self.request = request
        #: Set when the job has ended.
        self.report: SpeechReport | None = None
        self._client, self._queue_s, self._cpu, self._slot, self._now = client, queue_s, cpu, slot, now
        #: See `CpuBudget.piece`.
        self._renew: Callable[[], None] = lambda: None
        self._started_s, self._made_s = now(), 0.0

    def run(self) -> list[ExplainedSentence]:
        """Return the sentences; the job is logged then.

        Raises:
            UnspeakableError, UnknownPhonemesError: a part of the text cannot be read.
            ClientDisconnectedError, DeadlineError: the client does not wait any more.
        """
        try:
            sentences = list(self._sentences())
        except SpeechError as error:
            self._end("refused")
            raise refusal_of(error, self.request) from error
        except ServiceError as error:
            self._end(outcome_of(error))
            raise
        except Exception as error:  # of third-party code over any text
            self._end("failed", reason_of(error))
            raise
        self._end("done")
        return sentences

    def _sentences(self) -> Iterator[ExplainedSentence]:
        """Yield the sentences; other requests have their turns at the core between them."""
        request = self.request
        source = explain(request.voice, request.content, request.options, self._checkpoint)
        while True:
            start_s = self._now()
            with self._cpu.piece() as self._renew:
                sentence = next(source, None)
            self._made_s += self._now() - start_s
            if sentence is None:
                return
            yield sentence

    def _checkpoint(self) -> None:
        self._renew()
        self._client.require_waiting()

    def _end(self, outcome: str, reason: str = "") -> None:
        self.report = SpeechReport(
            noun="explanation", outcome=outcome, reason=reason, request=self.request.facts(), queue_s=self._queue_s,
            arrived_s=self._client.arrived_s, started_s=self._started_s, first_chunk_s=None, ended_s=self._now(),
            made_s=self._made_s, audio_s=0.0,
        )  # fmt: skip
        if reason:
            self._slot.set_error(reason)
        log_speech(self.report)


def explanation_json(sentences: list[ExplainedSentence], request: SpeechRequest) -> dict[str, Any]:
    """Return the document: the voice, its language, and the sentences with their rows."""
    _speaker, language = request.voice.rows(request.options)
    return {
        "voice": request.voice.name, "language": request.voice.languages[language],
        "sentences": [asdict(sentence) for sentence in sentences],
    }  # fmt: skip
