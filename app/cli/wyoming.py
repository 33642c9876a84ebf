"""`chorus wyoming`: a process beside the server for Home Assistant (Wyoming) and for WebSocket clients."""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

import click

from app.cli.errors import NotInstalledError

if TYPE_CHECKING:
    from app.gateway.process import Address

_MAX_SEED = 2**63 - 1
_MAX_KEY_BYTES = 4096
_PACKAGES = ("wyoming", "websockets", "aiohttp")


def _uri(context: click.Context, parameter: click.Parameter, value: str) -> "Address":
    parts = _split(value)
    if parts.scheme != "tcp":
        raise click.BadParameter(f"expected tcp://HOST:PORT, found {value!r}")
    return _address_of(parts, value, "tcp://HOST:PORT")


def _websocket(context: click.Context, parameter: click.Parameter, value: str | None) -> "Address | None":
    return None if value is None else _address_of(_split(f"//{value}"), value, "HOST:PORT")


def _finite(context: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    # A range of click takes `nan`.
    if value is not None and value != value:
        raise click.BadParameter("expected a number, found nan")
    return value


def _split(value: str) -> SplitResult:
    try:
        return urlsplit(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}, found {value!r}") from error


def _address_of(parts: SplitResult, value: str, form: str) -> "Address":
    # Late, and first of all: --help works without these packages.
    _require(*_PACKAGES)
    from app.gateway.process import Address

    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port is None or parts.path not in ("", "/") or parts.query or parts.username:
        raise click.BadParameter(f"expected {form}, with a port from 0 to 65535, found {value!r}")
    return Address(host, port)


def _server(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value.startswith("unix:/"):
        return value
    parts, form = _split(value), "http://HOST:PORT or unix:/PATH of a Chorus server"
    if parts.scheme not in ("http", "https"):
        raise click.BadParameter(f"expected {form}, found {value!r}")
    _address_of(parts if ":" in parts.netloc.rpartition("]")[2] else parts._replace(netloc=f"{parts.netloc}:80"), value, form)
    return value


@click.command(short_help="Speak for Home Assistant and WebSocket clients.")
@click.option(
    "--uri", metavar="URI", default="tcp://127.0.0.1:10200", show_default=True, callback=_uri, help="Where Wyoming is served."
)
@click.option(
    "--server", metavar="URL", default="http://127.0.0.1:8080", show_default=True, callback=_server,
    help="The Chorus server that speaks: http://HOST:PORT or unix:/PATH.",
)  # fmt: skip
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE",
    help="File with the API key of Wyoming's requests; WebSocket clients send their own.",
)  # fmt: skip
@click.option(
    "--zeroconf", "zeroconf_name", is_flag=False, flag_value="", metavar="[NAME]",
    help="Announce Wyoming on the network; default of NAME: by the host's name.",
)  # fmt: skip
@click.option("--websocket", metavar="HOST:PORT", callback=_websocket, help="Serve /v1/audio/speech/ws there too.")
@click.option(
    "--origin", "origins", multiple=True, metavar="ORIGIN",
    help="Pages from there may open WebSockets, such as https://example.org; may be repeated.",
)  # fmt: skip
@click.option("--voice", metavar="NAME", help="Voice of Wyoming's requests that name none; default: the server's first one.")
@click.option(
    "--speed", type=click.FloatRange(0.25, 4.0), metavar="X", callback=_finite,
    help="Of Wyoming's requests, 0.25 to 4. Default: 1.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, _MAX_SEED), metavar="N", help="Of Wyoming's requests: the same audio each time.")
@click.option(
    "--sentence-pause", "sentence_pause_s", type=click.FloatRange(0.0, 10.0),
    default=0.45, show_default=True, metavar="SECONDS", callback=_finite,
    help="Silence between the sentences of a text that Wyoming's client still writes.",
)  # fmt: skip
@click.option(
    "--max-sessions", type=click.IntRange(1, 10_000), default=64, show_default=True, metavar="N", help="Of each protocol."
)
@click.option(
    "--idle-timeout", "idle_s", type=click.FloatRange(1.0, 86_400.0),
    default=300.0, show_default=True, metavar="SECONDS", callback=_finite,
    help="A session that is not used for so long is closed.",
)  # fmt: skip
@click.option("--log-format", type=click.Choice(("logfmt", "json")), default="logfmt", show_default=True)
def wyoming(
    uri: "Address",
    server: str,
    api_key_file: Path | None,
    zeroconf_name: str | None,
    websocket: "Address | None",
    origins: tuple[str, ...],
    voice: str | None,
    speed: float | None,
    seed: int | None,
    sentence_pause_s: float,
    max_sessions: int,
    idle_s: float,
    log_format: str,
) -> None:
    """Speak for Home Assistant (Wyoming) and WebSocket clients, through a running server.

    Runs beside the server and has no voice of its own: it sends requests to the server's HTTP API, so that the server's
    limits and its queue hold for these clients too. The server may start later, and may restart. Wyoming has no keys:
    every client that reaches its port may speak. Ctrl-C and SIGTERM end it.

    \b
    chorus wyoming
    chorus wyoming --uri tcp://0.0.0.0:10200 --zeroconf
    chorus wyoming --server unix:/run/chorus/http.sock --api-key-file /etc/chorus/wyoming.key
    chorus wyoming --websocket 127.0.0.1:8001 --origin https://example.org
    """
    from app.gateway.process import GatewayOptions, run
    from app.gateway.wyoming import SpeechDefaults

    if zeroconf_name is not None:
        _require("zeroconf")
    run(
        GatewayOptions(
            server=server,
            wyoming=uri,
            websocket=websocket,
            key=read_key(api_key_file) if api_key_file else "",
            zeroconf_name=zeroconf_name,
            origins=origins,
            defaults=SpeechDefaults(voice, speed, seed, sentence_pause_s),
            max_sessions=max_sessions,
            idle_s=idle_s,
            log_format=log_format,
        )
    )


def read_key(path: Path) -> str:
    """Return the API key in a file.

    Raises:
        KeyFileError: there is none.
    """
    from app.gateway.errors import KeyFileError

    try:
        with path.open("rb") as file:
            key = file.read(_MAX_KEY_BYTES + 1).strip().decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"{path}: no API key can be read from it ({error}); `chorus key` makes one") from error
    if not key or len(key) > _MAX_KEY_BYTES or not key.isprintable() or " " in key:
        raise KeyFileError(f"{path}: expected one API key, on one line; `chorus key` makes one")
    return key


def _require(*packages: str) -> None:
    """Check that the packages are installed.

    Raises:
        NotInstalledError: names the first one that is missing.
    """
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise NotInstalledError(f"this needs the package {package}: install the `gateway` extra")
