"""The dialect of MaryTTS, as Home Assistant's client speaks it and Coqui's own server understands it.

`Rate` is the only effect there is; others that are selected are left out of the speech, as Coqui's
server leaves out all of them.
"""

import importlib.metadata
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, current_app, g, request

from app.api import maryvoices
from app.api.responses import answer
from app.api.validation import require_utf8
from app.context import Service
from app.errors import BadRequestError, MethodNotAllowedError, ServiceError
from app.scheduling.deadline import listener
from app.synthesis.request import SpeechRequest, checked_text, chosen_seed
from loader.voices.voice import MAX_SPEED, MIN_SPEED

#: Where this dialect is spoken.
PATHS = ("/process", "/locales", "/voices", "/version", "/audioformats", "/datatypes")
_DUR_SCALE = re.compile(r"durScale:\s*(\d{1,4}(?:\.\d{0,6})?)\s*;?")

marytts = Blueprint("marytts", __name__)
marytts_listings = Blueprint("marytts_listings", __name__)


@marytts.route("/process", methods=["GET", "POST"])
def process() -> Response:
    """Speak INPUT_TEXT and send a whole WAV file."""
    if request.method == "HEAD":  # Flask adds it to GET
        raise MethodNotAllowedError("HEAD would speak for nobody; use GET or POST", ("GET", "POST"))
    service: Service = current_app.extensions["chorus"]
    given = _parameters()
    for name, only in (("INPUT_TYPE", "TEXT"), ("OUTPUT_TYPE", "AUDIO"), ("AUDIO", "WAVE_FILE")):
        if given.get(name, only) != only:
            raise BadRequestError(f"{name} is {given[name][:80]!r}, expected {only}", name)
    return answer(
        SpeechRequest(
            text=checked_text(given.get("INPUT_TEXT", ""), service.settings.limits, "INPUT_TEXT"),
            speaking=maryvoices.speaking(service.catalogue, given.get("VOICE", ""), given.get("LOCALE", "")),
            audio_format="wav",
            streamed=False,
            speed=_speed(given),
            seed=chosen_seed(None),
            request_id=g.request_id,
        ),
        service,
        listener(request.environ),
    )


@marytts_listings.get("/locales")
def locales() -> Response:
    """List what is spoken, one a line, such as `en_US`."""
    service: Service = current_app.extensions["chorus"]
    return _lines(maryvoices.locales(service.catalogue))


@marytts_listings.get("/voices")
def voices() -> Response:
    """List who can be asked to speak, one a line: name, locale, gender and kind."""
    service: Service = current_app.extensions["chorus"]
    return _lines(maryvoices.lines(service.catalogue))


@marytts_listings.get("/version")
def version() -> Response:
    """Say what this is."""
    return _lines([f"Chorus {importlib.metadata.version('chorus-tts')}, answering as a MaryTTS server does"])


@marytts_listings.get("/audioformats")
def audio_formats() -> Response:
    """List what AUDIO may be."""
    return _lines(["WAVE_FILE"])


@marytts_listings.get("/datatypes")
def data_types() -> Response:
    """List what INPUT_TYPE and OUTPUT_TYPE may be."""
    return _lines(["TEXT INPUT", "AUDIO OUTPUT"])


def error_response(error: ServiceError) -> Response:
    """Return one line of plain text: the client of Home Assistant shows the first."""
    return _lines([error.message])


def _lines(lines: list[str]) -> Response:
    return Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")


def _parameters() -> Mapping[str, str]:
    """Read the body as a form whatever it is said to be, since Home Assistant's client does not say; then the query."""
    given: dict[str, str] = {}
    for encoded in (request.get_data(), request.query_string):
        require_utf8(encoded, "INPUT_TEXT")
        for name, value in parse_qsl(encoded.decode("utf-8")):
            given.setdefault(name, value)
    return given


def _speed(given: Mapping[str, str]) -> float:
    """Return the speed that the effect `Rate` asks for, which is a factor of the length."""
    if given.get("effect_Rate_selected") != "on":
        return 1.0
    name = "effect_Rate_parameters"
    written = given.get(name, "durScale:1.5")
    scale = _DUR_SCALE.fullmatch(written.strip())
    if scale is None or not 1 / MAX_SPEED <= float(scale[1]) <= 1 / MIN_SPEED:
        raise BadRequestError(f"{name} is {written[:80]!r}, expected durScale:{1 / MAX_SPEED} to durScale:{1 / MIN_SPEED}", name)
    return 1 / float(scale[1])
