"""Errors of the loader. Imports nothing of this project.

Every message has the value, the bound and the remedy; attributes carry the evidence.
`exit_status` is the exit status of a command or a server that ends with the error (sysexits.h).
"""

from collections.abc import Collection, Sequence
from pathlib import Path


class LoaderError(Exception):
    """Root of all errors that the loader raises on purpose."""

    exit_status = 70
    #: Another attempt cannot help: a file, an option or an installed package has to change.
    permanent = False


#: Number of problems of a configuration in one message.
_MAX_LISTED = 100


class ConfigError(LoaderError):
    """The configuration file has problems; the message lists all of them."""

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


class LexiconFileError(ConfigError):
    """A lexicon file has problems; the message lists all of them, by line."""


class ModelNotFoundError(LoaderError):
    """No model directory, or no Coqui model in it."""

    exit_status = 66
    permanent = True


class FetchError(LoaderError):
    """A model or a release that `model_path` names could not be downloaded."""

    exit_status = 69


class SourceError(LoaderError):
    """What a source of releases offers breaks a rule: a hash, a name, a size, a version, a signature. Nothing of it is used."""

    exit_status = 65
    permanent = True


class MissingFileError(SourceError):
    """A source has no file of that name."""

    exit_status = 66


class WrongHashError(SourceError):
    """A file of a source has not the hash that the manifest names."""


class OtherVersionError(SourceError):
    """A source offers another version than the configuration wants."""


class ReleaseError(LoaderError):
    """No such release is installed, or it may not be tried."""

    exit_status = 66
    permanent = True


class IntegrityError(LoaderError):
    """A file differs from its release or manifest; nothing was loaded from it."""

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
    """The cache folder cannot be written; nothing was published."""

    exit_status = 73
    permanent = True


class ShortageError(LoaderError):
    """The system is out of open files, processes or memory for this process."""

    exit_status = 71


class MissingPackageError(LoaderError):
    """An optional package is needed and not installed."""

    exit_status = 69
    permanent = True


class UnsupportedModelError(LoaderError):
    """The model is valid, but this version of Chorus does not support it."""

    exit_status = 69
    permanent = True


class ArtifactError(LoaderError):
    """A baked artifact does not fit this machine or this version."""

    exit_status = 65
    permanent = True


class DeviceError(LoaderError):
    """The accelerator cannot be used, for a reason other than full memory."""

    exit_status = 69


class NoDeviceError(DeviceError):
    """The machine has no such accelerator, or no installed library supports it."""

    permanent = True


class WarmUpError(LoaderError):
    """Every attempt of the warm-up failed; the supervisor may start this process again."""

    exit_status = 75


class NotReadyError(LoaderError):
    """`synthesize()` was called before `warm_up()` finished."""


class SpeechError(LoaderError):
    """The caller's text or choice of voice cannot be spoken."""

    exit_status = 64

    permanent = True


class UnspeakableTextError(SpeechError):
    """Nothing in the text has a sound in this voice's language."""


class UnreadableTextError(SpeechError):
    """A part of the text crashes the phonemizer in that language, even by itself."""

    def __init__(self, part: str, language: str) -> None:
        named = " ".join(f"U+{ord(character):04X}" for character in part[:8])
        more = " ..." if len(part) > 8 else ""
        super().__init__(f"{part[:40]!r} ({named}{more}) cannot be read in {language!r}; remove it or write it differently")


class MarkupError(SpeechError):
    """SSML is ill-formed, has an unsupported part or exceeds a bound; also a pause tag in plain text."""

    def __init__(self, problem: str, line: int, column: int) -> None:
        """Take the place in the source, both numbers from 1; `problem` has the remedy."""
        self.line = line
        self.column = column
        super().__init__(f"line {line}, column {column}: {problem}")


class InlineLexiconError(SpeechError):
    """The lexicon of a request has problems; the message lists all of them, by term."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("lexicon: " + "; ".join(problems[:_MAX_LISTED]))


class UnknownSymbolsError(SpeechError):
    """Given phonemes have symbols that the voice does not have."""

    def __init__(self, voice: str, written: str, unknown: Sequence[str], known: Collection[str]) -> None:
        #: The text that they were given for.
        self.written = written
        named = " ".join(unknown[:_MAX_LISTED])
        if known:
            letters = " ".join(sorted(symbol for symbol in known if symbol.isalpha()))
            remedy = f"it has {letters}"
        else:
            remedy = "it reads letters; respell the word instead"
        super().__init__(f"the phonemes of {written[:40]!r} have symbols that voice {voice!r} does not have: {named}; {remedy}")


class UnknownVoiceError(SpeechError):
    """The catalog has no voice of that name or alias."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        super().__init__(f"no voice named {name[:80]!r}; known voices: {', '.join(known)}")


class UnavailableVoiceError(LoaderError):
    """The configured voice could not be located or opened at start; the others are served."""

    permanent = True

    def __init__(self, name: str, reason: LoaderError) -> None:
        self.name = name
        self.reason = reason
        self.exit_status = reason.exit_status
        super().__init__(f"voice {name!r} is not served: {reason}")


class UnknownSpeakerError(SpeechError):
    """The voice has no speaker of that name."""

    def __init__(self, name: str, voice: str, known: Sequence[str]) -> None:
        self.name = name
        self.known = tuple(known)
        there = f"known speakers: {', '.join(known)}" if known else "it has one speaker without a name; omit the speaker"
        super().__init__(f"voice {voice!r} has no speaker named {name[:80]!r}; {there}")


class SpeakerMixError(SpeechError):
    """The speakers cannot be mixed so."""


class UnknownLanguageError(SpeechError):
    """No requested voice speaks that language."""

    def __init__(self, name: str, subject: str, known: Sequence[str]) -> None:
        """Begin the message with `subject`: `no voice speaks`, or `voice 'x' does not speak`."""
        self.name = name
        self.known = tuple(known)
        super().__init__(f"{subject} {name[:80]!r}; known languages: {', '.join(known) or 'none with a name'}")


class SynthesisError(LoaderError):
    """The engine produced no usable audio; the request was valid."""
