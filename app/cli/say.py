"""`chorus say`: speak without a server."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option
from app.cli.interruption import raise_if_interrupted

if TYPE_CHECKING:
    from app.cli.output import Write
    from app.synthesis.markup import TextFormat
    from loader.config.settings import Settings
    from loader.engines.base import Samples
    from loader.text.lexicon.entries import Entry
    from loader.text.markup.script import Script
    from loader.voices.voice import SpeechOptions, Voice

_MAX_SEED = 2**63 - 1
# Those of `app.synthesis.markup` and `app.codecs.registry`, which --help does not import.
_MARKUP = ("plain", "markdown", "ssml")
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm", "ogg", "ulaw", "alaw", "sln16")


@dataclass(frozen=True)
class Speech:
    """What to speak and how; None is the default."""

    text: "str | Script"
    voice: str | None
    speaker: str | None
    language: str | None
    speed: float
    seed: int | None
    lexicons: tuple[Path, ...] = ()


@click.command(short_help="Speak without a server.")
@click.argument("text")
@config_option
@click.option("--voice", metavar="NAME", help="Name or alias of a voice; default: the first one.")
@click.option("--speaker", metavar="NAME", help="One of the voice's speakers; default: the voice's own.")
@click.option("--language", metavar="NAME", help="Such as en or en-us; without --voice, the first voice that speaks it.")
@click.option("--speed", type=float, default=1.0, metavar="X", help="0.25 to 4; 2 is twice as fast. Default: 1.")
@click.option("--seed", type=click.IntRange(0, _MAX_SEED), metavar="N", help="The same seed gives the same audio.")
@click.option("--markup", type=click.Choice(_MARKUP), help="Default: ssml if TEXT begins with <speak, else plain.")
@click.option(
    "--lexicon", "lexicons", type=click.Path(path_type=Path), multiple=True, metavar="FILE",
    help="A lexicon file over the configured ones; may be repeated.",
)  # fmt: skip
@click.option(
    "-o", "--output", default="speech.wav", metavar="FILE", help="`-` is standard output. Default: speech.wav."
)
@click.option(
    "--format", "audio_format", type=click.Choice(_FORMATS), help="Default: by the ending of the file name, else wav."
)
@click.option("--explain", is_flag=True, help="Print what is read for each word and why, and make no audio.")
def say(
    text: str,
    config: Path,
    voice: str | None,
    speaker: str | None,
    language: str | None,
    speed: float,
    seed: int | None,
    markup: "TextFormat | None",
    lexicons: tuple[Path, ...],
    output: str,
    audio_format: str | None,
    explain: bool,
) -> None:
    """Speak TEXT into an audio file, without a server; `-` reads it from standard input.

    A file appears when its audio is complete. Standard output is written while the rest is
    still being made, and never to a terminal. The duration of the audio and the real-time factor
    (seconds of work per second of audio) go to standard error. Bakes the voice first if needed.

    \b
    chorus say "Hello world."
    chorus say --voice joe --speed 1.2 --output hello.wav "Hello world."
    chorus say --output hello.mp3 "Hello world."
    chorus say --output - "Hello world." | aplay
    chorus say "<speak>Wait <break time='1s'/> for it.</speak>"
    chorus say --markup markdown - < chapter.md
    chorus say --explain "The dose is 0.05 mg."
    """
    from app.cli.output import open_output

    if explain:
        _explain(Speech(_check_text(_read(text), markup), voice, speaker, language, _check_speed(speed), seed, lexicons), config)
        return
    write = open_output(output, audio_format or _format_of(output))
    speech = Speech(_check_text(_read(text), markup), voice, speaker, language, _check_speed(speed), seed, lexicons)
    print(spoken_line(_open_voice(speech, config), speech, write, output), file=sys.stderr)


def spoken_line(voice: "Voice", speech: Speech, write: "Write", output: str) -> str:
    """Speak, and return the line to print.

    Raises:
        LoaderError: any of its children; no file is written then.
    """
    from app.cli.progress import show_text

    options = _options_of(speech, voice, soon=output == "-")
    made, start_s = Made(voice.sample_rate_hz), time.monotonic()
    with show_text(lambda: f"{made.audio_s:.1f} s of audio"):
        write(made.count(_samples(voice, speech.text, options)), voice.sample_rate_hz)
    took_s = time.monotonic() - start_s
    figures = f"{made.audio_s:.2f} s of audio in {took_s:.2f} s, RTF {took_s / made.audio_s:.3f}"
    return f"{voice.name}: {figures}, seed {options.seed}: {'standard output' if output == '-' else output}"


def _explain(speech: Speech, config: Path) -> None:
    """Print the table. Reads a sentence at a time."""
    from app.cli.explanation import explanation_lines
    from loader.voices.explanation import explain

    voice = _open_voice(speech, config)
    for line in explanation_lines(explain(voice, speech.text, _options_of(speech, voice))):
        print(line)


def _options_of(speech: Speech, voice: "Voice", soon: bool = False) -> "SpeechOptions":
    from loader.voices.voice import SpeechOptions, random_seed

    seed = random_seed() if speech.seed is None else speech.seed
    speaker, language = voice.speaker(speech.speaker), voice.language_row(speech.language)
    entries = _read_lexicons(speech.lexicons, voice.languages[language])
    return SpeechOptions(seed, speech.speed, soon, speaker, language, lexicon=entries)


class Made:
    """Count of the samples made so far."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._samples = 0

    @property
    def audio_s(self) -> float:
        """Seconds of audio so far."""
        return self._samples / self._sample_rate_hz

    def count(self, windows: Iterator["Samples"]) -> Iterator["Samples"]:
        """Pass `windows` on."""
        for window in windows:
            raise_if_interrupted()
            self._samples += window.size
            yield window


def _samples(voice: "Voice", content: "str | Script", options: "SpeechOptions") -> Iterator["Samples"]:
    """Speak with all usable cores: this process makes no other speech."""
    from app.system.cgroup import cpu_budget
    from loader.voices.chunks import MAX_THREADS

    threads = min(MAX_THREADS, cpu_budget().used)
    for chunk in voice.chunks(content, options, lambda: threads, raise_if_interrupted):
        yield chunk.samples


def _read_lexicons(paths: tuple[Path, ...], language: str) -> "tuple[Entry, ...]":
    if not paths:
        return ()
    from loader.text.lexicon.files import read_lexicon

    return tuple(entry for path in paths for entry in read_lexicon(path, language))


def _format_of(output: str) -> str:
    ending = Path(output).suffix.lstrip(".").lower()
    return ending if ending in _FORMATS else "wav"


def _open_voice(speech: Speech, config: Path) -> "Voice":
    from app.cli.progress import watched_stages
    from app.startup import needed_to_speak, require_open_files
    from loader.artifacts.resolve import locate_all
    from loader.config.settings import load_settings
    from loader.voices.catalog import open_catalog

    settings = _without_other_voices(load_settings(config), speech)
    require_open_files(needed_to_speak(settings))
    with watched_stages():
        artifacts = locate_all(settings)
    catalogue = open_catalog(settings, artifacts)
    catalogue.enter_device()
    return catalogue.voice(speech.voice, speech.language)


def _without_other_voices(settings: "Settings", speech: Speech) -> "Settings":
    """Leave out the voices that `speech` cannot refer to, so that they are neither baked nor mapped."""
    from app.cli.inventory import find_voice

    if speech.voice:
        return replace(settings, voices=(find_voice(settings, speech.voice),))
    return settings if speech.language else replace(settings, voices=settings.voices[:1])


def _read(text: str) -> str:
    # Bytes that are not UTF-8 become surrogates, which are refused with their position.
    return sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape") if text == "-" else text


def _check_text(text: str, markup: "TextFormat | None" = None) -> "str | Script":
    """Return what is spoken: the script of the text's markup, or the text."""
    from app.errors import BadRequestError
    from app.synthesis.markup import parse_source
    from loader.config.settings import Limits, Settings

    # The limits of requests do not apply here: a book can be spoken at once.
    limits = Limits(text_characters=sys.maxsize, body_bytes=sys.maxsize, markup_bytes=sys.maxsize, markup_tags=sys.maxsize)
    try:
        script = parse_source(text, Settings(limits=limits), "TEXT", markup)
    except BadRequestError as error:
        raise click.UsageError(error.message) from error
    return text if script is None else script


def _check_speed(speed: float) -> float:
    from loader.voices.voice import MAX_SPEED, MIN_SPEED

    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise click.UsageError(f"--speed is {speed:g}, expected {MIN_SPEED:g} to {MAX_SPEED:g}")
    return speed
