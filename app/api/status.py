"""Is it alive, may it be sent work, and what is it doing? For load balancers, orchestrators and people on call."""

from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, current_app, jsonify

from app.context import Service
from app.scoreboard.snapshot import snapshot
from app.system.cgroup import cpu_budget
from loader.devices.accelerator import Accelerator, State

status = Blueprint("status", __name__)


@status.get("/livez")
def livez() -> Response:
    """Say that this process answers; depends on nothing else."""
    return jsonify(status="alive")


@status.get("/readyz")
def readyz() -> Response:
    """Say that the voices are ready, which, and on what device they speak; else why they are not."""
    service: Service = current_app.extensions["chorus"]
    if not service.warm_up.is_ready:
        return _not_ready(service)
    catalogue = service.catalogue
    voices = [voice.name for voice in catalogue.voices]
    return jsonify(status="ready", voices=voices, **_device(catalogue.accelerator))


@status.get("/status")
def status_of_all() -> Response:
    """Say what every worker does, and what all have done; any worker answers for all, but for its own voices."""
    service: Service = current_app.extensions["chorus"]
    return jsonify(**asdict(snapshot(service.hands.board)), cpu=asdict(cpu_budget()), voices=_constructions(service))


def _constructions(service: Service) -> list[dict[str, Any]]:
    """Return how often the answering worker has had each voice constructed: more than once is a defect."""
    voices = service.catalogue.voices if service.warm_up.is_ready else ()
    return [
        {"voice": voice.name, "generation": voice.generation, "constructions": voice.constructions} for voice in voices
    ]


def _not_ready(service: Service) -> Response:
    progress = service.warm_up.progress
    response = jsonify(status="warming up", attempt=progress.attempt, tries=progress.tries, why=progress.why)
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
