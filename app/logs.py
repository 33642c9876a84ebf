"""One line an event: logfmt or JSON, units in the keys, never the text of a request.

Events are named `noun.past_participle`: speech.done, speech.failed, speech.abandoned, captions.done,
request.refused, request.failed, server.ready, server.refused_to_fork, worker.ready,
worker.warm_up_failed, worker.not_ready, worker.replaces_itself, worker.ended.
"""

import logging
from typing import Any

_TIME = "%Y-%m-%dT%H:%M:%S%z"


def event(log: logging.Logger, name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log the event `name` with `fields`."""
    log.log(level, {"event": name, **fields})


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
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "stream": "ext://sys.stderr"}},
        "root": {"level": "INFO", "handlers": ["stderr"]},
        "loggers": {"gunicorn.error": through_root, "gunicorn.access": silent, "chorus": {"level": "INFO"}},
    }
