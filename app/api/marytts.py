"""The dialect of MaryTTS, as Home Assistant's client uses it and Coqui's own server understands it.

`Rate` and `Volume` are the supported effects; others are ignored, as Coqui's server ignores all of them, and named in a header.
Names hold no spaces: `voice#speaker`, `en_US`. The letter case of values is ignored.
"""

import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl

from flask import Blueprint, Response, current_app, g, request

from app.api.bodies import require_utf8, take_text
from app.api.coqui import refuse_path
from app.api.responses import answer
from app.context import Context
from app.errors import BadRequestError, ServiceError
from app.synthesis.markup import TextFormat, parse_source, require_voice
from app.synthesis.request import SpeechRequest
from app.synthesis.voices import ResolvedVoice, format_voice
from loader.voices.catalog import Catalog
from loader.voices.voice import MAX_SPEED, MIN_SPEED, SpeechOptions, Voice, random_seed

#: The paths of this dialect.
PATHS = ("/process", "/locales", "/voices", "/version", "/audioformats", "/datatypes")
#: Values of parameters; the first one is the default.
_TYPES = {"INPUT_TYPE": ("TEXT", "SSML"), "OUTPUT_TYPE": ("AUDIO",), "AUDIO": ("WAVE_FILE", "WAVE", "WAV", "WAVE_STREAM")}
#: The supported effects: the parameter of each, its default, and its bounds. All are MaryTTS's, but for the bounds of `Rate`.
_EFFECTS = {"Rate": ("durScale", 1.5, 1 / MAX_SPEED, 1 / MIN_SPEED), "Volume": ("amount", 2.0, 0.0, 10.0)}
_EFFECT = re.compile(r"effect_(\w{1,20})_selected", re.ASCII)
_PARAMETER = re.compile(r"(\w{1,20}):\s*(\d{1,4}(?:\.\d{0,6})?)\s*;?", re.ASCII)
_UNKNOWN_LOCALE = "und"

marytts = Blueprint("marytts", __name__)
marytts_listings = Blueprint("marytts_listings", __name__)


@marytts.route("/process", methods=["GET", "POST"])
def process() -> Response:
    """Speak INPUT_TEXT and send a whole WAV file."""
    context: Context = current_app.extensions["chorus"]
    parameters = _parse_parameters()
    for name, known in _TYPES.items():
        if (parameters.get(name) or known[0]).upper() not in known:
            raise BadRequestError(f"{name} is {parameters[name][:80]!r}, expected {' or '.join(known)}", name)
    text, catalogue = take_text(parameters.get("INPUT_TEXT", "")), context.warm_up.catalogue
    text_format: TextFormat | None = "ssml" if parameters.get("INPUT_TYPE", "").upper() == "SSML" else None
    script = parse_source(text, context.settings, "INPUT_TEXT", text_format)
    found = _resolve_voice(catalogue, parameters.get("VOICE", ""), parameters.get("LOCALE", ""))
    require_voice(script, found.voice, catalogue, "INPUT_TEXT")
    effects = _parse_effects(parameters)
    speed = 1 / effects["Rate"] if "Rate" in effects else 1.0
    options = SpeechOptions(random_seed(), speed, speaker=found.speaker, language=found.language)
    gain = effects.get("Volume", 1.0)
    return answer(SpeechRequest(text, found.voice, options, "wav", g.request_id, script=script, gain=gain), context)


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


def _parse_effects(parameters: Mapping[str, str]) -> dict[str, float]:
    """Return the factor of each supported effect that is on: `Rate` is one of the length, `Volume` one of the samples.

    Raises:
        BadRequestError: a factor cannot be read or is out of bounds.
    """
    factors, ignored = {}, []
    for parameter, value in parameters.items():
        named = _EFFECT.fullmatch(parameter)
        if named is None or value.lower() != "on":
            continue
        if named[1] in _EFFECTS:
            factors[named[1]] = _factor(named[1], parameters)
        else:
            ignored.append(parameter)
    g.ignored_fields = ignored
    return factors


def _factor(effect: str, parameters: Mapping[str, str]) -> float:
    word, default, low, high = _EFFECTS[effect]
    name = f"effect_{effect}_parameters"
    value = parameters.get(name, f"{word}:{default}")
    found = _PARAMETER.fullmatch(value.strip())
    if found is None or found[1].lower() != word.lower() or not low <= float(found[2]) <= high:
        raise BadRequestError(f"{name} is {value[:80]!r}, expected {word}:{low} to {word}:{high}", name)
    return float(found[2])


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
    if not name:
        return None
    named = list(_names(catalogue))
    exact = [found for each, found in named if each == name]
    alike = exact or [found for each, found in named if each.casefold() == name.casefold()]
    return alike[0] if alike else None


def _names(catalogue: Catalog) -> Iterator[tuple[str, tuple[Voice, str | None]]]:
    """Yield every name with its voice and its speaker."""
    for voice in catalogue.voices:
        yield _listed(voice.name), (voice, None)
        for speaker in voice.speakers:
            whole = format_voice(voice.name, speaker)
            for name in (whole, _listed(whole), speaker, _listed(speaker)):
                yield name, (voice, speaker)


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
