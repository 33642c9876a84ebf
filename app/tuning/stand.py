"""A server under measurement, as the procedure sees it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from app.tuning.client import Call
from app.tuning.journal import Memory
from app.tuning.load import Arrival, closed_loop, open_loop
from app.tuning.mix import Line
from app.tuning.outcome import Outcome
from app.tuning.setting import Setting


class Stand(Protocol):
    """One running server. Any call may raise a LoaderError where the server has ended."""

    def ask(self, line: Line) -> Outcome:
        """Make one request, however long it takes."""
        ...

    def open_loop(self, arrivals: Sequence[Arrival], patience_s: float) -> list[Outcome]:
        """Send every request at its time; see `app.tuning.load.open_loop`."""
        ...

    def closed_loop(self, lines: Iterator[Line], clients: int, for_s: float, patience_s: float) -> list[Outcome]:
        """Have clients ask again as soon as they are answered; see `app.tuning.load.closed_loop`."""
        ...

    def memory(self) -> Memory:
        """Read the memory of the server's processes."""
        ...


#: Starts a server; it is ready inside the context and gone after it.
Launch = Callable[[Setting], AbstractContextManager[Stand]]


class HttpStand:
    """A server on a port of this machine."""

    def __init__(self, port: int, read_memory: Callable[[], Memory], check: Callable[[], None] = lambda: None) -> None:
        """`check` raises where the server has ended, which would look like many unlucky requests."""
        self._port, self._read_memory, self._check = port, read_memory, check

    def ask(self, line: Line) -> Outcome:
        """Make one request, in this thread."""
        outcome = Call(self._port, line, 0.0).made()
        self._check()
        return outcome

    def open_loop(self, arrivals: Sequence[Arrival], patience_s: float) -> list[Outcome]:
        """See `Stand`."""
        outcomes = open_loop(self._port, arrivals, patience_s)
        self._check()
        return outcomes

    def closed_loop(self, lines: Iterator[Line], clients: int, for_s: float, patience_s: float) -> list[Outcome]:
        """See `Stand`."""
        outcomes = closed_loop(self._port, lines, clients, for_s, patience_s)
        self._check()
        return outcomes

    def memory(self) -> Memory:
        """See `Stand`."""
        return self._read_memory()
