"""What OpenAI's clients, and pages made for them, look up before they speak: models and voices."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.context import Service
from app.errors import UnknownModelRequestedError
from app.synthesis.voices import STOCK_MODELS, divided, is_ours
from loader.voices.voice import Voice

listings = Blueprint("listings", __name__, url_prefix="/v1")


@listings.get("/models")
def models() -> Response:
    """List the voices as models, which is all that some clients show, and the models that clients have built in."""
    service: Service = current_app.extensions["chorus"]
    return jsonify(object="list", data=[_model(name, service) for name in _model_names(service)])


@listings.get("/models/<path:name>")
def model(name: str) -> Response:
    """Describe one model, which may also be named by a voice's alias, or as `voice#speaker`.

    Raises:
        UnknownModelRequestedError: with the names there are.
    """
    service: Service = current_app.extensions["chorus"]
    known = _model_names(service)
    if name not in known and not is_ours(service.catalogue, divided(service.catalogue, name)[0]):
        raise UnknownModelRequestedError(f"no model is called {name[:80]!r}; there are {', '.join(known)}", "model")
    return jsonify(_model(name, service))


@listings.get("/audio/models")
def audio_models() -> Response:
    """List the models in the shape that Open WebUI reads."""
    service: Service = current_app.extensions["chorus"]
    return jsonify(models=[{"id": name} for name in _model_names(service)])


@listings.get("/audio/voices")
def voices() -> Response:
    """List the voices in the shape that Open WebUI reads; with `legacy=true` their names alone."""
    service: Service = current_app.extensions["chorus"]
    if request.args.get("legacy", "").lower() == "true":
        return jsonify(voices=[voice.name for voice in service.catalogue.voices])
    return jsonify(voices=[_voice(voice) for voice in service.catalogue.voices])


def _model_names(service: Service) -> list[str]:
    return list(dict.fromkeys([*(voice.name for voice in service.catalogue.voices), *STOCK_MODELS]))


def _model(name: str, service: Service) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": service.opened_at_s, "owned_by": "chorus"}


def _voice(voice: Voice) -> dict[str, Any]:
    return {
        "id": voice.name,
        "name": voice.name,
        "aliases": list(voice.settings.aliases),
        "language": voice.language,
        "languages": list(voice.languages),
        "speakers": list(voice.speakers),
        "generation": voice.generation,
        "sample_rate": voice.sample_rate_hz,
    }
