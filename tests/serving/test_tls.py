"""TLS by gunicorn itself: the same responses, and no page or log line of gunicorn that quotes a request."""

import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.harness import Server

OPENSSL = shutil.which("openssl")

pytestmark = pytest.mark.skipif(OPENSSL is None, reason="there is no openssl to make a certificate with")


@dataclass
class SecureServer(Server):
    """A server with HTTPS only."""

    certificate: Path = Path()

    @property
    def port(self) -> int:
        return int(re.findall(r"Listening at: https://127\.0\.0\.1:(\d+)", self.log())[-1])

    def ready(self) -> "SecureServer":
        self.eventually(lambda: self._dead() or ("Listening at:" in self.log() and self._answers()))
        assert self.process.poll() is None, self.log()
        self.remember_descriptors()
        return self

    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def connection(self, timeout_s: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection("localhost", self.port, timeout=timeout_s, context=self.context())


@pytest.fixture
def secure(write_config, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    arguments = ("--workers", "1", "--certfile", str(certificate), "--keyfile", str(key))
    server = SecureServer(write_config(), arguments, certificate=certificate).start().ready()
    yield server
    server.stop()
    server.close()


def test_a_request_over_tls_is_answered(secure):
    answer = secure.speak("Nobody else hears this.", seed=1)

    assert (200, b"RIFF") == (answer.status, answer.body[:4])


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /api/tts?text=confidential HTTP/9.9", 400), ("GET /v1/models?confidential HTTP/1.1\r\nBad header", 400),
     ("GET /api/tts?text=confidential" + "a" * 9000 + " HTTP/1.1", 414)],
)  # fmt: skip
def test_requests_that_gunicorn_refuses_over_tls_get_our_errors_and_are_not_quoted(secure, request_line, status):
    with (
        socket.create_connection(("127.0.0.1", secure.port), timeout=60) as plain,
        secure.context().wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(f"{request_line}\r\nHost: a\r\n\r\n".encode())
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status) and b"X-Request-ID: " in head
    assert json.loads(body)["error"]["code"]
    assert "onfidential" not in secure.log() and b"onfidential" not in body
    assert 200 == secure.speak("Still there.").status


def test_a_client_without_tls_does_no_harm(secure):
    with socket.create_connection(("127.0.0.1", secure.port), timeout=60) as client:
        client.sendall(b"GET /api/tts?text=confidential HTTP/1.1\r\nHost: a\r\n\r\n")
        while client.recv(4096):
            pass

    assert "onfidential" not in secure.log()
    assert 200 == secure.speak("Still there.").status
