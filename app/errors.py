"""Errors of requests, with status and code on the class, and of rollouts. Imports nothing of this project.

Messages are for the client: they name the value, the bound and the remedy, and never a
path, a traceback or another request's text.
"""

import errno
import math
from collections.abc import Iterable

#: Key of the WSGI environment: code of the error that the request was answered with.
ERROR_KEY = "chorus.error"


class ServiceError(Exception):
    """Root of all errors; itself the response to an internal error."""

    status = 500
    code = "internal_error"
    #: OpenAI's `type` of the error.
    kind = "server_error"
    #: Seconds after which the same request may succeed; None if unknown.
    retry_after_s: float | None = None
    #: Whether the same request may succeed at all; None if the status implies it. OpenAI's clients
    #: would send every 500 three times.
    should_retry: bool | None = False

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        #: The field of the request that caused the error, if any.
        self.parameter = parameter

    def as_dict(self) -> dict[str, str | None]:
        """Return OpenAI's error object; its clients need all four keys."""
        return {"message": self.message, "type": self.kind, "param": self.parameter, "code": self.code}

    def headers(self) -> dict[str, str]:
        """Return the response headers of the error, the same in every dialect."""
        headers = {}
        if self.retry_after_s is not None:
            # `Retry-After` knows whole seconds only; OpenAI's clients read the other one first.
            headers = {
                "Retry-After": str(math.ceil(self.retry_after_s)), "retry-after-ms": str(round(1000 * self.retry_after_s)),
            }  # fmt: skip
        if self.should_retry is not None:
            headers["x-should-retry"] = str(self.should_retry).lower()
        return headers


class BadRequestError(ServiceError):
    """The request cannot be parsed or has a value out of bounds."""

    status = 400
    code = "invalid_value"
    kind = "invalid_request_error"
    should_retry = None


class UnspeakableError(BadRequestError):
    """Nothing in the text makes a sound, or a part of it cannot be read."""

    code = "unspeakable_text"


class InvalidMarkupError(BadRequestError):
    """The markup of the text is not well formed, not supported or above a bound; the message has line and column."""

    code = "invalid_markup"


class InvalidLexiconError(BadRequestError):
    """The request's lexicon has bad entries, or too many."""

    code = "invalid_lexicon"


class UnknownPhonemesError(BadRequestError):
    """Given phonemes have symbols that the voice does not have."""

    code = "unknown_phonemes"


class UnknownVoiceRequestedError(BadRequestError):
    """The voice is unknown."""

    code = "voice_not_found"


class UnknownSpeakerRequestedError(BadRequestError):
    """The voice does not have that speaker."""

    code = "speaker_not_found"


class UnknownLanguageRequestedError(BadRequestError):
    """The requested voice, or any voice if none was requested, does not speak that language."""

    code = "language_not_found"


class UnsupportedFormatError(BadRequestError):
    """The audio format is unknown."""

    code = "unsupported_format"


class TextTooLongError(BadRequestError):
    """Above `limits.text_characters`; text is never truncated."""

    status = 413
    code = "string_above_max_length"


class AudioTooLongError(BadRequestError):
    """Above `limits.audio_s`, of a whole file or of captions. Subclasses exceed other bounds of an answer."""

    status = 413
    code = "audio_too_long"


class AnswerTooLargeError(AudioTooLongError):
    """Above `limits.answer_bytes`, of a whole file."""

    code = "answer_too_large"


class SilenceTooLongError(AudioTooLongError):
    """Above `limits.silence_s`, of all pauses between sentences together."""

    code = "silence_too_long"


class MalformedRequestError(BadRequestError):
    """The bytes are not a valid HTTP/1.1 request. The message never quotes them."""

    code = "malformed_request"


class RequestLineTooLongError(BadRequestError):
    """The request line exceeds the limit."""

    status = 414
    code = "request_line_too_long"


class HeadersTooLargeError(BadRequestError):
    """The headers or trailers exceed the limit."""

    status = 431
    code = "headers_too_large"


class ExpectationFailedError(BadRequestError):
    """`Expect` is not `100-continue`."""

    status = 417
    code = "expectation_failed"


class RequestTimeoutError(BadRequestError):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"


class BodyTooLargeError(BadRequestError):
    """Above `limits.body_bytes`."""

    status = 413
    code = "body_too_large"


class UnauthorizedError(BadRequestError):
    """The request has no API key, or an unknown one."""

    status = 401
    code = "invalid_api_key"

    def __init__(self, message: str, by_password: bool = False) -> None:
        super().__init__(message)
        #: Whether the client should send the key as a password.
        self.by_password = by_password

    def headers(self) -> dict[str, str]:
        """Add the scheme of the key."""
        scheme = 'Basic realm="The password is the API key", charset="UTF-8"' if self.by_password else "Bearer"
        return {**super().headers(), "WWW-Authenticate": scheme}


class NotFoundError(BadRequestError):
    """The path, or what it names, does not exist."""

    status = 404
    code = "not_found"


class UnknownModelRequestedError(NotFoundError):
    """The model is unknown."""

    code = "model_not_found"


class MethodNotAllowedError(BadRequestError):
    """The path does not accept this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        #: The methods that the path accepts.
        self.allowed = tuple(sorted(allowed))

    def headers(self) -> dict[str, str]:
        """Add the accepted methods."""
        return {**super().headers(), "Allow": ", ".join(self.allowed)}


class PreconditionFailedError(BadRequestError):
    """The client asks for other audio than the request has now."""

    status = 412
    code = "precondition_failed"


class RangeNotSatisfiableError(BadRequestError):
    """The audio ends before the range that is asked for."""

    status = 416
    code = "range_not_satisfiable"

    def __init__(self, message: str, size_bytes: int) -> None:
        super().__init__(message)
        #: Of the whole audio.
        self.size_bytes = size_bytes

    def headers(self) -> dict[str, str]:
        """Add the size."""
        return {**super().headers(), "Content-Range": f"bytes */{self.size_bytes}"}


class UnsupportedMediaTypeError(BadRequestError):
    """The body has a type or an encoding that is not accepted."""

    status = 415
    code = "unsupported_media_type"


class ClientDisconnectedError(BadRequestError):
    """The client disconnected before its answer was complete. 499 is nginx's status for it."""

    status = 499
    code = "client_gone"


class SpeechFailedError(ServiceError):
    """The voice failed."""

    code = "synthesis_failed"


class VoiceNotServedError(ServiceError):
    """The voice is configured, but could not be opened when the server started."""

    status = 503
    code = "voice_not_served"


class DeadlineError(ServiceError):
    """The answer was not complete at the client's deadline."""

    status = 503
    code = "deadline_exceeded"


class RetryLaterError(ServiceError):
    """The request may succeed later. Subclasses have the reason."""

    status = 503
    should_retry = True
    reason = "not now"

    def __init__(self, retry_after_s: float, detail: str = "") -> None:
        super().__init__(f"{self.reason}{detail}; try again in {math.ceil(retry_after_s)} s")
        self.retry_after_s = retry_after_s


class NoRoomError(RetryLaterError):
    """There is no disk space to keep a whole answer until it is complete."""

    code = "no_room"
    reason = "there is no disk space for a whole answer; ask for a stream (`stream: true`)"


class WarmingUpError(RetryLaterError):
    """This worker's voices are not ready yet, or failed to open and it will be replaced."""

    code = "warming_up"
    reason = "the voices are not ready yet"


class OverloadedError(RetryLaterError):
    """All workers are busy and the queue is full."""

    code = "overloaded"
    reason = "the queue is full"

    def __init__(self, retry_after_s: float, waiting: int) -> None:
        super().__init__(retry_after_s, f" ({waiting} {'waits' if waiting == 1 else 'wait'})")


class WaitedTooLongError(RetryLaterError):
    """The request waited for its turn until its deadline, and was not started."""

    code = "waited_too_long"
    reason = "the request was not started before its deadline"


class StreamCutError(ConnectionResetError):
    """A stream that is cut before its end. To gunicorn it is a lost connection; our log has the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


class RolloutError(Exception):
    """A revision is refused, or its rollout abandoned; the message is the reason that operators read."""
