"""Placement: a model mapped on the CPU, and a copy on the device while the device works."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from loader.devices.accelerator import Accelerator, State, Trouble

log = logging.getLogger("chorus.loader")

Model = TypeVar("Model")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Done(Generic[Result]):
    """A result of the device, which may be None."""

    result: Result


class Placement(Generic[Model]):
    """A model and its copy. Used by many threads.

    Made in the master before the fork; the copy is made at the first use after it.
    """

    def __init__(self, model: Model, accelerator: Accelerator | None, copy_to: Callable[[Model, str], Model]) -> None:
        """Take a model on the CPU; `copy_to` copies it to the device of a given name."""
        self._model = model
        self._accelerator = accelerator
        self._copy_to = copy_to
        self._copy: Model | None = None
        self._copying = threading.Lock()
        if accelerator is not None:
            accelerator.adopt(self)

    def run(self, work: Callable[[Model], Result], smaller: Callable[[Model], Result] | None = None) -> Result:
        """Return `work(model)`, on the device if possible, else on the CPU.

        Args:
            work: called up to three times, so it must be repeatable; returns after the device has finished,
                for example because it copies the result to the CPU.
            smaller: the same result with less memory, tried if `work` did not fit.
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
        """Drop the copy (see `accelerator.Placed`)."""
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
            return _Done(work(self._copy_on_device(accelerator)))
        except Exception as error:  # the device's library may raise anything
            trouble = accelerator.trouble(error)
            if trouble is None:
                raise
            # The error is dropped here, and with it the tensors in the frames of its traceback.
            return trouble

    def _copy_on_device(self, accelerator: Accelerator) -> Model:
        with self._copying:
            if self._copy is None:
                # Leaving the device changes the state first and drops copies then: no copy is made after that.
                if accelerator.state is not State.IN_USE:
                    return self._model
                self._copy = self._copy_to(self._model, accelerator.name)
            return self._copy
