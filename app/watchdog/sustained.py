"""The article's own rule: growth over a fraction, sustained from sample to sample, however slow it is by the request."""

from collections import deque

#: Samples in a row that must each have grown.
_ROW = 3


class Sustained:
    """One value, taken every so many syntheses."""

    def __init__(self, growth: float) -> None:
        """Speak up over growth of that fraction of the first sample."""
        self._growth = growth
        self._first: float | None = None
        self._last: deque[float] = deque(maxlen=_ROW + 1)

    def add(self, value: float) -> bool:
        """Take the next sample; return whether the growth is an alert, after which everything begins anew."""
        if self._first is None:
            self._first = value
        self._last.append(value)
        # What only trembles around its level rises three times in a row now and then, but not by that much each time.
        step = self._growth * self._first / (2 * _ROW)
        rises = [after - before > step for before, after in zip(self._last, list(self._last)[1:], strict=False)]
        if len(rises) < _ROW or not all(rises) or value <= self._first * (1 + self._growth):
            return False
        self._first = None
        self._last.clear()
        return True
