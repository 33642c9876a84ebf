"""nginx launcher: a real nginx with the shipped files of ops/nginx, with paths and ports for a folder of its own."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

from app.tuning.loadgen import Request, send
from app.tuning.server import HOST, ROOT, ServerFailedError, launch, launch_chorus

from .servers import Server, ours

SHIPPED = ROOT / "ops" / "nginx"

#: What the shipped files need around them. The second server trusts a client about its address.
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


class Place:
    """Folder and free ports of one nginx."""

    def __init__(self, folder: Path) -> None:
        """Choose the ports. `folder` is used by nothing else; a short path, since paths of sockets are short."""
        self.folder = folder
        #: Socket that the server behind it listens on.
        self.upstream = folder / "http.sock"
        #: Socket that it listens on for clients that give their address in `X-Test-Address`.
        self.socket = folder / "edge.sock"
        with ExitStack() as stack:
            # All are held until the last is found, so that no port is given twice.
            listeners = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(5)]
            ports = [each.getsockname()[1] for each in listeners]
        self.port, self.other_port, self.tls_port, self.other_tls_port, self.gateway_port = ports


def find_nginx() -> str | None:
    """Return the program, which is not on the path of every user; None if there is none."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def write_configuration(place: Place, tls: bool = False) -> None:
    """Write the shipped files and what they need around them; with `tls`, the HTTPS example too."""
    substitutions = {
        "/run/chorus/http.sock": str(place.upstream),
        "127.0.0.1:8001": f"{HOST}:{place.gateway_port}",
        "/var/cache/nginx/chorus": f"{place.folder}/cache",
        "/var/log/nginx/chorus.log": f"{place.folder}/access.log",
        "/var/log/nginx/chorus-errors.log": f"{place.folder}/chorus-errors.log",
        "/etc/nginx/chorus/tls/": f"{place.folder}/tls/",
        "listen 80;": f"listen {HOST}:{place.port};",
        "listen [::]:80;": f"listen {HOST}:{place.other_port};",
        "listen 443 ": f"listen {HOST}:{place.tls_port} ",
        "listen [::]:443 ": f"listen {HOST}:{place.other_tls_port} ",
    }
    (place.folder / "chorus").mkdir()
    for source in [SHIPPED / "chorus.conf", *(SHIPPED / "chorus").iterdir()]:
        text = source.read_text(encoding="utf-8")
        for shipped, here in substitutions.items():
            text = text.replace(shipped, here)
        (place.folder / source.relative_to(SHIPPED)).write_text(text, encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    example = "include chorus/tls.conf;" if tls else ""
    (place.folder / "nginx.conf").write_text(_MAIN.format(user=user, folder=place.folder, tls=example), encoding="utf-8")


def command(place: Place) -> list[str]:
    """Return the command line that runs nginx there."""
    folder = str(place.folder)
    return [str(find_nginx()), "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"]


@contextmanager
def behind_nginx(config_path: Path, scratch: Path) -> Iterator[tuple[Server, Path]]:
    """Run our server on a unix socket and nginx before it; yields the server, and the socket of nginx for clients."""
    if find_nginx() is None:
        raise ServerFailedError("nginx is not installed; install Debian's package `nginx`")
    with tempfile.TemporaryDirectory(prefix="chorus-") as folder:
        place = Place(Path(folder))
        write_configuration(place)
        with launch_chorus(config_path, scratch / "ours.log", address=place.upstream) as launched:
            with launch(command(place), scratch / "nginx.log", (HOST, place.port)):
                ready = Request("/readyz", method="GET")
                launched.wait_for(lambda: send(place.socket, ready).status == HTTPStatus.OK)
                yield Server(**vars(launched), kind=ours(config_path)), place.socket
