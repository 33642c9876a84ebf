"""Is it alive, and may it be sent work? For load balancers and orchestrators."""

from flask import Blueprint, Response, current_app, jsonify

from app.service import Service

status = Blueprint("status", __name__)


@status.get("/livez")
def livez() -> Response:
    """Say that this process answers; depends on nothing else."""
    return jsonify(status="alive")


@status.get("/readyz")
def readyz() -> Response:
    """Say that the voices are open, and which."""
    service: Service = current_app.extensions["chorus"]
    return jsonify(status="ready", voices=[voice.name for voice in service.catalogue.voices])
