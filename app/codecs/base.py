"""What an encoder is. Knows samples and bytes; no text, no voice, no response."""

from typing import Protocol

from loader.engines.base import Samples


class Encoder(Protocol):
    """Turns the samples of one speech into bytes. One a request, used by one thread at a time; close it in any case."""

    @property
    def input_rate_hz(self) -> int:
        """The rate that `encode` expects."""
        ...

    @property
    def sample_rate_hz(self) -> int:
        """The rate that a player hears."""
        ...

    @property
    def delay_samples(self) -> int:
        """How much silence players play before the first sample, at `sample_rate_hz`: what the format cannot tell them
        to leave out."""
        ...

    def encode(self, samples: Samples) -> bytes:
        """Return what the next samples, any number of them, add; nothing while the codec gathers.

        Raises:
            TextTooLongError: the format cannot describe that much speech.
        """
        ...

    def finish(self) -> bytes:
        """Return the rest, after the last samples."""
        ...

    def head(self) -> bytes:
        """Return what belongs before everything else in a whole file, known after `finish`; nothing of a stream, whose
        head came first."""
        ...

    def close(self) -> None:
        """Free everything, whether the speech is complete or not. May be called twice."""
        ...
