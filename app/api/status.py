"""Probes, status and metrics, for load balancers, orchestrators, Prometheus and people on call."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.api.responses import current_revision
from app.context import Context
from app.scoreboard.snapshot import snapshot
from app.system.cgroup import cpu_budget
from loader.devices.accelerator import Accelerator, State
from loader.retry import format_error

status = Blueprint("status", __name__)


@status.get("/livez")
@status.get("/health")
def livez() -> Response:
    """Liveness: this process answers. Depends on nothing else. The header is for the key of nginx's cache.

    Compose files that were written for other servers ask `/health`.
    """
    response = jsonify(status="alive")
    response.headers["X-Revision"] = current_revision()
    return response


@status.get("/v1/test")
def test_of_a_client() -> Response:
    """Return what wyoming-openai asks a server for to learn whether it can list its voices."""
    return jsonify(status="ok")


@status.get("/readyz")
def readyz() -> Response:
    """Readiness: the voices, those that could not be opened, and the device; 503 with the reason before."""
    context = _context()
    if not context.warm_up.is_ready:
        return _not_ready(context)
    catalogue = context.warm_up.catalogue
    voices = [voice.name for voice in catalogue.voices]
    return jsonify(status="ready", voices=voices, **_missing(context), **_device(catalogue.accelerator))


@status.get("/status")
def status_of_server() -> Response:
    """State and totals of all workers. Any worker answers for all, except for its own voices."""
    context = _context()
    facts = {**asdict(snapshot(context.board)), "cpu": asdict(cpu_budget()), "voices": _constructions(context)}
    return jsonify(**facts, **_missing(context))


@status.get("/metrics")
def metrics() -> Response:
    """Metrics in the format that the scraper accepts. Any worker answers for all."""
    # Imported by the first scrape: the library takes 31 ms (measured 2026-11-24).
    from app.api.metrics import format_metrics

    text, content_type = format_metrics(_context(), request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)


def _context() -> Context:
    context: Context = current_app.extensions["chorus"]
    return context


def _constructions(context: Context) -> list[dict[str, Any]]:
    """Return the release of each voice of the answering worker, and how often it was constructed; more than once is a defect."""
    voices = context.warm_up.catalogue.voices if context.warm_up.is_ready else ()
    return [
        {
            "voice": voice.name, "release": voice.release, "version": voice.version, "generation": voice.generation,
            "constructions": voice.parts.constructions,
        }
        for voice in voices
    ]


def _missing(context: Context) -> dict[str, Any]:
    """Return the voices that could not be opened, each with the reason; nothing if all are served."""
    missing = context.warm_up.catalogue.missing if context.warm_up.is_ready else {}
    listed = [{"voice": name, "why": format_error(error)} for name, error in missing.items()]
    return {"missing_voices": listed} if listed else {}


def _not_ready(context: Context) -> Response:
    progress = context.warm_up.progress
    response = jsonify(status="warming up", attempt=progress.attempt, tries=progress.tries, why=progress.reason)
    response.status_code = 503
    return response


def _device(accelerator: Accelerator | None) -> dict[str, Any]:
    if accelerator is None:
        return {"device": "cpu"}
    fallback = accelerator.fallback
    if fallback is None:
        return {"device": accelerator.name if accelerator.state is State.IN_USE else "cpu"}
    reason = {
        "device": fallback.device, "why": fallback.why, "when": fallback.when, "free_bytes": fallback.free_bytes,
    }  # fmt: skip
    return {"device": "cpu", "fallback": reason}
