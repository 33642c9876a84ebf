"""The gateway's process: its servers, from their start to a signal."""

import asyncio
import logging.config
import resource
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib.metadata import version

from app.gateway import websocket, wyoming
from app.gateway.errors import CannotListenError
from app.gateway.sessions import Sessions
from app.gateway.speech import SpeechServer
from app.gateway.wyoming import SpeechDefaults
from app.logs import event, logging_config

log = logging.getLogger("chorus.gateway")


@dataclass(frozen=True)
class Address:
    """Where a server listens; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class GatewayOptions:
    """What a gateway serves, and to whom."""

    #: `http://HOST:PORT`, `https://HOST:PORT` or `unix:PATH` of the server that speaks.
    server: str
    wyoming: Address
    websocket: Address | None = None
    #: Of the requests of Wyoming's clients, which have none; a WebSocket client sends its own.
    key: str = ""
    #: None: not announced; "": by the host's name.
    zeroconf_name: str | None = None
    origins: tuple[str, ...] = ()
    defaults: SpeechDefaults = field(default_factory=SpeechDefaults)
    #: Of each protocol.
    max_sessions: int = 64
    idle_s: float = 300.0
    log_format: str = "logfmt"


def run(options: GatewayOptions) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        CannotListenError: an address is in use, or not one of this machine.
        CannotAnnounceError: zeroconf has no network.
    """
    logging.config.dictConfig(logging_config(options.log_format))
    # Two for each session.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(_serve(options))


async def _serve(options: GatewayOptions) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(SpeechServer(options.server, options.key))
        address = await _open_wyoming(options, server, stack)
        if options.websocket is not None:
            await _open_websocket(options, options.websocket, server, stack)
        if options.zeroconf_name is not None:
            # Late: an option, with a package of its own.
            from app.gateway.discovery import announced

            seen = await stack.enter_async_context(announced(options.zeroconf_name, address.host, address.port))
            event(log, "service.announced", address=seen, port=address.port)
        await stop.wait()
    event(log, "gateway.ended")


async def _open_wyoming(options: GatewayOptions, server: SpeechServer, stack: AsyncExitStack) -> Address:
    """Listen, and return the address with its port."""
    sessions = Sessions("wyoming", options.max_sessions, options.idle_s)
    speech = wyoming.WyomingSpeech(server, sessions, options.defaults, version("chorus-tts"))
    try:
        listener = await wyoming.listen(speech, options.wyoming.host, options.wyoming.port)
    except OSError as error:
        raise _cannot_listen(options.wyoming, "--uri", error) from error
    stack.push_async_callback(sessions.close)
    stack.callback(listener.close)
    return _ready("wyoming", options.wyoming.host, listener.sockets[0].getsockname()[1], options.server)


async def _open_websocket(options: GatewayOptions, address: Address, server: SpeechServer, stack: AsyncExitStack) -> None:
    sessions = Sessions("websocket", options.max_sessions, options.idle_s)
    speech = websocket.WebSocketSpeech(server, sessions, options.origins)
    try:
        listener = await websocket.listen(speech, address.host, address.port)
    except OSError as error:
        raise _cannot_listen(address, "--websocket", error) from error
    stack.push_async_callback(listener.wait_closed)
    stack.push_async_callback(sessions.close)
    stack.callback(listener.close)
    _ready("websocket", address.host, next(iter(listener.sockets)).getsockname()[1], options.server)


def _ready(protocol: str, host: str, port: int, server: str) -> Address:
    event(log, "gateway.ready", protocol=protocol, address=str(Address(host, port)), server=server)
    return Address(host, port)


def _cannot_listen(address: Address, option: str, error: OSError) -> CannotListenError:
    reason = error.strerror or str(error)
    return CannotListenError(f"cannot listen on {address}: {reason}; choose another address with {option}")
