"""Values of SSML's attributes: durations, rates, volumes, pitches, languages. Each `parse_` raises ValueError with the remedy."""

import math
import re
from collections.abc import Mapping

#: Bounds of the factors of a style, the outer prosody included. The rate's are those of a request's speed.
MIN_RATE, MAX_RATE = 0.25, 4.0
MAX_VOLUME = 4.0
MIN_PITCH, MAX_PITCH = 0.5, 2.0

INTERPRETATIONS = ("characters", "digits", "cardinal", "ordinal", "date", "time", "telephone")
_OTHER_NAMES = {"spell-out": "characters", "verbatim": "characters", "number": "cardinal"}

_STRENGTHS_S = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 1.0, "x-strong": 1.5}
_RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "fast": 1.25, "x-fast": 1.75, "default": 1.0}
_VOLUMES = {"silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "loud": 1.4, "x-loud": 2.0, "default": 1.0}
_PITCHES = {"x-low": 0.7, "low": 0.85, "medium": 1.0, "high": 1.15, "x-high": 1.35, "default": 1.0}

_NUMBER = r"[0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6}"
_DURATION = re.compile(rf"\+?({_NUMBER})\s?(ms|s)")
_PERCENT = re.compile(rf"([+-]?)({_NUMBER})%")
_PLAIN = re.compile(_NUMBER)
_DECIBELS = re.compile(rf"([+-]?(?:{_NUMBER}))dB", re.IGNORECASE)
_SEMITONES = re.compile(rf"([+-]?(?:{_NUMBER}))st")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:[-_][A-Za-z0-9]{1,8}){0,4}")


def parse_duration_s(value: str) -> float:
    """Return seconds of `800ms` or `0.8s`."""
    found = _DURATION.fullmatch(value)
    if not found:
        raise ValueError("write a duration such as 800ms or 0.8s")
    return float(found[1]) / (1000 if found[2] == "ms" else 1)


def parse_strength_s(value: str) -> float:
    """Return seconds of a break's strength."""
    return _label(value, _STRENGTHS_S)


def parse_rate(value: str, outer: float) -> float:
    """Return a rate: a word, `80%` and `0.8` of the request's rate, or `+10%` more than the outer one."""
    if (percent := _percent(value, outer)) is not None:
        rate = percent
    elif _PLAIN.fullmatch(value):
        rate = float(value)
    else:
        rate = _label(value, _RATES, "80%, +10%")
    return _bounded(rate, MIN_RATE, MAX_RATE)


def parse_volume(value: str, outer: float) -> float:
    """Return a volume: a word, a number up to 100 or `80%` of the request's, or `+6dB` and `-10%` relative to the outer one."""
    if (percent := _percent(value, outer)) is not None:
        volume = percent
    elif found := _DECIBELS.fullmatch(value):
        volume = outer * math.pow(10, min(float(found[1]), 200) / 20)
    elif _PLAIN.fullmatch(value):
        volume = float(value) / 100
    else:
        volume = _label(value, _VOLUMES, "80, +6dB, -10%")
    return _bounded(volume, 0, MAX_VOLUME)


def parse_pitch(value: str, outer: float) -> float:
    """Return a pitch: a word or `90%` of the request's, or `+10%` and `-2st` relative to the outer one.

    Hertz are refused: a voice's own pitch is not known here.
    """
    if (percent := _percent(value, outer)) is not None:
        pitch = percent
    elif found := _SEMITONES.fullmatch(value):
        pitch = outer * math.pow(2, min(float(found[1]), 120) / 12)
    else:
        pitch = _label(value, _PITCHES, "+10%, -2st")
    return _bounded(pitch, MIN_PITCH, MAX_PITCH)


def parse_interpretation(value: str) -> str:
    """Return one of `INTERPRETATIONS`; accept the other names that services have for them."""
    name = _OTHER_NAMES.get(value, value)
    if name not in INTERPRETATIONS:
        raise ValueError(f"write one of {', '.join(INTERPRETATIONS)}")
    return name


def parse_language(value: str) -> str:
    """Return a language's tag."""
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("write a language such as en or en-US")
    return value


def parse_name(value: str) -> str:
    """Return a value with white space joined; it may not be blank."""
    name = " ".join(value.split())
    if not name:
        raise ValueError("write a value that is not blank")
    return name


def _percent(value: str, outer: float) -> float | None:
    """Return the factor of a percentage; with a sign it changes the outer one."""
    found = _PERCENT.fullmatch(value)
    if not found:
        return None
    share = float(found[2]) / 100
    return share if not found[1] else outer * (1 + (share if found[1] == "+" else -share))


def _label(value: str, factors: Mapping[str, float], also: str = "") -> float:
    if value not in factors:
        raise ValueError(f"write one of {', '.join(factors)}{f', or a value such as {also}' if also else ''}")
    return factors[value]


def _bounded(factor: float, minimum: float, maximum: float) -> float:
    if not minimum <= factor <= maximum:
        raise ValueError(f"the factor {factor:.3g} is not from {minimum:g} to {maximum:g}; write a smaller change")
    return factor
