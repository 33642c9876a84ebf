"""Errors of the gateway, in words for its clients."""

from loader.errors import LoaderError


class SpeechFailedError(Exception):
    """The server did not speak a text; the message is for the client."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        #: The code of the server's error object, or one of the gateway's: `server_unreachable`, `answer_cut`.
        self.code = code


class ClientError(Exception):
    """The client broke a rule of the protocol or a bound."""

    code = "invalid_message"


class TooMuchTextError(ClientError):
    """More text waits to be spoken than one client may send ahead."""

    code = "too_much_text"


class CannotListenError(LoaderError):
    """The address cannot be listened on."""

    exit_status = 69
    permanent = True


class CannotAnnounceError(LoaderError):
    """The service cannot be announced on the network."""

    exit_status = 69
    permanent = True


class KeyFileError(LoaderError):
    """The file of the API key is missing, or does not contain one."""

    exit_status = 66
    permanent = True
