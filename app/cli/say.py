"""`chorus say`: speak without a server."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli import config_option

if TYPE_CHECKING:
    from app.cli.output import Write
    from loader.config.settings import Settings
    from loader.engines.base import Samples
    from loader.voices.voice import SpeechOptions, Voice

_MAX_SEED = 2**63 - 1
# Those of `app.codecs.registry`, which --help does not import.
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


@dataclass(frozen=True)
class Speech:
    """What to speak and how; None is the default."""

    text: str
    voice: str | None
    speaker: str | None
    language: str | None
    speed: float
    seed: int | None


@click.command(short_help="Speak without a server.")
@click.argument("text")
@config_option
@click.option("--voice", metavar="NAME", help="Name or alias of a voice; default: the first one.")
@click.option("--speaker", metavar="NAME", help="One of the voice's speakers; default: the voice's own.")
@click.option("--language", metavar="NAME", help="Such as en or en-us; without --voice, the first voice that speaks it.")
@click.option("--speed", type=float, default=1.0, metavar="X", help="0.25 to 4; 2 is twice as fast. Default: 1.")
@click.option("--seed", type=click.IntRange(0, _MAX_SEED), metavar="N", help="The same seed gives the same audio.")
@click.option(
    "-o", "--output", default="speech.wav", metavar="FILE", help="`-` is standard output. Default: speech.wav."
)
@click.option(
    "--format", "audio_format", type=click.Choice(_FORMATS), help="Default: by the ending of the file name, else wav."
)
def say(
    text: str,
    config: Path,
    voice: str | None,
    speaker: str | None,
    language: str | None,
    speed: float,
    seed: int | None,
    output: str,
    audio_format: str | None,
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
    chorus say - < chapter.txt
    """
    from app.cli.output import open_output

    write = open_output(output, audio_format or _format_of(output))
    speech = Speech(_check_text(_read(text)), voice, speaker, language, _check_speed(speed), seed)
    print(spoken_line(_open_voice(speech, config), speech, write, output), file=sys.stderr)


def spoken_line(voice: "Voice", speech: Speech, write: "Write", output: str) -> str:
    """Speak, and return the line to print.

    Raises:
        LoaderError: any of its children; no file is written then.
    """
    from app.cli.progress import show_text
    from loader.voices.voice import SpeechOptions, random_seed

    seed = random_seed() if speech.seed is None else speech.seed
    speaker, language = voice.speaker_row(speech.speaker), voice.language_row(speech.language)
    options = SpeechOptions(seed, speech.speed, output == "-", speaker, language)
    made, start_s = Made(voice.sample_rate_hz), time.monotonic()
    with show_text(lambda: f"{made.audio_s:.1f} s of audio"):
        write(made.count(_samples(voice, speech.text, options)), voice.sample_rate_hz)
    took_s = time.monotonic() - start_s
    figures = f"{made.audio_s:.2f} s of audio in {took_s:.2f} s, RTF {took_s / made.audio_s:.3f}"
    return f"{voice.name}: {figures}, seed {seed}: {'standard output' if output == '-' else output}"


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
            self._samples += window.size
            yield window


def _samples(voice: "Voice", text: str, options: "SpeechOptions") -> Iterator["Samples"]:
    """Speak with all usable cores: this process makes no other speech."""
    from app.system.cgroup import cpu_budget
    from loader.voices.chunks import MAX_THREADS

    threads = min(MAX_THREADS, cpu_budget().used)
    for chunk in voice.chunks(text, options, lambda: threads):
        yield chunk.samples


def _format_of(output: str) -> str:
    ending = Path(output).suffix.lstrip(".").lower()
    return ending if ending in _FORMATS else "wav"


def _open_voice(speech: Speech, config: Path) -> "Voice":
    from app.cli.progress import watched_stages
    from app.startup import needed_to_speak, require_open_files
    from loader.config.settings import load_settings
    from loader.voices.catalog import locate_all, open_catalog

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


def _check_text(text: str) -> str:
    from app.errors import BadRequestError
    from app.synthesis.request import require_text
    from loader.config.settings import Limits

    # The limits of requests do not apply here: a book can be spoken at once.
    unlimited = Limits(text_characters=sys.maxsize, body_bytes=sys.maxsize)
    try:
        return require_text(text, unlimited, "TEXT")
    except BadRequestError as error:
        raise click.UsageError(error.message) from error


def _check_speed(speed: float) -> float:
    from loader.voices.voice import MAX_SPEED, MIN_SPEED

    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise click.UsageError(f"--speed is {speed:g}, expected {MIN_SPEED:g} to {MAX_SPEED:g}")
    return speed
