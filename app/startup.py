"""How a process starts: from its configuration, or not at all and with one clear message."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from loader.artifacts.fs import remedy_for
from loader.config.settings import Settings, load_settings
from loader.errors import LoaderError

#: The number of sysexits.h for reading or writing that failed.
INPUT_OUTPUT_ERROR = 74

DEFAULT_CONFIG = "tts_config.yaml"


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Read the configuration file that CHORUS_CONFIG names, or end the process with one clear message."""
    with one_clear_message():
        return load_settings(environment.get("CHORUS_CONFIG") or DEFAULT_CONFIG)


@contextmanager
def one_clear_message() -> Iterator[None]:
    """End the process on a reported error with its line and its documented status, on Ctrl-C quietly with 130.

    An error of the file system that has come as far as here is reported too: it is the machine's.
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
