"""Trying again, a few times and ever later, what another try may cure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from loader.errors import LoaderError, WarmUpError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")


@dataclass(frozen=True)
class Backoff:
    """How often to try, and how long to wait in between."""

    tries: int = 3
    #: Seconds before the second try; every later pause is twice as long as the one before it.
    first_pause_s: float = 1.0

    def pause_s(self, tried: int) -> float:
        """Return how long to wait after the try of that number, counted from 1."""
        return float(self.first_pause_s * 2 ** (tried - 1))


def is_permanent(error: BaseException) -> bool:
    """Whether no other try could end otherwise."""
    return isinstance(error, LoaderError) and error.permanent


def with_retries(
    work: Callable[[], Result],
    backoff: Backoff,
    pause: Callable[[float], None],
    failed: Callable[[int, BaseException], object] = lambda tried, error: None,
) -> Result:
    """Return what `work` returns, tried again after each of its errors that is not permanent.

    Args:
        work: may raise anything.
        backoff: how often, and how far apart.
        pause: waits that many seconds.
        failed: told the number of a try that failed, from 1, and its error, before the pause.

    Raises:
        WarmUpError: the last try failed too; its error is the cause.
        LoaderError: a permanent one, as soon as it comes up.
    """
    # Only who may have to try again pays for the import.
    import tenacity

    def note(state: "RetryCallState") -> None:
        assert state.outcome is not None and (error := state.outcome.exception()) is not None
        failed(state.attempt_number, error)

    def give_up(state: "RetryCallState") -> Result:
        note(state)
        assert state.outcome is not None and (error := state.outcome.exception()) is not None
        raise WarmUpError(f"failed {backoff.tries} times, at last with: {format_error(error)}") from error

    retrying = tenacity.Retrying(
        sleep=pause,
        stop=tenacity.stop_after_attempt(backoff.tries),
        wait=lambda state: backoff.pause_s(state.attempt_number),
        retry=tenacity.retry_if_exception(lambda error: isinstance(error, Exception) and not is_permanent(error)),
        before_sleep=note,
        retry_error_callback=give_up,
    )
    return retrying(work)


def format_error(error: BaseException) -> str:
    """Return one line on an error, with the name of its class where nobody here wrote its text."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LoaderError) else f"{type(error).__name__}: {text}"
