"""A device beside the processor: who may use it, and what happens when it fails. Knows no library of any device.

A model is always on the CPU, where it costs nothing until it is used, and is copied to
the device while that works. Whoever asks a model for something gets it, from the one or
from the other.
"""

import logging
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar

from loader.fallback import Fallback, Marker
from loader.retry import described

log = logging.getLogger("chorus.loader")

Model = TypeVar("Model")
Result = TypeVar("Result")


class Device(Protocol):
    """One device of this machine. Nothing of it may be called before `open`, and all of that in one process."""

    #: What its library calls it, such as `cuda:0`.
    name: str

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

    def release(self) -> None:
        """Give back what memory nothing of this process uses any more."""
        ...

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether the error says that the device's memory is full."""
        ...

    def is_poisoned(self, error: BaseException) -> bool:
        """Whether after this error the device answers nothing else to this process."""
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
        self._placements: weakref.WeakSet[Placement[Any]] = weakref.WeakSet()
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

    def when_poisoned(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, in the thread that finds it out, once this process wants to be replaced."""
        self._when_poisoned = callback

    def adopt(self, placement: "Placement[Any]") -> None:
        """Know of a placement whose copy is to go when the device is left."""
        self._placements.add(placement)

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
        for placement in list(self._placements):
            placement.drop()
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

    def _free_bytes(self) -> int | None:
        try:
            return self._device.free_bytes()
        except Exception:  # the device's library may raise anything; that the memory was full is known already
            return None


@dataclass(frozen=True)
class _Done(Generic[Result]):
    """What the device gave, which may be None."""

    result: Result


class Placement(Generic[Model]):
    """A model on the CPU and, while that works, its copy on the device. Used by many threads.

    Made in the master before the fork; the copy is made at the first use after it.
    """

    def __init__(
        self, model: Model, accelerator: Accelerator | None, copy_to: Callable[[Model, str], Model]
    ) -> None:
        """Place `model`, which `copy_to` copies to the device of a given name; without an accelerator it stays alone."""
        self._model = model
        self._accelerator = accelerator
        self._copy_to = copy_to
        self._copy: Model | None = None
        self._copying = threading.Lock()
        if accelerator is not None:
            accelerator.adopt(self)

    def run(self, work: Callable[[Model], Result], smaller: Callable[[Model], Result] | None = None) -> Result:
        """Return what `work` makes of the model, on the device where that is possible, else on the CPU.

        Args:
            work: may be called up to three times, so it must be repeatable; must have waited for
                the device when it returns, as copying a result to the CPU does.
            smaller: the same result with less memory, tried when `work` did not fit.
        """
        accelerator = self._accelerator
        if accelerator is None or not accelerator.begin_use():
            return work(self._model)
        try:
            done = self._on_device(accelerator, work, smaller or work)
        finally:
            accelerator.end_use()
        return work(self._model) if done is None else done.result

    def drop(self) -> None:
        """Let go of the copy; the accelerator has been left before."""
        with self._copying:
            self._copy = None

    def _on_device(
        self, accelerator: Accelerator, work: Callable[[Model], Result], smaller: Callable[[Model], Result]
    ) -> _Done[Result] | None:
        outcome = self._attempt(accelerator, work)
        if isinstance(outcome, Trouble) and outcome.is_out_of_memory and accelerator.state is State.IN_USE:
            log.info("device %s: out of memory, trying smaller: %s", accelerator.name, outcome.why)
            accelerator.release()
            outcome = self._attempt(accelerator, smaller)
        if isinstance(outcome, _Done):
            return outcome
        if outcome.is_out_of_memory:
            accelerator.fall_back(outcome.why)
        else:
            accelerator.poison(outcome.why)
        return None

    def _attempt(self, accelerator: Accelerator, work: Callable[[Model], Result]) -> _Done[Result] | Trouble:
        try:
            return _Done(work(self._copied(accelerator)))
        except Exception as error:  # the device's library may raise anything
            trouble = accelerator.trouble(error)
            if trouble is None:
                raise
            # The error ends here, and with it the tensors in the frames of its traceback.
            return trouble

    def _copied(self, accelerator: Accelerator) -> Model:
        with self._copying:
            if self._copy is not None:
                return self._copy
            copied = self._copy_to(self._model, accelerator.name)
            # Whoever leaves the device changes the state first and drops copies then: none is kept past that.
            if accelerator.state is State.IN_USE:
                self._copy = copied
            return copied
