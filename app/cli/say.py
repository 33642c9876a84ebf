"""`chorus say`: speak without a server."""

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.cli.options import config_option

if TYPE_CHECKING:
    from app.cli.audio_output import Write
    from loader.config.settings import Settings
    from loader.engines.base import Samples
    from loader.voices.voice import Delivery, Voice

_MOST_SEED = 2**63 - 1
# Those of `app.codecs.registry`, whose import --help does without.
_FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


@dataclass(frozen=True)
class Wanted:
    """What is to be said, how and by whom; None is the default."""

    text: str
    voice: str | None
    speaker: str | None
    language: str | None
    speed: float
    seed: int | None


@click.command(short_help="Speak without a server.")
@click.argument("text")
@config_option
@click.option("--voice", metavar="NAME", help="Which voice, by name or alias; default: the first one.")
@click.option("--speaker", metavar="NAME", help="Which of the voice's speakers; default: the voice's own.")
@click.option("--language", metavar="NAME", help="Such as en or en-us; without --voice, the first voice that speaks it.")
@click.option("--speed", type=float, default=1.0, metavar="X", help="0.25 to 4; 2 is twice as fast. Default: 1.")
@click.option("--seed", type=click.IntRange(0, _MOST_SEED), metavar="N", help="The same seed gives the same audio.")
@click.option(
    "-o", "--output", default="speech.wav", metavar="FILE", help="Where to, `-` for standard output. Default: speech.wav."
)
@click.option(
    "--format", "audio_format", type=click.Choice(_FORMATS), help="Default: what the file's name ends in, else wav."
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

    A file appears when it is whole. Standard output is written while the rest is still being
    made, and never to a terminal. The seconds of audio and the real-time factor (seconds of
    work a second of audio) go to standard error. A voice that is not baked yet is baked first.

    \b
    chorus say "Hello world."
    chorus say --voice joe --speed 1.2 --output hello.wav "Hello world."
    chorus say --output hello.mp3 "Hello world."
    chorus say --output - "Hello world." | aplay
    chorus say - < chapter.txt
    """
    from app.cli.audio_output import destination

    write = destination(output, audio_format or _named_format(output))
    wanted = Wanted(_checked(_read(text)), voice, speaker, language, _checked_speed(speed), seed)
    print(spoken_line(_opened(wanted, config), wanted, write, output), file=sys.stderr)


def spoken_line(voice: "Voice", wanted: Wanted, write: "Write", output: str) -> str:
    """Speak, and return the line that says what came of it.

    Raises:
        LoaderError: any of its children; a file is then not there.
    """
    from app.cli.display import shown_text
    from loader.voices.voice import Delivery, random_seed

    seed = random_seed() if wanted.seed is None else wanted.seed
    delivery = Delivery(seed, wanted.speed, output == "-", wanted.speaker, wanted.language)
    made, started_s = Made(voice.sample_rate_hz), time.monotonic()
    with shown_text(lambda: f"{made.audio_s:.1f} s of audio"):
        write(made.counted(_spoken(voice, wanted.text, delivery)), voice.sample_rate_hz)
    took_s = time.monotonic() - started_s
    figures = f"{made.audio_s:.2f} s of audio in {took_s:.2f} s, RTF {took_s / made.audio_s:.3f}"
    return f"{voice.name}: {figures}, seed {seed}: {'standard output' if output == '-' else output}"


class Made:
    """Counts the samples that pass."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._sample_rate_hz = sample_rate_hz
        self._samples = 0

    @property
    def audio_s(self) -> float:
        """Seconds of audio until now."""
        return self._samples / self._sample_rate_hz

    def counted(self, windows: Iterator["Samples"]) -> Iterator["Samples"]:
        """Pass `windows` on."""
        for window in windows:
            self._samples += window.size
            yield window


def _spoken(voice: "Voice", text: str, delivery: "Delivery") -> Iterator["Samples"]:
    """Speak with several cores: nobody else wants them, as far as this process knows."""
    from loader.voices.prefetch import MOST_HANDS

    hands = min(MOST_HANDS, len(os.sched_getaffinity(0)))
    for stretch in voice.stretches(text, delivery, lambda: hands, hands):
        yield stretch.samples


def _named_format(output: str) -> str:
    named = Path(output).suffix.lstrip(".").lower()
    return named if named in _FORMATS else "wav"


def _opened(wanted: Wanted, config: Path) -> "Voice":
    from app.cli.display import watched_stages
    from app.system.open_files import needed_to_speak, require_open_files
    from loader.config.settings import load_settings
    from loader.voices.catalog import locate_all, open_catalogue

    settings = _needed(load_settings(config), wanted)
    require_open_files(needed_to_speak(settings))
    with watched_stages():
        artifacts = locate_all(settings)
    catalogue = open_catalogue(settings, artifacts)
    catalogue.enter_device()
    return catalogue.voice(wanted.voice, wanted.language)


def _needed(settings: "Settings", wanted: Wanted) -> "Settings":
    """Leave out the voices that cannot be meant, so that they are neither baked nor mapped."""
    from app.cli.inventory import configured

    if wanted.voice:
        return replace(settings, voices=(configured(settings, wanted.voice),))
    return settings if wanted.language else replace(settings, voices=settings.voices[:1])


def _read(text: str) -> str:
    # What is not UTF-8 is kept as it is, to be refused with its position like any other such character.
    return sys.stdin.buffer.read().decode("utf-8-sig", "surrogateescape") if text == "-" else text


def _checked(text: str) -> str:
    from app.errors import BadRequestError
    from app.synthesis.request import require_text
    from loader.config.settings import Limits

    # What limits requests is no reason to cut a book into parts here.
    unlimited = Limits(text_characters=sys.maxsize, body_bytes=sys.maxsize)
    try:
        return require_text(text, unlimited, "TEXT")
    except BadRequestError as error:
        raise click.UsageError(error.message) from error


def _checked_speed(speed: float) -> float:
    from loader.voices.voice import FASTEST, SLOWEST

    if not SLOWEST <= speed <= FASTEST:
        raise click.UsageError(f"--speed is {speed:g}, expected {SLOWEST:g} to {FASTEST:g}")
    return speed
