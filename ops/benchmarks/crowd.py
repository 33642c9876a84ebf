"""More clients than a server has places and a queue for, in one thread: `python -m ops.benchmarks.crowd PORT CLIENTS`.

Each asks again as soon as it is answered, and after a moment where it is refused, until the process
is ended. What they are sent is thrown away. A process of its own, so that its work is not the prober's.
"""

import asyncio
import itertools
import sys
from collections.abc import Iterator

from .servers import HOST, Ask, ask_ours
from .texts import SHORT_TEXT

TEXT = SHORT_TEXT
#: How long who is refused stays away: less than the server says, for there are always to be some who find the queue full.
MOMENT_S = 1.0
_PIECE_BYTES = 65_536


def main() -> None:
    """Ask until the end."""
    port, clients = map(int, sys.argv[1:])
    asyncio.run(_crowd(port, clients))


async def _crowd(port: int, clients: int) -> None:
    asks = (ask_ours(TEXT, seed) for seed in itertools.count())
    await asyncio.gather(*(_client(port, asks) for _ in range(clients)))


async def _client(port: int, asks: Iterator[Ask]) -> None:
    while True:
        if not await _is_answered(port, next(asks)):
            await asyncio.sleep(MOMENT_S)


async def _is_answered(port: int, ask: Ask) -> bool:
    """Send a request, read all of what comes, and return whether it was speech."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(_written(ask))
        status_line = await reader.readline()
        while await reader.read(_PIECE_BYTES):
            pass
        return status_line.split()[1:2] == [b"200"]
    except OSError:
        return False
    finally:
        writer.close()


def _written(ask: Ask) -> bytes:
    body = ask.body or b""
    lines = (
        f"{ask.method} {ask.path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json", f"Content-Length: {len(body)}",
    )  # fmt: skip
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body


if __name__ == "__main__":
    main()
