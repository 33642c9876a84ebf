"""Output of commands: audio as a whole file or as a stream, tables, and sizes."""

import itertools
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from app.cli.errors import CannotWriteError

if TYPE_CHECKING:
    from loader.engines.base import Samples

#: Writes windows of samples, at a rate in hertz, to its destination.
Write = Callable[[Iterator["Samples"], int], None]

_ELSEWHERE = "name another with --output"


def megabytes(size_bytes: int) -> str:
    """Return a size in millions of bytes."""
    return f"{size_bytes / 1e6:,.1f} MB"


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> None:
    """Print a table on standard output; the columns of the titles in `right` are flush right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    # In a pipe every row is one line.
    console = Console(file=sys.stdout, width=None if is_terminal else 10_000, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    # Not by the console: it ends the process with 1 if the reader closes the pipe.
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def open_output(output: str, audio_format: str) -> Write:
    """Return the function that writes audio to `output`, a path or `-`. Checks the destination and writes nothing yet.

    A file is written when its audio is complete; a pipe or a device gets each window as soon as it is made.

    Raises:
        CannotWriteError: a terminal, a directory, or a folder that takes no file.
    """
    if output == "-":
        _refuse_terminal(sys.stdout.isatty(), "standard output")
        return lambda windows, rate_hz: _stream(sys.stdout.buffer, audio_format, windows, rate_hz)
    path = Path(output)
    if path.is_dir():
        raise CannotWriteError(f"{output}: a directory; name a file with --output")
    # Renaming a file over a device or a pipe would destroy it.
    if path.exists() and not path.is_file():
        _refuse_terminal(_is_terminal(path), output)
        return partial(_stream_to_path, path, audio_format)
    path = path.resolve()
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise CannotWriteError(f"{path.parent}: no such folder, or it cannot be written; {_ELSEWHERE}")
    return partial(_write_file, path, audio_format)


def _refuse_terminal(is_terminal: bool, name: str) -> None:
    if is_terminal:
        raise CannotWriteError(f"{name} is a terminal, and audio is not text; use a pipe, or {_ELSEWHERE}")


def _is_terminal(path: Path) -> bool:
    if not path.is_char_device():
        return False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY)
    except OSError as error:
        raise CannotWriteError(f"{path}: cannot be written ({error}); {_ELSEWHERE}") from error
    try:
        return os.isatty(descriptor)
    finally:
        os.close(descriptor)


def _write_file(path: Path, audio_format: str, windows: Iterator["Samples"], rate_hz: int) -> None:
    from app.codecs.registry import open_encoder
    from loader.storage.files import write_aside

    with closing(open_encoder(audio_format, rate_hz, rate_hz, streamed=False)) as encoder:
        pieces = [*map(encoder.encode, windows), encoder.finish()]
        pieces.insert(0, encoder.head())
    try:
        write_aside(path, b"".join(pieces))
    except OSError as error:
        raise CannotWriteError(f"{path}: cannot be written ({error}); {_ELSEWHERE}") from error


def _stream_to_path(path: Path, audio_format: str, windows: Iterator["Samples"], rate_hz: int) -> None:
    with path.open("wb") as file:
        _stream(file, audio_format, windows, rate_hz)


def _stream(file: BinaryIO, audio_format: str, windows: Iterator["Samples"], rate_hz: int) -> None:
    from app.codecs.registry import open_encoder

    # Before the encoder is opened: text that cannot be spoken writes nothing.
    first = next(windows)
    with closing(open_encoder(audio_format, rate_hz, rate_hz, streamed=True)) as encoder:
        for window in itertools.chain([first], windows):
            file.write(encoder.encode(window))
            file.flush()
        file.write(encoder.finish())
