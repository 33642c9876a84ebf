"""Ctrl-C ends a command wherever it arrives, also if Python or a library loses the exception."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """The handler of SIGINT: raises KeyboardInterrupt, and remembers that it did."""

    def __init__(self) -> None:
        self.happened = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.happened = True
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Let the block end with KeyboardInterrupt if Ctrl-C came during it, whatever error the block ends with.

    Native code makes other errors of it, such as ImportError. A process that ignores SIGINT, as in the background of
    a script, goes on ignoring it.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    interruption = Interruption()
    signal.signal(signal.SIGINT, interruption)
    try:
        yield
    except Exception as error:
        if interruption.happened:
            raise KeyboardInterrupt from error
        raise


def raise_if_interrupted() -> None:
    """Raise the KeyboardInterrupt that was lost; long work calls this between its steps.

    Python drops an exception that a signal raises in the hooks around a fork, and in finalizers.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption) and handler.happened:
        raise KeyboardInterrupt
