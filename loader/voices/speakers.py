"""Speakers of a voice by name: one, or several that are mixed, such as `Ada(2)+Bob(1)`."""

import re
from collections.abc import Sequence

from loader.engines.base import Speaker, SpeakerMix
from loader.errors import SpeakerMixError, UnknownSpeakerError

#: Beyond that, a mix sounds like the mean of all.
MAX_MIXED = 8
_PART = re.compile(r"(.+?)\s*(?:\((\d{1,4}(?:\.\d{1,6})?)\))?", re.DOTALL)


def parse_mix(name: str) -> dict[str, float] | None:
    """Return the weight of each speaker that `name` mixes, 1 if it has none; None if `name` is no mix."""
    if "+" not in name and not name.endswith(")"):
        return None
    weights: dict[str, float] = {}
    for part in name.split("+"):
        found = _PART.fullmatch(part.strip())
        if found is None:
            return None
        weights[found[1]] = weights.get(found[1], 0.0) + float(found[2] or 1)
    return weights


def resolve_speaker(name: str, voice: str, speakers: Sequence[str], can_mix: bool) -> Speaker:
    """Return the row of a speaker, or the mix.

    Args:
        name: a name that a speaker has is no mix.
        voice: the voice's name, for errors.
        speakers: of the voice, by row.
        can_mix: whether its engine takes the vector of a mix.

    Raises:
        UnknownSpeakerError: lists the known names.
        SpeakerMixError: the voice's engine cannot mix, or the weights are no mix.
    """
    row = find_speaker(name, speakers)
    if row is not None:
        return row
    weights: dict[int, float] = {}
    for each, weight in (parse_mix(name) or {name: 1.0}).items():
        row = find_speaker(each, speakers)
        if row is None:
            raise UnknownSpeakerError(each, voice, speakers)
        weights[row] = weights.get(row, 0.0) + weight
    total = sum(weights.values())
    if not total or len(weights) > MAX_MIXED:
        raise SpeakerMixError(f"{name[:80]!r} mixes {len(weights)} speakers of weight {total:g}, limit 1 to {MAX_MIXED} above 0")
    # By row, so that the order of the names changes no sample.
    audible = sorted((row, weight / total) for row, weight in weights.items() if weight)
    if len(audible) == 1:
        return audible[0][0]
    if not can_mix:
        raise SpeakerMixError(f"voice {voice!r} cannot mix speakers, only a VITS with several speakers can; send one name")
    return SpeakerMix(tuple(audible))


def find_speaker(name: str, speakers: Sequence[str]) -> int | None:
    """Return the row of a speaker, in any letter case if one speaker is left; None if there is none."""
    if name in speakers:
        return speakers.index(name)
    alike = [row for row, known in enumerate(speakers) if known.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def format_speaker(speaker: Speaker, speakers: Sequence[str]) -> str:
    """Return the name of a speaker, or of a mix with the shares of its speakers."""
    if isinstance(speaker, int):
        return speakers[speaker]
    return "+".join(f"{speakers[row]}({share:.3g})" for row, share in speaker.shares)
