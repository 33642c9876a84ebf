"""A real nginx with the files of ops/nginx as they are shipped: only paths and ports are put in, for a folder of its own."""

import http.client
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .processes import ROOT

SHIPPED = ROOT / "ops" / "nginx"

#: What the shipped files need around them. The second server takes a client's word for its address.
_MAIN = """\
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
worker_processes 2;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include chorus.conf;
    {tls}
    server {{
        listen unix:{folder}/edge.sock;
        set_real_ip_from unix:;
        real_ip_header X-Test-Address;
        access_log {folder}/access.log chorus;
        error_log {folder}/chorus-errors.log crit;
        include chorus/server.conf;
    }}
}}
"""


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: Path, timeout_s: float = 60) -> None:
        """Prepare to connect to the socket at `path`."""
        super().__init__("chorus.test", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass(frozen=True)
class Place:
    """Where one nginx lives."""

    #: Its own, of which nothing else is in use; a short path, since paths of sockets are.
    folder: Path
    port: int
    other_port: int
    tls_port: int
    other_tls_port: int

    @property
    def upstream(self) -> Path:
        """Where the server behind it is to listen."""
        return self.folder / "http.sock"

    @property
    def socket(self) -> Path:
        """Where it listens for clients that say in `X-Test-Address` where they are."""
        return self.folder / "edge.sock"


def place_in(folder: Path) -> Place:
    """Return a place on ports nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    # All are held until the last is found, so that none is given twice.
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return Place(folder, *ports)


def found_nginx() -> str | None:
    """Return the program, which is not on everybody's path; None where there is none."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def write_configuration(place: Place, tls: bool = False) -> None:
    """Write the shipped files and what goes around them; with the example of HTTPS, where asked for."""
    (place.folder / "chorus").mkdir()
    for source in [SHIPPED / "chorus.conf", *(SHIPPED / "chorus").iterdir()]:
        text = source.read_text(encoding="utf-8")
        for shipped, here in _substitutions(place).items():
            text = text.replace(shipped, here)
        (place.folder / source.relative_to(SHIPPED)).write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    example = "include chorus/tls.conf;" if tls else ""
    (place.folder / "nginx.conf").write_text(_MAIN.format(user=user, folder=place.folder, tls=example), encoding="utf-8")


def command(place: Place, *arguments: str) -> list[str]:
    """Return the command line that runs nginx there."""
    folder = str(place.folder)
    return [str(found_nginx()), "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log", *arguments]


def _substitutions(place: Place) -> Mapping[str, str]:
    """Paths and ports, nothing else."""
    return {
        "/run/chorus/http.sock": str(place.upstream),
        "/var/cache/nginx/chorus": f"{place.folder}/cache",
        "/var/log/nginx/chorus.log": f"{place.folder}/access.log",
        "/var/log/nginx/chorus-errors.log": f"{place.folder}/chorus-errors.log",
        "/etc/nginx/chorus/tls/": f"{place.folder}/tls/",
        "listen 80;": f"listen 127.0.0.1:{place.port};",
        "listen [::]:80;": f"listen 127.0.0.1:{place.other_port};",
        "listen 443 ": f"listen 127.0.0.1:{place.tls_port} ",
        "listen [::]:443 ": f"listen 127.0.0.1:{place.other_tls_port} ",
    }
