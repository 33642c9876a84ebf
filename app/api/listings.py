"""What OpenAI's clients look up before they speak: models and voices."""

from flask import Blueprint, Response, current_app, jsonify

from app.service import Service

listings = Blueprint("listings", __name__, url_prefix="/v1")


@listings.get("/models")
def models() -> Response:
    """List the voices as models, which is what OpenAI's clients can show."""
    service: Service = current_app.extensions["chorus"]
    listed = [
        {"id": voice.name, "object": "model", "created": service.opened_at_s, "owned_by": "chorus"}
        for voice in service.catalogue.voices
    ]
    return jsonify(object="list", data=listed)


@listings.get("/audio/voices")
def voices() -> Response:
    """List the voices in the shape that Open WebUI reads."""
    service: Service = current_app.extensions["chorus"]
    listed = [
        {
            "id": voice.name,
            "name": voice.name,
            "aliases": list(voice.settings.aliases),
            "language": voice.language,
            "languages": list(voice.languages),
            "speakers": list(voice.speakers),
            "generation": voice.generation,
            "sample_rate": voice.sample_rate_hz,
        }
        for voice in service.catalogue.voices
    ]
    return jsonify(voices=listed)
