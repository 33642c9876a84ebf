"""What Prometheus scrapes: `/metrics`. Any worker answers for all, by the same memory that `/status` shows."""

from flask import Blueprint, Response, current_app, request

from app.context import Service

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def scrape() -> Response:
    """Return the metrics as text, in the format that the scraper asks for."""
    # Not before somebody scrapes: the library takes 31 ms of an import (measured 2026-11-24).
    from app.api.exposition import exposition

    service: Service = current_app.extensions["chorus"]
    text, content_type = exposition(service, request.headers.get("Accept", ""))
    return Response(text, content_type=content_type)
