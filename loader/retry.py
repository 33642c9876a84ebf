"""Retries with exponential backoff."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from loader.errors import LoaderError, WarmUpError

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")


@dataclass(frozen=True)
class Backoff:
    """Number of attempts and the pauses between them."""

    tries: int = 3
    #: Seconds before the second attempt; each later pause is twice as long.
    first_pause_s: float = 1.0

    def pause_s(self, attempt: int) -> float:
        """Return the pause after that attempt, counted from 1."""
        return float(self.first_pause_s * 2 ** (attempt - 1))


def is_permanent(error: BaseException) -> bool:
    """Whether another attempt cannot help."""
    return isinstance(error, LoaderError) and error.permanent


def with_retries(
    work: Callable[[], Result],
    backoff: Backoff,
    pause: Callable[[float], None],
    failed: Callable[[int, BaseException], object] = lambda attempt, error: None,
) -> Result:
    """Return `work()`, called again after each error that is not permanent.

    Args:
        work: may raise anything.
        backoff: number of attempts and pauses.
        pause: waits that many seconds.
        failed: called before the pause with the number of the failed attempt, from 1, and its error.

    Raises:
        WarmUpError: the last attempt failed too; its error is the cause.
        LoaderError: a permanent one, at once.
    """
    # Late: only processes that may retry import it.
    import tenacity

    def note(state: "RetryCallState") -> None:
        assert state.outcome is not None and (error := state.outcome.exception()) is not None
        failed(state.attempt_number, error)

    def give_up(state: "RetryCallState") -> Result:
        note(state)
        assert state.outcome is not None and (error := state.outcome.exception()) is not None
        raise WarmUpError(f"failed {backoff.tries} times, the last time with: {format_error(error)}") from error

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
    """Return an error's text in one line, with its class unless the error is ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, LoaderError) else f"{type(error).__name__}: {text}"
