"""What the sessions of both protocols share: speech one after the other, an end, and a bound of their number."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from app.logs import event

log = logging.getLogger("chorus.gateway")

#: Texts of one client that wait behind the one that is spoken.
MAX_WAITING_TEXTS = 16


class Sessions:
    """The open sessions of one protocol, at most `most`; the end of each is logged."""

    def __init__(self, protocol: str, most: int, idle_s: float) -> None:
        self._protocol = protocol
        self.most = most
        self.idle_s = idle_s
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for another one."""
        return len(self._tasks) >= self.most

    @contextmanager
    def enter(self, client: str) -> Iterator["Session"]:
        """Count the session of this task while the block runs, and log its end."""
        session, task = Session(self.idle_s), asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            yield session
        except Exception:  # a defect, or a library's way to say that the client has gone: the other sessions go on
            session.reason = "failed"
            log.exception("session.failed", extra={"session": session.name})
        finally:
            self._tasks.discard(task)
            event(
                log, "session.ended",
                protocol=self._protocol, session=session.name, client=client, texts=session.texts,
                audio_bytes=session.audio_bytes, lasted_s=round(session.now_s() - session.began_s, 3), reason=session.reason,
            )  # fmt: skip

    async def close(self) -> None:
        """End all sessions, and with them their work."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    def refuse(self, client: str) -> str:
        """Log a client for whom there is no place, and return the message for it."""
        event(log, "session.refused", logging.WARNING, protocol=self._protocol, client=client, open=len(self._tasks))
        return f"{len(self._tasks)} sessions are open, which is the limit; try again later"


class Session:
    """One session: its name in the logs, what it has spoken, and when it was last in use (seconds of the loop's clock)."""

    def __init__(self, idle_s: float) -> None:
        self.name = uuid4().hex[:12]
        self.texts = 0
        self.audio_bytes = 0
        self.reason = "closed"
        self.began_s = self._used_s = self.now_s()
        self._idle_s = idle_s

    @staticmethod
    def now_s() -> float:
        """Return the time of the loop's clock."""
        return asyncio.get_running_loop().time()

    def next_request_id(self) -> str:
        """Return the id of the session's next request to the server, for both logs."""
        self.texts += 1
        return f"{self.name}.{self.texts}"

    def use(self, audio_bytes: int = 0) -> None:
        """Note that the client has sent something or has taken audio."""
        self._used_s = self.now_s()
        self.audio_bytes += audio_bytes

    async def until_idle(self) -> None:
        """Return if the session was not in use for its time."""
        while (left_s := self._used_s + self._idle_s - self.now_s()) > 0:
            await asyncio.sleep(left_s)
        self.reason = "idle"


class Turns:
    """The texts of one client, spoken one after the other."""

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], Awaitable[None]]] = deque()
        self._added = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= MAX_WAITING_TEXTS

    def add(self, speak: Callable[[], Awaitable[None]]) -> None:
        """Speak when all texts before have been spoken."""
        self._waiting.append(speak)
        self._added.set()

    async def interrupt(self) -> None:
        """Stop the speech and forget what waits; returns when the work has been given up."""
        self._waiting.clear()
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    async def run(self) -> None:
        """Speak until cancelled; an error of a speech ends it."""
        while True:
            await self._added.wait()
            while self._waiting:
                await self._run_one(self._waiting.popleft())
            self._added.clear()

    async def _run_one(self, speak: Callable[[], Awaitable[None]]) -> None:
        self._running = asyncio.ensure_future(speak())
        try:
            await asyncio.wait([self._running])
            if not self._running.cancelled():
                self._running.result()
        finally:
            self._running.cancel()
            # Takes its error as well: asyncio logs one that is left.
            await asyncio.gather(self._running, return_exceptions=True)


async def run_until_first_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run all parts until one of them ends, then cancel the others; raises what that one raised."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in ended:
        task.result()
