"""The `.onnx.json` of a Piper voice: its text settings and the facts of the voice. Needs neither torch nor Coqui nor Piper.

Keys that old files lack have the defaults of piper-tts 1.8.0; keys that it ignores are ignored, but for `phoneme_map`, which
the older program applied and voices of its time may depend on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from loader.artifacts.artifact import PiperFacts, TextFacts, VoiceFacts
from loader.errors import BakeError, UnsupportedModelError
from loader.text.phonemizers import ESPEAK
from loader.text.piper_front_end import BEGIN, END, PAD

#: The voice reads letters.
TEXT = "text"
#: Other kinds of phonemes, with what Piper makes them by.
_UNSUPPORTED = {
    "pinyin": "Chinese syllables that a neural network (g2pW) chooses",
    "japanese": "pyopenjtalk",
    "thai": "TLTK",
    "hebrew": "a neural network (Nakdimon) that adds vowels",
}
_REMEDY = "use the .onnx.json that belongs to the voice"

_Positive = Annotated[int, Meta(ge=1)]
_Scale = Annotated[float, Meta(ge=0)]
_Row = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True)
class _Audio:
    sample_rate: _Positive


@dataclass(frozen=True)
class _Espeak:
    voice: Annotated[str, Meta(min_length=1)]


@dataclass(frozen=True)
class _Language:
    code: str = ""


@dataclass(frozen=True)
class _Inference:
    noise_scale: _Scale = 0.667
    length_scale: Annotated[float, Meta(gt=0)] = 1.0
    noise_w: _Scale = 0.8


@dataclass(frozen=True)
class _Config:
    """The keys that are read, as the file names them."""

    audio: _Audio
    espeak: _Espeak
    phoneme_id_map: dict[str, list[_Row]]
    num_speakers: _Row = 1
    phoneme_type: str = ESPEAK
    phoneme_map: dict[str, list[str]] | None = None
    vowel_clusters: list[list[str]] | dict[str, Any] | None = None
    speaker_id_map: dict[str, _Row] | None = None
    language: _Language = field(default_factory=_Language)
    inference: _Inference = field(default_factory=_Inference)

    @property
    def language_name(self) -> str:
        """`en-us` if the file has `en_US`; files before 2023 have only espeak-ng's name of the language."""
        return self.language.code.replace("_", "-").lower() or self.espeak.voice


def piper_text_facts(config: Mapping[str, Any]) -> TextFacts:
    """Return the text settings of a Piper voice.

    Args:
        config: the content of its `.onnx.json`.

    Raises:
        UnsupportedModelError: this version does not make its kind of phonemes.
        BakeError: the file is broken.
    """
    parsed = _parse(config)
    kind = parsed.phoneme_type.removeprefix("PhonemeType.").lower()
    if kind not in (ESPEAK, TEXT):
        made_by = f" ({_UNSUPPORTED[kind]})" if kind in _UNSUPPORTED else ""
        raise UnsupportedModelError(
            f"phoneme_type {parsed.phoneme_type!r}{made_by}: this version speaks Piper voices with {ESPEAK!r} or {TEXT!r}"
        )
    ids = parsed.phoneme_id_map
    _require_ends(ids)
    clusters = parsed.vowel_clusters if isinstance(parsed.vowel_clusters, list) else []
    return TextFacts(
        cleaner=None,
        phonemizers={parsed.language_name: (ESPEAK, parsed.espeak.voice)} if kind == ESPEAK else {},
        ids={phoneme: rows[0] for phoneme, rows in ids.items() if rows},
        add_blank=True,
        blank_id=ids[PAD][0],
        add_bos_eos=True,
        bos_id=ids[BEGIN][0],
        eos_id=ids[END][0],
        piper=PiperFacts(ids, parsed.phoneme_map or {}, clusters),
    )


def piper_voice_facts(config: Mapping[str, Any]) -> VoiceFacts:
    """Return the facts of a Piper voice that its `.onnx.json` has; a speaker without a name has the number of its row.

    Raises:
        BakeError: the file is broken.
    """
    parsed = _parse(config)
    return VoiceFacts(
        sample_rate_hz=parsed.audio.sample_rate,
        speakers=_speakers(parsed),
        languages=[parsed.language_name],
        length_scale=parsed.inference.length_scale,
        noise_scale=parsed.inference.noise_scale,
        noise_scale_duration=parsed.inference.noise_w,
    )


def _parse(config: Mapping[str, Any]) -> _Config:
    try:
        return msgspec.convert(dict(config), _Config)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise BakeError(f"the Piper voice's .onnx.json: {error}; {_REMEDY}") from error


def require_rows(facts: TextFacts, rows: int) -> None:
    """Check that every id of a Piper voice is a row of its embedding, which has that many.

    Raises:
        BakeError: names the phoneme and its id.
    """
    for phoneme, numbers in facts.piper.ids.items() if facts.piper else ():
        if numbers and max(numbers) >= rows:
            raise BakeError(
                f"the Piper voice's .onnx.json: phoneme_id_map[{phoneme!r}] is {max(numbers)}, "
                f"the network knows 0 to {rows - 1}; {_REMEDY}"
            )


def _require_ends(ids: Mapping[str, list[int]]) -> None:
    for symbol, meaning in ((PAD, "pad"), (BEGIN, "beginning"), (END, "end")):
        if not ids.get(symbol):
            raise BakeError(f"the Piper voice's .onnx.json: phoneme_id_map has no id of {symbol!r}, the {meaning}; {_REMEDY}")


def _speakers(config: _Config) -> list[str]:
    """Return the names in the order of their rows; none for a voice of one speaker, whose network takes no number."""
    if config.num_speakers <= 1:
        return []
    names = {row: name.strip() for name, row in reversed((config.speaker_id_map or {}).items())}
    if names and max(names) >= config.num_speakers:
        last = max(names)
        raise BakeError(
            f"the Piper voice's .onnx.json: speaker_id_map[{names[last]!r}] is {last}, "
            f"num_speakers allows 0 to {config.num_speakers - 1}; {_REMEDY}"
        )
    return [names.get(row, str(row)) for row in range(config.num_speakers)]
