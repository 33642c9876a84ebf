"""The server opens no Internet connections: it has no socket that could leave the machine.

A seccomp filter, inherited by master and workers, kills any process that creates an Internet socket; the server
listens on a Unix socket instead. Without such a socket neither Python nor native code can look up a name or send a packet.
"""

import ctypes
import http.client
import os
import platform
import signal
import socket
import struct
import subprocess
import sys

import pytest

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _KILL_PROCESS = 0x7FFF0000, 0x80000000
_LOAD_WORD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_SYS_SOCKET = {"x86_64": 41, "aarch64": 198}
_AF_INET, _AF_INET6, _AF_PACKET = 2, 10, 17

pytestmark = pytest.mark.skipif(platform.machine() not in _SYS_SOCKET, reason="the filter knows x86-64 and ARM only")


def forbid_internet_sockets() -> None:
    """Install the filter in this process and its descendants. Needs no privilege."""
    instructions = [
        (_LOAD_WORD, 0, 0, 0),  # the system call's number
        (_JUMP_IF_EQUAL, 0, 5, _SYS_SOCKET[platform.machine()]),
        (_LOAD_WORD, 0, 0, 16),  # its first argument, the address family
        (_JUMP_IF_EQUAL, 2, 0, _AF_INET),
        (_JUMP_IF_EQUAL, 1, 0, _AF_INET6),
        (_JUMP_IF_EQUAL, 0, 1, _AF_PACKET),
        (_RETURN, 0, 0, _KILL_PROCESS),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(instructions), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, program):
        raise OSError(ctypes.get_errno(), "seccomp")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


def ask(path, method, url, body=None):
    connection = UnixConnection(str(path))
    try:
        connection.request(method, url, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_the_filter_kills_a_process_that_creates_an_internet_socket():
    command = [sys.executable, "-c", "import socket; socket.socket(); print('lived')"]
    result = subprocess.run(command, preexec_fn=forbid_internet_sockets, capture_output=True, check=False)

    assert (-signal.SIGSYS, b"") == (result.returncode, result.stdout)


def test_a_server_creates_no_internet_socket(start, tmp_path):
    path = tmp_path / "chorus.sock"
    server = start("--bind", f"unix:{path}", preexec=forbid_internet_sockets)
    server.eventually(lambda: path.exists() and len(server.workers()) == 2)
    server.eventually(lambda: ask(path, "GET", "/livez")[0] == 200)
    server.remember_descriptors()

    answers = [
        ask(path, "POST", "/v1/audio/speech", '{"input": "Number %d of many, and still at home."}' % number)
        for number in range(8)
    ]
    ready = ask(path, "GET", "/readyz")

    assert {200} == {status for status, _ in (*answers, ready)}
    for process in (server.master, *server.workers()):
        families = {connection.family for connection in process.net_connections(kind="inet")}
        assert not families
    assert os.path.exists(path)
    server.stop()
