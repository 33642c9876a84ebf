"""What can go wrong before and while a voice speaks. Imports nothing of this project.

Every error says the value, the bound and the remedy, and carries its evidence as
attributes. `exit_status` is what a command or the server exits with when the error
ends it (the numbers of sysexits.h, where they fit).
"""

from collections.abc import Sequence
from pathlib import Path


class LoaderError(Exception):
    """The root: anything the loader reports on purpose."""

    exit_status = 70
    #: Trying again changes nothing: somebody has to change a file, an option or what is installed.
    permanent = False


#: Problems of a configuration that one message lists.
_MAX_LISTED = 100


class ConfigError(LoaderError):
    """The configuration file has problems; they are listed at once."""

    exit_status = 78
    permanent = True

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        #: One line each, starting with the key's path.
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = list(problems[:_MAX_LISTED])
        if len(problems) > _MAX_LISTED:
            listed.append(f"and {len(problems) - _MAX_LISTED} more")
        super().__init__("\n".join([f"{path}: {count}", *(f"  {line}" for line in listed)]))


class ModelNotFoundError(LoaderError):
    """No model directory, or nothing that looks like a Coqui model in it."""

    exit_status = 66
    permanent = True


class FetchError(LoaderError):
    """A model named by `model_path` could not be downloaded."""

    exit_status = 69


class IntegrityError(LoaderError):
    """A file is not what its release or manifest says; nothing was loaded from it."""

    exit_status = 65
    permanent = True

    def __init__(self, path: Path, expected: str, found: str, remedy: str) -> None:
        self.path = path
        self.expected = expected
        self.found = found
        super().__init__(f"{path}: expected {expected}, found {found}; {remedy}")


class BakeError(LoaderError):
    """The bake child process failed; nothing was published."""

    exit_status = 70
    permanent = True


class StoreError(LoaderError):
    """The cache folder cannot take what was to be kept in it; nothing was published."""

    exit_status = 73


class ShortageError(LoaderError):
    """The system gives this process no more open files, processes or memory."""

    exit_status = 71


class MissingPackageError(LoaderError):
    """Something was asked for that an optional package does."""

    exit_status = 69
    permanent = True


class UnsupportedModelError(LoaderError):
    """The model is sound, but this version of Chorus cannot speak it."""

    exit_status = 69
    permanent = True


class ArtifactError(LoaderError):
    """A baked artifact does not fit this machine or this version."""

    exit_status = 65
    permanent = True


class DeviceError(LoaderError):
    """The accelerator cannot be used, for another reason than that its memory is full."""

    exit_status = 69


class NoDeviceError(DeviceError):
    """There is no such accelerator on this machine, or nothing installed that could use it."""

    permanent = True


class WarmUpError(LoaderError):
    """Getting ready failed as often as it is tried; whoever started this process may start it again."""

    exit_status = 75


class NotReadyError(LoaderError):
    """Asked to speak before `warm_up()` finished."""


class SpeechError(LoaderError):
    """A request that no voice could speak: the caller's text or choice is at fault."""

    exit_status = 64

    permanent = True


class UnspeakableTextError(SpeechError):
    """Nothing in the text makes a sound in this voice's language."""


class UnreadableTextError(SpeechError):
    """A part of the text cannot be read in that language, and neither can the text."""

    def __init__(self, part: str, language: str) -> None:
        named = " ".join(f"U+{ord(character):04X}" for character in part[:8])
        more = " ..." if len(part) > 8 else ""
        super().__init__(f"{part[:40]!r} ({named}{more}) cannot be read in {language!r}; remove it or write it otherwise")


class UnknownVoiceError(SpeechError):
    """No voice of that name or alias is in the catalog."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"no voice named {name[:80]!r}; known voices: {', '.join(known)}")


class UnknownSpeakerError(SpeechError):
    """The voice has no speaker of that name."""

    def __init__(self, name: str, voice: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        there = f"known speakers: {', '.join(known)}" if known else "it has one speaker, without a name; leave it out"
        super().__init__(f"voice {voice!r} has no speaker named {name[:80]!r}; {there}")


class UnknownLanguageError(SpeechError):
    """Nobody asked can speak that language."""

    def __init__(self, name: str, nobody: str, known: Sequence[str]) -> None:
        """Say who cannot: `nobody` is `no voice speaks`, or `voice 'x' does not speak`."""
        self.name = name
        self.known = tuple(known)
        super().__init__(f"{nobody} {name[:80]!r}; known languages: {', '.join(known) or 'none with a name'}")


class SynthesisError(LoaderError):
    """The engine produced no usable audio: our fault, not the caller's."""
