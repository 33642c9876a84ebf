"""How a bake says what it is doing."""

from collections.abc import Callable
from contextlib import AbstractContextManager

#: Announces a stage on entering, and its duration on leaving.
Stage = Callable[[str], AbstractContextManager[None]]
