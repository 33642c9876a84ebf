"""An accelerator beside the CPU: the interface of devices, a process's use of one, and the fallback to the CPU.

Knows no library of any device.
"""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from loader.devices.disabled_flag import DisabledFlag, Fallback
from loader.errors import DeviceError
from loader.retry import format_error

log = logging.getLogger("chorus.loader")

#: Times that `enter` raises the device's error, so that the caller tries again, before it falls back to the CPU:
#: one less than `Backoff.tries`, so that the last attempt of a warm-up succeeds on the CPU.
MAX_REFUSALS = 2


class Device(Protocol):
    """One device of this machine. All but `require_library` needs `open` first, in the same process."""

    #: As its library names it, such as `cuda:0`.
    name: str

    def require_library(self) -> None:
        """Check that the installed library supports such devices. May be called anywhere; touches no device.

        Raises:
            NoDeviceError: it does not.
        """
        ...

    def open(self) -> None:
        """Make the first call to the device in this process. Opening an open one does nothing.

        Raises:
            DeviceError: it cannot be used; if `permanent`, another attempt does not help.
            Exception: one that `is_out_of_memory` knows.
        """
        ...

    def free_bytes(self) -> int:
        """Return how much of its memory is free."""
        ...

    def held_bytes(self) -> int:
        """Return how much of its memory this process uses, without caches."""
        ...

    def release(self) -> None:
        """Free cached memory."""
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error means that the device's memory is full."""
        ...

    def is_poisoned(self, error: BaseException) -> bool:
        """Whether after this error the device refuses every call of this process."""
        ...


class Placed(Protocol):
    """A model with a copy on the device."""

    def drop(self) -> None:
        """Drop the copy; the device has been left before."""
        ...


class State(Enum):
    """A process's relation to its device."""

    NOT_ENTERED = "not entered"
    IN_USE = "in use"
    FALLEN_BACK = "fallen back"
    POISONED = "poisoned"


@dataclass(frozen=True)
class Trouble:
    """A device's failure. Holds no exception: its traceback would keep memory of the device."""

    why: str
    is_out_of_memory: bool


class Accelerator:
    """This process's use of one device.

    Made once, in the master before the fork, where it does not touch the device; every worker
    enters the device for itself. Used by many threads.
    """

    def __init__(self, device: Device, marker: DisabledFlag) -> None:
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
        self._refusals = 0
        # One for all forks, so that one of them logs that the device is not usable.
        self._announcement = os.eventfd(1, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._announcement)

    @property
    def state(self) -> State:
        """The state in this process; a fork has not entered."""
        inherited = self._state is not State.NOT_ENTERED and self._process != os.getpid()
        return State.NOT_ENTERED if inherited else self._state

    @property
    def fallback(self) -> Fallback | None:
        """The reason that this process does not use the device; None if it may."""
        return self._marker.read()

    @property
    def wants_replacement(self) -> bool:
        """Whether this process can never use the device again, and a new one could."""
        return self.state is State.POISONED

    def require_library(self) -> None:
        """Check that the installed library supports the device. May run in the master; touches no device.

        Raises:
            NoDeviceError: it does not.
        """
        self._device.require_library()

    def when_poisoned(self, callback: Callable[[], None]) -> None:
        """Register the callback for a lost device; called once, in the thread that finds it."""
        self._when_poisoned = callback

    def adopt(self, placed: Placed) -> None:
        """Register a model whose copy is dropped when the device is left."""
        self._placed.add(placed)

    def enter(self) -> None:
        """Open the device, unless the marker forbids it. Runs after the fork, never in a master.

        If there is no usable device, this process speaks on the CPU, and `fallback` says why: other processes
        find out for themselves, and a restarted server tries again.

        Raises:
            DeviceError: the device refused, and another attempt may help; at most MAX_REFUSALS times.
        """
        with self._entering:
            if self.state in (State.IN_USE, State.POISONED):
                return
            self._process = os.getpid()
            if (known := self._marker.read()) is not None:
                self._state = State.FALLEN_BACK
                log.warning("device %s is not used since %s: %s", self.name, known.when, known.why)
                return
            try:
                trouble = self._open()
            except DeviceError as error:
                self._refuse(error)
                return
            if trouble is None:
                self._state = State.IN_USE
        if trouble is not None:
            self.fall_back(trouble.why)

    def _refuse(self, error: DeviceError) -> None:
        """Fall back in this process only, unless another attempt may help.

        Raises:
            DeviceError: it may.
        """
        self._refusals += 1
        if not error.permanent and self._refusals <= MAX_REFUSALS:
            raise error
        self._marker.hold(format_error(error), self.name)
        self._state = State.FALLEN_BACK
        try:
            os.eventfd_read(self._announcement)
        except BlockingIOError:
            return  # another process has logged it
        log.warning("device %s is not usable, the CPU is used instead: %s", self.name, error)

    def begin_use(self) -> bool:
        """Return whether the device may be used now; if so, `end_use` must follow."""
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
        """End one use."""
        with self._lock:
            self._using -= 1
            was_the_last = self._using == 0 and self._state is State.FALLEN_BACK
        if was_the_last:
            self.release()

    def trouble(self, error: BaseException) -> Trouble | None:
        """Return the failure if the device caused the error; else None."""
        if self._device.is_out_of_memory(error):
            return Trouble(format_error(error), is_out_of_memory=True)
        if self._device.is_poisoned(error):
            return Trouble(format_error(error), is_out_of_memory=False)
        return None

    def release(self) -> None:
        """Free cached memory of the device; a failure is only logged."""
        try:
            self._device.release()
        except Exception as error:  # the device's library may raise anything, and a request must not end by it
            log.warning("device %s: cached memory was not freed: %s", self.name, format_error(error))

    def fall_back(self, why: str) -> None:
        """Leave the device: in this process at once, in every other one before its next use."""
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
        """Make no further call to the device: this process's context is lost, the device itself is not."""
        with self._lock:
            if self._state is State.POISONED:
                return
            self._state = State.POISONED
        log.warning("device %s: lost to this process, which continues on the CPU: %s", self.name, why)
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
        # Work that still runs in other threads keeps its copy; the last of it releases once more.
        for placed in list(self._placed):
            placed.drop()
        self.release()

    def _enter_again(self) -> None:
        """Enter after a reset or an expiry, in the middle of a request: any error leads back to the CPU."""
        log.info("device %s may be used again", self.name)
        try:
            self.enter()
        except Exception as error:  # the device's library may raise anything; the request continues on the CPU
            self.fall_back(format_error(error))

    def _open(self) -> Trouble | None:
        try:
            self._device.open()
        except Exception as error:  # the device's library may raise anything
            found = self.trouble(error)
            if found is None or not found.is_out_of_memory:
                raise
            return found
        return None

    def held_bytes(self) -> int | None:
        """Return how much of the device's memory this process uses; None if it does not use the device."""
        return self._device.held_bytes() if self.state is State.IN_USE else None

    def _free_bytes(self) -> int | None:
        try:
            return self._device.free_bytes()
        except Exception:  # the device's library may raise anything; the fallback has its reason already
            return None
