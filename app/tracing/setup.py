"""Setup of tracing, by OpenTelemetry's own variables. Imports nothing of OpenTelemetry unless they enable it."""

import logging
import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from app.logs import event

log = logging.getLogger("chorus.process")

_PROTOCOL = "http/protobuf"


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether a variable sets where traces go, and none disables them."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() != "otlp":
        return False
    return bool(_exporter_option("ENDPOINT", environment))


def prepare(environment: Mapping[str, str] = os.environ) -> None:
    """Import what tracing needs for all workers, or log once why it is disabled. Runs in the master.

    Only imports: a provider has a thread, which does not survive a fork, and the master must not have a second one.
    """
    if is_enabled(environment):
        try:
            _import_spans(environment)
        except Exception as error:  # speech is served, whatever is wrong with the packages
            _log_disabled(error)


def begin(
    application: Any,
    slot: int | None,
    proxy_wait_s: Callable[[dict[str, Any]], float],
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Trace every request from now on, if that is enabled and possible. Runs in a worker, after the fork.

    Args:
        application: the Flask application.
        slot: number of the worker's slot.
        proxy_wait_s: how long the proxy had a request, by its WSGI environment.
        environment: that of the process, which OpenTelemetry's SDK reads too.
    """
    if not is_enabled(environment):
        return
    try:
        spans = _import_spans(environment)
    except Exception:  # logged by the master
        return
    try:
        tracing = spans.Tracing(application.wsgi_app, slot, proxy_wait_s)
    except Exception as error:  # a variable that the SDK cannot read, or no thread is available
        _log_disabled(error)
    else:
        application.wsgi_app = application.extensions["chorus.tracing"] = tracing


def end(application: Any) -> None:
    """Send the remaining spans, within a time limit. Runs in a worker that ends in order."""
    tracing = application.extensions.get("chorus.tracing")
    if tracing is not None:
        tracing.end()


def _import_spans(environment: Mapping[str, str]) -> Any:
    protocol = _exporter_option("PROTOCOL", environment) or _PROTOCOL
    if protocol != _PROTOCOL:
        raise ValueError(f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, expected {_PROTOCOL}; its usual port is 4318")
    return import_module("app.tracing.spans")


def _exporter_option(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environment.get(f"OTEL_EXPORTER_OTLP_{name}") or ""


def _log_disabled(error: Exception) -> None:
    remedy = {"remedy": "pip install 'chorus-tts[otel]'"} if isinstance(error, ImportError) else {}
    event(log, "tracing.disabled", logging.WARNING, reason=f"{type(error).__name__}: {error}"[:300], **remedy)
