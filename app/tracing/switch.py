"""Whether requests are traced: asked of OpenTelemetry's own variables. Nothing of it is imported where they do not ask."""

import logging
import os
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from app.logs import event

log = logging.getLogger("chorus.process")

_PROTOCOL = "http/protobuf"


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Return whether some variable says where traces go, and none that they go nowhere."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return False
    return bool(_of_traces("ENDPOINT", environment))


def prepare(environment: Mapping[str, str] = os.environ) -> None:
    """Import for all workers what tracing takes, or say once why there will be none. Runs in the master.

    Imports are all there is to it: a provider has a thread, which does not live on in a fork,
    and the master must not have a second one.
    """
    if is_asked_for(environment):
        try:
            _import(environment)
        except Exception as error:  # whatever is wrong with the packages, speech is served
            _say_off(error)


def begin(application: Any, slot: int | None, environment: Mapping[str, str] = os.environ) -> None:
    """Trace every request from now on, where that is asked for and possible. Runs in a worker, after the fork.

    Args:
        application: the Flask application.
        slot: the worker's, on the board.
        environment: what OpenTelemetry's SDK reads too.
    """
    if not is_asked_for(environment):
        return
    try:
        spans = _import(environment)
    except Exception:  # the master has said so
        return
    try:
        application.wsgi_app = application.extensions["chorus.tracing"] = spans.Tracing(application.wsgi_app, slot)
    except Exception as error:  # of variables that the SDK cannot read, or of a thread that cannot be had
        _say_off(error)


def end(application: Any) -> None:
    """Send what is not sent yet, for as long as a worker may take over it. Runs in a worker that ends in order."""
    tracing = application.extensions.get("chorus.tracing")
    if tracing is not None:
        tracing.end()


def _import(environment: Mapping[str, str]) -> Any:
    protocol = _of_traces("PROTOCOL", environment) or _PROTOCOL
    if protocol != _PROTOCOL:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, and only {_PROTOCOL} is spoken; the usual port is 4318")
    return import_module("app.tracing.spans")


def _of_traces(what: str, environment: Mapping[str, str]) -> str:
    return environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{what}") or environment.get(f"OTEL_EXPORTER_OTLP_{what}") or ""


def _say_off(error: Exception) -> None:
    remedy = {"remedy": "pip install 'chorus-tts[otel]'"} if isinstance(error, ImportError) else {}
    event(log, "tracing.off", logging.WARNING, reason=f"{type(error).__name__}: {error}"[:300], **remedy)
