"""The fields of a body of `/v1/audio/speech`, captions and explanations: one declaration checks, documents and describes each.

The annotations have the meaning of a field and an example of its value, for docs/api.md and `/openapi.json`.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from app.synthesis.markup import SsmlMode, TextFormat
from app.synthesis.request import MAX_SEED
from loader.voices.voice import MAX_SPEED, MIN_SPEED

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 48_000

_Granularity = Literal["sentence", "word", "phoneme", "segment"]


def _field(
    meaning: str, example: Any, default: str = "—", expected: str | None = None, unset: tuple[Any, ...] = (), **bounds: Any
) -> Meta:
    """Return the annotation of a field.

    Args:
        meaning: in Markdown.
        example: a value of it.
        default: what holds without it.
        expected: what it takes, in words, if the type does not say it.
        unset: values that mean no value, see `loosen`.
        bounds: of `Meta`.
    """
    words = {"expected": expected, "unset": unset}
    extra = {"default": default, **{name: value for name, value in words.items() if value}}
    return Meta(description=meaning, examples=[example], extra=extra, **bounds)


def _text(meaning: str, example: str, default: str = "—", unset: tuple[Any, ...] = ()) -> Meta:
    return _field(meaning, example, default, "a string", unset)


@dataclass(frozen=True)
class NamedVoice:
    """A voice as OpenAI's newer clients name it."""

    id: Annotated[str, Meta(examples=["alloy"])]


@dataclass(frozen=True)
class Body:
    """Unknown fields are accepted: clients send fields of other servers, and newer ones. `X-Ignored-Fields` lists them."""

    input: Annotated[str, _text(
        "the text; one that begins with `<speak` is [SSML](text.md#markup), unless `text_format` is `plain`",
        "It is $3.50, Dr. Smith.", "required",
    )]  # fmt: skip
    text_format: Annotated[TextFormat, _field(
        "`plain`, `markdown`, `ssml`, see [markup](text.md#markup)", "plain", "`speech.text_format`"
    )] | None = None  # fmt: skip
    ssml: Annotated[SsmlMode, _field(
        "`strict`: unknown SSML is refused; `lenient`: it is dropped and named in `X-Ignored-Markup`", "lenient", "`speech.ssml`"
    )] | None = None  # fmt: skip
    voice: Annotated[str | NamedVoice, _field(
        "name or alias of a voice, an object with `id`, or `voice#speaker`. OpenAI's names (`alloy`, ..., and of models such as "
        "`tts-1`), `default` and `auto` mean the default voice unless an alias gives them to another one",
        "alloy", "the first voice", "a string, or an object with a string `id`",
    )] | None = None  # fmt: skip
    model: Annotated[str, _text(
        "if `voice` is absent or means the default voice, a `model` that names a voice of this server selects it; any other "
        "value has no effect", "tts-1",
    )] | None = None  # fmt: skip
    response_format: Annotated[str, _text(
        "`mp3`, `opus`, `aac`, `flac`, `wav`, `pcm`; `ogg` (Opus); for telephones `ulaw`, `alaw` (G.711, 8 kHz), `sln16` "
        "(16 kHz)",
        "wav", "`mp3`",
    )] | None = None  # fmt: skip
    speed: Annotated[float, _field(
        "0.25 to 4, exact: 2 takes half the time. It changes the length scale, so the pitch stays; few voices are intelligible "
        "beyond 2", 1.25, "1", ge=MIN_SPEED, le=MAX_SPEED,
    )] | None = None  # fmt: skip
    stream_format: Annotated[Literal["audio", "sse"], _field(
        "`audio`, `sse`", "audio", "see [streaming](#streaming)"
    )] | None = None  # fmt: skip
    stream: Annotated[bool, _field("true or false", False, "see [streaming](#streaming)")] | None = None
    seed: Annotated[int, _field(
        "the same seed gives the same audio; -1 draws one too; the response header `X-Seed` has the one in use",
        7, "drawn", unset=(-1,), ge=0, le=MAX_SEED,
    )] | None = None  # fmt: skip
    sample_rate: Annotated[int, _field(
        "8000 to 48000 Hz, resampled by soxr. OpenAI's clients expect bare PCM at 24 kHz. MP3 and AAC take the next higher rate "
        "that they know, Opus is always 48000, `ulaw` and `alaw` 8000, `sln16` 16000; `X-Sample-Rate` has the rate in use",
        16_000, "the voice's; 24000 for `pcm`", ge=MIN_RATE_HZ, le=MAX_RATE_HZ,
    )] | None = None  # fmt: skip
    noise_scale: Annotated[float, _field(
        "0 to 2: variation of the sound", 0.5, "the voice's", ge=0.0, le=2.0
    )] | None = None  # fmt: skip
    noise_scale_duration: Annotated[float, _field(
        "0 to 2: variation of the rhythm", 0.5, "the voice's", ge=0.0, le=2.0
    )] | None = None  # fmt: skip
    sentence_pause: Annotated[float, _field(
        "0 to 10 seconds of silence between sentences", 0.5, "`speech.sentence_pause_s`", ge=0.0, le=10.0
    )] | None = None  # fmt: skip
    normalize: Annotated[bool, _field(
        "read what is meant by numbers, signs, abbreviations and layout; `false` reads as Coqui does, see [text](text.md)",
        True, "`speech.normalize`",
    )] | None = None  # fmt: skip
    lexicon: Annotated[dict[str, str], _field(
        'an object of terms, each with a respelling or with IPA between slashes, such as `{"SQL": "sequel", "Nguyen": "/wɪn/"}`; '
        "at most `limits.lexicon_entries`, see [lexicon](text.md#lexicon)",
        {"Smith": "smyth"}, "none", "an object of terms and how they are spoken, each a string",
    )] | None = None  # fmt: skip
    speaker: Annotated[str, _text(
        "a speaker of the voice, or a mix, see [how a voice is selected](voices.md#how-a-request-selects-a-voice)", "Ada",
        "the voice's",
    )] | None = None  # fmt: skip
    language: Annotated[str, _text(
        "a language of the voice; `auto` is the default; see [how a voice is selected](voices.md#how-a-request-selects-a-voice)",
        "en", "the voice's",
        ("auto",),
    )] | None = None  # fmt: skip
    # A longer list is one problem: one a item would take 170 MB for the longest body.
    timestamp_granularities: Annotated[tuple[_Granularity, ...], _field(
        "a list of `sentence` (or `segment`), `word`, `phoneme`: the times in events and JSON captions",
        ["sentence", "word"], "none; captions: sentences and words", "a list of at most 8 granularities", max_length=8,
    )] | None = None  # fmt: skip
    instructions: Annotated[str, _text("accepted, without effect", "Speak calmly.")] | None = None


@dataclass(frozen=True)
class CaptionsBody(Body):
    """The fields of a body, with the format of the captions."""

    caption_format: Annotated[Literal["json", "srt", "vtt"], _field(
        "`json`, `srt`, `vtt`: of `/v1/audio/captions`, which takes `response_format` for it too", "srt", "`json`"
    )] | None = None  # fmt: skip
