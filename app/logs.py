"""Log lines, one an event: logfmt or JSON, units in the keys, never the text of a request. `log_speech` writes a request's.

Events are named `noun.past_participle`: speech, captions and explanation with done, failed, abandoned or refused,
request.refused, request.failed, answer.cut, answer.spool_failed, server.ready, fork.refused, restart.started,
restart.abandoned, worker.ready, worker.warm_up_failed, worker.startup_failed, worker.recycled, worker.stalled, accept.paused,
connection.dropped, worker.orphaned, worker.ended, memory.leak_suspected, watchdog.failed, tracing.disabled,
proxy.clock_distrusted, lexicon.reloaded, lexicon.refused, lexicon.unused, lexicon.symbols_unknown,
voice.closed, voice.damaged, release.outdated; of the gateway: gateway.ready, gateway.ended, session.ended, session.refused,
session.failed, service.announced.
"""

import logging
import re
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?", re.ASCII)
#: Of the request that this thread serves; its stream is made by the same thread after the request's context has ended.
_trace_id: ContextVar[str | None] = ContextVar("trace_id", default=None)
_TIME = "%Y-%m-%dT%H:%M:%S%z"


def trace_id_of(traceparent: str) -> str | None:
    """Return the trace id of a W3C `traceparent`; None for one that is not valid, which is as if there were none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    # Only later versions than 00 may have more to say.
    return found[1] if found and not (found[2] and traceparent.startswith("00")) else None


def follow_trace(trace_id: str | None) -> None:
    """Have every further line of this thread name that trace, or none; to be called for each request."""
    _trace_id.set(trace_id)


class NameTrace(logging.Filter):
    """Adds `trace_id` to the lines of a request that has one."""

    def filter(self, record: logging.LogRecord) -> bool:
        trace_id = _trace_id.get()
        if trace_id is not None:
            record.trace_id = trace_id
        return True


def event(log: logging.Logger, name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log the event `name` with `fields`."""
    log.log(level, {"event": name, **fields})


@dataclass(frozen=True)
class SpeechReport:
    """How the speech, the captions or the explanation of one request went. Its log line, its counts and its trace are made of it.

    Times are of the monotonic clock.
    """

    #: `speech`, `captions` or `explanation`.
    noun: str
    #: One of `layout.OUTCOMES`.
    outcome: str
    #: Why it failed; "" otherwise.
    reason: str
    #: What was requested, see `SpeechRequest.facts`.
    request: Mapping[str, Any]
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


def log_speech(report: SpeechReport) -> None:
    """Log the line of one request for speech, captions or an explanation."""
    first_window_s = None if report.first_chunk_s is None else report.first_chunk_s - report.started_s
    event(
        logging.getLogger("chorus.speech"), f"{report.noun}.{report.outcome}", logging.ERROR if report.reason else logging.INFO,
        **report.request,
        queue_s=round(report.queue_s, 4),
        first_window_s=None if first_window_s is None else round(first_window_s, 4),
        first_audio_s=None if report.first_audio_s is None else round(report.first_audio_s, 4),
        audio_s=round(report.audio_s, 3),
        took_s=round(report.ended_s - report.started_s, 4),
        made_s=round(report.made_s, 4),
        rtf=None if report.rtf is None else round(report.rtf, 4),
        **({"reason": report.reason} if report.reason else {}),
    )  # fmt: skip


def place_of(error: BaseException) -> str:
    """Return the last three places an error went through, the one that raised it first: its message may quote a client."""
    frames = traceback.extract_tb(error.__traceback__)[:-4:-1]
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames) or "an unknown place"


class HideExceptions(logging.Filter):
    """Has gunicorn's lines name exceptions instead of quoting them: its own contain what the client sent."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(type(each).__name__ if isinstance(each, BaseException) else each for each in record.args)
        return True


def logging_config(log_format: str) -> dict[str, Any]:
    """Return the `logging.config` dictionary for gunicorn's, Flask's and our own lines."""
    formatter: dict[str, Any]
    if log_format == "json":
        formatter = {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s",
            "rename_fields": {"asctime": "at", "levelname": "level", "process": "pid", "name": "log", "message": "msg"},
            "datefmt": _TIME,
        }  # fmt: skip
    else:
        formatter = {
            "()": "logfmter.Logfmter",
            "keys": ["at", "level", "pid", "log"],
            "mapping": {"at": "asctime", "level": "levelname", "pid": "process", "log": "name"},
            "datefmt": _TIME,
        }
    # gunicorn's access lines carry query strings, and with them the text of GET /api/tts.
    silent = {"handlers": [], "propagate": False}
    through_root = {"handlers": [], "propagate": True}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "filters": {"trace": {"()": NameTrace}, "exceptions": {"()": HideExceptions}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler", "formatter": "line", "filters": ["trace"], "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {
            "gunicorn.error": {**through_root, "filters": ["exceptions"]}, "gunicorn.access": silent, "chorus": {"level": "INFO"},
        },
    }
