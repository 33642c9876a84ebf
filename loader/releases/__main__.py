"""The child that fetches a release. Takes a `FetchRequest` on standard input, prints the release's id."""

import argparse
import sys
import time
from pathlib import Path

import msgspec

from loader.child_process import INPUT_OUTPUT_ERROR, end_with
from loader.config.location import shown
from loader.errors import LoaderError
from loader.releases.fetch import Report, fetch_release
from loader.releases.fetch_process import FetchRequest
from loader.releases.installed import InstalledReleases
from loader.standard_streams import reopen_closed_streams

_EVERY_S = 5.0


class Lines(Report):
    """Prints a line for each remark, and one every few seconds of progress."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._printed_s = time.monotonic()

    def progress(self, file: str, done_bytes: int, total_bytes: int | None) -> None:
        """Print where the fetch is, if the last line is old."""
        if time.monotonic() - self._printed_s >= _EVERY_S:
            total = "" if total_bytes is None else f" of {total_bytes / 1e6:,.0f}"
            self.remark(f"{file}, {done_bytes / 1e6:,.0f}{total} MB")
            self._printed_s = time.monotonic()

    def remark(self, text: str) -> None:
        """Print one line."""
        print(f"chorus: fetching {self._source}: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Fetch, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, help="end when this process ends")
    parent = parser.parse_args().parent
    if parent is not None:
        end_with(parent)
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=FetchRequest)
    lines = Lines(shown(request.source))
    try:
        lines.remark("starts")
        found = fetch_release(InstalledReleases(request.source, Path(request.cache_dir)), request.limits, request.version, lines)
    except LoaderError as error:
        print(f"chorus: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"chorus: {error}", file=sys.stderr)
        return INPUT_OUTPUT_ERROR
    except KeyboardInterrupt:
        return 130
    lines.remark(f"release {found.short_id}, version {found.version}, is here")
    print(found.id)
    return 0


if __name__ == "__main__":
    reopen_closed_streams()
    sys.exit(main())
