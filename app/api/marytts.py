"""The dialect of MaryTTS, as Home Assistant's client uses it and Coqui's own server understands it.

`Rate` is the only supported effect; others are ignored, as Coqui's server ignores all of them. Names hold no spaces:
`voice#speaker`, `en_US`.
"""

import importlib.metadata
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, current_app, g, request

from app.api.bodies import require_utf8, take_text
from app.api.coqui import refuse_path
from app.api.responses import answer
from app.context import Context
from app.errors import BadRequestError, MethodNotAllowedError, ServiceError
from app.synthesis.markup import TextFormat, parse_source, require_voice
from app.synthesis.request import SpeechRequest
from app.synthesis.voices import ResolvedVoice, format_voice
from loader.voices.catalog import Catalog
from loader.voices.voice import MAX_SPEED, MIN_SPEED, SpeechOptions, Voice, random_seed

#: The paths of this dialect.
PATHS = ("/process", "/locales", "/voices", "/version", "/audioformats", "/datatypes")
#: Values of parameters; the first one is the default.
_TYPES = {"INPUT_TYPE": ("TEXT", "SSML"), "OUTPUT_TYPE": ("AUDIO",), "AUDIO": ("WAVE_FILE",)}
_DUR_SCALE = re.compile(r"durScale:\s*(\d{1,4}(?:\.\d{0,6})?)\s*;?")
_UNKNOWN_LOCALE = "und"

marytts = Blueprint("marytts", __name__)
marytts_listings = Blueprint("marytts_listings", __name__)


@marytts.route("/process", methods=["GET", "POST"])
def process() -> Response:
    """Speak INPUT_TEXT and send a whole WAV file."""
    if request.method == "HEAD":  # Flask adds it to GET
        raise MethodNotAllowedError("HEAD would speak for no client; use GET or POST", ("GET", "POST"))
    context: Context = current_app.extensions["chorus"]
    parameters = _parse_parameters()
    for name, known in _TYPES.items():
        if parameters.get(name, known[0]) not in known:
            raise BadRequestError(f"{name} is {parameters[name][:80]!r}, expected {' or '.join(known)}", name)
    text, catalogue = take_text(parameters.get("INPUT_TEXT", "")), context.warm_up.catalogue
    text_format: TextFormat | None = "ssml" if parameters.get("INPUT_TYPE") == "SSML" else None
    script = parse_source(text, context.settings, "INPUT_TEXT", text_format)
    found = _resolve_voice(catalogue, parameters.get("VOICE", ""), parameters.get("LOCALE", ""))
    require_voice(script, found.voice, catalogue, "INPUT_TEXT")
    options = SpeechOptions(random_seed(), _speed(parameters), speaker=found.speaker, language=found.language)
    return answer(SpeechRequest(text, found.voice, options, "wav", g.request_id, script=script), context)


@marytts_listings.get("/locales")
def locales() -> Response:
    """List the languages once each, in the order of the voices, one a line, such as `en_US`."""
    catalogue = _catalogue()
    return _lines(list(dict.fromkeys(_locale(each) for voice in catalogue.voices for each in voice.languages)))


@marytts_listings.get("/voices")
def voices() -> Response:
    """List the speakers of all voices, one a line: name, locale, gender (always unknown) and kind, in MaryTTS's words."""
    return _lines([
        f"{_listed(format_voice(voice.name, speaker))} {_locale(voice.language)} u other"
        for voice in _catalogue().voices
        for speaker in (voice.speakers if len(voice.speakers) > 1 else (None,))
    ])  # fmt: skip


@marytts_listings.get("/version")
def version() -> Response:
    """Return the version of this server."""
    return _lines([f"Chorus {importlib.metadata.version('chorus-tts')}, answering as a MaryTTS server does"])


@marytts_listings.get("/audioformats")
def audio_formats() -> Response:
    """List the values of AUDIO."""
    return _lines(["WAVE_FILE"])


@marytts_listings.get("/datatypes")
def data_types() -> Response:
    """List the values of INPUT_TYPE and OUTPUT_TYPE."""
    return _lines(["TEXT INPUT", "SSML INPUT", "AUDIO OUTPUT"])


def error_response(error: ServiceError) -> Response:
    """Return one line of plain text: Home Assistant's client shows the first."""
    return _lines([error.message])


def _catalogue() -> Catalog:
    context: Context = current_app.extensions["chorus"]
    return context.warm_up.catalogue


def _lines(lines: list[str]) -> Response:
    return Response("".join(f"{line}\n" for line in lines), mimetype="text/plain")


def _parse_parameters() -> Mapping[str, str]:
    """Parse the body as a form, whatever its type, since Home Assistant's client sends none; then the query."""
    parameters: dict[str, str] = {}
    for encoded in (request.get_data(), request.query_string):
        require_utf8(encoded, "INPUT_TEXT")
        for name, value in parse_qsl(encoded.decode("utf-8")):
            parameters.setdefault(name, value)
    return parameters


def _speed(parameters: Mapping[str, str]) -> float:
    """Return the speed for the effect `Rate`, which is a factor of the length."""
    if parameters.get("effect_Rate_selected") != "on":
        return 1.0
    name = "effect_Rate_parameters"
    value = parameters.get(name, "durScale:1.5")
    scale = _DUR_SCALE.fullmatch(value.strip())
    if scale is None or not 1 / MAX_SPEED <= float(scale[1]) <= 1 / MIN_SPEED:
        raise BadRequestError(f"{name} is {value[:80]!r}, expected durScale:{1 / MAX_SPEED} to durScale:{1 / MIN_SPEED}", name)
    return 1 / float(scale[1])


def _resolve_voice(catalogue: Catalog, name: str, locale: str) -> ResolvedVoice:
    """Resolve a voice; unknown names are no error, since Home Assistant sends `cmu-slt-hsmm` by default.

    A name is that of a voice, of a voice with its speaker, or of a speaker, as it is or as it is listed. If it is unknown,
    the first voice that speaks `locale` is taken, else the default one.

    Raises:
        BadRequestError: the name looks like a path.
    """
    found = _find_voice(catalogue, name)
    if found is None:
        refuse_path(name, (), "VOICE")
        found = next((each for each in catalogue.voices if _language(each, locale)), catalogue.default), None
    voice, speaker = found
    return ResolvedVoice(voice, voice.speaker(speaker), voice.language_row(_language(voice, locale)))


def _find_voice(catalogue: Catalog, name: str) -> tuple[Voice, str | None] | None:
    if (found := catalogue.find(name)) is not None:
        return found, None
    for voice in catalogue.voices:
        if name == _listed(voice.name):
            return voice, None
        for speaker in voice.speakers:
            whole = format_voice(voice.name, speaker)
            if name in (whole, _listed(whole), speaker, _listed(speaker)):
                return voice, speaker
    return None


def _language(voice: Voice, locale: str) -> str | None:
    """Return the voice's name for the language of `locale`, with or without the region; None if it does not speak it."""
    whole = locale.replace("_", "-")
    return next((each for each in (whole, whole.partition("-")[0]) if each and voice.speaks(each)), None)


def _listed(name: str) -> str:
    return "_".join(name.split())


def _locale(language: str) -> str:
    """Return `en_US` for `en-us`."""
    tongue, _, region = language.partition("-")
    return f"{tongue}_{region.upper()}" if region else tongue or _UNKNOWN_LOCALE
