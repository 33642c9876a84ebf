"""Start of a process: its configuration and its limit of open files, or one clear message and a documented exit status."""

import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loader.artifacts.artifact import KEEPS_FILES_OPEN
from loader.config.settings import Settings, load_settings
from loader.errors import LoaderError, ShortageError
from loader.storage.files import remedy_for

#: The number of sysexits.h for reading or writing that failed.
INPUT_OUTPUT_ERROR = 74

DEFAULT_CONFIG = "tts_config.yaml"

#: Settings by the path of their file; one in a server.
_loaded: dict[str, Settings] = {}

#: An interpreter, its libraries, the scoreboard, the log, the listener: at most 21 open files (measured 2026-11-30).
_PROCESS_FILES = 48
#: A mapped artifact keeps each of its files open, at most 19 so far, or none, and espeak-ng reads one at a time.
_VOICE_FILES = 32 if KEEPS_FILES_OPEN else 1
#: Connections of probes, listings and refusals, which need no turn.
_SPARE_FILES = 16
#: Open in the master for each worker.
_WORKER_FILES = 2


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings in the file of CHORUS_CONFIG; end the process with one clear message if they are wrong.

    The file is read once: workers have the settings that their master read, even if the file has changed since.
    """
    path = config_path(environment)
    if path not in _loaded:
        with one_clear_message():
            _loaded[path] = load_settings(path)
    return _loaded[path]


def config_path(environment: Mapping[str, str]) -> str:
    """Return the path of the configuration file."""
    return environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG


def replace_settings(environment: Mapping[str, str], settings: Settings) -> None:
    """Let `settings_from` return `settings` in this process and in those that are forked from it."""
    _loaded[config_path(environment)] = settings


@contextmanager
def one_clear_message() -> Iterator[None]:
    """End the process on a reported error with its line and its documented status, on Ctrl-C quietly with 130.

    File system errors that reach this are reported too, with a remedy if one is known.
    """
    try:
        yield
    except LoaderError as error:
        print(f"chorus: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"chorus: {'; '.join(filter(None, (str(error), remedy_for(error))))}", file=sys.stderr, flush=True)
        sys.exit(INPUT_OUTPUT_ERROR)
    except KeyboardInterrupt:
        print("\nchorus: interrupted", file=sys.stderr, flush=True)
        sys.exit(130)


def needed_to_speak(settings: Settings) -> int:
    """Return the number of open files that a process needs to speak with the configured voices."""
    return _PROCESS_FILES + _VOICE_FILES * len(settings.voices)


def needed_to_serve(settings: Settings, workers: int) -> int:
    """Return the number of open files that each process of a server needs: every admitted request has a connection."""
    admission = settings.admission
    # An answer in synthesis, or one that waits for its client, may have a temporary file besides its connection.
    answers = 2 * (settings.threads + admission.parked) + admission.queue + _SPARE_FILES
    return needed_to_speak(settings) + _WORKER_FILES * workers + answers


def require_open_files(needed: int, wanted: int = 0) -> None:
    """Raise this process's own limit to `needed` or, if that is more, `wanted`, as far as the system allows.

    Raises:
        ShortageError: the system allows fewer than `needed`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = max(needed, wanted) if hard == resource.RLIM_INFINITY else min(hard, max(needed, wanted))
    if soft != resource.RLIM_INFINITY and soft < target:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, hard))
        soft = target
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise ShortageError(
            f"this configuration needs {needed} open files in each process, the limit is {soft}; "
            f"raise it to at least {needed} (ulimit -n, or LimitNOFILE= of a systemd unit)"
        )
