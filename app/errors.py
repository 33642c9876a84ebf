"""What can go wrong with a request. Status and code live on the class; nothing of this project is imported.

Messages are for the client: they say the value, the bound and the remedy, and never a
path, a traceback or another request's text.
"""

import errno
from collections.abc import Iterable


class ServiceError(Exception):
    """The root, and what a client is told when the fault is ours."""

    status = 500
    code = "internal_error"
    #: OpenAI's name for the family of the error.
    kind = "server_error"
    #: Seconds after which the same request may do better; None where that is not known.
    retry_after_s: int | None = None
    #: Whether the same request may do better at all; None where the status says enough. OpenAI's clients
    #: would send every 500 three times.
    should_retry: bool | None = False

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        #: The request's field at fault, where there is one.
        self.parameter = parameter

    def described(self) -> dict[str, str | None]:
        """Return the error as OpenAI's clients read it; they need all four keys."""
        return {"message": self.message, "type": self.kind, "param": self.parameter, "code": self.code}

    def headers(self) -> dict[str, str]:
        """Return what the head of the answer says of it, in every dialect."""
        said = {}
        if self.retry_after_s is not None:
            said = {"Retry-After": str(self.retry_after_s), "retry-after-ms": str(1000 * self.retry_after_s)}
        if self.should_retry is not None:
            said["x-should-retry"] = str(self.should_retry).lower()
        return said


class BadRequestError(ServiceError):
    """The request cannot be understood or holds a value out of bounds."""

    status = 400
    code = "invalid_value"
    kind = "invalid_request_error"
    should_retry = None


class UnspeakableError(BadRequestError):
    """The request is well formed, but nothing in its text makes a sound."""

    code = "unspeakable_text"


class UnknownVoiceRequestedError(BadRequestError):
    """No such voice here."""

    code = "voice_not_found"


class UnknownSpeakerRequestedError(BadRequestError):
    """The voice has no such speaker."""

    code = "speaker_not_found"


class UnknownLanguageRequestedError(BadRequestError):
    """Neither the voice asked for, nor any where none was asked for, speaks that language."""

    code = "language_not_found"


class UnsupportedFormatError(BadRequestError):
    """The audio format is not one this server can send."""

    code = "unsupported_format"


class TextTooLongError(BadRequestError):
    """Over `limits.text_characters`; nothing is ever cut silently."""

    status = 413
    code = "string_above_max_length"


class AudioTooLongError(BadRequestError):
    """Over `limits.audio_s`, of a whole file or of captions. Children are over other bounds of an answer."""

    status = 413
    code = "audio_too_long"


class AnswerTooLargeError(AudioTooLongError):
    """Over `limits.answer_bytes`, of a whole file."""

    code = "answer_too_large"


class SilenceTooLongError(AudioTooLongError):
    """Over `limits.silence_s`, of all pauses between sentences together."""

    code = "silence_too_long"


class MalformedRequestError(BadRequestError):
    """The bytes are no request of HTTP/1.1. The message never quotes them: nobody knows what they are."""

    code = "malformed_request"


class RequestLineTooLongError(BadRequestError):
    """The request line is longer than is read."""

    status = 414
    code = "request_line_too_long"


class HeadersTooLargeError(BadRequestError):
    """The headers or trailers are more than is read."""

    status = 431
    code = "headers_too_large"


class ExpectationFailedError(BadRequestError):
    """`Expect` has another value than `100-continue`."""

    status = 417
    code = "expectation_failed"


class RequestTimeoutError(BadRequestError):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"


class BodyTooLargeError(BadRequestError):
    """Over `limits.body_bytes`."""

    status = 413
    code = "body_too_large"


class UnauthorizedError(BadRequestError):
    """The request has no API key, or none of this server's."""

    status = 401
    code = "invalid_api_key"

    def headers(self) -> dict[str, str]:
        """Add how a key is to be sent."""
        return {**super().headers(), "WWW-Authenticate": "Bearer"}


class NotFoundError(BadRequestError):
    """No such path, or no such thing at it."""

    status = 404
    code = "not_found"


class UnknownModelRequestedError(NotFoundError):
    """No such model here."""

    code = "model_not_found"


class MethodNotAllowedError(BadRequestError):
    """The path exists, but not for this method."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        #: The methods it exists for.
        self.allowed = tuple(sorted(allowed))

    def headers(self) -> dict[str, str]:
        """Add the methods that are allowed."""
        return {**super().headers(), "Allow": ", ".join(self.allowed)}


class UnsupportedMediaTypeError(BadRequestError):
    """The body is of a kind that cannot be read."""

    status = 415
    code = "unsupported_media_type"


class ClientGoneError(BadRequestError):
    """The client left before its answer was whole; nobody reads this. The number is nginx's."""

    status = 499
    code = "client_gone"


class SpeechFailedError(ServiceError):
    """The voice produced no usable audio."""

    code = "synthesis_failed"


class DeadlineError(ServiceError):
    """The answer was not whole when its client waited no longer."""

    status = 503
    code = "deadline_exceeded"


class ComeBackError(ServiceError):
    """Not now, but in so many seconds. Children say why not now."""

    status = 503
    should_retry = True
    why = "not now"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"{self.why}; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class NoRoomError(ComeBackError):
    """A whole answer could not be kept until it is complete."""

    code = "no_room"
    why = "there is no room to keep a whole answer; ask for a stream (`stream: true`)"


class WarmingUpError(ComeBackError):
    """This worker's voices are not ready yet, or could not be made ready and it is about to be replaced."""

    code = "warming_up"
    why = "the voices are not ready yet"


class OverloadedError(ComeBackError):
    """All workers are busy, and as many requests wait as may."""

    code = "overloaded"
    why = "as many requests wait as may"


class WaitedTooLongError(ComeBackError):
    """The request waited for its turn as long as it could, and was not begun."""

    code = "waited_too_long"
    why = "the request waited for its turn as long as it may, and was not begun"


class StreamCutError(ConnectionResetError):
    """A stream ends before its speech does. For gunicorn the connection is gone; our log has the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)
