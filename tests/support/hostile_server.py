"""A real HTTP server that serves a folder of bytes, and does to chosen answers what servers, proxies and networks do."""

import re
import socket
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """What is wrong with one answer; fields that are None leave that as it is."""

    #: The answer ends after this many bytes of its body.
    cut_at: int | None = None
    #: No byte follows this many, until the server closes.
    stall_at: int | None = None
    #: The request is read, and nothing is answered.
    is_silent: bool = False
    status: int | None = None
    #: In place of the file's bytes.
    content: bytes | None = None
    ignores_range: bool = False
    #: Sent for a range in place of the right header; "" sends none.
    content_range: str | None = None
    #: In place of the file's ETag; "" sends none.
    etag: str | None = None
    #: In place of the length of the body; "" sends none.
    content_length: str | None = None
    location: str | None = None
    content_encoding: str | None = None
    #: What Hugging Face's hub says beside its redirects.
    linked_size: str | None = None
    #: The body has this many zeros more, made while they are sent.
    endless_bytes: int = 0


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Site:
    """What is served; tests change it while the server runs."""

    files: dict[str, bytes] = field(default_factory=dict)
    #: Faults of the next GETs of a path, one each; the last one stays if it is in `always`.
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    always: dict[str, Fault] = field(default_factory=dict)
    #: Answers to HEAD.
    heads: dict[str, Fault] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    #: Called with each path before its GET is answered.
    before_get: list = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def gets(self, path: str) -> list[Seen]:
        """Return the GETs of a path."""
        return [each for each in self.seen if each.method == "GET" and each.path.partition("?")[0] == path]


@contextmanager
def hostile_server(certificate: Path | None = None) -> Iterator[Site]:
    """Run a server on this machine; with the certificate and its key in one file, over TLS."""
    site = Site()
    with _Server(("127.0.0.1", 0), _handler(site)) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        site.url = f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            site.closing.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet about clients that leave, or that do not trust the certificate."""


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_HEAD(self) -> None:
            path = self._note()
            fault = site.heads.get(path, Fault())
            self._head(path, fault, site.files.get(path), 0)

        def do_GET(self) -> None:
            path = self._note()
            for before in list(site.before_get):
                before(path)
            waiting = site.faults[path]
            fault = waiting.pop(0) if waiting else site.always.get(path, Fault())
            if fault.is_silent:
                site.closing.wait()
                self.close_connection = True
                return
            content = fault.content if fault.content is not None else site.files.get(path)
            start = self._start(fault, content)
            if not self._head(path, fault, content, start):
                return
            body = content[start:]
            limit = next((at for at in (fault.cut_at, fault.stall_at) if at is not None), len(body))
            try:
                self.wfile.write(body[:limit])
                self.wfile.flush()
                if fault.stall_at is not None:
                    site.closing.wait()
                    self.close_connection = True
                for _ in range(fault.endless_bytes // 65536):
                    self.wfile.write(bytes(65536))
            except OSError:
                self.close_connection = True
                return
            if fault.cut_at is not None or fault.content_length is not None or fault.endless_bytes:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_WR)

        def _note(self) -> str:
            site.seen.append(Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
            return self.path.partition("?")[0]

        def _start(self, fault: Fault, content: bytes | None) -> int:
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            etag = _etag(content) if fault.etag is None else fault.etag
            if asked is None or fault.ignores_range or self.headers.get("If-Range") not in (None, etag):
                return 0
            return int(asked[1])

        def _head(self, path: str, fault: Fault, content: bytes | None, start: int) -> bool:
            """Send the head; return whether a body follows."""
            status = fault.status or (404 if content is None else 206 if start else 200)
            self.send_response(status)
            if fault.location is not None:
                self.send_header("Location", fault.location)
            if fault.linked_size is not None:
                self.send_header("X-Linked-Size", fault.linked_size)
            if content is None or status in (301, 302, 307, 404):
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False
            etag = _etag(content) if fault.etag is None else fault.etag
            length = str(len(content) - start + fault.endless_bytes) if fault.content_length is None else fault.content_length
            ranged = fault.content_range
            if ranged is None and status == 206:
                ranged = f"bytes {start}-{len(content) - 1}/{len(content)}"
            facts = {"ETag": etag, "Content-Length": length, "Content-Range": ranged, "Content-Encoding": fault.content_encoding}
            for name, value in facts.items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            return True

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler


def _etag(content: bytes | None) -> str:
    import hashlib

    return f'"{hashlib.md5(content or b"", usedforsecurity=False).hexdigest()}"'
