"""Catalog: the models and voices that clients list before they request speech."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, request

from app.context import Context
from app.errors import UnknownModelRequestedError
from app.synthesis.voices import STOCK_MODELS, find_voice
from loader.voices.voice import Voice

listings = Blueprint("listings", __name__, url_prefix="/v1")


@listings.get("/models")
def models() -> Response:
    """List the voices as models, since some clients show only these, and the models that clients have built in."""
    context = _context()
    return jsonify(object="list", data=[_model(name, context) for name in _model_names(context)])


@listings.get("/models/<path:name>")
def model(name: str) -> Response:
    """Describe one model; a voice's alias or `voice#speaker` names one too.

    Raises:
        UnknownModelRequestedError: with the known names.
    """
    context = _context()
    names = _model_names(context)
    if name not in names and find_voice(context.warm_up.catalogue, name) is None:
        raise UnknownModelRequestedError(f"model {name[:80]!r} is unknown; known models: {', '.join(names)}", "model")
    return jsonify(_model(name, context))


@listings.get("/audio/models")
def audio_models() -> Response:
    """List the models in Open WebUI's format."""
    return jsonify(models=[{"id": name} for name in _model_names(_context())])


@listings.get("/audio/voices")
def voices() -> Response:
    """List the voices in Open WebUI's format; with `legacy=true` their names alone."""
    context = _context()
    if request.args.get("legacy", "").lower() == "true":
        return jsonify(voices=[voice.name for voice in context.warm_up.catalogue.voices])
    return jsonify(voices=[_voice(voice) for voice in context.warm_up.catalogue.voices])


def _context() -> Context:
    context: Context = current_app.extensions["chorus"]
    return context


def _model_names(context: Context) -> list[str]:
    return list(dict.fromkeys([*(voice.name for voice in context.warm_up.catalogue.voices), *STOCK_MODELS]))


def _model(name: str, context: Context) -> dict[str, Any]:
    facts = {"id": name, "object": "model", "created": context.opened_at_s, "owned_by": "chorus"}
    found = find_voice(context.warm_up.catalogue, name)
    return facts if found is None else {**facts, "release": found[0].release, "version": found[0].version}


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
        "release": voice.release,
        "version": voice.version,
    }
