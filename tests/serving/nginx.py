"""A real nginx before a real gunicorn: the files of ops/nginx as they are shipped, with a folder of its own for all they name."""

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.serving.harness import ROOT, Answer, Server

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx; Debian's package is `nginx`")
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
        include chorus/server.conf;
    }}
}}
"""


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: Path, timeout_s: float = 60) -> None:
        super().__init__("chorus.test", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


@dataclass
class Origin(Server):
    """A gunicorn on a unix socket, asked directly."""

    #: Where it listens.
    path: Path = Path()

    def ready(self) -> "Origin":
        self.eventually(lambda: self._dead() or (self._answers() and len(self.workers()) == self._wanted()))
        assert self.process.poll() is None, self.log()
        self.remember_descriptors()
        return self

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return UnixConnection(self.path, timeout_s)

    def _bind(self) -> tuple[str, ...]:
        return ("--bind", f"unix:{self.path}")


@dataclass
class Edge:
    """One nginx master and its workers. `stop` asserts that nothing alarming was logged and that no process is left."""

    #: Its own, of which nothing else is in use; a short path, since paths of sockets are.
    folder: Path
    #: With the example of HTTPS too.
    tls: bool = False

    def __post_init__(self) -> None:
        self.port, self.other_port, self.tls_port, self.other_tls_port = _free_ports(4)

    @property
    def upstream(self) -> Path:
        """Where the server behind it is to listen."""
        return self.folder / "http.sock"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def start(self) -> "Edge":
        self.write()
        self.process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.master = psutil.Process(self.process.pid)
        self._await_listening()
        return self

    def _await_listening(self) -> None:
        while self.process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            select.select([], [], [], 0.01)
        raise AssertionError(self.errors())

    def write(self) -> None:
        """Write the configuration: the shipped files with this folder and these ports in them, and what goes around them."""
        (self.folder / "chorus").mkdir()
        for source in [SHIPPED / "chorus.conf", *(SHIPPED / "chorus").iterdir()]:
            text = source.read_text()
            for shipped, here in self._substitutions().items():
                text = text.replace(shipped, here)
            (self.folder / source.relative_to(SHIPPED)).write_text(text)
        user = "user root;" if os.geteuid() == 0 else ""
        tls = "include chorus/tls.conf;" if self.tls else ""
        (self.folder / "nginx.conf").write_text(_MAIN.format(user=user, folder=self.folder, tls=tls))

    def _substitutions(self) -> Mapping[str, str]:
        """Paths and ports, nothing else."""
        return {
            "/run/chorus/http.sock": str(self.upstream),
            "/var/cache/nginx/chorus": str(self.cache),
            "/var/log/nginx/chorus.log": f"{self.folder}/access.log",
            "/etc/nginx/chorus/tls/": f"{self.folder}/tls/",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "listen [::]:80;": f"listen 127.0.0.1:{self.other_port};",
            "listen 443 ": f"listen 127.0.0.1:{self.tls_port} ",
            "listen [::]:443 ": f"listen 127.0.0.1:{self.other_tls_port} ",
        }

    def command(self, *arguments: str) -> list[str]:
        folder = str(self.folder)
        return [str(NGINX), "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log", *arguments]

    def workers(self) -> list[psutil.Process]:
        return self.master.children()

    def errors(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")

    def access(self) -> list[dict[str, str]]:
        """Return the access log: of each line its pairs, and `request`, the method and path."""
        lines = (self.folder / "access.log").read_text(errors="replace").splitlines()
        return [{"request": re.search('"(.*)"', line)[1], **dict(re.findall(r"(\w+)=(\S*(?:, \S+)*)", line))} for line in lines]

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None, address: str | None = None
    ) -> Answer:
        """Send one request, a dict as JSON; from `address`, where one is given."""
        content = json.dumps(body) if isinstance(body, dict) else body
        connection = UnixConnection(self.folder / "edge.sock") if address else self.connection()
        try:
            posing = {"X-Test-Address": address} if address else {}
            connection.request(method, path, content, {**posing, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def speak(self, text: str, address: str | None = None, **fields: Any) -> Answer:
        body = {"input": text, "response_format": "wav", **fields}
        return self.ask("POST", "/v1/audio/speech", body, address=address)

    def check(self) -> None:
        alarming = [line for line in self.errors().splitlines() if re.search(r"\[(alert|emerg|crit)\]", line)]
        assert not alarming, alarming

    def stop(self) -> None:
        family = [self.master, *self.workers()]
        self.process.send_signal(signal.SIGQUIT)
        status = self.process.wait(timeout=60)
        self.check()
        assert status == 0, self.errors()
        assert not [process for process in family if process.is_running()]


def _free_ports(count: int) -> list[int]:
    """Return ports nobody listens on now; all are held until the last is found, so that none is given twice."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
