"""Start of a process: its configuration, or one clear message and a documented exit status."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from loader.artifacts.fs import remedy_for
from loader.config.settings import Settings, load_settings
from loader.errors import LoaderError

#: The number of sysexits.h for reading or writing that failed.
INPUT_OUTPUT_ERROR = 74

DEFAULT_CONFIG = "tts_config.yaml"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings in the file that CHORUS_CONFIG names; end the process with one clear message if they are wrong.

    A file is read once: workers have the settings that their master read, whatever the file says by then.
    """
    with one_clear_message():
        return _load_once(environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG)


@cache
def _load_once(path: str) -> Settings:
    return load_settings(path)


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
