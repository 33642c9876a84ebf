"""A device beside the processor: what one is, who may use it, and when it is left. Knows no library of any device."""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from loader.devices.marker import Fallback, Marker
from loader.retry import described

log = logging.getLogger("chorus.loader")


class Device(Protocol):
    """One device of this machine. After `require_library`, `open` comes before all else, which belongs to one process."""

    #: What its library calls it, such as `cuda:0`.
    name: str

    def require_library(self) -> None:
        """Check that this installation could use such a device at all. May be called anywhere; touches no device.

        Raises:
            NoDeviceError: it could not.
        """
        ...

    def open(self) -> None:
        """Make the first call to the device in this process. Opening an open one does nothing.

        Raises:
            DeviceError: it cannot be used.
            Exception: one that `is_out_of_memory` knows.
        """
        ...

    def free_bytes(self) -> int:
        """Return how much of its memory is free."""
        ...

    def held_bytes(self) -> int:
        """Return how much of its memory this process uses; what is kept for later does not count."""
        ...

    def release(self) -> None:
        """Give back what memory nothing of this process uses any more."""
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error says that the device's memory is full."""
        ...

    def is_poisoned(self, error: BaseException) -> bool:
        """Whether after this error the device answers nothing else to this process."""
        ...


class Placed(Protocol):
    """Something with a copy on the device."""

    def drop(self) -> None:
        """Let go of the copy; the device has been left before."""
        ...


class State(Enum):
    """What a process has to do with its device."""

    NOT_ENTERED = "not entered"
    IN_USE = "in use"
    FALLEN_BACK = "fallen back"
    POISONED = "poisoned"


@dataclass(frozen=True)
class Trouble:
    """Why the device did not do what it was asked to. Holds no error: its traceback would hold memory of the device."""

    why: str
    is_out_of_memory: bool


class Accelerator:
    """This process's use of one device.

    Made once, in the master before the fork, where it touches nothing; every worker
    enters the device for itself. Used by many threads.
    """

    def __init__(self, device: Device, marker: Marker) -> None:
        self.name = device.name
        self._device = device
        self._marker = marker
        self._lock = threading.Lock()
        self._entering = threading.Lock()
        self._state = State.NOT_ENTERED
        self._using = 0
        self._placed: weakref.WeakSet[Placed] = weakref.WeakSet()
        self._when_poisoned: Callable[[], None] = lambda: None
        #: The one process that the device was opened in.
        self._process = 0

    @property
    def state(self) -> State:
        """Where this process stands; a fork stands outside."""
        inherited = self._state is not State.NOT_ENTERED and self._process != os.getpid()
        return State.NOT_ENTERED if inherited else self._state

    @property
    def fallback(self) -> Fallback | None:
        """Why no process uses the device, where none may."""
        return self._marker.read()

    @property
    def wants_replacement(self) -> bool:
        """Whether this process can never use the device again, where another one could."""
        return self.state is State.POISONED

    def require_library(self) -> None:
        """Check that this installation could use such a device. May run in the master; touches no device.

        Raises:
            NoDeviceError: it could not.
        """
        self._device.require_library()

    def when_poisoned(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, in the thread that finds it out, once this process wants to be replaced."""
        self._when_poisoned = callback

    def adopt(self, placed: Placed) -> None:
        """Know whose copy is to go when the device is left."""
        self._placed.add(placed)

    def enter(self) -> None:
        """Open the device, unless the marker forbids it. Runs after the fork, and never in a master.

        Raises:
            DeviceError: it cannot be used, for another reason than that its memory is full.
        """
        with self._entering:
            if self.state in (State.IN_USE, State.POISONED):
                return
            self._process = os.getpid()
            if (known := self._marker.read()) is not None:
                self._state = State.FALLEN_BACK
                log.warning("device %s is left alone since %s: %s", self.name, known.when, known.why)
                return
            trouble = self._opened()
            if trouble is None:
                self._state = State.IN_USE
        if trouble is not None:
            self.fall_back(trouble.why)

    def begin_use(self) -> bool:
        """Return whether the device may be used now; then `end_use` must follow."""
        state = self.state
        if state in (State.IN_USE, State.FALLEN_BACK):
            forbidden = self._marker.read() is not None
            if forbidden and state is State.IN_USE:
                self._leave("another process fell back to the CPU")
            elif not forbidden and state is State.FALLEN_BACK:
                self._enter_again()
        with self._lock:
            if self.state is not State.IN_USE:
                return False
            self._using += 1
        return True

    def end_use(self) -> None:
        """The work is over, one way or another."""
        with self._lock:
            self._using -= 1
            was_the_last = self._using == 0 and self._state is State.FALLEN_BACK
        if was_the_last:
            self.release()

    def trouble(self, error: BaseException) -> Trouble | None:
        """Return what an error says of the device, None where it is none of the device's."""
        if self._device.is_out_of_memory(error):
            return Trouble(described(error), is_out_of_memory=True)
        if self._device.is_poisoned(error):
            return Trouble(described(error), is_out_of_memory=False)
        return None

    def release(self) -> None:
        """Give back what memory of the device nothing uses any more; says so in the log where it cannot."""
        try:
            self._device.release()
        except Exception as error:  # whatever the device's library raises, a request must not end by it
            log.warning("device %s: memory was not given back: %s", self.name, described(error))

    def fall_back(self, why: str) -> None:
        """Leave the device, in this process at once, in every other one before its next use of it."""
        free_bytes = self._free_bytes()
        with self._lock:
            already = self._state is State.FALLEN_BACK and self._marker.read() is not None
            if already or self._state is State.POISONED:
                return
            # The marker first: a thread that finds the state without it would enter again.
            self._marker.write(why, self.name, free_bytes)
            self._state = State.FALLEN_BACK
        log.warning("device %s: falling back to the CPU, %s bytes free: %s", self.name, free_bytes, why)
        self._drop_copies()

    def poison(self, why: str) -> None:
        """Touch the device no more: this process's context is lost, the device itself is not."""
        with self._lock:
            if self._state is State.POISONED:
                return
            self._state = State.POISONED
        log.warning("device %s: this process lost it and goes on on the CPU: %s", self.name, why)
        # Copies are kept: freeing one could call the device.
        self._when_poisoned()

    def _leave(self, why: str) -> None:
        with self._lock:
            if self._state is not State.IN_USE:
                return
            self._state = State.FALLEN_BACK
        log.warning("device %s: left for the CPU: %s", self.name, why)
        self._drop_copies()

    def _drop_copies(self) -> None:
        # Work that still runs in other threads holds on to its copy; the last of it releases once more.
        for placed in list(self._placed):
            placed.drop()
        self.release()

    def _enter_again(self) -> None:
        """Enter after a reset or an expiry, in the middle of a request: whatever goes wrong leads back to the CPU."""
        log.info("device %s may be used again", self.name)
        try:
            self.enter()
        except Exception as error:  # the device's library may raise anything, and the request goes on without it
            self.fall_back(described(error))

    def _opened(self) -> Trouble | None:
        try:
            self._device.open()
        except Exception as error:  # the device's library may raise anything
            found = self.trouble(error)
            if found is None or not found.is_out_of_memory:
                raise
            return found
        return None

    def held_bytes(self) -> int | None:
        """Return how much of the device's memory this process uses; None where it does not use the device."""
        return self._device.held_bytes() if self.state is State.IN_USE else None

    def _free_bytes(self) -> int | None:
        try:
            return self._device.free_bytes()
        except Exception:  # the device's library may raise anything; that the memory was full is known already
            return None
